#include "net/dns_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/connect.h"

struct block {
	struct dns_answer
	    answer;      /* first: a pointer to it is one to the block */
	unsigned owners; /* 0: the constant below */
	size_t size;
	char server[ENDPOINT_TEXT_MAX];
	struct dns_rr rr[];
};

static struct block no_memory = {
	.answer = { .status = DNS_TIMEOUT, .name = "", .server = "" },
};

static struct block *
block_of(const struct dns_answer *a)
{
	return (struct block *)a;
}

struct dns_answer *
dns_answer_new(enum dns_status status, size_t nrr, size_t extra, char **bytes)
{
	struct block *b;
	size_t size = sizeof *b + nrr * sizeof *b->rr + extra;

	b = malloc(size);
	if (b == NULL)
		return NULL;
	memset(b, 0, sizeof *b);
	b->answer.status = status;
	b->answer.name = "";
	b->answer.rr = b->rr;
	b->answer.nrr = nrr;
	b->answer.server = b->server;
	b->owners = 1;
	b->size = size;
	*bytes = (char *)&b->rr[nrr];
	return &b->answer;
}

struct dns_answer *
dns_answer_empty(enum dns_status status, const char *name)
{
	size_t size = strlen(name) + 1;
	struct dns_answer *a;
	char *bytes;

	a = dns_answer_new(status, 0, size, &bytes);
	if (a == NULL)
		return &no_memory.answer;
	memcpy(bytes, name, size);
	a->name = bytes;
	return a;
}

void
dns_answer_stamp(struct dns_answer *a, const char *server, bool is_trusted)
{
	struct block *b = block_of(a);

	if (b->owners == 0)
		return;
	snprintf(b->server, sizeof b->server, "%s", server);
	a->is_authentic = a->is_authentic && is_trusted;
	a->is_trusted = is_trusted;
}

struct dns_answer *
dns_answer_share(const struct dns_answer *a)
{
	struct block *b = block_of(a);

	if (b->owners > 0)
		b->owners++;
	return &b->answer;
}

size_t
dns_answer_size(const struct dns_answer *a)
{
	return block_of(a)->size;
}

void
dns_answer_free(struct dns_answer *a)
{
	struct block *b = block_of(a);

	if (a == NULL || b->owners == 0 || --b->owners > 0)
		return;
	free(b);
}

const char *
dns_status_text(enum dns_status status)
{
	switch (status) {
	case DNS_OK:
		return "found";
	case DNS_NODATA:
		return "no such record";
	case DNS_NXDOMAIN:
		return "NXDOMAIN";
	case DNS_SERVFAIL:
		return "SERVFAIL";
	case DNS_REFUSED:
		return "REFUSED";
	case DNS_MALFORMED:
		return "malformed answer";
	case DNS_TIMEOUT:
		return "no answer";
	}
	return "unknown status";
}
