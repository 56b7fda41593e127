/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/death.h"

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "model/death_report.h"
#include "model/runtime_numbers.h"
#include "output/views.h"

static void put(struct pw_buf *out, const char *text)
{
	pw_buf_escaped(out, text, strlen(text));
}

/* --- page -------------------------------------------------------------------------------------------------------- */

/* "label: value", where the value is known. */
static void put_name(struct pw_buf *out, const char *label, const char *value)
{
	if (!*value)
		return;
	pw_buf_printf(out, "  %s: ", label);
	put(out, value);
	pw_buf_putc(out, '\n');
}

static void put_bytes(struct pw_buf *out, const char *before, uint64_t bytes)
{
	char text[PW_SIZE_TEXT_SIZE];

	if (bytes != UINT64_MAX)
		pw_buf_printf(out, "%s%s", before, pw_size_text(bytes, text));
}

static void put_count(struct pw_buf *out, const char *before, uint64_t count)
{
	if (count != UINT64_MAX)
		pw_buf_printf(out, "%s%" PRIu64, before, count);
}

static void put_memory(struct pw_buf *out, const struct pw_death_report *report)
{
	pw_buf_puts(out, "  memory:");
	put_bytes(out, " RSS ", report->rss_bytes);
	put_bytes(out, ", live heap ", report->heap_live_bytes);
	put_bytes(out, ", goal ", report->heap_goal_bytes);
	put_bytes(out, ", heap in use ", report->heap_inuse_bytes);
	if (report->gomemlimit_bytes != PW_MEMORY_LIMIT_NONE)
		put_bytes(out, ", GOMEMLIMIT ", report->gomemlimit_bytes);
	put_count(out, ", GC cycles ", report->gc_cycles);
	pw_buf_putc(out, '\n');
	if (report->limit_bytes != UINT64_MAX) {
		pw_buf_puts(out, "  limit of its cgroup:");
		put_bytes(out, " ", report->limit_bytes);
		put_bytes(out, ", used ", report->limit_used_bytes);
		pw_buf_putc(out, '\n');
	}
	if (report->threads != UINT64_MAX)
		pw_buf_printf(out, "  threads: %" PRIu64, report->threads);
	if (report->open_files != UINT64_MAX)
		pw_buf_printf(out, ", open files: %" PRIu64, report->open_files);
	pw_buf_puts(out, report->threads != UINT64_MAX || report->open_files != UINT64_MAX ? "\n" : "");
}

static void put_frame(struct pw_buf *out, const struct pw_death_report *report, const struct pw_death_frame *frame)
{
	const char *function = pw_death_name(report, frame->function), *file = pw_death_name(report, frame->file);
	const char *slash = strrchr(file, '/');

	put(out, *function ? function : "?");
	if (!*file)
		return;
	pw_buf_putc(out, ' ');
	put(out, slash ? slash + 1 : file);
	pw_buf_printf(out, ":%u", frame->line);
}

static void put_group(struct pw_buf *out, const struct pw_death_report *report, const struct pw_death_group *group)
{
	char age[PW_DURATION_SIZE];
	const char *reason = pw_death_name(report, group->reason);

	pw_buf_printf(out, "  %" PRIu64 " ", group->count);
	put(out, *reason ? reason : pw_death_name(report, group->status));
	if (group->oldest_park_ns)
		pw_buf_printf(out, ", the oldest for %s", pw_time_duration(group->oldest_park_ns, age));
	pw_buf_puts(out, ", started at ");
	put_frame(out, report, &group->statement);
	pw_buf_putc(out, '\n');
	for (uint32_t i = 0; i < group->depth; i++) {
		pw_buf_puts(out, "      ");
		put_frame(out, report, &group->frames[i]);
		pw_buf_putc(out, '\n');
	}
	pw_buf_puts(out, group->cut ? "      ...\n" : "");
}

/* How long before the end something was read. */
static const char *before_end(const struct pw_death_report *report, uint64_t wall_ns, char text[PW_DURATION_SIZE])
{
	uint64_t end_ns = report->death.wall_ns;

	return pw_time_duration(end_ns - PW_MIN(wall_ns, end_ns), text);
}

static void put_groups(struct pw_buf *out, const struct pw_death_report *report)
{
	char age[PW_DURATION_SIZE];

	if (report->goroutines != UINT64_MAX) {
		pw_buf_printf(out, "\ngoroutines: %" PRIu64, report->goroutines);
		put_count(out, ", of them the runtime's own: ", report->system_goroutines);
		pw_buf_printf(out, "; %s before the end", before_end(report, report->record_wall_ns, age));
		if (report->stacks_wall_ns)
			pw_buf_printf(out, ", their stacks %s before", before_end(report, report->stacks_wall_ns, age));
		pw_buf_putc(out, '\n');
	}
	for (uint32_t i = 0; i < report->group_count; i++)
		put_group(out, report, &report->groups[i]);
	if (report->groups_left)
		pw_buf_printf(out, "  %" PRIu64 " more in %" PRIu64 " smaller groups\n", report->goroutines_left,
			      report->groups_left);
}

static void put_alerts(struct pw_buf *out, const struct pw_death_report *report)
{
	if (report->alert_count)
		pw_buf_puts(out, "\nopen alerts, unresolved at exit:\n");
	for (uint32_t i = 0; i < report->alert_count; i++) {
		const struct pw_death_alert *alert = &report->alerts[i];

		pw_buf_printf(out, "  %s %s %s: ", alert->rule, pw_alert_level_name(alert->level), alert->id);
		put(out, pw_death_name(report, alert->text));
		pw_buf_putc(out, '\n');
	}
	if (report->alerts_left)
		pw_buf_printf(out, "  and %" PRIu64 " more\n", report->alerts_left);
}

void pw_death_page(struct pw_buf *out, const struct pw_death_report *report)
{
	char how[PW_DEATH_TEXT_SIZE], when[PW_RFC3339_SIZE], age[PW_DURATION_SIZE];

	put(out, *report->service ? report->service : report->process);
	pw_buf_puts(out, " (");
	put(out, report->process);
	pw_buf_printf(out, ", pid %d) ended: %s\n", report->pid, pw_death_text(&report->death, how));
	pw_buf_printf(out, "  at %s, having lived for %s\n", pw_time_rfc3339(report->death.wall_ns, when),
		      pw_time_duration(report->age_ns, age));
	put_name(out, "executable", pw_death_name(report, report->exe));
	put_name(out, "module", pw_death_name(report, report->module));
	put_name(out, "version", pw_death_name(report, report->module_version));
	put_name(out, "build", report->build_id);
	put_name(out, "Go", report->go_version);
	put_name(out, "unit", pw_death_name(report, report->unit));
	put_name(out, "container", pw_death_name(report, report->container));
	put_name(out, "pod", pw_death_name(report, report->pod));
	put_memory(out, report);
	put_groups(out, report);
	put_alerts(out, report);
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void key_count(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void key_text(struct pw_json *json, const char *key, const char *text)
{
	pw_json_key_str(json, key, *text ? text : NULL);
}

static void key_name(struct pw_json *json, const char *key, const struct pw_death_report *report, uint32_t name)
{
	key_text(json, key, pw_death_name(report, name));
}

static void key_time(struct pw_json *json, const char *key, uint64_t wall_ns)
{
	char text[PW_RFC3339_SIZE];

	pw_json_key_str(json, key, wall_ns ? pw_time_rfc3339(wall_ns, text) : NULL);
}

static void json_frame(struct pw_json *json, const struct pw_death_report *report, const struct pw_death_frame *frame)
{
	pw_json_object(json);
	key_name(json, "function", report, frame->function);
	key_name(json, "file", report, frame->file);
	pw_json_key_u64(json, "line", frame->line);
	pw_json_end(json);
}

static void json_group(struct pw_json *json, const struct pw_death_report *report, const struct pw_death_group *group)
{
	pw_json_object(json);
	pw_json_key_u64(json, "count", group->count);
	key_name(json, "status", report, group->status);
	key_name(json, "wait_reason", report, group->reason);
	key_count(json, "oldest_park_ns", group->oldest_park_ns ? group->oldest_park_ns : UINT64_MAX);
	pw_json_key(json, "statement");
	json_frame(json, report, &group->statement);
	pw_json_key_array(json, "stack");
	for (uint32_t i = 0; i < group->depth; i++)
		json_frame(json, report, &group->frames[i]);
	pw_json_end(json);
	pw_json_key_bool(json, "stack_cut", group->cut);
	pw_json_end(json);
}

static void json_identity(struct pw_json *json, const struct pw_death_report *report)
{
	pw_json_key_str(json, "alert_id", report->alert_id);
	pw_json_key_str(json, "service", report->service);
	pw_json_key_str(json, "process", report->process);
	pw_json_key_i64(json, "pid", report->pid);
	key_name(json, "exe", report, report->exe);
	key_text(json, "build_id", report->build_id);
	key_text(json, "go_version", report->go_version);
	key_name(json, "module", report, report->module);
	key_name(json, "module_version", report, report->module_version);
	key_name(json, "unit", report, report->unit);
	key_name(json, "container", report, report->container);
	key_name(json, "pod", report, report->pod);
}

static void json_end(struct pw_json *json, const struct pw_death_report *report)
{
	const struct pw_death *death = &report->death;
	int signal_number = pw_death_signal(death);
	char text[PW_DEATH_TEXT_SIZE];

	key_time(json, "ended", death->wall_ns);
	pw_json_key_u64(json, "age_ns", report->age_ns);
	pw_json_key_str(json, "how", pw_death_how_name(death->how));
	pw_json_key_str(json, "end", pw_death_text(death, text));
	key_count(json, "exit_status",
		  death->status_known && !signal_number ? (uint64_t)WEXITSTATUS(death->status) : UINT64_MAX);
	key_count(json, "signal", signal_number ? (uint64_t)signal_number : UINT64_MAX);
	key_count(json, "cgroup_oom_kills", death->oom_kills);
	pw_json_key_bool(json, "oom_killed", pw_death_by_oom(death));
	key_name(json, "text", report, report->text);
}

static void json_figures(struct pw_json *json, const struct pw_death_report *report)
{
	bool limited = report->gomemlimit_bytes != PW_MEMORY_LIMIT_NONE;

	key_time(json, "last_record", report->record_wall_ns);
	key_count(json, "goroutines", report->goroutines);
	key_count(json, "system_goroutines", report->system_goroutines);
	key_count(json, "heap_live_bytes", report->heap_live_bytes);
	key_count(json, "heap_goal_bytes", report->heap_goal_bytes);
	key_count(json, "heap_inuse_bytes", report->heap_inuse_bytes);
	key_count(json, "gomemlimit_bytes", limited ? report->gomemlimit_bytes : UINT64_MAX);
	key_count(json, "gc_cycles", report->gc_cycles);
	key_count(json, "rss_bytes", report->rss_bytes);
	key_count(json, "limit_bytes", report->limit_bytes);
	key_count(json, "limit_used_bytes", report->limit_used_bytes);
	key_count(json, "threads", report->threads);
	key_count(json, "open_files", report->open_files);
	key_count(json, "cpu_ns", report->cpu_ns);
}

static void json_alerts(struct pw_json *json, const struct pw_death_report *report)
{
	pw_json_key_array(json, "open_alerts");
	for (uint32_t i = 0; i < report->alert_count; i++) {
		const struct pw_death_alert *alert = &report->alerts[i];

		pw_json_object(json);
		pw_json_key_str(json, "id", alert->id);
		pw_json_key_str(json, "rule", alert->rule);
		pw_json_key_str(json, "level", pw_alert_level_name(alert->level));
		key_time(json, "fired", alert->fired_wall_ns);
		key_name(json, "text", report, alert->text);
		pw_json_end(json);
	}
	pw_json_end(json);
	pw_json_key_u64(json, "open_alerts_left", report->alerts_left);
}

static void json_report(struct pw_json *json, const struct pw_death_report *report)
{
	pw_json_object(json);
	json_identity(json, report);
	json_end(json, report);
	json_figures(json, report);
	key_time(json, "stacks_read", report->stacks_wall_ns);
	pw_json_key_array(json, "groups");
	for (uint32_t i = 0; i < report->group_count; i++)
		json_group(json, report, &report->groups[i]);
	pw_json_end(json);
	pw_json_key_u64(json, "groups_left", report->groups_left);
	pw_json_key_u64(json, "goroutines_left", report->goroutines_left);
	json_alerts(json, report);
	pw_json_end(json);
}

void pw_death_json(struct pw_buf *out, const struct pw_death_report *report)
{
	struct pw_json json = pw_json_init(out, false);

	json_report(&json, report);
	if (pw_json_finish(&json) == 0)
		pw_buf_putc(out, '\n');
}

void pw_view_deaths(struct pw_buf *out, struct pw_death_report *const *reports, size_t count)
{
	struct pw_json json = pw_json_init(out, false);

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_array(&json, "deaths");
	for (size_t i = 0; i < count; i++)
		json_report(&json, reports[i]);
	pw_json_end(&json);
	pw_json_end(&json);
	if (pw_json_finish(&json) == 0)
		pw_buf_putc(out, '\n');
}
