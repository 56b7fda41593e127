/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/analysis.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/alert_state.h"
#include "analysis/evidence.h"
#include "analysis/explain.h"
#include "analysis/site.h"
#include "base/macros.h"
#include "base/table.h"
#include "model/alert.h"
#include "model/record.h"

/*
 * From records to alerts. A target has ticks: the first census in each interval of g08_tick_ns of CLOCK_BOOTTIME. A
 * tick sums the census up by go statement (samples), hands each site its sample, and moves alerts. Whatever keeps ticks
 * from being what they claim, a suspended host, a census that was skipped, a clock that went back, is a gap: then
 * nothing is compared with what was before it.
 */
#define TARGETS_MAX	  4096U		      /* as the encoder; more are not judged, and counted */
#define SITES_MAX	  1000U		      /* per target, DETECTORS 12; about 3 kB each */
#define REPLACEMENTS_MAX  64U		      /* of small sites by larger ones in one tick: bounds the work */
#define STACKS_FRESH_NS	  PW_NS_PER_SEC	      /* stacks read so shortly before are as good as new */
#define STACKS_WAIT_NS	  (5 * PW_NS_PER_SEC) /* for newer ones, before an alert is told with what there is */
#define GAP_TICKS	  3
#define GAP_CENSUS_MAX_NS (120 * PW_NS_PER_SEC) /* a census slower than this is always a gap */

struct target {
	uint64_t id;
	struct pw_table sites; /* gopc -> struct pw_site */
	uint64_t tick, tick_index;
	uint64_t taken_ns, wall_ns;	    /* last tick */
	uint64_t usual_ns;		    /* last accepted time between ticks */
	uint64_t healthy_ns, healthy_ticks; /* behind which a new statement is known to have had nothing parked */
	bool sites_lost;
	size_t pending; /* alerts that wait for stacks */
};

struct pw_analysis {
	struct pw_rules_config config;
	pw_alert_fn on_transition;
	void *context;
	struct pw_table targets;
	struct pw_incidents incidents;
	struct pw_site_sample *samples; /* one per statement, reused */
	size_t sample_capacity;
	struct pw_analysis_stats stats;
};

static void site_free(void *value)
{
	free(value);
}

static void target_free(void *value)
{
	struct target *target = value;

	pw_table_done(&target->sites);
	free(target);
}

int pw_analysis_new(struct pw_analysis **ret_analysis, const struct pw_rules_config *config, pw_alert_fn on_transition,
		    void *context)
{
	struct pw_analysis *analysis = calloc(1, sizeof(*analysis));

	if (!analysis)
		return -ENOMEM;
	analysis->config = *config;
	analysis->on_transition = on_transition;
	analysis->context = context;
	analysis->targets = (struct pw_table)PW_TABLE_INIT(TARGETS_MAX, target_free);
	*ret_analysis = analysis;
	return 0;
}

void pw_analysis_free(struct pw_analysis *analysis)
{
	if (!analysis)
		return;
	pw_table_done(&analysis->targets);
	pw_incidents_done(&analysis->incidents);
	free(analysis->samples);
	free(analysis);
}

void pw_analysis_configure(struct pw_analysis *analysis, const struct pw_rules_config *config)
{
	analysis->config = *config;
}

static struct target *target_of(struct pw_analysis *analysis, uint64_t id)
{
	struct target *target = pw_table_peek(&analysis->targets, &id, sizeof(id));

	if (target)
		return target;
	target = calloc(1, sizeof(*target));
	if (!target)
		return NULL;
	target->id = id;
	target->sites = (struct pw_table)PW_TABLE_INIT(SITES_MAX, site_free);
	if (pw_table_put_u64(&analysis->targets, id, target) < 0) {
		free(target);
		return NULL;
	}
	return target;
}

/* --- samples ----------------------------------------------------------------------------------------------------- */

/* Adds one group of the census to the sample of its statement. */
static void add_group(struct pw_site_sample *sample, const struct pw_record *record,
		      const struct pw_record_group *group, uint64_t age_ns, uint64_t since_ns)
{
	uint64_t old = pw_group_older_than(record, group, age_ns, false);

	sample->live += group->count;
	sample->all_old += old + group->count_initial;
	if (since_ns)
		sample->arrivals += old - pw_group_older_than(record, group, age_ns + since_ns, false);
	if (!pw_status_parked(group->status))
		return;
	sample->parked += group->count;
	sample->parked_old += old;
	if (group->count > sample->reason_count) {
		sample->reason = group->reason;
		sample->reason_count = group->count;
	}
}

/* Sums the record up by statement into analysis->samples. since_ns: time since the tick before, 0 for none. */
static int take_samples(struct pw_analysis *analysis, const struct pw_record *record, uint64_t since_ns)
{
	bool counted = record->events.section.present && record->events.section.quality == PW_EXACT;

	if (record->statement_count > analysis->sample_capacity) {
		struct pw_site_sample *samples = realloc(analysis->samples, record->statement_count * sizeof(*samples));

		if (!samples)
			return -ENOMEM;
		analysis->samples = samples;
		analysis->sample_capacity = record->statement_count;
	}
	for (size_t i = 0; i < record->statement_count; i++)
		analysis->samples[i] =
			(struct pw_site_sample){.statement = (uint32_t)i, .started_minus_ended = PW_UNKNOWN};
	for (size_t i = 0; i < record->census.group_count; i++)
		add_group(&analysis->samples[record->census.groups[i].statement], record, &record->census.groups[i],
			  analysis->config.g08_age_ns, since_ns);
	for (size_t i = 0; counted && i < record->events.count; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		/* Modulo 2^64: only differences are looked at, and those born before attach may make it negative. */
		analysis->samples[count->statement].started_minus_ended =
			(count->spawned - count->exited) + (UINT64_MAX >> 1);
	}
	return 0;
}

/* --- sites ------------------------------------------------------------------------------------------------------- */

static struct pw_site *site_new(const struct target *target, uint64_t gopc)
{
	struct pw_site *site = calloc(1, sizeof(*site));

	if (!site)
		return NULL;
	site->gopc = gopc;
	/* Not seen before means that nothing of it was parked before, if no site was ever lost. */
	if (!target->sites_lost) {
		pw_baseline_absorb(&site->baseline, 0, target->healthy_ticks);
		site->baseline_ns = target->healthy_ns;
	}
	return site;
}

static struct pw_site *smallest_site(const struct target *target)
{
	struct pw_site *smallest = NULL;

	pw_table_foreach(&target->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (!site->incident && (!smallest || site->last.parked_old < smallest->last.parked_old))
			smallest = site;
	}
	return smallest;
}

/* Makes room by dropping a site at most half as large. False if there is none: floor is then what would be large
 * enough. */
static bool make_room(struct pw_analysis *analysis, struct target *target, uint64_t size, uint64_t *floor)
{
	struct pw_site *smallest;

	if (pw_table_count(&target->sites) < SITES_MAX)
		return true;
	target->sites_lost = true;
	analysis->stats.sites_dropped++;
	if (size <= *floor)
		return false;
	smallest = smallest_site(target);
	if (!smallest || size <= 2 * smallest->last.parked_old) {
		*floor = smallest ? 2 * smallest->last.parked_old : UINT64_MAX;
		return false;
	}
	pw_table_remove_u64(&target->sites, smallest->gopc);
	return true;
}

/* Sites of statements that have something old and parked for the first time. */
static int add_sites(struct pw_analysis *analysis, struct target *target, const struct pw_record *record)
{
	uint64_t floor = 0;
	unsigned int replaced = 0;

	for (size_t i = 0; i < record->statement_count; i++) {
		const struct pw_record_statement *statement = &record->statements[i];
		const struct pw_site_sample *sample = &analysis->samples[i];
		struct pw_site *site;

		if (statement->system || !statement->gopc || statement->gopc == PW_STATEMENT_OTHER ||
		    !sample->parked_old || pw_table_peek(&target->sites, &statement->gopc, sizeof(statement->gopc)))
			continue;
		if (replaced >= REPLACEMENTS_MAX)
			floor = UINT64_MAX;
		if (!make_room(analysis, target, sample->parked_old, &floor))
			continue;
		replaced += target->sites_lost;
		site = site_new(target, statement->gopc);
		if (!site)
			return -ENOMEM;
		if (pw_table_put_u64(&target->sites, statement->gopc, site) < 0) {
			free(site);
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- alerts ------------------------------------------------------------------------------------------------------ */

/* FNV-1a, 64 bits, of a string and its end. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	do {
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3ULL;
	} while (*text++);
	return hash;
}

/*
 * The same statement of the same service has the same hash after a restart and after a deployment that did not move it;
 * the pid tells two processes of one service apart.
 */
static void set_id(struct pw_alert *alert, uint64_t gopc)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	char number[32];

	hash = hash_text(hash, alert->rule);
	hash = hash_text(hash, alert->service[0] ? alert->service : alert->process);
	if (alert->statement.function[0])
		snprintf(number, sizeof(number), "%" PRIu32, alert->statement.line);
	else
		snprintf(number, sizeof(number), "%" PRIx64, gopc);
	hash = hash_text(hash, alert->statement.function);
	hash = hash_text(hash, number);
	snprintf(alert->id, sizeof(alert->id), "g08-%012" PRIx64 "-%" PRId32, hash >> 16, alert->pid);
}

static void set_statement(struct pw_alert *alert, const struct pw_record *record, uint32_t index)
{
	const struct pw_record_statement *statement = &record->statements[index];

	pw_evidence_text(alert->statement.function, sizeof(alert->statement.function), record, statement->function);
	pw_evidence_text(alert->statement.file, sizeof(alert->statement.file), record, statement->file);
	alert->statement.line = statement->line;
}

/* What stays the same over the life of an alert. */
static void begin_alert(struct pw_alert *alert, const struct pw_analysis *analysis, const struct pw_record *record,
			const struct pw_site *site, const struct pw_tick *tick)
{
	*alert = (struct pw_alert){.pid = record->identity.pid, .target_id = record->identity.target_id};
	snprintf(alert->rule, sizeof(alert->rule), "PW-G08");
	pw_evidence_text(alert->service, sizeof(alert->service), record, record->identity.service);
	pw_evidence_text(alert->process, sizeof(alert->process), record, record->identity.process);
	pw_evidence_text(alert->build_id, sizeof(alert->build_id), record, record->identity.build_id);
	pw_evidence_text(alert->go_version, sizeof(alert->go_version), record, record->identity.go_version);
	set_statement(alert, record, site->last.statement);
	alert->baseline = pw_pileup_baseline(site, &analysis->config);
	alert->level = alert->baseline < 0 ? PW_LEVEL_INFO : PW_LEVEL_WARNING;
	snprintf(alert->confidence, sizeof(alert->confidence), "%s", alert->baseline < 0 ? "cold" : "suspected");
	alert->started_wall_ns = alert->onset_wall_ns = site->onset_wall_ns;
	alert->fired_wall_ns = tick->wall_ns;
	alert->parked_onset = site->onset_parked;
	set_id(alert, site->gopc);
}

/* What each tick says anew. */
static void update_alert(struct pw_alert *alert, const struct pw_analysis *analysis, const struct pw_record *record,
			 const struct pw_site *site, uint64_t peak, const struct pw_tick *tick)
{
	struct pw_pileup_evidence evidence = {.age_ns = analysis->config.g08_age_ns, .peak = peak};
	double hours = (double)(tick->taken_ns - site->onset_ns) / (3600.0 * (double)PW_NS_PER_SEC);

	alert->parked = site->last.parked;
	if (site->last.parked) {
		set_statement(alert, record, site->last.statement); /* the name may have become known since */
		pw_evidence_text(alert->wait_reason, sizeof(alert->wait_reason), record, site->last.reason);
		pw_evidence_creation(alert, record, site->last.statement);
		pw_evidence_parked(alert, record, site->last.statement);
	}
	/* By the old ones: how many young ones were there at the onset nobody may have looked at. */
	alert->growth_per_hour = hours > 0 ? ((double)site->last.parked_old - (double)site->onset_old) / hours : 0;
	evidence.parked_old = site->last.parked_old;
	pw_explain_pileup(alert, &evidence);
}

static void tell(struct pw_analysis *analysis, const struct pw_incident *incident)
{
	if (analysis->on_transition)
		analysis->on_transition(analysis->context, &incident->alert);
}

/*
 * An alert shows the stacks that its goroutines are parked on. They are read at an interval, so that those at hand may
 * be older than the alert: it is then pending until a record has newer ones, but not for longer than STACKS_WAIT_NS.
 */
static bool has_stacks_of(const struct pw_record *record, const struct pw_tick *tick)
{
	const struct pw_section *section = &record->snapshot.section;

	return !section->present || section->quality == PW_STALE ||
	       section->taken_ns + STACKS_FRESH_NS >= tick->taken_ns;
}

static void say(struct pw_analysis *analysis, struct target *target, struct pw_site *site)
{
	target->pending--;
	site->incident->alert.state = PW_ALERT_FIRING;
	tell(analysis, site->incident);
}

static void fire(struct pw_analysis *analysis, struct target *target, const struct pw_record *record,
		 struct pw_site *site, const struct pw_tick *tick)
{
	struct pw_alert alert;

	begin_alert(&alert, analysis, record, site, tick);
	site->incident = pw_incident_open(&analysis->incidents, &alert);
	if (!site->incident)
		return;
	site->incident->baseline = alert.baseline;
	site->incident->peak = site->last.parked_old;
	site->fired = *tick;
	update_alert(&site->incident->alert, analysis, record, site, site->incident->peak, tick);
	site->incident->alert.state = PW_ALERT_PENDING;
	target->pending++;
	if (has_stacks_of(record, tick))
		say(analysis, target, site);
}

/* Those that wait for stacks, when a record may have them. */
static void say_pending(struct pw_analysis *analysis, struct target *target, const struct pw_record *record)
{
	pw_table_foreach(&target->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (!site->incident || site->incident->alert.state != PW_ALERT_PENDING)
			continue;
		if (!has_stacks_of(record, &site->fired) && record->boot_ns < site->fired.taken_ns + STACKS_WAIT_NS)
			continue;
		if (site->last.statement < record->statement_count &&
		    record->statements[site->last.statement].gopc == site->gopc)
			pw_evidence_parked(&site->incident->alert, record, site->last.statement);
		say(analysis, target, site);
	}
}

bool pw_analysis_wants_stacks(const struct pw_analysis *analysis, uint64_t target_id)
{
	const struct target *target = pw_table_peek(&analysis->targets, &target_id, sizeof(target_id));

	return target && target->pending;
}

static void end(struct pw_analysis *analysis, struct target *target, struct pw_site *site, enum pw_alert_state state,
		uint64_t wall_ns)
{
	struct pw_incident *incident = site->incident;
	struct pw_pileup_evidence evidence = {
		.parked_old = site->last.parked_old, .age_ns = analysis->config.g08_age_ns, .peak = incident->peak};

	if (incident->alert.state == PW_ALERT_PENDING)
		say(analysis, target, site); /* nobody has heard of it yet */
	incident->alert.state = state;
	pw_explain_pileup(&incident->alert, &evidence);
	incident->alert.resolved_wall_ns = wall_ns;
	tell(analysis, incident);
	site->incident = NULL;
	pw_incident_end(&analysis->incidents, incident, state, wall_ns);
}

static void follow(struct pw_analysis *analysis, struct target *target, const struct pw_record *record,
		   struct pw_site *site, const struct pw_tick *tick)
{
	struct pw_incident *incident = site->incident;
	bool low = pw_pileup_is_low(site, &analysis->config, incident->baseline, incident->peak);
	bool cold = incident->baseline < 0;
	bool over = pw_incident_step(incident, low, tick->taken_ns, pw_pileup_clear_ns(&analysis->config, cold),
				     !tick->before_ns);

	incident->peak = PW_MAX(incident->peak, site->last.parked_old);
	update_alert(&incident->alert, analysis, record, site, incident->peak, tick);
	if (!over)
		return;
	pw_pileup_drained(site, incident->peak, cold);
	end(analysis, target, site, PW_ALERT_RESOLVED, tick->wall_ns);
}

/* --- ticks ------------------------------------------------------------------------------------------------------- */

/* Is the time since the last tick too long, or negative, for the two to be compared? */
static bool is_gap(const struct target *target, const struct pw_rules_config *config, uint64_t taken_ns)
{
	uint64_t usual = PW_MAX(config->g08_tick_ns, PW_MIN(target->usual_ns, GAP_CENSUS_MAX_NS));

	return !target->tick || taken_ns <= target->taken_ns || taken_ns - target->taken_ns > GAP_TICKS * usual;
}

/* Is this record the first of a new tick? Then *ret_tick describes it. */
static bool next_tick(const struct pw_analysis *analysis, struct target *target, const struct pw_record *record,
		      struct pw_tick *ret_tick)
{
	uint64_t taken_ns = record->census.section.taken_ns;
	uint64_t index = taken_ns / PW_MAX(analysis->config.g08_tick_ns, 1ULL);
	bool gap;

	if (!record->census.section.present || !taken_ns ||
	    (target->tick && (taken_ns == target->taken_ns || index == target->tick_index)))
		return false;
	gap = is_gap(target, &analysis->config, taken_ns);
	*ret_tick = (struct pw_tick){.number = target->tick + 1,
				     .taken_ns = taken_ns,
				     .wall_ns = record->wall_ns,
				     .before_ns = gap ? 0 : target->taken_ns,
				     .before_wall_ns = gap ? 0 : target->wall_ns};
	if (taken_ns > record->identity.start_time_ns)
		ret_tick->uptime_ns = taken_ns - record->identity.start_time_ns;
	if (target->tick && taken_ns > target->taken_ns)
		target->usual_ns = taken_ns - target->taken_ns;
	target->tick_index = index;
	target->taken_ns = taken_ns;
	target->wall_ns = record->wall_ns;
	target->tick++;
	if (!gap && ret_tick->uptime_ns >= analysis->config.g08_warmup_ns) {
		target->healthy_ns += taken_ns - ret_tick->before_ns;
		target->healthy_ticks++;
	}
	return true;
}

/* Hands each site its sample; those whose statement has none any more get an empty one. */
static void observe_sites(struct pw_analysis *analysis, struct target *target, const struct pw_record *record,
			  const struct pw_tick *tick)
{
	static const struct pw_site_sample nothing = {.started_minus_ended = PW_UNKNOWN};

	for (size_t i = 0; i < record->statement_count; i++) {
		uint64_t gopc = record->statements[i].gopc;
		struct pw_site *site = pw_table_peek(&target->sites, &gopc, sizeof(gopc));

		if (!site || site->seen_tick == tick->number)
			continue;
		site->seen_tick = tick->number;
		pw_pileup_observe(site, &analysis->samples[i], tick);
	}
	pw_table_foreach(&target->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (site->seen_tick != tick->number)
			pw_pileup_observe(site, &nothing, tick);
	}
}

int pw_analysis_step(struct pw_analysis *analysis, const struct pw_record *record)
{
	struct target *target = target_of(analysis, record->identity.target_id);
	struct pw_tick tick;
	int r;

	if (!target)
		return -ENOMEM;
	if (target->pending)
		say_pending(analysis, target, record);
	if (!next_tick(analysis, target, record, &tick))
		return 0;
	r = take_samples(analysis, record, tick.before_ns ? tick.taken_ns - tick.before_ns : 0);
	if (r == 0)
		r = add_sites(analysis, target, record);
	if (r < 0)
		return r;
	observe_sites(analysis, target, record, &tick);
	pw_table_foreach(&target->sites, entry)
	{
		struct pw_site *site = entry->value;

		analysis->stats.evaluated++;
		if (site->incident && site->incident->alert.state != PW_ALERT_PENDING)
			follow(analysis, target, record, site, &tick);
		else if (!site->incident && pw_pileup_fires(site, &analysis->config))
			fire(analysis, target, record, site, &tick);
		pw_pileup_learn(site, &analysis->config, &tick);
	}
	return 0;
}

void pw_analysis_forget(struct pw_analysis *analysis, uint64_t target_id, uint64_t boot_ns, uint64_t wall_ns)
{
	struct target *target = pw_table_peek(&analysis->targets, &target_id, sizeof(target_id));

	(void)boot_ns; /* an alert that ends with its process ends at the time that people read */
	if (!target)
		return;
	pw_table_foreach(&target->sites, entry)
	{
		struct pw_site *site = entry->value;

		if (site->incident)
			end(analysis, target, site, PW_ALERT_GONE, wall_ns);
	}
	pw_table_remove_u64(&analysis->targets, target_id);
}

size_t pw_analysis_alerts(const struct pw_analysis *analysis, struct pw_alert *alerts, size_t max)
{
	return pw_incidents_copy(&analysis->incidents, alerts, max);
}

void pw_analysis_stats(const struct pw_analysis *analysis, struct pw_analysis_stats *ret_stats)
{
	*ret_stats = analysis->stats;
	ret_stats->fired = analysis->incidents.fired;
	ret_stats->resolved = analysis->incidents.resolved;
	ret_stats->sites_tracked = 0;
	pw_table_foreach(&analysis->targets, entry) ret_stats->sites_tracked +=
		pw_table_count(&((struct target *)entry->value)->sites);
}
