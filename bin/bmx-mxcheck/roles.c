#include "roles.h"

#include <string.h>

/* A name or an address, a port behind it dropped. False: neither; no host is
 * meant by it. */
static bool
parse_word(struct role_word *w, const char *text)
{
	size_t len = strcspn(text, ":");
	const char *port = text + len;
	struct err unused = ERR_INIT;

	w->text = text;
	w->name[0] = '\0';
	if (endpoint_parse(&w->ep, text, 25))
		return true;
	w->ep.len = 0;
	if (*port == ':')
		port += 1 + strspn(port + 1, "0123456789");
	if (*port == '\0' && addr_fold_domain(text, len, w->name, &unused) == 0)
		return true;
	w->name[0] = '\0';
	return false;
}

int
roles_add(struct role_words *w, const char *text, struct err *e)
{
	if (w->n == ROLES_MAX)
		return err_usage(e, "more than %d hosts in one role",
		    ROLES_MAX);
	if (!parse_word(&w->word[w->n], text))
		return err_usage(e, "%s: not a host name or an address", text);
	w->n++;
	return 0;
}

/* The names and addresses of this host as those of the backup. config.h refuses
 * what is none. */
static int
set_self(struct roles *r, const struct config_host *host, struct err *e)
{
	r->backup_is_us = true;
	if (roles_add(&r->backup, host->hostname, e) == -1)
		return -1;
	for (size_t i = 0; i < host->self.n; i++)
		if (roles_add(&r->backup, host->self.word[i], e) == -1)
			return -1;
	return 0;
}

int
roles_prepare(struct role_book *book, struct err *e)
{
	book->ours = book->named;
	if (book->config == NULL || book->named.backup.n > 0)
		return 0;
	return set_self(&book->ours, &book->config->host, e);
}

/* Where bmx.conf sends a domain's mail. */
static void
set_route(struct roles *r, const struct config_domain *domain)
{
	static const char lmtp[] = "lmtp:";

	r->primary_is_route = false;
	r->primary.n = 0;
	for (size_t i = 0; i < domain->primary.n; i++) {
		const char *text = domain->primary.word[i];

		if (strcmp(text, "mx") == 0)
			continue;
		r->primary_is_route = true;
		if (strncmp(text, lmtp, strlen(lmtp)) == 0)
			text += strlen(lmtp);
		/* the path of a socket is nobody's MX host */
		parse_word(&r->primary.word[r->primary.n++], text);
	}
}

const struct roles *
roles_for(struct role_book *book, const char *domain)
{
	const struct config_domain *d = NULL;

	if (book->config != NULL)
		d = config_find(book->config, domain);
	if (d == NULL)
		return &book->named;
	if (book->named.primary.n == 0)
		set_route(&book->ours, d);
	return &book->ours;
}

bool
role_word_is(const struct role_word *w, const struct fact_host *h)
{
	if (w->ep.len == 0)
		return strcmp(w->name, h->name) == 0;
	for (size_t i = 0; i < h->naddrs; i++) {
		struct endpoint ep;

		endpoint_from_bytes(&ep, h->addrs[i].bytes, h->addrs[i].len,
		    25);
		if (endpoint_same_host(&ep, &w->ep))
			return true;
	}
	return false;
}

void
roles_find_local(struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		for (size_t k = 0; k < h->naddrs && !h->is_local; k++) {
			struct endpoint ep;

			endpoint_from_bytes(&ep, h->addrs[k].bytes,
			    h->addrs[k].len, 25);
			h->is_local = endpoint_is_local(&ep);
		}
	}
}
