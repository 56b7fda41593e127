/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cgroup.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/cmd.h"
#include "cmd/oneshot.h"
#include "model/memory.h"
#include "model/runtime_numbers.h"
#include "output/memory.h"
#include "target/memory.h"
#include "target/runtime_metrics.h"
#include "target/target.h"

#define ANSWER_BYTES_MAX (1U << 20)
#define SLICE_NS	 (100 * PW_NS_PER_MS)

struct values {
	const char *pid;
	bool rollup;
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"pid", 'p', "PID|NAME", "the process (required)", PW_OPTION_TEXT, offsetof(struct values, pid), NULL},
	{"rollup", 0, NULL, "do not tell mappings apart: one pass of the kernel over the page tables, not two",
	 PW_OPTION_FLAG, offsetof(struct values, rollup), NULL},
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
};

/* Mappings one by one, then the kernel's own sum: what is shown as RSS is that sum. */
static int read_mappings(struct pw_target *target, const struct pw_procfs *procfs, bool rollup,
			 struct pw_memory_mappings *ret_mappings)
{
	_cleanup_(pw_memory_look_freep) struct pw_memory_look *look = NULL;
	struct pw_memory_mappings mappings = {0}, sum;
	int r = rollup ? 0 : pw_memory_look_begin(&look, target, procfs);

	while (look && (r = pw_memory_look_step(look, SLICE_NS, &mappings)) == -EAGAIN)
		;
	if (!r)
		r = pw_memory_rollup(&sum, procfs, target->pid);
	if (r)
		return r;
	mappings.total = sum.total;
	*ret_mappings = look ? mappings : sum;
	return 0;
}

static enum pw_exit look_at(struct pw_oneshot *oneshot, struct pw_target *target, const struct values *values)
{
	_cleanup_free_ struct pw_cgroup_memory *cgroup = calloc(1, sizeof(*cgroup));
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(ANSWER_BYTES_MAX);
	struct pw_runtime_metrics *metrics = NULL;
	struct pw_memory_mappings mappings;
	struct pw_runtime_numbers numbers;
	struct pw_memory_table table = {0};
	uint64_t start_ns = pw_cpu_thread_ns();
	struct pw_why why = {0};
	int heap = -EACCES, r = cgroup ? 0 : -ENOMEM;

	if (!r)
		r = read_mappings(target, &oneshot->procfs, values->rollup, &mappings);
	if (!r && target->memory_ok) {
		heap = pw_runtime_metrics_new(&metrics, target, &why);
		if (!heap)
			heap = pw_runtime_metrics_read(metrics, 0, &numbers, NULL, &why);
		pw_runtime_metrics_free(metrics);
	}
	if (!r)
		r = pw_memory_limits(&table.limits, cgroup, PW_CGROUP_ROOT, &oneshot->procfs, target->pid);
	if (r < 0) {
		pw_log_usage(r, "pid %d: its memory cannot be looked at: %s", target->pid,
			     r == -ESRCH ? "it has ended" : strerror(-r));
		return PW_EXIT_UNKNOWN;
	}
	pw_memory_balance(&table, &mappings, heap ? NULL : &numbers);
	table.cost_ns = pw_cpu_thread_ns() - start_ns;
	const struct pw_memory_view view = {
		.table = &table,
		.pid = target->pid,
		.process = target->process,
		.go_version = target->build->facts.info.go_version,
		.max_path = cgroup->max_path,
		.high_path = cgroup->high_path,
		.no_heap = !heap	       ? NULL
			   : target->memory_ok ? pw_why_text(&why, heap)
					       : target->memory_reason,
		.wall_ns = pw_wall_ns(),
	};

	if (values->format == PW_FORMAT_JSON)
		pw_view_memory(&out, &view);
	else
		pw_report_memory(&out, &view);
	return pw_oneshot_print(&out);
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	struct pw_oneshot oneshot = {.procfs = PW_PROCFS_INIT};
	struct pw_target *target = NULL;
	struct pw_options_result parsed;
	struct values values = {0};
	enum pw_exit status;
	int pid;

	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	if (!values.pid || parsed.operands) {
		pw_log_usage(-EINVAL, "usage: parkwatch memory -p PID|NAME; see 'parkwatch memory --help'");
		return PW_EXIT_USAGE;
	}
	status = pw_oneshot_open(&oneshot);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_find(&oneshot, values.pid, &pid);
	if (status == PW_EXIT_OK)
		status = pw_oneshot_target(&oneshot, pid, &target);
	if (status == PW_EXIT_OK)
		status = look_at(&oneshot, target, &values);
	pw_target_free(target);
	pw_oneshot_close(&oneshot);
	return status;
}

const struct pw_command pw_cmd_memory = {
	.name = "memory",
	.operands = "",
	.summary = "Where the RSS of one process goes: heap, garbage, stacks, C, files; and its limits",
	.details =
		"Reads the runtime's numbers and the process's smaps, for which the kernel walks its page tables "
		"twice:\n"
		"12 ms per GB of 4 kB pages each time, with the process's mmap lock held for reading. Nothing of the\n"
		"process is stopped.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
