/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>
#include <string.h>

#include "analysis/detector.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/why.h"
#include "cmd/answer.h"
#include "cmd/config_read.h"
#include "cmd/rules_test.h"
#include "cmd/yaml_tree.h"

/* The file of `rules test`: read, checked, its expressions compiled. */

PW_DEFINE_CLEANUP(struct pw_yaml *, pw_yaml_free);

static const char *const rule_keys[] = {"rules", "alerts", "services", "benign", "benign_shipped"};

static int read_word(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what,
		     const char *const *words, size_t count, int *ret_index)
{
	const char *text = pw_yaml_text(yaml, node, what);
	char list[128] = "";

	if (!text)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(text, words[i])) {
			*ret_index = (int)i;
			return 0;
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "", words[i]);
	}
	return pw_yaml_refuse(yaml, node, "%s: '%s' is none of %s", what, text, list);
}

static int read_regex(const struct pw_yaml *yaml, const struct pw_yaml_node *node, const char *what, char *text,
		      regex_t *regex, bool *ret_has)
{
	char message[128];
	int r = pw_yaml_copy(yaml, node, what, text, PW_EXPECTATION_TEXT);

	if (r < 0)
		return r;
	if (*ret_has)
		return pw_yaml_refuse(yaml, node, "%s is given twice", what);
	r = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, regex, message, sizeof(message));
		return pw_yaml_refuse(yaml, node, "%s: '%s' is no regular expression: %s", what, text, message);
	}
	*ret_has = true;
	return 0;
}

static int read_between(const struct pw_yaml *yaml, const struct pw_yaml_node *node, struct pw_expectation *expectation)
{
	uint64_t *const times[] = {&expectation->after_ns, &expectation->before_ns};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const struct pw_yaml_node *item = pw_yaml_item(yaml, node, i);
		const char *text = item ? pw_yaml_text(yaml, item, "between") : NULL;

		if (!text || pw_parse_duration(text, times[i]) < 0)
			return pw_yaml_refuse(yaml, item ? item : node,
					      "between must be two durations from the beginning, like [10s, 1m]");
	}
	return 0;
}

static int read_count(const struct pw_yaml *yaml, const struct pw_yaml_node *node, uint64_t *ret_count)
{
	const char *text = pw_yaml_text(yaml, node, "count");

	if (text && pw_parse_u64(text, ret_count) >= 0 && *ret_count)
		return 0;
	return pw_yaml_refuse(yaml, node, "count must be a whole number from 1 on");
}

static int read_key(const struct pw_yaml *yaml, const struct pw_yaml_node *key, const char *word,
		    const struct pw_yaml_node *value, struct pw_expectation *expectation)
{
	static const char *const keys[] = {"rule",  "function", "blocked", "level",
					   "state", "between",	"lowered", "count"};
	static const char *const levels[] = {"info", "warning", "critical"};
	static const char *const states[] = {"pending", "firing", "clearing", "resolved", "gone"};
	static const char *const answers[] = {"no", "yes"};

	if (!strcmp(word, "rule")) {
		if (pw_yaml_copy(yaml, value, word, expectation->rule, sizeof(expectation->rule)) < 0)
			return -EINVAL;
		return pw_rule_find(expectation->rule)
			       ? 0
			       : pw_yaml_refuse(yaml, value, "there is no rule '%s'", expectation->rule);
	}
	if (!strcmp(word, "function"))
		return read_regex(yaml, value, word, expectation->function, &expectation->function_regex,
				  &expectation->has_function);
	if (!strcmp(word, "blocked"))
		return read_regex(yaml, value, word, expectation->blocked, &expectation->blocked_regex,
				  &expectation->has_blocked);
	if (!strcmp(word, "level"))
		return read_word(yaml, value, word, levels, ARRAY_SIZE(levels), &expectation->level);
	if (!strcmp(word, "state"))
		return read_word(yaml, value, word, states, ARRAY_SIZE(states), &expectation->state);
	if (!strcmp(word, "lowered"))
		return read_word(yaml, value, word, answers, ARRAY_SIZE(answers), &expectation->lowered);
	if (!strcmp(word, "between"))
		return read_between(yaml, value, expectation);
	if (!strcmp(word, "count"))
		return read_count(yaml, value, &expectation->count);
	return pw_yaml_refuse_key(yaml, key, word, keys, ARRAY_SIZE(keys));
}

static int read_expectation(const struct pw_yaml *yaml, const struct pw_yaml_node *node,
			    struct pw_expectation *expectation)
{
	const struct pw_yaml_node *key, *value;
	int r = 0;

	*expectation = (struct pw_expectation){.level = -1, .state = -1, .lowered = -1, .before_ns = UINT64_MAX};
	if (pw_yaml_kind(node) != PW_YAML_MAPPING)
		return pw_yaml_refuse(yaml, node, "an expected alert must be a mapping with at least a rule");
	for (size_t i = 0; !r && pw_yaml_pair(yaml, node, i, &key, &value); i++) {
		const char *word = pw_yaml_text(yaml, key, "a key");

		r = word ? read_key(yaml, key, word, value, expectation) : -EINVAL;
	}
	if (!r && !*expectation->rule)
		r = pw_yaml_refuse(yaml, node, "an expected alert needs a rule");
	return r;
}

static int read_expectations(struct pw_rules_test *test, const struct pw_yaml *yaml, const struct pw_yaml_node *node)
{
	const struct pw_yaml_node *entry;
	int r = 0;

	if (pw_yaml_is_empty(node))
		return 0;
	if (pw_yaml_kind(node) != PW_YAML_LIST)
		return pw_yaml_refuse(yaml, node, "expect must be a list of alerts");
	for (size_t i = 0; !r && (entry = pw_yaml_item(yaml, node, i)); i++) {
		if (test->count == PW_EXPECTATIONS_MAX)
			return pw_yaml_refuse(yaml, entry, "more than %d expected alerts", PW_EXPECTATIONS_MAX);
		r = read_expectation(yaml, entry, &test->expectations[test->count++]);
	}
	return r;
}

/* Beside the file that names it. */
static int read_recording(struct pw_rules_test *test, const char *path, const struct pw_yaml *yaml,
			  const struct pw_yaml_node *node)
{
	const char *text = pw_yaml_text(yaml, node, "recording"), *slash = strrchr(path, '/');
	int directory = slash && text && *text != '/' ? (int)(slash + 1 - path) : 0;

	if (!text)
		return -EINVAL;
	if (!*text || snprintf(test->recording, sizeof(test->recording), "%.*s%s", directory, path, text) >=
			      (int)sizeof(test->recording))
		return pw_yaml_refuse(yaml, node, "recording must be the path of a recording");
	return 0;
}

static int read_pair(struct pw_rules_test *test, const char *path, const struct pw_yaml *yaml,
		     const struct pw_yaml_node *key, const struct pw_yaml_node *value)
{
	static const char *const keys[] = {"recording", "expect",   "others", "rules",
					   "alerts",	"services", "benign", "benign_shipped"};
	static const char *const others[] = {"none", "any"};
	const char *word = pw_yaml_text(yaml, key, "a key");
	int r, allowed = 0;

	if (!word)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(rule_keys); i++)
		if (!strcmp(word, rule_keys[i]))
			return 0; /* read by pw_config_read_tree */
	if (!strcmp(word, "recording"))
		return read_recording(test, path, yaml, value);
	if (!strcmp(word, "expect"))
		return read_expectations(test, yaml, value);
	if (strcmp(word, "others") != 0)
		return pw_yaml_refuse_key(yaml, key, word, keys, ARRAY_SIZE(keys));
	r = read_word(yaml, value, word, others, ARRAY_SIZE(others), &allowed);
	test->others_allowed = allowed;
	return r;
}

static int read_test(struct pw_rules_test *test, const char *path, struct pw_yaml *yaml, struct pw_why *reterr_why)
{
	const struct pw_yaml_node *root = pw_yaml_root(yaml), *key, *value;
	int r = 0;

	if (!root)
		return pw_why_set(reterr_why, -EINVAL, "%s: empty: it must name a recording", path);
	if (pw_yaml_kind(root) != PW_YAML_MAPPING)
		return pw_yaml_refuse(yaml, root, "the file must be a mapping of keys to values");
	for (size_t i = 0; !r && pw_yaml_pair(yaml, root, i, &key, &value); i++)
		r = read_pair(test, path, yaml, key, value);
	if (!r && !*test->recording)
		r = pw_yaml_refuse(yaml, root, "it must name a recording");
	if (r < 0)
		return r;
	r = pw_config_read_tree(&test->config, yaml, path, rule_keys, ARRAY_SIZE(rule_keys), reterr_why);
	test->has_rules = r > 0;
	return r < 0 ? r : 0;
}

int pw_rules_test_read(struct pw_rules_test *ret_test, const char *path, struct pw_why *reterr_why)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_CONFIG_BYTES_MAX);
	_cleanup_(pw_yaml_freep) struct pw_yaml *yaml = NULL;
	int r = pw_answer_read_file(path, &text);

	*ret_test = (struct pw_rules_test){0};
	pw_config_init(&ret_test->config);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot read '%s': %s", path, strerror(-r));
	ret_test->expectations = calloc(PW_EXPECTATIONS_MAX, sizeof(*ret_test->expectations));
	if (!ret_test->expectations)
		return -ENOMEM;
	r = pw_yaml_new(&yaml, path, pw_buf_text(&text), text.size, reterr_why);
	return r < 0 ? r : read_test(ret_test, path, yaml, reterr_why);
}

void pw_rules_test_done(struct pw_rules_test *test)
{
	for (size_t i = 0; i < test->count; i++) {
		if (test->expectations[i].has_function)
			regfree(&test->expectations[i].function_regex);
		if (test->expectations[i].has_blocked)
			regfree(&test->expectations[i].blocked_regex);
	}
	free(test->expectations);
	test->expectations = NULL;
	pw_config_done(&test->config);
}
