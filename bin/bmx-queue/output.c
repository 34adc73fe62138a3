#include "bmx-queue/output.h"

#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/text.h"

void
output_complain(struct output *o, const struct err *e)
{
	fflush(o->data); /* in order, where both go to one terminal */
	fprintf(o->talk, "bmx-queue: %s\n", e->text);
	if (o->status == EX_OK)
		o->status = err_exit_code(e);
}

int
output_finish(struct output *o)
{
	if (fflush(o->data) == 0 && !ferror(o->data))
		return 0;
	fprintf(o->talk, "bmx-queue: cannot write the output: %m\n");
	o->status = EX_IOERR;
	return -1;
}

bool
output_is_held(const struct output *o, const struct spool_entry *entry)
{
	return spool_is_held(entry, o->now_us / 1000000);
}

const char *
output_state(const struct output *o, const struct spool_entry *entry)
{
	if (output_is_held(o, entry))
		return "held";
	return entry->is_new ? "new" : "deferred";
}

const char *
output_rcpt_state(enum rcpt_state state)
{
	switch (state) {
	case RCPT_PENDING:
		return "pending";
	case RCPT_DELIVERED:
		return "delivered";
	case RCPT_FAILED:
		return "failed";
	case RCPT_UNVERIFIED:
		return "unverified";
	case RCPT_UNWANTED:
		return "unwanted";
	case RCPT_BOUNCED:
		return "bounced";
	}
	return "unknown";
}

const char *
output_next(const struct output *o, const struct spool_entry *entry,
    int64_t next_s, char room[OUTPUT_WORD])
{
	if (output_is_held(o, entry))
		return "-";
	if (next_s <= o->now_us / 1000000)
		return "now";
	if (o->form == OUTPUT_TABLE)
		return clock_span(room, next_s - o->now_us / 1000000);
	clock_rfc3339(room, next_s * 1000000);
	strcpy(room + sizeof "YYYY-MM-DDTHH:MM:SS" - 1, "Z");
	return room;
}

const char *
output_age(const struct output *o, int64_t arrival_us, char room[OUTPUT_WORD])
{
	int64_t age_s = (o->now_us - arrival_us) / 1000000;

	if (o->form == OUTPUT_TABLE)
		return clock_span(room, age_s);
	return text_decimal(room, age_s < 0 ? 0 : (uint64_t)age_s);
}

const char *
output_size(const struct output *o, uint64_t bytes, char room[OUTPUT_WORD])
{
	static const char units[] = "KMGTPE";
	double size = (double)bytes / 1024;
	int i = 0;

	if (o->form != OUTPUT_TABLE || bytes < 1024)
		return text_decimal(room, bytes);
	while (size >= 999.5 && units[i + 1] != '\0') {
		size /= 1024;
		i++;
	}
	snprintf(room, OUTPUT_WORD, "%.*f%c", size < 9.95 ? 1 : 0, size,
	    units[i]);
	return room;
}

void
output_safe(struct output *o, const char *word, size_t len)
{
	while (len > 0) {
		size_t piece = len < 256 ? len : 256;
		char room[4 * 256 + 1];

		fputs(text_printable(room, sizeof room, word, piece), o->data);
		word += piece;
		len -= piece;
	}
}

void
output_safe_again(struct output *o, const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (line[i] < 0x20 || line[i] > 0x7e) {
			output_safe(o, line, len);
			return;
		}
	}
	fwrite(line, 1, len, o->data);
}
