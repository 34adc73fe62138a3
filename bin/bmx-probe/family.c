#include "bmx-probe/family.h"

#include <sys/socket.h>

static bool
is_of(const struct route_addr *a, int family)
{
	int own = a->ep.addr.ss_family;

	return own == family || (own != AF_INET && own != AF_INET6);
}

void
family_keep(struct route *route, int family)
{
	size_t n = 0;

	if (family == 0)
		return;
	for (size_t i = 0; i < route->naddrs; i++)
		if (is_of(&route->addrs[i], family))
			route->addrs[n++] = route->addrs[i];
	route->naddrs = n;
}
