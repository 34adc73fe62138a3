/*
 * lib/spool/config: any bmx.conf is taken or refused with a reason; what is
 * taken keeps its promises, and says the same when it is printed and read
 * again. The file is a memory file, by its name in /proc.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scratch.h"
#include "spool/config.h"

#define LINE_MAX_BYTES 198 /* INI_MAX_LINE and its "\n\0" */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
load(struct config *c, const void *text, size_t len, struct err *e)
{
	return config_load(c, scratch_memory(text, len), e);
}

/* What config_print() says, without its first line, the file's name. */
static char *
print(const struct config *c, size_t *len)
{
	FILE *was = stdout;
	char *text = NULL, *lines;

	stdout = open_memstream(&text, len);
	assert(stdout != NULL);
	config_print(c);
	assert(fclose(stdout) == 0);
	stdout = was;
	lines = strchr(text, '\n');
	assert(lines != NULL);
	*len = strlen(lines);
	memmove(text, lines, *len + 1);
	return text;
}

static void
assert_list(const struct config_list *list)
{
	assert(list->n <= CONFIG_LIST_MAX);
	for (size_t i = 0; i < list->n; i++) {
		assert(list->word[i][0] != '\0');
		assert(strpbrk(list->word[i], " \t,\n") == NULL);
	}
}

static void
assert_host(const struct config_host *h)
{
	assert(strchr(h->hostname, '.') != NULL);
	assert(h->spool[0] == '/' && h->log[0] != '\0');
	assert(h->max_recipients >= 100 && h->max_recipients <= 1000);
	assert(h->max_errors >= 1 && h->command_timeout_s >= 1);
	assert(h->data_timeout_s >= 1 && h->sessions >= 1);
	assert(h->tls_certificate.n == h->tls_key.n);
	assert_list(&h->self);
	assert_list(&h->resolver);
}

static void
assert_domain(const struct config *c, const struct config_domain *d)
{
	assert(config_find(c, d->name) == d);
	assert(strpbrk(d->name, "/ \t\n") == NULL && d->name[0] != '.');
	assert(strchr(d->name, '.') != NULL);
	assert(d->primary.n > 0);
	assert_list(&d->primary);
	assert((unsigned)d->tls <= CONFIG_TLS_PIN);
	assert(d->tls != CONFIG_TLS_PIN || d->tls_pin.n > 0);
	assert(d->rise >= 1 && d->fall >= 1 && d->connect_timeout_s >= 1);
	assert(d->retry_min_s >= 1 && d->retry_min_s <= d->retry_max_s);
}

/* A word that just fitted behind a blank is too long behind its key. */
static bool
has_long_line(const char *text)
{
	for (; *text != '\0'; text++) {
		size_t len = strcspn(text, "\n");

		if (len > LINE_MAX_BYTES)
			return true;
		text += len;
	}
	return false;
}

static void
assert_read_again(const struct config *c)
{
	struct config back = CONFIG_INIT;
	struct err e = ERR_INIT;
	size_t len, back_len;
	char *text = print(c, &len), *back_text;

	if (has_long_line(text)) {
		free(text);
		return;
	}
	assert(load(&back, text, len, &e) == 0);
	back_text = print(&back, &back_len);
	assert(strcmp(text, back_text) == 0);
	free(back_text);
	free(text);
	config_free(&back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;

	if (load(&c, data, size, &e) == -1) {
		assert(e.class == ERR_CONFIG);
		assert(strncmp(e.text, "/proc/self/fd/", 14) == 0);
		for (const char *p = e.text; *p != '\0'; p++)
			assert(*p >= 0x20 && *p < 0x7f);
	} else {
		assert_host(&c.host);
		for (size_t i = 0; i < c.ndomains; i++)
			assert_domain(&c, &c.domains[i]);
		assert_read_again(&c);
	}
	config_free(&c);
	return 0;
}
