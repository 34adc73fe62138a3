#include "bmx-receive/offers.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"

#define MIRRORED                                                               \
	(SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN |                \
	    SMTP_EXT_REQUIRETLS)

static bool
is_known(const struct primary *seen, int64_t now_s)
{
	int64_t age_s = now_s - seen->good_s;

	return seen->good_s > 0 && age_s <= OFFERS_AGE_S &&
	       age_s >= -OFFERS_AGE_S;
}

/* Bytes of content that still fit when our field stands in front. */
static uint64_t
size_left(uint64_t size_max)
{
	return size_max > OFFERS_FIELD_MAX ? size_max - OFFERS_FIELD_MAX : 1;
}

void
offers_narrow(struct session_params *p, const struct primary *seen,
    int64_t now_s)
{
	const struct smtp_offer *theirs =
	    seen->secured.exts != 0 ? &seen->secured : &seen->plain;
	uint64_t size;

	if (!is_known(seen, now_s)) {
		p->exts &= ~(unsigned)SMTP_EXT_REQUIRETLS;
		return;
	}
	p->exts &= theirs->exts | ~(unsigned)MIRRORED;
	if (!seen->is_authenticated)
		p->exts &= ~(unsigned)SMTP_EXT_REQUIRETLS;
	if (theirs->size_max == 0) /* RFC 1870 section 4: no limit named */
		return;
	size = size_left(theirs->size_max);
	if (p->max_size == 0 || size < p->max_size)
		p->max_size = size;
}

/* Not by spool_domain_open(), which opens five directories: a host may have
 * a thousand domains, and this is for each session. A damaged state file says
 * nothing; who writes it next complains. */
static void
narrow_to_domain(struct session_params *p, const struct config_domain *domain,
    const struct spool *spool, int64_t now_s)
{
	int dir_fd = openat(spool->fd, domain->name,
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct primary seen = PRIMARY_INIT;
	struct err e = ERR_INIT;

	if (dir_fd != -1) {
		primary_read(dir_fd, now_s, 0, &seen, &e);
		close(dir_fd);
	}
	offers_narrow(p, &seen, now_s);
}

void
offers_mirror(struct session_params *p, const struct config *config,
    const struct spool *spool)
{
	int64_t now_s = clock_wall_us() / 1000000;

	for (size_t i = 0; i < config->ndomains; i++)
		narrow_to_domain(p, &config->domains[i], spool, now_s);
}
