/* Packets, good and hostile, against lib/net/dns_codec.c and dns_records.c. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/dns_codec.h"

#define ID 0x1234
#define RENDERED 1200

/* Parts of packets. The question is always of example.com, so that its name
 * is at 0x0c, "com" at 0x14, and its end at 0x1d. */
#define NAME "\7example\3com\0"
#define IS "\xc0\x0c" /* owner: the question's name */
#define IN(type) "\0" type "\0\1"
#define ASK(type) NAME IN(type)
#define TTL300 "\0\0\1\x2c"
#define T_A "\1"
#define T_NS "\2"
#define T_CNAME "\5"
#define T_SOA "\6"
#define T_MX "\x0f"
#define T_TXT "\x10"
#define T_AAAA "\x1c"
#define T_OPT "\x29"
#define T_TLSA "\x34"
#define OPT "\0\0" T_OPT "\x04\xd0\0\0\0\0\0\0"
#define MX10 IS IN(T_MX) TTL300 "\0\7\0\x0a\2mx" IS
#define SOA60                                                                  \
	"\xc0\x14" IN(T_SOA) TTL300 "\0\x18\xc0\x0c\xc0\x0c\0\0\0\1"           \
				    "\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x3c"

#define BYTES(s) (s), sizeof(s) - 1
#define REPLY 0x8180 /* QR RD RA */
#define CUT 0x0200
#define AD 0x0020
#define AA 0x0400

struct row {
	const char *name;
	enum dns_type type;
	unsigned flags;
	unsigned char qd, an, ns, ar;
	const char *body;
	size_t len;
	const char *expected;
};

static const char *const verdicts[] = {
	[DNS_STRANGE] = "strange",
	[DNS_CUT] = "cut",
	[DNS_FAILED] = "failed",
};

static void
render_record(char *out, size_t size, const struct dns_rr *rr, enum dns_type t)
{
	size_t used = strlen(out);

	out += used;
	size -= used;
	switch (t) {
	case DNS_A:
		snprintf(out, size, " %u.%u.%u.%u", rr->addr[0], rr->addr[1],
		    rr->addr[2], rr->addr[3]);
		break;
	case DNS_AAAA:
		snprintf(out, size, " %02x..%02x", rr->addr[0], rr->addr[15]);
		break;
	case DNS_MX:
		snprintf(out, size, " %u:%s", rr->mx.preference, rr->mx.host);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		snprintf(out, size, " %s", rr->name);
		break;
	default:
		snprintf(out, size, " %zu", rr->raw.len);
		for (size_t i = 0; i < rr->raw.len && i < 4; i++)
			snprintf(out + strlen(out), size - strlen(out),
			    "%c%02x", i == 0 ? ':' : '.', rr->raw.data[i]);
	}
}

/* A reply as one line, for comparison. */
static const char *
render(const struct dns_reply *r, enum dns_type t, char out[RENDERED])
{
	const struct dns_answer *a = r->answer;

	if (r->verdict != DNS_ANSWERED) {
		snprintf(out, RENDERED, "%s", verdicts[r->verdict]);
		if (r->verdict == DNS_FAILED)
			snprintf(out, RENDERED, "failed %s%s",
			    dns_status_text(r->status),
			    r->blame_edns ? ", edns" : "");
		return out;
	}
	snprintf(out, RENDERED, "%s %s ttl=%u%s%s",
	    a->status == DNS_OK ? "ok" : dns_status_text(a->status), a->name,
	    a->ttl, a->is_authentic ? " ad" : "",
	    a->is_authoritative ? " aa" : "");
	if (a->aliases > 0)
		snprintf(out + strlen(out), RENDERED - strlen(out),
		    " aliases=%u", a->aliases);
	for (size_t i = 0; i < a->nrr && i < 8; i++)
		render_record(out, RENDERED, &a->rr[i], t);
	return out;
}

/* What the decoder makes of it, from memory of exactly that size. */
static const char *
decode(const struct row *row, uint16_t id, char out[RENDERED])
{
	size_t len = 12 + row->len;
	unsigned char *packet = malloc(len);
	struct dns_question q;
	struct dns_reply reply;

	assert_non_null(packet);
	assert_true(dns_question_set(&q, "Example.COM.", row->type));
	memset(packet, 0, 12);
	packet[0] = ID >> 8;
	packet[1] = ID & 0xff;
	packet[2] = (unsigned char)(row->flags >> 8);
	packet[3] = (unsigned char)row->flags;
	packet[5] = row->qd;
	packet[7] = row->an;
	packet[9] = row->ns;
	packet[11] = row->ar;
	memcpy(packet + 12, row->body, row->len);
	dns_decode(&q, id, packet, len, &reply);
	free(packet);
	render(&reply, row->type, out);
	dns_answer_free(reply.answer);
	return out;
}

static const struct row rows[] = {
	{ "one MX", DNS_MX, REPLY, 1, 1, 0, 0, BYTES(ASK(T_MX) MX10),
	    "ok example.com ttl=300 10:mx.example.com" },
	{ "with OPT", DNS_MX, REPLY, 1, 1, 0, 1, BYTES(ASK(T_MX) MX10 OPT),
	    "ok example.com ttl=300 10:mx.example.com" },
	{ "AD and AA are told", DNS_MX, REPLY | AD | AA, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) MX10),
	    "ok example.com ttl=300 ad aa 10:mx.example.com" },
	{ "names are compared and told in lower case", DNS_MX, REPLY, 1, 1, 0,
	    0,
	    BYTES("\7eXAMple\3COM\0" IN(T_MX) "\7EXAMPLE\3cOm\0" IN(T_MX) TTL300
		"\0\7\0\x0a\2MX" IS),
	    "ok example.com ttl=300 10:mx.example.com" },
	{ "a null MX (D8)", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\3\0\0\0"),
	    "ok example.com ttl=300 0:" },
	{ "an MX at the root beside another", DNS_MX, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\3\0\0\0" MX10),
	    "ok example.com ttl=300 0: 10:mx.example.com" },
	{ "dots and blanks in a label are escaped", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\x09\0\1\4a.b " IS),
	    "ok example.com ttl=300 1:a\\.b\\032.example.com" },
	{ "a NUL in a label is escaped", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\x08\0\1\3a\0b" IS),
	    "ok example.com ttl=300 1:a\\000b.example.com" },
	{ "an address", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_A) TTL300 "\0\4\xc0\0\2\1"),
	    "ok example.com ttl=300 192.0.2.1" },
	{ "an IPv6 address", DNS_AAAA, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_AAAA) IS IN(T_AAAA) TTL300
		"\0\x10\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"),
	    "ok example.com ttl=300 20..01" },
	{ "the smallest TTL is told", DNS_A, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_A) TTL300
		"\0\4\xc0\0\2\1" IS IN(T_A) "\0\0\0\7\0\4\xc0\0\2\2"),
	    "ok example.com ttl=7 192.0.2.1 192.0.2.2" },
	{ "a TTL with the top bit is 0", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_A) "\x80\0\0\1\0\4\xc0\0\2\1"),
	    "ok example.com ttl=0 192.0.2.1" },
	{ "the strings of a TXT are joined", DNS_TXT, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_TXT) IS IN(T_TXT) TTL300 "\0\6\2ab\0\1c"),
	    "ok example.com ttl=300 3:61.62.63" },
	{ "a TXT of one empty string", DNS_TXT, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_TXT) IS IN(T_TXT) TTL300 "\0\1\0"),
	    "ok example.com ttl=300 0" },
	{ "a TLSA of 0 bytes and one of 3", DNS_TLSA, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_TLSA) IS IN(T_TLSA) TTL300 "\0\0" IS IN(T_TLSA) TTL300
		"\0\3\3\1\1"),
	    "ok example.com ttl=300 0 3:03.01.01" },
	{ "the numbers of a SOA", DNS_SOA, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_SOA) IS IN(T_SOA) TTL300
		"\0\x18" IS IS "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	    "ok example.com ttl=300 20:01.02.03.04" },
	{ "other types and classes are passed over", DNS_A, REPLY, 1, 3, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_MX) TTL300
		"\0\3\0\0\0" IS "\0" T_A "\0\3" TTL300 "\0\4\1\1\1\1" IS IN(T_A)
		    TTL300 "\0\4\xc0\0\2\1"),
	    "ok example.com ttl=300 192.0.2.1" },
	{ "records of other names are not the answer", DNS_A, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_A) "\1x" IS IN(T_A) TTL300 "\0\4\1\1\1\1" IS IN(T_A)
		    TTL300 "\0\4\xc0\0\2\1"),
	    "ok example.com ttl=300 192.0.2.1" },
	{ "records of other names only are no denial", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) "\1x" IS IN(T_A) TTL300 "\0\4\1\1\1\1"),
	    "failed malformed answer" },

	{ "an alias is followed", DNS_A, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_CNAME) "\0\0\0\5\0\4\1b" IS "\1B" IS IN(T_A)
		    TTL300 "\0\4\xc0\0\2\1"),
	    "ok b.example.com ttl=5 aliases=1 192.0.2.1" },
	{ "aliases are followed in any order", DNS_A, REPLY, 1, 3, 0, 0,
	    BYTES(ASK(T_A) "\1c" IS IN(T_A) TTL300
		"\0\4\xc0\0\2\1\1b" IS IN(T_CNAME) TTL300
		"\0\4\1c" IS IS IN(T_CNAME) TTL300 "\0\4\1b" IS),
	    "ok c.example.com ttl=300 aliases=2 192.0.2.1" },
	{ "a CNAME that was asked for is not followed", DNS_CNAME, REPLY, 1, 1,
	    0, 0, BYTES(ASK(T_CNAME) IS IN(T_CNAME) TTL300 "\0\4\1b" IS),
	    "ok example.com ttl=300 b.example.com" },
	{ "an alias of itself", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_CNAME) TTL300 "\0\2" IS),
	    "failed malformed answer" },
	{ "two aliases of each other", DNS_A, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_CNAME) TTL300
		"\0\4\1b" IS "\1b" IS IN(T_CNAME) TTL300 "\0\2" IS),
	    "failed malformed answer" },
	{ "an alias without records", DNS_A, REPLY, 1, 1, 1, 0,
	    BYTES(ASK(T_A) IS IN(T_CNAME) TTL300 "\0\4\1b" IS SOA60),
	    "no such record b.example.com ttl=60 aliases=1" },
	{ "an alias of a name that does not exist", DNS_A, REPLY | 3, 1, 1, 1,
	    0, BYTES(ASK(T_A) IS IN(T_CNAME) TTL300 "\0\4\1b" IS SOA60),
	    "NXDOMAIN b.example.com ttl=60 aliases=1" },

	{ "NXDOMAIN holds as long as the SOA says", DNS_MX, REPLY | 3, 1, 0, 1,
	    0, BYTES(ASK(T_MX) SOA60), "NXDOMAIN example.com ttl=60" },
	{ "NODATA does too", DNS_MX, REPLY, 1, 0, 1, 0, BYTES(ASK(T_MX) SOA60),
	    "no such record example.com ttl=60" },
	{ "without a SOA a denial is not to be kept", DNS_MX, REPLY | 3, 1, 0,
	    0, 0, BYTES(ASK(T_MX)), "NXDOMAIN example.com ttl=0" },
	{ "a SOA that is cut short in its rdata", DNS_MX, REPLY | 3, 1, 0, 1, 0,
	    BYTES(ASK(T_MX) IS IN(T_SOA) TTL300 "\0\5" IS IS "\0"),
	    "NXDOMAIN example.com ttl=0" },

	{ "SERVFAIL", DNS_MX, REPLY | 2, 1, 0, 0, 0, BYTES(ASK(T_MX)),
	    "failed SERVFAIL" },
	{ "REFUSED", DNS_MX, REPLY | 5, 1, 0, 0, 0, BYTES(ASK(T_MX)),
	    "failed REFUSED" },
	{ "FORMERR", DNS_MX, REPLY | 1, 1, 0, 0, 0, BYTES(ASK(T_MX)),
	    "failed REFUSED, edns" },
	{ "FORMERR without the question", DNS_MX, REPLY | 1, 0, 0, 0, 0,
	    BYTES(""), "failed REFUSED, edns" },
	{ "NOTIMP", DNS_MX, REPLY | 4, 1, 0, 0, 0, BYTES(ASK(T_MX)),
	    "failed REFUSED, edns" },
	{ "BADVERS, half of it in OPT", DNS_MX, REPLY, 1, 0, 0, 1,
	    BYTES(ASK(T_MX) "\0\0" T_OPT "\x04\xd0\1\0\0\0\0\0"),
	    "failed REFUSED, edns" },
	{ "a lame server denies nothing", DNS_MX, 0x8100, 1, 0, 0, 0,
	    BYTES(ASK(T_MX)), "failed REFUSED" },
	{ "TC", DNS_MX, REPLY | CUT, 1, 0, 0, 0, BYTES(ASK(T_MX)), "cut" },
	{ "TC with half a record", DNS_MX, REPLY | CUT, 1, 9, 0, 0,
	    BYTES(ASK(T_MX) "\xc0"), "cut" },

	{ "a query", DNS_MX, 0x0100, 1, 0, 0, 0, BYTES(ASK(T_MX)), "strange" },
	{ "another opcode", DNS_MX, 0xa180, 1, 0, 0, 0, BYTES(ASK(T_MX)),
	    "strange" },
	{ "another name", DNS_MX, REPLY, 1, 0, 0, 0,
	    BYTES("\7example\3org\0" IN(T_MX)), "strange" },
	{ "another type", DNS_MX, REPLY, 1, 0, 0, 0, BYTES(ASK(T_A)),
	    "strange" },
	{ "another class", DNS_MX, REPLY, 1, 0, 0, 0,
	    BYTES(NAME "\0" T_MX "\0\3"), "strange" },
	{ "no question", DNS_MX, REPLY, 0, 0, 0, 0, BYTES(""), "strange" },
	{ "NXDOMAIN without a question", DNS_MX, REPLY | 3, 0, 0, 0, 0,
	    BYTES(""), "strange" },
	{ "two questions", DNS_MX, REPLY, 2, 0, 0, 0,
	    BYTES(ASK(T_MX) ASK(T_MX)), "strange" },
	{ "half a question", DNS_MX, REPLY, 1, 0, 0, 0, BYTES(NAME "\0\x0f\0"),
	    "strange" },

	{ "a byte behind the end", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) MX10 "x"), "failed malformed answer, edns" },
	{ "a record less than announced", DNS_MX, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_MX) MX10), "failed malformed answer, edns" },
	{ "a record without its rdata", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\7\0"),
	    "failed malformed answer, edns" },
	{ "rdata beyond the packet", DNS_TXT, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_TXT) IS IN(T_TXT) TTL300 "\xff\xff\1a"),
	    "failed malformed answer, edns" },
	{ "an A of 3 bytes", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_A) TTL300 "\0\3\1\1\1"),
	    "failed malformed answer" },
	{ "an A of 16 bytes", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) IS IN(T_A) TTL300 "\0\x10" NAME "\0\0\0"),
	    "failed malformed answer" },
	{ "an MX of 2 bytes", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\2\0\1"),
	    "failed malformed answer" },
	{ "an MX with more than a name", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\5\0\1" IS "x"),
	    "failed malformed answer" },
	{ "an MX whose name leaves its rdata", DNS_MX, REPLY, 1, 2, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\3\0\1\1" MX10),
	    "failed malformed answer" },
	{ "a TXT of no bytes", DNS_TXT, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_TXT) IS IN(T_TXT) TTL300 "\0\0"),
	    "failed malformed answer" },
	{ "a TXT string longer than its record", DNS_TXT, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_TXT) IS IN(T_TXT) TTL300 "\0\2\2a"),
	    "failed malformed answer" },
	{ "a SOA with 19 bytes of numbers", DNS_SOA, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_SOA) IS IN(T_SOA) TTL300
		"\0\x17" IS IS "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	    "failed malformed answer" },
	{ "a SOA with 21 bytes of numbers", DNS_SOA, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_SOA) IS IN(T_SOA) TTL300
		"\0\x19" IS IS "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
	    "failed malformed answer" },
	{ "an owner that points to itself", DNS_A, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_A) "\xc0\x1d" IN(T_A) TTL300 "\0\4\1\1\1\1"),
	    "failed malformed answer, edns" },
	{ "a target that points to itself", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\4\0\1\xc0\x2b"),
	    "failed malformed answer" },
	{ "two pointers at each other", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\6\0\1\xc0\x2d\xc0\x2b"),
	    "failed malformed answer" },
	{ "a pointer beyond the packet", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\4\0\1\xff\xff"),
	    "failed malformed answer" },
	{ "a label of a kind that does not exist", DNS_MX, REPLY, 1, 1, 0, 0,
	    BYTES(ASK(T_MX) IS IN(T_MX) TTL300 "\0\4\0\1\x41\0"),
	    "failed malformed answer" },
};

#define ROWS (sizeof rows / sizeof *rows)

static void
replies_are_read(void **state)
{
	char got[RENDERED];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		decode(&rows[i], ID, got);
		if (strcmp(got, rows[i].expected) != 0)
			fail_msg("%s: \"%s\", expected \"%s\"", rows[i].name,
			    got, rows[i].expected);
	}
}

/* A resolver that was asked without recursion and has nothing in its cache. */
static void
who_refers_to_others_denies_nothing(void **state)
{
	static const unsigned char reply_to_a[] = { ID >> 8, ID & 0xff, 0x80,
		0x80, 0, 1, 0, 0, 0, 0, 0, 0, 1, 'a', 0, 0, 1, 0, 1 };
	struct dns_question q;
	struct dns_reply reply;

	(void)state;
	assert_true(dns_question_set(&q, "a", DNS_A));
	dns_decode(&q, ID, reply_to_a, sizeof reply_to_a, &reply);
	assert_int_equal(reply.verdict, DNS_ANSWERED);
	dns_answer_free(reply.answer);
	q.at = (struct dns_place){ .addr = { 192, 0, 2, 1 }, .len = 4 };
	dns_decode(&q, ID, reply_to_a, sizeof reply_to_a, &reply);
	assert_int_equal(reply.verdict, DNS_FAILED);
	assert_int_equal(reply.status, DNS_REFUSED);
}

static void
another_id_is_no_reply(void **state)
{
	char got[RENDERED];

	(void)state;
	for (size_t i = 0; i < ROWS; i++)
		assert_string_equal(decode(&rows[i], ID + 1, got), "strange");
}

static bool
is_no_answer(const char *rendered)
{
	return strncmp(rendered, "failed", 6) == 0 ||
	       strcmp(rendered, "cut") == 0 || strcmp(rendered, "strange") == 0;
}

/* Cut anywhere, an answer is none. */
static void
truncated_answers_are_none(void **state)
{
	char got[RENDERED];

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		struct row cut = rows[i];

		if (is_no_answer(cut.expected))
			continue;
		while (cut.len > 0) {
			cut.len--;
			if (!is_no_answer(decode(&cut, ID, got)))
				fail_msg("%s, cut to %zu: \"%s\"", cut.name,
				    cut.len, got);
		}
	}
}

/* A packet of n records of one kind behind the question. */
static unsigned char *
many_records(enum dns_type type, const void *record, size_t len, unsigned n,
    size_t *total, struct dns_question *q)
{
	static const unsigned char header[12] = { ID >> 8, ID & 0xff, 0x81,
		0x80, 0, 1 };
	unsigned char *packet, *p;

	assert_true(dns_question_set(q, "example.com", type));
	*total = sizeof header + q->len + 4 + n * len;
	assert_true(*total <= 65535);
	p = packet = malloc(*total);
	assert_non_null(packet);
	memcpy(p, header, sizeof header);
	p[6] = (unsigned char)(n >> 8);
	p[7] = (unsigned char)n;
	p += sizeof header;
	memcpy(p, q->wire, q->len);
	p += q->len;
	*p++ = 0;
	*p++ = (unsigned char)type;
	*p++ = 0;
	*p++ = 1;
	for (; n > 0; n--, p += len)
		memcpy(p, record, len);
	return packet;
}

static void
a_TXT_of_64_KiB_is_one_answer(void **state)
{
	static unsigned char record[65000] = IS IN(T_TXT) TTL300;
	size_t len, rdata = sizeof record - 12;
	struct dns_question q;
	struct dns_reply reply;
	unsigned char *packet;

	(void)state;
	record[10] = (unsigned char)(rdata >> 8);
	record[11] = (unsigned char)rdata;
	for (size_t i = 0; i < rdata; i += 256) {
		size_t left = rdata - i - 1;

		record[12 + i] = (unsigned char)(left < 255 ? left : 255);
	}
	packet = many_records(DNS_TXT, record, sizeof record, 1, &len, &q);
	dns_decode(&q, ID, packet, len, &reply);
	free(packet);
	assert_int_equal(reply.verdict, DNS_ANSWERED);
	assert_int_equal(reply.answer->nrr, 1);
	assert_int_equal(reply.answer->rr[0].raw.len,
	    rdata - (rdata + 255) / 256);
	dns_answer_free(reply.answer);
}

static void
thousands_of_records_are_one_answer(void **state)
{
	static const char record[] = IS IN(T_A) TTL300 "\0\4\xc0\0\2\1";
	struct dns_question q;
	struct dns_reply reply;
	unsigned char *packet;
	size_t len;

	(void)state;
	packet = many_records(DNS_A, BYTES(record), 4000, &len, &q);
	dns_decode(&q, ID, packet, len, &reply);
	free(packet);
	assert_int_equal(reply.verdict, DNS_ANSWERED);
	assert_int_equal(reply.answer->nrr, 4000);
	dns_answer_free(reply.answer);
}

/* 64 KiB of compressed names would be megabytes of text. */
static void
names_that_compression_hides_are_bounded(void **state)
{
	/* the first target is a name of nearly 255 octets, which all others
	 * point to; each octet is printed as four */
	static const char first[] = IS IN(T_MX) TTL300 "\0\xf7\0\1";
	unsigned char record[18 * 3400 + 400], *p = record;
	static const char other[] = IS IN(T_MX) TTL300 "\0\4\0\1\xc0\x2b";
	struct dns_question q;
	struct dns_reply reply;
	unsigned char *packet;
	size_t len;

	(void)state;
	memcpy(p, BYTES(first));
	p += sizeof first - 1;
	for (int label = 0; label < 4; label++) {
		*p++ = 60;
		memset(p, 1, 60);
		p += 60;
	}
	*p++ = 0;
	for (int i = 0; i < 3400; i++, p += sizeof other - 1)
		memcpy(p, BYTES(other));
	packet =
	    many_records(DNS_MX, record, (size_t)(p - record), 1, &len, &q);
	packet[6] = (3401 >> 8);
	packet[7] = (3401 & 0xff);
	dns_decode(&q, ID, packet, len, &reply);
	free(packet);
	assert_int_equal(reply.verdict, DNS_FAILED);
	assert_int_equal(reply.status, DNS_MALFORMED);
}

/* Behind header and question: a record of another type, whose rdata are the
 * root and a chain of pointers that ends there; then an MX that points to the
 * last of them. Returns the length. */
static size_t
chain_of_pointers(unsigned char *p, unsigned hops)
{
	static const char mx[] = IS IN(T_MX) TTL300;
	unsigned char *begin = p;
	unsigned to = 12 + 17 + 12; /* the root */

	memcpy(p, BYTES(mx));
	p[3] = 10; /* NULL, RFC 1035 3.3.10 */
	p[10] = (unsigned char)((2 * hops - 1) >> 8);
	p[11] = (unsigned char)(2 * hops - 1);
	p[12] = 0;
	p += 13;
	for (unsigned i = 1; i < hops; i++, p += 2) {
		p[0] = (unsigned char)(0xc0 | to >> 8);
		p[1] = (unsigned char)to;
		to = 12 + 17 + (unsigned)(p - begin);
	}
	memcpy(p, BYTES(mx));
	memcpy(p + 10, "\0\4\0\1", 4);
	p[14] = (unsigned char)(0xc0 | to >> 8);
	p[15] = (unsigned char)to;
	return (size_t)(p + 16 - begin);
}

/* As many as a name needs are followed, not more: 64 KiB of them would keep
 * us busy for minutes. */
static void
chains_of_pointers_are_bounded(void **state)
{
	static const struct {
		unsigned hops;
		enum dns_verdict verdict;
	} chains[] = { { 1, DNS_ANSWERED }, { 127, DNS_ANSWERED },
		{ 128, DNS_FAILED }, { 8000, DNS_FAILED } };
	unsigned char all[17000], *packet;
	struct dns_question q;
	struct dns_reply reply;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof chains / sizeof *chains; i++) {
		len = chain_of_pointers(all, chains[i].hops);
		packet = many_records(DNS_MX, all, len, 1, &len, &q);
		packet[7] = 2;
		dns_decode(&q, ID, packet, len, &reply);
		free(packet);
		if (reply.verdict != chains[i].verdict)
			fail_msg("%u hops: %d", chains[i].hops, reply.verdict);
		dns_answer_free(reply.answer);
	}
}

static void
questions_are_encoded(void **state)
{
	static const char with_opt[] = "\xab\xcd\1\0\0\1\0\0\0\0\0\1" ASK(
	    T_MX) "\0\0\x29\x04\xd0\0\0\x80\0\0\0";
	unsigned char packet[DNS_QUERY_MAX];
	struct dns_question q;
	size_t len;

	(void)state;
	assert_true(dns_question_set(&q, "eXample.com", DNS_MX));
	len = dns_encode(&q, 0xabcd, true, packet);
	assert_int_equal(len, sizeof with_opt - 1);
	assert_memory_equal(packet, with_opt, len);
	len = dns_encode(&q, 0xabcd, false, packet);
	assert_int_equal(len, sizeof with_opt - 1 - 11);
	assert_int_equal(packet[11], 0);
	q.is_unchecked = true; /* CD */
	q.at.len = 4;          /* a given server: no RD */
	dns_encode(&q, 0xabcd, false, packet);
	assert_int_equal(packet[2], 0);
	assert_int_equal(packet[3], 0x10);
}

#define LABEL63                                                                \
	"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void
names_are_taken_or_refused(void **state)
{
	static const struct {
		const char *name;
		const char *expected; /* NULL: cannot be asked */
	} names[] = {
		{ "example.com", "example.com" },
		{ "example.com.", "example.com" },
		{ "EXAMPLE.com", "example.com" },
		{ "localhost", "localhost" },
		{ ".", "" },
		{ "_25._tcp.mx.example.com", "_25._tcp.mx.example.com" },
		{ "a\\.b.example", "a\\.b.example" },
		{ "a\\046b.example", "a\\.b.example" },
		{ "a b.example", "a\\032b.example" },
		{ "*.example", "*.example" },
		{ LABEL63 ".example", LABEL63 ".example" },
		{ "", NULL },
		{ "..", NULL },
		{ ".example", NULL },
		{ "a..example", NULL },
		{ "a\\", NULL },
		{ "a\\999.example", NULL },
		{ LABEL63 "x.example", NULL },
		{ LABEL63 "." LABEL63 "." LABEL63 "." LABEL63, NULL },
	};
	char text[DNS_NAME_MAX];
	struct dns_question q;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool ok = dns_question_set(&q, names[i].name, DNS_A);

		if (ok != (names[i].expected != NULL))
			fail_msg("\"%s\": %d", names[i].name, ok);
		if (ok)
			assert_string_equal(dns_question_name(&q, text),
			    names[i].expected);
	}
}

static void
questions_with_equal_names_are_the_same(void **state)
{
	struct dns_question a, b;

	(void)state;
	assert_true(dns_question_set(&a, "a.example", DNS_A));
	assert_true(dns_question_set(&b, "A.Example.", DNS_A));
	assert_true(dns_question_same(&a, &b));
	assert_true(dns_question_set(&b, "a.example", DNS_AAAA));
	assert_false(dns_question_same(&a, &b));
	assert_true(dns_question_set(&b, "a\\.example", DNS_A));
	assert_false(dns_question_same(&a, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_encoded),
		cmocka_unit_test(names_are_taken_or_refused),
		cmocka_unit_test(questions_with_equal_names_are_the_same),
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(who_refers_to_others_denies_nothing),
		cmocka_unit_test(another_id_is_no_reply),
		cmocka_unit_test(truncated_answers_are_none),
		cmocka_unit_test(a_TXT_of_64_KiB_is_one_answer),
		cmocka_unit_test(thousands_of_records_are_one_answer),
		cmocka_unit_test(names_that_compression_hides_are_bounded),
		cmocka_unit_test(chains_of_pointers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
