#ifndef BMX_DNS_H
#define BMX_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * DNS for all of bmx: libresolv encodes, decodes and reads resolv.conf; the
 * sockets are ours, non-blocking, on one loop that carries many questions at
 * once. (res_nsend folds SERVFAIL and a lost packet into one, waits in whole
 * seconds, and asks one question at a time.)
 *
 * Query ids come from getrandom(2), source ports from the kernel; a reply
 * counts only from the connected server, with our id, and with our question.
 * TC repeats over TCP; EDNS says 1232 bytes and DO. Equal questions in flight
 * are asked once; answers stay in a bounded cache for their TTL. No search
 * list, no shortening: names are taken as they stand.
 */

struct dns; /* an engine */
struct endpoint;

/* What an answer says. The last four are no answer: the zone may be fine. */
enum dns_status {
	DNS_OK,
	DNS_NODATA, /* the name exists, without this type */
	DNS_NXDOMAIN,
	DNS_SERVFAIL,  /* from every server */
	DNS_REFUSED,   /* or NOTIMP */
	DNS_MALFORMED, /* a reply that cannot be read, alias loops */
	DNS_TIMEOUT,   /* nobody answered within the deadline */
};

enum dns_type { /* the RR types bmx asks for, RFC 1035 and later */
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

#define DNS_NAME_MAX 1025 /* presentation form, escapes included, with NUL */

struct dns_rr {
	uint32_t ttl;
	union {
		unsigned char addr[16]; /* A (4 bytes), AAAA (16) */
		struct {
			uint16_t preference;
			const char *host; /* lower case, no final dot; "" is the
					     root, a null MX (RFC 7505) */
		} mx;
		const char *name; /* NS, CNAME, PTR */
		struct {
			const unsigned char *data; /* TXT: strings joined; TLSA:
						      as on the wire; SOA: its
						      five numbers, 20 bytes */
			size_t len;
		} raw;
	};
};

/* One answer; everything in it is owned by it. */
struct dns_answer {
	enum dns_status status;
	bool is_authentic;     /* AD, and the way to the resolver is trusted */
	bool is_trusted;       /* without AD it is not signed, or the resolver
				  does not validate; else nothing is known */
	bool is_authoritative; /* AA: the TTLs are the zone's own */
	unsigned aliases;      /* CNAMEs that were followed (at most 8) */
	const char *name;      /* the owner of the records, after the aliases */
	uint32_t ttl;          /* smallest of the records, or of the denial */
	struct dns_rr *rr;     /* in the order of the reply */
	size_t nrr;
	const char *server; /* who said it, "127.0.0.1:53" */
};

struct dns_options {
	const char *const *servers; /* "ADDRESS" or "ADDRESS:PORT"; none:
				       resolv.conf's */
	size_t nservers;
	unsigned window; /* questions in flight, 0: 256; at most 10000. More
				 than 256 overrun a resolver's usual receive
				 buffer, and what is lost is asked again */
	unsigned deadline_ms; /* for one question, all tries; 0: 10000 */
	bool trust_ad;        /* believe AD also from a server that is not on
				   loopback */
};

/* NULL: ERR_CONFIG (a bad server address, a window too large), ERR_TEMP. An
 * engine belongs to one thread of one process. */
struct dns *dns_open(const struct dns_options *o, struct err *e);

/* Questions that are not answered yet are forgotten. Not from within done. */
void dns_close(struct dns *d);

/*
 * Ask; done is called from within dns_run(), exactly once for each question,
 * with an answer that lives until it returns. More questions may be asked
 * from there. -1: ERR_TEMP, out of memory; a name that cannot be asked gets
 * its DNS_MALFORMED answer.
 */
typedef void dns_done(void *arg, const struct dns_answer *a);
int dns_ask(struct dns *d, const char *name, enum dns_type type, dns_done *done,
    void *arg, struct err *e);

/* Where the plain way will not do. */
struct dns_how {
	const struct endpoint *server; /* ask this one alone and without
					  recursion (RD 0), as a resolver asks
					  an authoritative server; NULL: the
					  engine's */
	bool is_unchecked; /* CD: also what does not validate, RFC 4035 3.2.2 */
};

/* The same in that way; a server that has no authority for the name, and so
 * refers to others, counts as DNS_REFUSED. */
int dns_ask_how(struct dns *d, const char *name, enum dns_type type,
    const struct dns_how *how, dns_done *done, void *arg, struct err *e);

/* For questions that are asked from now on, however many: they have their
 * answers by this time (clock.h, monotonic ms) at the latest, as at their
 * deadline; 0: no such time. While no question is outstanding. */
void dns_limit(struct dns *d, int64_t until_ms);

/* Questions that wait for an answer: keep it below the window for flow
 * control; more are queued. */
size_t dns_outstanding(const struct dns *d);

/* Work until something was answered or a signal came, or (with wait false)
 * only what can be done at once. Returns the questions outstanding, or -1. */
long dns_run(struct dns *d, bool wait, struct err *e);

/* Never call done for the questions that were asked with this arg. */
void dns_forget(struct dns *d, const void *arg);

/*
 * One question, waiting for the answer. Returns the answer, to be released
 * with dns_answer_free(), or NULL (ERR_TEMP: memory, descriptors). That the
 * zone is broken is an answer, not an error. Other questions go on meanwhile;
 * not from within done.
 */
struct dns_answer *dns_lookup(struct dns *d, const char *name,
    enum dns_type type, struct err *e);
void dns_answer_free(struct dns_answer *a);

/* "NXDOMAIN", "no such record", "SERVFAIL", ... */
const char *dns_status_text(enum dns_status status);

#endif
