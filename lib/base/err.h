#ifndef BMX_ERR_H
#define BMX_ERR_H

/*
 * Why something failed, and of what kind the failure is.
 *
 * Functions that can fail take a struct err as their last argument and return
 * -1 after one of the setters below. Only the place that failed knows whether
 * trying again can help, so it says so there; our own trouble (disk, memory,
 * DNS) is always temporary. The library only returns reasons; programs print
 * them, once.
 */

enum err_class {
	ERR_NONE,
	ERR_TEMP,   /* may work later: 4yz, EX_TEMPFAIL */
	ERR_PERM,   /* will not work: 5yz, EX_UNAVAILABLE */
	ERR_DATA,   /* what we were given is malformed: EX_DATAERR */
	ERR_CONFIG, /* bmx.conf is wrong: EX_CONFIG */
	ERR_USAGE,  /* the command line is wrong: EX_USAGE */
};

struct err {
	enum err_class class;
	int sys; /* errno when a system call failed, else 0 */
	char text[512];
};

/* clang-format off */
#define ERR_INIT { ERR_NONE, 0, "" }
/* clang-format on */

/* Each sets *e from a printf format and returns -1. Text too long is cut. */
int err_temp(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_perm(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_data(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_config(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int err_usage(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* A failed system call: ERR_TEMP, with ": strerror(errno)" appended. */
int err_sys(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "prefix: " before the text that is there: the way to the failure. */
int err_prefix(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The sysexits(3) code for e; EX_OK for ERR_NONE. */
int err_exit_code(const struct err *e);

#endif
