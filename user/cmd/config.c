/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/config.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/policy.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/time.h"
#include "base/why.h"
#include "cmd/config_settings.h"

/*
 * Values of settings: parse, print, bounds. Which settings there are is one table, below; what a file may hold beside
 * them (include, exclude, services, alerts.exec, alerts.webhooks) is in config_file.c.
 */
#define AT(member) offsetof(struct pw_config, member)

static const struct setting_row {
	const char *key;
	enum pw_setting_kind kind;
	size_t offset;
	double min, max;
	const char *help;
} rows[] = {
	{"listen", PW_SETTING_ADDRESS, AT(listen), 0, 0, "address of /metrics and the page; none: no TCP"},
	{"socket", PW_SETTING_PATH, AT(socket), 0, 0, "local socket that ps, alerts and goroutines ask"},
	{"interval", PW_SETTING_DURATION, AT(interval_ns), 1e8, 6e10, "how often targets are looked at"},
	{"snapshot_interval", PW_SETTING_DURATION, AT(snapshot_interval_ns), 1e9, 3.6e12,
	 "how often the stacks of all goroutines are read; longer where that costs more than 0.2% of a CPU"},
	{"memory_interval", PW_SETTING_DURATION, AT(memory_interval_ns), 1e9, 3.6e12,
	 "how often it is read where the RSS goes, and what each line allocated; longer where that costs more"},
	{"budget", PW_SETTING_BUDGET, AT(budget_percent), 0, 100,
	 "percent of one CPU that probes may cost a process; 0: no probes, memory only; none: no limit at all"},
	{"host_budget", PW_SETTING_BUDGET, AT(host_budget_percent), 0, 10000,
	 "percent of one CPU that probes may cost all processes together; none: no limit"},
	{"attach", PW_SETTING_ATTACH, AT(attach), 0, 0, "how probes are attached: auto, uprobe_multi, perf"},
	{"record", PW_SETTING_PATH, AT(record), 0, 0, "write a recording to this file"},
	{"deaths", PW_SETTING_PATH, AT(deaths), 0, 0, "directory of what is kept of processes that have ended"},
	{"log_level", PW_SETTING_LEVEL, AT(log_level), 0, 0, "error, warning, info or debug"},
	{"metrics_sites", PW_SETTING_U64, AT(metrics_sites), 1, 10000,
	 "go statements of one process shown by name in /metrics; the rest is summed as other"},
	{"alerts.file", PW_SETTING_PATH, AT(sinks.file), 0, 0,
	 "write each transition of an alert to this file, as JSON"},
	{"alerts.spool", PW_SETTING_PATH, AT(sinks.spool), 0, 0,
	 "directory of alerts that webhooks have not taken yet"},
	{"alerts.spool_items", PW_SETTING_U64, AT(sinks.spool_items), 1, 100000, "of them per webhook at most"},
	{"alerts.exec_timeout", PW_SETTING_DURATION, AT(sinks.exec_timeout_ns), 1e9, 6e11,
	 "how long the command of alerts.exec may take"},
};

static const char *const attach_names[] = {"auto", "uprobe_multi", "perf"};
static const char *const source_names[] = {"default", "file", "environment", "flag"};

/* A parameter that the analysis declares, by its key behind prefix. */
static void set_parameter(struct pw_setting *setting, const char *prefix, const struct pw_rule_parameter *parameter)
{
	static const enum pw_setting_kind kinds[] = {
		[PW_PARAMETER_BOOL] = PW_SETTING_BOOL,
		[PW_PARAMETER_DURATION] = PW_SETTING_DURATION,
		[PW_PARAMETER_COUNT] = PW_SETTING_U32,
		[PW_PARAMETER_NUMBER] = PW_SETTING_DOUBLE,
	};

	snprintf(setting->key, sizeof(setting->key), "%s.%s", prefix, parameter->name);
	setting->kind = kinds[parameter->type];
	setting->offset = AT(rules) + parameter->offset;
	setting->min = parameter->min;
	setting->max = parameter->max;
	setting->help = parameter->text;
}

/* The rows above, those of the life of alerts, then the parameters of all rules as the analysis declares them:
 * "rules.PW-G08.tick". */
bool pw_setting_at(size_t index, struct pw_setting *ret_setting)
{
	char prefix[32];
	size_t rule_count, alert_count, left = index;
	const struct pw_rule *const *rules = pw_rules(&rule_count);
	const struct pw_rule_parameter *alerts = pw_alert_parameters(&alert_count);

	if (index >= PW_SETTINGS_MAX)
		return false;
	*ret_setting = (struct pw_setting){.index = index};
	if (index < ARRAY_SIZE(rows)) {
		snprintf(ret_setting->key, sizeof(ret_setting->key), "%s", rows[index].key);
		ret_setting->kind = rows[index].kind;
		ret_setting->offset = rows[index].offset;
		ret_setting->environment = true;
		ret_setting->min = rows[index].min;
		ret_setting->max = rows[index].max;
		ret_setting->help = rows[index].help;
		return true;
	}
	left -= ARRAY_SIZE(rows);
	if (left < alert_count) {
		set_parameter(ret_setting, "alerts", &alerts[left]);
		return true;
	}
	left -= alert_count;
	for (size_t i = 0; i < rule_count; left -= rules[i]->parameter_count, i++) {
		const struct pw_rule_parameter *parameter = &rules[i]->parameters[left];

		if (left >= rules[i]->parameter_count)
			continue;
		snprintf(prefix, sizeof(prefix), "rules.%s", rules[i]->id);
		set_parameter(ret_setting, prefix, parameter);
		ret_setting->rule = rules[i];
		ret_setting->parameter = parameter;
		return true;
	}
	return false;
}

bool pw_setting_find(const char *key, struct pw_setting *ret_setting)
{
	for (size_t i = 0; pw_setting_at(i, ret_setting); i++)
		if (!strcmp(ret_setting->key, key))
			return true;
	return false;
}

void pw_config_init(struct pw_config *config)
{
	*config = (struct pw_config){
		.listen = PW_LISTEN_DEFAULT,
		.socket = PW_SOCKET_PATH,
		.deaths = PW_DEATHS_PATH,
		.interval_ns = PW_NS_PER_SEC,
		.snapshot_interval_ns = 10 * PW_NS_PER_SEC,
		.memory_interval_ns = 60 * PW_NS_PER_SEC,
		.budget_percent = 1,
		.host_budget_percent = 2,
		.attach = PW_ATTACH_AUTO,
		.log_level = PW_LOG_INFO,
		.metrics_sites = 100,
	};
	pw_rules_config_default(&config->rules);
	pw_sinks_config_default(&config->sinks);
}

static void list_done(struct pw_config_list *list)
{
	free(list->items);
	*list = (struct pw_config_list){0};
}

void pw_config_done(struct pw_config *config)
{
	list_done(&config->include);
	list_done(&config->exclude);
	list_done(&config->services);
	pw_policy_unref(config->policy);
	config->policy = NULL;
}

static int list_copy(struct pw_config_list *ret_list, const struct pw_config_list *list)
{
	*ret_list = *list;
	ret_list->items = NULL;
	if (!list->count)
		return 0;
	ret_list->items = calloc(list->count, sizeof(*list->items));
	if (!ret_list->items)
		return -ENOMEM;
	memcpy(ret_list->items, list->items, list->count * sizeof(*list->items));
	return 0;
}

int pw_config_copy(struct pw_config *ret_config, const struct pw_config *config)
{
	struct pw_config copy = *config;

	copy.policy = pw_policy_ref(config->policy);
	copy.include = copy.exclude = copy.services = (struct pw_config_list){0};
	if (list_copy(&copy.include, &config->include) || list_copy(&copy.exclude, &config->exclude) ||
	    list_copy(&copy.services, &config->services)) {
		pw_config_done(&copy);
		return -ENOMEM;
	}
	*ret_config = copy;
	return 0;
}

static int name_index(const char *const *names, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

static int parse_budget(const char *text, double *ret_percent)
{
	char number[32];
	size_t size = strlen(text);
	int r;

	if (!strcmp(text, "none")) {
		*ret_percent = -1;
		return 0;
	}
	if (!size || size >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, size + 1);
	if (number[size - 1] == '%')
		number[size - 1] = '\0';
	r = pw_parse_double(number, ret_percent);
	return r < 0 ? r : *ret_percent < 0 ? -ERANGE : 0; /* below 0 stands for none, which has a word */
}

static int parse_text(const struct pw_setting *setting, const char *value, char *slot)
{
	char host[PW_CONFIG_TEXT_MAX];
	uint16_t port;

	if (strlen(value) >= PW_CONFIG_TEXT_MAX)
		return -E2BIG;
	if (!strcmp(value, "none"))
		value = "";
	if (setting->kind == PW_SETTING_ADDRESS && *value && pw_parse_address(value, host, sizeof(host), &port) < 0)
		return -EINVAL;
	snprintf(slot, PW_CONFIG_TEXT_MAX, "%s", value);
	return 0;
}

/* Parses into slot; the number for the bounds check goes to ret_number. */
static int parse_value(const struct pw_setting *setting, const char *value, void *slot, double *ret_number)
{
	uint64_t number = 0;
	double real = 0;
	int r = 0;

	*ret_number = NAN;
	switch (setting->kind) {
	case PW_SETTING_ADDRESS:
	case PW_SETTING_PATH:
		return parse_text(setting, value, slot);
	case PW_SETTING_BOOL:
		return pw_parse_bool(value, slot);
	case PW_SETTING_ATTACH:
		r = name_index(attach_names, ARRAY_SIZE(attach_names), value);
		if (r >= 0)
			*(enum pw_attach_method *)slot = (enum pw_attach_method)r;
		return r < 0 ? r : 0;
	case PW_SETTING_LEVEL:
		return pw_log_parse_level(value, slot);
	case PW_SETTING_DURATION:
		r = pw_parse_duration(value, &number);
		*ret_number = (double)number;
		break;
	case PW_SETTING_U32:
	case PW_SETTING_U64:
		r = pw_parse_u64(value, &number);
		*ret_number = (double)number;
		break;
	case PW_SETTING_DOUBLE:
		r = pw_parse_double(value, &real);
		*ret_number = real;
		break;
	case PW_SETTING_BUDGET:
		r = parse_budget(value, &real);
		*ret_number = real < 0 ? NAN : real;
		break;
	}
	if (r < 0)
		return r;
	if (*ret_number < setting->min || *ret_number > setting->max)
		return -ERANGE;
	if (setting->kind == PW_SETTING_U32)
		*(uint32_t *)slot = (uint32_t)number;
	else if (setting->kind == PW_SETTING_DURATION || setting->kind == PW_SETTING_U64)
		*(uint64_t *)slot = number;
	else
		*(double *)slot = real;
	return 0;
}

static const char *kind_text(enum pw_setting_kind kind)
{
	switch (kind) {
	case PW_SETTING_ADDRESS:
		return "an address like 127.0.0.1:10435, or none";
	case PW_SETTING_PATH:
		return "a path of at most 255 bytes, or none";
	case PW_SETTING_DURATION:
		return "a duration like 10s or 1m30s";
	case PW_SETTING_BUDGET:
		return "a percentage like 1 or 0.5%, or none";
	case PW_SETTING_ATTACH:
		return "auto, uprobe_multi or perf";
	case PW_SETTING_LEVEL:
		return "error, warning, info or debug";
	case PW_SETTING_BOOL:
		return "yes or no";
	case PW_SETTING_U32:
	case PW_SETTING_U64:
		return "a whole number";
	case PW_SETTING_DOUBLE:
		return "a number";
	}
	return "a value";
}

static void number_text(const struct pw_setting *setting, double number, char *text, size_t size)
{
	char duration[PW_DURATION_SIZE];

	if (setting->kind == PW_SETTING_DURATION)
		snprintf(text, size, "%s", number > 0 ? pw_time_duration((uint64_t)number, duration) : "0");
	else
		snprintf(text, size, "%.15g", number);
}

int pw_setting_parse(const struct pw_setting *setting, const char *key, const char *value, void *slot,
		     struct pw_why *reterr_why)
{
	char low[40], high[40];
	double number;
	int r = parse_value(setting, value, slot, &number);

	if (r == -ERANGE && !isnan(number)) {
		number_text(setting, setting->min, low, sizeof(low));
		number_text(setting, setting->max, high, sizeof(high));
		return pw_why_set(reterr_why, -EINVAL, "%s: %s is outside %s to %s", key, value, low, high);
	}
	if (r < 0)
		return pw_why_set(reterr_why, -EINVAL, "%s: '%s' is not %s", key, value, kind_text(setting->kind));
	return 0;
}

int pw_config_set(struct pw_config *config, const char *key, const char *value, enum pw_config_source source,
		  struct pw_why *reterr_why)
{
	struct pw_setting setting;
	union {
		char text[PW_CONFIG_TEXT_MAX];
		uint64_t number;
		double real;
	} parsed;
	int r;

	if (!pw_setting_find(key, &setting))
		return pw_config_unknown_key(key, key, reterr_why);
	r = pw_setting_parse(&setting, key, value, &parsed, reterr_why);
	if (r < 0)
		return r;
	if (config->source[setting.index] > source)
		return 0;
	memcpy((char *)config + setting.offset, &parsed, pw_setting_size(setting.kind));
	config->source[setting.index] = source;
	return 0;
}

size_t pw_setting_size(enum pw_setting_kind kind)
{
	switch (kind) {
	case PW_SETTING_ADDRESS:
	case PW_SETTING_PATH:
		return PW_CONFIG_TEXT_MAX;
	case PW_SETTING_BOOL:
		return sizeof(bool);
	case PW_SETTING_U32:
		return sizeof(uint32_t);
	case PW_SETTING_ATTACH:
		return sizeof(enum pw_attach_method);
	case PW_SETTING_LEVEL:
		return sizeof(enum pw_log_level);
	case PW_SETTING_DURATION:
	case PW_SETTING_U64:
	case PW_SETTING_BUDGET:
	case PW_SETTING_DOUBLE:
		return sizeof(uint64_t);
	}
	return 0;
}

/* Exact, so that it reads back the same: the largest unit that divides. */
static void duration_text(uint64_t ns, char *text, size_t size)
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} units[] = {{3600 * PW_NS_PER_SEC, "h"}, {60 * PW_NS_PER_SEC, "m"}, {PW_NS_PER_SEC, "s"},
		     {PW_NS_PER_MS, "ms"},	  {PW_NS_PER_US, "us"},	     {1, "ns"}};

	if (!ns) {
		snprintf(text, size, "0");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (ns % units[i].ns)
			continue;
		snprintf(text, size, "%llu%s", (unsigned long long)(ns / units[i].ns), units[i].unit);
		return;
	}
}

void pw_setting_text(const struct pw_config *config, const struct pw_setting *setting, char *text, size_t size)
{
	const void *slot = (const char *)config + setting->offset;
	double percent;

	switch (setting->kind) {
	case PW_SETTING_ADDRESS:
	case PW_SETTING_PATH:
		snprintf(text, size, "%s", *(const char *)slot ? (const char *)slot : "none");
		break;
	case PW_SETTING_BOOL:
		snprintf(text, size, "%s", *(const bool *)slot ? "yes" : "no");
		break;
	case PW_SETTING_ATTACH:
		snprintf(text, size, "%s", attach_names[*(const enum pw_attach_method *)slot]);
		break;
	case PW_SETTING_LEVEL:
		snprintf(text, size, "%s", pw_log_level_name(*(const enum pw_log_level *)slot));
		break;
	case PW_SETTING_DURATION:
		duration_text(*(const uint64_t *)slot, text, size);
		break;
	case PW_SETTING_U32:
		snprintf(text, size, "%u", *(const uint32_t *)slot);
		break;
	case PW_SETTING_U64:
		snprintf(text, size, "%llu", (unsigned long long)*(const uint64_t *)slot);
		break;
	case PW_SETTING_BUDGET:
		percent = *(const double *)slot;
		if (percent < 0)
			snprintf(text, size, "none");
		else
			snprintf(text, size, "%.15g", percent);
		break;
	case PW_SETTING_DOUBLE:
		snprintf(text, size, "%.15g", *(const double *)slot);
		break;
	}
}

void pw_config_default_text(const char *key, char *ret_text, size_t size)
{
	struct pw_setting setting;
	struct pw_config defaults;

	ret_text[0] = '\0';
	if (!pw_setting_find(key, &setting))
		return;
	pw_config_init(&defaults);
	pw_setting_text(&defaults, &setting, ret_text, size);
}

const char *pw_config_source_name(enum pw_config_source source)
{
	return source_names[source];
}

const char *pw_config_service(const struct pw_config *config, const char *const *names, size_t count)
{
	for (size_t i = 0; i < config->services.count; i++)
		for (size_t n = 0; n < count; n++)
			if (names[n] && *names[n] && pw_glob_match(config->services.items[i].pattern, names[n]))
				return config->services.items[i].value;
	return NULL;
}

int pw_config_read_environment(struct pw_config *config, struct pw_why *reterr_why)
{
	struct pw_setting setting;

	for (size_t i = 0; pw_setting_at(i, &setting); i++) {
		char name[80] = "PARKWATCH_";
		size_t at = strlen(name);
		const char *value;
		int r;

		if (!setting.environment)
			continue;
		for (const char *c = setting.key; *c && at < sizeof(name) - 1; c++)
			name[at++] = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
		name[at] = '\0';
		value = getenv(name);
		if (!value || !*value)
			continue;
		r = pw_config_set(config, setting.key, value, PW_SOURCE_ENVIRONMENT, reterr_why);
		if (r < 0)
			return pw_why_prefix(reterr_why, r, "environment %s", name);
	}
	return 0;
}

int pw_config_load(struct pw_config *config, const char *path, struct pw_why *reterr_why)
{
	int r = pw_config_read_file(config, path ? path : PW_CONFIG_PATH, reterr_why);

	if (r == -ENOENT && !path) /* an empty one: what is shipped holds */
		r = pw_config_read_text(config, PW_CONFIG_PATH, "", 0, reterr_why);
	return r < 0 ? r : pw_config_read_environment(config, reterr_why);
}
