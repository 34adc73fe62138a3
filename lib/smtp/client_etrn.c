#include "smtp/client_etrn.h"

#include "smtp/client_wire.h"

#define ETRN_TIMEOUT_S 300 /* as for other commands, RFC 5321 4.5.3.2 */

int
client_etrn(struct client *c, const char *node, struct err *e)
{
	if (c->conn == NULL)
		return wire_not_open(e);
	if (wire_command(c, "ETRN", node, e) == -1)
		return -1;
	return wire_expect(c, "ETRN", ETRN_TIMEOUT_S, e);
}
