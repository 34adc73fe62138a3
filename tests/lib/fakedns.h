#ifndef BMX_TESTS_FAKEDNS_H
#define BMX_TESTS_FAKEDNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/*
 * A name server that behaves badly on purpose: a thread of the test, UDP and
 * TCP on one port of 127.0.0.1.
 *
 * Its answers: to A 192.0.2.1; to TXT one string of the letter x; to anything
 * else NODATA. A name whose first label is "nx" does not exist.
 */
enum fakedns_way {
	FAKEDNS_ANSWER,
	FAKEDNS_ANSWER_TTL_0,
	FAKEDNS_NO_SOA, /* denials without one */
	FAKEDNS_AD,     /* answers with the AD bit */
	FAKEDNS_SERVFAIL,
	FAKEDNS_REFUSED,
	FAKEDNS_SILENT,
	FAKEDNS_SILENT_ONCE, /* to the first query of all */
	/* before the answer, what must be ignored: it says 192.0.2.66 */
	FAKEDNS_WRONG_ID,
	FAKEDNS_WRONG_NAME,
	FAKEDNS_WRONG_TYPE,
	FAKEDNS_STRANGER,    /* from another port */
	FAKEDNS_ECHO,        /* the query itself comes back */
	FAKEDNS_FORMERR_OPT, /* answers only without OPT */
	FAKEDNS_JUNK_OPT,    /* junk behind the answer, unless without OPT */
	FAKEDNS_JUNK,        /* junk behind each answer */
	FAKEDNS_LONG,        /* over UDP 10000 bytes; TCP answers */
	FAKEDNS_TC,          /* TCP answers */
	FAKEDNS_TC_SLOW,     /* TCP answers byte for byte */
	FAKEDNS_TC_CLOSES,   /* TCP closes in the middle of the answer */
	FAKEDNS_TC_LEAVES,   /* TCP closes without an answer */
	FAKEDNS_TC_REFUSES,  /* nobody listens to TCP */
	FAKEDNS_TC_SILENT,   /* TCP never answers */
	FAKEDNS_TC_TC,       /* TCP answers with TC, too */
	FAKEDNS_BATCH,       /* answers when no more queries come */
};

struct fakedns {
	enum fakedns_way way;
	char address[32]; /* "127.0.0.1:PORT" */
	atomic_uint udp;  /* queries */
	atomic_uint tcp;
	atomic_uint with_opt; /* of the UDP queries */
	atomic_uint with_rd, with_cd;
	atomic_uint most;     /* FAKEDNS_BATCH: queries in one batch */
	atomic_uint ports;    /* different source ports */
	atomic_uint next_ids; /* ids that are the one before plus one */
	/* private */
	int udp_fd, tcp_fd, stop_fd[2];
	uint16_t last_id;
	unsigned char port_seen[8192];
	pthread_t thread;
};

/* Both abort the test when they cannot. */
void fakedns_start(struct fakedns *f, enum fakedns_way way);
void fakedns_stop(struct fakedns *f);

#endif
