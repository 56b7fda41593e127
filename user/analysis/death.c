/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/death.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analysis/condition.h"
#include "analysis/death_report.h"
#include "analysis/detector.h"
#include "analysis/evidence.h"
#include "analysis/phrase.h"
#include "base/intern.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/death_report.h"
#include "model/record.h"

#define SERVICES_MAX 1024U /* remembered; one that is pushed out is only told more often */
#define ENDS_MAX     16U   /* faulty ones remembered of each */
#define GO_FATAL     2	   /* src/runtime/panic.go: a panic or fatal error ends by exit(2) */

static const struct pw_rule_parameter x01_parameters[] = {
	{"enabled", PW_PARAMETER_BOOL, PW_RULE_FIELD(x01_enabled), 1, 0, 1, "judge by this rule"},
	{"min_age", PW_PARAMETER_DURATION, PW_RULE_FIELD(x01_min_age_ns), 60 * PW_RULE_SEC, 0, 24 * PW_RULE_HOUR,
	 "the end of a younger process is told only if it was killed, left open alerts, or see restarts"},
	{"quiet", PW_PARAMETER_DURATION, PW_RULE_FIELD(x01_quiet_ns), 60 * PW_RULE_SEC, 0, 24 * PW_RULE_HOUR,
	 "of one service only one end is told in so long; the others are counted in the next one"},
	{"restarts", PW_PARAMETER_COUNT, PW_RULE_FIELD(x01_restarts), 3, 1, ENDS_MAX,
	 "so many faulty ends of one service are told, however young"},
	{"restart_window", PW_PARAMETER_DURATION, PW_RULE_FIELD(x01_restart_window_ns), 10 * PW_RULE_MIN, PW_RULE_SEC,
	 24 * PW_RULE_HOUR, "if they are within this time"},
};

const struct pw_rule pw_rule_x01 = {
	.id = "PW-X01",
	.name = "end of a process",
	.level = PW_LEVEL_INFO,
	.text = "A process has ended, or become another program: how, as far as the kernel tells, what its goroutines "
		"were doing last, and which alerts were open. Short-lived ones that end in order are left out.",
	.hint = "Read what it left: parkwatch alerts show ID",
	.parameters = x01_parameters,
	.parameter_count = ARRAY_SIZE(x01_parameters),
};

struct service {
	uint64_t faulty_ns[ENDS_MAX]; /* CLOCK_BOOTTIME of the last faulty ends, a ring */
	uint64_t faulty;
	uint64_t told_ns; /* 0: never */
	uint64_t untold;  /* ends since then */
};

void pw_deaths_init(struct pw_deaths *deaths)
{
	deaths->services = (struct pw_table)PW_TABLE_INIT_LRU(SERVICES_MAX, free);
}

void pw_deaths_done(struct pw_deaths *deaths)
{
	pw_table_done(&deaths->services);
}

struct pw_death_report *pw_deaths_begin(const struct pw_deaths_judge *judge, const struct pw_record *record,
					const struct pw_death *death)
{
	struct pw_death_report *report = NULL;

	judge->stats->deaths++;
	judge->stats->evaluated++;
	if (pw_death_report_build(&report, record, death, judge->conditions) < 0) {
		judge->stats->deaths_untold++;
		return NULL;
	}
	return report;
}

static struct service *service_of(struct pw_deaths *deaths, const struct pw_death_report *report)
{
	const char *name = report->service[0] ? report->service : report->process;
	struct service *service = pw_table_get_str(&deaths->services, name);

	if (service)
		return service;
	service = calloc(1, sizeof(*service));
	if (service && pw_table_put_str(&deaths->services, name, service) < 0) {
		free(service);
		return NULL;
	}
	return service;
}

/* Is this the last of so many faulty ends within the window? */
static bool repeats(struct service *service, const struct pw_rules_config *rules, uint64_t now_ns)
{
	uint64_t first;

	service->faulty_ns[service->faulty++ % ENDS_MAX] = now_ns;
	if (service->faulty < rules->x01_restarts || rules->x01_restarts > ENDS_MAX)
		return false;
	first = service->faulty_ns[(service->faulty - rules->x01_restarts) % ENDS_MAX];
	return now_ns - PW_MIN(first, now_ns) <= rules->x01_restart_window_ns;
}

static bool worth_telling(struct service *service, const struct pw_rules_config *rules,
			  const struct pw_death_report *report)
{
	const struct pw_death *death = &report->death;
	bool repeated = pw_death_is_faulty(death) && service && repeats(service, rules, death->boot_ns);

	if (report->alert_count || report->age_ns >= rules->x01_min_age_ns || repeated)
		return true;
	return pw_death_by_oom(death) || (pw_death_signal(death) && !pw_death_is_clean(death));
}

struct sentence {
	char *text;
	size_t used, size;
};

static void pw_printf_like(2, 3) add(struct sentence *sentence, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(sentence->text + sentence->used, sentence->size - sentence->used, format, arguments);
	va_end(arguments);
	if (length > 0)
		sentence->used = PW_MIN(sentence->used + (size_t)length, sentence->size - 1);
}

/* "; 46,812 goroutines, 46,000 at main.handle (server.go:42) in chan send", of which much may be unknown. */
static void add_goroutines(struct sentence *sentence, const struct pw_death_report *report,
			   const struct pw_record_park *largest, const struct pw_alert *alert)
{
	const struct pw_alert_frame *frame = alert->parked_stack_depth ? &alert->parked_stack[0] : &alert->statement;
	char number[PW_PHRASE_NUMBER_SIZE], place[PW_PHRASE_PLACE_SIZE];

	if (report->goroutines == PW_UNKNOWN)
		return;
	add(sentence, "; %s goroutine%s", pw_phrase_number(report->goroutines, number),
	    report->goroutines == 1 ? "" : "s");
	if (!largest || !*frame->function)
		return;
	pw_phrase_place(frame, place);
	add(sentence, ", %s at %s", pw_phrase_number(largest->count, number), place);
	if (*alert->wait_reason)
		add(sentence, " in %s", alert->wait_reason);
}

static void explain(struct pw_alert *alert, const struct pw_death_report *report, const struct pw_record_park *largest,
		    uint64_t untold)
{
	struct sentence sentence = {.text = alert->text, .size = sizeof(alert->text)};
	char how[PW_DEATH_TEXT_SIZE], rss[PW_PHRASE_BYTES_SIZE], age[PW_DURATION_SIZE];

	add(&sentence, "process ended: %s", pw_death_text(&report->death, how));
	add_goroutines(&sentence, report, largest, alert);
	if (report->rss_bytes != PW_UNKNOWN)
		add(&sentence, "; RSS %s", pw_phrase_bytes((double)report->rss_bytes, rss));
	if (report->alert_count)
		add(&sentence, "; %" PRIu64 " alert%s open", report->alert_count + report->alerts_left,
		    report->alert_count == 1 ? "" : "s");
	add(&sentence, "; it lived for %s", pw_time_duration(report->age_ns, age));
	if (untold)
		add(&sentence, "; %" PRIu64 " more ends of this service since the last one told", untold);
}

static const char *hint(const struct pw_death_report *report)
{
	const struct pw_death *death = &report->death;

	if (pw_death_by_oom(death))
		return "It was killed for memory: see what had grown, and raise the limit or set GOMEMLIMIT below it.";
	if (death->status_known && !pw_death_signal(death) && death->status >> 8 == GO_FATAL)
		return "A Go program that panics writes the stacks of its goroutines to stderr: read its log.";
	if (report->alert_count)
		return "Its alerts were never resolved: unless the program has changed they will be back.";
	return "Its log says more; what it was doing last is kept with this alert.";
}

static void tell(const struct pw_deaths_judge *judge, const struct pw_record *record, struct pw_death_report *report,
		 struct service *service, bool quiet)
{
	const struct pw_record_park *largest = pw_death_largest(record);
	uint64_t wall_ns = report->death.wall_ns;
	struct pw_alert alert;

	pw_condition_identify(&alert, record, "PW-X01");
	alert.level = PW_LEVEL_INFO;
	snprintf(alert.confidence, sizeof(alert.confidence), "certain");
	snprintf(alert.unit, sizeof(alert.unit), "goroutines");
	alert.fired_wall_ns = alert.onset_wall_ns = wall_ns;
	alert.value = alert.value_onset = report->goroutines == PW_UNKNOWN ? 0 : (double)report->goroutines;
	if (largest) {
		alert.parked = largest->count;
		pw_evidence_text(alert.wait_reason, sizeof(alert.wait_reason), record, largest->reason);
		pw_evidence_statement(&alert, record, largest->statement);
		pw_evidence_creation(&alert, record, largest->statement);
		pw_evidence_park(&alert, record, largest);
	}
	explain(&alert, report, largest, service ? service->untold : 0);
	snprintf(alert.hint, sizeof(alert.hint), "%s", hint(report));
	snprintf(alert.reproduce, sizeof(alert.reproduce), "parkwatch alerts show %s", alert.id);
	snprintf(report->alert_id, sizeof(report->alert_id), "%s", alert.id);
	if (pw_intern_adds(report->names, alert.text, &report->text) < 0)
		report->text = 0;
	report->told = !quiet;
	if (quiet)
		return;
	if (service) {
		service->told_ns = report->death.boot_ns;
		service->untold = 0;
	}
	pw_conditions_event(judge->conditions, &alert, report->death.boot_ns, wall_ns);
}

bool pw_deaths_tell(struct pw_deaths *deaths, const struct pw_deaths_judge *judge, const struct pw_record *record,
		    struct pw_death_report *report)
{
	struct service *service = service_of(deaths, report);
	uint64_t now_ns = report->death.boot_ns;
	bool quiet;

	if (!judge->rules->x01_enabled || !worth_telling(service, judge->rules, report)) {
		judge->stats->deaths_untold++;
		return false;
	}
	quiet = service && service->told_ns && now_ns - PW_MIN(service->told_ns, now_ns) < judge->rules->x01_quiet_ns;
	if (quiet) {
		judge->stats->deaths_quiet++;
		service->untold++;
	}
	tell(judge, record, report, service, quiet);
	return true;
}
