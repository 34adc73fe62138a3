#include "bmx-probe/past.h"

#include "bmx-probe/each.h"
#include "bmx-probe/sla.h"

static int
read_history(const struct past *p, const char *domain, struct history *h,
    struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc = spool_domain_open(&d, p->spool, domain, false, e);

	if (rc == 1)
		rc = history_read(h, d.fd, p->from_s, p->to_s, e);
	spool_domain_close(&d);
	return rc;
}

static int
report_domain(void *arg, const struct config_domain *domain, struct err *e)
{
	struct history h = HISTORY_INIT;
	struct past *p = arg;
	struct sla sla;
	int rc = read_history(p, domain->name, &h, e);

	if (rc != -1) {
		sla_compute(&sla, &h, p->from_s, p->to_s);
		if (p->is_json)
			sla_print_json(p->out, domain->name, &sla, &h,
			    p->objective);
		else
			sla_print(p->out, domain->name, &sla, p->objective);
		if (p->objective >= 0 && sla.known_s == 0)
			p->nblank++;
		else if (p->objective >= 0 &&
			 sla_budget_left_s(&sla, p->objective) < 0)
			p->nmissed++;
	}
	history_free(&h);
	return rc;
}

int
past_report(struct past *p, struct err *e)
{
	return each_domain(p->config, p->names, report_domain, p, &p->nbad, e);
}
