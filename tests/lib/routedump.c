/*
 * What route.c makes of a domain, for tests:
 *
 *	routedump [-n TIMES] [-d DEADLINE_MS] RESOLVER HOSTNAME SELF DOMAIN
 *	    [PRIMARY...]
 *
 * SELF: further names and addresses, blanks between them. Prints the status'
 * name, its code and why, then "PREFERENCE HOST ADDRESS:PORT" lines, with the
 * name that DNSSEC vouches for behind them. -n: find it so many times with one
 * engine, and print only a line of addresses each.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smtp/route.h"

static const char *const names[] = {
	[ROUTE_OK] = "OK",
	[ROUTE_DNS_TROUBLE] = "DNS_TROUBLE",
	[ROUTE_NO_DOMAIN] = "NO_DOMAIN",
	[ROUTE_NULL_MX] = "NULL_MX",
	[ROUTE_WE_ARE_BEST] = "WE_ARE_BEST",
	[ROUTE_NOT_LISTED] = "NOT_LISTED",
	[ROUTE_NO_ADDRESS] = "NO_ADDRESS",
};

static void
split(struct config_list *list, char *words)
{
	char *save = NULL;

	list->n = 0;
	for (char *w = strtok_r(words, " ", &save);
	     w != NULL && list->n < CONFIG_LIST_MAX;
	     w = strtok_r(NULL, " ", &save))
		list->word[list->n++] = w;
}

static void
print_route(const struct route *r)
{
	char text[ENDPOINT_TEXT_MAX];

	printf("%s %s %s\n", names[r->status], route_status_code(r->status),
	    r->why);
	for (size_t i = 0; i < r->naddrs; i++)
		printf("%u %s %s%s%s\n", r->addrs[i].preference,
		    r->addrs[i].host, endpoint_text(&r->addrs[i].ep, text),
		    r->addrs[i].secure_name != NULL ? " secure=" : "",
		    r->addrs[i].secure_name != NULL ? r->addrs[i].secure_name
						    : "");
}

static void
print_order(const struct route *r)
{
	char text[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < r->naddrs; i++)
		printf("%s%s", i > 0 ? " " : "",
		    endpoint_host(&r->addrs[i].ep, text));
	printf("\n");
}

static int
fail(const struct err *e)
{
	fprintf(stderr, "routedump: %s\n", e->text);
	return err_exit_code(e);
}

int
main(int argc, char **argv)
{
	struct dns_options o = { .nservers = 1 };
	struct config_domain domain = { .name = NULL };
	struct config_list self_names;
	struct route_self self = { .names = &self_names };
	struct route r = ROUTE_INIT;
	struct err e = ERR_INIT;
	struct dns *dns;
	int c, times = 0, rc = 0;

	while ((c = getopt(argc, argv, "n:d:")) != -1)
		switch (c) {
		case 'n':
			times = atoi(optarg);
			break;
		case 'd':
			o.deadline_ms = (unsigned)atoi(optarg);
			break;
		default:
			return 64;
		}
	argv += optind;
	if (argc - optind < 4 || argc - optind - 4 > CONFIG_LIST_MAX)
		return 64;
	o.servers = (const char *const *)argv;
	self.hostname = argv[1];
	split(&self_names, argv[2]);
	domain.name = argv[3];
	for (argv += 4; *argv != NULL; argv++)
		domain.primary.word[domain.primary.n++] = *argv;

	dns = dns_open(&o, &e);
	if (dns == NULL)
		return fail(&e);
	for (int i = 0; rc == 0 && i < (times > 0 ? times : 1); i++) {
		rc = route_find(&r, dns, &domain, &self, &e);
		if (rc == 0 && times > 0)
			print_order(&r);
		else if (rc == 0)
			print_route(&r);
	}
	route_free(&r);
	dns_close(dns);
	return rc == 0 ? 0 : fail(&e);
}
