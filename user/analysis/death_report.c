/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/death_report.h"

#include <stdio.h>
#include <string.h>

#include "analysis/condition.h"
#include "analysis/evidence.h"
#include "base/intern.h"
#include "base/macros.h"
#include "model/death_report.h"
#include "model/record.h"

/* A name that finds no place is left out: the number beside it stays right. */
static uint32_t name(struct pw_death_report *report, const char *text)
{
	uint32_t id = 0;

	return pw_intern_adds(report->names, text, &id) < 0 ? 0 : id;
}

static uint32_t name_of(struct pw_death_report *report, const struct pw_record *record, pw_string string)
{
	return name(report, pw_record_string(record, string));
}

static void set_identity(struct pw_death_report *report, const struct pw_record *record)
{
	const struct pw_record_identity *identity = &record->identity;

	pw_evidence_text(report->service, sizeof(report->service), record, identity->service);
	pw_evidence_text(report->process, sizeof(report->process), record, identity->process);
	pw_evidence_text(report->build_id, sizeof(report->build_id), record, identity->build_id);
	pw_evidence_text(report->go_version, sizeof(report->go_version), record, identity->go_version);
	report->exe = name_of(report, record, identity->exe);
	report->unit = name_of(report, record, identity->unit);
	report->container = name_of(report, record, identity->container);
	report->pod = name_of(report, record, identity->pod);
	report->module = name_of(report, record, identity->module);
	report->module_version = name_of(report, record, identity->module_version);
	report->pid = identity->pid;
}

static void set_figures(struct pw_death_report *report, const struct pw_record *record)
{
	const struct pw_runtime_numbers *numbers = &record->runtime.numbers;
	const struct pw_memory_limits *limits = &record->memory.table.limits;
	bool census = record->census.section.present, runtime = record->runtime.section.present,
	     kernel = record->kernel.section.present, memory = record->memory.section.present;

	report->goroutines = census ? record->census.total : PW_UNKNOWN;
	report->system_goroutines = census ? record->census.system : PW_UNKNOWN;
	report->heap_live_bytes = runtime ? numbers->heap_live_bytes : PW_UNKNOWN;
	report->heap_goal_bytes = runtime ? numbers->heap_goal_bytes : PW_UNKNOWN;
	report->heap_inuse_bytes = runtime ? numbers->heap_inuse_bytes : PW_UNKNOWN;
	report->gomemlimit_bytes = runtime ? numbers->memory_limit_bytes : PW_UNKNOWN;
	report->gc_cycles = runtime ? numbers->gc_cycles : PW_UNKNOWN;
	report->rss_bytes = kernel ? record->kernel.rss_bytes : PW_UNKNOWN;
	report->threads = kernel ? record->kernel.threads : PW_UNKNOWN;
	report->open_files = kernel ? record->kernel.open_files : PW_UNKNOWN;
	report->cpu_ns = kernel ? record->kernel.cpu_ns : PW_UNKNOWN;
	report->limit_bytes = memory ? limits->max_bytes : PW_UNKNOWN;
	report->limit_used_bytes = memory ? limits->max_used_bytes : PW_UNKNOWN;
}

static bool is_runtime(const struct pw_record *record, const struct pw_record_frame *frame)
{
	return strncmp(pw_record_string(record, frame->function), "runtime.", 8) == 0;
}

static void set_stack(struct pw_death_report *report, struct pw_death_group *group, const struct pw_record *record,
		      const struct pw_record_park *park)
{
	const struct pw_record_stack *stack;
	uint32_t first = 0;

	if (park->stack == UINT32_MAX)
		return;
	stack = &record->stacks[park->stack];
	while (first < stack->count && is_runtime(record, &record->frames[stack->first + first]))
		first++;
	if (first == stack->count)
		first = 0;
	for (uint32_t i = first; i < stack->count && group->depth < PW_DEATH_FRAMES_MAX; i++) {
		const struct pw_record_frame *frame = &record->frames[stack->first + i];

		group->frames[group->depth++] =
			(struct pw_death_frame){.function = name_of(report, record, frame->function),
						.file = name_of(report, record, frame->file),
						.line = frame->line};
	}
	group->cut = park->truncated || stack->count - first > PW_DEATH_FRAMES_MAX;
}

/* Where the count belongs among the groups so far, the most first; the last of a full list gives way. NULL: nowhere. */
static struct pw_death_group *place_for(struct pw_death_report *report, uint64_t count)
{
	uint32_t at = report->group_count;

	while (at && report->groups[at - 1].count < count)
		at--;
	if (report->group_count == PW_DEATH_GROUPS_MAX) {
		report->groups_left++;
		report->goroutines_left +=
			at == PW_DEATH_GROUPS_MAX ? count : report->groups[PW_DEATH_GROUPS_MAX - 1].count;
		if (at == PW_DEATH_GROUPS_MAX)
			return NULL;
		report->group_count--;
	}
	memmove(&report->groups[at + 1], &report->groups[at], (report->group_count - at) * sizeof(report->groups[0]));
	report->group_count++;
	report->groups[at] = (struct pw_death_group){.count = count};
	return &report->groups[at];
}

static void set_statement(struct pw_death_report *report, struct pw_death_group *group, const struct pw_record *record,
			  uint32_t statement, uint8_t status, pw_string reason)
{
	const struct pw_record_statement *from = &record->statements[statement];

	group->status = name(report, pw_status_name((enum pw_status_class)status));
	group->reason = name_of(report, record, reason);
	group->statement = (struct pw_death_frame){.function = name_of(report, record, from->function),
						   .file = name_of(report, record, from->file),
						   .line = from->line};
}

/* By stack, of the last snapshot; where none was ever taken, by state of the last census. */
static void set_groups(struct pw_death_report *report, const struct pw_record *record)
{
	uint64_t taken_ns = record->snapshot.section.taken_ns;

	if (!record->snapshot.section.present) {
		for (size_t i = 0; record->census.section.present && i < record->census.group_count; i++) {
			const struct pw_record_group *from = &record->census.groups[i];
			struct pw_death_group *group = place_for(report, from->count);

			if (group)
				set_statement(report, group, record, from->statement, from->status, from->reason);
		}
		return;
	}
	report->stacks_wall_ns =
		record->wall_ns - PW_MIN(record->boot_ns - PW_MIN(taken_ns, record->boot_ns), record->wall_ns);
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *from = &record->snapshot.parks[i];
		struct pw_death_group *group = place_for(report, from->count);

		if (!group)
			continue;
		set_statement(report, group, record, from->statement, from->status, from->reason);
		group->oldest_park_ns = from->oldest_since_ns ? taken_ns - PW_MIN(from->oldest_since_ns, taken_ns) : 0;
		set_stack(report, group, record, from);
	}
}

static void set_alerts(struct pw_death_report *report, const struct pw_conditions *conditions)
{
	for (const struct pw_incident *incident = conditions->incidents.first; incident; incident = incident->next) {
		struct pw_death_alert *alert = &report->alerts[report->alert_count];

		if (incident->alert.target_id != report->death.target_id)
			continue;
		if (report->alert_count == PW_DEATH_ALERTS_MAX) {
			report->alerts_left++;
			continue;
		}
		snprintf(alert->id, sizeof(alert->id), "%s", incident->alert.id);
		snprintf(alert->rule, sizeof(alert->rule), "%s", incident->alert.rule);
		alert->level = incident->alert.level;
		alert->fired_wall_ns = incident->alert.fired_wall_ns;
		alert->text = name(report, incident->alert.text);
		report->alert_count++;
	}
}

int pw_death_report_build(struct pw_death_report **ret_report, const struct pw_record *record,
			  const struct pw_death *death, const struct pw_conditions *conditions)
{
	struct pw_death_report *report = NULL;
	int r = pw_death_report_new(&report);

	if (r < 0)
		return r;
	report->death = *death;
	report->age_ns = death->boot_ns - PW_MIN(record->identity.start_time_ns, death->boot_ns);
	report->record_wall_ns = record->wall_ns;
	set_identity(report, record);
	set_figures(report, record);
	set_groups(report, record);
	set_alerts(report, conditions);
	*ret_report = report;
	return 0;
}

const struct pw_record_park *pw_death_largest(const struct pw_record *record)
{
	const struct pw_record_park *largest = NULL;

	for (size_t i = 0; record->snapshot.section.present && i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if (!record->statements[park->statement].system && (!largest || park->count > largest->count))
			largest = park;
	}
	return largest;
}
