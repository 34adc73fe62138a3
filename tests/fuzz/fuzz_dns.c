/*
 * Hostile replies, and names to ask for: lib/net/dns_codec.c, dns_records.c.
 *
 * Input: one byte chooses the type and what the rest is: a packet as it stands,
 * one whose header and question are made to fit, or records whose frame is made
 * to fit too (the names and numbers of libresolv give a fuzzer no hint where to
 * go). Of the same bytes a name to ask for is made.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/dns_codec.h"
#include "net/dns_records.h"

#define ID 0x5a5a
#define REQUIRE(claim)                                                         \
	do {                                                                   \
		if (!(claim))                                                  \
			abort();                                               \
	} while (0)

static const enum dns_type types[] = { DNS_A, DNS_NS, DNS_CNAME, DNS_SOA,
	DNS_PTR, DNS_MX, DNS_TXT, DNS_AAAA, DNS_TLSA };

/* Printable, no capitals, not longer than promised. */
static void
check_name(const char *name)
{
	size_t len = strlen(name);

	REQUIRE(len < DNS_NAME_MAX);
	for (size_t i = 0; i < len; i++) {
		REQUIRE(name[i] > 0x20 && name[i] < 0x7f);
		REQUIRE(name[i] < 'A' || name[i] > 'Z');
	}
	REQUIRE(len == 0 || (len > 1 && name[len - 2] == '\\') ||
		name[len - 1] != '.');
}

/* Every byte is there to be read: the sanitizer looks. */
static void
check_bytes(const unsigned char *bytes, size_t len)
{
	unsigned long total = 0;

	for (size_t i = 0; i < len; i++)
		total += bytes[i];
	REQUIRE(total <= 255 * len);
}

static void
check_record(const struct dns_rr *rr, enum dns_type type)
{
	REQUIRE(rr->ttl <= DNS_TTL_MAX);
	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		check_bytes(rr->addr, sizeof rr->addr);
		break;
	case DNS_MX:
		check_name(rr->mx.host);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		check_name(rr->name);
		break;
	case DNS_SOA:
		REQUIRE(rr->raw.len == 20);
		check_bytes(rr->raw.data, rr->raw.len);
		break;
	case DNS_TXT:
	case DNS_TLSA:
		REQUIRE(rr->raw.len <= 65535);
		check_bytes(rr->raw.data, rr->raw.len);
		break;
	}
}

static void
check_answer(const struct dns_answer *a, enum dns_type type)
{
	REQUIRE(a->status <= DNS_NXDOMAIN);
	REQUIRE((a->status == DNS_OK) == (a->nrr > 0));
	REQUIRE(a->aliases <= DNS_ALIASES_MAX);
	REQUIRE(a->ttl <= DNS_TTL_MAX);
	check_name(a->name);
	for (size_t i = 0; i < a->nrr; i++) {
		check_record(&a->rr[i], type);
		REQUIRE(a->ttl <= a->rr[i].ttl);
	}
}

#define PACKET_MAX 65535

struct packet {
	unsigned char bytes[PACKET_MAX];
	size_t len;
};

static void
add(struct packet *p, const void *bytes, size_t len)
{
	if (len > sizeof p->bytes - p->len)
		len = sizeof p->bytes - p->len;
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

/* Header and question of a reply to q. */
static void
fit_header(struct packet *p, const struct dns_question *q)
{
	unsigned char query[DNS_QUERY_MAX];
	size_t len = dns_encode(q, ID, false, query);

	if (p->len < len)
		return;
	memcpy(p->bytes, query, 2);
	p->bytes[2] = (p->bytes[2] & 0x07) | 0x80;
	p->bytes[4] = 0;
	p->bytes[5] = 1;
	memcpy(p->bytes + 12, query + 12, len - 12);
}

/*
 * One record: an octet each for owner, type, TTL and length, then rdata. The
 * owner is the question's name, or a label in front of some name that stands
 * in the packet. Returns the octets used; 0: the section is over.
 */
static size_t
add_record(struct packet *p, const struct dns_question *q, const uint8_t *data,
    size_t size)
{
	const unsigned char types_seen[] = { (unsigned char)q->type, DNS_CNAME,
		DNS_SOA, 41 };
	unsigned char fixed[10] = { 0, 0, 0, 1 };
	const unsigned char label[] = { 1, 'b', 0xc0, 0x0c };
	size_t len;

	if (size < 4 || data[0] == 0xff)
		return 0;
	len = data[3] < size - 4 ? data[3] : size - 4;
	fixed[1] = types_seen[data[1] & 3];
	fixed[4] = data[2] & 0x80;
	fixed[7] = data[2];
	fixed[9] = (unsigned char)len;
	if (data[0] < 3)
		add(p, label + 2 * (data[0] != 1), data[0] == 1 ? 4 : 2);
	else
		add(p, (unsigned char[]){ 0xc0, data[0] }, 2);
	add(p, fixed, sizeof fixed);
	add(p, data + 4, len);
	return 4 + len;
}

static void
assemble(struct packet *p, const struct dns_question *q, const uint8_t *data,
    size_t size)
{
	int section = 7; /* where the header counts the answers */
	size_t used;

	p->len = dns_encode(q, ID, false, p->bytes);
	p->bytes[2] = 0x80;
	p->bytes[3] = size > 0 ? data[0] & 0xa3 : 0;
	for (size_t at = 1; at < size && section < 12; at += used) {
		used = add_record(p, q, data + at, size - at);
		if (used > 0 && p->bytes[section] < 255)
			p->bytes[section]++;
		if (used == 0) {
			section += 2;
			used = 1;
		}
	}
}

static void
read_reply(const uint8_t *data, size_t size, unsigned choice)
{
	enum dns_type type = types[choice % (sizeof types / sizeof *types)];
	struct packet *p = malloc(sizeof *p);
	unsigned char *exact;
	struct dns_question q;
	struct dns_reply reply;

	REQUIRE(p != NULL);
	REQUIRE(dns_question_set(&q, "a.Example", type));
	p->len = 0;
	if (choice >= 128) {
		assemble(p, &q, data, size);
	} else {
		add(p, data, size);
		if (choice >= 32)
			fit_header(p, &q);
	}
	exact = malloc(p->len + 1); /* not a byte more than there is */
	REQUIRE(exact != NULL);
	memcpy(exact + 1, p->bytes, p->len);
	dns_decode(&q, ID, exact + 1, p->len, &reply);
	free(exact); /* the answer must not point into it */
	free(p);
	REQUIRE((reply.verdict == DNS_ANSWERED) == (reply.answer != NULL));
	if (reply.answer != NULL)
		check_answer(reply.answer, type);
	if (reply.verdict == DNS_FAILED)
		REQUIRE(reply.status == DNS_SERVFAIL ||
			reply.status == DNS_REFUSED ||
			reply.status == DNS_MALFORMED);
	dns_answer_free(reply.answer);
}

/* A name that can be asked comes back as one text, which asks the same. */
static void
ask_name(const uint8_t *data, size_t size)
{
	char name[1200], text[DNS_NAME_MAX], again[DNS_NAME_MAX];
	unsigned char query[DNS_QUERY_MAX];
	struct dns_question q, p;

	if (size >= sizeof name)
		size = sizeof name - 1;
	memcpy(name, data, size);
	name[size] = '\0';
	if (!dns_question_set(&q, name, DNS_MX))
		return;
	REQUIRE(q.len >= 1 && q.len <= DNS_WIRE_NAME_MAX);
	REQUIRE(dns_encode(&q, ID, true, query) == 12 + q.len + 4 + 11);
	check_name(dns_question_name(&q, text));
	REQUIRE(dns_question_set(&p, *text == '\0' ? "." : text, DNS_MX));
	REQUIRE(dns_question_same(&p, &q));
	REQUIRE(strcmp(dns_question_name(&p, again), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	read_reply(data + 1, size - 1, data[0]);
	ask_name(data + 1, size - 1);
	return 0;
}
