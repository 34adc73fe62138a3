#include "visitor.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "facts.h"

#define COUNT_MAX 65535 /* of what was not looked at */

void
visitor_refuse(struct visitor *v, const char *fault)
{
	if (*v->fault == NULL)
		*v->fault = fault;
}

const char visitor_no_memory[] = "out of memory";

/* The value to read; NULL (refused): there is none. */
static json_t *
take(struct visitor *v, const char *key)
{
	json_t *value = json_object_get(v->o, key);

	if (value == NULL)
		visitor_refuse(v, key);
	else
		v->taken++;
	return value;
}

static void
put(struct visitor *v, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(v->o, key, value) == -1)
		visitor_refuse(v, visitor_no_memory);
}

/* ---- values ---- */

void
visit_bool(struct visitor *v, const char *key, bool *b)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, json_boolean(*b));
		return;
	}
	value = take(v, key);
	if (!json_is_boolean(value))
		visitor_refuse(v, key);
	*b = json_is_true(value);
}

json_int_t
visit_number(struct visitor *v, const char *key, json_int_t number,
    json_int_t max)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, json_integer(number));
		return number;
	}
	value = take(v, key);
	number = json_integer_value(value);
	if (!json_is_integer(value) || number < 0 || number > max) {
		visitor_refuse(v, key);
		number = 0;
	}
	return number;
}

void
visit_size(struct visitor *v, const char *key, size_t *n)
{
	*n = (size_t)visit_number(v, key,
	    (json_int_t)(*n < COUNT_MAX ? *n : COUNT_MAX), COUNT_MAX);
}

/* Bytes as the characters U+0001 to U+00FF: what a TXT record has need not be
 * UTF-8. */
static json_t *
text_to_json(const char *text)
{
	char *utf8 = malloc(2 * strlen(text) + 1), *p = utf8;
	json_t *value;

	for (; utf8 != NULL && *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x80)
			*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
	}
	if (utf8 == NULL)
		return NULL;
	*p = '\0';
	value = json_string(utf8);
	free(utf8);
	return value;
}

/* In place; false: a character above U+00FF. */
static bool
text_from_utf8(char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *out = text;

	for (; *in != '\0'; in++) {
		if (*in < 0x80) {
			*out++ = (char)*in;
		} else if (*in <= 0xc3) {
			*out++ = (char)((*in & 3) << 6 | (in[1] & 0x3f));
			in++;
		} else {
			return false;
		}
	}
	*out = '\0';
	return true;
}

/* NULL is null, where that may be. */
void
visit_text(struct visitor *v, const char *key, char **text, size_t max,
    bool may_be_null)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, *text == NULL ? json_null() : text_to_json(*text));
		return;
	}
	value = take(v, key);
	if (json_is_null(value) && may_be_null)
		return;
	if (!json_is_string(value) || json_string_length(value) > 2 * max) {
		visitor_refuse(v, key);
		return;
	}
	*text = strdup(json_string_value(value));
	if (*text == NULL)
		visitor_refuse(v, visitor_no_memory);
	else if (!text_from_utf8(*text) || strlen(*text) > max)
		visitor_refuse(v, key);
}

void
visit_chars(struct visitor *v, const char *key, char *text, size_t size)
{
	char *value = v->is_reading ? NULL : text;

	visit_text(v, key, &value, size - 1, false);
	if (!v->is_reading || value == NULL)
		return;
	memccpy(text, value, '\0', size);
	text[size - 1] = '\0';
	free(value);
}

void
visit_hex(struct visitor *v, const char *key, unsigned char *bytes, size_t *len,
    size_t max)
{
	char text[2 * FACTS_TLSA_BYTES + 1] = "", *p = text;
	const char *given;

	for (size_t i = 0; i < *len && i < max; i++)
		p += sprintf(p, "%02x", bytes[i]);
	if (!v->is_reading) {
		put(v, key, json_string(text));
		return;
	}
	given = json_string_value(take(v, key));
	*len = 0;
	if (given == NULL || strlen(given) > 2 * max ||
	    strlen(given) % 2 != 0 ||
	    strspn(given, "0123456789abcdef") != strlen(given)) {
		visitor_refuse(v, key);
		return;
	}
	for (; *given != '\0'; given += 2)
		bytes[(*len)++] =
		    (unsigned char)strtoul((char[]){ given[0], given[1], '\0' },
			NULL, 16);
}

/* ---- objects and arrays ---- */

/* Nothing was asked: null. False: it is an object. */
bool
visit_nothing(struct visitor *v, const char *key, size_t i, bool is_nothing)
{
	if (v->is_reading) {
		is_nothing =
		    json_is_null(key == NULL ? json_array_get(v->o, i)
					     : json_object_get(v->o, key));
		v->taken += is_nothing && key != NULL;
	} else if (is_nothing && key != NULL) {
		put(v, key, json_null());
	} else if (is_nothing &&
		   json_array_append_new(v->o, json_null()) == -1) {
		visitor_refuse(v, visitor_no_memory);
	}
	return is_nothing;
}

/* An object in v, below key; with key NULL item i of the array v. */
struct visitor
visitor_enter(struct visitor *v, const char *key, size_t i)
{
	struct visitor in = *v;

	in.taken = 0;
	if (!v->is_reading) {
		in.o = json_object();
	} else {
		in.o = key == NULL ? json_array_get(v->o, i) : take(v, key);
		if (!json_is_object(in.o))
			visitor_refuse(v, key == NULL ? "an array" : key);
	}
	return in;
}

void
visitor_leave(struct visitor *v, const char *key, struct visitor *in)
{
	if (v->is_reading) {
		if (in->taken != json_object_size(in->o))
			visitor_refuse(v, "an unknown key");
	} else if (key != NULL) {
		put(v, key, in->o);
	} else if (json_array_append_new(v->o, in->o) == -1) {
		visitor_refuse(v, visitor_no_memory);
	}
}

/* The array below key; when reading *n becomes its length. */
struct visitor
visitor_enter_array(struct visitor *v, const char *key, size_t *n, size_t max)
{
	struct visitor in = *v;

	if (!v->is_reading) {
		in.o = json_array();
		return in;
	}
	in.o = take(v, key);
	*n = json_array_size(in.o);
	if (!json_is_array(in.o) || *n > max) {
		visitor_refuse(v, key);
		*n = 0;
	}
	return in;
}

void
visitor_leave_array(struct visitor *v, const char *key, struct visitor *in)
{
	if (!v->is_reading)
		put(v, key, in->o);
}

/* Room for n of them; 0 is room for one, so that the array is there. */
void *
visitor_allocate(struct visitor *v, size_t n, size_t size)
{
	void *all = calloc(n + 1, size);

	if (all == NULL)
		visitor_refuse(v, visitor_no_memory);
	return all;
}
