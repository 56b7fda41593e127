/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/analysis.h"

#include <stdio.h>
#include <string.h>

#include "analysis/death.h"
#include "analysis/detector.h"
#include "analysis/policy.h"
#include "analysis/process.h"
#include "base/macros.h"
#include "base/table.h"
#include "model/alert.h"
#include "model/death_report.h"
#include "model/record.h"

/* From records to alerts: each process has its state, and each detector judges it in its own time. */
#define TARGETS_MAX 4096U /* as the encoder; more are not judged, and counted */

struct pw_analysis {
	struct pw_rules_config config;
	struct pw_policy *policy;	    /* a reference; NULL: none */
	struct pw_rules_config *by_service; /* what holds for each service of the policy */
	uint64_t generation;		    /* of both: counts up with each change */
	struct pw_table processes;	    /* target id -> struct pw_process */
	struct pw_conditions conditions;
	struct pw_samples samples;
	struct pw_analysis_stats stats;
	struct pw_deaths deaths;
	pw_death_fn on_death;
};

static void process_free(void *value)
{
	struct pw_process *process = value;

	pw_pileups_done(&process->pileups);
	pw_growth_done(&process->growth);
	pw_blocked_done(&process->blocked);
	pw_stuck_done(&process->stuck);
	pw_deep_done(&process->deep);
	pw_record_unref(process->last);
	pw_memory_growth_done(&process->memory);
	free(process);
}

int pw_analysis_new(struct pw_analysis **ret_analysis, const struct pw_rules_config *config, pw_alert_fn on_transition,
		    void *context)
{
	struct pw_analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis)
		return -ENOMEM;
	analysis->config = *config;
	analysis->generation = 1; /* that of a process is 0 before its first record */
	analysis->conditions.on_transition = on_transition;
	analysis->conditions.context = context;
	analysis->conditions.rules = &analysis->config;
	pw_pages_init(&analysis->conditions.pages);
	analysis->processes = (struct pw_table)PW_TABLE_INIT(TARGETS_MAX, process_free);
	pw_deaths_init(&analysis->deaths);
	*ret_analysis = analysis;
	return 0;
}

void pw_analysis_free(struct pw_analysis *analysis)
{
	if (!analysis)
		return;
	pw_table_done(&analysis->processes);
	pw_conditions_done(&analysis->conditions);
	pw_policy_unref(analysis->policy);
	free(analysis->by_service);
	pw_deaths_done(&analysis->deaths);
	free(analysis->samples.items);
	free(analysis);
}

int pw_analysis_judge_by(struct pw_analysis *analysis, const struct pw_rules_config *config, struct pw_policy *policy)
{
	size_t count = policy ? policy->service_count : 0;
	struct pw_rules_config *by_service = calloc(count + 1, sizeof(*by_service));

	if (!by_service)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		pw_policy_rules(&policy->services[i], config, &by_service[i]);
	free(analysis->by_service);
	analysis->by_service = by_service;
	analysis->config = *config;
	pw_policy_ref(policy);
	pw_policy_unref(analysis->policy);
	analysis->policy = policy;
	analysis->generation++;
	return 0;
}

void pw_analysis_configure(struct pw_analysis *analysis, const struct pw_rules_config *config)
{
	analysis->config = *config;
	for (size_t i = 0; analysis->policy && i < analysis->policy->service_count; i++)
		pw_policy_rules(&analysis->policy->services[i], config, &analysis->by_service[i]);
	analysis->generation++;
}

/* What holds for the process of the record: looked up when its name or the configuration has changed. */
static void find_standing(const struct pw_analysis *analysis, struct pw_process *process,
			  const struct pw_record *record)
{
	const char *service = pw_record_string(record, record->identity.service);
	struct pw_standing *standing = &process->standing;

	if (standing->generation == analysis->generation && !strcmp(standing->service, service))
		return;
	standing->generation = analysis->generation;
	standing->policy = analysis->policy;
	standing->of_service = pw_policy_find(analysis->policy, service);
	snprintf(standing->service, sizeof(standing->service), "%s", service);
	process->rules = standing->of_service ? &analysis->by_service[standing->of_service - analysis->policy->services]
					      : &analysis->config;
}

static struct pw_process *process_of(struct pw_analysis *analysis, uint64_t id)
{
	struct pw_process *process = pw_table_peek(&analysis->processes, &id, sizeof(id));

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->id = id;
	pw_pileups_init(&process->pileups);
	pw_growth_init(&process->growth);
	pw_blocked_init(&process->blocked);
	pw_stuck_init(&process->stuck);
	pw_deep_init(&process->deep);
	if (pw_table_put_u64(&analysis->processes, id, process) < 0) {
		process_free(process);
		return NULL;
	}
	return process;
}

int pw_analysis_step(struct pw_analysis *analysis, const struct pw_record *record)
{
	struct pw_process *process = process_of(analysis, record->identity.target_id);
	struct pw_judge judge = {
		.conditions = &analysis->conditions, .samples = &analysis->samples, .stats = &analysis->stats};
	int r;

	if (!process)
		return -ENOMEM;
	find_standing(analysis, process, record);
	analysis->conditions.standing = &process->standing;
	analysis->conditions.process = process;
	pw_facts_take(&process->facts, record);
	judge.rules = process->rules;
	pw_record_unref(process->last);
	process->last = pw_record_ref(record);
	pw_memory_growth_see(&judge, &process->memory, record);
	pw_conditions_say_pending(&analysis->conditions, record);
	pw_memory_growth_judge(&judge, &process->memory, record);
	pw_storm_judge(&judge, &process->storm, record);
	pw_thread_growth_judge(&judge, &process->threads, record);
	pw_timer_growth_judge(&judge, &process->timers, record);
	pw_descriptors_judge(&judge, &process->descriptors, record);
	r = pw_pileups_judge(&judge, &process->pileups, record);
	if (r >= 0)
		r = pw_blocked_judge(&judge, &process->blocked, record);
	pw_stack_total_judge(&judge, &process->stacks, record);
	if (r >= 0)
		r = pw_deep_judge(&judge, &process->deep, record);
	pw_finalizers_judge(&judge, &process->finalizers, record);
	if (r >= 0)
		r = pw_stuck_judge(&judge, &process->stuck, record);
	if (r >= 0)
		r = pw_growth_judge(&judge, &process->growth, record);
	if (!process->build_noted)
		process->build_noted = pw_deploys_note(&analysis->conditions.pages.deploys, record);
	analysis->conditions.process = NULL;
	pw_conditions_settle(&analysis->conditions, record->boot_ns, record->wall_ns);
	return r;
}

bool pw_analysis_wants_stacks(const struct pw_analysis *analysis, uint64_t target_id)
{
	return pw_conditions_pending(&analysis->conditions, target_id, false);
}

bool pw_analysis_wants_heap(const struct pw_analysis *analysis, uint64_t target_id)
{
	return pw_conditions_pending(&analysis->conditions, target_id, true);
}

/* Its end is told as its last record would be judged now, behind the ends of its alerts. */
static void tell_end(struct pw_analysis *analysis, struct pw_process *process, const struct pw_death *death)
{
	struct pw_deaths_judge judge = {.conditions = &analysis->conditions, .stats = &analysis->stats};
	struct pw_death_report *report;

	find_standing(analysis, process, process->last);
	judge.rules = process->rules;
	analysis->conditions.standing = &process->standing;
	report = pw_deaths_begin(&judge, process->last, death);
	pw_conditions_gone(&analysis->conditions, death->target_id, death->boot_ns, death->wall_ns);
	if (report && pw_deaths_tell(&analysis->deaths, &judge, process->last, report) && analysis->on_death)
		analysis->on_death(analysis->conditions.context, report);
	analysis->conditions.standing = NULL;
	analysis->conditions.process = NULL;
	pw_death_report_unref(report);
}

void pw_analysis_forget(struct pw_analysis *analysis, const struct pw_death *death)
{
	struct pw_process *process = pw_table_get_u64(&analysis->processes, death->target_id);

	analysis->conditions.standing = process && process->last ? &process->standing : NULL;
	analysis->conditions.process = NULL;
	pw_conditions_say_all(&analysis->conditions, death->target_id, death->boot_ns);
	pw_conditions_settle(&analysis->conditions, death->boot_ns, death->wall_ns); /* of some nobody has heard yet */
	if (process && process->last && pw_death_is_end(death))
		tell_end(analysis, process, death);
	pw_conditions_gone(&analysis->conditions, death->target_id, death->boot_ns, death->wall_ns);
	pw_conditions_settle(&analysis->conditions, death->boot_ns, death->wall_ns);
	analysis->conditions.standing = NULL;
	pw_table_remove_u64(&analysis->processes, death->target_id);
}

void pw_analysis_on_death(struct pw_analysis *analysis, pw_death_fn on_death)
{
	analysis->on_death = on_death;
}

size_t pw_analysis_alerts(const struct pw_analysis *analysis, struct pw_alert *alerts, size_t max)
{
	return pw_cases_copy(&analysis->conditions.cases, alerts, max);
}

void pw_analysis_stats(const struct pw_analysis *analysis, struct pw_analysis_stats *ret_stats)
{
	*ret_stats = analysis->stats;
	ret_stats->fired = analysis->conditions.cases.fired;
	ret_stats->resolved = analysis->conditions.cases.resolved;
	ret_stats->sites_tracked = 0;
	pw_table_foreach(&analysis->processes, entry) ret_stats->sites_tracked +=
		pw_table_count(&((struct pw_process *)entry->value)->pileups.sites);
}

size_t pw_analysis_rules(const struct pw_analysis *analysis, struct pw_rule_status *ret_rules, size_t max)
{
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);

	count = PW_MIN(PW_MIN(count, (size_t)PW_RULES_MAX), max);
	for (size_t i = 0; i < count; i++)
		ret_rules[i] = (struct pw_rule_status){.id = rules[i]->id,
						       .name = rules[i]->name,
						       .off = rules[i]->off,
						       .enabled = pw_rule_is_enabled(rules[i], &analysis->config),
						       .counters = analysis->conditions.counters[i]};
	return count;
}

uint64_t pw_analysis_disabled(const struct pw_analysis *analysis, uint64_t target_id)
{
	const struct pw_process *process = pw_table_peek(&analysis->processes, &target_id, sizeof(target_id));
	const struct pw_rules_config *config = process && process->rules ? process->rules : &analysis->config;
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);
	uint64_t disabled = 0;

	for (size_t i = 0; i < PW_MIN(count, (size_t)PW_RULES_MAX); i++)
		if (!pw_rule_is_enabled(rules[i], config))
			disabled |= 1ULL << i;
	return disabled;
}
