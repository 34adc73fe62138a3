#include "smtp/learn.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

static void
take_session(struct primary *state, const struct client *c)
{
	snprintf(state->address, sizeof state->address, "%s", c->peer);
	state->plain = c->plain;
	state->secured = (struct smtp_offer){ 0 };
	if (conn_tls_text(c->conn)[0] != '\0')
		state->secured = c->offer;
}

int
learn_primary(int domain_fd, const struct config_domain *domain,
    enum primary_verdict result, const char *reason, const struct client *c,
    struct err *e)
{
	struct primary state = PRIMARY_INIT;
	int64_t now_s = clock_wall_us() / 1000000;
	struct err damage = ERR_INIT;

	if (primary_read(domain_fd, now_s, 0, &state, &damage) == -1)
		log_warn("domain=%s primary: %s: begun anew", domain->name,
		    damage.text);
	if (primary_learn(&state, result, reason, domain->rise, domain->fall,
		now_s))
		log_info("domain=%s primary=%s reason=\"%s\"", domain->name,
		    primary_verdict_name(state.verdict), state.reason);
	if (result == PRIMARY_UP)
		take_session(&state, c);
	return primary_write(domain_fd, &state, e);
}

bool
learn_is_known_up(const struct primary *p, const struct config_domain *domain,
    int64_t now_s)
{
	int64_t age_s = now_s - p->probed_s;

	return p->verdict == PRIMARY_UP && p->last == PRIMARY_UP &&
	       age_s >= 0 && age_s <= domain->state_age_s / 2;
}
