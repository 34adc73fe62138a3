#include "bmx-queue/request.h"

#include <stdlib.h>
#include <string.h>

#include "bmx-queue/verbs.h"

/* The verb is the first argument, when it is one. */
static void
take_verb(struct request *r, const char **args)
{
	r->names = args;
	r->verb = args[0] == NULL ? NULL : verb_find(args[0]);
	if (r->verb == NULL)
		r->verb = verb_find("list");
	else
		r->names++;
}

bool
request_is_overview(const struct request *r)
{
	return r->domains || r->summary;
}

/* Options that would have no effect are mistakes. */
static int
check_options(const struct request *r, struct err *e)
{
	const struct {
		const char *names;
		bool is_given;
		unsigned bit;
	} options[] = {
		{ "filter", filter_is_given(&r->filter), TAKES_FILTER },
		{ "--json", r->json, TAKES_JSON },
		{ "--domains, --summary or --null",
		    r->domains || r->summary || r->null, TAKES_OVERVIEW },
		{ "--yes", r->yes, TAKES_YES },
		{ "--reason", r->reason != NULL, TAKES_REASON },
		{ "--until", r->until != NULL, TAKES_UNTIL },
		{ "--since", r->since != NULL, TAKES_SINCE },
		{ "--by", r->by != NULL, TAKES_BY },
		{ "--count", r->count != 0, TAKES_COUNT },
		{ "--repair", r->repair, TAKES_REPAIR },
		{ "--format", r->format != NULL, TAKES_FORMAT },
		{ "--output", r->output != NULL, TAKES_OUTPUT },
		{ "--nagios or --prometheus", r->nagios || r->prometheus,
		    TAKES_MONITOR },
		{ "--warn or --crit", r->warn != NULL || r->crit != NULL,
		    TAKES_MONITOR },
		{ "--skip", r->skip != NULL, TAKES_SKIP },
		{ "--from or --to", r->from != NULL || r->to != NULL,
		    TAKES_ENVELOPE },
		{ "--force or --max-shrink", r->force || r->max_shrink != -1,
		    TAKES_IMPORT },
	};

	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (options[i].is_given &&
		    (r->verb->takes & options[i].bit) == 0)
			return err_usage(e, "%s takes no %s", r->verb->name,
			    options[i].names);
	return 0;
}

static int
check_names(const struct request *r, struct err *e)
{
	const struct verb *verb = r->verb;

	if (r->names[0] != NULL)
		return 0;
	if ((verb->takes & NEEDS_NAMES) != 0)
		return err_usage(e, "%s what? give %s", verb->name,
		    verb->names);
	if ((verb->takes & NEEDS_SELECTION) != 0 &&
	    !filter_is_given(&r->filter))
		return err_usage(e,
		    "%s what? give %s, or which, like --older 3d", verb->name,
		    verb->names);
	return 0;
}

static int
check_overview(const struct request *r, struct err *e)
{
	if (r->domains + r->summary + r->nagios + r->prometheus > 1)
		return err_usage(e, "one of --domains, --summary, --nagios "
				    "and --prometheus");
	if ((r->nagios || r->prometheus) && (r->json || r->null))
		return err_usage(e, "--nagios and --prometheus are forms of "
				    "their own");
	if ((r->warn != NULL || r->crit != NULL) && !r->nagios)
		return err_usage(e, "--warn and --crit go with --nagios");
	if (r->output != NULL && (r->verb->takes & TAKES_MONITOR) != 0 &&
	    !r->prometheus)
		return err_usage(e, "--output goes with --prometheus");
	if (r->null && r->json)
		return err_usage(e, "either --null or --json");
	if (r->null && r->summary)
		return err_usage(e, "--null goes with names, not --summary");
	return 0;
}

int
request_begin(struct request *r, const char **args, int64_t now_us,
    struct err *e)
{
	take_verb(r, args);
	if (check_options(r, e) == -1 || check_names(r, e) == -1 ||
	    check_overview(r, e) == -1)
		return -1;
	return filter_begin(&r->filter, now_us, e);
}

void
request_free(struct request *r)
{
	filter_free(&r->filter);
	free(r->reason);
	free(r->until);
	free(r->since);
	free(r->by);
	free(r->format);
	free(r->output);
	free(r->warn);
	free(r->crit);
	free(r->skip);
	free(r->from);
	for (size_t i = 0; r->to != NULL && r->to[i] != NULL; i++)
		free(r->to[i]);
	free(r->to);
}
