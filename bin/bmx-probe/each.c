#include "bmx-probe/each.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mail/addr.h"

/* NULL: it is none of ours, which is told. */
static const struct config_domain *
find(const struct config *config, const char *name)
{
	const struct config_domain *domain = NULL;
	char folded[ADDR_DOMAIN_MAX + 1], safe[ADDR_DOMAIN_MAX + 1];
	struct err why = ERR_INIT;

	if (addr_fold_domain(name, strlen(name), folded, &why) == 0) {
		domain = config_find(config, folded);
		if (domain == NULL)
			err_data(&why, "not in bmx.conf");
	}
	if (domain == NULL)
		fprintf(stderr, "bmx-probe: %s: %s\n",
		    text_safe(safe, sizeof safe, name), why.text);
	return domain;
}

int
each_domain(const struct config *config, struct names *names,
    int (*step)(void *arg, const struct config_domain *domain, struct err *e),
    void *arg, size_t *nbad, struct err *e)
{
	const char *name;
	int rc;

	*nbad = 0;
	if (names == NULL) {
		for (size_t i = 0; i < config->ndomains; i++)
			if (step(arg, &config->domains[i], e) == -1)
				return -1;
		return 0;
	}
	while ((rc = names_next(names, &name, e)) == 1) {
		const struct config_domain *domain = find(config, name);

		if (domain == NULL)
			++*nbad;
		else if (step(arg, domain, e) == -1)
			return -1;
	}
	return rc;
}
