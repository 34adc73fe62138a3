#ifndef BMX_DNS_ANSWER_H
#define BMX_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "net/dns.h"

/*
 * The memory of answers, for dns*.c. An answer is one block: the struct, its
 * records, and behind them the bytes that these point to. It is counted, since
 * the cache and everybody who asked share it; once shared it is not changed
 * any more.
 */

/* An answer with room for nrr records and extra bytes, which begin at *bytes.
 * NULL: no memory. */
struct dns_answer *dns_answer_new(enum dns_status status, size_t nrr,
    size_t extra, char **bytes);

/* One without records. Never NULL: without memory it is a constant that says
 * DNS_TIMEOUT. */
struct dns_answer *dns_answer_empty(enum dns_status status, const char *name);

/* Who said it; is_trusted: his AD counts. Before anybody shares the answer. */
void dns_answer_stamp(struct dns_answer *a, const char *server,
    bool is_trusted);

/* One more owner, who calls dns_answer_free(). */
struct dns_answer *dns_answer_share(const struct dns_answer *a);

/* Bytes it takes. */
size_t dns_answer_size(const struct dns_answer *a);

#endif
