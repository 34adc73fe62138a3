#include "bmx-receive/proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define V1_MAX 107     /* bytes with CRLF, as the specification has it */
#define V2_HEAD 16     /* signature, version and command, family, length */
#define V2_IPV4_LEN 12 /* two addresses, two ports */
#define V2_IPV6_LEN 36

static const char v1_start[] = "PROXY ";
static const unsigned char v2_start[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
	0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

static int
set_client(struct envelope_client *c, int family, const unsigned char *address,
    unsigned port)
{
	if (inet_ntop(family, address, c->addr, sizeof c->addr) == NULL)
		return -1;
	c->port = port;
	c->name[0] = '\0';
	return 0;
}

/* ---- version 1: "PROXY TCP4 192.0.2.1 198.51.100.1 40312 25" CRLF ---- */

#define V1_WORDS 6

static bool
parse_port(const char *text, unsigned *port)
{
	unsigned long long n;

	if (text_number(text, strlen(text), 65535, &n) == -1)
		return false;
	*port = (unsigned)n;
	return true;
}

/* Exactly one blank between words. */
static size_t
split(char *line, char *words[V1_WORDS])
{
	size_t n = 0;

	while (line != NULL && n < V1_WORDS) {
		words[n++] = line;
		line = strchr(line, ' ');
		if (line != NULL)
			*line++ = '\0';
	}
	return line == NULL ? n : 0;
}

static int
parse_line(char *line, struct envelope_client *c)
{
	unsigned char from[16], to[16];
	unsigned from_port, to_port;
	char *words[V1_WORDS];
	int family;

	if (strncmp(line, "PROXY UNKNOWN", 13) == 0 &&
	    (line[13] == '\0' || line[13] == ' '))
		return 0;
	if (split(line, words) != V1_WORDS)
		return -1;
	if (strcmp(words[1], "TCP4") == 0)
		family = AF_INET;
	else if (strcmp(words[1], "TCP6") == 0)
		family = AF_INET6;
	else
		return -1;
	if (inet_pton(family, words[2], from) != 1 ||
	    inet_pton(family, words[3], to) != 1 ||
	    !parse_port(words[4], &from_port) ||
	    !parse_port(words[5], &to_port))
		return -1;
	return set_client(c, family, from, from_port);
}

static int
parse_v1(const char *in, size_t len, struct envelope_client *c)
{
	size_t max = len < V1_MAX ? len : V1_MAX, line_len;
	const char *lf = memchr(in, '\n', max);
	char line[V1_MAX];

	if (lf == NULL)
		return len < V1_MAX ? 0 : -1;
	line_len = (size_t)(lf - in);
	if (in[line_len - 1] != '\r' || memchr(in, '\0', line_len) != NULL)
		return -1;
	memcpy(line, in, line_len - 1);
	line[line_len - 1] = '\0';
	return parse_line(line, c) == -1 ? -1 : (int)line_len + 1;
}

/* ---- version 2 ---- */

static unsigned
number16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* body: two addresses, two ports; what follows is extensions. */
static int
parse_addresses(unsigned family, const unsigned char *body, size_t len,
    struct envelope_client *c)
{
	if (family == 0x11) /* TCP over IPv4 */
		return len < V2_IPV4_LEN
			   ? -1
			   : set_client(c, AF_INET, body, number16(body + 8));
	if (family == 0x21) /* TCP over IPv6 */
		return len < V2_IPV6_LEN
			   ? -1
			   : set_client(c, AF_INET6, body, number16(body + 32));
	return family == 0x00 ? 0 : -1; /* unspecified */
}

static int
parse_v2(const unsigned char *in, size_t len, struct envelope_client *c)
{
	size_t body_len;

	if (len < V2_HEAD)
		return 0;
	body_len = number16(in + 14);
	if (in[12] >> 4 != 2 || body_len > PROXY_MAX - V2_HEAD)
		return -1;
	if (len < V2_HEAD + body_len)
		return 0;
	if ((in[12] & 0x0f) > 1 ||
	    ((in[12] & 0x0f) == 1 &&
		parse_addresses(in[13], in + V2_HEAD, body_len, c) == -1))
		return -1;
	return (int)(V2_HEAD + body_len);
}

/* Is it the start of it, as far as it goes? */
static bool
begins(const char *in, size_t len, const void *start, size_t start_len)
{
	return memcmp(in, start, len < start_len ? len : start_len) == 0;
}

int
proxy_parse(const char *in, size_t len, struct envelope_client *c)
{
	if (len == 0)
		return 0;
	if (begins(in, len, v1_start, sizeof v1_start - 1))
		return len < sizeof v1_start ? 0 : parse_v1(in, len, c);
	if (begins(in, len, v2_start, sizeof v2_start))
		return parse_v2((const unsigned char *)in, len, c);
	return -1;
}
