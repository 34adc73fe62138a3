/*
 * Notices to senders in the spool (D37, D39): who gets one, what becomes of
 * the message, and that a notice appears once, whatever fails and whenever we
 * are killed.
 *
 * The linker hands the system calls that change the disk to the __wrap_
 * functions below, which fail, or end the process at, the one they are told.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/bounce.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- system calls: one fails ---- */

#define KILL (-1)

static struct {
	int calls, fail_call; /* 0: none */
	int error;            /* errno, or KILL */
	bool failed;
} sys;

static bool
fails(void)
{
	if (++sys.calls != sys.fail_call)
		return false;
	if (sys.error == KILL)
		_exit(0);
	sys.failed = true;
	errno = sys.error;
	return true;
}

/* One call in the place of another that changes the disk. */
#define WRAP(type, name, params, args)                                         \
	type __real_##name params;                                             \
	type __wrap_##name params;                                             \
	type __wrap_##name params                                              \
	{                                                                      \
		return fails() ? -1 : __real_##name args;                      \
	}

/* clang-format off */
WRAP(ssize_t, pwrite64, (int fd, const void *data, size_t n, off_t at),
    (fd, data, n, at))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, mkdirat, (int fd, const char *name, mode_t mode), (fd, name, mode))
WRAP(int, linkat, (int from_fd, const char *from, int fd, const char *name,
    int flags), (from_fd, from, fd, name, flags))
WRAP(int, renameat, (int from_fd, const char *from, int fd, const char *name),
    (from_fd, from, fd, name))
WRAP(int, renameat2, (int from_fd, const char *from, int fd, const char *name,
    unsigned flags), (from_fd, from, fd, name, flags))
WRAP(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
/* clang-format on */

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	/* cmocka talks */
	return fd > STDERR_FILENO && fails() ? -1 : __real_write(fd, data, len);
}

/* ---- a spool of our own ---- */

struct world {
	char path[64];
	struct spool sp;
	struct spool_domain d; /* example.com */
	struct config config;
	struct bounce b;
	struct err e;
};

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
setup(void **state)
{
	static char hostname[] = "backup.example.net";
	struct world *w = calloc(1, sizeof *w);

	if (w == NULL)
		return -1;
	memset(&sys, 0, sizeof sys);
	snprintf(w->path, sizeof w->path, "/tmp/bmx-bounce.XXXXXX");
	if (mkdtemp(w->path) == NULL)
		return -1;
	*state = w;
	w->config.host.hostname = hostname;
	w->b = (struct bounce){ &w->sp, &w->config, &w->d };
	if (spool_open(&w->sp, w->path, &w->e) == -1 ||
	    spool_domain_open(&w->d, &w->sp, "example.com", true, &w->e) != 1)
		return -1;
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	memset(&sys, 0, sizeof sys);
	spool_domain_close(&w->d);
	spool_close(&w->sp);
	nftw(w->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* The recipients are a@, b@, ... of example.com: a letter of the state and one
 * of NOTIFY each: '-' absent, 'n' NEVER, 'f' FAILURE, 'd' DELAY, 's' SUCCESS,
 * 'a' all three. */
static unsigned
notify_of(char letter)
{
	switch (letter) {
	case 'n':
		return SMTP_NOTIFY_NEVER;
	case 'f':
		return SMTP_NOTIFY_FAILURE;
	case 'd':
		return SMTP_NOTIFY_DELAY;
	case 's':
		return SMTP_NOTIFY_SUCCESS;
	case 'a':
		return SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY |
		       SMTP_NOTIFY_SUCCESS;
	default:
		return SMTP_NOTIFY_NONE;
	}
}

static void
fill(struct envelope *env, const char *from, const char *rcpts)
{
	struct err e = ERR_INIT;
	char address[] = "?@example.com";

	env->arrival_us = 1795489874123456;
	if (from[0] != '\0' &&
	    addr_parse(from, strlen(from), &env->mail.reverse_path, &e) == -1)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < strlen(rcpts) / 2; i++) {
		struct smtp_rcpt r = { .notify = notify_of(rcpts[2 * i + 1]) };

		address[0] = (char)('a' + i);
		assert_int_equal(addr_parse(address, strlen(address),
				     &r.forward_path, &e),
		    0);
		assert_int_equal(envelope_add(env, &r, &e), 0);
		env->rcpts[i].state = (enum rcpt_state)rcpts[2 * i];
	}
}

static void
put(struct world *w, const char *from, const char *rcpts,
    struct spool_entry *entry)
{
	static const char content[] = "Received: x\r\nSubject: test\r\n\r\n"
				      "body\r\n";
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
	struct envelope env = ENVELOPE_INIT;
	struct buf head = BUF_INIT(ENVELOPE_MAX);
	char id[SPOOL_ID_LEN + 1];

	fill(&env, from, rcpts);
	if (spool_new_id(id, env.arrival_us, &w->e) == -1 ||
	    spool_begin(&m, &w->d, id, (unsigned)env.nrcpt, &w->e) == -1 ||
	    envelope_format(&env, NULL, &head, &w->e) == -1 ||
	    spool_write(&m, head.data, head.len, &w->e) == -1 ||
	    spool_write(&m, content, sizeof content - 1, &w->e) == -1 ||
	    spool_commit(msgs, 1, &w->e) == -1)
		fail_msg("%s", w->e.text);
	assert_true(spool_parse_name(entry, m.name, true));
	buf_free(&head);
	envelope_reset(&env);
}

/* What bounce_message() says of that message. */
static int
bounce(struct world *w, const struct bounce_order *order, const char *id,
    struct bounce_result *r)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct spool_entry entry;
	int rc;

	assert_int_equal(spool_find(&w->d, id, &entry, &w->e), 1);
	assert_int_equal(spool_file_open(&f, &w->d, &entry, true, &w->e), 1);
	rc = bounce_message(&w->b, order, &entry, &f, r, &w->e);
	spool_file_close(&f);
	return rc;
}

/* Its recipients' states, "" when it is gone, with ":flags" where any are. */
static void
states_of(struct world *w, const char *id, char out[32])
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct spool_entry entry;
	size_t n = 0;

	out[0] = '\0';
	if (spool_find(&w->d, id, &entry, &w->e) == 0)
		return;
	assert_int_equal(spool_file_open(&f, &w->d, &entry, false, &w->e), 1);
	for (; n < f.env.nrcpt; n++)
		out[n] = (char)f.env.rcpts[n].state;
	snprintf(out + n, 32 - n, "%s", entry.is_told ? ":W" : "");
	spool_file_close(&f);
}

/* Messages in a domain's Maildir, -1: it has none. */
static int
count_mail(struct world *w, const char *domain, struct spool_entry *last)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct spool_entry entry;
	struct spool_list list;
	int n = 0;

	if (spool_domain_open(&d, &w->sp, domain, false, &w->e) != 1)
		return -1;
	assert_int_equal(spool_list_open(&list, &d, &w->e), 0);
	while (spool_list_next(&list, &entry, &w->e) == 1) {
		n++;
		if (last != NULL)
			*last = entry;
	}
	assert_int_equal(list.foreign, 0);
	spool_list_close(&list);
	spool_domain_close(&d);
	return n;
}

/* The whole notice that waits for example.org, as text. */
static void
read_notice(struct world *w, struct buf *b)
{
	struct spool_entry entry;
	char path[200];

	assert_int_equal(count_mail(w, "example.org", &entry), 1);
	snprintf(path, sizeof path, "example.org/new/%s", entry.name);
	assert_int_equal(file_read(w->sp.fd, path, b, &w->e), 1);
}

static int
recover_all(struct world *w)
{
	char about[SPOOL_ID_LEN + 1], name[SPOOL_PREPARED_MAX];
	struct spool_prepared list;
	struct bounce_result r;
	int n = 0;

	assert_int_equal(spool_prepared_open(&list, &w->d, &w->e), 0);
	while (spool_prepared_next(&list, name, &w->e) == 1)
		n += bounce_recover(&w->b, name, about, &r, &w->e) == 1;
	spool_prepared_close(&list);
	return n;
}

/* ---- who is told, and what becomes of the message ---- */

/* why NULL: there is a notice. after "": the message is gone. */
static const struct {
	const char *from;
	enum dsn_action action;
	unsigned next_exts;
	const char *rcpts, *why, *after;
} rows[] = {
	{ "x@example.org", DSN_FAILED, 0, "F-", NULL, "" },
	{ "x@example.org", DSN_FAILED, 0, "FfD-B-", NULL, "" },
	{ "x@example.org", DSN_FAILED, 0, "FaP-", NULL, "BP" },
	{ "x@example.org", DSN_FAILED, 0, "F-X-", NULL, "BX" },
	{ "x@example.org", DSN_FAILED, 0, "F-U-", NULL, "BU" },
	/* D37: never for the null reverse-path */
	{ "", DSN_FAILED, 0, "F-", "the null reverse-path", "" },
	{ "", DSN_FAILED, 0, "FaP-", "the null reverse-path", "BP" },
	/* D39: NOTIFY */
	{ "x@example.org", DSN_FAILED, 0, "Fn", "NOTIFY does not want one",
	    "" },
	{ "x@example.org", DSN_FAILED, 0, "FdFs", "NOTIFY does not want one",
	    "" },
	{ "x@example.org", DSN_FAILED, 0, "FnF-P-", NULL, "BBP" },
	/* where no mail can go */
	{ "x@[192.0.2.1]", DSN_FAILED, 0, "F-", "the sender has no domain",
	    "" },
	{ "x@ledger", DSN_FAILED, 0, "F-", "the sender has no domain", "" },
	/* those that wait; nobody knows whether U is anybody */
	{ "x@example.org", DSN_DELAYED, 0, "Pd", NULL, "P:W" },
	{ "x@example.org", DSN_DELAYED, 0, "PaDaFaUa", NULL, "PDFU:W" },
	{ "x@example.org", DSN_DELAYED, 0, "P-", NULL, "P:W" },
	{ "x@example.org", DSN_DELAYED, 0, "PnPfPs", "NOTIFY does not want one",
	    "PPP:W" },
	{ "x@example.org", DSN_DELAYED, 0, "Ud", "NOTIFY does not want one",
	    "U:W" },
	/* the first two are taken */
	{ "x@example.org", DSN_RELAYED, 0, "PsP-Ps", NULL, "DDP" },
	{ "x@example.org", DSN_RELAYED, 0, "PsPf", NULL, "" },
	{ "x@example.org", DSN_RELAYED, SMTP_EXT_DSN, "PsPs",
	    "NOTIFY does not want one", "" },
};

static const bool first_two[ENVELOPE_RCPT_MAX] = { true, true };
static const struct smtp_reply ok_reply = { 250, "2.0.0", "queued", 1 };

static struct bounce_order
order_of(enum dsn_action action, unsigned next_exts)
{
	return (struct bounce_order){ .action = action,
		.is_taken = first_two,
		.reply = &ok_reply,
		.peer = "192.0.2.9:25",
		.next_exts = next_exts };
}

static void
each_kind_settles_its_recipients(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bounce_order order =
		    order_of(rows[i].action, rows[i].next_exts);
		int before = count_mail(w, "example.org", NULL), there;
		struct spool_entry entry;
		struct bounce_result r;
		char states[32];

		put(w, rows[i].from, rows[i].rcpts, &entry);
		assert_int_equal(bounce(w, &order, entry.id, &r), 0);
		states_of(w, entry.id, states);
		assert_string_equal(states, rows[i].after);
		assert_int_equal(r.is_removed, rows[i].after[0] == '\0');
		there = count_mail(w, "example.org", NULL);
		if (rows[i].why == NULL) {
			assert_null(r.why);
			assert_int_equal(strlen(r.id), SPOOL_ID_LEN);
			assert_int_equal(there, before == -1 ? 1 : before + 1);
		} else {
			assert_string_equal(r.why, rows[i].why);
			assert_string_equal(r.id, "");
			assert_int_equal(there, before);
		}
		assert_int_equal(recover_all(w), 0);
	}
}

static void
a_notice_says_what_it_is(void **state)
{
	struct bounce_order order = order_of(DSN_FAILED, 0);
	struct buf b = BUF_INIT(1 << 20);
	struct world *w = *state;
	struct spool_entry entry;
	struct bounce_result r;
	char about[64];

	put(w, "x@example.org", "F-Fn", &entry);
	spool_note(&w->d, entry.id,
	    "to=<a@example.com> refused peer=192.0.2.7:25 "
	    "reply=\"550 5.1.1 no such user\"");
	assert_int_equal(bounce(w, &order, entry.id, &r), 0);
	read_notice(w, &b);
	snprintf(about, sizeof about, "\r\nBmx-Notice: failed %s BB\r\n",
	    entry.id);
	assert_non_null(strstr(b.data, about));
	assert_non_null(strstr(b.data, "\r\nBmx-From: <>\r\n"));
	assert_non_null(strstr(b.data, "\r\nBmx-To: P <x@example.org>"));
	assert_non_null(strstr(b.data,
	    "\r\nFinal-Recipient: rfc822; a@example.com\r\n"));
	assert_non_null(strstr(b.data, "\r\nRemote-MTA: dns; [192.0.2.7]\r\n"));
	assert_non_null(strstr(b.data, "\r\nStatus: 5.1.1\r\n"));
	assert_null(strstr(b.data, "b@example.com"));
	buf_free(&b);
}

/* RFC 5322 3.6.4: two notices about one message are two messages. */
static void
two_notices_have_two_ids(void **state)
{
	struct bounce_order order = order_of(DSN_FAILED, 0);
	struct buf b[2] = { BUF_INIT(1 << 20), BUF_INIT(1 << 20) };
	struct world *w = *state;
	struct spool_file f = SPOOL_FILE_INIT;
	const char *id[2];
	struct spool_entry entry, notice;
	struct bounce_result r;

	put(w, "x@example.org", "F-P-", &entry);
	for (size_t i = 0; i < 2; i++) {
		struct spool_domain d = SPOOL_DOMAIN_INIT;

		assert_int_equal(bounce(w, &order, entry.id, &r), 0);
		read_notice(w, &b[i]);
		id[i] = strstr(b[i].data, "\r\nMessage-ID: ");
		assert_non_null(id[i]);
		assert_int_equal(count_mail(w, "example.org", &notice), 1);
		assert_int_equal(spool_domain_open(&d, &w->sp, "example.org",
				     false, &w->e),
		    1);
		assert_int_equal(spool_remove(&d, &notice, &w->e), 1);
		spool_domain_close(&d);
		if (i == 1)
			break;
		assert_int_equal(spool_file_open(&f, &w->d, &entry, true,
				     &w->e),
		    1);
		assert_int_equal(spool_file_mark(&f, 1, RCPT_FAILED, &w->e), 0);
		spool_file_close(&f);
	}
	assert_int_not_equal(strncmp(id[0], id[1],
				 strcspn(id[0] + 2, "\r") + 2),
	    0);
	buf_free(&b[0]);
	buf_free(&b[1]);
}

/* ---- once, whatever happens ---- */

static const struct {
	enum dsn_action action;
	const char *rcpts, *after;
} once[] = {
	{ DSN_FAILED, "F-", "" },
	{ DSN_FAILED, "F-P-Fn", "BPB" },
	{ DSN_DELAYED, "Pd", "P:W" },
	{ DSN_RELAYED, "PsPs", "" },
	{ DSN_RELAYED, "PsP-P-", "DDP" },
};

/* In a process of its own, which ends at system call n. False: there were
 * fewer. */
static bool
is_killed_at(struct world *w, const struct bounce_order *order, const char *id,
    int n)
{
	struct bounce_result r;
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		sys.calls = 0;
		sys.fail_call = n;
		sys.error = KILL;
		bounce(w, order, id, &r);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) == 0;
}

/* False: it did not come to call n. */
static bool
is_failed_at(struct world *w, const struct bounce_order *order, const char *id,
    int n)
{
	struct bounce_result r;

	sys.calls = 0;
	sys.fail_call = n;
	sys.error = EIO;
	sys.failed = false;
	bounce(w, order, id, &r); /* a log that stays is no failure */
	sys.fail_call = 0;
	return sys.failed;
}

/* The next run: what was begun is finished; what was not is begun. */
static void
run_again(struct world *w, const struct bounce_order *order, size_t i,
    const char *id)
{
	int begun = recover_all(w);
	struct bounce_result r;
	char states[32];

	states_of(w, id, states);
	if (begun == 0 && strcmp(states, once[i].after) != 0)
		assert_int_equal(bounce(w, order, id, &r), 0);
	states_of(w, id, states);
	assert_string_equal(states, once[i].after);
	assert_int_equal(recover_all(w), 0);
}

static void
check_once(struct world *w, bool (*is_broken_at)(struct world *,
				const struct bounce_order *, const char *, int))
{
	for (size_t i = 0; i < COUNT(once); i++) {
		struct bounce_order order = order_of(once[i].action, 0);
		bool was_broken = true;
		int n = 0;

		while (was_broken) {
			struct spool_domain d = SPOOL_DOMAIN_INIT;
			struct spool_entry entry, notice;

			put(w, "x@example.org", once[i].rcpts, &entry);
			was_broken = is_broken_at(w, &order, entry.id, ++n);
			run_again(w, &order, i, entry.id);
			assert_int_equal(count_mail(w, "example.org", &notice),
			    1);
			assert_int_equal(spool_domain_open(&d, &w->sp,
					     "example.org", false, &w->e),
			    1);
			assert_int_equal(spool_remove(&d, &notice, &w->e), 1);
			spool_domain_close(&d);
		}
		assert_true(n > 6);
	}
}

static void
killed_at_any_call_there_is_one_notice(void **state)
{
	check_once(*state, is_killed_at);
}

static void
a_call_that_fails_leaves_one_notice(void **state)
{
	check_once(*state, is_failed_at);
}

/* ---- what else lies in tmp/ ---- */

static void
a_damaged_one_stays_and_is_told(void **state)
{
	static const struct {
		const char *name, *text;
	} files[] = {
		{ "1k9q2v5s3g0000000000a.failed", "" },
		{ "1k9q2v5s3g0000000000b.failed", "Bmx-Envelope: 1\r\n" },
		{ "1k9q2v5s3g0000000000c.failed",
		    "Bmx-Envelope: 1\r\n"
		    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
		    "Bmx-From: <>\r\nBmx-To: P <x@example.org>\r\n\r\n" },
		{ "1k9q2v5s3g0000000000d.failed",
		    "Bmx-Envelope: 1\r\n"
		    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
		    "Bmx-Notice: failed 1k9q2v5s3g0000000000d BZ\r\n"
		    "Bmx-From: <>\r\nBmx-To: P <x@example.org>\r\n\r\n" },
		{ "1k9q2v5s3g00000000010.failed", /* a notice for nobody's spool */
		    "Bmx-Envelope: 1\r\n"
		    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
		    "Bmx-Notice: failed 1k9q2v5s3g00000000010 B\r\n"
		    "Bmx-From: <>\r\nBmx-To: P <x@[192.0.2.1]>\r\n\r\n" },
		{ "1k9q2v5s3g0000000000e.failed",
		    "Bmx-Envelope: 1\r\n"
		    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
		    "Bmx-Notice: burnt 1k9q2v5s3g0000000000e B\r\n"
		    "Bmx-From: <>\r\nBmx-To: P <x@example.org>\r\n\r\n" },
	};
	char about[SPOOL_ID_LEN + 1], path[80],
	    fifo[] = "example.com/tmp/"
		     "1k9q2v5s3g0000000000f."
		     "failed";
	struct bounce_order order = order_of(DSN_FAILED, 0);
	struct world *w = *state;
	struct spool_entry entry;
	struct bounce_result r;

	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof path, "example.com/tmp/%s",
		    files[i].name);
		assert_int_equal(file_replace(w->sp.fd, path, files[i].text,
				     strlen(files[i].text), 0600, &w->e),
		    0);
		assert_int_equal(bounce_recover(&w->b, files[i].name, about, &r,
				     &w->e),
		    -1);
		assert_int_equal(w->e.class, ERR_DATA);
		assert_non_null(strstr(w->e.text, files[i].name));
	}
	assert_int_equal(mkfifoat(w->sp.fd, fifo, 0600), 0);

	/* and the others go on */
	put(w, "x@example.org", "F-", &entry);
	for (int n = 1; count_mail(w, "example.org", NULL) < 1; n++) {
		if (!is_killed_at(w, &order, entry.id, n))
			break;
		if (recover_all(w) == 1)
			break;
	}
	assert_int_equal(count_mail(w, "example.org", NULL), 1);
}

/* Another message of that ID has another number of recipients. */
static void
a_notice_about_another_message_marks_nothing(void **state)
{
	struct world *w = *state;
	char about[SPOOL_ID_LEN + 1], path[80], text[300], states[32];
	struct spool_entry entry;
	struct bounce_result r;

	put(w, "x@example.org", "F-", &entry);
	snprintf(path, sizeof path, "example.com/tmp/%s.failed", entry.id);
	snprintf(text, sizeof text,
	    "Bmx-Envelope: 1\r\nBmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
	    "Bmx-Notice: failed %s BB\r\n"
	    "Bmx-From: <>\r\nBmx-To: P <x@example.org>\r\n\r\n",
	    entry.id);
	assert_int_equal(file_replace(w->sp.fd, path, text, strlen(text), 0600,
			     &w->e),
	    0);
	assert_int_equal(bounce_recover(&w->b, strrchr(path, '/') + 1, about,
			     &r, &w->e),
	    -1);
	states_of(w, entry.id, states);
	assert_string_equal(states, "F");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    each_kind_settles_its_recipients, setup, teardown),
		cmocka_unit_test_setup_teardown(a_notice_says_what_it_is, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(two_notices_have_two_ids, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    killed_at_any_call_there_is_one_notice, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_call_that_fails_leaves_one_notice, setup, teardown),
		cmocka_unit_test_setup_teardown(a_damaged_one_stays_and_is_told,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_notice_about_another_message_marks_nothing, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
