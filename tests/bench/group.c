/*
 * group: what a process group costs: a server under test with all its children.
 *
 *	group cost PGID		"cpu_ms=N rss_kib=N pss_kib=N processes=N"
 *	group peak PGID		the same, the highest seen until SIGTERM
 *
 * CPU is that of the processes and of the children they waited for, so a
 * difference of two looks counts everything that ended in between.
 */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 50   /* between two looks for a peak */
#define LOOKS_MAX 10 /* for one where nobody ends */

struct cost {
	unsigned long long cpu_ns, rss_kib, pss_kib, processes;
	unsigned long long members; /* which processes, as one number */
};

static volatile sig_atomic_t is_over;

static void
on_term(int number)
{
	(void)number;
	is_over = 1;
}

static void
add_memory(struct cost *c, const char *pid)
{
	char path[64], line[256];
	unsigned long long kib;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.20s/smaps_rollup", pid);
	f = fopen(path, "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Rss: %llu", &kib) == 1)
			c->rss_kib += kib;
		else if (sscanf(line, "Pss: %llu", &kib) == 1)
			c->pss_kib += kib;
	if (f != NULL)
		fclose(f);
}

/* Of a live process, exactly: stat counts in ticks of 10 ms. */
static unsigned long long
own_ns(const char *pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.20s/schedstat", pid);
	f = fopen(path, "r");
	if (f == NULL || fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	if (f != NULL)
		fclose(f);
	return ns;
}

/* The command in parentheses may hold anything, so count from its end. */
static bool
add_cpu(struct cost *c, const char *pid, long group)
{
	char path[64], text[1024], *rest;
	unsigned long long waited[2];
	size_t len;
	long pgrp;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	len = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[len] = '\0';
	rest = strrchr(text, ')');
	if (rest == NULL ||
	    sscanf(rest + 1,
		" %*c %*d %ld %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
		"%llu %llu",
		&pgrp, &waited[0], &waited[1]) != 3 ||
	    pgrp != group)
		return false;
	c->cpu_ns +=
	    own_ns(pid) +
	    (waited[0] + waited[1]) *
		(1000000000ull / (unsigned long long)sysconf(_SC_CLK_TCK));
	c->processes++;
	c->members = c->members * 1000003 + strtoul(pid, NULL, 10);
	return true;
}

static struct cost
look(long group, bool wants_memory)
{
	struct cost c = { 0 };
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    add_cpu(&c, entry->d_name, group) && wants_memory)
			add_memory(&c, entry->d_name);
	if (dir != NULL)
		closedir(dir);
	return c;
}

/* A child that ends while we look is counted twice, or not at all, as it comes
 * before its parent or behind it: so all have to be there a moment later. */
static struct cost
look_well(long group)
{
	struct cost c = look(group, true), later = look(group, false);

	for (int i = 0; i < LOOKS_MAX && later.members != c.members; i++) {
		c = look(group, true);
		later = look(group, false);
	}
	return c;
}

static void
raise_to(unsigned long long *most, unsigned long long now)
{
	if (now > *most)
		*most = now;
}

static struct cost
watch(long group)
{
	const struct timespec pause = { 0, LOOK_MS * 1000000L };
	struct cost most = { 0 };

	while (!is_over) {
		struct cost now = look_well(group);

		raise_to(&most.cpu_ns, now.cpu_ns);
		raise_to(&most.rss_kib, now.rss_kib);
		raise_to(&most.pss_kib, now.pss_kib);
		raise_to(&most.processes, now.processes);
		nanosleep(&pause, NULL);
	}
	return most;
}

int
main(int argc, char **argv)
{
	const struct sigaction act = { .sa_handler = on_term };
	struct cost c;

	if (argc != 3) {
		fprintf(stderr, "usage: group cost|peak PGID\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	c = strcmp(argv[1], "peak") == 0 ? watch(atol(argv[2]))
					 : look_well(atol(argv[2]));
	printf("cpu_ms=%llu rss_kib=%llu pss_kib=%llu processes=%llu\n",
	    c.cpu_ns / 1000000, c.rss_kib, c.pss_kib, c.processes);
	return 0;
}
