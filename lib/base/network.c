#include "base/network.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/text.h"

#define ADDRESS_MAX 64
#define MAPPED_BITS 96 /* of ::ffff:0:0/96, which is IPv4 */

static bool
parse_address(unsigned char bytes[16], const char *text, size_t len,
    bool *is_v4)
{
	char copy[ADDRESS_MAX];

	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	memset(bytes, 0, 16);
	bytes[10] = bytes[11] = 0xff;
	*is_v4 = inet_pton(AF_INET, copy, bytes + 12) == 1;
	return *is_v4 || inet_pton(AF_INET6, copy, bytes) == 1;
}

static bool
is_mapped(const unsigned char bytes[16])
{
	static const unsigned char head[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(bytes, head, sizeof head) == 0;
}

/* The bit is counted from the left. */
static bool
bit(const unsigned char bytes[16], unsigned i)
{
	return (bytes[i / 8] >> (7 - i % 8) & 1) != 0;
}

bool
network_parse(struct network *n, const char *text)
{
	size_t len = strcspn(text, "/");
	unsigned long long bits;
	bool is_v4;

	if (!parse_address(n->bytes, text, len, &is_v4))
		return false;
	n->bits = 128;
	if (text[len] == '\0')
		return true;
	text += len + 1;
	if (text_number(text, strlen(text), is_v4 ? 32 : 128, &bits) == -1)
		return false;
	n->bits = (unsigned)bits + (is_v4 ? MAPPED_BITS : 0);
	for (unsigned i = n->bits; i < 128; i++)
		if (bit(n->bytes, i))
			return false;
	return true;
}

bool
network_has(const struct network *n, const char *address)
{
	unsigned char bytes[16];
	bool is_v4;

	if (!parse_address(bytes, address, strlen(address), &is_v4) ||
	    (n->bits < MAPPED_BITS && is_mapped(bytes)))
		return false;
	for (unsigned i = 0; i < n->bits; i++)
		if (bit(bytes, i) != bit(n->bytes, i))
			return false;
	return true;
}

bool
network_any_has(char *const *blocks, size_t n, const char *address)
{
	struct network block;

	for (size_t i = 0; i < n; i++)
		if (network_parse(&block, blocks[i]) &&
		    network_has(&block, address))
			return true;
	return false;
}
