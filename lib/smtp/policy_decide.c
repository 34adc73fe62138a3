#include "smtp/policy.h"

/* What bmx.conf asks for, without DNS. */
static struct policy_decision
configured(const struct policy_facts *f)
{
	struct policy_decision d = { .level = f->configured,
		.is_vouched_for = f->is_by_bmx_conf || f->is_mx_secure };

	if (f->configured == CONFIG_TLS_VERIFY) {
		d.proof = TLS_PKIX;
		d.is_vouched_for = d.is_vouched_for || f->has_names;
	} else if (f->configured == CONFIG_TLS_PIN) {
		d.proof = TLS_PIN;
		d.is_vouched_for = true;
	} else if (f->configured == CONFIG_TLS_DANE) {
		d.level = CONFIG_TLS_MAY;
	}
	return d;
}

/* RFC 7672 section 2.2. True: the decision stands, whatever MTA-STS says: it
 * must not excuse what DANE objects to (RFC 8461 section 2). */
static bool
apply_dane(const struct policy_facts *f, struct policy_decision *d)
{
	if (f->configured != CONFIG_TLS_DANE &&
	    f->configured != CONFIG_TLS_DANE_ONLY)
		return false;
	if (f->dane == DANE_TROUBLE) {
		d->source = POLICY_TLSA;
		d->result = TLS_DNSSEC_INVALID;
	} else if (f->dane == DANE_USABLE) {
		d->source = POLICY_TLSA;
		d->level = f->configured;
		d->proof = TLS_DANE;
	} else if (f->configured == CONFIG_TLS_DANE_ONLY) {
		d->source = POLICY_TLSA;
		d->result = TLS_DANE_REQUIRED;
	} else if (f->dane == DANE_UNUSABLE) {
		d->source = POLICY_TLSA;
		d->level = CONFIG_TLS_ENCRYPT;
		return false; /* nothing was promised about certificates */
	} else {
		return false;
	}
	return true;
}

/* RFC 8461 section 5. What bmx.conf proves already is proved well enough. */
static void
apply_sts(const struct policy_facts *f, struct policy_decision *d)
{
	if (f->configured == CONFIG_TLS_NONE || f->is_by_bmx_conf ||
	    f->sts == POLICY_STS_NONE)
		return;
	d->source = POLICY_STS;
	if (f->sts == POLICY_STS_ENFORCE && !f->is_listed) {
		d->result = TLS_VALIDATION_FAILURE;
		return;
	}
	if (f->sts == POLICY_STS_ENFORCE)
		d->is_vouched_for = true;
	if (d->proof != TLS_ANY)
		return;
	d->proof = TLS_PKIX;
	if (f->sts == POLICY_STS_ENFORCE)
		d->level = CONFIG_TLS_VERIFY;
	else
		d->is_advice = true;
}

struct policy_decision
policy_decide(const struct policy_facts *f)
{
	struct policy_decision d = configured(f);

	if (!apply_dane(f, &d))
		apply_sts(f, &d);
	return d;
}
