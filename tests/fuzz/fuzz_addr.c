/* lib/mail/addr: what is accepted is clean, bounded, and reads the same a
 * second time. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "mail/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_clean(const struct addr *a)
{
	bool is_utf8 = false;
	size_t n;

	assert(strlen(a->text) == a->len && a->len <= ADDR_MAX);
	for (size_t i = 0; i < a->len; i += n) {
		n = addr_utf8_char(a->text + i, a->len - i);
		assert(n > 0);
		is_utf8 = is_utf8 || n > 1;
		assert(n > 1 || (a->text[i] >= 0x20 && a->text[i] < 0x7f));
	}
	assert(a->is_utf8 == is_utf8);
	assert(a->local_len <= ADDR_LOCAL_MAX);
	assert(strlen(addr_domain(a)) <= ADDR_DOMAIN_MAX);
	assert(strchr(addr_domain(a), '@') == NULL);
	assert(strchr(addr_domain(a), '>') == NULL);
}

/* The text in brackets is the same path; with a domain, the same mailbox. */
static void
assert_stable(const struct addr *a)
{
	struct err e = ERR_INIT;
	struct addr again;
	char path[ADDR_MAX + 3];
	size_t used;

	path[0] = '<';
	memcpy(path + 1, a->text, a->len);
	path[a->len + 1] = '>';
	assert(addr_parse_path(path, a->len + 2, true, true, &again, &used,
		   &e) == 0);
	assert(used == a->len + 2);
	assert(strcmp(again.text, a->text) == 0);
	assert(again.local_len == a->local_len);
	if (a->local_len == a->len) {
		assert(a->len == 0 || addr_is_postmaster(a));
		return;
	}
	assert(addr_parse(a->text, a->len, &again, &e) == 0);
	assert(strcmp(again.text, a->text) == 0);
}

static void
assert_host_name(const char *name)
{
	char again[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;
	size_t len = strlen(name);

	assert(len > 0 && len <= 253);
	assert(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len);
	assert(name[0] != '.' && name[0] != '-' && name[len - 1] != '.');
	assert(strstr(name, "..") == NULL);
	assert(addr_fold_domain(name, len, again, &e) == 0);
	assert(strcmp(name, again) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;
	struct addr a, b;
	size_t used;

	if (addr_parse_path(s, size, true, true, &a, &used, &e) == 0) {
		assert(used <= size && s[0] == '<' && s[used - 1] == '>');
		assert_clean(&a);
		assert_stable(&a);
		/* what is not asked for is the only difference */
		assert((addr_parse_path(s, size, false, false, &b, &used, &e) ==
			   0) == (a.local_len < a.len));
	} else {
		assert(e.class == ERR_PERM);
	}
	if (addr_parse(s, size, &a, &e) == 0) {
		assert(a.len == size && memcmp(a.text, s, size) == 0);
		assert_clean(&a);
		assert_stable(&a);
		addr_is_postmaster(&a);
	}
	if (addr_fold_domain(s, size, folded, &e) == 0)
		assert_host_name(folded);
	return 0;
}
