#include "order.h"

#include <stdlib.h>
#include <string.h>

struct order_record {
	char *text; /* NULL: not ready */
	size_t len;
};

int
order_open(struct order *o, struct err *e)
{
	o->ring = calloc(ORDER_RECORDS, sizeof *o->ring);
	if (o->ring == NULL)
		return err_temp(e, "out of memory");
	return 0;
}

void
order_close(struct order *o)
{
	for (; o->ring != NULL && o->next_out < o->next_in; o->next_out++)
		free(o->ring[o->next_out % ORDER_RECORDS].text);
	free(o->ring);
	o->ring = NULL;
}

bool
order_has_room(const struct order *o)
{
	return o->next_in - o->next_out < ORDER_RECORDS &&
	       o->bytes < ORDER_BYTES;
}

uint64_t
order_begin(struct order *o)
{
	return o->next_in++;
}

/* What waited for the record before it. */
static void
release(struct order *o)
{
	struct order_record *r = &o->ring[o->next_out % ORDER_RECORDS];

	while (r->text != NULL) {
		fwrite(r->text, 1, r->len, o->out);
		o->bytes -= r->len;
		free(r->text);
		r->text = NULL;
		o->next_out++;
		r = &o->ring[o->next_out % ORDER_RECORDS];
	}
}

int
order_put(struct order *o, uint64_t number, const char *text, size_t len,
    struct err *e)
{
	struct order_record *r = &o->ring[number % ORDER_RECORDS];

	if (o->is_unordered) {
		fwrite(text, 1, len, o->out);
		o->next_out++; /* a count, here */
		return 0;
	}
	if (number == o->next_out) {
		fwrite(text, 1, len, o->out);
		o->next_out++;
		release(o);
		return 0;
	}
	r->text = malloc(len + 1);
	if (r->text == NULL)
		return err_temp(e, "out of memory");
	memcpy(r->text, text, len);
	r->len = len;
	o->bytes += len;
	return 0;
}
