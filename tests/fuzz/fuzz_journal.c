/*
 * bmx-queue's journal and its measures: whatever log/ID says, what is taken from
 * it is bounded and printable; whatever an operator writes as a span or size, it
 * is no negative amount, and means the same when written again.
 *
 * libFuzzer: -max_len=16384
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmx-queue/journal.h"
#include "bmx-queue/measure.h"
#include "same.h"

#define NOW_US 1795489874123456 /* 2026-11-24 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_journal(const char *text, size_t len)
{
	struct journal j;
	size_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	journal_parse(&j, text, len);
	assert_printable(j.reply, sizeof j.reply);
	assert_printable(j.peer, sizeof j.peer);
	assert_printable(j.hold, sizeof j.hold);
	assert(j.attempts <= lines);
}

typedef int measure(const char *option, const char *text, int64_t *amount,
    struct err *e);

static void
try_measure(measure *of, const char *text)
{
	int64_t amount, again;
	struct err e = ERR_INIT;
	char number[32];

	if (of("--x", text, &amount, &e) == -1) {
		assert(e.class == ERR_USAGE);
		assert_printable(e.text, sizeof e.text);
		return;
	}
	assert(amount >= 0);
	snprintf(number, sizeof number, "%lld", (long long)amount);
	assert(of("--x", number, &again, &e) == 0 && again == amount);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct err e = ERR_INIT;
	int64_t when_s;

	assert(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	try_journal((const char *)data, size);
	try_measure(measure_span, text);
	try_measure(measure_size, text);
	if (measure_until("--x", text, NOW_US, &when_s, &e) == -1)
		assert(e.class == ERR_USAGE);
	else
		assert(when_s > NOW_US / 1000000);
	free(text);
	return 0;
}
