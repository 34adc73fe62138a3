#ifndef BMX_MXCHECK_COLLECT_PARTS_H
#define BMX_MXCHECK_COLLECT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collect.h"

/*
 * The inside of collect*.c: how a question is asked about a domain under way,
 * and how its answer finds the fact it belongs to.
 */

/* One domain under way. */
struct collect {
	struct collector *with;
	struct facts facts;
	int64_t began_ms;
	size_t waiting; /* answers that are to come */
	bool has_failed;
	unsigned char kinds_in[FACTS_HOSTS_MAX]; /* A and AAAA of each host */
	void *arg;
};

struct question;

/* Read an answer into the facts; more may be asked. */
typedef void collect_reader(struct question *q, const struct dns_answer *a);

/* Who asked: an answer finds its way by this. */
struct question {
	struct collect *c;
	collect_reader *read;
	enum dns_type type;
	struct lookup *lookup;  /* that is to be filled; NULL: none */
	struct lookup *again;   /* that is looked into: it has its answer */
	struct fact_host *host; /* NULL: the domain */
	struct fact_zone *zone;
	size_t at, poll; /* indexes, where there are several */
	char *name;      /* NULL, or to be freed */
};

/*
 * Ask; q is copied, q.c is set. A look-up that is given counts as one without
 * answer until it is there. Past half of the domain's time nothing new is
 * asked, so that the whole stays within it. how: NULL for the plain way.
 */
void collect_ask(struct collect *c, const char *name, enum dns_type type,
    const struct dns_how *how, struct question q);

void collect_no_memory(struct collect *c);
char *collect_copy(struct collect *c, const char *text);
void collect_fill(struct collect *c, struct lookup *l,
    const struct dns_answer *a);

/* The records of an answer sorted, so that the same zone gives the same facts
 * whatever the order of the reply; to be freed. compare gets pointers to
 * pointers. NULL: no memory, which is said. */
const struct dns_rr **collect_sort(struct collect *c,
    const struct dns_answer *a, int (*compare)(const void *, const void *));
int collect_compare_name(const void *one, const void *other); /* NS, PTR */

/* Is one of the checks made that need this? */
bool collect_wants(const struct collect *c, enum check_id id);

/* ---- collect_zone.c: a zone's servers, and what each says ---- */

/* Find the servers of the zone that holds the name; with polls, ask them. */
void collect_zone(struct collect *c, struct fact_zone *z, const char *name,
    struct fact_host *host, bool with_polls);
/* All answers are in: the servers in order, each as it is. */
void collect_zone_sort(struct fact_zone *z);

/* ---- collect_more.c: what the checks beyond the MX records need ---- */

/* The domain's own, when the MX records are there. */
void collect_more_domain(struct collect *c);
/* A host's, when its name is known; and when its addresses are. */
void collect_more_host(struct collect *c, struct fact_host *h);
void collect_more_addresses(struct collect *c, struct fact_host *h);
/* SERVFAIL: is it the signature? */
void collect_if_bogus(struct collect *c, struct lookup *l, const char *name,
    enum dns_type type);

#endif
