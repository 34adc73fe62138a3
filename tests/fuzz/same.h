#ifndef BMX_TESTS_SAME_H
#define BMX_TESTS_SAME_H

#include <assert.h>
#include <string.h>

#include "smtp/sts.h"

/* What several harnesses assert. */

/* A text that ends in its room, and no terminal obeys. */
static inline void
assert_printable(const char *text, size_t size)
{
	assert(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		assert(*text >= 0x20 && *text < 0x7f);
}

static inline void
assert_same_policy(const struct sts_policy *a, const struct sts_policy *b)
{
	assert(a->mode == b->mode && a->max_age_s == b->max_age_s);
	assert(a->nmx == b->nmx);
	for (size_t i = 0; i < a->nmx; i++)
		assert(strcmp(a->mx[i], b->mx[i]) == 0);
}

#endif
