#include "special.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct block {
	unsigned char bytes[16];
	unsigned bits;
	struct special is;
};

/* Narrower blocks stand before the wider ones that hold them. */

/* clang-format off */
static const struct block v4_blocks[] = {
	{ { 0, 0, 0, 0 }, 32, { "0.0.0.0/32", "unspecified address", "RFC 1122" } },
	{ { 0 }, 8, { "0.0.0.0/8", "\"this network\"", "RFC 791" } },
	{ { 10 }, 8, { "10.0.0.0/8", "private network", "RFC 1918" } },
	{ { 100, 64 }, 10, { "100.64.0.0/10", "carrier-grade NAT", "RFC 6598" } },
	{ { 127 }, 8, { "127.0.0.0/8", "loopback", "RFC 1122" } },
	{ { 169, 254 }, 16, { "169.254.0.0/16", "link-local", "RFC 3927" } },
	{ { 172, 16 }, 12, { "172.16.0.0/12", "private network", "RFC 1918" } },
	{ { 192, 0, 0 }, 24, { "192.0.0.0/24", "IETF protocol assignments", "RFC 6890" } },
	{ { 192, 0, 2 }, 24, { "192.0.2.0/24", "documentation", "RFC 5737" } },
	{ { 192, 31, 196 }, 24, { "192.31.196.0/24", "AS112", "RFC 7535" } },
	{ { 192, 52, 193 }, 24, { "192.52.193.0/24", "multicast tunnelling", "RFC 7450" } },
	{ { 192, 88, 99 }, 24, { "192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526" } },
	{ { 192, 168 }, 16, { "192.168.0.0/16", "private network", "RFC 1918" } },
	{ { 192, 175, 48 }, 24, { "192.175.48.0/24", "AS112", "RFC 7534" } },
	{ { 198, 18 }, 15, { "198.18.0.0/15", "benchmarking", "RFC 2544" } },
	{ { 198, 51, 100 }, 24, { "198.51.100.0/24", "documentation", "RFC 5737" } },
	{ { 203, 0, 113 }, 24, { "203.0.113.0/24", "documentation", "RFC 5737" } },
	{ { 224 }, 4, { "224.0.0.0/4", "multicast", "RFC 5771" } },
	{ { 255, 255, 255, 255 }, 32, { "255.255.255.255/32", "limited broadcast", "RFC 919" } },
	{ { 240 }, 4, { "240.0.0.0/4", "reserved", "RFC 1112" } },
};

/*
 * 64:ff9b::/96 (RFC 6052) is in the registry but nothing special here: it is
 * globally reachable, and a DNS64 resolver puts such addresses into answers on its
 * own. What is not in 2000::/3 and has no other use is reserved.
 */
static const struct block v6_blocks[] = {
	{ { 0 }, 128, { "::/128", "unspecified address", "RFC 4291" } },
	{ { [15] = 1 }, 128, { "::1/128", "loopback", "RFC 4291" } },
	{ { [10] = 0xff, 0xff }, 96, { "::ffff:0:0/96", "IPv4-mapped", "RFC 4291" } },
	{ { 0 }, 96, { "::/96", "IPv4-compatible, deprecated", "RFC 4291" } },
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48, { "64:ff9b:1::/48", "local IPv4/IPv6 translation", "RFC 8215" } },
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, { NULL, NULL, NULL } },
	{ { 0x01, 0x00 }, 64, { "100::/64", "discard only", "RFC 6666" } },
	{ { 0x01, 0x00, [7] = 1 }, 64, { "100:0:0:1::/64", "dummy prefix", "RFC 9780" } },
	{ { 0x20, 0x01, 0x00, 0x00 }, 32, { "2001::/32", "Teredo", "RFC 4380" } },
	{ { 0x20, 0x01, 0x00, 0x02 }, 48, { "2001:2::/48", "benchmarking", "RFC 5180" } },
	{ { 0x20, 0x01 }, 23, { "2001::/23", "IETF protocol assignments", "RFC 2928" } },
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, { "2001:db8::/32", "documentation", "RFC 3849" } },
	{ { 0x20, 0x02 }, 16, { "2002::/16", "6to4", "RFC 3056" } },
	{ { 0x26, 0x20, 0x00, 0x4f, 0x80, 0x00 }, 48, { "2620:4f:8000::/48", "AS112", "RFC 7534" } },
	{ { 0x3f, 0xff }, 20, { "3fff::/20", "documentation", "RFC 9637" } },
	{ { 0x5f, 0x00 }, 16, { "5f00::/16", "segment routing", "RFC 9602" } },
	{ { 0xfc }, 7, { "fc00::/7", "unique local", "RFC 4193" } },
	{ { 0xfe, 0x80 }, 10, { "fe80::/10", "link-local", "RFC 4291" } },
	{ { 0xfe, 0xc0 }, 10, { "fec0::/10", "site-local, deprecated", "RFC 3879" } },
	{ { 0xff }, 8, { "ff00::/8", "multicast", "RFC 4291" } },
	{ { 0 }, 3, { "::/3", "reserved", "RFC 4291" } },
	{ { 0x40 }, 2, { "4000::/2", "reserved", "RFC 4291" } },
	{ { 0x80 }, 1, { "8000::/1", "reserved", "RFC 4291" } },
};
/* clang-format on */

static bool
is_in(const unsigned char *bytes, const struct block *b)
{
	unsigned whole = b->bits / 8, rest = b->bits % 8;
	unsigned mask = 0xffU << (8 - rest) & 0xffU;

	if (memcmp(bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (bytes[whole] & mask) == b->bytes[whole];
}

static const struct special *
find(const unsigned char *bytes, const struct block *blocks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (is_in(bytes, &blocks[i]))
			return blocks[i].is.use == NULL ? NULL : &blocks[i].is;
	}
	return NULL;
}

const struct special *
special_find(const unsigned char *bytes, size_t len)
{
	if (len == 4)
		return find(bytes, v4_blocks,
		    sizeof v4_blocks / sizeof v4_blocks[0]);
	return find(bytes, v6_blocks, sizeof v6_blocks / sizeof v6_blocks[0]);
}
