/*
 * lib/mail/envelope: any file is read, refused, or more is wanted. What is
 * read is written and read the same again, and each recipient's state is
 * where it is said to be.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mail/envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The smallest buffer, so that a sanitizer sees a step beyond. */
static long
parse_cut(const char *s, size_t len)
{
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(ENVELOPE_MAX);
	struct err e = ERR_INIT;
	long n;

	buf_add(&b, s, len);
	n = envelope_parse(&env, b.data, b.len, &e);
	envelope_reset(&env);
	buf_free(&b);
	return n;
}

static void
assert_read_again(const struct envelope *env)
{
	struct envelope back = ENVELOPE_INIT;
	struct buf first = BUF_INIT(2 * ENVELOPE_MAX);
	struct buf second = BUF_INIT(2 * ENVELOPE_MAX);
	struct err e = ERR_INIT;

	assert(envelope_format(env, NULL, &first, &e) == 0);
	buf_puts(&first, "Received:");
	assert(envelope_parse(&back, first.data, first.len, &e) ==
	       (long)first.len - 9);
	assert(back.nrcpt == env->nrcpt);
	assert(envelope_pending(&back) == envelope_pending(env));
	assert(envelope_format(&back, NULL, &second, &e) == 0);
	buf_puts(&second, "Received:");
	assert(strcmp(first.data, second.data) == 0);
	envelope_reset(&back);
	buf_free(&first);
	buf_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	long n = envelope_parse(&env, s, size, &e);

	assert(n >= -1 && n <= (long)size);
	if (n <= 0)
		assert(env.nrcpt == 0 && env.rcpts == NULL);
	if (n == -1)
		assert(e.class == ERR_DATA);
	if (n > 0) {
		assert(env.nrcpt > 0 && env.nrcpt <= ENVELOPE_RCPT_MAX);
		assert((size_t)n < size);
		for (size_t i = 0; i < env.nrcpt; i++) {
			size_t at = env.rcpts[i].state_offset;

			assert(at < (size_t)n && at >= 8);
			assert(memcmp(s + at - 8, "Bmx-To: ", 8) == 0);
			assert(s[at] == (char)env.rcpts[i].state);
		}
		assert(memcmp(s + n - 2, "\r\n", 2) == 0);
		assert(parse_cut(s, (size_t)n) == 0);
		assert(parse_cut(s, (size_t)n - 1) == 0);
		assert(parse_cut(s, (size_t)n * 2 / 3) == 0);
		assert_read_again(&env);
	}
	envelope_reset(&env);
	return 0;
}
