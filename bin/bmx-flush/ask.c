#include "bmx-flush/ask.h"

#include <string.h>

#include "mail/addr.h"
#include "smtp/client.h"
#include "smtp/client_etrn.h"
#include "smtp/route.h"

#define CONNECT_TIMEOUT_S 30
#define REPLY_TIMEOUT_S 60

/* A session with the first of its addresses that gives one. */
static int
open_session(struct client *c, const struct client_params *params,
    const struct route *route, struct err *e)
{
	if (route->status != ROUTE_OK)
		return err_temp(e, "%s", route->why);
	for (size_t i = 0; i < route->naddrs; i++) {
		const struct route_addr *a = &route->addrs[i];

		const struct client_tls tls = { .level = CONFIG_TLS_MAY,
			.name = a->host };

		*c = (struct client)CLIENT_INIT;
		if (client_open(c, params, &a->ep, &tls, e) == 0)
			return 0;
		client_abort(c);
	}
	return -1;
}

/* Ask in a session. */
static int
ask(struct client *c, const char *domain, FILE *out, struct err *e)
{
	const struct smtp_reply *reply = &c->reply;

	if (client_etrn(c, domain, e) == -1)
		return -1;
	fprintf(out, "%d%s%s %s\n", reply->code,
	    *reply->enhanced == '\0' ? "" : " ", reply->enhanced, reply->text);
	if (smtp_reply_ok(reply))
		return 0;
	return smtp_reply_permanent(reply)
		   ? err_perm(e, "%s refused", c->peer)
		   : err_temp(e, "%s does not want to now", c->peer);
}

int
ask_for_mail(struct dns *dns, const char *hostname, const char *backup,
    const char *domain, FILE *out, struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1], host[ADDR_DOMAIN_MAX + 16];
	struct config_list no_names = { .n = 0 };
	struct config_domain target = { .name = folded,
		.primary = { .word = { host }, .n = 1 } };
	const struct route_self self = { hostname, &no_names };
	const struct client_params params = { .helo = hostname,
		.connect_timeout_s = CONNECT_TIMEOUT_S,
		.reply_timeout_s = REPLY_TIMEOUT_S };
	struct client client = CLIENT_INIT;
	struct route route = ROUTE_INIT;
	int rc = -1;

	if (addr_fold_domain(domain, strlen(domain), folded, e) == -1)
		return -1;
	if (snprintf(host, sizeof host, "%s", backup) >= (int)sizeof host)
		return err_data(e, "the name of the backup is too long");
	if (route_find(&route, dns, &target, &self, e) == -1)
		goto out;
	if (open_session(&client, &params, &route, e) == -1)
		goto out;
	rc = ask(&client, folded, out, e);
	client_quit(&client);
out:
	route_free(&route);
	return rc;
}
