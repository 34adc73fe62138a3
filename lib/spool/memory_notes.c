/* What one session taught, until it is over. */

#include "spool/memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct memory_note {
	const char *domain; /* borrowed */
	struct addr rcpt;
	enum memory_answer answer;
};

static bool
is_same(const struct memory_note *note, const char *domain,
    const struct addr *rcpt)
{
	return strcmp(note->domain, domain) == 0 &&
	       strcmp(note->rcpt.text, rcpt->text) == 0;
}

void
memory_note(struct memory_notes *n, const char *domain, const struct addr *rcpt,
    const struct smtp_reply *said)
{
	enum memory_answer answer = memory_judge(said);
	size_t i = 0;

	if (answer == MEMORY_UNKNOWN)
		return;
	if (n->notes == NULL) {
		n->n = 0;
		n->notes = calloc(MEMORY_NOTES_MAX, sizeof *n->notes);
	}
	if (n->notes == NULL)
		return;
	while (i < n->n && !is_same(&n->notes[i], domain, rcpt))
		i++;
	if (i == MEMORY_NOTES_MAX)
		return;
	n->notes[i] = (struct memory_note){ domain, *rcpt, answer };
	n->n += i == n->n;
}

int
memory_learn_notes(struct memory_notes *n, struct memory *m,
    enum memory_source source, struct err *e)
{
	struct memory_lesson lessons[MEMORY_NOTES_MAX];
	int64_t now_s = clock_wall_us() / 1000000;
	int rc;

	for (size_t i = 0; i < n->n; i++)
		lessons[i] = (struct memory_lesson){ n->notes[i].domain,
			&n->notes[i].rcpt,
			{ n->notes[i].answer, source, now_s } };
	rc = memory_learn(m, lessons, n->n, e);
	free(n->notes);
	*n = (struct memory_notes)MEMORY_NOTES_INIT;
	return rc;
}
