#include "facts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void
facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		free(f->hosts[i].name);
		free(f->hosts[i].a.owner);
		free(f->hosts[i].aaaa.owner);
	}
	free(f->hosts);
	free(f->mx.owner);
	free(f->domain);
	*f = (struct facts)FACTS_INIT;
}

bool
lookup_is_definite(const struct lookup *l)
{
	return l->was_asked &&
	       (l->status == DNS_OK || l->status == DNS_NODATA ||
		   l->status == DNS_NXDOMAIN);
}

bool
facts_is_null_mx(const struct facts *f)
{
	return f->mx.status == DNS_OK && f->nhosts == 1 &&
	       f->hosts[0].preference == 0 && f->hosts[0].name[0] == '\0';
}

char *
fact_addr_text(const struct fact_addr *a, char out[ENDPOINT_TEXT_MAX])
{
	if (inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->bytes, out,
		ENDPOINT_TEXT_MAX) == NULL)
		out[0] = '\0';
	return out;
}

bool
fact_addr_same(const struct fact_addr *a, const struct fact_addr *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}
