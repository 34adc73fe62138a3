/* bmx-receive's proxy and xclient: what is accepted is bounded and clean, what
 * is refused changes nothing. */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "bmx-receive/proxy.h"
#include "bmx-receive/xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_clean(const char *text, size_t size)
{
	size_t len = strnlen(text, size);

	assert(len < size);
	for (size_t i = 0; i < len; i++)
		assert(text[i] >= 0x20 && text[i] < 0x7f);
}

static void
assert_client(const struct envelope_client *c)
{
	assert_clean(c->addr, sizeof c->addr);
	assert_clean(c->name, sizeof c->name);
	assert_clean(c->helo, sizeof c->helo);
	assert_clean(c->proto, sizeof c->proto);
	assert(c->port <= 65535);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct envelope_client before = { .addr = "192.0.2.1" };
	struct envelope_client c = before;
	int used = proxy_parse((const char *)data, size, &c);

	assert(used <= (int)size && used >= -1 && used <= PROXY_MAX);
	assert_client(&c);
	if (used <= 0)
		assert(memcmp(&c, &before, sizeof c) == 0);
	c = before;
	if (xclient_parse((const char *)data, size, &c) != NULL)
		assert(memcmp(&c, &before, sizeof c) == 0);
	assert_client(&c);
	return 0;
}
