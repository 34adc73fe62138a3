#include "bmx-flush/relaxed.h"

#include "mail/tlsrequired.h"

/* Its content begins with the header section, Received fields first. */
static bool
says_no(const struct spool_file *f)
{
	struct tlsrequired t = TLSREQUIRED_INIT;
	struct err ignored = ERR_INIT;
	uint64_t at = f->content;
	char piece[16 * 1024];
	bool is_over = false;

	while (!is_over && at < f->size) {
		ssize_t got;

		if (at - f->content >= RELAXED_HEADER_MAX)
			return false;
		got = spool_file_read(f, at, piece, sizeof piece, &ignored);
		if (got <= 0)
			return false;
		is_over = tlsrequired_read(&t, piece, (size_t)got);
		at += (uint64_t)got;
	}
	return tlsrequired_is_no(&t);
}

bool
relaxed_is_wanted(const struct spool_domain *d, const struct spool_entry *entry)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct err ignored = ERR_INIT;
	bool is_wanted;

	if (spool_file_open(&f, d, entry, false, &ignored) != 1)
		return false;
	is_wanted = !f.env.mail.requiretls && says_no(&f);
	spool_file_close(&f);
	return is_wanted;
}
