#include "smtp/sts_find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "net/https.h"

#define FILE_HEAD "bmx-sts 1\n"
#define FILE_MAX (STS_POLICY_MAX + 256)
#define REFRESH_S 86400 /* 8461 10.2: an attacker may hold it back for longer */
#define RETRY_S 300     /* 8461 3.3 */
#define FETCH_TIMEOUT_S 30 /* 8461 3.3 suggests one minute */
#define HTTPS_PORT 443

/* What the file keeps; a policy only where fetched_s is not 0. */
struct kept {
	char id[STS_ID_MAX + 1];
	int64_t fetched_s, tried_s;
	struct buf text;
};

struct finding {
	const struct sts_source *from;
	const char *domain;
	int64_t now_s;
	int dir; /* -1: there is none, or it cannot be read */
	struct kept kept;
	struct sts_found *found;
};

static void
tell(struct sts_found *found, enum tls_result result, const struct err *e)
{
	found->result = result;
	text_safe(found->why, sizeof found->why, e->text);
}

/* ---- the file ---- */

/* "id=ID fetched=N tried=N\n" after the head; then the policy. False: damaged.
 */
static bool
parse_kept(const struct buf *b, struct kept *k, size_t *used)
{
	long long fetched, tried;
	char id[STS_ID_MAX + 2];
	int n = 0;

	if (strncmp(b->data, FILE_HEAD, strlen(FILE_HEAD)) != 0 ||
	    sscanf(b->data + strlen(FILE_HEAD),
		"id=%33[0-9A-Za-z-] fetched=%18lld tried=%18lld%n", id,
		&fetched, &tried, &n) != 3 ||
	    strlen(id) > STS_ID_MAX || fetched < 0 || tried < 0 ||
	    b->data[strlen(FILE_HEAD) + (size_t)n] != '\n')
		return false;
	*used = strlen(FILE_HEAD) + (size_t)n + 1;
	memcpy(k->id, id, strlen(id) + 1);
	k->fetched_s = fetched;
	k->tried_s = tried;
	return true;
}

/* A file that is not there, damaged, or out of date leaves nothing kept. */
static void
read_kept(struct finding *f)
{
	struct sts_found *found = f->found;
	struct buf b = BUF_INIT(FILE_MAX);
	struct err e = ERR_INIT;
	size_t used;

	if (f->dir != -1 && file_read(f->dir, f->domain, &b, &e) == 1 &&
	    parse_kept(&b, &f->kept, &used) && f->kept.fetched_s != 0 &&
	    sts_parse(b.data + used, b.len - used, &found->policy, &e) == 0 &&
	    f->now_s - f->kept.fetched_s < found->policy.max_age_s) {
		found->has_policy = true;
		buf_add(&f->kept.text, b.data + used, b.len - used);
	} else {
		f->kept.fetched_s = 0;
	}
	buf_free(&b);
}

/* STATE/mta-sts, made when it is missing and that is wanted. -1 and errno. */
static int
open_directory(const char *path, bool is_made)
{
	int state = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir = -1, why;

	if (state == -1)
		return -1;
	if (!is_made || mkdirat(state, "mta-sts", 0755) == 0 || errno == EEXIST)
		dir = openat(state, "mta-sts",
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	why = errno;
	close(state);
	errno = why;
	return dir;
}

static int
replace_kept(struct finding *f, struct err *e)
{
	const struct kept *k = &f->kept;
	struct buf b = BUF_INIT(FILE_MAX);
	int rc;

	if (f->dir == -1)
		f->dir = open_directory(f->from->state, true);
	if (f->dir == -1)
		return err_sys(e, "%s/mta-sts", f->from->state);
	buf_addf(&b, FILE_HEAD "id=%s fetched=%lld tried=%lld\n",
	    k->id[0] != '\0' ? k->id : "-", (long long)k->fetched_s,
	    (long long)k->tried_s);
	if (k->fetched_s != 0)
		buf_add(&b, k->text.data, k->text.len);
	rc = buf_check(&b, e);
	if (rc == 0)
		rc = file_replace(f->dir, f->domain, b.data, b.len, 0644, e);
	buf_free(&b);
	file_sweep(f->dir);
	return rc == -1 ? err_prefix(e, "mta-sts") : 0;
}

/* A host without a state directory keeps nothing, and has nothing to tell. */
static void
look_for_kept(struct finding *f)
{
	struct err e = ERR_INIT;

	f->dir = open_directory(f->from->state, false);
	if (f->dir == -1 && errno != ENOENT) {
		err_sys(&e, "%s/mta-sts", f->from->state);
		tell(f->found, TLS_OK, &e);
	}
	read_kept(f);
}

/* Without it the next run fetches again: no reason to keep mail back. */
static void
write_kept(struct finding *f)
{
	struct err e = ERR_INIT;

	if (replace_kept(f, &e) == -1 && f->found->result == TLS_OK)
		tell(f->found, TLS_OK, &e);
}

/* ---- the record ---- */

/* 1: exactly one record counts, its id; 0: none, or not to be known. */
static int
find_id(struct finding *f, char id[STS_ID_MAX + 1], struct err *e)
{
	char name[DNS_NAME_MAX], one[STS_ID_MAX + 1];
	struct dns_answer *a;
	unsigned count = 0;
	int rc;

	snprintf(name, sizeof name, "_mta-sts.%s", f->domain);
	a = dns_lookup(f->from->dns, name, DNS_TXT, e);
	if (a == NULL)
		return -1;
	for (size_t i = 0; i < a->nrr; i++) {
		struct err wrong = ERR_INIT;

		rc = sts_parse_txt((const char *)a->rr[i].raw.data,
		    a->rr[i].raw.len, one, &wrong);
		if (rc == -1) {
			err_prefix(&wrong, "%s", name);
			tell(f->found, TLS_STS_POLICY_INVALID, &wrong);
		} else if (rc == 1) {
			memcpy(id, one, sizeof one);
		}
		count += rc != 0;
	}
	dns_answer_free(a);
	if (count > 1) { /* 3.1 */
		struct err wrong = ERR_INIT;

		err_data(&wrong, "%s: %u records", name, count);
		tell(f->found, TLS_STS_POLICY_INVALID, &wrong);
	}
	return count == 1 && f->found->result == TLS_OK;
}

/* ---- the web server ---- */

static int
add_addresses(struct finding *f, enum dns_type type, size_t most,
    struct https_request *r, struct err *e)
{
	struct dns_answer *a = dns_lookup(f->from->dns, r->host, type, e);

	if (a == NULL)
		return -1;
	for (size_t i = 0; i < a->nrr && r->nto < most; i++)
		endpoint_from_bytes(&r->to[r->nto++], a->rr[i].addr,
		    type == DNS_A ? 4 : 16, r->port);
	dns_answer_free(a);
	return 0;
}

static int
fetch_text(struct finding *f, struct buf *b, struct err *e)
{
	char host[DNS_NAME_MAX];
	struct https_request r = { .host = host,
		.path = "/.well-known/mta-sts.txt",
		.port = HTTPS_PORT,
		.ca_file = f->from->ca_file,
		.type = "text/plain" };
	int64_t deadline_ms =
	    f->from->deadline_ms != 0
		? f->from->deadline_ms
		: clock_monotonic_ms() + FETCH_TIMEOUT_S * 1000;
	enum https_result result = HTTPS_NO_ANSWER;

	snprintf(host, sizeof host, "mta-sts.%s", f->domain);
	if (add_addresses(f, DNS_AAAA, HTTPS_ADDRESSES_MAX / 2, &r, e) == -1 ||
	    add_addresses(f, DNS_A, HTTPS_ADDRESSES_MAX, &r, e) == -1)
		return -1;
	r.timeout_ms = (unsigned)clock_left_ms(deadline_ms);
	if (r.nto == 0)
		err_temp(e, "no address");
	else if (r.timeout_ms == 0)
		err_temp(e, "timeout");
	else if (https_get(&r, b, &result, e) == -1)
		return -1;
	if (result == HTTPS_OK)
		return 0;
	err_prefix(e, "https://%s%s", r.host, r.path);
	f->found->is_unanswered = result == HTTPS_NO_ANSWER;
	tell(f->found,
	    result == HTTPS_BAD_CERTIFICATE ? TLS_STS_WEBPKI_INVALID
					    : TLS_STS_POLICY_FETCH_ERROR,
	    e);
	return 0;
}

/* What was fetched takes the place of what was kept, if it is a policy. */
static int
take_text(struct finding *f, const char *id, const struct buf *b, struct err *e)
{
	struct sts_policy *fresh = malloc(sizeof *fresh);

	if (fresh == NULL)
		return err_sys(e, "mta-sts");
	if (sts_parse(b->data, b->len, fresh, e) == 0) {
		f->found->policy = *fresh;
		f->found->has_policy = true;
		snprintf(f->kept.id, sizeof f->kept.id, "%s", id);
		f->kept.fetched_s = f->now_s;
		buf_reset(&f->kept.text);
		buf_add(&f->kept.text, b->data, b->len);
	} else {
		err_prefix(e, "mta-sts.%s", f->domain);
		tell(f->found, TLS_STS_POLICY_INVALID, e);
	}
	free(fresh);
	return 0;
}

static int
fetch(struct finding *f, const char *id, struct err *e)
{
	struct buf b = BUF_INIT(STS_POLICY_MAX);
	int rc = fetch_text(f, &b, e);

	if (rc == 0 && f->found->result == TLS_OK)
		rc = take_text(f, id, &b, e);
	buf_free(&b);
	return rc;
}

static int
refresh(struct finding *f, const char *id, struct err *e)
{
	if (fetch(f, id, e) == -1)
		return -1;
	f->kept.tried_s = f->now_s;
	write_kept(f);
	return 0;
}

/* ---- all of it ---- */

static bool
is_fetch_due(const struct finding *f, const char *id)
{
	int64_t age = f->now_s - f->kept.fetched_s;
	int64_t since = f->now_s - f->kept.tried_s;

	/* the last try failed, perhaps by a clock that was set back */
	if (f->kept.tried_s != f->kept.fetched_s && since >= 0 &&
	    since < RETRY_S)
		return false;
	return !f->found->has_policy || strcmp(id, f->kept.id) != 0 ||
	       age < 0 || age >= REFRESH_S ||
	       age >= f->found->policy.max_age_s / 2;
}

static struct finding
begin(const char *domain, const struct sts_source *from, int64_t now_s,
    struct sts_found *found)
{
	found->has_policy = false;
	found->is_unanswered = false;
	found->result = TLS_OK;
	found->why[0] = '\0';
	return (struct finding){ .from = from,
		.domain = domain,
		.now_s = now_s,
		.dir = -1,
		.kept = { .text = BUF_INIT(STS_POLICY_MAX) },
		.found = found };
}

int
sts_fetch(const char *domain, const struct sts_source *from,
    struct sts_found *found, struct err *e)
{
	struct finding f = begin(domain, from, 0, found);
	int rc = fetch(&f, "", e);

	buf_free(&f.kept.text);
	return rc;
}

int
sts_find(const char *domain, const struct sts_source *from, int64_t now_s,
    struct sts_found *found, struct err *e)
{
	struct finding f = begin(domain, from, now_s, found);
	char id[STS_ID_MAX + 1] = "";
	int rc = 0;

	look_for_kept(&f);
	if (!from->is_offline) {
		rc = find_id(&f, id, e);
		if (rc == 1)
			rc = is_fetch_due(&f, id) ? refresh(&f, id, e) : 0;
	}
	buf_free(&f.kept.text);
	if (f.dir != -1)
		close(f.dir);
	return rc;
}
