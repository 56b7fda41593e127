/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include <version.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"
#include "output/publish_data.h"

/* Alerts, and parkwatch's own health. */

static bool is_open(const struct pw_alert *alert)
{
	return alert->state == PW_ALERT_FIRING || alert->state == PW_ALERT_CLEARING;
}

/* Another alert stands for it: to whoever alerts by these metrics it would be the same twice. */
static bool is_explained(const struct pw_alert *alert)
{
	return alert->hold == PW_HOLD_INHIBITED || alert->hold == PW_HOLD_FLEET || alert->hold == PW_HOLD_DEPLOY;
}

static void alert_labels(struct pw_buf *out, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf site = PW_BUF_INIT(4096);
	const char *slash = strrchr(alert->statement.file, '/');
	char pid[16];

	pw_buf_puts(&site, alert->statement.function);
	if (*alert->statement.file)
		pw_buf_printf(&site, " %s:%u", slash ? slash + 1 : alert->statement.file, alert->statement.line);
	snprintf(pid, sizeof(pid), "%d", alert->pid);
	pw_write_label(out, "rule", alert->rule);
	pw_write_label(out, "service", alert->service);
	pw_write_label(out, "process", alert->process);
	pw_write_label(out, "pid", pid);
	pw_write_label(out, "level", pw_alert_level_name(alert->level));
	pw_write_label(out, "confidence", alert->confidence);
	pw_write_label(out, "function", alert->statement.function);
	pw_write_label(out, "site", pw_buf_text(&site));
	pw_write_label(out, "wait_reason", alert->wait_reason);
}

/* Labels of two open alerts may be the same (one go statement seen under two keys): the first one stands for both. */
static void each_alert(struct pw_writer *w, const struct pw_published *published,
		       void (*write)(struct pw_writer *w, const char *labels, const struct pw_alert *alert))
{
	struct pw_buf *seen = calloc(published->alert_count + 1, sizeof(*seen));
	size_t count = 0, same;

	for (size_t i = 0; seen && i < published->alert_count; i++) {
		if (!is_open(&published->alerts[i]) || is_explained(&published->alerts[i]))
			continue;
		pw_buf_init(&seen[count], 8192);
		alert_labels(&seen[count], &published->alerts[i]);
		for (same = 0; same < count && strcmp(pw_buf_text(&seen[same]), pw_buf_text(&seen[count])); same++)
			;
		if (same < count) {
			pw_buf_done(&seen[count]);
			continue;
		}
		write(w, pw_buf_text(&seen[count]), &published->alerts[i]);
		count++;
	}
	for (size_t i = 0; seen && i < count; i++)
		pw_buf_done(&seen[i]);
	free(seen);
}

static void write_one(struct pw_writer *w, const char *labels, const struct pw_alert *alert pw_unused)
{
	pw_write_u64(w, "", labels, NULL, 1);
}

static void write_parked(struct pw_writer *w, const char *labels, const struct pw_alert *alert)
{
	if (!*alert->unit)
		pw_write_u64(w, "", labels, NULL, alert->parked);
}

static void write_growth(struct pw_writer *w, const char *labels, const struct pw_alert *alert)
{
	if (!*alert->unit)
		pw_write_double(w, "", labels, NULL, alert->growth_per_hour);
}

static void write_bytes(struct pw_writer *w, const char *labels, const struct pw_alert *alert)
{
	if (!strcmp(alert->unit, "bytes"))
		pw_write_double(w, "", labels, NULL, alert->value);
}

static void write_value(struct pw_writer *w, const char *labels, const struct pw_alert *alert)
{
	char more[48];

	if (!*alert->unit || !strcmp(alert->unit, "bytes"))
		return;
	snprintf(more, sizeof(more), "unit=\"%s\"", alert->unit);
	pw_write_double(w, "", labels, more, alert->value);
}

static void alert(struct pw_writer *w, const struct pw_published *published)
{
	each_alert(w, published, write_one);
}

static void alert_goroutines(struct pw_writer *w, const struct pw_published *published)
{
	each_alert(w, published, write_parked);
}

static void alert_bytes(struct pw_writer *w, const struct pw_published *published)
{
	each_alert(w, published, write_bytes);
}

static void alert_value(struct pw_writer *w, const struct pw_published *published)
{
	each_alert(w, published, write_value);
}

static void alert_growth(struct pw_writer *w, const struct pw_published *published)
{
	each_alert(w, published, write_growth);
}

/* Each sink's number with its name; result: "" or the value of that label. */
#define SINK_NUMBER(function, member, result)                                           \
	static void function(struct pw_writer *w, const struct pw_published *published) \
	{                                                                               \
		for (size_t i = 0; i < published->health.sink_count; i++) {             \
			const struct pw_sink_stats *sink = &published->health.sinks[i]; \
			_cleanup_buf_ struct pw_buf labels = PW_BUF_INIT(2048);         \
                                                                                        \
			pw_write_label(&labels, "receiver", sink->name);                \
			if (*(result))                                                  \
				pw_write_label(&labels, "result", result);              \
			pw_write_u64(w, "", pw_buf_text(&labels), NULL, sink->member);  \
		}                                                                       \
	}
SINK_NUMBER(deliveries_done, delivered, "delivered")
SINK_NUMBER(deliveries_dropped, dropped, "dropped")
SINK_NUMBER(delivery_failures, failed_tries, "")
SINK_NUMBER(deliveries_waiting, waiting, "")
SINK_NUMBER(deliveries_in_memory, in_memory, "")
SINK_NUMBER(receiver_up, ok, "")

static void deliveries(struct pw_writer *w, const struct pw_published *published)
{
	deliveries_done(w, published);
	deliveries_dropped(w, published);
}

static void build_info(struct pw_writer *w, const struct pw_published *published)
{
	_cleanup_buf_ struct pw_buf labels = PW_BUF_INIT(8192);

	pw_write_label(&labels, "version", PW_VERSION);
	pw_write_label(&labels, "attach_method",
		       published->health.attach_method ? published->health.attach_method : "");
	pw_write_u64(w, "", pw_buf_text(&labels), NULL, 1);
}

static void targets(struct pw_writer *w, const struct pw_published *published)
{
	pw_write_u64(w, "", NULL, NULL, published->record_count);
}

static void budget(struct pw_writer *w, const struct pw_published *published)
{
	if (published->health.budget_percent >= 0)
		pw_write_double(w, "", NULL, NULL, published->health.budget_percent);
}

static void host_budget(struct pw_writer *w, const struct pw_published *published)
{
	if (published->health.host_budget_percent >= 0)
		pw_write_double(w, "", NULL, NULL, published->health.host_budget_percent);
}

static void host_cost(struct pw_writer *w, const struct pw_published *published)
{
	double sum = 0;

	for (size_t i = 0; i < published->record_count; i++)
		if (published->records[i]->cost.section.present)
			sum += published->records[i]->cost.cpu_percent + published->records[i]->cost.snapshot_percent;
	pw_write_double(w, "", NULL, NULL, sum);
}

static void hit_cost(struct pw_writer *w, const struct pw_published *published)
{
	const struct pw_health *health = &published->health;

	if (!health->emulated_hit_ns)
		return;
	pw_write_seconds(w, "", "part=\"emulated\"", NULL, health->emulated_hit_ns);
	pw_write_seconds(w, "", "part=\"single_stepped\"", NULL, health->stepped_hit_ns);
	if (!health->hit_cost_complete)
		return;
	pw_write_seconds(w, "", "part=\"stack\"", NULL, health->stack_hit_ns);
	pw_write_seconds(w, "", "part=\"further_process\"", NULL, health->further_hit_ns);
}

static void alerts_held(struct pw_writer *w, const struct pw_published *published)
{
	for (int hold = PW_HOLD_INHIBITED; hold <= PW_HOLD_FLEET; hold++) {
		_cleanup_buf_ struct pw_buf labels = PW_BUF_INIT(64);
		uint64_t count = 0;

		for (size_t i = 0; i < published->alert_count; i++)
			count += is_open(&published->alerts[i]) && (int)published->alerts[i].hold == hold;
		pw_write_label(&labels, "reason", pw_alert_hold_name((enum pw_alert_hold)hold));
		pw_write_u64(w, "", pw_buf_text(&labels), NULL, count);
	}
}

static void alerts_total(struct pw_writer *w, const struct pw_published *published)
{
	pw_write_u64(w, "", "transition=\"fired\"", NULL, published->health.alerts_fired);
	pw_write_u64(w, "", "transition=\"resolved\"", NULL, published->health.alerts_resolved);
}

static void left_alone(struct pw_writer *w, const struct pw_published *published)
{
	pw_write_u64(w, "", "reason=\"not_go\"", NULL, published->health.not_go);
	pw_write_u64(w, "", "reason=\"opted_out\"", NULL, published->health.opted_out);
}

#define RULE_NUMBER(function, member)                                                          \
	static void function(struct pw_writer *w, const struct pw_published *published)        \
	{                                                                                      \
		for (size_t i = 0; i < published->rule_count; i++) {                           \
			char label[40];                                                        \
                                                                                               \
			snprintf(label, sizeof(label), "rule=\"%s\"", published->rules[i].id); \
			pw_write_u64(w, "", label, NULL, published->rules[i].counters.member); \
		}                                                                              \
	}
RULE_NUMBER(rule_evaluated, evaluated)
RULE_NUMBER(rule_fired, fired)
RULE_NUMBER(rule_cleared, cleared)
RULE_NUMBER(rule_dismissed, dismissed)

static void reloads(struct pw_writer *w, const struct pw_published *published)
{
	pw_write_u64(w, "", "result=\"taken\"", NULL, published->health.reloads);
	pw_write_u64(w, "", "result=\"refused\"", NULL, published->health.reloads_failed);
}

#define SELF_NUMBER(function, member)                                                   \
	static void function(struct pw_writer *w, const struct pw_published *published) \
	{                                                                               \
		pw_write_u64(w, "", NULL, NULL, published->health.member);              \
	}
#define SELF_SECONDS(function, member)                                                  \
	static void function(struct pw_writer *w, const struct pw_published *published) \
	{                                                                               \
		pw_write_seconds(w, "", NULL, NULL, published->health.member);          \
	}
SELF_NUMBER(ticks, ticks)
SELF_NUMBER(ticks_missed, ticks_missed)
SELF_SECONDS(tick_late, tick_late_last_ns)
SELF_SECONDS(tick_late_max, tick_late_max_ns)
SELF_SECONDS(tick_duration, tick_duration_ns)
SELF_SECONDS(longest_callback, longest_callback_ns)
SELF_SECONDS(self_cpu, cpu_ns)
SELF_NUMBER(self_rss, rss_bytes)
SELF_SECONDS(self_start, started_wall_ns)
SELF_NUMBER(reader_requests, reader_requests)
SELF_NUMBER(reader_timeouts, reader_timeouts)
SELF_NUMBER(reader_crashes, reader_crashes)
SELF_NUMBER(reader_restarts, reader_restarts)
SELF_NUMBER(reader_barred, reader_barred_builds)
SELF_NUMBER(scans, scans)
SELF_NUMBER(processes_seen, processes_seen)
SELF_NUMBER(processes_vanished, vanished)
SELF_NUMBER(executables_failed, open_failures)
SELF_NUMBER(events_possible, events_possible)
SELF_NUMBER(polls, polls)
SELF_SECONDS(poll_seconds, poll_ns_last)
SELF_NUMBER(attach_failures, attach_failures)
SELF_NUMBER(attached_targets, attached_targets)
SELF_NUMBER(waiting_targets, waiting_targets)
SELF_NUMBER(not_tried_again, not_tried_again)
SELF_NUMBER(map_memory, map_memory_bytes)
SELF_NUMBER(judged, judged)
SELF_NUMBER(rule_sites, sites_tracked)
SELF_NUMBER(rule_sites_dropped, sites_dropped)
SELF_NUMBER(observe_failures, observe_failures)
SELF_NUMBER(reload_ok, reload_ok)
SELF_SECONDS(reload_time, reload_wall_ns)
SELF_NUMBER(recording, recording)
SELF_NUMBER(recording_bytes, recording_bytes)
SELF_NUMBER(recording_failures, recording_failures)

#define G PW_METRIC_GAUGE
#define C PW_METRIC_COUNTER
SELF_NUMBER(ends, ends)
SELF_NUMBER(ends_written, ends_kept.written)
SELF_NUMBER(ends_failed, ends_kept.failed)
SELF_NUMBER(ends_dropped, ends_kept.dropped)

static void ends_untold(struct pw_writer *w, const struct pw_published *published)
{
	pw_write_u64(w, "", "reason=\"short_lived\"", NULL, published->health.ends_untold);
	pw_write_u64(w, "", "reason=\"repeated\"", NULL, published->health.ends_quiet);
}

const struct pw_metric_family pw_metrics_self[] = {
	{"parkwatch_alert", G, NULL, "1 for each alert that fires; parkwatch alerts shows its evidence.", NULL, alert},
	{"parkwatch_alert_goroutines", G, NULL, "Parked goroutines of an alert that fires.", NULL, alert_goroutines},
	{"parkwatch_alert_bytes", G, "bytes", "Memory that an alert that fires is about.", NULL, alert_bytes},
	{"parkwatch_alert_value", G, NULL, "What an alert about a process counts: unit says what.", NULL, alert_value},
	{"parkwatch_alert_growth_per_hour", G, NULL, "Growth of an alert that fires, goroutines per hour.", NULL,
	 alert_growth},
	{"parkwatch_alerts_held", G, NULL, "Alerts that fire and wake nobody, by why.", NULL, alerts_held},
	{"parkwatch_alert_transitions_total", C, NULL, "Alerts that fired and were resolved.", NULL, alerts_total},
	{"parkwatch_alert_deliveries_total", C, NULL,
	 "Transitions of alerts by where they were to go, and what became of them.", NULL, deliveries},
	{"parkwatch_alert_delivery_failures_total", C, NULL, "Tries that failed, of a command or a webhook.", NULL,
	 delivery_failures},
	{"parkwatch_alert_deliveries_waiting", G, NULL, "Transitions that a receiver has not taken yet.", NULL,
	 deliveries_waiting},
	{"parkwatch_alert_deliveries_not_on_disk", G, NULL, "Of them those that are lost if parkwatch ends now.", NULL,
	 deliveries_in_memory},
	{"parkwatch_alert_receiver_up", G, NULL, "Whether the last try to tell a receiver succeeded.", NULL,
	 receiver_up},
	{"parkwatch_rule_evaluations_total", C, NULL, "Records judged.", NULL, judged},
	{"parkwatch_rule_sites", G, NULL, "Go statements under judgement.", NULL, rule_sites},
	{"parkwatch_rule_evaluated_total", C, NULL, "Judgements by a rule, of one subject at one time each.", NULL,
	 rule_evaluated},
	{"parkwatch_rule_fired_total", C, NULL, "Conditions of a rule that fired.", NULL, rule_fired},
	{"parkwatch_rule_cleared_total", C, NULL, "Of these, ended: resolved, or gone with their process.", NULL,
	 rule_cleared},
	{"parkwatch_rule_dismissed_total", C, NULL, "Of those that fired, lowered by the benign list.", NULL,
	 rule_dismissed},
	{"parkwatch_rule_sites_dropped_total", C, NULL, "Go statements not judged for want of room.", NULL,
	 rule_sites_dropped},
	{"parkwatch_build_info", G, NULL, "Version of parkwatch, and how it attaches.", NULL, build_info},
	{"parkwatch_targets", G, NULL, "Go processes observed.", NULL, targets},
	{"parkwatch_targets_attached", G, NULL, "Go processes with probes attached.", NULL, attached_targets},
	{"parkwatch_attach_failures_total", C, NULL, "Attempts to attach probes that failed.", NULL, attach_failures},
	{"parkwatch_targets_waiting", G, NULL, "Processes that wait for their first or next attempt to attach.", NULL,
	 waiting_targets},
	{"parkwatch_targets_not_tried_again_total", C, NULL,
	 "Processes whose attach failed and that found no room among those that wait.", NULL, not_tried_again},
	{"parkwatch_events_possible", G, NULL,
	 "Whether this host lets us attach probes; parkwatch doctor says why not.", NULL, events_possible},
	{"parkwatch_budget_percent", G, NULL, "What probes may cost a process, percent of one CPU; absent: no limit.",
	 NULL, budget},
	{"parkwatch_host_budget_percent", G, NULL,
	 "What probes may cost all processes together, percent of one CPU; absent: no limit.", NULL, host_budget},
	{"parkwatch_host_cost_percent", G, NULL,
	 "Estimated cost of observing all processes, probes and walks, percent of one CPU.", NULL, host_cost},
	{"parkwatch_hit_cost_seconds", G, "seconds",
	 "Cost of one probe hit, measured on a child of parkwatch on this host; stack and further_process come on top.",
	 NULL, hit_cost},
	{"parkwatch_scans_total", C, NULL, "Scans of /proc.", NULL, scans},
	{"parkwatch_processes_seen", G, NULL, "Processes in the last scan of /proc.", NULL, processes_seen},
	{"parkwatch_processes_left_alone", G, NULL, "Processes that are not observed now, by reason.", NULL,
	 left_alone},
	{"parkwatch_processes_vanished_total", C, NULL, "Processes that ended while they were looked at.", NULL,
	 processes_vanished},
	{"parkwatch_executables_failed_total", C, NULL, "Executables that could not be made sense of.", NULL,
	 executables_failed},
	{"parkwatch_ticks_total", C, NULL, "Ticks.", NULL, ticks},
	{"parkwatch_ticks_missed_total", C, NULL, "Ticks left out because an earlier one took too long.", NULL,
	 ticks_missed},
	{"parkwatch_tick_late_seconds", G, "seconds", "How late the last tick began.", NULL, tick_late},
	{"parkwatch_tick_late_max_seconds", G, "seconds", "How late the latest tick so far began.", NULL,
	 tick_late_max},
	{"parkwatch_tick_duration_seconds", G, "seconds", "From the last tick to its picture being published.", NULL,
	 tick_duration},
	{"parkwatch_longest_callback_seconds", G, "seconds", "Longest that the loop was held up so far.", NULL,
	 longest_callback},
	{"parkwatch_poll_duration_seconds", G, "seconds", "Time the last poll of the BPF maps took.", NULL,
	 poll_seconds},
	{"parkwatch_polls_total", C, NULL, "Polls of the BPF maps.", NULL, polls},
	{"parkwatch_map_memory_bytes", G, "bytes", "Memory of all BPF maps.", NULL, map_memory},
	{"parkwatch_reader_requests_total", C, NULL, "Requests to the sandboxed reader of files.", NULL,
	 reader_requests},
	{"parkwatch_reader_timeouts_total", C, NULL, "Requests that the reader did not answer in time.", NULL,
	 reader_timeouts},
	{"parkwatch_reader_crashes_total", C, NULL, "Crashes of the reader.", NULL, reader_crashes},
	{"parkwatch_reader_restarts_total", C, NULL, "Restarts of the reader.", NULL, reader_restarts},
	{"parkwatch_reader_barred_builds", G, NULL, "Builds that are not read any more because they killed the reader.",
	 NULL, reader_barred},
	{"parkwatch_observe_failures_total", C, NULL, "Observations of a target that failed.", NULL, observe_failures},
	{"parkwatch_process_ends_total", C, NULL, "Observed processes that have ended.", NULL, ends},
	{"parkwatch_process_ends_untold_total", C, NULL,
	 "Of them without an alert PW-X01: short-lived ones that ended in order, and those soon after another one of "
	 "their service.",
	 NULL, ends_untold},
	{"parkwatch_death_records_written_total", C, NULL, "Ends of processes written to the directory for them.", NULL,
	 ends_written},
	{"parkwatch_death_records_failed_total", C, NULL, "Ends of processes that the disk did not take.", NULL,
	 ends_failed},
	{"parkwatch_death_records_dropped_total", C, NULL,
	 "Files of ends that gave way to newer ones, and ends that found no place before they were written.", NULL,
	 ends_dropped},
	{"parkwatch_recording", G, NULL, "Whether a recording is written.", NULL, recording},
	{"parkwatch_recording_written_bytes_total", C, NULL, "Bytes written to the recording.", NULL, recording_bytes},
	{"parkwatch_recording_failures_total", C, NULL, "Entries that could not be written to the recording.", NULL,
	 recording_failures},
	{"parkwatch_config_reloads_total", C, NULL,
	 "Reads of the configuration since the start, by whether it was taken over.", NULL, reloads},
	{"parkwatch_config_last_reload_successful", G, NULL, "Whether the last configuration read was right.", NULL,
	 reload_ok},
	{"parkwatch_config_last_reload_success_timestamp_seconds", G, "seconds",
	 "When the configuration in force was read.", NULL, reload_time},
	{"process_cpu_seconds_total", C, "seconds", "CPU time of parkwatch, without its reader.", NULL, self_cpu},
	{"process_resident_memory_bytes", G, "bytes", "Resident memory of parkwatch, without its reader.", NULL,
	 self_rss},
	{"process_start_time_seconds", G, "seconds", "When parkwatch was started.", NULL, self_start},
};
const size_t pw_metrics_self_count = ARRAY_SIZE(pw_metrics_self);
