/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"

/*
 * What /metrics says of one target. Names and meaning of go_* are those of Go's own client library, so that dashboards
 * made for it work; what only parkwatch knows is parkwatch_*.
 */
#define LABELS_MAX 8192

#define KERNEL_NUMBER(function, member)                                                 \
	static void function(struct pw_writer *w, const struct pw_metric_target *t)     \
	{                                                                               \
		if (t->record->kernel.section.present)                                  \
			pw_write_u64(w, "", t->labels, NULL, t->record->kernel.member); \
	}
KERNEL_NUMBER(process_rss, rss_bytes)
KERNEL_NUMBER(process_fds, open_files)

static void process_cpu(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->kernel.section.present)
		pw_write_seconds(w, "", t->labels, NULL, t->record->kernel.cpu_ns);
}

/* Labels of a row and what follows them: often the same as in the row before. */
struct site_labels {
	struct pw_buf all, end;
	const char *reason;
	int status;
};

static const char *site_labels(struct site_labels *labels, const struct pw_site_row *row, int status,
			       const char *reason)
{
	if (!labels->reason || labels->status != status || strcmp(labels->reason, reason) != 0) {
		pw_buf_reset(&labels->end);
		if (status >= 0)
			pw_write_label(&labels->end, "status", pw_status_name((enum pw_status_class)status));
		pw_write_label(&labels->end, "wait_reason", reason);
		labels->status = status;
		labels->reason = reason;
	}
	pw_buf_reset(&labels->all);
	pw_buf_puts(&labels->all, row->labels);
	pw_buf_putc(&labels->all, ',');
	pw_buf_append(&labels->all, labels->end.data, labels->end.size);
	return pw_buf_text(&labels->all);
}

static void site_labels_done(struct site_labels *labels)
{
	pw_buf_done(&labels->all);
	pw_buf_done(&labels->end);
}

#define SITE_LABELS_INIT ((struct site_labels){.all = PW_BUF_INIT(LABELS_MAX), .end = PW_BUF_INIT(LABELS_MAX)})

static void goroutines(struct pw_writer *w, const struct pw_metric_target *t)
{
	_cleanup_(site_labels_done) struct site_labels labels = SITE_LABELS_INIT;

	for (size_t i = 0; i < t->sites->group_count; i++) {
		const struct pw_site_group *group = &t->sites->groups[i];

		pw_write_u64(w, "", t->labels,
			     site_labels(&labels, &t->sites->rows[group->row], group->status, group->reason),
			     group->count);
	}
}

static void goroutines_old(struct pw_writer *w, const struct pw_metric_target *t)
{
	for (size_t i = 0; t->record->census.section.present && i < t->sites->row_count; i++)
		if (t->sites->rows[i].live)
			pw_write_u64(w, "", t->labels, t->sites->rows[i].labels, t->sites->rows[i].old_30s);
}

static void goroutines_oldest(struct pw_writer *w, const struct pw_metric_target *t)
{
	for (size_t i = 0; t->record->census.section.present && i < t->sites->row_count; i++)
		if (t->sites->rows[i].live)
			pw_write_seconds(w, "", t->labels, t->sites->rows[i].labels, t->sites->rows[i].oldest_ns);
}

static void goroutines_system(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->census.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->record->census.system);
}

#define SITE_NUMBER(function, member)                                                                               \
	static void function(struct pw_writer *w, const struct pw_metric_target *t)                                 \
	{                                                                                                           \
		for (size_t i = 0; i < t->sites->row_count; i++)                                                    \
			if (t->sites->rows[i].counted && !t->sites->rows[i].other)                                  \
				pw_write_u64(w, "", t->labels, t->sites->rows[i].labels, t->sites->rows[i].member); \
	}
SITE_NUMBER(spawned, spawned)
SITE_NUMBER(exited, exited)
SITE_NUMBER(parked, parked)

static void parks(struct pw_writer *w, const struct pw_metric_target *t)
{
	_cleanup_(site_labels_done) struct site_labels labels = SITE_LABELS_INIT;

	for (size_t i = 0; i < t->sites->parks_count; i++) {
		const struct pw_site_parks *row = &t->sites->parks[i];

		if (!t->sites->rows[row->row].other)
			pw_write_u64(w, "", t->labels, site_labels(&labels, &t->sites->rows[row->row], -1, row->reason),
				     row->count);
	}
}

#define EVENTS_NUMBER(function, member)                                                 \
	static void function(struct pw_writer *w, const struct pw_metric_target *t)     \
	{                                                                               \
		if (t->record->events.section.present)                                  \
			pw_write_u64(w, "", t->labels, NULL, t->record->events.member); \
	}
EVENTS_NUMBER(all_spawned, spawned)
EVENTS_NUMBER(all_exited, exited)
EVENTS_NUMBER(all_parked, parked)
EVENTS_NUMBER(gc_cycles, gc_cycles)
EVENTS_NUMBER(gc_mark_terminations, gc_mark_terminations)
EVENTS_NUMBER(gc_sweeps, gc_sweeps)
EVENTS_NUMBER(stw_starts, stw_starts)

static void stw_seconds(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->events.section.present)
		pw_write_seconds(w, "", t->labels, NULL, t->record->events.stw_total_ns);
}

static void drift(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->drift.section.present)
		pw_write_double(w, "", t->labels, NULL, (double)t->record->drift.difference);
}

static void drift_by_site(struct pw_writer *w, const struct pw_metric_target *t)
{
	for (size_t i = 0; i < t->sites->row_count; i++)
		if (t->sites->rows[i].drift_known)
			pw_write_double(w, "", t->labels, t->sites->rows[i].labels, (double)t->sites->rows[i].drift);
}

static void by_status(struct pw_writer *w, const struct pw_metric_target *t)
{
	uint64_t counts[_PW_GOROUTINE_STATUS_MAX] = {0};

	if (!t->record->census.section.present)
		return;
	for (size_t i = 0; i < t->record->census.group_count; i++)
		counts[t->record->census.groups[i].status] += t->record->census.groups[i].count;
	for (size_t i = 0; i < _PW_GOROUTINE_STATUS_MAX; i++) {
		_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

		pw_write_label(&more, "status", pw_status_name((enum pw_status_class)i));
		pw_write_u64(w, "", t->labels, pw_buf_text(&more), counts[i]);
	}
}

static void folded(struct pw_writer *w, const struct pw_metric_target *t)
{
	pw_write_u64(w, "", t->labels, NULL, t->sites->folded);
}

static void target_info(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_record_identity *identity = &t->record->identity;
	const struct {
		const char *name;
		pw_string text;
	} labels[] = {
		{"exe", identity->exe},
		{"go_version", identity->go_version},
		{"main", identity->main_path},
		{"module", identity->module},
		{"module_version", identity->module_version},
		{"revision", identity->revision},
		{"build_id", identity->build_id},
		{"state", identity->state},
	};
	_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
		pw_write_label(&more, labels[i].name, pw_record_string(t->record, labels[i].text));
	pw_write_label(&more, "stripped", identity->stripped ? "true" : "false");
	pw_write_u64(w, "", t->labels, pw_buf_text(&more), 1);
}

static void target_ability(struct pw_writer *w, const struct pw_metric_target *t)
{
	static const char *const names[_PW_ABILITY_MAX] = {"ability=\"events\"", "ability=\"memory\"",
							   "ability=\"symbols\""};

	for (size_t i = 0; i < _PW_ABILITY_MAX; i++)
		pw_write_u64(w, "", t->labels, names[i], t->record->abilities[i].ok);
}

static void each_site(struct pw_writer *w, const struct pw_metric_target *t,
		      void (*write)(struct pw_writer *w, const char *labels, const char *more,
				    const struct pw_record_site *site))
{
	for (size_t i = 0; t->record->sites_section.present && i < t->record->site_count; i++) {
		_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

		pw_write_label(&more, "event", pw_record_string(t->record, t->record->sites[i].event));
		write(w, t->labels, pw_buf_text(&more), &t->record->sites[i]);
	}
}

static void write_attached(struct pw_writer *w, const char *labels, const char *more, const struct pw_record_site *site)
{
	pw_write_u64(w, "", labels, more, site->attached);
}

static void write_hits(struct pw_writer *w, const char *labels, const char *more, const struct pw_record_site *site)
{
	if (site->attached || site->hits)
		pw_write_u64(w, "", labels, more, site->hits);
}

static void write_hit_cost(struct pw_writer *w, const char *labels, const char *more, const struct pw_record_site *site)
{
	if (site->cost_ns)
		pw_write_seconds(w, "", labels, more, site->cost_ns);
}

static void probe_attached(struct pw_writer *w, const struct pw_metric_target *t)
{
	each_site(w, t, write_attached);
}

static void probe_hits(struct pw_writer *w, const struct pw_metric_target *t)
{
	each_site(w, t, write_hits);
}

static void probe_hit_cost(struct pw_writer *w, const struct pw_metric_target *t)
{
	each_site(w, t, write_hit_cost);
}

static void probe_cost(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present)
		pw_write_double(w, "", t->labels, NULL, t->record->cost.cpu_percent);
}

static void probe_budget(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present && t->record->cost.budget_percent >= 0)
		pw_write_double(w, "", t->labels, NULL, t->record->cost.budget_percent);
}

static void probe_governor(struct pw_writer *w, const struct pw_metric_target *t)
{
	_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);
	const char *state = pw_record_string(t->record, t->record->cost.governor_state);

	if (!t->record->cost.section.present || !*state)
		return;
	pw_write_label(&more, "state", state);
	pw_write_u64(w, "", t->labels, pw_buf_text(&more), 1);
}

static void probe_counting(struct pw_writer *w, const struct pw_metric_target *t)
{
	for (size_t i = 0; t->record->sites_section.present && i < t->record->site_count; i++) {
		_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);
		const struct pw_record_site *site = &t->record->sites[i];

		if (!site->found || !*pw_record_string(t->record, t->record->cost.governor_state))
			continue;
		pw_write_label(&more, "counting", pw_counting_name(site->counting));
		pw_write_label(&more, "event", pw_record_string(t->record, site->event));
		pw_write_u64(w, "", t->labels, pw_buf_text(&more), 1);
	}
}

static void events_error(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct {
		const char *label;
		const struct pw_record_sampled *event;
	} kinds[] = {
		{"event=\"spawn\"", &t->record->events.spawn},
		{"event=\"exit\"", &t->record->events.exit},
		{"event=\"park\"", &t->record->events.park},
	};

	for (size_t i = 0; t->record->events.section.present && i < ARRAY_SIZE(kinds); i++)
		pw_write_double(w, "", t->labels, kinds[i].label, pw_sampled_bound(kinds[i].event, NULL));
}

static void events_sampled(struct pw_writer *w, const struct pw_metric_target *t)
{
	uint64_t now = pw_writer_boot_ns(w), wall = pw_writer_wall_ns(w), then = t->record->events.sampled_ns;

	if (t->record->events.section.present && then && then <= now)
		pw_write_seconds(w, "", t->labels, NULL, wall - (now - then));
}

static void events_windows(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->events.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->record->events.windows);
}

static bool has_cost(const struct pw_metric_target *t)
{
	return t->record->cost.section.present && *pw_record_string(t->record, t->record->cost.governor_state);
}

static void probe_seconds(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (has_cost(t))
		pw_write_seconds(w, "", t->labels, NULL, t->record->cost.probe_ns);
}

static void snapshot_cost(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present)
		pw_write_double(w, "", t->labels, NULL, t->record->cost.snapshot_percent);
}

static void snapshot_seconds(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present)
		pw_write_seconds(w, "", t->labels, NULL, t->record->cost.snapshot_ns);
}

static void snapshot_bytes(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->record->cost.snapshot_bytes);
}

static void target_cost(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->cost.section.present)
		pw_write_double(w, "", t->labels, NULL, t->record->cost.cpu_percent + t->record->cost.snapshot_percent);
}

static void drops(struct pw_writer *w, const struct pw_metric_target *t)
{
	for (size_t i = 0; t->record->drops_section.present && i < t->record->drop_count; i++) {
		_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

		pw_write_label(&more, "reason", pw_record_string(t->record, t->record->drops[i].name));
		pw_write_u64(w, "", t->labels, pw_buf_text(&more), t->record->drops[i].count);
	}
}

static void census_seconds(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->census.section.present && t->record->cost.section.present)
		pw_write_seconds(w, "", t->labels, NULL, t->record->cost.census_ns);
}

static void census_bytes(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->census.section.present && t->record->cost.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->record->cost.bytes_read);
}

static void census_left_out(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (!t->record->census.section.present)
		return;
	pw_write_u64(w, "", t->labels, "reason=\"skipped\"", t->record->census.skipped);
	pw_write_u64(w, "", t->labels, "reason=\"torn\"", t->record->census.torn);
}

static void data_age(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_record *record = t->record;
	const struct {
		const char *label;
		const struct pw_section *section;
	} sections[] = {
		{"section=\"events\"", &record->events.section},     {"section=\"census\"", &record->census.section},
		{"section=\"snapshot\"", &record->snapshot.section}, {"section=\"runtime\"", &record->runtime.section},
		{"section=\"kernel\"", &record->kernel.section},     {"section=\"gc\"", &record->gc.section},
		{"section=\"memory\"", &record->memory.section},
	};
	uint64_t now = pw_writer_boot_ns(w);

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		uint64_t taken = sections[i].section->taken_ns;

		if (sections[i].section->present && taken)
			pw_write_seconds(w, "", t->labels, sections[i].label, now > taken ? now - taken : 0);
	}
}

#define G PW_METRIC_GAUGE
#define C PW_METRIC_COUNTER
const struct pw_metric_family pw_metrics_target[] = {
	{"parkwatch_process_resident_memory_bytes", G, "bytes", "Resident memory of the process.", process_rss, NULL},
	{"parkwatch_process_open_fds", G, NULL, "Open file descriptors of the process.", process_fds, NULL},
	{"parkwatch_process_cpu_seconds_total", C, "seconds", "CPU time of the process.", process_cpu, NULL},
	{"parkwatch_goroutines", G, NULL,
	 "Goroutines by go statement, status and wait reason; small sites are summed as other.", goroutines, NULL},
	{"parkwatch_goroutines_aged_30s", G, NULL, "Goroutines surely at least 30 s old, by go statement.",
	 goroutines_old, NULL},
	{"parkwatch_goroutine_oldest_age_seconds", G, "seconds",
	 "Age of the oldest goroutine of a go statement, a lower bound.", goroutines_oldest, NULL},
	{"parkwatch_goroutines_system", G, NULL, "Goroutines of the runtime itself.", goroutines_system, NULL},
	{"parkwatch_goroutines_by_status", G, NULL, "Goroutines by status, those of the runtime itself too.", by_status,
	 NULL},
	{"parkwatch_goroutines_spawned_total", C, NULL, "Goroutines started since attach, by all go statements.",
	 all_spawned, NULL},
	{"parkwatch_goroutines_exited_total", C, NULL, "Goroutines ended since attach.", all_exited, NULL},
	{"parkwatch_goroutines_parked_total", C, NULL, "Parks since attach, of all goroutines.", all_parked, NULL},
	{"parkwatch_spawned_total", C, NULL,
	 "Goroutines started since attach, by go statement; those that are summed as other have no counter.", spawned,
	 NULL},
	{"parkwatch_exited_total", C, NULL, "Goroutines ended since attach, by go statement that started them.", exited,
	 NULL},
	{"parkwatch_parked_total", C, NULL, "Parks since attach, by go statement of the goroutine.", parked, NULL},
	{"parkwatch_parked_by_reason_total", C, NULL, "Parks since attach, by go statement and wait reason.", parks,
	 NULL},
	{"parkwatch_goroutines_drift", G, NULL,
	 "Goroutines by census minus goroutines by events: what one of them has missed.", drift, NULL},
	{"parkwatch_goroutines_drift_by_site", G, NULL,
	 "The same by go statement; while goroutines come and go, those in between the two readings are in it.",
	 drift_by_site, NULL},
	{"parkwatch_sites_folded", G, NULL, "Go statements that are summed as other.", folded, NULL},
	{"parkwatch_gc_cycles_total", C, NULL, "Garbage collection cycles begun since attach.", gc_cycles, NULL},
	{"parkwatch_gc_mark_terminations_total", C, NULL, "Mark terminations since attach.", gc_mark_terminations,
	 NULL},
	{"parkwatch_gc_sweeps_total", C, NULL, "Sweeps begun since attach.", gc_sweeps, NULL},
	{"parkwatch_stw_total", C, NULL, "Stops of the world since attach.", stw_starts, NULL},
	{"parkwatch_stw_seconds_total", C, "seconds", "Time the world was stopped since attach.", stw_seconds, NULL},
	{"parkwatch_target_info", G, NULL, "What is observed.", target_info, NULL},
	{"parkwatch_target_ability", G, NULL, "Whether this can be observed of the process; parkwatch ps says why not.",
	 target_ability, NULL},
	{"parkwatch_probe_attached", G, NULL, "Whether the probe of this event is attached.", probe_attached, NULL},
	{"parkwatch_probe_hits_total", C, NULL, "Probe hits since attach.", probe_hits, NULL},
	{"parkwatch_probe_hit_cost_seconds", G, "seconds", "Cost of one hit, calibrated on this host.", probe_hit_cost,
	 NULL},
	{"parkwatch_probe_cost_percent", G, NULL, "Estimated cost of all probes to the process, percent of one CPU.",
	 probe_cost, NULL},
	{"parkwatch_probe_budget_percent", G, NULL,
	 "What probes may cost the process now, percent of one CPU; absent: no limit.", probe_budget, NULL},
	{"parkwatch_probe_governor", G, NULL, "1 at the state of the governor that keeps the budget.", probe_governor,
	 NULL},
	{"parkwatch_probe_counting", G, NULL,
	 "1 at how an event is counted: continuous, windows (totals are estimates), off.", probe_counting, NULL},
	{"parkwatch_events_error", G, NULL,
	 "The truth is within that of the total with 95%: 0 as long as each event was counted.", events_error, NULL},
	{"parkwatch_sampled_timestamp_seconds", G, "seconds",
	 "The moment whose totals the sampled ones are; absent: each event is counted.", events_sampled, NULL},
	{"parkwatch_probe_windows_total", C, NULL, "Windows in which events were counted while sampled.",
	 events_windows, NULL},
	{"parkwatch_probe_cost_seconds_total", C, "seconds",
	 "Estimated CPU time that probes took from the process since attach.", probe_seconds, NULL},
	{"parkwatch_snapshot_cost_percent", G, NULL,
	 "What walks of its goroutines cost parkwatch at their pace now, percent of one CPU.", snapshot_cost, NULL},
	{"parkwatch_snapshot_cost_seconds_total", C, "seconds", "CPU time of these walks since attach.",
	 snapshot_seconds, NULL},
	{"parkwatch_snapshot_read_bytes_total", C, "bytes", "Memory of the process read by them since attach.",
	 snapshot_bytes, NULL},
	{"parkwatch_cost_percent", G, NULL,
	 "Estimated cost of observing the process, probes and walks, percent of one CPU.", target_cost, NULL},
	{"parkwatch_drops_total", C, NULL, "What was lost, by reason.", drops, NULL},
	{"parkwatch_census_duration_seconds", G, "seconds", "Time the last walk of all goroutines took us.",
	 census_seconds, NULL},
	{"parkwatch_census_read_bytes", G, "bytes", "Memory of the process read by the last walk.", census_bytes, NULL},
	{"parkwatch_census_left_out", G, NULL, "Goroutines that the last walk could not use.", census_left_out, NULL},
	{"parkwatch_data_age_seconds", G, "seconds", "Age of the data shown, by what it is.", data_age, NULL},
};
const size_t pw_metrics_target_count = ARRAY_SIZE(pw_metrics_target);
