/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/detector.h"
#include "model/builder.h"
#include "model/record.h"

/* What all rules have in common: their table, and what they say where their signals are absent. */

static void every_rule_is_off_where_nothing_can_be_read(void **state)
{
	struct pw_record_builder *builder;
	struct pw_record *draft, *record;
	char text[PW_OFF_TEXT_SIZE];
	size_t count;
	const struct pw_rule *const *rules = pw_rules(&count);

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	draft = pw_record_builder_begin(builder);
	draft->abilities[PW_ABILITY_MEMORY].reason = pw_record_builder_string(builder, "allgs is not found");
	draft->identity.go_version = pw_record_builder_string(builder, "go1.27.1");
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	assert_true(count >= 10);
	for (size_t i = 0; i < count; i++) {
		const char *reason;

		if (rules[i] == &pw_rule_x01) /* a death needs no signal */
			continue;
		assert_non_null(rules[i]->off);
		reason = rules[i]->off(record, text, sizeof(text));
		assert_non_null(reason);
		assert_true(strlen(reason) > 10);
	}
	assert_string_equal(pw_rule_g02.off(record, text, sizeof(text)),
			    "its stacks cannot be read: allgs is not found");
	assert_string_equal(pw_rule_h03.off(record, text, sizeof(text)), "its memory has not been looked at yet");
	pw_record_unref(record);
	pw_record_builder_free(builder);
}

/* The record of a process that everything is known of, but for what `without` takes away. */
static struct pw_record *record_of(struct pw_record_builder *builder, const char *version, uint64_t limit,
				   uint64_t live, bool stacks)
{
	struct pw_record *draft = pw_record_builder_begin(builder), *record = NULL;
	const struct pw_section section = {.present = true, .version = 1, .taken_ns = 1};

	draft->abilities[PW_ABILITY_MEMORY].ok = true;
	draft->identity.go_version = pw_record_builder_string(builder, version);
	draft->census.section = draft->gc.section = draft->memory.section = draft->events.section = section;
	draft->snapshot.section.present = stacks;
	draft->memory.table.limits.max_bytes = limit;
	pw_record_builder_gc_cycle(builder, NULL)->heap_live_bytes = live;
	assert_int_equal(pw_record_builder_finish(builder, &record), 0);
	return record;
}

static void rules_say_which_signal_is_absent(void **state)
{
	static const struct {
		const char *version;
		uint64_t limit, live;
		bool stacks;
		const struct pw_rule *rule;
		const char *reason; /* NULL: it judges */
	} cases[] = {
		{"go1.23", 1 << 30, 1, true, &pw_rule_g11, NULL},
		{"go1.22.3", 1 << 30, 1, true, &pw_rule_g11, "iter.Pull came with Go 1.23"},
		{"go1.22.3", 1 << 30, 1, true, &pw_rule_g10, NULL},
		{"go1.23", 1 << 30, 1, false, &pw_rule_g01, "its stacks have not been read yet"},
		{"go1.23", 1 << 30, 1, false, &pw_rule_g08, NULL},
		{"go1.23", PW_UNKNOWN, 1, true, &pw_rule_h03, "no memory limit of a cgroup holds for it"},
		{"go1.23", 1 << 30, 1, true, &pw_rule_h03, NULL},
		{"go1.23", 1 << 30, PW_UNKNOWN, true, &pw_rule_h01, "its live heap is not known"},
		{"go1.23", 1 << 30, 1, true, &pw_rule_h01, NULL},
	};
	struct pw_record_builder *builder;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pw_record *record =
			record_of(builder, cases[i].version, cases[i].limit, cases[i].live, cases[i].stacks);
		char text[PW_OFF_TEXT_SIZE];
		const char *reason = cases[i].rule->off(record, text, sizeof(text));

		if (cases[i].reason)
			assert_string_equal(reason, cases[i].reason);
		else
			assert_null(reason);
		pw_record_unref(record);
	}
	pw_record_builder_free(builder);
}

static void rules_are_enabled_by_their_parameter(void **state)
{
	struct pw_rules_config config;

	(void)state;
	pw_rules_config_default(&config);
	assert_true(pw_rule_is_enabled(&pw_rule_g02, &config));
	config.g02_enabled = false;
	assert_false(pw_rule_is_enabled(&pw_rule_g02, &config));
	assert_true(pw_rule_is_enabled(&pw_rule_g10, &config));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_is_off_where_nothing_can_be_read),
		cmocka_unit_test(rules_say_which_signal_is_absent),
		cmocka_unit_test(rules_are_enabled_by_their_parameter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
