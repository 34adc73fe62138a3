#include "order.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define READY_BYTES 65536 /* are written at once */

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
	buf_free(&o->ready);
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

int
order_flush(struct order *o, struct err *e)
{
	int rc = file_write_all(o->fd, o->ready.data, o->ready.len);

	if (rc == -1)
		err_sys(e, "write %s", o->name);
	buf_reset(&o->ready);
	return rc;
}

static int
emit(struct order *o, const char *text, size_t len, struct err *e)
{
	o->next_out++;
	buf_add(&o->ready, text, len);
	if (buf_check(&o->ready, e) == -1)
		return -1;
	return o->ready.len < READY_BYTES ? 0 : order_flush(o, e);
}

/* What waited for the record before it. */
static int
release(struct order *o, struct err *e)
{
	struct order_record *r = &o->ring[o->next_out % ORDER_RECORDS];
	int rc = 0;

	while (rc == 0 && r->text != NULL) {
		rc = emit(o, r->text, r->len, e);
		o->bytes -= r->len;
		free(r->text);
		r->text = NULL;
		r = &o->ring[o->next_out % ORDER_RECORDS];
	}
	return rc;
}

int
order_put(struct order *o, uint64_t number, const char *text, size_t len,
    struct err *e)
{
	struct order_record *r = &o->ring[number % ORDER_RECORDS];

	if (o->is_unordered)
		return emit(o, text, len, e); /* next_out is a count, here */
	if (number == o->next_out)
		return emit(o, text, len, e) == -1 ? -1 : release(o, e);
	r->text = malloc(len + 1);
	if (r->text == NULL)
		return err_temp(e, "out of memory");
	memcpy(r->text, text, len);
	r->len = len;
	o->bytes += len;
	return 0;
}
