#ifndef BMX_OPTIONS_H
#define BMX_OPTIONS_H

#include <stdio.h>

#include <popt.h>

#include "base/err.h"

/*
 * Command lines: what all bmx programs share, and the order of the steps.
 *
 *	struct options o = OPTIONS_INIT;
 *	const struct poptOption rows[] = {
 *		{ "json", 'j', POPT_ARG_NONE, &json, 0, "one object per line", NULL },
 *		OPTIONS_COMMON(&o),
 *		POPT_TABLEEND,
 *	};
 *	switch (options_parse(&o, &usage, rows, argc, argv, &e)) { ... }
 *
 * POPT_ARG_STRING variables are copies that the caller frees. A row with
 * POPT_ARGFLAG_DOC_HIDDEN is left out of --help, which is to fit a terminal.
 */
struct options {
	char *config_path; /* -c, else $BMX_CONF, else the built-in path */
	int check_config;
	int want_help;
	int want_version;
	const char **args; /* what is not an option, NULL-terminated; never NULL
			      after options_parse() */
	poptContext popt;
};

struct options_usage {
	const char *program;  /* "bmx-queue" */
	const char *args;     /* "[OPTION...] [ID | DOMAIN]..." */
	const char *purpose;  /* one line */
	const char *examples; /* lines to print after the options, or NULL */
};

/* clang-format off */
#define OPTIONS_INIT { NULL, 0, 0, 0, NULL, NULL }

#define OPTIONS_COMMON(o)                                                      \
	{ "config", 'c', POPT_ARG_STRING, &(o)->config_path, 0,                \
	    "configuration file, see bmx.conf(5)", "FILE" },                   \
	{ "check-config", 0, POPT_ARG_NONE, &(o)->check_config, 0,             \
	    "check the configuration and exit", NULL },                        \
	{ "version", 'V', POPT_ARG_NONE, &(o)->want_version, 0,                \
	    "print the version and exit", NULL },                              \
	{ "help", 'h', POPT_ARG_NONE, &(o)->want_help, 0,                      \
	    "print this help and exit", NULL }
/* clang-format on */

/*
 * Parse. Returns 0 to go on, 1 when --help or --version was printed to stdout
 * and the program should exit 0, or -1 with ERR_USAGE, or ERR_TEMP when those
 * could not be written.
 */
int options_parse(struct options *o, const struct options_usage *usage,
    const struct poptOption *rows, int argc, char **argv, struct err *e);

/* o->args and the strings in it die here. Harmless when called twice. */
void options_free(struct options *o);

#endif
