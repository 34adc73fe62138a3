#ifndef BMX_PROBE_SLA_H
#define BMX_PROBE_SLA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "spool/history.h"

/*
 * What a service level agreement asks for, from the history of a primary:
 * availability, outages, and how long the steps of a session took. Time that
 * nobody looked at is left out. Pure: no files, no clock.
 */
struct sla {
	int64_t from_s, to_s;
	int64_t known_s, up_s, down_s; /* known is up and down */
	unsigned outages;              /* not up (deferring is not up) */
	bool is_down;                  /* the last one is not over */
	int64_t longest_s, longest_from_s;
	unsigned results, good;                         /* of whole days */
	unsigned took[PRIMARY_PHASES][PRIMARY_BUCKETS]; /* of those too */
};

void sla_compute(struct sla *s, const struct history *h, int64_t from_s,
    int64_t to_s);

/* The part of known time that it was up, 0 to 1; of nothing known -1. */
double sla_availability(const struct sla *s);

/* Seconds it may be down by an objective (0 to 1) and was not, yet. */
double sla_budget_left_s(const struct sla *s, double objective);

/*
 * An upper bound in ms of what part (0 to 1) of a phase's sessions took at
 * most; -1: longer than any bound; -2: there were none.
 */
int64_t sla_percentile_ms(const struct sla *s, enum primary_phase phase,
    double part);

/* For a person, and as an object on a line, with the spells that it was
 * computed from. objective: 0 to 1, or -1: none. */
void sla_print(FILE *out, const char *name, const struct sla *s,
    double objective);
void sla_print_json(FILE *out, const char *name, const struct sla *s,
    const struct history *h, double objective);

#endif
