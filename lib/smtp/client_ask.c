#include "smtp/client_ask.h"

#include "smtp/client_wire.h"

int
client_ask(struct client *c, const char *line, struct err *e)
{
	if (c->conn == NULL)
		return wire_not_open(e);
	if (wire_command(c, line, "", e) == -1)
		return -1;
	return wire_expect(c, line, SMTP_COMMAND_TIMEOUT_S, e);
}
