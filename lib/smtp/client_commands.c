#include "smtp/client_commands.h"

bool
commands_offered(const struct client *c, enum smtp_ext ext)
{
	return (c->offer.exts & (unsigned)ext) != 0;
}

const struct smtp_reply *
commands_lacking(const struct client *c, const struct smtp_mail *m,
    bool is_utf8)
{
	static const struct smtp_reply no_8bit = { 554, "5.6.3",
		"The next host does not offer 8BITMIME", 1 };
	static const struct smtp_reply no_utf8 = { 554, "5.6.7",
		"The next host does not offer SMTPUTF8", 1 };
	static const struct smtp_reply no_tls = { 554, "5.7.30",
		"The next host does not offer REQUIRETLS", 1 };
	static const struct smtp_reply no_proof = { 554, "5.7.10",
		"The next host does not prove by TLS who it is", 1 };

	if (m->body == SMTP_BODY_8BITMIME &&
	    !commands_offered(c, SMTP_EXT_8BITMIME))
		return &no_8bit;
	if (is_utf8 && !commands_offered(c, SMTP_EXT_SMTPUTF8))
		return &no_utf8;
	if (m->requiretls && !c->is_authenticated)
		return &no_proof;
	if (m->requiretls && !commands_offered(c, SMTP_EXT_REQUIRETLS))
		return &no_tls;
	return NULL;
}

void
commands_mail(struct buf *line, const struct client *c,
    const struct smtp_mail *m, uint64_t size, bool is_utf8)
{
	struct smtp_mail ours = *m;

	ours.has_size = size > 0;
	ours.size = size;
	ours.smtputf8 = is_utf8;
	buf_addf(line, "MAIL FROM:<%s>", m->reverse_path.text);
	smtp_format_mail_params(line, &ours, c->offer.exts);
}

void
commands_rcpt(struct buf *line, const struct client *c, const struct addr *to,
    unsigned notify, const char *orcpt)
{
	buf_addf(line, "RCPT TO:<%s>", to->text);
	smtp_format_rcpt_params(line, notify, orcpt, c->offer.exts);
}

void
commands_settle_rcpt(struct smtp_reply *r)
{
	if (r->code != 552)
		return;
	r->code = 452;
	if (r->enhanced[0] == '5')
		r->enhanced[0] = '4';
}
