/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/goroutines_request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "cmd/answer.h"
#include "model/profile.h"
#include "output/profile.h"

#define EVERY_MIN_NS (10 * PW_NS_PER_MS)

static const char *const styles[_PW_GOROUTINES_STYLE_MAX] = {"text", "json", "pprof", "folded", "svg", "debug2"};

void pw_goroutines_request_done(struct pw_goroutines_request *request)
{
	if (request->has_blocked)
		regfree(&request->blocked);
	if (request->has_created)
		regfree(&request->created);
	pw_profile_free(request->old);
}

static int parse_style(struct pw_goroutines_request *request)
{
	const char *name = request->values->style;

	if (!name) {
		request->style = request->values->json ? PW_GOROUTINES_JSON : PW_GOROUTINES_TEXT;
		return 0;
	}
	for (int i = 0; i < _PW_GOROUTINES_STYLE_MAX; i++)
		if (!strcmp(name, styles[i])) {
			request->style = (enum pw_goroutines_style)i;
			return 0;
		}
	return pw_log_usage(-EINVAL, "--format: '%s' is none of text, json, pprof, folded, svg, debug2", name);
}

static int parse_by(struct pw_goroutines_request *request)
{
	const char *by = request->values->by;

	if (!by || !strcmp(by, "stack"))
		request->by = PW_PROFILE_BY_STACK;
	else if (!strcmp(by, "site"))
		request->by = PW_PROFILE_BY_SITE;
	else if (!strcmp(by, "reason"))
		request->by = PW_PROFILE_BY_REASON;
	else if (!strncmp(by, "label:", 6) && by[6]) {
		request->by = PW_PROFILE_BY_LABEL;
		request->by_label = by + 6;
	} else
		return pw_log_usage(-EINVAL, "--by: '%s' is none of site, stack, reason, label:KEY", by);
	return 0;
}

static int parse_with(struct pw_goroutines_request *request)
{
	const char *with = request->values->with;
	char *equals;

	if (!with)
		return 0;
	if (!strncmp(with, "reason=", 7) && with[7]) {
		request->filter.reason = with + 7;
		return 0;
	}
	if (strncmp(with, "label:", 6) != 0 || !with[6] || strlen(with) >= sizeof(request->with))
		return pw_log_usage(-EINVAL, "--with: '%s' is neither reason=REASON nor label:KEY[=VALUE]", with);
	snprintf(request->with, sizeof(request->with), "%s", with + 6);
	equals = strchr(request->with, '=');
	if (equals) {
		*equals = '\0';
		request->filter.label_value = equals + 1;
	}
	request->filter.label_key = request->with;
	return 0;
}

static int read_old(struct pw_goroutines_request *request)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROFILE_FILE_MAX);
	const char *path = request->values->diff;
	int r;

	if (!path)
		return 0;
	r = pw_answer_read_file(path, &text);
	if (r < 0)
		return pw_log_usage(r, "cannot read '%s': %s", path, strerror(-r));
	r = pw_profile_read_json(pw_buf_text(&text), text.size, &request->old);
	if (r == -ENOTSUP)
		return pw_log_usage(r, "'%s' has a schema_version that this parkwatch does not know", path);
	if (r < 0)
		return pw_log_usage(r, "'%s' is not the JSON of 'parkwatch goroutines'", path);
	return 0;
}

/* One frozen process has one moment: nothing can be looked at again, and no daemon knows it. */
static int check_core(const struct pw_goroutines_values *values)
{
	const char *other = values->pid		 ? "-p: which of the two?"
			    : values->over_ns	 ? "--over: nothing in it changes"
			    : values->min_age_ns ? "--min-age: it does not say since when anything waits"
						 : NULL;

	if (values->exe && !values->core)
		return pw_log_usage(-EINVAL, "--exe goes with --core: a process knows its executable");
	if (values->core && other)
		return pw_log_usage(-EINVAL, "--core does not go with %s", other);
	return 0;
}

int pw_goroutines_request_parse(struct pw_goroutines_request *ret_request, const struct pw_goroutines_values *values)
{
	struct pw_goroutines_request *request = ret_request;
	bool rows;

	*request = (struct pw_goroutines_request){.values = values};
	if (check_core(values) < 0 || parse_style(request) < 0 || parse_by(request) < 0 || parse_with(request) < 0 ||
	    pw_answer_regex("blocked", values->blocked, &request->blocked, &request->has_blocked) < 0 ||
	    pw_answer_regex("created", values->created, &request->created, &request->has_created) < 0)
		return -EINVAL;
	request->filter.min_age_ns = values->min_age_ns;
	request->filter.min_count = values->min_count;
	request->filter.goid = values->goid;
	request->filter.blocked = request->has_blocked ? &request->blocked : NULL;
	request->filter.created = request->has_created ? &request->created : NULL;
	rows = values->min_age_ns || values->goid || request->by == PW_PROFILE_BY_LABEL || request->filter.label_key ||
	       request->style == PW_GOROUTINES_DEBUG2;
	if (values->over_ns && (values->once || rows))
		return pw_log_usage(-EINVAL, "--over adds up many looks: it does not go with --once, --min-age, "
					     "--goroutine, labels or debug2");
	if (values->every_ns < EVERY_MIN_NS)
		return pw_log_usage(-EINVAL, "--every must be at least 10ms");
	return read_old(request);
}
