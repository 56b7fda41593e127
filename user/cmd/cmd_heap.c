/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/answer.h"
#include "cmd/cmd.h"
#include "cmd/config.h"
#include "cmd/heap_look.h"
#include "cmd/heap_request.h"
#include "cmd/heap_sample.h"
#include "cmd/oneshot.h"
#include "cmd/privilege.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/heap.h"
#include "target/target.h"

/* The heap of one process by allocation site: look (target), build (observe), select (model), write (output). */
#define TOP		 10
#define ANSWER_BYTES_MAX (1ULL << 30)

#define VALUE(name) offsetof(struct pw_heap_request_values, name)
static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, VALUE(pid), NULL},
	{"inuse", 0, NULL, "what is in use [the default]", PW_OPTION_FLAG, VALUE(inuse), NULL},
	{"alloc", 0, NULL, "what was allocated since the start", PW_OPTION_FLAG, VALUE(alloc), NULL},
	{"interval", 0, "DURATION", "growth over that time from now", PW_OPTION_DURATION, VALUE(interval_ns), NULL},
	{"diff", 0, "OLD", "growth against an older profile (JSON)", PW_OPTION_TEXT, VALUE(diff), NULL},
	{"sample", 0, "DURATION", "allocation stacks by probes over that time; needs no profile", PW_OPTION_DURATION,
	 VALUE(sample_ns), NULL},
	{"budget", 0, "PERCENT", "--sample: of one CPU that probes may cost, or none", PW_OPTION_SETTING, 0, "budget"},
	{"attach", 0, "METHOD", "--sample: auto, uprobe_multi or perf", PW_OPTION_SETTING, 0, "attach"},
	{"classes", 0, NULL, "objects by size, and large ones by type [if there is no profile]", PW_OPTION_FLAG,
	 VALUE(classes), NULL},
	{"focus", 0, "REGEX", "only with a function or file on the stack that matches", PW_OPTION_TEXT, VALUE(focus),
	 NULL},
	{"top", 0, "N", "sites shown as text [10]", PW_OPTION_NUMBER, VALUE(top), NULL},
	{"format", 0, "FORMAT", "text, json, pprof, folded or svg [text]", PW_OPTION_TEXT, VALUE(style), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_FLAG, VALUE(json), NULL},
	{"json-schema", 0, NULL, "the JSON Schema of that, and nothing else", PW_OPTION_FLAG, VALUE(schema), NULL},
	{"output", 'o', "FILE", "into a file (0600) instead of stdout", PW_OPTION_TEXT, VALUE(output), NULL},
};

static int focus_and_compare(struct pw_heap_profile *heap, struct pw_heap_profile *old,
			     const struct pw_heap_request *request)
{
	int r = 0;

	if (request->has_focus)
		r = pw_heap_focus(heap, &request->focus);
	if (r >= 0 && request->has_focus && old)
		r = pw_heap_focus(old, &request->focus);
	if (r >= 0 && old)
		r = pw_heap_compare(heap, old);
	if (r >= 0 && request->values->alloc)
		pw_heap_sort(heap, old ? PW_HEAP_BY_ALLOC_GROWTH : PW_HEAP_BY_ALLOC);
	return r;
}

/* pprof has a sample of each bucket, as Go's own profile; all else shows stacks. */
static int shape(struct pw_heap_profile *heap, struct pw_heap_profile *old, const struct pw_heap_request *request)
{
	int r = 0;

	if (request->style != PW_HEAP_PPROF || old)
		r = pw_heap_merge(heap);
	if (r >= 0 && old && old != request->old) /* what was read from a file is merged */
		r = pw_heap_merge(old);
	return r < 0 ? r : focus_and_compare(heap, old, request);
}

static int write_answer(struct pw_buf *out, const struct pw_heap_profile *heap, const struct pw_heap_request *request)
{
	struct pw_heap_shown shown = {.alloc = request->values->alloc, .top = request->values->top};

	switch (request->style) {
	case PW_HEAP_JSON:
		return pw_heap_write_json(out, heap);
	case PW_HEAP_PPROF:
		return pw_heap_write_pprof(out, heap, &shown);
	case PW_HEAP_FOLDED:
		return pw_heap_write_folded(out, heap, &shown);
	case PW_HEAP_SVG:
		return pw_heap_write_svg(out, heap, &shown);
	case PW_HEAP_TEXT:
	case _PW_HEAP_STYLE_MAX:
		break;
	}
	return pw_heap_write_text(out, heap, &shown);
}

static enum pw_exit answer(struct pw_heap_profile *heap, struct pw_heap_profile *old,
			   const struct pw_heap_request *request)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	bool stacks =
		request->style == PW_HEAP_PPROF || request->style == PW_HEAP_FOLDED || request->style == PW_HEAP_SVG;
	int r;

	if (heap->kind == PW_HEAP_NONE && (stacks || !heap->class_count)) {
		pw_log_usage(-ENODATA, "pid %d has no profile to show: %s", heap->base->pid, heap->absent);
		return PW_EXIT_UNKNOWN;
	}
	r = shape(heap, old, request);
	if (r >= 0)
		r = write_answer(&out, heap, request);
	if (r < 0) {
		pw_log_usage(r, "cannot make the profile: %s", strerror(-r));
		return PW_EXIT_USAGE;
	}
	return pw_answer_deliver(&out, request->values->output);
}

static int look(struct pw_target *target, const struct pw_heap_request *request, const struct pw_config *config,
		struct pw_heap_profile **ret_old, struct pw_heap_profile **ret_heap)
{
	uint64_t interval_ns = request->values->interval_ns;
	bool classes = request->values->classes;
	char text[PW_DURATION_SIZE];
	int r = 0;

	if (request->values->sample_ns)
		return pw_heap_sample(target, request->values->sample_ns, config, ret_heap);
	if (interval_ns) {
		r = pw_heap_look(target, classes, ret_old);
		if (r < 0)
			return r;
		pw_log_usage(0, "looking again in %s", pw_time_duration(interval_ns, text));
		pw_heap_wait(interval_ns);
	}
	return pw_heap_look(target, classes, ret_heap);
}

static enum pw_exit look_and_answer(struct pw_target *target, const struct pw_heap_request *request,
				    const struct pw_config *config)
{
	struct pw_heap_profile *old = NULL, *heap = NULL;
	enum pw_exit status = PW_EXIT_UNKNOWN;
	int r;

	if (!target->memory_ok) {
		pw_log_usage(-EACCES, "the heap of pid %d cannot be read: %s", target->pid, target->memory_reason);
		return PW_EXIT_UNKNOWN;
	}
	if (!target->symbols_ok)
		pw_log_usage(0, "pid %d has no names: %s", target->pid, target->symbols_reason);
	r = look(target, request, config, &old, &heap);
	if (r == -EBADMSG)
		pw_log_usage(r, "the heap profile of pid %d does not look as %s lays it out: please report this build",
			     target->pid, target->build->facts.info.go_version);
	else if (r < 0 && request->values->sample_ns)
		; /* it has said why */
	else if (r < 0)
		pw_log_usage(r, "the heap of pid %d could not be read: %s", target->pid,
			     r == -ESRCH ? "it has ended" : strerror(-r));
	else
		status = answer(heap, request->old ? request->old : old, request);
	pw_heap_profile_free(heap);
	pw_heap_profile_free(old);
	return status;
}

static enum pw_exit open_and_answer(const struct pw_heap_request *request, const struct pw_config *config)
{
	struct pw_oneshot oneshot = {.procfs = PW_PROCFS_INIT};
	struct pw_target *target = NULL;
	enum pw_exit status;
	int pid;

	status = pw_oneshot_open(&oneshot);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&oneshot, request->values->pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&oneshot, pid, &target);
	if (status == PW_EXIT_OK)
		status = look_and_answer(target, request, config);
	pw_target_free(target);
	pw_oneshot_close(&oneshot);
	return status;
}

static enum pw_exit print_schema(const struct pw_heap_request_values *values)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);

	if (pw_heap_write_json_schema(&out) < 0)
		return PW_EXIT_USAGE;
	return pw_answer_deliver(&out, values->output);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct pw_heap_request_values values = {.top = TOP};
	_cleanup_(pw_heap_request_done) struct pw_heap_request request = {};
	_cleanup_(pw_config_done) struct pw_config config;
	struct pw_options_result parsed;
	struct pw_why why = {0};

	pw_config_init(&config);
	if (pw_options_parse(command, argc, argv, &values, &config, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (values.schema)
		return print_schema(&values);
	if (!values.pid || parsed.operands) {
		pw_log_usage(-EINVAL, "usage: parkwatch heap -p PID|NAME; see 'parkwatch heap --help'");
		return PW_EXIT_USAGE;
	}
	if (pw_heap_request_parse(&request, &values) < 0)
		return PW_EXIT_USAGE;
	if (values.sample_ns && pw_config_read_environment(&config, &why) < 0) {
		pw_log_usage(-EINVAL, "%s", why.text);
		return PW_EXIT_USAGE;
	}
	if (values.sample_ns && !pw_privilege_sufficient(&why)) {
		pw_log_usage(-EPERM, "%s", why.text);
		return PW_EXIT_USAGE;
	}
	return open_and_answer(&request, &config);
}

const struct pw_command pw_cmd_heap = {
	.name = "heap",
	.operands = "",
	.summary = "Where the heap of one process was allocated, and what grows",
	.details = "Reads the runtime's own heap profile without stopping the process, as of the last GC cycle.\n"
		   "--interval shows which lines keep more and more. Programs that nothing profiles keep none: then "
		   "sizes of\n"
		   "objects, from Go 1.22 on types of those above 512 bytes, and their growth take its "
		   "place;\n--sample shows where such a program "
		   "allocates, by probes within the budget.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
