/*
 * For scripts/analyse alone, before each source: what an analyser that sees one
 * file at a time cannot know. No program is built with it.
 */

#include <sys/queue.h>

#include "base/err.h"

/* They return -1, always: base/err.h. */
#define err_temp(...) (err_temp(__VA_ARGS__), -1)
#define err_perm(...) (err_perm(__VA_ARGS__), -1)
#define err_data(...) (err_data(__VA_ARGS__), -1)
#define err_config(...) (err_config(__VA_ARGS__), -1)
#define err_usage(...) (err_usage(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)

/* The same as <sys/queue.h>'s, but the first of the list is written by its name:
 * they do not follow a pointer to a pointer to it. */
#undef TAILQ_REMOVE
#define TAILQ_REMOVE(head, elm, field) \
	do { \
		if ((elm)->field.tqe_next != NULL) \
			(elm)->field.tqe_next->field.tqe_prev = \
			    (elm)->field.tqe_prev; \
		else \
			(head)->tqh_last = (elm)->field.tqe_prev; \
		if ((head)->tqh_first == (elm)) \
			(head)->tqh_first = (elm)->field.tqe_next; \
		else \
			*(elm)->field.tqe_prev = (elm)->field.tqe_next; \
	} while (0)
