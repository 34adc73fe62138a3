#include "bmx-queue/readiness.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "bmx-queue/jline.h"
#include "bmx-queue/sibling.h"
#include "spool/paused.h"
#include "spool/primary.h"
#include "spool/recipients.h"

#define DAY_S 86400
#define LIST_AGE_S (7 * DAY_S) /* of a list of recipients */
#define FLUSH_LATE_S 1800      /* cron runs it each minute */
#define SPACE_WARN_DAYS 5      /* senders try for so long, RFC 5321 4.5.4.1 */
#define SPACE_CRIT_DAYS 1
#define SPACE_TELL_DAYS 365.0
#define AHEAD_S 300 /* of the clock */
#define TIMEOUT_S 120

enum level { OK, WARN, CRIT };

static const char *const level_words[] = { "OK", "WARN", "CRIT" };

/* One domain as the checks see it. */
struct subject {
	const char *name;
	const struct config_domain *domain;
	bool is_unreadable; /* its directory, and why */
	struct err why;
	bool is_paused;
	struct paused paused;
	struct primary primary;
	/* of what waits, not held */
	int64_t oldest_new_us; /* 0: nothing is new */
	int64_t newest_us;
	uint64_t day_bytes; /* of the last day */
};

struct run {
	const struct readiness_order *order;
	struct output *o;
	const struct spool *sp;
	enum level worst;
	uint64_t day_bytes;
	int64_t newest_us;
	bool is_full; /* memory ran out for a line */
};

static void tell(struct run *r, enum level level, const char *check,
    const char *domain, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void
tell(struct run *r, enum level level, const char *check, const char *domain,
    const char *fmt, ...)
{
	char text[512], why[512];
	const struct jline_pair row[] = {
		{ "level", level_words[level] },
		{ "check", check },
		{ "domain", domain },
		{ "why", why },
	};
	struct err ignored;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	text_safe(why, sizeof why, text);
	if (level > r->worst)
		r->worst = level;
	if (jline_row(r->o, row, sizeof row / sizeof *row, &ignored) == -1)
		r->is_full = true;
}

static bool
is_skipped(const struct run *r, const char *check)
{
	const char *at = r->order->skip;
	size_t len = strlen(check);

	for (; at != NULL; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, check, len) == 0 &&
		    (at[len] == '\0' || at[len] == ','))
			return true;
	}
	return false;
}

/* A word that is no check is a slip that nobody would see. */
static int
check_skip(const char *skip, struct err *e)
{
	static const char *const known[] = { "config", "recipients", "dns",
		"certificate", "probe", "flush", "space", "clock" };

	while (skip != NULL && *skip != '\0') {
		size_t len = strcspn(skip, ","), i = 0;
		const size_t n = sizeof known / sizeof *known;
		char safe[64];

		while (i < n && (strlen(known[i]) != len ||
				    memcmp(known[i], skip, len) != 0))
			i++;
		if (i == n)
			return err_usage(e,
			    "--skip %s: config, recipients, dns, certificate, "
			    "probe, flush, space or clock",
			    text_printable(safe, sizeof safe, skip, len));
		skip += len;
		skip += *skip == ',';
	}
	return 0;
}

static int64_t
now_s(const struct run *r)
{
	return r->o->now_us / 1000000;
}

/* ---- by other programs ---- */

/* The first line of what it said. */
static const char *
first_line(struct buf *said)
{
	char *lf = memchr(said->data, '\n', said->len);

	if (lf != NULL)
		*lf = '\0';
	return said->len == 0 ? "it says nothing" : said->data;
}

static void
check_config(struct run *r)
{
	const char *const argv[] = { "bmx-receive", "-c", r->order->conf->path,
		"--check-config", NULL };
	struct buf said = BUF_INIT(SIBLING_TEXT_MAX + 4096);
	struct err e;
	int status = sibling_run(SBINDIR, argv, true, TIMEOUT_S, &said, &e);

	if (status == -1)
		tell(r, CRIT, "config", "-", "%s", e.text);
	else if (status != 0)
		tell(r, CRIT, "config", "-", "%s", first_line(&said));
	else
		tell(r, OK, "config", "-",
		    "bmx-receive --check-config is content");
	buf_free(&said);
}

/* bmx-mxcheck's statuses: 0 right, 1 a fault, 3 it could not find out. */
static void
run_mxcheck(struct run *r, const char *check, const char *const argv[],
    const char *domain)
{
	struct buf said = BUF_INIT(SIBLING_TEXT_MAX + 4096);
	struct err e;
	int status = sibling_run(BINDIR, argv, false, TIMEOUT_S, &said, &e);

	if (status == -1)
		tell(r, WARN, check, domain, "%s", e.text);
	else if (status == 0)
		tell(r, OK, check, domain, "bmx-mxcheck finds no fault");
	else
		tell(r, status == 1 ? CRIT : WARN, check, domain, "%s",
		    first_line(&said));
	buf_free(&said);
}

static void
check_dns(struct run *r, const struct subject *d)
{
	const char *const argv[] = { "bmx-mxcheck", "-c", r->order->conf->path,
		"--brief", d->name, NULL };

	run_mxcheck(r, "dns", argv, d->name);
}

static void
check_certificate(struct run *r, const struct subject *d)
{
	const char *const argv[] = { "bmx-mxcheck", "-c", r->order->conf->path,
		"--brief", "--smtp", "--only=CERT", "--fail-on=warning",
		d->name, NULL };

	if (r->order->conf->host.tls_certificate.n == 0)
		tell(r, OK, "certificate", d->name, "no TLS is offered");
	else
		run_mxcheck(r, "certificate", argv, d->name);
}

/* ---- by the files ---- */

/* As bmx-receive does it, for somebody whom few lists have: so all of it is
 * read. Where that fails, all mail of the domain is deferred. */
static int
try_list(const struct subject *d, struct err *e)
{
	char text[ADDR_DOMAIN_MAX + 3];
	struct addr rcpt;

	snprintf(text, sizeof text, "_@%s", d->name);
	if (addr_parse(text, strlen(text), &rcpt, e) == -1)
		return -1;
	return recipients_find(d->domain->recipients, &rcpt, d->name, '\0', e);
}

static void
check_recipients(struct run *r, const struct subject *d)
{
	const char *path = d->domain->recipients;
	struct stat st;
	struct err e;
	char age[16];

	if (path == NULL) {
		tell(r, OK, "recipients", d->name, "no list is configured");
		return;
	}
	if (try_list(d, &e) == -1) {
		tell(r, CRIT, "recipients", d->name, "%s", e.text);
		return;
	}
	if (stat(path, &st) == -1) {
		tell(r, CRIT, "recipients", d->name, "%s: %s", path,
		    strerror(errno));
		return;
	}
	clock_span(age, now_s(r) - st.st_mtime);
	tell(r, now_s(r) - st.st_mtime > LIST_AGE_S ? WARN : OK, "recipients",
	    d->name, "%s is %s old", path, age);
}

static void
check_probe(struct run *r, const struct subject *d)
{
	const struct primary *p = &d->primary;
	char age[16], since[16];

	if (d->is_paused) {
		tell(r, WARN, "probe", d->name, "it is paused%s%s",
		    d->paused.reason[0] == '\0' ? "" : ": ", d->paused.reason);
		return;
	}
	if (p->probed_s == 0) {
		tell(r, CRIT, "probe", d->name,
		    "nobody looked at its primary: does cron run bmx-probe?");
		return;
	}
	clock_span(age, now_s(r) - p->probed_s);
	clock_span(since, now_s(r) - p->since_s);
	if (now_s(r) - p->probed_s > (int64_t)d->domain->state_age_s)
		tell(r, CRIT, "probe", d->name,
		    "nobody looked at its primary for %s: does cron run "
		    "bmx-probe?",
		    age);
	else if (p->verdict != PRIMARY_UP)
		tell(r, WARN, "probe", d->name, "its primary is %s for %s%s%s",
		    primary_verdict_name(p->verdict), since,
		    p->reason[0] == '\0' ? "" : ": ", p->reason);
	else
		tell(r, OK, "probe", d->name, "its primary is up, as of %s ago",
		    age);
}

static void
check_flush(struct run *r, const struct subject *d)
{
	int64_t waits_s = (r->o->now_us - d->oldest_new_us) / 1000000;
	char span[16];

	if (d->is_paused || d->oldest_new_us == 0 ||
	    d->primary.verdict != PRIMARY_UP || waits_s < FLUSH_LATE_S)
		tell(r, OK, "flush", d->name, "nothing waits in vain");
	else
		tell(r, CRIT, "flush", d->name,
		    "mail was not tried for %s though the primary is up: does "
		    "cron run bmx-flush?",
		    clock_span(span, waits_s));
}

static void
check_space(struct run *r)
{
	uint64_t min_free = r->order->conf->host.min_free, room;
	struct statvfs st;
	double days;

	if (fstatvfs(r->sp->fd, &st) == -1) {
		tell(r, CRIT, "space", "-", "%s", strerror(errno));
		return;
	}
	if ((st.f_flag & ST_RDONLY) != 0) {
		tell(r, CRIT, "space", "-",
		    "the file system of the spool is read-only: no mail is "
		    "accepted");
		return;
	}
	room = (uint64_t)st.f_bavail * st.f_frsize;
	if (room <= min_free || (st.f_files > 0 && st.f_favail < 1000)) {
		tell(r, CRIT, "space", "-",
		    "the disk is full: no mail is accepted");
		return;
	}
	if (r->day_bytes == 0) {
		tell(r, OK, "space", "-",
		    "%" PRIu64 " MiB are free; no mail came in the last day to "
		    "tell for how long",
		    (room - min_free) >> 20);
		return;
	}
	days = (double)(room - min_free) / (double)r->day_bytes;
	tell(r,
	    days < SPACE_CRIT_DAYS   ? CRIT
	    : days < SPACE_WARN_DAYS ? WARN
				     : OK,
	    "space", "-", "for %s%.1f days like the last one",
	    days > SPACE_TELL_DAYS ? "more than " : "",
	    days > SPACE_TELL_DAYS ? SPACE_TELL_DAYS : days);
}

static void
check_clock(struct run *r)
{
	struct timex t = { .modes = 0 };

	if (r->newest_us > r->o->now_us + (int64_t)AHEAD_S * 1000000)
		tell(r, CRIT, "clock", "-",
		    "the spool has mail and results from the future: was the "
		    "clock set back?");
	else if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC) != 0)
		tell(r, WARN, "clock", "-",
		    "nothing keeps it right: is an NTP client running?");
	else
		tell(r, OK, "clock", "-", "it is kept right");
}

/* ---- what the spool knows of a domain ---- */

static void
count(struct subject *d, const struct spool_entry *entry, int64_t now_us)
{
	if (entry->arrival_us > d->newest_us)
		d->newest_us = entry->arrival_us;
	if (now_us - entry->arrival_us < (int64_t)DAY_S * 1000000)
		d->day_bytes += entry->size;
	if (entry->is_new && !entry->is_held &&
	    (d->oldest_new_us == 0 || entry->arrival_us < d->oldest_new_us))
		d->oldest_new_us = entry->arrival_us;
}

/* What is missing is made when mail comes. */
static int
check_writable(const struct spool_domain *dir, struct err *e)
{
	static const char *const names[] = { "new", "tmp", "cur" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (faccessat(dir->fd, names[i], W_OK | X_OK, AT_EACCESS) ==
			-1 &&
		    errno != ENOENT)
			return err_sys(e, "write to %s/%s", dir->name,
			    names[i]);
	return 0;
}

/* One without a directory has no mail, no verdict and no pause. */
static int
read_subject(struct subject *d, const struct run *r, struct err *e)
{
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct spool_entry entry;
	struct spool_list l;
	struct err why;
	int rc = spool_domain_open(&dir, r->sp, d->name, false, e);

	if (rc == 1) {
		d->is_paused =
		    paused_read(dir.fd, now_s(r), &d->paused, &why) != 0;
		if (primary_read(dir.fd, now_s(r), 0, &d->primary, &why) == -1)
			d->primary = (struct primary)PRIMARY_INIT;
		d->newest_us = d->primary.probed_s * 1000000;
		rc = spool_list_open(&l, &dir, e);
		if (rc == 0)
			rc = check_writable(&dir, e);
		while (rc != -1 && (rc = spool_list_next(&l, &entry, e)) == 1)
			count(d, &entry, r->o->now_us);
		spool_list_close(&l);
	}
	spool_domain_close(&dir);
	return rc == -1 ? -1 : 0;
}

static void
check_domain(struct run *r, const struct config_domain *domain)
{
	static const struct {
		const char *name;
		void (*check)(struct run *r, const struct subject *d);
		bool is_of_spool;
	} checks[] = {
		{ "recipients", check_recipients, false },
		{ "dns", check_dns, false },
		{ "certificate", check_certificate, false },
		{ "probe", check_probe, true },
		{ "flush", check_flush, true },
	};
	struct subject d = { .name = domain->name, .domain = domain };

	d.is_unreadable = read_subject(&d, r, &d.why) == -1;
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		if (is_skipped(r, checks[i].name))
			continue;
		if (d.is_unreadable && checks[i].is_of_spool)
			tell(r, CRIT, checks[i].name, d.name, "%s", d.why.text);
		else
			checks[i].check(r, &d);
	}
	r->day_bytes += d.day_bytes;
	if (d.newest_us > r->newest_us)
		r->newest_us = d.newest_us;
}

int
readiness(const struct readiness_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct run r = { .order = order, .o = o, .sp = sp };
	const struct config *conf = order->conf;

	if (check_skip(order->skip, e) == -1)
		return -1;
	if (conf->ndomains == 0)
		return err_config(e, "%s has no domain", conf->path);
	if (!is_skipped(&r, "config"))
		check_config(&r);
	for (size_t i = 0; i < conf->ndomains; i++)
		if (s->is_all || select_looks_at(s, conf->domains[i].name))
			check_domain(&r, &conf->domains[i]);
	if (!is_skipped(&r, "space"))
		check_space(&r);
	if (!is_skipped(&r, "clock"))
		check_clock(&r);
	if (r.is_full)
		return err_temp(e, "out of memory");
	if (o->status == 0) /* a name that meant nothing came first */
		o->status = (int)r.worst;
	return 0;
}
