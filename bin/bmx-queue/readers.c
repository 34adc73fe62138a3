#include "bmx-queue/readers.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"

/* What a list of fewer messages would take is not worth the forks. */
#define WORTH_IT 2000

#define BUFFER 32768 /* bytes */

/* What goes through a pipe: a head, and behind it len bytes. */
struct head {
	enum { DATA, TALK, END } kind;
	uint32_t len;
};

/* Behind END: how a batch ended. */
struct end {
	int rc, status;
	struct err err;
	struct counts sum;
};

size_t
readers_wanted(size_t messages)
{
	cpu_set_t mine;
	int n;

	if (messages < WORTH_IT ||
	    sched_getaffinity(0, sizeof mine, &mine) == -1)
		return 1;
	n = CPU_COUNT(&mine);
	return n < READERS_MAX ? (size_t)n : READERS_MAX;
}

/* ---- a reader ---- */

/* Half a piece would make another of what follows it: so that ends the reader. */
static void
give(int fd, int kind, const void *data, size_t len)
{
	const struct head head = { kind, (uint32_t)len };

	if (file_write_all(fd, (const char *)&head, sizeof head) == -1 ||
	    file_write_all(fd, data, len) == -1)
		_exit(EX_IOERR);
}

static ssize_t
give_data(void *fd, const char *data, size_t len)
{
	give(*(int *)fd, DATA, data, len);
	return (ssize_t)len;
}

static ssize_t
give_talk(void *fd, const char *data, size_t len)
{
	give(*(int *)fd, TALK, data, len);
	return (ssize_t)len;
}

/* Both streams of o into the pipe, in the order in which they are written. */
static bool
redirect(struct output *o, char room[BUFFER], int *fd)
{
	o->data =
	    fopencookie(fd, "w", (cookie_io_functions_t){ .write = give_data });
	o->talk =
	    fopencookie(fd, "w", (cookie_io_functions_t){ .write = give_talk });
	return o->data != NULL && o->talk != NULL &&
	       setvbuf(o->data, room, _IOFBF, BUFFER) == 0 &&
	       setvbuf(o->talk, NULL, _IOLBF, 0) == 0;
}

/* All batches of one reader; does not return, and nothing of the parent's is
 * flushed. */
static _Noreturn void
read_batches(size_t which, size_t n, const struct readers_job *job,
    size_t total, struct output o, int fd)
{
	char room[BUFFER];

	if (!redirect(&o, room, &fd))
		_exit(EX_OSERR);
	for (size_t first = which * READERS_BATCH; first < total;
	     first += n * READERS_BATCH) {
		size_t left = total - first;
		struct end end = { .err = ERR_INIT };

		o.status = EX_OK;
		end.rc = job->read(job->context, first,
		    left < READERS_BATCH ? left : READERS_BATCH, &o, &end.sum,
		    &end.err);
		end.status = o.status;
		fflush(o.data);
		fflush(o.talk);
		give(fd, END, &end, sizeof end);
		if (end.rc == -1)
			break;
	}
	_exit(EX_OK);
}

/* ---- the parent ---- */

struct reader {
	pid_t pid; /* -1: none */
	FILE *pipe;
};

struct crew {
	struct reader readers[READERS_MAX];
	size_t n;
	const struct readers_job *job;
	struct output *o;
	bool has_begun;
};

static bool
start(struct crew *c, size_t which, size_t n, size_t total)
{
	struct reader *r = &c->readers[which];
	int ends[2];

	*r = (struct reader){ .pid = -1 };
	if (pipe2(ends, O_CLOEXEC) == -1)
		return false;
	r->pipe = fdopen(ends[0], "r");
	r->pid = r->pipe == NULL ? -1 : fork();
	if (r->pid == 0) {
		/* or nobody would tell the others that the parent is gone */
		for (size_t i = 0; i <= which; i++)
			close(fileno(c->readers[i].pipe));
		read_batches(which, n, c->job, total, *c->o, ends[1]);
	}
	close(ends[1]);
	if (r->pipe == NULL)
		close(ends[0]);
	return r->pid != -1;
}

/* A reader that still writes ends of it, by SIGPIPE. */
static void
stop(struct crew *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->readers[i].pipe != NULL)
			fclose(c->readers[i].pipe);
	for (size_t i = 0; i < c->n; i++)
		if (c->readers[i].pid != -1)
			waitpid(c->readers[i].pid, NULL, 0);
}

/* False: the reader is gone. */
static bool
pass_on(struct crew *c, FILE *pipe, const struct head *head)
{
	FILE *to = head->kind == DATA ? c->o->data : c->o->talk;
	char room[BUFFER];

	if (head->kind == DATA && !c->has_begun)
		c->job->begin(c->o);
	c->has_begun = c->has_begun || head->kind == DATA;
	if (head->kind == TALK)
		fflush(c->o->data); /* as output_complain() does */
	for (size_t left = head->len, n; left > 0; left -= n) {
		n = fread(room, 1, left < sizeof room ? left : sizeof room,
		    pipe);
		if (n == 0)
			return false;
		fwrite(room, 1, n, to);
	}
	return true;
}

/* Until the batch ends. False: the reader is gone. */
static bool
take_batch(struct crew *c, FILE *pipe, struct end *end)
{
	struct head head;

	while (fread(&head, sizeof head, 1, pipe) == 1) {
		if (head.kind == END)
			return fread(end, sizeof *end, 1, pipe) == 1;
		if (!pass_on(c, pipe, &head))
			return false;
	}
	return false;
}

static int
tell_gone(struct reader *r, struct err *e)
{
	int how;

	if (waitpid(r->pid, &how, 0) != r->pid)
		return err_sys(e, "wait for a reader");
	r->pid = -1;
	if (WIFSIGNALED(how))
		return err_temp(e,
		    "the list is not whole: one that read for it was ended by "
		    "signal %d",
		    WTERMSIG(how));
	return err_temp(e,
	    "the list is not whole: one that read for it ended with status %d",
	    WEXITSTATUS(how));
}

static int
take_all(struct crew *c, size_t total, struct counts *sum, struct err *e)
{
	for (size_t batch = 0; batch * READERS_BATCH < total; batch++) {
		struct reader *r = &c->readers[batch % c->n];
		struct end end;

		if (!take_batch(c, r->pipe, &end))
			return tell_gone(r, e);
		if (c->o->status == EX_OK)
			c->o->status = end.status;
		counts_sum(sum, &end.sum);
		if (end.rc == -1) {
			*e = end.err;
			return -1;
		}
	}
	return 1;
}

int
readers_run(size_t n, const struct readers_job *job, size_t total,
    struct counts *sum, struct output *o, struct err *e)
{
	struct crew c = { .job = job, .o = o };
	bool is_started;
	int rc = 0;

	do
		is_started = start(&c, c.n++, n, total);
	while (is_started && c.n < n);
	if (is_started)
		rc = take_all(&c, total, sum, e);
	stop(&c);
	return rc;
}
