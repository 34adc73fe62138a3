/*
 * What the DNS engine makes of names, for tests:
 *
 *	dnsdump [-s SERVER]... [-w WINDOW] [-d DEADLINE_MS] [-a] [NAME TYPE]...
 *
 * or, without names, "NAME TYPE" lines from stdin. One line for each answer,
 * then its records, indented. -a: trust AD from any server. -q: only the
 * number of answers of each status.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
#include "net/dns.h"

#define SERVERS_MAX 16
#define STATUS_COUNT (DNS_TIMEOUT + 1)

struct dump {
	struct dns *dns;
	bool quiet;
	unsigned long count[STATUS_COUNT];
};

struct ask {
	struct dump *dump;
	char name[DNS_NAME_MAX];
	enum dns_type type;
};

static const struct {
	const char *name;
	enum dns_type type;
} types[] = {
	{ "A", DNS_A },
	{ "NS", DNS_NS },
	{ "CNAME", DNS_CNAME },
	{ "SOA", DNS_SOA },
	{ "PTR", DNS_PTR },
	{ "MX", DNS_MX },
	{ "TXT", DNS_TXT },
	{ "AAAA", DNS_AAAA },
	{ "TLSA", DNS_TLSA },
};

#define TYPES (sizeof types / sizeof *types)

static const char *
type_name(enum dns_type type)
{
	for (size_t i = 0; i < TYPES; i++)
		if (types[i].type == type)
			return types[i].name;
	return "?";
}

static enum dns_type
type_of(const char *name)
{
	for (size_t i = 0; i < TYPES; i++)
		if (strcasecmp(types[i].name, name) == 0)
			return types[i].type;
	fprintf(stderr, "dnsdump: type %s?\n", name);
	exit(64);
}

static void
print_record(const struct dns_rr *rr, enum dns_type type)
{
	char text[INET6_ADDRSTRLEN], said[80];

	switch (type) {
	case DNS_A:
		inet_ntop(AF_INET, rr->addr, text, sizeof text);
		printf("\t%s\n", text);
		break;
	case DNS_AAAA:
		inet_ntop(AF_INET6, rr->addr, text, sizeof text);
		printf("\t%s\n", text);
		break;
	case DNS_MX:
		printf("\t%u %s.\n", rr->mx.preference, rr->mx.host);
		break;
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
		printf("\t%s.\n", rr->name);
		break;
	case DNS_TXT:
		printf("\t%zu \"%s\"\n", rr->raw.len,
		    text_printable(said, sizeof said,
			(const char *)rr->raw.data, rr->raw.len));
		break;
	case DNS_SOA:
	case DNS_TLSA:
		printf("\t");
		for (size_t i = 0; i < rr->raw.len; i++)
			printf("%02x", rr->raw.data[i]);
		printf("\n");
		break;
	}
}

static void
print_answer(void *arg, const struct dns_answer *a)
{
	struct ask *ask = arg;

	ask->dump->count[a->status]++;
	if (!ask->dump->quiet) {
		printf("%s %s: %s, %zu records, ttl %u, %u aliases, owner %s.,"
		       " ad=%d aa=%d from %s\n",
		    ask->name, type_name(ask->type), dns_status_text(a->status),
		    a->nrr, a->ttl, a->aliases, a->name, a->is_authentic,
		    a->is_authoritative, a->server);
		for (size_t i = 0; i < a->nrr; i++)
			print_record(&a->rr[i], ask->type);
	}
	free(ask);
}

static int
fail(const char *text)
{
	fprintf(stderr, "dnsdump: %s\n", text);
	return 75;
}

static int
ask(struct dump *dump, const char *name, const char *type, struct err *e)
{
	struct ask *ask = calloc(1, sizeof *ask);

	if (ask == NULL)
		return err_temp(e, "out of memory");
	ask->dump = dump;
	snprintf(ask->name, sizeof ask->name, "%s", name);
	ask->type = type_of(type);
	return dns_ask(dump->dns, ask->name, ask->type, print_answer, ask, e);
}

/* Keep the window full from stdin. */
static int
ask_lines(struct dump *dump, unsigned window, struct err *e)
{
	char line[2048], name[1025], type[16];

	while (fgets(line, sizeof line, stdin) != NULL) {
		if (sscanf(line, "%1024s %15s", name, type) != 2)
			continue;
		if (ask(dump, name, type, e) == -1)
			return -1;
		while (dns_outstanding(dump->dns) >= window)
			if (dns_run(dump->dns, true, e) == -1)
				return -1;
	}
	return 0;
}

static int
run(struct dump *dump, unsigned window, char **args)
{
	struct err e = ERR_INIT;
	long left;

	if (args[0] == NULL && ask_lines(dump, window, &e) == -1)
		return fail(e.text);
	for (; args[0] != NULL && args[1] != NULL; args += 2)
		if (ask(dump, args[0], args[1], &e) == -1)
			return fail(e.text);
	do
		left = dns_run(dump->dns, true, &e);
	while (left > 0);
	if (left == -1)
		return fail(e.text);
	for (int i = 0; dump->quiet && i < STATUS_COUNT; i++)
		if (dump->count[i] > 0)
			printf("%lu %s\n", dump->count[i],
			    dns_status_text((enum dns_status)i));
	return 0;
}

int
main(int argc, char **argv)
{
	const char *servers[SERVERS_MAX];
	struct dns_options o = { .servers = servers };
	struct dump dump = { .quiet = false };
	struct err e = ERR_INIT;
	int c, rc;

	while ((c = getopt(argc, argv, "s:w:d:aq")) != -1)
		switch (c) {
		case 's':
			if (o.nservers < SERVERS_MAX)
				servers[o.nservers++] = optarg;
			break;
		case 'w':
			o.window = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			o.deadline_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'a':
			o.trust_ad = true;
			break;
		case 'q':
			dump.quiet = true;
			break;
		default:
			return 64;
		}
	dump.dns = dns_open(&o, &e);
	if (dump.dns == NULL)
		return fail(e.text);
	rc = run(&dump, o.window > 0 ? o.window : 256, argv + optind);
	dns_close(dump.dns);
	return rc;
}
