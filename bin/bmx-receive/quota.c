#include "bmx-receive/quota.h"

/* Stops counting where one more would be too many. */
static int
count(const struct config_domain *domain, const struct spool_domain *dir,
    uint64_t size, struct err *e)
{
	uint64_t max = domain->max_bytes, bytes = size;
	uint64_t messages = 1;
	struct spool_entry entry = { .size = 0 };
	struct spool_list list;
	int rc;

	if (spool_list_open(&list, dir, e) == -1)
		return -1;
	do {
		if ((domain->max_messages != 0 &&
			messages > domain->max_messages) ||
		    (max != 0 && bytes > max)) {
			spool_list_close(&list);
			return 0;
		}
		rc = spool_list_next(&list, &entry, e);
		messages += rc == 1;
		if (rc == 1)
			bytes +=
			    entry.size < UINT64_MAX - bytes ? entry.size : 0;
	} while (rc == 1);
	spool_list_close(&list);
	return rc == -1 ? -1 : 1;
}

int
quota_allows(const struct config_domain *domain, const struct spool *spool,
    uint64_t size, struct err *e)
{
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	int rc;

	if (domain->max_messages == 0 && domain->max_bytes == 0)
		return 1;
	rc = spool_domain_open(&dir, spool, domain->name, false, e);
	if (rc == 0) /* nothing ever waited */
		return domain->max_bytes == 0 || size <= domain->max_bytes;
	if (rc == 1)
		rc = count(domain, &dir, size, e);
	spool_domain_close(&dir);
	return rc;
}
