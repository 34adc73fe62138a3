#ifndef BMX_PROBE_FAMILY_H
#define BMX_PROBE_FAMILY_H

#include "smtp/route.h"

/* Leave in the route the addresses of this family alone, AF_INET or AF_INET6,
 * and what is no address; 0: all. */
void family_keep(struct route *route, int family);

#endif
