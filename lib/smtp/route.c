#include "smtp/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/text.h"
#include "smtp/route_order.h"

#define SMTP_PORT 25

/* One question for addresses of a host. */
struct lookup {
	struct search *search;
	struct route_host *host;
	enum route_family family;
};

/* One route_find(). */
struct search {
	struct route *route; /* keeps names */
	struct dns *dns;
	const struct route_self *self;
	bool is_unlisted;         /* the domain, see config_unlisted() */
	struct route_host *hosts; /* ROUTE_HOSTS_MAX */
	size_t nhosts;
	unsigned own_preference; /* of our name among the MX */
	struct lookup lookups[ROUTE_HOSTS_MAX * ROUTE_FAMILIES];
	size_t nlookups;
	size_t waiting; /* for answers */
};

/* ---- who we are ---- */

/* name has no final dot, ours may. */
static bool
is_same_name(const char *name, const char *ours)
{
	size_t n = strlen(ours);

	n -= n > 0 && ours[n - 1] == '.';
	return strlen(name) == n && strncasecmp(name, ours, n) == 0;
}

static bool
is_own_name(const struct route_self *self, const char *name)
{
	if (self->hostname != NULL && is_same_name(name, self->hostname))
		return true;
	for (size_t i = 0; self->names != NULL && i < self->names->n; i++)
		if (is_same_name(name, self->names->word[i]))
			return true;
	return false;
}

static bool
is_own_address(const struct route_self *self, const struct endpoint *ep)
{
	struct endpoint own;

	for (size_t i = 0; self->names != NULL && i < self->names->n; i++)
		if (endpoint_parse(&own, self->names->word[i], SMTP_PORT) &&
		    endpoint_same_host(&own, ep))
			return true;
	return endpoint_is_local(ep);
}

/* bmx.conf names another port than SMTP's: over loopback that is not us but
 * a neighbour, the primary in a test or behind a tunnel. */
static bool
is_other_service(const struct route_host *h)
{
	return h->is_lmtp || (h->has_port && h->port != SMTP_PORT);
}

/* ---- hosts and their addresses ---- */

static struct route_host *
add_host(struct search *s, const char *name, unsigned preference)
{
	struct route_host *h = &s->hosts[s->nhosts++];

	memset(h, 0, sizeof *h);
	h->name = name;
	h->preference = preference;
	h->port = SMTP_PORT;
	return h;
}

static void
add_address(struct search *s, struct route_host *h, const struct endpoint *ep)
{
	enum route_family family =
	    ep->addr.ss_family == AF_INET6 ? ROUTE_V6 : ROUTE_V4;

	if (!h->is_lmtp && /* we speak none: it may well be on this host */
	    !(is_other_service(h) && endpoint_is_loopback(ep)) &&
	    is_own_address(s->self, ep)) {
		h->is_self = true;
	} else if (h->naddrs[family] < ROUTE_HOST_ADDRS_MAX) {
		h->addrs[family][h->naddrs[family]] = *ep;
		h->addrs[family][h->naddrs[family]++].is_lmtp = h->is_lmtp;
	}
}

/* NULL: out of memory, or out of place. */
static const char *
keep_name(struct route *r, const char *name)
{
	char *copy;

	if (r->nhosts == sizeof r->hosts / sizeof *r->hosts)
		return NULL;
	copy = strdup(name);
	if (copy != NULL)
		r->hosts[r->nhosts++] = copy;
	return copy;
}

/* Remember that DNSSEC vouches for these addresses. What cannot be remembered
 * is not believed either. */
static bool
note_security(struct lookup *l, const struct dns_answer *a)
{
	const char **name = &l->host->secure_name[l->family];

	if (!a->is_authentic || a->nrr == 0)
		return true;
	*name = keep_name(l->search->route, a->name);
	if (*name == NULL)
		l->host->trouble = DNS_SERVFAIL;
	return *name != NULL;
}

static void
take_addresses(void *arg, const struct dns_answer *a)
{
	struct lookup *l = arg;
	struct endpoint ep;

	l->search->waiting--;
	if (a->status > DNS_NXDOMAIN)
		l->host->trouble = a->status;
	if (!note_security(l, a))
		return;
	for (size_t i = 0; i < a->nrr; i++) {
		endpoint_from_bytes(&ep, a->rr[i].addr,
		    l->family == ROUTE_V6 ? 16 : 4, l->host->port);
		add_address(l->search, l->host, &ep);
	}
}

static int
ask_family(struct search *s, struct route_host *h, enum route_family family,
    struct err *e)
{
	struct lookup *l = &s->lookups[s->nlookups++];

	*l = (struct lookup){ .search = s, .host = h, .family = family };
	s->waiting++;
	return dns_ask(s->dns, h->name, family == ROUTE_V6 ? DNS_AAAA : DNS_A,
	    take_addresses, l, e);
}

/* A number where a name should be: an address (RFC 1035 3.3.9 wants a name),
 * or at least no host name, RFC 1123 2.1. */
static bool
is_like_address(const char *name)
{
	const char *label = strrchr(name, '.');
	struct endpoint ep;

	label = label == NULL ? name : label + 1;
	return endpoint_parse(&ep, name, SMTP_PORT) ||
	       label[strspn(label, "0123456789")] == '\0';
}

/* Ask for all addresses that are not known yet, all at once. */
static int
look_up_hosts(struct search *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < s->nhosts && rc == 0; i++) {
		struct route_host *h = &s->hosts[i];

		if (h->is_self || is_like_address(h->name) || h->name[0] == '/')
			continue; /* the root, too: nobody has its address */
		rc = ask_family(s, h, ROUTE_V4, e);
		if (rc == 0)
			rc = ask_family(s, h, ROUTE_V6, e);
	}
	while (rc == 0 && s->waiting > 0)
		if (dns_run(s->dns, true, e) == -1)
			rc = -1;
	for (size_t i = 0; rc == -1 && i < s->nlookups; i++)
		dns_forget(s->dns, &s->lookups[i]);
	return rc;
}

/* Is there a way to IPv6 hosts? connect(2) of a datagram socket looks for one
 * and sends nothing; the address is the first of all global ones. */
static bool
has_v6_route(void)
{
	struct endpoint ep;
	bool found;
	int fd;

	endpoint_parse(&ep, "2000::1", SMTP_PORT);
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	found = connect(fd, (const struct sockaddr *)&ep.addr, ep.len) == 0;
	close(fd);
	return found;
}

/* Only then the order of the families matters, and the way is looked for. */
static bool
has_v6_address(const struct search *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s->hosts[i].naddrs[ROUTE_V6] > 0)
			return true;
	return false;
}

/* Take the first n hosts into the route, and their names with them. */
static int
fill_route(struct route *r, struct search *s, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		s->hosts[i].name = keep_name(r, s->hosts[i].name);
		if (s->hosts[i].name == NULL)
			return err_temp(e, "out of memory");
		if (r->is_by_mx && !r->is_mx_secure)
			memset(s->hosts[i].secure_name, 0,
			    sizeof s->hosts[i].secure_name);
	}
	route_list(r, s->hosts, n, has_v6_address(s, n) && has_v6_route());
	return 0;
}

/* ---- in words ---- */

/* "MX of example.com: a 10, b 20: words", cut when it is too long. */
static void
explain(struct route *r, const char *what, const struct search *s, size_t n,
    const char *words)
{
	size_t used;

	snprintf(r->why, sizeof r->why, "%s", what);
	for (size_t i = 0; i < n; i++) {
		used = strlen(r->why);
		snprintf(r->why + used, sizeof r->why - used, "%s %s",
		    i == 0 ? ":" : ",",
		    s->hosts[i].name[0] == '\0' ? "." : s->hosts[i].name);
	}
	used = strlen(r->why);
	snprintf(r->why + used, sizeof r->why - used, ": %s", words);
}

/* The last trouble among the first n hosts. */
static const char *
trouble_text(const struct search *s, size_t n)
{
	enum dns_status status = DNS_OK;

	for (size_t i = 0; i < n; i++)
		if (s->hosts[i].trouble != DNS_OK)
			status = s->hosts[i].trouble;
	return dns_status_text(status);
}

static void
explain_status(struct route *r, const struct search *s, size_t n,
    const char *what)
{
	switch (r->status) {
	case ROUTE_OK:
		explain(r, what, s, n, "addresses found");
		break;
	case ROUTE_DNS_TROUBLE:
		explain(r, what, s, n, trouble_text(s, n));
		break;
	case ROUTE_WE_ARE_BEST:
		explain(r, what, s, 0, "none is better than this host");
		break;
	case ROUTE_NOT_LISTED:
		explain(r, what, s, n, "this host is not among them");
		break;
	case ROUTE_NO_ADDRESS:
		explain(r, what, s, n, "no address");
		break;
	case ROUTE_NO_DOMAIN:
	case ROUTE_NULL_MX:
		break;
	}
}

/* ---- by MX ---- */

/* RFC 7505 3: the only MX, of preference 0, is the root. */
static bool
is_null_mx(const struct dns_answer *a)
{
	return a->nrr == 1 && a->rr[0].mx.preference == 0 &&
	       a->rr[0].mx.host[0] == '\0';
}

static int
compare_mx(const void *a, const void *b)
{
	const struct dns_rr *x = a, *y = b;

	return (x->mx.preference > y->mx.preference) -
	       (x->mx.preference < y->mx.preference);
}

/* The MX hosts that may be better than us, best first. */
static int
add_mx_hosts(struct search *s, const struct dns_answer *a, struct err *e)
{
	struct dns_rr *rr = calloc(a->nrr, sizeof *rr);

	if (rr == NULL)
		return err_temp(e, "out of memory");
	memcpy(rr, a->rr, a->nrr * sizeof *rr);
	qsort(rr, a->nrr, sizeof *rr, compare_mx);
	for (size_t i = 0; i < a->nrr; i++) {
		if (is_own_name(s->self, rr[i].mx.host)) {
			s->own_preference = rr[i].mx.preference;
			break;
		}
		if (s->nhosts < ROUTE_HOSTS_MAX)
			add_host(s, rr[i].mx.host, rr[i].mx.preference);
	}
	free(rr);
	return 0;
}

static int
shuffle(struct search *s, struct err *e)
{
	for (size_t i = 0; i < s->nhosts; i++)
		if (getrandom(&s->hosts[i].tie, sizeof s->hosts[i].tie, 0) !=
		    (ssize_t)sizeof s->hosts[i].tie)
			return err_sys(e, "getrandom");
	return 0;
}

/* From what is known about the hosts to the route. */
static int
conclude_mx(struct route *r, struct search *s, const char *what, struct err *e)
{
	size_t better;

	if (look_up_hosts(s, e) == -1 || shuffle(s, e) == -1)
		return -1;
	better = route_better(s->hosts, s->nhosts, s->own_preference);
	r->status = route_judge(s->hosts, s->nhosts, better, s->own_preference,
	    !s->is_unlisted);
	explain_status(r, s, better, what);
	return r->status == ROUTE_OK ? fill_route(r, s, better, e) : 0;
}

static int
route_by_answer(struct route *r, struct search *s, const char *domain,
    const struct dns_answer *a, struct err *e)
{
	char what[160];

	snprintf(what, sizeof what, "MX of %s", domain);
	switch (a->status) {
	case DNS_OK:
		if (is_null_mx(a)) {
			r->status = ROUTE_NULL_MX;
			explain(r, what, s, 0, "a null MX, it takes no mail");
			return 0;
		}
		if (add_mx_hosts(s, a, e) == -1)
			return -1;
		return conclude_mx(r, s, what, e);
	case DNS_NODATA: /* the implicit MX, RFC 5321 5.1 */
		snprintf(what, sizeof what, "no MX of %s, so itself", domain);
		if (is_own_name(s->self, a->name))
			s->own_preference = 0;
		else
			add_host(s, a->name, 0);
		return conclude_mx(r, s, what, e);
	case DNS_NXDOMAIN:
		r->status = ROUTE_NO_DOMAIN;
		break;
	default:
		r->status = ROUTE_DNS_TROUBLE;
	}
	explain(r, what, s, 0, dns_status_text(a->status));
	return 0;
}

static int
find_by_mx(struct route *r, struct search *s, const char *domain, struct err *e)
{
	struct dns_answer *a = dns_lookup(s->dns, domain, DNS_MX, e);
	int rc;

	if (a == NULL)
		return -1;
	r->is_mx_secure = a->is_authentic;
	rc = route_by_answer(r, s, domain, a, e);
	dns_answer_free(a);
	return rc;
}

/* ---- by bmx.conf ---- */

static bool
parse_port(const char *text, unsigned *port)
{
	unsigned long long value;

	if (text_number(text, strlen(text), UINT16_MAX, &value) == -1 ||
	    value == 0)
		return false;
	*port = (unsigned)value;
	return true;
}

static void
cut_final_dot(char *name)
{
	size_t n = strlen(name);

	if (n > 1 && name[n - 1] == '.')
		name[n - 1] = '\0';
}

/* One word of "primary": ADDRESS, [ADDRESS]:PORT, HOST or HOST:PORT, and after
 * "lmtp:" the same, or the path of a socket. */
static int
add_primary(struct search *s, char *word, struct err *e)
{
	static const char lmtp[] = "lmtp:";
	struct route_host *h = add_host(s, word, (unsigned)s->nhosts);
	struct endpoint ep;
	char *colon;

	h->is_lmtp = strncasecmp(word, lmtp, sizeof lmtp - 1) == 0;
	if (h->is_lmtp)
		h->name += sizeof lmtp - 1;
	if (endpoint_parse(&ep, word, 0)) {
		h->has_port = endpoint_port(&ep) != 0;
		endpoint_parse(&ep, word, SMTP_PORT);
		h->port = endpoint_port(&ep);
		add_address(s, h, &ep);
		return 0;
	}
	colon = strrchr(word, ':');
	if (colon != NULL) {
		if (!parse_port(colon + 1, &h->port))
			return err_config(e, "primary \"%s\" is no HOST:PORT",
			    word);
		h->has_port = true;
		*colon = '\0';
	}
	cut_final_dot(word);
	return 0;
}

static enum route_status
judge_primary(const struct route *r, const struct search *s)
{
	bool self = false;

	if (r->naddrs > 0)
		return ROUTE_OK;
	for (size_t i = 0; i < s->nhosts; i++) {
		self = self || s->hosts[i].is_self;
		if (s->hosts[i].trouble != DNS_OK)
			return ROUTE_DNS_TROUBLE;
	}
	return self ? ROUTE_WE_ARE_BEST : ROUTE_NO_ADDRESS;
}

static int
find_primary(struct route *r, struct search *s,
    const struct config_list *primary, struct err *e)
{
	char *words[CONFIG_LIST_MAX] = { NULL };
	int rc = -1;

	for (size_t i = 0; i < primary->n; i++) {
		words[i] = strdup(primary->word[i]);
		if (words[i] == NULL) {
			err_temp(e, "out of memory");
			goto out;
		}
		if (add_primary(s, words[i], e) == -1)
			goto out;
		if (is_own_name(s->self, words[i]) &&
		    !is_other_service(&s->hosts[i]))
			s->hosts[i].is_self = true;
	}
	if (look_up_hosts(s, e) == -1 || fill_route(r, s, s->nhosts, e) == -1)
		goto out;
	r->status = judge_primary(r, s);
	explain_status(r, s, s->nhosts, "primary");
	rc = 0;
out:
	for (size_t i = 0; i < primary->n; i++)
		free(words[i]);
	return rc;
}

/* ---- both ---- */

bool
route_is_by_mx(const struct config_domain *domain)
{
	const struct config_list *primary = &domain->primary;

	return primary->n == 0 ||
	       (primary->n == 1 && strcasecmp(primary->word[0], "mx") == 0);
}

bool
route_asks_dns(const struct config_domain *domain)
{
	const struct config_list *primary = &domain->primary;
	struct endpoint ep;

	if (route_is_by_mx(domain))
		return true;
	for (size_t i = 0; i < primary->n; i++)
		if (!endpoint_parse(&ep, primary->word[i], SMTP_PORT))
			return true;
	return false;
}

/* bmx.conf still names it. */
static bool
has_host(const struct route *r, const char *host)
{
	for (size_t i = 0; i < r->nhosts; i++)
		if (is_same_name(host, r->hosts[i]))
			return true;
	return false;
}

bool
route_last_good(struct route *r, const struct route_self *self,
    const char *address, const char *host)
{
	char why[sizeof r->why];
	struct route_addr *to = &r->addrs[0];
	struct endpoint ep;
	bool is_other;

	if (r->status != ROUTE_DNS_TROUBLE && r->status != ROUTE_NO_DOMAIN &&
	    r->status != ROUTE_NO_ADDRESS)
		return false;
	if (!endpoint_parse(&ep, address, SMTP_PORT) ||
	    (!r->is_by_mx && !has_host(r, host)))
		return false;
	is_other = ep.is_lmtp || endpoint_port(&ep) != SMTP_PORT;
	if ((!is_other && is_own_name(self, host)) ||
	    (!(is_other && (ep.is_lmtp || endpoint_is_loopback(&ep))) &&
		is_own_address(self, &ep)))
		return false; /* D2, D3 */
	snprintf(why, sizeof why, "%s", r->why);
	route_free(r);
	r->hosts[0] = strdup(*host != '\0' ? host : address);
	if (r->hosts[0] == NULL)
		return false;
	r->nhosts = r->naddrs = 1;
	*to = (struct route_addr){ .ep = ep, .host = r->hosts[0] };
	r->status = ROUTE_OK;
	snprintf(r->why, sizeof r->why, "%s", why);
	return true;
}

int
route_find(struct route *r, struct dns *dns, const struct config_domain *domain,
    const struct route_self *self, struct err *e)
{
	struct search s = { .route = r,
		.dns = dns,
		.self = self,
		.is_unlisted = domain->is_unlisted,
		.own_preference = ROUTE_NO_PREFERENCE };
	int rc;

	route_free(r);
	s.hosts = calloc(ROUTE_HOSTS_MAX, sizeof *s.hosts);
	if (s.hosts == NULL)
		return err_temp(e, "out of memory");
	r->is_by_mx = route_is_by_mx(domain);
	if (r->is_by_mx)
		rc = find_by_mx(r, &s, domain->name, e);
	else
		rc = find_primary(r, &s, &domain->primary, e);
	free(s.hosts);
	return rc;
}

void
route_free(struct route *r)
{
	for (size_t i = 0; i < r->nhosts; i++)
		free(r->hosts[i]);
	r->nhosts = 0;
	r->naddrs = 0;
	r->is_by_mx = r->is_mx_secure = false;
	r->why[0] = '\0';
}

const char *
route_status_code(enum route_status s)
{
	switch (s) {
	case ROUTE_OK:
		return "2.0.0";
	case ROUTE_DNS_TROUBLE:
		return "4.4.3";
	case ROUTE_NO_DOMAIN:
	case ROUTE_NO_ADDRESS:
		return "4.4.4";
	case ROUTE_NULL_MX:
		return "4.1.10";
	case ROUTE_WE_ARE_BEST:
	case ROUTE_NOT_LISTED:
		return "4.4.6";
	}
	return "4.0.0";
}
