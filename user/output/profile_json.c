/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/frames_json.h"

#define SCHEMA_VERSION 1

static void key_text(struct pw_json *json, const char *key, const struct pw_profile *profile, uint32_t string)
{
	pw_json_key_str(json, key, pw_profile_string(profile, string));
}

/* UINT64_MAX is "unknown": null. */
static void key_number(struct pw_json *json, const char *key, uint64_t value)
{
	if (value == UINT64_MAX)
		pw_json_key_null(json, key);
	else
		pw_json_key_u64(json, key, value);
}

static void write_stack(struct pw_json *json, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	pw_frames_write_json(json, "stack", profile, profile->frames + group->first_frame, group->frame_count);
	if (!group->created_by.function) {
		pw_json_key_null(json, "created_by");
		return;
	}
	pw_json_key_object(json, "created_by");
	key_text(json, "function", profile, group->created_by.function);
	key_text(json, "file", profile, group->created_by.file);
	pw_json_key_u64(json, "line", group->created_by.line);
	pw_json_end(json);
}

/* What is there only where it is known. */
static void write_wait_extras(struct pw_json *json, const struct pw_profile *profile,
			      const struct pw_profile_wait *wait)
{
	if (wait->cases)
		pw_json_key_u64(json, "cases", wait->cases);
	if (wait->period_ns > 0)
		pw_json_key_i64(json, "period", wait->period_ns);
	if (wait->owner_goid)
		pw_json_key_u64(json, "owner", wait->owner_goid);
	if (!wait->sync)
		return;
	pw_json_key_object(json, "sync");
	key_text(json, "type", profile, wait->sync);
	if (wait->state_known && strcmp(pw_profile_string(profile, wait->sync), "sync.Cond") != 0) {
		if (strcmp(pw_profile_string(profile, wait->sync), "sync.WaitGroup") != 0)
			pw_json_key_bool(json, "locked", wait->locked);
		if (wait->counter >= 0)
			pw_json_key_i64(json, "counter", wait->counter);
	}
	if (wait->state_known && !strcmp(pw_profile_string(profile, wait->sync), "sync.Mutex")) {
		pw_json_key_bool(json, "woken", wait->woken);
		pw_json_key_bool(json, "starving", wait->starving);
	}
	pw_json_end(json);
}

static void write_wait(struct pw_json *json, const struct pw_profile *profile, const struct pw_profile_wait *wait)
{
	bool channel;

	if (!wait->kind) {
		pw_json_key_null(json, "waiting_on");
		return;
	}
	channel = !strcmp(pw_profile_string(profile, wait->kind), "channel") ||
		  !strcmp(pw_profile_string(profile, wait->kind), "select");
	pw_json_key_object(json, "waiting_on");
	key_text(json, "kind", profile, wait->kind);
	pw_json_key_bool(json, "nil", wait->nil);
	pw_json_key_bool(json, "closed", wait->closed);
	key_number(json, "len", wait->present && channel ? wait->length : UINT64_MAX);
	key_number(json, "cap", wait->present && channel ? wait->capacity : UINT64_MAX);
	key_number(json, "receivers", wait->present ? wait->receivers : UINT64_MAX);
	key_number(json, "senders", wait->present && channel ? wait->senders : UINT64_MAX);
	if (wait->fd >= 0)
		pw_json_key_i64(json, "fd", wait->fd);
	else
		pw_json_key_null(json, "fd");
	if (wait->deadline_ns != INT64_MIN)
		pw_json_key_i64(json, "deadline", wait->deadline_ns);
	else
		pw_json_key_null(json, "deadline");
	write_wait_extras(json, profile, wait);
	pw_json_end(json);
}

static void write_diagnosis(struct pw_json *json, const struct pw_profile_group *group)
{
	if (!group->diagnosis.rule[0]) {
		pw_json_key_null(json, "diagnosis");
		return;
	}
	pw_json_key_object(json, "diagnosis");
	pw_json_key_str(json, "rule", group->diagnosis.rule);
	pw_json_key_str(json, "verdict", pw_verdict_name(group->diagnosis.verdict));
	pw_json_key_str(json, "text", group->diagnosis.text);
	pw_json_end(json);
}

/* What is there only if it was asked for (--over, --diff), or says that something is missing. */
static void write_extras(struct pw_json *json, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	if (group->truncated)
		pw_json_key_bool(json, "truncated", true);
	if (profile->compared)
		pw_json_key_i64(json, "growth", group->growth);
	if (!profile->over_ns)
		return;
	pw_json_key_object(json, "time_ns");
	pw_json_key_u64(json, "waiting", group->waiting_ns);
	pw_json_key_u64(json, "running", group->running_ns);
	pw_json_key_u64(json, "runnable", group->runnable_ns);
	pw_json_key_u64(json, "syscall", group->syscall_ns);
	pw_json_end(json);
}

static void write_ages(struct pw_json *json, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	if (profile->from_core) { /* which does not say since when */
		pw_json_key_null(json, "age_ns");
		return;
	}
	pw_json_key_object(json, "age_ns");
	pw_json_key_u64(json, "min", group->age_min_ns);
	pw_json_key_u64(json, "median", group->age_median_ns);
	pw_json_key_u64(json, "max", group->age_max_ns);
	pw_json_key_bool(json, "at_least", group->age_at_least);
	pw_json_end(json);
}

static void write_group(struct pw_json *json, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	pw_json_object(json);
	pw_json_key_u64(json, "count", group->count);
	pw_json_key_str(json, "status", group->mixed_status ? "mixed" : pw_status_name(group->status));
	key_text(json, "wait_reason", profile, group->wait_reason);
	write_ages(json, profile, group);
	if (group->runs_per_second >= 0)
		pw_json_key_double(json, "runs", group->runs_per_second);
	else
		pw_json_key_null(json, "runs");
	write_stack(json, profile, group);
	pw_json_key_object(json, "labels");
	for (uint32_t i = 0; i < group->label_count; i++) {
		const struct pw_profile_label *label = &profile->labels[group->first_label + i];

		pw_json_key_str(json, pw_profile_string(profile, label->key), pw_profile_string(profile, label->value));
	}
	pw_json_end(json);
	write_wait(json, profile, &group->waiting_on);
	write_diagnosis(json, group);
	write_extras(json, profile, group);
	pw_json_end(json);
}

/* Why, each that there was. */
static void write_skipped(struct pw_json *json, const struct pw_profile *profile)
{
	uint64_t known = profile->skipped_swapped + profile->skipped_time + profile->skipped_memory;

	if (profile->waits_cut || profile->labels_cut) {
		pw_json_key_array(json, "not_read");
		if (profile->waits_cut)
			pw_json_str(json, "waiting_on");
		if (profile->labels_cut)
			pw_json_str(json, "labels");
		pw_json_end(json);
	}
	if (!profile->skipped && !profile->torn)
		return;
	pw_json_key_object(json, "skipped_by");
	if (profile->torn)
		pw_json_key_u64(json, "changed", profile->torn);
	if (profile->skipped_swapped)
		pw_json_key_u64(json, "swapped_out", profile->skipped_swapped);
	if (profile->skipped_time)
		pw_json_key_u64(json, "time_budget", profile->skipped_time);
	if (profile->skipped_memory)
		pw_json_key_u64(json, "memory_budget", profile->skipped_memory);
	if (profile->skipped > known)
		pw_json_key_u64(json, "unreadable", profile->skipped - known);
	pw_json_end(json);
}

int pw_profile_write_json(struct pw_buf *out, const struct pw_profile *profile)
{
	struct pw_json json = pw_json_init(out, true);
	char text[PW_RFC3339_SIZE];

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", SCHEMA_VERSION);
	pw_head_write_json(&json, profile);
	pw_json_key_u64(&json, "duration_ns", profile->duration_ns);
	if (profile->ages_wall_ns)
		pw_json_key_str(&json, "ages_since", pw_time_rfc3339(profile->ages_wall_ns, text));
	if (profile->from_core)
		pw_json_key_bool(&json, "from_core", true);
	if (profile->missing_bytes)
		pw_json_key_u64(&json, "missing_bytes", profile->missing_bytes);
	if (profile->over_ns) {
		pw_json_key_u64(&json, "over_ns", profile->over_ns);
		pw_json_key_u64(&json, "looks", profile->looks);
	}
	pw_json_key_u64(&json, "total", profile->total);
	pw_json_key_u64(&json, "skipped", profile->skipped + profile->torn);
	write_skipped(&json, profile);
	pw_json_key_array(&json, "groups");
	for (size_t i = 0; i < profile->group_count; i++)
		write_group(&json, profile, &profile->groups[i]);
	pw_json_end(&json);
	pw_json_end(&json);
	return pw_json_finish(&json);
}

/* Kept as text: a schema is a document, not a program. */
static const char schema[] =
	"{\n"
	"  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	"  \"title\": \"parkwatch goroutines\",\n"
	"  \"type\": \"object\",\n"
	"  \"required\": [\"schema_version\", \"pid\", \"process\", \"go_version\", \"taken_at\", \"duration_ns\", "
	"\"total\", \"skipped\", \"groups\"],\n"
	"  \"additionalProperties\": false,\n"
	"  \"properties\": {\n"
	"    \"schema_version\": {\"const\": 1},\n"
	"    \"pid\": {\"type\": \"integer\"},\n"
	"    \"process\": {\"type\": \"string\", \"description\": \"name of the process\"},\n"
	"    \"go_version\": {\"type\": \"string\"},\n"
	"    \"taken_at\": {\"type\": \"string\", \"format\": \"date-time\"},\n"
	"    \"duration_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"of the first, whole look\"},\n"
	"    \"ages_since\": {\"type\": \"string\", \"format\": \"date-time\", \"description\": \"a daemon has "
	"watched since then, and ages are its own\"},\n"
	"    \"from_core\": {\"const\": true, \"description\": \"of a core file: then taken_at is when that was "
	"written, and ages and deadlines are unknown\"},\n"
	"    \"missing_bytes\": {\"$ref\": \"#/$defs/count\", \"description\": \"of memory: the core file is "
	"cut\"},\n"
	"    \"over_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"--over: how long was looked\"},\n"
	"    \"looks\": {\"$ref\": \"#/$defs/count\", \"description\": \"--over: how often\"},\n"
	"    \"total\": {\"$ref\": \"#/$defs/count\", \"description\": \"goroutines of all groups\"},\n"
	"    \"skipped\": {\"$ref\": \"#/$defs/count\", \"description\": \"over the budget, unreadable, or changed "
	"while "
	"they were read, or swapped out\"},\n"
	"    \"skipped_by\": {\"type\": \"object\", \"description\": \"why: each reason that there was\", "
	"\"additionalProperties\": false, \"properties\": {\"changed\": {\"$ref\": \"#/$defs/count\"}, "
	"\"swapped_out\": {\"$ref\": \"#/$defs/count\"}, \"time_budget\": {\"$ref\": \"#/$defs/count\"}, "
	"\"memory_budget\": {\"$ref\": \"#/$defs/count\"}, \"unreadable\": {\"$ref\": \"#/$defs/count\"}}},\n"
	"    \"not_read\": {\"type\": \"array\", \"items\": {\"enum\": [\"waiting_on\", \"labels\"]}, "
	"\"description\": \"over the time budget\"},\n"
	"    \"groups\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/group\"}}\n"
	"  },\n"
	"  \"$defs\": {\n"
	"    \"count\": {\"type\": \"integer\", \"minimum\": 0},\n"
	"    \"unknown_count\": {\"type\": [\"integer\", \"null\"], \"minimum\": 0, \"description\": \"null: "
	"unknown\"},\n"
	"    \"group\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"count\", \"status\", \"wait_reason\", \"age_ns\", \"runs\", \"stack\", \"created_by\", "
	"\"labels\", \"waiting_on\", \"diagnosis\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"count\": {\"$ref\": \"#/$defs/count\", \"description\": \"--over: mean over the looks, at least "
	"1\"},\n"
	"        \"status\": {\"enum\": [\"runnable\", \"running\", \"syscall\", \"waiting\", \"preempted\", "
	"\"leaked\", "
	"\"mixed\"]},\n"
	"        \"wait_reason\": {\"type\": \"string\", \"description\": \"the runtime's own words; empty: does not "
	"wait, or members differ\"},\n"
	"        \"age_ns\": {\n"
	"          \"type\": [\"object\", \"null\"],\n"
	"          \"description\": \"lower bounds; of the park if waiting, else of the goroutine; null: from a core "
	"file\",\n"
	"          \"required\": [\"min\", \"median\", \"max\", \"at_least\"],\n"
	"          \"additionalProperties\": false,\n"
	"          \"properties\": {\n"
	"            \"min\": {\"$ref\": \"#/$defs/count\"},\n"
	"            \"median\": {\"$ref\": \"#/$defs/count\"},\n"
	"            \"max\": {\"$ref\": \"#/$defs/count\"},\n"
	"            \"at_least\": {\"type\": \"boolean\", \"description\": \"the oldest was so before the first "
	"look\"}\n"
	"          }\n"
	"        },\n"
	"        \"runs\": {\"type\": [\"number\", \"null\"], \"minimum\": 0, \"description\": \"per second, of the "
	"whole "
	"group, between two looks, of each at most 255; null: one look\"},\n"
	"        \"stack\": {\n"
	"          \"type\": \"array\",\n"
	"          \"description\": \"innermost first; empty: running\",\n"
	"          \"items\": {\n"
	"            \"type\": \"object\",\n"
	"            \"required\": [\"function\", \"file\", \"line\", \"inlined\"],\n"
	"            \"additionalProperties\": false,\n"
	"            \"properties\": {\n"
	"              \"function\": {\"type\": \"string\"},\n"
	"              \"file\": {\"type\": \"string\"},\n"
	"              \"line\": {\"$ref\": \"#/$defs/count\"},\n"
	"              \"inlined\": {\"type\": \"boolean\"}\n"
	"            }\n"
	"          }\n"
	"        },\n"
	"        \"created_by\": {\n"
	"          \"type\": [\"object\", \"null\"],\n"
	"          \"description\": \"the go statement; null: main, or started by the runtime\",\n"
	"          \"required\": [\"function\", \"file\", \"line\"],\n"
	"          \"additionalProperties\": false,\n"
	"          \"properties\": {\"function\": {\"type\": \"string\"}, \"file\": {\"type\": \"string\"}, \"line\": "
	"{\"$ref\": \"#/$defs/count\"}}\n"
	"        },\n"
	"        \"labels\": {\"type\": \"object\", \"additionalProperties\": {\"type\": \"string\"}, \"description\": "
	"\"pprof labels that all members have\"},\n"
	"        \"waiting_on\": {\n"
	"          \"type\": [\"object\", \"null\"],\n"
	"          \"required\": [\"kind\", \"nil\", \"closed\", \"len\", \"cap\", \"receivers\", \"senders\", \"fd\", "
	"\"deadline\"],\n"
	"          \"additionalProperties\": false,\n"
	"          \"properties\": {\n"
	"            \"kind\": {\"enum\": [\"channel\", \"select\", \"semaphore\", \"network\", \"timer\"]},\n"
	"            \"nil\": {\"type\": \"boolean\", \"description\": \"nil channel, or a select without cases\"},\n"
	"            \"closed\": {\"type\": \"boolean\"},\n"
	"            \"len\": {\"$ref\": \"#/$defs/unknown_count\", \"description\": \"buffered now\"},\n"
	"            \"cap\": {\"$ref\": \"#/$defs/unknown_count\", \"description\": \"size of the buffer\"},\n"
	"            \"receivers\": {\"$ref\": \"#/$defs/unknown_count\", \"description\": \"queued; of a semaphore: "
	"all "
	"that wait\"},\n"
	"            \"senders\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"            \"fd\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"            \"deadline\": {\"type\": [\"integer\", \"null\"], \"description\": \"ns until it expires, or a "
	"timer fires; 0: none, -1: has passed, null: unknown\"},\n"
	"            \"cases\": {\"$ref\": \"#/$defs/count\", \"description\": \"of a select, that have a channel\"},\n"
	"            \"period\": {\"$ref\": \"#/$defs/count\", \"description\": \"ns, of the ticker that sends\"},\n"
	"            \"owner\": {\"$ref\": \"#/$defs/count\", \"description\": \"the only parked goroutine that seems "
	"to hold the lock\"},\n"
	"            \"sync\": {\n"
	"              \"type\": \"object\",\n"
	"              \"required\": [\"type\"],\n"
	"              \"additionalProperties\": false,\n"
	"              \"properties\": {\n"
	"                \"type\": {\"enum\": [\"sync.Mutex\", \"sync.RWMutex\", \"sync.WaitGroup\", "
	"\"sync.Cond\"]},\n"
	"                \"locked\": {\"type\": \"boolean\"},\n"
	"                \"woken\": {\"type\": \"boolean\", \"description\": \"Mutex: one that waits is awake, or "
	"spins\"},\n"
	"                \"starving\": {\"type\": \"boolean\", \"description\": \"Mutex: it is handed over in "
	"order\"},\n"
	"                \"counter\": {\"$ref\": \"#/$defs/count\", \"description\": \"WaitGroup: still to be done; "
	"RWMutex: readers that hold it\"}\n"
	"              }\n"
	"            }\n"
	"          }\n"
	"        },\n"
	"        \"diagnosis\": {\n"
	"          \"type\": [\"object\", \"null\"],\n"
	"          \"required\": [\"rule\", \"verdict\", \"text\"],\n"
	"          \"additionalProperties\": false,\n"
	"          \"properties\": {\n"
	"            \"rule\": {\"type\": \"string\", \"pattern\": \"^PW-[A-Z][0-9]+$\"},\n"
	"            \"verdict\": {\"enum\": [\"possible\", \"likely\", \"certain\"]},\n"
	"            \"text\": {\"type\": \"string\"}\n"
	"          }\n"
	"        },\n"
	"        \"truncated\": {\"const\": true, \"description\": \"the stack is deeper than was read\"},\n"
	"        \"growth\": {\"type\": \"integer\", \"description\": \"--diff: count now less count then\"},\n"
	"        \"time_ns\": {\n"
	"          \"type\": \"object\",\n"
	"          \"description\": \"--over: goroutine time in each state\",\n"
	"          \"required\": [\"waiting\", \"running\", \"runnable\", \"syscall\"],\n"
	"          \"additionalProperties\": false,\n"
	"          \"properties\": {\"waiting\": {\"$ref\": \"#/$defs/count\"}, \"running\": {\"$ref\": "
	"\"#/$defs/count\"}, \"runnable\": {\"$ref\": \"#/$defs/count\"}, \"syscall\": {\"$ref\": \"#/$defs/count\"}}\n"
	"        }\n"
	"      }\n"
	"    }\n"
	"  }\n"
	"}\n";

int pw_profile_write_json_schema(struct pw_buf *out)
{
	return pw_buf_puts(out, schema);
}
