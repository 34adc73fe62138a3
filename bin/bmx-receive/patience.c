#include "bmx-receive/patience.h"

#define SPAN_MAX_S (INT64_C(1) << 40) /* so that no sum overflows */

void
patience_begin(struct patience *p, int64_t now_ms)
{
	p->since_ms = now_ms;
	p->bytes = 0;
}

int64_t
patience_deadline_ms(const struct patience *p)
{
	int64_t s = INT64_MAX;

	if (p->min_rate != 0) {
		uint64_t earned = p->bytes / p->min_rate;

		s = earned > SPAN_MAX_S ? SPAN_MAX_S : (int64_t)earned;
		s += p->grace_s;
	}
	if (p->max_s != 0 && s > p->max_s)
		s = p->max_s;
	return s == INT64_MAX ? s : p->since_ms + s * 1000;
}
