#include "bmx-receive/service.h"

#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/become.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/network.h"
#include "bmx-receive/etrn.h"
#include "bmx-receive/listen.h"
#include "bmx-receive/process.h"
#include "bmx-receive/serve.h"

int
service_load(struct service *s, struct err *e)
{
	if (config_load(&s->config, s->config_path, e) == -1 ||
	    become_user(s->config.host.user, e) == -1)
		return -1;
	return process_settle_log(s->config.host.log, s->stderr_is_client, e);
}

void
service_free(struct service *s)
{
	tls_free(s->tls);
	sandbox_forget(&s->sandbox);
	memory_close(&s->memory);
	config_free(&s->config);
	s->tls = NULL;
}

int
service_one(struct service *s, struct err *e)
{
	struct serve_params params = {
		.config = &s->config,
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.told_to_end = s->told_to_end,
		.memory = &s->memory,
	};

	return serve(&params, e) == -1 ? -1 : 0;
}

/* ---- many ---- */

/* A pair that is no good is an alarm; mail in the clear goes on. */
static void
load_tls(struct service *s)
{
	struct err e = ERR_INIT;

	if (s->config.host.tls_certificate.n == 0)
		return;
	s->tls = serve_tls(&s->config, true, &e);
	if (s->tls == NULL)
		log_alarm("STARTTLS is not offered: %s", e.text);
}

static struct listen_limits
limits_of(const struct config_host *host)
{
	struct listen_limits limits = {
		.sessions = host->sessions,
		.per_network = host->sessions_per_network,
		.per_process = host->sessions_per_process,
		.idle_s = host->idle_timeout_s,
		.busy = host->sessions - host->sessions / 5,
	};

	return limits;
}

/* A file that was replaced is out of reach for so long. */
#define SANDBOX_AGE_MS 1000

static void
prepare(void *arg)
{
	struct service *s = arg;
	int64_t now_ms = clock_monotonic_ms();

	if (s->sandbox_ms != 0 && now_ms - s->sandbox_ms < SANDBOX_AGE_MS)
		return;
	sandbox_prepare(&s->sandbox, &s->config);
	s->sandbox_ms = now_ms;
}

/* What a child may have become larger since its first session. */
#define GROWTH_MAX_KIB (16 * 1024)

/* Whether it has, from the first session on. */
static bool
has_grown(struct service *s)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) == -1)
		return true;
	if (s->first_kib == 0)
		s->first_kib = use.ru_maxrss;
	return use.ru_maxrss - s->first_kib > GROWTH_MAX_KIB;
}

static int
session(void *arg, int fd, bool is_busy, bool *is_clean)
{
	struct service *s = arg;
	struct serve_params params = {
		.config = &s->config,
		.in_fd = fd,
		.out_fd = fd,
		.told_to_end = s->told_to_end,
		.tls = s->tls,
		.is_preloaded = true,
		.memory = &s->memory,
		.sandbox = &s->sandbox,
		.is_confined = s->is_confined,
		.is_busy = is_busy,
	};
	struct err e = ERR_INIT;
	int rc = serve(&params, &e);

	s->is_confined = true;
	*is_clean = rc == 1 && !has_grown(s);
	if (rc != -1)
		return EX_OK;
	log_alarm("%s", e.text);
	return err_exit_code(&e);
}

static int
reload(void *arg, struct listen_limits *limits, struct err *e)
{
	struct service *s = arg, fresh = *s;

	fresh.config = (struct config)CONFIG_INIT;
	fresh.sandbox_ms = 0;
	fresh.tls = NULL;
	fresh.sandbox = (struct sandbox_plan)SANDBOX_PLAN_INIT;
	if (service_load(&fresh, e) == -1) {
		service_free(&fresh);
		return -1;
	}
	load_tls(&fresh);
	service_free(s);
	*s = fresh;
	*limits = limits_of(&s->config.host);
	return 0;
}

static bool
is_front(void *arg, const char *address)
{
	const struct config_host *host = &((struct service *)arg)->config.host;

	return network_any_has(host->proxy.word, host->proxy.n, address) ||
	       network_any_has(host->xclient.word, host->xclient.n, address);
}

/* ETRN needs a helper that is made before rights are given up; and who a front
 * end speaks for, and whether that may say ETRN, is known only by then. */
static bool
is_alone(void *arg, const char *address)
{
	const struct config *config = &((struct service *)arg)->config;

	return network_any_has(config->host.proxy.word, config->host.proxy.n,
		   address) ||
	       etrn_is_allowed(config, address);
}

int
service_many(struct service *s, const int *fds, size_t nfds, struct err *e)
{
	const struct listen_ops ops = { prepare, session, reload, is_front,
		is_alone, s->told_to_end, s };

	load_tls(s);
	return listen_serve(fds, nfds, limits_of(&s->config.host), &ops, e);
}
