#include "net/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/*
 * ---- Landlock: system calls without a C library's names ----
 * Version 2 is the first that lets a file be linked into another directory,
 * as the spool does.
 */

#define LANDLOCK_MIN 2
#define RIGHT_TRUNCATE (1ULL << 14) /* version 3; headers may not have it */

#define READ_FILE LANDLOCK_ACCESS_FS_READ_FILE
#define READ_RIGHTS (READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* Who moves aside a link, FIFO or socket that somebody left in the spool needs
 * the right to make one. */
#define ODD_RIGHTS                                                             \
	(LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_FIFO |          \
	    LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define SPOOL_RIGHTS                                                           \
	(READ_RIGHTS | LANDLOCK_ACCESS_FS_WRITE_FILE |                         \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |        \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |   \
	    LANDLOCK_ACCESS_FS_REFER | RIGHT_TRUNCATE | ODD_RIGHTS)
#define FILE_RIGHTS (READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | RIGHT_TRUNCATE)

/* What the C library, the resolver and TLS read, and a leak detector, which
 * looks at this process. */
static const struct {
	const char *path;
	uint64_t rights;
} system_places[] = {
	{ "/proc/self", READ_RIGHTS },
	{ "/usr", READ_RIGHTS },
	{ "/lib", READ_RIGHTS },
	{ "/lib64", READ_RIGHTS },
	{ "/etc/ld.so.cache", READ_FILE },
	{ "/etc/localtime", READ_FILE },
	{ "/etc/resolv.conf", READ_FILE },
	{ "/etc/hosts", READ_FILE },
	{ "/etc/host.conf", READ_FILE },
	{ "/etc/gai.conf", READ_FILE },
	{ "/etc/nsswitch.conf", READ_FILE },
	{ "/etc/gnutls", READ_RIGHTS },
	{ "/etc/ssl", READ_RIGHTS }, /* the system's roots */
	{ "/etc/crypto-policies", READ_RIGHTS },
	{ "/dev/urandom", READ_FILE },
	{ "/dev/null", FILE_RIGHTS },
};

struct rules {
	int fd;
	uint64_t handled; /* rights that this kernel can take away */
	bool failed;
};

/* All that is not listed here goes. */
static uint64_t
handled_rights(int version)
{
	uint64_t rights = (LANDLOCK_ACCESS_FS_REFER << 1) - 1;

	return version >= 3 ? rights | RIGHT_TRUNCATE : rights;
}

static int
add_rule(const struct rules *r, int fd, uint64_t rights)
{
	struct landlock_path_beneath_attr rule = {
		.parent_fd = fd,
		.allowed_access = rights & r->handled,
	};

	return (int)syscall(SYS_landlock_add_rule, r->fd,
	    LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

/* Allow rights on path and below. A file that is not there needs none; one that
 * is no directory cannot have the rights of one: EINVAL. */
static void
allow(struct rules *r, const char *path, uint64_t rights)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd == -1)
		return;
	if (add_rule(r, fd, rights) == -1 &&
	    (errno != EINVAL || add_rule(r, fd, rights & FILE_RIGHTS) == -1)) {
		log_alarm("landlock: %s: %s", path, strerror(errno));
		r->failed = true;
	}
	close(fd);
}

/* The directory a file is in: the file may be replaced by rename(2). */
static void
allow_directory_of(struct rules *r, const char *path, uint64_t rights)
{
	const char *slash = strrchr(path, '/');
	char *directory;

	directory = slash == NULL ? strdup(".")
				  : strndup(path, (size_t)(slash - path + 1));
	if (directory != NULL)
		allow(r, directory, rights);
	free(directory);
}

static void
allow_lists(struct rules *r, const struct config *config)
{
	const char *last = "";

	for (size_t i = 0; i < config->ndomains; i++) {
		const char *list = config->domains[i].recipients;

		if (list == NULL || strcmp(list, last) == 0)
			continue;
		allow_directory_of(r, list, READ_RIGHTS);
		last = list;
	}
}

static void
allow_if_any(struct rules *r, const char *path)
{
	if (path != NULL)
		allow(r, path, READ_RIGHTS);
}

static void
allow_configured(struct rules *r, const struct config *config)
{
	const struct config_host *host = &config->host;
	const char *module = secure_getenv("BMX_TLS_MODULE");

	allow(r, host->spool, SPOOL_RIGHTS);
	/* a damaged recipient memory is a directory that gets another name */
	allow(r, host->state, SPOOL_RIGHTS);
	allow_lists(r, config);
	for (size_t i = 0; i < host->tls_key.n; i++) {
		allow(r, host->tls_certificate.word[i], READ_FILE);
		allow(r, host->tls_key.word[i], READ_FILE);
	}
	allow_if_any(r, host->tls_client_ca);
	allow_if_any(r, host->tls_client_certificate);
	allow_if_any(r, host->tls_client_key);
	for (size_t i = 0; i < config->ndomains; i++)
		allow_if_any(r, config->domains[i].tls_ca);
	if (host->tls_ticket_key != NULL)
		allow_directory_of(r, host->tls_ticket_key, SPOOL_RIGHTS);
	if (module != NULL)
		allow_directory_of(r, module, READ_RIGHTS);
	else
		allow(r, PKGLIBDIR, READ_RIGHTS);
}

static void
prepare_files(struct sandbox_plan *plan, const struct config *config,
    const char *written)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = 0 };
	struct rules r = { .fd = -1, .failed = false };
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	if (version < LANDLOCK_MIN)
		return;
	attr.handled_access_fs = r.handled = handled_rights((int)version);
	r.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (r.fd == -1) {
		log_alarm("landlock: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < sizeof system_places / sizeof *system_places;
	     i++)
		allow(&r, system_places[i].path, system_places[i].rights);
	allow_configured(&r, config);
	if (written != NULL)
		allow_directory_of(&r, written, SPOOL_RIGHTS);
	if (r.failed) {
		close(r.fd);
		return;
	}
	plan->ruleset_fd = r.fd;
	plan->landlock = (int)version;
}

static bool
restrict_files(const struct sandbox_plan *plan)
{
	if (plan->ruleset_fd == -1)
		return false;
	if (syscall(SYS_landlock_restrict_self, plan->ruleset_fd, 0) == 0)
		return true;
	log_alarm("landlock: %s", strerror(errno));
	return false;
}

/* ---- seccomp ---- */

static bool
filter_calls(const struct sandbox_plan *plan)
{
	struct sock_fprog program = {
		.len = (unsigned short)plan->nfilter,
		.filter = (struct sock_filter *)plan->filter, /* only read */
	};

	if (plan->nfilter == 0)
		return false;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return true;
	log_alarm("seccomp: %s", strerror(errno));
	return false;
}

/* ---- all of it ---- */

void
sandbox_forget(struct sandbox_plan *plan)
{
	if (plan->ruleset_fd != -1)
		close(plan->ruleset_fd);
	plan->ruleset_fd = -1;
	plan->landlock = 0;
}

void
sandbox_prepare(struct sandbox_plan *plan, const struct config *config)
{
	sandbox_forget(plan);
	prepare_files(plan, config, NULL);
	if (plan->nfilter == 0)
		sandbox_prepare_filter(plan);
}

void
sandbox_enter(const struct sandbox_plan *plan, struct sandbox *s)
{
	*s = (struct sandbox){ false, 0, false };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		log_alarm("no_new_privs: %s", strerror(errno));
		return; /* the others need it */
	}
	s->no_new_privs = true;
	s->landlock = restrict_files(plan) ? plan->landlock : 0;
	s->seccomp = filter_calls(plan);
}

void
sandbox_confine(const struct config *config, const char *written,
    struct sandbox *s)
{
	struct sandbox_plan plan = SANDBOX_PLAN_INIT;

	prepare_files(&plan, config, written);
	sandbox_prepare_filter(&plan);
	sandbox_enter(&plan, s);
	sandbox_forget(&plan);
}

void
sandbox_confine_calls(struct sandbox *s)
{
	struct sandbox_plan plan = SANDBOX_PLAN_INIT;

	sandbox_prepare_filter(&plan);
	sandbox_enter(&plan, s);
}
