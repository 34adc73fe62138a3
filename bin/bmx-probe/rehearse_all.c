#include "bmx-probe/rehearse.h"

#include "base/clock.h"
#include "bmx-probe/each.h"
#include "spool/memory.h"

/* Each domain's rehearsal, and what it teaches. */
struct stage {
	struct rehearse_run *run;
	struct dns *dns;
	struct memory memory; /* closed: nothing is kept */
};

/* Whether it takes mail for anybody is good to know while it is down. */
static void
remember(struct stage *s, const char *domain, const struct rehearsal *r)
{
	struct err e = ERR_INIT;

	if (r->is_catchall_known &&
	    memory_set_catchall(&s->memory, domain, r->is_catchall,
		clock_wall_us() / 1000000, &e) == -1)
		fprintf(stderr, "bmx-probe: %s: %s\n", domain, e.text);
}

static int
rehearse(void *arg, const struct config_domain *domain, struct err *e)
{
	struct stage *s = arg;
	struct rehearse_run *run = s->run;
	struct rehearsal r;

	if (rehearse_domain(&run->how, s->dns, domain, &r, e) == -1)
		return -1;
	(run->is_json ? rehearse_print_json : rehearse_print)(run->out,
	    domain->name, &r);
	fflush(run->out);
	remember(s, domain->name, &r);
	run->nrefused += rehearse_worst(&r) == REHEARSE_REFUSE;
	run->nslow += rehearse_worst(&r) == REHEARSE_SLOW;
	return 0;
}

int
rehearse_all(struct rehearse_run *run, struct err *e)
{
	const struct config_host *host = &run->config->host;
	const struct dns_options options = {
		.servers = (const char *const *)host->resolver.word,
		.nservers = host->resolver.n,
		.deadline_ms = run->how.timeout_s * 1000 / 2,
	};
	struct stage s = { .run = run, .memory = MEMORY_INIT };
	struct err trouble = ERR_INIT;
	int rc;

	if (run->is_kept && memory_open(&s.memory, host->state, &trouble) != 0)
		fprintf(stderr, "bmx-probe: %s\n", trouble.text);
	s.dns = dns_open(&options, e);
	rc = s.dns == NULL ? -1
			   : each_domain(run->config, run->names, rehearse, &s,
				 &run->nbad, e);
	if (s.dns != NULL)
		dns_close(s.dns);
	memory_close(&s.memory);
	return rc;
}
