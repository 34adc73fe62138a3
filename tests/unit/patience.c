/* How long a message may take. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bmx-receive/patience.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
deadline_moves_with_every_byte_up_to_the_limit(void **state)
{
	static const struct {
		const char *name;
		struct patience p;
		int64_t deadline_ms;
	} rows[] = {
		{ "no limit", { 180, 0, 0, 5000, 7 }, INT64_MAX },
		{ "nothing came", { 180, 500, 0, 5000, 0 }, 185000 },
		{ "a little came", { 180, 500, 0, 5000, 499 }, 185000 },
		{ "enough for a second", { 180, 500, 0, 5000, 500 }, 186000 },
		{ "much came", { 180, 500, 0, 0, 500000 }, 1180000 },
		{ "the whole is limited", { 180, 500, 600, 0, 500000 },
		    600000 },
		{ "only the whole is", { 180, 0, 600, 1000, 0 }, 601000 },
		{ "no overflow", { 180, 1, 0, 0, UINT64_MAX },
		    ((INT64_C(1) << 40) + 180) * 1000 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (patience_deadline_ms(&rows[i].p) != rows[i].deadline_ms)
			fail_msg("%s: %lld", rows[i].name,
			    (long long)patience_deadline_ms(&rows[i].p));
}

static void
each_message_begins_anew(void **state)
{
	struct patience p = { 10, 100, 0, 0, 100000 };

	(void)state;
	patience_begin(&p, 3000);
	assert_int_equal(patience_deadline_ms(&p), 13000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    deadline_moves_with_every_byte_up_to_the_limit),
		cmocka_unit_test(each_message_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
