#ifndef BMX_MXCHECK_VISITOR_H
#define BMX_MXCHECK_VISITOR_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * Each fact is described once: a visitor writes it to an object, or reads it
 * from there. Jansson passes a NULL on, so that out of memory shows at the end.
 */
struct visitor {
	bool is_reading;
	json_t *o;          /* object or array */
	size_t taken;       /* keys read */
	const char **fault; /* the first: shared by all; NULL: none */
};

/* Say what is wrong; the first fault stays. */
void visitor_refuse(struct visitor *v, const char *fault);
extern const char visitor_no_memory[];

/* ---- values; in an array the key is NULL where that may be ---- */

void visit_bool(struct visitor *v, const char *key, bool *b);
json_int_t visit_number(struct visitor *v, const char *key, json_int_t number,
    json_int_t max);
void visit_size(struct visitor *v, const char *key, size_t *n);
/* Bytes as the characters U+0001 to U+00FF; NULL is null, where that may be. */
void visit_text(struct visitor *v, const char *key, char **text, size_t max,
    bool may_be_null);
/* The same in a buffer of so many bytes. */
void visit_chars(struct visitor *v, const char *key, char *text, size_t size);
void visit_hex(struct visitor *v, const char *key, unsigned char *bytes,
    size_t *len, size_t max);

/* ---- objects and arrays ---- */

/* Nothing was asked: null. False: it is an object. */
bool visit_nothing(struct visitor *v, const char *key, size_t i,
    bool is_nothing);

/* An object in v, below key; with key NULL item i of the array v. */
struct visitor visitor_enter(struct visitor *v, const char *key, size_t i);
void visitor_leave(struct visitor *v, const char *key, struct visitor *in);

/* The array below key; when reading *n becomes its length. */
struct visitor visitor_enter_array(struct visitor *v, const char *key,
    size_t *n, size_t max);
void visitor_leave_array(struct visitor *v, const char *key,
    struct visitor *in);

/* Room for n of them; 0 is room for one, so that the array is there. */
void *visitor_allocate(struct visitor *v, size_t n, size_t size);

#endif
