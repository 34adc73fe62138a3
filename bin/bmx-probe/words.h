#ifndef BMX_PROBE_WORDS_H
#define BMX_PROBE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/connect.h"
#include "spool/config.h"
#include "spool/primary.h"

/* What was said on the command line; NULL: not. */
struct words_said {
	char *until;   /* the name of a step */
	char *rcpt;    /* an address; it implies the step rcpt */
	char *source;  /* one address, or one of each family with a comma */
	char *tls;     /* a level as in bmx.conf */
	char *since;   /* a date, an RFC 3339 time, or "30d" */
	char *foreign; /* an address */
};
void words_free(struct words_said *said);

/* And what it means. */
struct words {
	enum primary_phase until;
	bool has_from4, has_from6, has_level;
	struct endpoint from4, from6;
	enum config_tls level;
	int64_t since_s;
};

/* -1: ERR_USAGE. */
int words_parse(struct words *w, const struct words_said *said, int64_t now_s,
    struct err *e);

#endif
