#include "base/options.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* One row of the help: "  -c, --config=FILE   configuration file". */
static void
print_row(const struct poptOption *row)
{
	char names[48];
	size_t used = 0;

	if (row->shortName != '\0')
		used = (size_t)snprintf(names, sizeof names, "-%c, ",
		    row->shortName);
	else
		used = (size_t)snprintf(names, sizeof names, "    ");
	snprintf(names + used, sizeof names - used, "--%s%s%s", row->longName,
	    row->argDescrip == NULL ? "" : "=",
	    row->argDescrip == NULL ? "" : row->argDescrip);
	printf("  %-26s %s\n", names, row->descrip);
}

/* A row with POPT_ARGFLAG_DOC_HIDDEN is for the manual alone. */
static void
print_help(const struct options_usage *usage, const struct poptOption *rows)
{
	bool has_more = false;

	printf("Usage: %s %s\n%s\n\n", usage->program, usage->args,
	    usage->purpose);
	for (; rows->longName != NULL; rows++) {
		if ((rows->argInfo & POPT_ARGFLAG_DOC_HIDDEN) != 0)
			has_more = true;
		else
			print_row(rows);
	}
	if (usage->examples != NULL)
		printf("\nExamples:\n%s", usage->examples);
	printf("\n%s: man %s\n",
	    has_more ? "Manual, with more options" : "Manual", usage->program);
}

/* Read all options. Ours need no code of their own: popt fills the rows'
 * variables and returns only mistakes. */
static int
read_options(struct options *o, const struct options_usage *usage,
    struct err *e)
{
	int rc = poptGetNextOpt(o->popt);

	if (rc < -1)
		return err_usage(e, "%s: %s; try %s --help",
		    poptBadOption(o->popt, POPT_BADOPTION_NOALIAS),
		    poptStrerror(rc), usage->program);
	return 0;
}

int
options_parse(struct options *o, const struct options_usage *usage,
    const struct poptOption *rows, int argc, char **argv, struct err *e)
{
	static const char *none[] = { NULL };

	o->args = none;
	o->popt =
	    poptGetContext(usage->program, argc, (const char **)argv, rows, 0);
	if (o->popt == NULL)
		return err_temp(e, "out of memory");
	if (read_options(o, usage, e) == -1)
		return -1;
	if (o->want_help)
		print_help(usage, rows);
	else if (o->want_version)
		printf("%s (%s) %s\n", usage->program, PACKAGE_NAME,
		    PACKAGE_VERSION);
	if (o->want_help || o->want_version)
		return fflush(stdout) == 0 ? 1 : err_sys(e, "write");
	if (poptPeekArg(o->popt) != NULL)
		o->args = poptGetArgs(o->popt);
	return 0;
}

void
options_free(struct options *o)
{
	if (o->popt != NULL)
		poptFreeContext(o->popt);
	o->popt = NULL;
	free(o->config_path);
	o->config_path = NULL;
}
