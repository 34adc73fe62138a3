#include "bmx-queue/unwire.h"

static const char from[] = "From ";
#define FROM_LEN (sizeof from - 1)

static void
put_quotes(struct unwire *u, size_t n)
{
	while (n-- > 0)
		putc('>', u->out);
}

/* What was held back is an ordinary beginning of a line. */
static void
let_go(struct unwire *u)
{
	put_quotes(u, u->quotes);
	fwrite(from, 1, u->from, u->out);
	u->quotes = u->from = 0;
	u->in_line = true;
}

static void
end_line(struct unwire *u)
{
	if (!u->in_line)
		let_go(u);
	putc('\n', u->out);
	u->in_line = !u->is_mbox;
}

static void
put_byte(struct unwire *u, char c)
{
	if (!u->in_line && u->from == 0 && c == '>') {
		u->quotes++;
		return;
	}
	if (!u->in_line && c == from[u->from]) {
		if (++u->from == FROM_LEN) {
			u->quotes++;
			let_go(u);
		}
		return;
	}
	if (!u->in_line)
		let_go(u);
	putc(c, u->out);
}

void
unwire(struct unwire *u, const char *data, size_t len)
{
	if (!u->is_mbox)
		u->in_line = true;
	for (size_t i = 0; i < len; i++) {
		char c = data[i];

		if (c == '\n') {
			u->has_cr = false;
			end_line(u);
			continue;
		}
		if (u->has_cr)
			put_byte(u, '\r');
		u->has_cr = c == '\r';
		if (!u->has_cr)
			put_byte(u, c);
	}
}

void
unwire_end(struct unwire *u)
{
	if (u->has_cr)
		put_byte(u, '\r');
	u->has_cr = false;
	if (u->is_mbox && (u->in_line || u->quotes > 0 || u->from > 0))
		end_line(u);
}
