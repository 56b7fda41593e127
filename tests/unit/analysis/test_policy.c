/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/alert.h"
#include "model/builder.h"
#include "model/record.h"
#include "tests/support/records.h"

/* What is different by service, on a program whose goroutines wait on a nil channel: PW-G02 tells of them at once. */
struct world {
	struct pw_record_builder *builder;
	struct pw_analysis *analysis;
	struct pw_policy *policy;
	struct pw_rules_config rules;
	struct program program;
	struct program_statement statement, *statements[1];
	struct pw_alert seen[16];
	size_t count;
	uint32_t second;
};

static void on_transition(void *context, const struct pw_alert *alert)
{
	struct world *world = context;

	assert_true(world->count < ARRAY_SIZE(world->seen));
	world->seen[world->count++] = *alert;
}

static struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	pw_rules_config_default(&world->rules);
	assert_int_equal(pw_policy_new(&world->policy), 0);
	assert_int_equal(pw_record_builder_new(&world->builder), 0);
	assert_int_equal(pw_analysis_new(&world->analysis, &world->rules, on_transition, world), 0);
	world->statement = (struct program_statement){.gopc = 0x401000,
						      .function = "github.com/acme/bus.(*Bus).Subscribe",
						      .file = "/src/bus.go",
						      .line = 7,
						      .reason = "chan receive (nil chan)",
						      .parked_seconds = 60};
	world->statements[0] = &world->statement;
	world->program = (struct program){.target_id = 1,
					  .start_ns = PW_NS_PER_SEC,
					  .epoch_ns = 100000 * PW_NS_PER_SEC,
					  .wall_epoch_ns = 1800000000 * PW_NS_PER_SEC, /* 2027-01-15 */
					  .service = "orders-eu",
					  .snapshots = true,
					  .statements = world->statements,
					  .count = 1};
	return world;
}

static void world_free(struct world *world)
{
	pw_analysis_free(world->analysis);
	pw_policy_unref(world->policy);
	pw_record_builder_free(world->builder);
	free(world);
}

static struct pw_policy_service *service_of(struct world *world, const char *pattern)
{
	struct pw_policy_service *service;

	assert_int_equal(pw_policy_add_service(world->policy, pattern, &service), 0);
	return service;
}

static void switch_off(struct pw_policy_service *service, const struct pw_rule *rule)
{
	const struct pw_rule_override override = {.rule = rule, .parameter = &rule->parameters[0]};

	assert_string_equal(override.parameter->name, "enabled");
	assert_int_equal(pw_policy_override(service, &override), 0);
}

static void apply(struct world *world)
{
	assert_int_equal(pw_analysis_judge_by(world->analysis, &world->rules, world->policy), 0);
}

static void run(struct world *world, uint32_t seconds)
{
	for (uint32_t end = world->second + seconds; world->second < end; world->second++) {
		struct pw_record *record;

		world->program.snapshot_second = world->second;
		record = program_record(&world->program, world->builder, world->second);
		assert_int_equal(pw_analysis_step(world->analysis, record), 0);
		pw_record_unref(record);
	}
}

static void a_rule_can_be_off_for_one_service_alone(void **state)
{
	struct world *world = world_new();

	(void)state;
	switch_off(service_of(world, "orders*"), &pw_rule_g02);
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 0);
	world->program.service = "payment"; /* its name has changed */
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].rule, "PW-G02");
	assert_string_equal(world->seen[0].service, "payment");
	world_free(world);
}

static void the_first_service_that_matches_holds(void **state)
{
	struct world *world = world_new();

	(void)state;
	snprintf(service_of(world, "orders-eu")->owner, PW_ALERT_OWNER_SIZE, "team-eu");
	switch_off(service_of(world, "orders*"), &pw_rule_g02);
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].owner, "team-eu");
	world_free(world);
}

static void owner_runbook_and_level_come_with_the_alert(void **state)
{
	struct world *world = world_new();
	struct pw_policy_service *service = service_of(world, "orders*");
	struct pw_rule_note *note;

	(void)state;
	assert_int_equal(pw_rule_notes_at(&world->policy->notes, &pw_rule_g02, &note), 0);
	note->level = PW_LEVEL_CRITICAL;
	snprintf(note->owner, sizeof(note->owner), "everybody");
	snprintf(note->runbook, sizeof(note->runbook), "https://wiki/PW-G02");
	snprintf(service->owner, sizeof(service->owner), "team-orders");
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_CRITICAL);
	assert_string_equal(world->seen[0].owner, "team-orders"); /* the service goes before the rule */
	assert_string_equal(world->seen[0].runbook, "https://wiki/PW-G02");
	/* The rule of the service goes before both; what fires already says so from now on, without a transition. */
	assert_int_equal(pw_rule_notes_at(&service->notes, &pw_rule_g02, &note), 0);
	note->level = PW_LEVEL_INFO;
	snprintf(note->owner, sizeof(note->owner), "one");
	apply(world);
	run(world, 2);
	assert_int_equal(world->count, 1);
	assert_int_equal(pw_analysis_alerts(world->analysis, world->seen, 1), 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_string_equal(world->seen[0].owner, "one");
	/* Without any of it, the level is again what the rule finds, and that is told: it is higher. */
	assert_int_equal(pw_analysis_judge_by(world->analysis, &world->rules, NULL), 0);
	run(world, 2);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[1].owner, "");
	world_free(world);
}

static void the_policy_lives_as_long_as_it_is_used(void **state)
{
	struct world *world = world_new();

	(void)state;
	switch_off(service_of(world, "*"), &pw_rule_g02);
	apply(world);
	pw_policy_unref(world->policy);
	world->policy = NULL;
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 0);
	pw_analysis_configure(world->analysis, &world->rules); /* of all: that of the service stays */
	run(world, 3);
	assert_int_equal(world->count, 0);
	world_free(world);
}

/* --- the benign list ------------------------------------------------------------------------------------------------
 */

static void list(struct world *world, const char *created, const char *blocked, uint64_t max, const char *expires)
{
	struct pw_benign entry = {.max = max};
	struct pw_why why = {0};

	snprintf(entry.created, sizeof(entry.created), "%s", created);
	snprintf(entry.blocked, sizeof(entry.blocked), "%s", blocked);
	snprintf(entry.expires, sizeof(entry.expires), "%s", expires);
	snprintf(entry.reason, sizeof(entry.reason), "one per tenant by design");
	if (pw_policy_add_benign(world->policy, &entry, &why) < 0)
		fail_msg("%s", why.text);
}

/* From now on what grows is a pile-up (PW-G08) with a baseline: a warning. */
static void pile_up(struct world *world)
{
	world->rules.g08_min_count = 20;
	world->rules.g08_tick_ns = PW_NS_PER_SEC;
	world->rules.g08_age_ns = PW_NS_PER_SEC;
	world->rules.g08_warmup_ns = 0;
	world->rules.g08_baseline_ns = 60 * PW_NS_PER_SEC;
	world->rules.g08_baseline_margin = 10;
	world->rules.g08_clear_ns = 5 * PW_NS_PER_SEC;
	world->rules.g10_enabled = world->rules.g01_enabled = false;
	world->statement.reason = "chan receive";
	world->statement.caller = "github.com/acme/bus.(*Bus).loop";
	apply(world);
	run(world, 200);
	assert_int_equal(world->count, 0);
}

static void grow(struct world *world, uint32_t seconds, uint32_t each)
{
	for (uint32_t i = 0; i < seconds; i++) {
		program_spawn(&world->statement, world->second, each);
		run(world, 1);
	}
}

static const struct pw_alert *now(struct world *world)
{
	static struct pw_alert alert;

	assert_int_equal(pw_analysis_alerts(world->analysis, &alert, 1), 1);
	return &alert;
}

static void what_is_there_by_design_is_lowered_up_to_its_cap(void **state)
{
	struct world *world = world_new();

	(void)state;
	list(world, "^github\\.com/acme/bus\\..*Subscribe$", "\\.loop$", 100, "2027-03-01");
	pile_up(world);
	grow(world, 15, 6);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_INFO);
	assert_true(world->seen[0].lowered);
	assert_non_null(strstr(now(world)->benign, "one per tenant by design, "));
	assert_non_null(strstr(now(world)->benign, " of at most 100, until 2027-03-01"));
	/* Above its cap it is a warning, which is told; and stays one for good. */
	grow(world, 10, 6);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_false(world->seen[1].lowered);
	assert_string_equal(world->seen[1].benign,
			    "one per tenant by design, but there have been more than the 100 it allows");
	program_end_oldest(&world->statement, 60);
	run(world, 3);
	assert_int_equal(now(world)->level, PW_LEVEL_WARNING);
	world_free(world);
}

static const struct pw_rule_counters *counters(struct world *world, const char *rule)
{
	static struct pw_rule_status rules[PW_RULES_MAX];
	size_t count = pw_analysis_rules(world->analysis, rules, ARRAY_SIZE(rules));

	for (size_t i = 0; i < count; i++)
		if (!strcmp(rules[i].id, rule))
			return &rules[i].counters;
	fail();
	return NULL;
}

static void each_rule_counts_what_it_said_and_what_of_it_was_dismissed(void **state)
{
	struct world *world = world_new();

	(void)state;
	list(world, "Subscribe", "", 5000, "2027-03-01");
	pile_up(world);
	assert_int_equal(counters(world, "PW-G08")->fired, 0);
	grow(world, 15, 6);
	assert_true(counters(world, "PW-G08")->evaluated >= 15 - 3);
	assert_int_equal(counters(world, "PW-G08")->fired, 1);
	assert_int_equal(counters(world, "PW-G08")->dismissed, 1);
	assert_int_equal(counters(world, "PW-G08")->cleared, 0);
	assert_int_equal(counters(world, "PW-G08")->last_fired_wall_ns, world->seen[0].fired_wall_ns);
	assert_int_equal(counters(world, "PW-G02")->fired, 0);
	pw_analysis_forget(world->analysis, &(struct pw_death){.target_id = 1});
	assert_int_equal(counters(world, "PW-G08")->cleared, 1);
	world_free(world);
}

static void it_holds_until_its_day_by_the_time_of_the_records(void **state)
{
	struct world *world = world_new();

	(void)state;
	world->program.wall_epoch_ns = 1803859200ULL * PW_NS_PER_SEC - 225 * PW_NS_PER_SEC; /* 2027-03-01 in 225 s */
	list(world, "Subscribe", "", 5000, "2027-03-01");
	pile_up(world);
	grow(world, 15, 6);
	assert_int_equal(world->count, 1);
	assert_true(world->seen[0].lowered);
	grow(world, 20, 6);
	assert_int_equal(world->count, 2);
	assert_int_equal(world->seen[1].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[1].benign, "one per tenant by design, but only until 2027-03-01");
	world_free(world);
}

static void what_it_does_not_name_is_left_alone(void **state)
{
	struct world *world = world_new();

	(void)state;
	list(world, "^Subscribe$", "", 5000, "2027-03-01");
	list(world, "Subscribe", "\\.serve$", 5000, "2027-03-01");
	pile_up(world);
	grow(world, 15, 6);
	assert_int_equal(world->count, 1);
	assert_int_equal(world->seen[0].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[0].benign, "");
	world_free(world);
}

static void a_proof_is_never_lowered(void **state)
{
	struct world *world = world_new();

	(void)state;
	list(world, "Subscribe", "", 5000, "2027-03-01");
	apply(world);
	program_spawn(&world->statement, 0, 5);
	run(world, 10);
	assert_int_equal(world->count, 1);
	assert_string_equal(world->seen[0].confidence, "certain");
	assert_int_equal(world->seen[0].level, PW_LEVEL_WARNING);
	assert_string_equal(world->seen[0].benign, "one per tenant by design, but a proof is never lowered");
	world_free(world);
}

static void expressions_that_could_take_long_are_refused(void **state)
{
	static const char *const refused[] = {"(a{1,255}){1,255}", "(a)\\1", "a{2}", "("};
	static const char *const fine[] = {"\\{", "[{]", "[]{]", "[^]{]x", "a|b", "(\\*T)\\.f$"};
	struct world *world = world_new();
	struct pw_benign entry = {.reason = "x", .max = 1, .expires = "2027-03-01"};
	struct pw_why why = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		snprintf(entry.created, sizeof(entry.created), "%s", refused[i]);
		assert_int_equal(pw_policy_add_benign(world->policy, &entry, &why), -EINVAL);
		assert_true(!strncmp(why.text, "created: ", 9));
	}
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		list(world, fine[i], "", 1, "2027-03-01");
	world_free(world);
}

/* The frames are those of real programs. */
static void the_shipped_list_knows_well_known_packages(void **state)
{
	static const struct {
		const char *created, *blocked;
		bool listed;
	} cases[] = {
		{"os/signal.Notify.func1.1", "os/signal.loop", true},
		{"os/signal.NotifyContext", "os/signal.NotifyContext.func1", false},
		{"net/http.(*Server).Serve", "bufio.(*Reader).Peek", true},
		{"net/http.(*Server).Serve", "main.handler", false},
		{"net/http.(*Transport).dialConn", "net/http.(*persistConn).readLoop", false},
		{"net/http.(*http2serverConn).serve", "net/http.(*http2serverConn).readFrames", true},
		{"golang.org/x/net/http2.(*serverConn).serve", "golang.org/x/net/http2.(*serverConn).readFrames", true},
		{"net/http.(*http2Transport).newClientConn", "net/http.(*http2clientConnReadLoop).run", true},
		{"google.golang.org/grpc/internal/transport.newHTTP2Client",
		 "google.golang.org/grpc/internal/transport.(*http2Client).keepalive", true},
		{"google.golang.org/grpc/internal/transport.NewServerTransport",
		 "google.golang.org/grpc/internal/transport.(*http2Server).keepalive", true},
		{"database/sql.OpenDB", "database/sql.(*DB).connectionOpener", true},
		{"github.com/golang/glog.init.0", "github.com/golang/glog.(*fileSink).flushDaemon", true},
		{"k8s.io/klog/v2.(*flushDaemon).run", "k8s.io/klog/v2.(*flushDaemon).run.func1", true},
		{"go.opentelemetry.io/otel/sdk/trace.NewBatchSpanProcessor",
		 "go.opentelemetry.io/otel/sdk/trace.(*batchSpanProcessor).processQueue", true},
		{"github.com/caddyserver/certmagic.NewCache",
		 "github.com/caddyserver/certmagic.(*Cache).maintainAssets", true},
		{"github.com/fsnotify/fsnotify.NewWatcher", "github.com/fsnotify/fsnotify.(*Watcher).readEvents", true},
		{"main.main", "main.loop", false},
	};
	struct world *world = world_new();

	(void)state;
	assert_int_equal(pw_policy_add_shipped(world->policy), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pw_alert alert = {.level = PW_LEVEL_WARNING, .parked = 3, .parked_stack_depth = 1};
		struct pw_benign_memory memory = {0};

		snprintf(alert.statement.function, sizeof(alert.statement.function), "%s", cases[i].created);
		snprintf(alert.parked_stack[0].function, sizeof(alert.parked_stack[0].function), "%s",
			 cases[i].blocked);
		pw_benign_judge(world->policy, 1, &memory, 1800000000 * PW_NS_PER_SEC, &alert);
		if (alert.lowered != cases[i].listed)
			fail_msg("%s in %s", cases[i].created, cases[i].blocked);
		if (alert.lowered)
			assert_non_null(strstr(alert.benign, "(shipped list " PW_BENIGN_SHIPPED_VERSION "), 3 of "));
	}
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_can_be_off_for_one_service_alone),
		cmocka_unit_test(the_first_service_that_matches_holds),
		cmocka_unit_test(owner_runbook_and_level_come_with_the_alert),
		cmocka_unit_test(the_policy_lives_as_long_as_it_is_used),
		cmocka_unit_test(what_is_there_by_design_is_lowered_up_to_its_cap),
		cmocka_unit_test(each_rule_counts_what_it_said_and_what_of_it_was_dismissed),
		cmocka_unit_test(it_holds_until_its_day_by_the_time_of_the_records),
		cmocka_unit_test(what_it_does_not_name_is_left_alone),
		cmocka_unit_test(a_proof_is_never_lowered),
		cmocka_unit_test(expressions_that_could_take_long_are_refused),
		cmocka_unit_test(the_shipped_list_knows_well_known_packages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
