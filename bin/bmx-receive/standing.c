#include "bmx-receive/standing.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "smtp/learn.h"
#include "spool/paused.h"

/* -1: there is none to be had, which is no reason to stop. */
static int
open_state(const struct spool *spool, const struct config_domain *domain,
    struct spool_domain *dir)
{
	struct err e = ERR_INIT;

	if (spool_domain_open(dir, spool, domain->name, true, &e) == 1)
		return 0;
	log_warn("domain=%s primary: %s", domain->name, e.text);
	spool_domain_close(dir);
	return -1;
}

/* Only to read its files: spool_domain_open() opens three directories more,
 * which each session would pay for several times. -1: nothing is known. */
static int
open_to_read(const struct spool *spool, const struct config_domain *domain)
{
	return openat(spool->fd, domain->name,
	    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void
standing_read(const struct spool *spool, const struct config_domain *domain,
    struct primary *state)
{
	int dir_fd = open_to_read(spool, domain);
	struct err e = ERR_INIT;

	*state = (struct primary)PRIMARY_INIT;
	if (dir_fd == -1)
		return;
	if (primary_read(dir_fd, clock_wall_us() / 1000000, domain->state_age_s,
		state, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
	close(dir_fd);
}

bool
standing_is_paused(const struct spool *spool,
    const struct config_domain *domain)
{
	int rc, dir_fd = open_to_read(spool, domain);
	struct paused paused;
	struct err e = ERR_INIT;

	if (dir_fd == -1)
		return false;
	rc = paused_read(dir_fd, clock_wall_us() / 1000000, &paused, &e);
	if (rc == -1)
		log_alarm("domain=%s paused, since that cannot be read: %s",
		    domain->name, e.text);
	close(dir_fd);
	return rc != 0;
}

static void
learn(const struct spool *spool, const struct config_domain *domain,
    const struct client *client, enum primary_verdict result, const char *why)
{
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct err e = ERR_INIT;

	if (open_state(spool, domain, &dir) == -1)
		return;
	if (learn_primary(dir.fd, domain, result, why, client, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
	spool_domain_close(&dir);
}

void
standing_learn_up(const struct spool *spool, const struct config_domain *domain,
    const struct client *client)
{
	struct primary state;

	standing_read(spool, domain, &state);
	if (!learn_is_known_up(&state, domain, client,
		clock_wall_us() / 1000000))
		learn(spool, domain, client, PRIMARY_UP, "");
}

void
standing_learn_away(const struct spool *spool,
    const struct config_domain *domain, const struct client *client,
    bool is_deferring, const struct err *e)
{
	if (e->sys != EINTR)
		learn(spool, domain, client,
		    is_deferring ? PRIMARY_DEFERRING : PRIMARY_DOWN, e->text);
}
