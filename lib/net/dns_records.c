#include "net/dns_records.h"

#include <string.h>

#include <netinet/in.h>
#include <resolv.h>

#include "net/dns_answer.h"

#define FLAG_AA 0x04 /* of byte 2 */
#define FLAG_AD 0x20 /* of byte 3 */
#define RR_FIXED 10  /* type, class, TTL and length */
#define SOA_NUMBERS 20

/* ---- names ---- */

/* Text with its escapes: none of these has a letter, so in lower case one name
 * is always one text. */
static void
lower_text(char *text)
{
	for (; *text != '\0'; text++)
		*text = (char)dns_lower((unsigned char)*text);
}

/*
 * libresolv follows as many pointers as half the packet has bytes before it
 * calls them a loop: with thousands of records in 64 KiB that would be minutes
 * of work.
 */
static bool
is_tame_name(const struct dns_records *r, const unsigned char *p)
{
	size_t at = (size_t)(p - r->packet), octets = 1;
	unsigned hops = 0;

	while (at < r->len && r->packet[at] != 0) {
		size_t n = r->packet[at];

		if ((n & NS_CMPRSFLGS) == 0) {
			octets += n + 1;
			at += n + 1;
		} else if (at + 1 < r->len) {
			at = (n & ~(size_t)NS_CMPRSFLGS) << 8 |
			     r->packet[at + 1];
			hops++;
		} else {
			return false;
		}
		if (octets > DNS_WIRE_NAME_MAX || hops > DNS_HOPS_MAX)
			return false;
	}
	return at < r->len;
}

/* The name at p into out. Its length in the packet, or -1. */
static int
expand(const struct dns_records *r, const unsigned char *p,
    char out[DNS_NAME_MAX])
{
	int used;

	if (!is_tame_name(r, p))
		return -1;
	used = dn_expand(r->packet, r->packet + r->len, p, out, DNS_NAME_MAX);
	if (used != -1)
		lower_text(out);
	return used;
}

/* The name that fills the rdata from skip on. */
static bool
expand_rdata(const struct dns_records *r, const ns_rr *rr, size_t skip,
    char out[DNS_NAME_MAX])
{
	size_t len = ns_rr_rdlen(*rr);

	return len > skip &&
	       expand(r, ns_rr_rdata(*rr) + skip, out) == (int)(len - skip);
}

/* ---- sections ---- */

bool
dns_records_open(struct dns_records *r, const struct dns_question *q,
    const unsigned char *packet, size_t len)
{
	const unsigned char *p = packet + NS_HFIXEDSZ + q->len + NS_QFIXEDSZ;
	const unsigned char *end = packet + len;
	int count, n;

	*r =
	    (struct dns_records){ .question = q, .packet = packet, .len = len };
	if (len > NS_MAXMSG || ns_initparse(packet, (int)len, &r->msg) == -1)
		return false;
	count = ns_msg_count(r->msg, ns_s_an) + ns_msg_count(r->msg, ns_s_ns) +
		ns_msg_count(r->msg, ns_s_ar);
	for (int i = 0; i < count; i++) {
		n = dn_skipname(p, end);
		if (n == -1 || end - p - n < RR_FIXED || !is_tame_name(r, p))
			return false;
		p += n;
		if (ns_get16(p) == ns_t_opt)
			r->extended_rcode |= p[4];
		n = (int)ns_get16(p + 8);
		p += RR_FIXED;
		if (end - p < n)
			return false;
		p += n;
	}
	return p == end;
}

/* Record i of a section, its owner in lower case. False: it cannot be read. */
static bool
read_record(struct dns_records *r, ns_sect section, int i, ns_rr *rr)
{
	if (ns_parserr(&r->msg, section, i, rr) == -1)
		return false;
	lower_text(rr->name);
	return true;
}

static bool
is_record_of(const ns_rr *rr, const char *owner, int type)
{
	return (int)ns_rr_type(*rr) == type && ns_rr_class(*rr) == ns_c_in &&
	       strcmp(ns_rr_name(*rr), owner) == 0;
}

static uint32_t
smaller_ttl(uint32_t so_far, uint32_t ttl)
{
	if (ttl > DNS_TTL_MAX)
		ttl = 0;
	return ttl < so_far ? ttl : so_far;
}

/* The five numbers at the end of a SOA; NULL when it is none. */
static const unsigned char *
soa_numbers(const struct dns_records *r, const ns_rr *rr)
{
	const unsigned char *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);

	for (int names = 0; names < 2; names++) {
		int n = dn_skipname(p, end);

		if (n == -1 || !is_tame_name(r, p))
			return NULL;
		p += n;
	}
	return end - p == SOA_NUMBERS ? p : NULL;
}

/* ---- the answer ---- */

/* What is collected: first measured, then, with an answer, kept. */
struct collection {
	char name[DNS_NAME_MAX]; /* the question's, then its aliases' */
	unsigned aliases;
	uint32_t ttl;
	struct dns_answer *answer;
	size_t nrr;
	char *bytes;
	size_t nbytes;
};

/* Follow CNAMEs, in whatever order they stand. False: a loop or too many. */
static bool
follow_aliases(struct dns_records *r, struct collection *c)
{
	int count = ns_msg_count(r->msg, ns_s_an);
	unsigned before;
	ns_rr rr;

	dns_question_name(r->question, c->name);
	if (r->question->type == DNS_CNAME)
		return true;
	do {
		before = c->aliases;
		for (int i = 0; i < count; i++) {
			if (!read_record(r, ns_s_an, i, &rr))
				return false;
			if (!is_record_of(&rr, c->name, ns_t_cname))
				continue;
			if (++c->aliases > DNS_ALIASES_MAX ||
			    !expand_rdata(r, &rr, 0, c->name))
				return false;
			c->ttl = smaller_ttl(c->ttl, ns_rr_ttl(rr));
		}
	} while (c->aliases > before);
	return true;
}

/* Put len bytes by; NULL while measuring. */
static void *
keep(struct collection *c, const void *data, size_t len)
{
	char *to = NULL;

	if (c->answer != NULL) {
		to = c->bytes + c->nbytes;
		if (len > 0)
			memcpy(to, data, len);
	}
	c->nbytes += len;
	return to;
}

/* The strings of a TXT, joined (RFC 7208 3.3, RFC 8461 3.1). */
static bool
keep_strings(struct collection *c, const ns_rr *rr, struct dns_rr *out)
{
	const unsigned char *p = ns_rr_rdata(*rr), *end = p + ns_rr_rdlen(*rr);

	if (p == end)
		return false;
	out->raw.data = keep(c, p, 0);
	out->raw.len = 0;
	while (p < end) {
		size_t len = *p++;

		if (len > (size_t)(end - p))
			return false;
		keep(c, p, len);
		out->raw.len += len;
		p += len;
	}
	return true;
}

static bool
keep_address(const ns_rr *rr, size_t len, struct dns_rr *out)
{
	if (ns_rr_rdlen(*rr) != len)
		return false;
	memset(out->addr, 0, sizeof out->addr);
	memcpy(out->addr, ns_rr_rdata(*rr), len);
	return true;
}

static bool
keep_raw(struct collection *c, const unsigned char *data, size_t len,
    struct dns_rr *out)
{
	if (data == NULL)
		return false;
	out->raw.data = keep(c, data, len);
	out->raw.len = len;
	return true;
}

/* One record of the type that was asked for. False: it is malformed. */
static bool
keep_record(const struct dns_records *r, struct collection *c, const ns_rr *rr,
    struct dns_rr *out)
{
	const unsigned char *data = ns_rr_rdata(*rr);
	char name[DNS_NAME_MAX];

	switch (r->question->type) {
	case DNS_A:
		return keep_address(rr, 4, out);
	case DNS_AAAA:
		return keep_address(rr, 16, out);
	case DNS_MX:
		if (!expand_rdata(r, rr, 2, name))
			return false;
		out->mx.preference = (uint16_t)ns_get16(data);
		out->mx.host = keep(c, name, strlen(name) + 1);
		return true;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		if (!expand_rdata(r, rr, 0, name))
			return false;
		out->name = keep(c, name, strlen(name) + 1);
		return true;
	case DNS_TXT:
		return keep_strings(c, rr, out);
	case DNS_SOA:
		return keep_raw(c, soa_numbers(r, rr), SOA_NUMBERS, out);
	case DNS_TLSA:
		break;
	}
	return keep_raw(c, data, ns_rr_rdlen(*rr), out);
}

/* The records of the name at the end of the aliases. */
static bool
collect(struct dns_records *r, struct collection *c)
{
	int count = ns_msg_count(r->msg, ns_s_an);
	ns_rr rr;

	c->nrr = c->nbytes = 0;
	for (int i = 0; i < count; i++) {
		struct dns_rr out;

		if (!read_record(r, ns_s_an, i, &rr))
			return false;
		if (!is_record_of(&rr, c->name, (int)r->question->type))
			continue;
		if (!keep_record(r, c, &rr, &out))
			return false;
		out.ttl = smaller_ttl(DNS_TTL_MAX, ns_rr_ttl(rr));
		c->ttl = smaller_ttl(c->ttl, out.ttl);
		if (c->answer != NULL)
			c->answer->rr[c->nrr] = out;
		c->nrr++;
	}
	return true;
}

/* How long a denial holds: RFC 2308 section 5. 0 without a SOA. */
static uint32_t
denial_ttl(struct dns_records *r, uint32_t ttl)
{
	int count = ns_msg_count(r->msg, ns_s_ns);
	const unsigned char *numbers;
	ns_rr rr;

	for (int i = 0; i < count; i++) {
		if (!read_record(r, ns_s_ns, i, &rr))
			return 0;
		if (ns_rr_type(rr) != ns_t_soa)
			continue;
		numbers = soa_numbers(r, &rr);
		if (numbers == NULL)
			return 0;
		ttl = smaller_ttl(ttl, ns_rr_ttl(rr));
		return smaller_ttl(ttl, (uint32_t)ns_get32(numbers + 16));
	}
	return 0;
}

bool
dns_records_answer(struct dns_records *r, bool denied,
    struct dns_answer **answer)
{
	struct collection c = { .ttl = DNS_TTL_MAX };
	enum dns_status status = DNS_OK;
	struct dns_answer *a;

	if (!follow_aliases(r, &c) || !collect(r, &c))
		return false;
	/* records of other names only: no answer, and no denial either */
	if (!denied && c.nrr == 0 && c.aliases == 0 &&
	    ns_msg_count(r->msg, ns_s_an) > 0)
		return false;
	if (denied || c.nrr == 0) {
		status = denied ? DNS_NXDOMAIN : DNS_NODATA;
		c.ttl = denial_ttl(r, c.ttl);
		c.nrr = c.nbytes = 0;
	}
	if (c.nrr * sizeof *a->rr + c.nbytes > DNS_ANSWER_MAX)
		return false;
	a = dns_answer_new(status, c.nrr, c.nbytes + strlen(c.name) + 1,
	    &c.bytes);
	if (a == NULL)
		return true;
	c.answer = a;
	if (status == DNS_OK)
		collect(r, &c);
	a->name = keep(&c, c.name, strlen(c.name) + 1);
	a->aliases = c.aliases;
	a->ttl = c.ttl;
	a->is_authoritative = (r->packet[2] & FLAG_AA) != 0;
	a->is_authentic = (r->packet[3] & FLAG_AD) != 0;
	*answer = a;
	return true;
}
