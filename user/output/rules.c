/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"
#include "model/record.h"
#include "output/publish_data.h"
#include "output/table.h"
#include "output/views.h"

#define DISABLED "disabled by the configuration"

static void put(struct pw_buf *out, const char *text)
{
	pw_buf_escaped(out, text, strlen(text));
}

/* Why the rule is off for the process of a record; NULL: it judges. */
static const char *why_off(const struct pw_published *published, size_t record, size_t rule,
			   char text[static PW_OFF_TEXT_SIZE])
{
	if (published->disabled[record] >> rule & 1)
		return DISABLED;
	return published->rules[rule].off
		       ? published->rules[rule].off(published->records[record], text, PW_OFF_TEXT_SIZE)
		       : NULL;
}

static bool is_transient(const char *reason)
{
	size_t length = strlen(reason);

	return length > 4 && !strcmp(reason + length - 4, " yet");
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* "PW-G01, PW-G02: reason", those of the same reason together. Which rules are meant is a bit each. */
static void put_reasons(struct pw_buf *out, const struct pw_published *published, size_t record, uint64_t meant)
{
	char text[PW_OFF_TEXT_SIZE], other[PW_OFF_TEXT_SIZE];
	const char *separator = "";

	for (size_t i = 0; i < published->rule_count; i++) {
		const char *reason = meant >> i & 1 ? why_off(published, record, i, text) : NULL;

		if (!reason)
			continue;
		pw_buf_printf(out, "%s%s", separator, published->rules[i].id);
		for (size_t j = i + 1; j < published->rule_count; j++) {
			const char *its = meant >> j & 1 ? why_off(published, record, j, other) : NULL;

			if (!its || strcmp(its, reason) != 0)
				continue;
			pw_buf_printf(out, ", %s", published->rules[j].id);
			meant &= ~(1ULL << j);
		}
		pw_buf_puts(out, " (");
		put(out, reason);
		pw_buf_puts(out, ")");
		separator = "; ";
	}
}

/* A line of what is off for the process; absent: only for want of a signal that is not merely late. */
static void report_process(struct pw_buf *out, const struct pw_published *published, size_t record, bool absent)
{
	const struct pw_record_identity *identity = &published->records[record]->identity;
	char text[PW_OFF_TEXT_SIZE];
	uint64_t meant = 0;

	for (size_t i = 0; i < published->rule_count; i++) {
		const char *reason = why_off(published, record, i, text);

		if (reason && !(absent && (!strcmp(reason, DISABLED) || is_transient(reason))))
			meant |= 1ULL << i;
	}
	if (!meant)
		return;
	pw_buf_printf(out, "%d ", identity->pid);
	put(out, pw_record_string(published->records[record], identity->process));
	pw_buf_puts(out, ", rules off: ");
	put_reasons(out, published, record, meant);
	pw_buf_putc(out, '\n');
}

void pw_report_rules_off(struct pw_buf *out, const struct pw_published *published)
{
	for (size_t i = 0; published->rule_count && i < published->record_count; i++)
		report_process(out, published, i, true);
}

void pw_report_rules(struct pw_buf *out, const struct pw_published *published)
{
	static const char *const titles[] = {"EVALUATED", "FIRED", "CLEARED", "DISMISSED"};
	struct pw_text_table table = {0};
	size_t before;

	pw_text_table_column(&table, "RULE", false);
	pw_text_table_column(&table, "NAME", false);
	pw_text_table_column(&table, "ENABLED", false);
	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		pw_text_table_column(&table, titles[i], true);
	pw_text_table_column(&table, "LAST FIRED", false);
	for (size_t i = 0; i < published->rule_count; i++) {
		const struct pw_rule_status *rule = &published->rules[i];
		char when[PW_RFC3339_SIZE] = "-";

		if (rule->counters.last_fired_wall_ns)
			pw_time_rfc3339(rule->counters.last_fired_wall_ns, when);
		pw_text_table_cell(&table, rule->id, 16);
		pw_text_table_cell(&table, rule->name, 48);
		pw_text_table_cell(&table, rule->enabled ? "yes" : "no", 4);
		pw_text_table_number(&table, rule->counters.evaluated, true);
		pw_text_table_number(&table, rule->counters.fired, true);
		pw_text_table_number(&table, rule->counters.cleared, true);
		pw_text_table_number(&table, rule->counters.dismissed, true);
		pw_text_table_cell(&table, when, sizeof(when));
	}
	pw_text_table_print(&table, out);
	pw_text_table_done(&table);
	pw_buf_putc(out, '\n');
	before = out->size;
	for (size_t i = 0; published->rule_count && i < published->record_count; i++)
		report_process(out, published, i, false);
	if (out->size == before)
		pw_buf_puts(out, "every rule judges every process\n");
}

/* --- JSON ----------------------------------------------------------------------------------------------------------
 */

static void view_rule(struct pw_json *json, const struct pw_rule_status *rule)
{
	char when[PW_RFC3339_SIZE];

	pw_json_object(json);
	pw_json_key_str(json, "id", rule->id);
	pw_json_key_str(json, "name", rule->name);
	pw_json_key_bool(json, "enabled", rule->enabled);
	pw_json_key_u64(json, "evaluated", rule->counters.evaluated);
	pw_json_key_u64(json, "fired", rule->counters.fired);
	pw_json_key_u64(json, "cleared", rule->counters.cleared);
	pw_json_key_u64(json, "dismissed", rule->counters.dismissed);
	if (rule->counters.last_fired_wall_ns)
		pw_json_key_str(json, "last_fired", pw_time_rfc3339(rule->counters.last_fired_wall_ns, when));
	else
		pw_json_key_null(json, "last_fired");
	pw_json_end(json);
}

static void view_process(struct pw_json *json, const struct pw_published *published, size_t index)
{
	const struct pw_record *record = published->records[index];
	char text[PW_OFF_TEXT_SIZE];

	pw_json_object(json);
	pw_json_key_i64(json, "pid", record->identity.pid);
	pw_json_key_str(json, "process", pw_record_string(record, record->identity.process));
	pw_json_key_str(json, "service", pw_record_string(record, record->identity.service));
	pw_json_key_object(json, "off");
	for (size_t i = 0; i < published->rule_count; i++) {
		const char *reason = why_off(published, index, i, text);

		if (reason)
			pw_json_key_str(json, published->rules[i].id, reason);
	}
	pw_json_end(json);
	pw_json_end(json);
}

void pw_view_rules(struct pw_buf *out, const struct pw_published *published)
{
	struct pw_json json = pw_json_init(out, true);
	int r;

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_array(&json, "rules");
	for (size_t i = 0; i < published->rule_count; i++)
		view_rule(&json, &published->rules[i]);
	pw_json_end(&json);
	pw_json_key_array(&json, "processes");
	for (size_t i = 0; published->rule_count && i < published->record_count; i++)
		view_process(&json, published, i);
	pw_json_end(&json);
	pw_json_end(&json);
	r = pw_json_finish(&json);
	if (r < 0 && !out->error)
		out->error = r;
}
