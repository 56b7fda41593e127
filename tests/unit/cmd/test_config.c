/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/analysis.h"
#include "analysis/benign.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/config.h"
#include "cmd/config_settings.h"

static struct pw_config config;

static int setup(void **state)
{
	(void)state;
	pw_config_init(&config);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pw_config_done(&config);
	return 0;
}

static int read_text(const char *text, struct pw_why *why)
{
	return pw_config_read_text(&config, "test.yaml", text, strlen(text), why);
}

static void assert_refused(const char *text, const char *sentence)
{
	struct pw_why why = {0};

	assert_int_equal(read_text(text, &why), -EINVAL);
	assert_string_equal(why.text, sentence);
}

static void a_file_changes_what_it_names_and_nothing_else(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("budget: 0.5%\n"
				   "rules:\n  PW-G08:\n    tick: 1s\n    enabled: no\n"
				   "include: [api-*, '/usr/bin/*']\nexclude: test\n"
				   "services:\n  '/opt/shop/*': shop\n",
				   &why),
			 0);
	assert_true(config.budget_percent > 0.499 && config.budget_percent < 0.501);
	assert_int_equal(config.rules.g08_tick_ns, PW_NS_PER_SEC);
	assert_false(config.rules.g08_enabled);
	assert_int_equal(config.rules.g08_age_ns, 30 * PW_NS_PER_SEC);
	assert_string_equal(config.listen, PW_LISTEN_DEFAULT);
	assert_int_equal(config.include.count, 2);
	assert_string_equal(config.include.items[1].pattern, "/usr/bin/*");
	assert_int_equal(config.include.items[1].line, 6);
	assert_int_equal(config.exclude.count, 1);
	assert_int_equal(config.services.count, 1);
	assert_string_equal(config.services.items[0].value, "shop");
}

static void nothing_at_all_is_a_configuration(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("", &why), 0);
	assert_int_equal(read_text("# only a comment\n", &why), 0);
	assert_int_equal(read_text("rules:\nservices:\ninclude:\nrecord:\n", &why), 0);
	assert_int_equal(config.include.count, 0);
}

static void alerts_go_where_the_file_says(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("alerts:\n"
				   "  file: /var/log/parkwatch/alerts.jsonl\n"
				   "  exec: [/usr/local/bin/page, '--from', parkwatch]\n"
				   "  exec_timeout: 10s\n"
				   "  webhooks:\n"
				   "  - url: http://127.0.0.1:9093\n"
				   "  - url: https://hooks.example.org/x\n"
				   "    format: json\n"
				   "    timeout: 2s\n"
				   "    ca: /etc/ca.pem\n"
				   "    token_file: /etc/token\n",
				   &why),
			 0);
	assert_string_equal(config.sinks.file, "/var/log/parkwatch/alerts.jsonl");
	assert_int_equal(config.sinks.exec_count, 3);
	assert_string_equal(config.sinks.exec[1], "--from");
	assert_int_equal(config.sinks.exec_timeout_ns, 10 * PW_NS_PER_SEC);
	assert_int_equal(config.sinks.webhook_count, 2);
	assert_int_equal(config.sinks.webhooks[0].format, PW_WEBHOOK_ALERTMANAGER);
	assert_int_equal(config.sinks.webhooks[0].timeout_ns, 5 * PW_NS_PER_SEC);
	assert_int_equal(config.sinks.webhooks[1].format, PW_WEBHOOK_JSON);
	assert_string_equal(config.sinks.webhooks[1].token_file, "/etc/token");
	assert_refused("alerts:\n  webhoks: []\n", "test.yaml:2:3: unknown key 'webhoks': did you mean 'webhooks'?");
	assert_refused("alerts:\n  webhooks:\n  - {url: 'http://a', tmeout: 1s}\n",
		       "test.yaml:3:23: unknown key 'tmeout': did you mean 'timeout'?");
	assert_refused("alerts:\n  webhooks:\n  - {format: json}\n", "test.yaml:3:5: a webhook needs a url");
	assert_refused("alerts:\n  webhooks:\n  - {url: 'ftp://a'}\n",
		       "test.yaml:3:11: url must begin with http:// or https://");
	assert_refused("alerts:\n  webhooks: [{url: 'http://a', timeout: 1h}]\n",
		       "test.yaml:2:41: timeout must be a duration from 100ms to 30s");
	assert_refused("alerts:\n  webhooks: [{url: 'http://a'}, {url: 'http://a'}]\n",
		       "test.yaml:2:33: the same url twice");
	assert_refused("alerts:\n  exec: [page]\n", "test.yaml:2:10: alerts.exec must begin with an absolute path");
	assert_refused("alerts:\n  exec: page\n",
		       "test.yaml:2:9: alerts.exec must be a list: a path and its arguments");
}

static void a_mistake_is_named_with_line_column_and_suggestion(void **state)
{
	(void)state;
	assert_refused("listen: none\nlisen: 1\n", "test.yaml:2:1: unknown key 'lisen': did you mean 'listen'?");
	assert_refused("rules:\n  PW-G08:\n    min_conut: 1\n",
		       "test.yaml:3:5: unknown key 'min_conut': did you mean 'min_count'?");
	assert_refused("rules:\n  PW-G99: {}\n", "test.yaml:2:3: unknown key 'PW-G99': did you mean 'PW-G09'?");
	assert_refused("sevices: {}\n", "test.yaml:1:1: unknown key 'sevices': did you mean 'services'?");
	assert_refused("zzzzzzzzzz: 1\n", "test.yaml:1:1: unknown key 'zzzzzzzzzz'");
	assert_refused("interval: 10\n", "test.yaml:1:11: interval: '10' is not a duration like 10s or 1m30s");
	assert_refused("interval: 1ms\n", "test.yaml:1:11: interval: 1ms is outside 100ms to 1m00s");
	assert_refused("budget: much\n", "test.yaml:1:9: budget: 'much' is not a percentage like 1 or 0.5%, or none");
	assert_refused("attach: kprobe\n", "test.yaml:1:9: attach: 'kprobe' is not auto, uprobe_multi or perf");
	assert_refused("budget: -1\n", "test.yaml:1:9: budget: '-1' is not a percentage like 1 or 0.5%, or none");
	assert_refused("budget: 1\nbudget: 2\n", "test.yaml:2:1: budget is given twice");
	assert_refused("budget: [1]\n", "test.yaml:1:9: budget must be a single value");
	assert_refused("- budget\n", "test.yaml:1:1: the file must be a mapping of keys to values");
	assert_refused("rules: 7\n", "test.yaml:1:8: rules must be a mapping of keys to values");
	assert_refused("budget: 1\n---\nbudget: 2\n", "test.yaml:3:1: a second document: only one is read");
	assert_refused("services: [a]\n", "test.yaml:1:11: services must be a mapping of patterns to names");
	assert_refused("include: ['']\n", "test.yaml:1:11: a pattern must have 1 to 255 bytes");
}

static void broken_yaml_says_where(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("a: [1, 2\nb: }", &why), -EINVAL);
	assert_true(strncmp(why.text, "test.yaml:2:", 12) == 0);
	assert_int_equal(read_text("\x01\x02", &why), -EINVAL);
}

static void a_file_with_a_mistake_changes_nothing(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("budget: 2\ninclude: [a]\n", &why), 0);
	assert_int_equal(read_text("budget: 3\ninclude: [b, c]\nnonsense: 1\n", &why), -EINVAL);
	assert_true(config.budget_percent > 1.9 && config.budget_percent < 2.1);
	assert_int_equal(config.include.count, 1);
	assert_string_equal(config.include.items[0].pattern, "a");
}

/* Aliases are followed by our schema only, so a bomb of them is one wrong value. */
static void a_bomb_of_aliases_is_refused_at_once(void **state)
{
	static const char bomb[] = "x: &a [1,1,1,1,1,1,1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
				   "z: &c [*b,*b,*b,*b,*b,*b,*b,*b]\ninclude: *c\n";

	(void)state;
	assert_refused(bomb, "test.yaml:1:1: unknown key 'x'");
	assert_refused("include: &a [*a]\n", "test.yaml:1:10: a pattern must be a single value");
}

static void too_many_patterns_are_refused(void **state)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1U << 20);
	struct pw_why why = {0};

	(void)state;
	pw_buf_puts(&text, "include:\n");
	for (int i = 0; i < PW_CONFIG_LIST_MAX + 1; i++)
		pw_buf_puts(&text, "- a\n");
	assert_int_equal(read_text(pw_buf_text(&text), &why), -EINVAL);
	assert_non_null(strstr(why.text, "more than 256 entries"));
}

static void flags_go_before_environment_before_file(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(pw_config_set(&config, "budget", "3", PW_SOURCE_FLAG, &why), 0);
	assert_int_equal(read_text("budget: 1\nlisten: 127.0.0.1:1\nsocket: /file\n", &why), 0);
	setenv("PARKWATCH_LISTEN", "127.0.0.1:2", 1);
	setenv("PARKWATCH_BUDGET", "2", 1);
	assert_int_equal(pw_config_read_environment(&config, &why), 0);
	setenv("PARKWATCH_BUDGET", "lots", 1);
	assert_int_equal(pw_config_read_environment(&config, &why), -EINVAL);
	assert_non_null(strstr(why.text, "environment PARKWATCH_BUDGET: "));
	unsetenv("PARKWATCH_LISTEN");
	unsetenv("PARKWATCH_BUDGET");
	assert_true(config.budget_percent > 2.9);
	assert_string_equal(config.listen, "127.0.0.1:2");
	assert_string_equal(config.socket, "/file");
}

static void none_means_none(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("listen: none\nsocket: none\nrecord: none\nbudget: none\n", &why), 0);
	assert_string_equal(config.listen, "");
	assert_string_equal(config.socket, "");
	assert_string_equal(config.record, "");
	assert_true(config.budget_percent < 0);
}

static void every_value_is_printed_so_that_it_reads_back(void **state)
{
	struct pw_setting setting;
	struct pw_config other;
	char text[PW_CONFIG_TEXT_MAX], again[PW_CONFIG_TEXT_MAX];
	struct pw_why why = {0};
	size_t count = 0;

	(void)state;
	assert_int_equal(pw_config_set(&config, "interval", "1m30ms", PW_SOURCE_FLAG, &why), -EINVAL);
	assert_int_equal(pw_config_set(&config, "interval", "1500ms", PW_SOURCE_FLAG, &why), 0);
	assert_int_equal(pw_config_set(&config, "rules.PW-G08.exit_ratio", "0.12345", PW_SOURCE_FLAG, &why), 0);
	for (; pw_setting_at(count, &setting); count++) {
		pw_config_init(&other);
		pw_setting_text(&config, &setting, text, sizeof(text));
		assert_int_equal(pw_config_set(&other, setting.key, text, PW_SOURCE_FLAG, &why), 0);
		pw_setting_text(&other, &setting, again, sizeof(again));
		assert_string_equal(again, text);
		pw_config_done(&other);
	}
	assert_true(count > 15);
}

static void recorded_rules_read_back_the_same(void **state)
{
	_cleanup_buf_ struct pw_buf yaml = PW_BUF_INIT(1U << 16);
	struct pw_rules_config rules;
	struct pw_why why = {0};

	(void)state;
	pw_rules_config_default(&rules);
	rules.g08_tick_ns = 1500 * PW_NS_PER_MS;
	rules.g08_exit_ratio = 1.0 / 3;
	rules.g08_enabled = false;
	rules.g08_warmup_ns = 0;
	assert_int_equal(pw_rules_to_yaml(&rules, &yaml), 0);
	assert_int_equal(read_text(pw_buf_text(&yaml), &why), 0);
	assert_memory_equal(&config.rules, &rules, sizeof(rules));
}

static void services_are_judged_by_rules_of_their_own(void **state)
{
	const struct pw_policy_service *orders, *pay;
	struct pw_rules_config rules;
	struct pw_why why = {0};
	const char *const names[] = {"/opt/pay/server"};

	(void)state;
	assert_int_equal(read_text("rules:\n  PW-G08: {min_count: 100, level: critical, owner: sre}\n"
				   "services:\n"
				   "  'orders-eu': {owner: team-eu}\n"
				   "  'orders*':\n    owner: team-orders\n    runbook: https://wiki/orders\n"
				   "    rules:\n      PW-G08: {enabled: no, tick: 2s, exit_ratio: 0.3, level: info}\n"
				   "      PW-G02: {owner: 'x y'}\n"
				   "  '/opt/pay/*': {name: 'pay[1]', rules: {PW-H03: {share: 0.9}}}\n"
				   "  shop: bigshop\n",
				   &why),
			 0);
	assert_int_equal(config.policy->service_count, 3);
	assert_string_equal(pw_policy_find(config.policy, "orders-eu")->owner, "team-eu"); /* the first that matches */
	orders = pw_policy_find(config.policy, "orders-us");
	assert_string_equal(orders->owner, "team-orders");
	pw_policy_rules(orders, &config.rules, &rules);
	assert_false(rules.g08_enabled);
	assert_int_equal(rules.g08_tick_ns, 2 * PW_NS_PER_SEC);
	assert_true(rules.g08_exit_ratio > 0.29 && rules.g08_exit_ratio < 0.31);
	assert_int_equal(rules.g08_min_count, 100); /* what it does not say is as for all */
	assert_true(config.rules.g08_enabled);
	/* What is called by its name is judged under that name, and nothing else is. */
	assert_string_equal(pw_config_service(&config, names, 1), "pay[1]");
	pay = pw_policy_find(config.policy, "pay[1]");
	assert_non_null(pay);
	assert_ptr_not_equal(pay, orders);
	assert_null(pw_policy_find(config.policy, "pay1"));
	assert_null(pw_policy_find(config.policy, "bigshop"));
	assert_int_equal(read_text("budget: 1\n", &why), 0);
	assert_null(pw_policy_find(config.policy, "orders-us")); /* each file says all of it */
}

static void what_a_service_may_say_is_checked(void **state)
{
	(void)state;
	assert_refused("services:\n  a: {ownr: b}\n", "test.yaml:2:7: unknown key 'ownr': did you mean 'owner'?");
	assert_refused("services:\n  a: {rules: {PW-G80: {}}}\n",
		       "test.yaml:2:15: unknown key 'PW-G80': did you mean 'PW-G08'?");
	assert_refused("services:\n  a: {rules: {PW-G08: {min_cont: 1}}}\n",
		       "test.yaml:2:24: unknown key 'min_cont': did you mean 'min_count'?");
	assert_refused("services:\n  a: {rules: {PW-G08: {tick: 1}}}\n",
		       "test.yaml:2:30: rules.PW-G08.tick: '1' is not a duration like 10s or 1m30s");
	assert_refused("services:\n  a: {rules: {PW-G08: {tick: 1s, tick: 2s}}}\n",
		       "test.yaml:2:34: rules.PW-G08.tick is given twice");
	assert_refused("services:\n  a: {rules: {PW-G08: {levl: info}}}\n",
		       "test.yaml:2:24: unknown key 'levl': did you mean 'level'?");
	assert_refused("rules: {PW-G08: {level: fatal}}\n",
		       "test.yaml:1:25: level: 'fatal' is not info, warning or critical");
	assert_refused("rules: {PW-G08: {runbok: a}}\n",
		       "test.yaml:1:18: unknown key 'runbok': did you mean 'runbook'?");
	assert_refused("services:\n  a: {rules: []}\n", "test.yaml:2:14: rules must be a mapping of keys to values");
	assert_refused("services:\n  a: {owner: x}\n  a: {owner: y}\n", "test.yaml:3:3: 'a' is given twice");
	assert_refused("services:\n  '': {owner: x}\n", "test.yaml:2:3: a pattern must have 1 to 255 bytes");
	assert_refused("services:\n  a: {owner: [x]}\n", "test.yaml:2:14: owner must be a single value");
}

static void too_many_services_are_refused(void **state)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(1U << 20);
	struct pw_why why = {0};

	(void)state;
	pw_buf_puts(&text, "services:\n");
	for (int i = 0; i < PW_POLICY_SERVICES_MAX; i++)
		pw_buf_printf(&text, "  s%d: {owner: x}\n", i);
	assert_int_equal(read_text(pw_buf_text(&text), &why), 0);
	pw_buf_puts(&text, "  last: {owner: x}\n");
	assert_int_equal(read_text(pw_buf_text(&text), &why), -EINVAL);
	assert_non_null(strstr(why.text, "test.yaml:258:3: more than 256 services"));
}

static void a_recorded_policy_reads_back_the_same(void **state)
{
	_cleanup_buf_ struct pw_buf yaml = PW_BUF_INIT(1U << 20), again = PW_BUF_INIT(1U << 20);
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(
		read_text("rules:\n  PW-G08: {min_count: 100, level: critical, owner: \"a: \\\"b\\\\\\u2028 #\"}\n"
			  "services:\n"
			  "  '- x*': {owner: 'é, \t!', rules: {PW-G08: {tick: 1500ms, exit_ratio: 0.3333333333}}}\n"
			  "  '/opt/pay/*': {name: pay, rules: {PW-H03: {share: 0.9, level: info, runbook: "
			  "'https://x/#a'}}}\n",
			  &why),
		0);
	assert_int_equal(pw_policy_to_yaml(&config.rules, config.policy, &yaml), 0);
	pw_config_done(&config);
	pw_config_init(&config);
	if (read_text(pw_buf_text(&yaml), &why) < 0)
		fail_msg("%s\n%s", why.text, pw_buf_text(&yaml));
	assert_int_equal(config.policy->service_count, 2);
	assert_string_equal(config.policy->services[0].owner, "é, \t!");
	assert_string_equal(config.policy->notes.items[0].owner, "a: \"b\\\xe2\x80\xa8 #");
	assert_int_equal(pw_policy_to_yaml(&config.rules, config.policy, &again), 0);
	assert_string_equal(pw_buf_text(&again), pw_buf_text(&yaml));
}

static void the_benign_list_demands_reason_cap_and_expiry(void **state)
{
	struct pw_why why = {0};
	size_t shipped;

	(void)state;
	assert_int_equal(read_text("", &why), 0);
	shipped = config.policy->benign_count;
	assert_true(shipped >= 10);
	assert_string_equal(config.policy->benign[0].shipped, PW_BENIGN_SHIPPED_VERSION);
	assert_int_equal(read_text("benign:\n"
				   "- {created: 'a\\.b', reason: by design, max: 5000, expires: 2027-03-01}\n"
				   "- {created: c, blocked: '^d$', reason: too, max: 1, expires: 2026-12-31}\n",
				   &why),
			 0);
	assert_int_equal(config.policy->benign_count, shipped + 2);
	assert_string_equal(config.policy->benign[0].created, "a\\.b");
	assert_int_equal(config.policy->benign[0].max, 5000);
	assert_int_equal(config.policy->benign[0].expires_wall_ns / PW_NS_PER_SEC, 1803859200);
	assert_int_equal(config.policy->benign[1].line, 3);
	assert_int_equal(read_text("benign_shipped: no\nbenign:\n", &why), 0);
	assert_int_equal(config.policy->benign_count, 0);
	assert_refused("benign:\n- {created: a, max: 5, expires: 2027-03-01}\n",
		       "test.yaml:2:3: a benign entry needs a reason");
	assert_refused("benign:\n- {created: a, reason: b, expires: 2027-03-01}\n",
		       "test.yaml:2:3: a benign entry needs max: how many there may be");
	assert_refused("benign:\n- {created: a, reason: b, max: 5}\n",
		       "test.yaml:2:3: a benign entry needs expires: the day on which it is looked at again");
	assert_refused("benign:\n- {reason: b, max: 5, expires: 2027-03-01}\n",
		       "test.yaml:2:3: a benign entry needs created: an expression");
	assert_refused("benign:\n- {created: a, reasn: b}\n",
		       "test.yaml:2:16: unknown key 'reasn': did you mean 'reason'?");
	assert_refused("benign:\n- {created: a, reason: b, max: 0, expires: 2027-03-01}\n",
		       "test.yaml:2:32: max: '0' is not a whole number from 1 to 1000000000");
	assert_refused("benign:\n- {created: a, reason: b, max: 1, expires: tomorrow}\n",
		       "test.yaml:2:44: expires: 'tomorrow' is not a day like 2027-03-01");
	assert_refused("benign:\n- {created: a, blocked: '(', reason: b, max: 1, expires: 2027-03-01}\n",
		       "test.yaml:2:25: blocked: '(' is no regular expression: Unmatched ( or \\(");
	assert_refused("benign: {}\n", "test.yaml:1:9: benign must be a list of entries");
	assert_refused("bening: []\n", "test.yaml:1:1: unknown key 'bening': did you mean 'benign'?");
}

static void the_first_matching_pattern_names_the_service(void **state)
{
	const char *const shop[] = {"server", "/opt/shop/server", NULL, ""};
	const char *const other[] = {"etcd"};
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("services:\n  '/opt/shop/*': shop\n  server: any\n", &why), 0);
	assert_string_equal(pw_config_service(&config, shop, 4), "shop");
	assert_null(pw_config_service(&config, other, 1));
}

static void a_copy_is_its_own(void **state)
{
	struct pw_config copy;
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(read_text("include: [a, b]\n", &why), 0);
	assert_int_equal(pw_config_copy(&copy, &config), 0);
	copy.include.items[0].pattern[0] = 'z';
	assert_string_equal(config.include.items[0].pattern, "a");
	pw_config_done(&copy);
}

static void a_missing_file_and_a_directory_are_told_apart(void **state)
{
	struct pw_why why = {0};

	(void)state;
	assert_int_equal(pw_config_read_file(&config, "/nonexistent/parkwatch.yaml", &why), -ENOENT);
	assert_int_equal(pw_config_read_file(&config, "/tmp", &why), -EINVAL);
	assert_non_null(strstr(why.text, "directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_file_changes_what_it_names_and_nothing_else),
		TEST(nothing_at_all_is_a_configuration),
		TEST(alerts_go_where_the_file_says),
		TEST(a_mistake_is_named_with_line_column_and_suggestion),
		TEST(broken_yaml_says_where),
		TEST(a_file_with_a_mistake_changes_nothing),
		TEST(a_bomb_of_aliases_is_refused_at_once),
		TEST(too_many_patterns_are_refused),
		TEST(flags_go_before_environment_before_file),
		TEST(none_means_none),
		TEST(every_value_is_printed_so_that_it_reads_back),
		TEST(recorded_rules_read_back_the_same),
		TEST(services_are_judged_by_rules_of_their_own),
		TEST(what_a_service_may_say_is_checked),
		TEST(too_many_services_are_refused),
		TEST(a_recorded_policy_reads_back_the_same),
		TEST(the_benign_list_demands_reason_cap_and_expiry),
		TEST(the_first_matching_pattern_names_the_service),
		TEST(a_copy_is_its_own),
		TEST(a_missing_file_and_a_directory_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
