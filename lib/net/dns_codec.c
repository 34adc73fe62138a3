#include "net/dns_codec.h"

#include <string.h>

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

#include "net/dns_records.h"

/*
 * libresolv reads and prints the names. The query's header and OPT are put
 * together here: res_nmkquery() takes and releases memory each time, its ids
 * can be guessed, and it knows no OPT.
 */

#define FLAG_QR 0x80 /* of byte 2 */
#define FLAG_AA 0x04
#define FLAG_TC 0x02
#define FLAG_RD 0x01
#define FLAG_RA 0x80 /* of byte 3 */
#define FLAG_CD 0x10
#define DO_BIT 0x8000 /* RFC 3225 */

bool
dns_question_set(struct dns_question *q, const char *name, enum dns_type type)
{
	size_t at = 0;

	if (*name == '\0' || ns_name_pton(name, q->wire, sizeof q->wire) == -1)
		return false;
	while (q->wire[at] != 0)
		at += q->wire[at] + 1u;
	q->len = at + 1;
	q->type = type;
	q->at = (struct dns_place){ .len = 0 };
	q->is_unchecked = false;
	/* the lengths between the labels are below 'A' */
	for (size_t i = 0; i < q->len; i++)
		q->wire[i] = dns_lower(q->wire[i]);
	return true;
}

bool
dns_place_same(const struct dns_place *a, const struct dns_place *b)
{
	return a->len == b->len && a->port == b->port &&
	       memcmp(a->addr, b->addr, a->len) == 0;
}

bool
dns_question_same(const struct dns_question *a, const struct dns_question *b)
{
	return a->type == b->type && a->len == b->len &&
	       a->is_unchecked == b->is_unchecked &&
	       memcmp(a->wire, b->wire, a->len) == 0 &&
	       dns_place_same(&a->at, &b->at);
}

char *
dns_question_name(const struct dns_question *q, char out[DNS_NAME_MAX])
{
	if (q->len <= 1 || ns_name_ntop(q->wire, out, DNS_NAME_MAX) == -1)
		out[0] = '\0';
	return out;
}

size_t
dns_encode(const struct dns_question *q, uint16_t id, bool edns,
    unsigned char out[DNS_QUERY_MAX])
{
	unsigned char *p = out;

	memset(out, 0, NS_HFIXEDSZ);
	ns_put16(id, out);
	out[2] = q->at.len == 0 ? FLAG_RD : 0;
	out[3] = q->is_unchecked ? FLAG_CD : 0;
	ns_put16(1, out + 4);
	p += NS_HFIXEDSZ;
	memcpy(p, q->wire, q->len);
	p += q->len;
	NS_PUT16(q->type, p);
	NS_PUT16(ns_c_in, p);
	if (edns) {
		ns_put16(1, out + 10);
		*p++ = 0; /* the root */
		NS_PUT16(ns_t_opt, p);
		NS_PUT16(DNS_EDNS_SIZE, p);
		NS_PUT16(0, p); /* extended rcode, version 0 */
		NS_PUT16(DO_BIT, p);
		NS_PUT16(0, p); /* no options */
	}
	return (size_t)(p - out);
}

static bool
is_reply(const unsigned char *packet, size_t len, uint16_t id)
{
	return len >= NS_HFIXEDSZ && ns_get16(packet) == id &&
	       (packet[2] & FLAG_QR) != 0 &&
	       (packet[2] >> 3 & 15) == ns_o_query;
}

/* libresolv does not compare it: name (in any case), type and class. */
static bool
has_question(const unsigned char *packet, size_t len,
    const struct dns_question *q)
{
	const unsigned char *p = packet + NS_HFIXEDSZ;

	if (ns_get16(packet + 4) != 1 ||
	    len < NS_HFIXEDSZ + q->len + NS_QFIXEDSZ)
		return false;
	for (size_t i = 0; i < q->len; i++)
		if (dns_lower(p[i]) != q->wire[i])
			return false;
	p += q->len;
	return ns_get16(p) == (unsigned)q->type && ns_get16(p + 2) == ns_c_in;
}

/* No answer, no authority, and no recursion, or none asked for: a lame server
 * or one that refers to others. That it has nothing to say about the name must
 * not be taken for a denial. */
static bool
is_lame(const struct dns_question *q, const unsigned char *packet)
{
	return ns_get16(packet + 6) == 0 && (packet[2] & FLAG_AA) == 0 &&
	       (q->at.len > 0 || (packet[3] & FLAG_RA) == 0);
}

static enum dns_status
status_of_rcode(int rcode)
{
	switch (rcode) {
	case ns_r_refused:
	case ns_r_notimpl:
	case ns_r_formerr:
	case ns_r_notauth:
		return DNS_REFUSED;
	default:
		return DNS_SERVFAIL;
	}
}

static void
failed(struct dns_reply *reply, enum dns_status status, bool blame_edns)
{
	reply->verdict = DNS_FAILED;
	reply->status = status;
	reply->blame_edns = blame_edns;
}

static void
decode_records(const struct dns_question *q, int rcode,
    const unsigned char *packet, size_t len, struct dns_reply *reply)
{
	struct dns_records r;

	if (!dns_records_open(&r, q, packet, len))
		failed(reply, DNS_MALFORMED, true); /* junk after OPT, too */
	else if (r.extended_rcode != 0)
		failed(reply, DNS_REFUSED, true);
	else if (is_lame(q, packet))
		failed(reply, DNS_REFUSED, false);
	else if (!dns_records_answer(&r, rcode == ns_r_nxdomain,
		     &reply->answer))
		failed(reply, DNS_MALFORMED, false);
	else if (reply->answer != NULL)
		reply->verdict = DNS_ANSWERED;
}

void
dns_decode(const struct dns_question *q, uint16_t id,
    const unsigned char *packet, size_t len, struct dns_reply *reply)
{
	int rcode;

	memset(reply, 0, sizeof *reply);
	reply->verdict = DNS_STRANGE;
	if (!is_reply(packet, len, id))
		return;
	rcode = packet[3] & 15;
	/* a server that could not read the question sends none back */
	if (!has_question(packet, len, q) &&
	    (rcode == ns_r_noerror || rcode == ns_r_nxdomain ||
		ns_get16(packet + 4) != 0))
		return;
	if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
		failed(reply, status_of_rcode(rcode),
		    rcode == ns_r_formerr || rcode == ns_r_notimpl);
	else if ((packet[2] & FLAG_TC) != 0)
		reply->verdict = DNS_CUT;
	else
		decode_records(q, rcode, packet, len, reply);
}
