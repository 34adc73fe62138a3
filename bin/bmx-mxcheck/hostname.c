#include "hostname.h"

#include <arpa/inet.h>
#include <string.h>

#define LABEL_MAX 63     /* octets, RFC 1035 2.3.4 */
#define NAME_MAX_DNS 253 /* characters: 255 octets on the wire */
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

static const char *
label_fault(const char *label, size_t len)
{
	if (len == 0)
		return "has an empty label";
	if (memchr(label, '_', len) != NULL)
		return "has an underscore, which no host name may have";
	if (strspn(label, LETTERS DIGITS "-") < len)
		return "has characters other than letters, digits and hyphens";
	if (len > LABEL_MAX)
		return "has a label of more than 63 characters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "has a label that begins or ends with a hyphen";
	return NULL;
}

/* RFC 6761 6.3: localhost is whoever looks it up. */
static bool
is_localhost(const char *name)
{
	size_t len = strlen(name), tail = strlen("localhost");

	if (strcmp(name, "localhost.localdomain") == 0)
		return true;
	if (len < tail || strcmp(name + len - tail, "localhost") != 0)
		return false;
	return len == tail || name[len - tail - 1] == '.';
}

const char *
hostname_fault(const char *name)
{
	const char *label = name;

	for (;;) {
		size_t len = strcspn(label, ".");
		const char *fault = label_fault(label, len);

		if (fault != NULL)
			return fault;
		if (label[len] == '\0')
			break;
		label += len + 1;
	}
	/* behind the characters, of which an escape "\255" is one */
	if (strlen(name) > NAME_MAX_DNS)
		return "is longer than 253 characters";
	if (is_localhost(name))
		return "is this very host for everybody who looks it up";
	return NULL;
}

bool
hostname_is_address(const char *name)
{
	const char *last = strrchr(name, '.');
	unsigned char bytes[sizeof(struct in6_addr)];

	last = last == NULL ? name : last + 1;
	if (*last != '\0' && last[strspn(last, DIGITS)] == '\0')
		return true;
	if (name[0] == '[')
		return true;
	return inet_pton(AF_INET6, name, bytes) == 1;
}

/* The name is something that needs no zone behind it, and then the zone. */
static bool
has_zone_behind(const char *name, const char *zone)
{
	size_t len = strlen(name), tail = strlen(zone), head;
	char front[NAME_MAX_DNS + 1];

	if (len <= tail + 1 || len > NAME_MAX_DNS)
		return false;
	head = len - tail - 1;
	if (name[head] != '.' || strcmp(name + head + 1, zone) != 0)
		return false;
	memcpy(front, name, head);
	front[head] = '\0';
	if (hostname_is_address(front))
		return true;
	if (head < tail || strcmp(front + head - tail, zone) != 0)
		return false;
	return head == tail || front[head - tail - 1] == '.';
}

/* The zone may begin anywhere above the domain. */
bool
hostname_lacks_dot(const char *name, const char *domain)
{
	const char *zone = domain;

	while (zone != NULL && !has_zone_behind(name, zone)) {
		zone = strchr(zone, '.');
		if (zone != NULL)
			zone++;
	}
	return zone != NULL;
}
