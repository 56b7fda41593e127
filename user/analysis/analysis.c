/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/analysis.h"

#include "analysis/process.h"
#include "base/macros.h"
#include "base/table.h"
#include "model/alert.h"
#include "model/record.h"

/* From records to alerts: each process has its state, and each detector judges it in its own time. */
#define TARGETS_MAX 4096U /* as the encoder; more are not judged, and counted */

struct pw_analysis {
	struct pw_rules_config config;
	struct pw_table processes; /* target id -> struct pw_process */
	struct pw_conditions conditions;
	struct pw_samples samples;
	struct pw_analysis_stats stats;
};

static void process_free(void *value)
{
	struct pw_process *process = value;

	pw_pileups_done(&process->pileups);
	pw_growth_done(&process->growth);
	pw_blocked_done(&process->blocked);
	free(process);
}

int pw_analysis_new(struct pw_analysis **ret_analysis, const struct pw_rules_config *config, pw_alert_fn on_transition,
		    void *context)
{
	struct pw_analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis)
		return -ENOMEM;
	analysis->config = *config;
	analysis->conditions.on_transition = on_transition;
	analysis->conditions.context = context;
	analysis->processes = (struct pw_table)PW_TABLE_INIT(TARGETS_MAX, process_free);
	*ret_analysis = analysis;
	return 0;
}

void pw_analysis_free(struct pw_analysis *analysis)
{
	if (!analysis)
		return;
	pw_table_done(&analysis->processes);
	pw_conditions_done(&analysis->conditions);
	free(analysis->samples.items);
	free(analysis);
}

void pw_analysis_configure(struct pw_analysis *analysis, const struct pw_rules_config *config)
{
	analysis->config = *config;
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
	if (pw_table_put_u64(&analysis->processes, id, process) < 0) {
		process_free(process);
		return NULL;
	}
	return process;
}

int pw_analysis_step(struct pw_analysis *analysis, const struct pw_record *record)
{
	struct pw_process *process = process_of(analysis, record->identity.target_id);
	const struct pw_judge judge = {.conditions = &analysis->conditions,
				       .rules = &analysis->config,
				       .samples = &analysis->samples,
				       .stats = &analysis->stats};
	int r;

	if (!process)
		return -ENOMEM;
	pw_conditions_say_pending(&analysis->conditions, record);
	pw_memory_growth_judge(&judge, &process->memory, record);
	pw_storm_judge(&judge, &process->storm, record);
	r = pw_pileups_judge(&judge, &process->pileups, record);
	if (r >= 0)
		r = pw_blocked_judge(&judge, &process->blocked, record);
	return r < 0 ? r : pw_growth_judge(&judge, &process->growth, record);
}

bool pw_analysis_wants_stacks(const struct pw_analysis *analysis, uint64_t target_id)
{
	return pw_conditions_pending(&analysis->conditions, target_id);
}

void pw_analysis_forget(struct pw_analysis *analysis, uint64_t target_id, uint64_t boot_ns, uint64_t wall_ns)
{
	(void)boot_ns; /* an alert that ends with its process ends at the time that people read */
	pw_conditions_gone(&analysis->conditions, target_id, wall_ns);
	pw_table_remove_u64(&analysis->processes, target_id);
}

size_t pw_analysis_alerts(const struct pw_analysis *analysis, struct pw_alert *alerts, size_t max)
{
	return pw_incidents_copy(&analysis->conditions.incidents, alerts, max);
}

void pw_analysis_stats(const struct pw_analysis *analysis, struct pw_analysis_stats *ret_stats)
{
	*ret_stats = analysis->stats;
	ret_stats->fired = analysis->conditions.incidents.fired;
	ret_stats->resolved = analysis->conditions.incidents.resolved;
	ret_stats->sites_tracked = 0;
	pw_table_foreach(&analysis->processes, entry) ret_stats->sites_tracked +=
		pw_table_count(&((struct pw_process *)entry->value)->pileups.sites);
}
