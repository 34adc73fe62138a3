/* The line that a person sees while a drain runs. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>

#include "bmx-flush/progress.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
the_line_tells_how_far_how_fast_and_how_long(void **state)
{
	static const struct {
		unsigned long done, total;
		int64_t elapsed_ms;
		const char *line;
	} rows[] = {
		{ 0, 100, 0, "d.example [....................] 0/100 0.0/s" },
		{ 0, 100, 5000,
		    "d.example [....................] 0/100 0.0/s" },
		{ 1, 4, 2000,
		    "d.example [#####...............] 1/4 0.5/s, 6 s left" },
		{ 3000, 50000, 10000,
		    "d.example [#...................] 3000/50000 300/s, "
		    "2 min left" },
		{ 4, 4, 100,
		    "d.example [####################] 4/4 40/s, 0 s left" },
		{ 5, 4, 100, /* more than expected must not run over */
		    "d.example [####################] 5/4 50/s, 0 s left" },
		{ 0, 0, 0, "d.example [####################] 0/0 0.0/s" },
	};
	char line[PROGRESS_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct progress p = PROGRESS_INIT;

		p.label = "d.example";
		p.done = rows[i].done;
		p.total = rows[i].total;
		assert_string_equal(progress_line(line, &p, rows[i].elapsed_ms),
		    rows[i].line);
	}
}

static void
the_longest_line_fits(void **state)
{
	struct progress p = PROGRESS_INIT;
	char line[PROGRESS_LINE_MAX], label[300];

	(void)state;
	memset(label, 'a', sizeof label - 1);
	label[sizeof label - 1] = '\0';
	p.label = label;
	p.done = ULONG_MAX - 1;
	p.total = ULONG_MAX;
	progress_line(line, &p, 1);
	assert_true(strlen(line) < sizeof line);
}

static void
nothing_is_written_where_nobody_watches(void **state)
{
	FILE *file = tmpfile();
	struct progress p = PROGRESS_INIT;

	(void)state;
	assert_non_null(file);
	progress_begin(&p, file, "d.example", 2);
	progress_step(&p);
	progress_step(&p);
	progress_end(&p);
	progress_end(&p);
	assert_int_equal(ftell(file), 0);
	fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_tells_how_far_how_fast_and_how_long),
		cmocka_unit_test(the_longest_line_fits),
		cmocka_unit_test(nothing_is_written_where_nobody_watches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
