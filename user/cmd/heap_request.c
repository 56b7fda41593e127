/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/heap_request.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "cmd/answer.h"
#include "model/heap.h"
#include "output/heap.h"

static const char *const styles[_PW_HEAP_STYLE_MAX] = {"text", "json", "pprof", "folded", "svg"};

void pw_heap_request_done(struct pw_heap_request *request)
{
	if (request->has_focus)
		regfree(&request->focus);
	pw_heap_profile_free(request->old);
}

static int parse_style(struct pw_heap_request *request)
{
	const char *name = request->values->style;

	if (!name) {
		request->style = request->values->json ? PW_HEAP_JSON : PW_HEAP_TEXT;
		return 0;
	}
	for (int i = 0; i < _PW_HEAP_STYLE_MAX; i++)
		if (!strcmp(name, styles[i])) {
			request->style = (enum pw_heap_style)i;
			return 0;
		}
	return pw_log_usage(-EINVAL, "--format: '%s' is none of text, json, pprof, folded, svg", name);
}

static int read_old(struct pw_heap_request *request)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROFILE_FILE_MAX);
	const char *path = request->values->diff;
	int r;

	if (!path)
		return 0;
	r = pw_answer_read_file(path, &text);
	if (r < 0)
		return pw_log_usage(r, "cannot read '%s': %s", path, strerror(-r));
	r = pw_heap_read_json(pw_buf_text(&text), text.size, &request->old);
	if (r == -ENOTSUP)
		return pw_log_usage(r, "'%s' has a schema_version that this parkwatch does not know", path);
	if (r < 0)
		return pw_log_usage(r, "'%s' is not the JSON of 'parkwatch heap'", path);
	return 0;
}

static int check_together(const struct pw_heap_request *request)
{
	const struct pw_heap_request_values *values = request->values;
	bool stacks =
		request->style == PW_HEAP_PPROF || request->style == PW_HEAP_FOLDED || request->style == PW_HEAP_SVG;

	if (values->inuse && values->alloc)
		return pw_log_usage(-EINVAL, "--inuse and --alloc exclude each other");
	if (values->sample_ns && (values->inuse || values->diff || values->interval_ns || values->classes))
		return pw_log_usage(-EINVAL,
				    "--sample sees what is allocated, not what stays: it does not go with --inuse, "
				    "--diff, --interval or --classes");
	if (values->interval_ns && values->diff)
		return pw_log_usage(-EINVAL, "--interval and --diff exclude each other: both show growth");
	if (values->classes && stacks)
		return pw_log_usage(-EINVAL, "--classes has no stacks: its formats are text and json");
	if (request->style == PW_HEAP_PPROF && !values->output && isatty(STDOUT_FILENO))
		return pw_log_usage(-EINVAL, "pprof is binary: give a file with -o, or a pipe");
	return 0;
}

int pw_heap_request_parse(struct pw_heap_request *ret_request, const struct pw_heap_request_values *values)
{
	struct pw_heap_request *request = ret_request;
	int r;

	*request = (struct pw_heap_request){.values = values};
	r = parse_style(request);
	if (r >= 0)
		r = pw_answer_regex("focus", values->focus, &request->focus, &request->has_focus);
	if (r >= 0)
		r = check_together(request);
	return r < 0 ? r : read_old(request);
}
