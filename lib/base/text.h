#ifndef BMX_TEXT_H
#define BMX_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Words of peers, users and files made safe to show. Everything that came
 * from outside passes here before it reaches a terminal, a log, a reply or a
 * state file.
 */

/*
 * Copy len bytes of in to out as printable ASCII: every other byte, and the
 * backslash, becomes \xNN. out gets at most size bytes with its NUL; a text
 * that does not fit ends in "...". size >= 8. Returns out.
 */
char *text_printable(char *out, size_t size, const char *in, size_t len);

/* The same for a NUL-terminated text. */
char *text_safe(char *out, size_t size, const char *in);

/* For a line of "key=value" pairs, in which no peer may write a pair of its
 * own: a word, in which blanks and double quotes become \xNN too; and a text
 * to stand between double quotes, in which they do. */
char *text_word(char *out, size_t size, const char *in);
char *text_quoted(char *out, size_t size, const char *in);

/* The same for a text that is printable already, in place: double quotes become
 * single ones, and nothing is escaped twice. Returns text. */
char *text_quotable(char *text);

/* No byte of it is beyond 0x7f. */
bool text_is_ascii(const char *s, size_t len);

/* The length of the byte order mark (U+FEFF in UTF-8) that it begins with, as
 * some systems begin a file: no part of the first line. 0: there is none. */
size_t text_mark(const char *s, size_t len);

/* Write value in decimal, for lists of many, where printf(3) is too slow. out
 * has TEXT_DECIMAL_MAX bytes, or as many as the value needs. Returns out. */
#define TEXT_DECIMAL_MAX sizeof "18446744073709551615"
char *text_decimal(char *out, uint64_t value);

/*
 * Parse the whole of text as a decimal number in [0, max], no sign, no
 * blanks. Returns 0, or -1 and *value is untouched.
 */
int text_number(const char *text, size_t len, unsigned long long max,
    unsigned long long *value);

#endif
