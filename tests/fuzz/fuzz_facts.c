/*
 * bmx-mxcheck's facts: any line is read or refused; what is read is written and
 * read the same again, and whatever it says is judged, with every check, in
 * printable words.
 *
 * libFuzzer: -max_len=32768
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "bmx-mxcheck/facts_json.h"
#include "bmx-mxcheck/judge.h"
#include "same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_judged(const struct facts *f)
{
	static const struct judge_policy policy = JUDGE_POLICY_INIT;
	static const struct roles roles = ROLES_INIT;
	static struct judgement j;

	judge(f, &roles, &policy, &j);
	assert(j.n <= FINDINGS_MAX);
	for (size_t i = 0; i < j.n; i++) {
		const struct finding *one = &j.findings[i];

		assert(one->check < CHECK_COUNT);
		assert(one->outcome == OUTCOME_FAIL ||
		       one->outcome == OUTCOME_UNTESTED);
		assert(j.outcome[one->check] >= one->outcome ||
		       j.outcome[one->check] == OUTCOME_FAIL);
		assert_printable(one->subject, sizeof one->subject);
		assert_printable(one->server, sizeof one->server);
		assert_printable(one->evidence, sizeof one->evidence);
	}
}

static void
assert_read_again(const struct facts *f)
{
	struct buf first = BUF_INIT(FACTS_JSON_MAX);
	struct buf second = BUF_INIT(FACTS_JSON_MAX);
	struct facts again = FACTS_INIT;
	struct err e = ERR_INIT;

	facts_to_json(f, &first);
	assert(first.len > 0 && first.data[first.len - 1] == '\n');
	assert(facts_from_json(&again, first.data, first.len - 1, &e) == 0);
	facts_to_json(&again, &second);
	assert(strcmp(first.data, second.data) == 0);
	facts_free(&again);
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct facts f = FACTS_INIT;
	struct err e = ERR_INIT;

	if (facts_from_json(&f, (const char *)data, size, &e) == -1) {
		assert(e.class == ERR_DATA);
		assert_printable(e.text, sizeof e.text);
		assert(f.domain == NULL);
		return 0;
	}
	assert_read_again(&f);
	assert_judged(&f);
	facts_free(&f);
	return 0;
}
