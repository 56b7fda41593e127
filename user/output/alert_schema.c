/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/buf.h"
#include "base/json.h"
#include "base/macros.h"
#include "output/alert_json.h"

/* What alert_json.c writes, one row per field of an alert; every field is always there. */
enum kind {
	STRING, /* never null */
	TEXT,	/* or null: not known */
	TIME,	/* or null */
	COUNT,	/* or null */
	NUMBER, /* or null */
	INTEGER,
	BOOLEAN,
	FRAMES,
	FRAME,
	WAIT,
	FLOORS,
	MOVING,
	THRESHOLDS,
	LOSS,
	HOLDER,
	GROWING,
	PROCESSES,
};

static const struct field {
	const char *name;
	enum kind kind;
	const char *text;
} fields[] = {
	{"id", STRING, "the same over the life of the incident, and when it comes again"},
	{"rule", STRING, "PW-...; parkwatch rules explain tells about it"},
	{"level", STRING, "info, warning or critical"},
	{"confidence", STRING, "proven, certain, leak, suspected or cold (no baseline yet)"},
	{"state", STRING, "pending, firing, clearing, resolved, or gone: its process ended"},
	{"service", STRING, "service of the process"},
	{"build", TEXT, "build ID of its executable"},
	{"pid", INTEGER, "of the process that it is worst in"},
	{"started", TIME, "when that process started"},
	{"onset", TIME, "when the growth, or what it is about, began"},
	{"fired", TIME, "when the alert did"},
	{"created", FRAMES, "stack that its goroutines are started on, innermost first"},
	{"blocked", FRAMES, "stack that most of them are parked on, innermost first"},
	{"n", COUNT, "goroutines now; null: it is about the process, see unit and value"},
	{"n_onset", COUNT, "goroutines at the onset"},
	{"baseline", NUMBER, "what is normal: 99.9% of what was seen in healthy time; null: not known yet"},
	{"arrivals_per_h", NUMBER, "goroutines that became old"},
	{"exits_per_h", NUMBER, "old ones that ended"},
	{"life_lb_h", NUMBER, "old ones live on for so many hours in the mean, at least (95%)"},
	{"growth_per_h", NUMBER, "in goroutines, or in unit"},
	{"eta_s", NUMBER, "seconds until the limit at this pace; null: never, or not known"},
	{"eta_lo", NUMBER, "the earliest (95%)"},
	{"eta_hi", NUMBER, "the latest (95%)"},
	{"limit", NUMBER, "that the ETA is to, in bytes unless limit_name says otherwise"},
	{"pinned_bytes", COUNT, "heap that only these goroutines hold; null without a proof"},
	{"wait_object", WAIT, "what the one parked longest waits on"},
	{"floors", FLOORS, "the signal over its window: minima of buckets, oldest first"},
	{"co_moving", MOVING, "what else of the process rose since the onset"},
	{"loss", NUMBER, "share of the evidence that was not seen since the onset: 0 to 1"},
	{"thresholds", THRESHOLDS, "each that was crossed"},
	{"hint", TEXT, "what to do"},
	{"reproduce", TEXT, "command that shows it"},
	{"text", STRING, "all of it in a sentence"},
	{"process", STRING, "name of the process"},
	{"go_version", TEXT, "of the executable"},
	{"resolved", TIME, "when it ended"},
	{"statement", FRAME, "the go statement"},
	{"wait_reason", TEXT, "the most common one"},
	{"unit", TEXT, "of value; null: it is about goroutines"},
	{"value", NUMBER, "now"},
	{"value_onset", NUMBER, "at the onset"},
	{"limit_name", TEXT, "what the limit is"},
	{"window_ns", COUNT, "over which the growth was judged"},
	{"growth_low_per_h", NUMBER, "95% bound of growth_per_h"},
	{"growth_high_per_h", NUMBER, "95% bound of growth_per_h"},
	{"floors_bucket_ns", COUNT, "width of a bucket of floors"},
	{"stacks_read", TIME, "when blocked was read"},
	{"blocked_count", COUNT, "goroutines parked on that stack"},
	{"blocked_cut", BOOLEAN, "the stack goes on further out"},
	{"never_ran", COUNT, "of them not once since the snapshot before"},
	{"oldest_park_ns", COUNT, "how long the oldest of all has been parked"},
	{"oldest_park_at_least", BOOLEAN, "it was already when parkwatch first looked"},
	{"loss_detail", LOSS, "where loss comes from"},
	{"owner", TEXT, "whose it is, by the configuration"},
	{"runbook", TEXT, "link, by the configuration"},
	{"benign", TEXT, "the entry of the benign list it is on, or was"},
	{"lowered", BOOLEAN, "to info, because of that entry"},
	{"locks", COUNT, "of those that are waited for there; null: it is not about locks"},
	{"still_ns", COUNT, "how long nobody has unlocked the oldest of them, at least"},
	{"holder", HOLDER, "the parked goroutine that seems to hold it"},
	{"goid", COUNT, "of the goroutine that it is about; null: it is not about one"},
	{"reserved_bytes", COUNT, "for the stack of that goroutine; value is what is in use"},
	{"circle", FLOORS, "goids that seem to wait for each other's locks in a circle, the first of them"},
	{"growing_read", TIME, "when it was looked for what grows in memory"},
	{"growing_estimated", BOOLEAN, "by the runtime's heap profile, which samples"},
	{"growing", GROWING, "lines, or sizes of objects, whose memory grew most over the window, falling"},
	{"peak", NUMBER, "the highest that value, or n, has been"},
	{"recurrence", INTEGER, "how often it has come again, each time within a day of its end"},
	{"first_fired", TIME, "when it fired for the first time"},
	{"score", NUMBER, "0 to 100: how sure, urgent and large it is; alerts are listed by it"},
	{"held", TEXT, "why nobody is woken: inhibited (another explains it), grouped, deploy, fleet; null: it is not"},
	{"inhibited_by", TEXT, "id of the alert that stands for it"},
	{"paged", BOOLEAN, "webhooks and the command have been told that it fires, and not yet that it is over"},
	{"grouped", INTEGER, "others of its service that its page stands for"},
	{"process_count", INTEGER, "processes of this host that it is in"},
	{"processes", PROCESSES, "which, the worst first; at most 16"},
};

static void key_types(struct pw_json *json, const char *type, bool null)
{
	if (!null) {
		pw_json_key_str(json, "type", type);
		return;
	}
	pw_json_key_array(json, "type");
	pw_json_str(json, type);
	pw_json_str(json, "null");
	pw_json_end(json);
}

/* "name": {"type": ...}, */
static void property(struct pw_json *json, const char *name, const char *type, bool null)
{
	pw_json_key_object(json, name);
	key_types(json, type, null);
	pw_json_end(json);
}

static void required(struct pw_json *json, const char *const *names, size_t count)
{
	pw_json_key_array(json, "required");
	for (size_t i = 0; i < count; i++)
		pw_json_str(json, names[i]);
	pw_json_end(json);
	pw_json_key_bool(json, "additionalProperties", false);
}

struct member {
	const char *name, *type;
	bool null;
};

/* An object with just these members. */
static void object(struct pw_json *json, bool null, const struct member *members, size_t count)
{
	const char *names[12];

	key_types(json, "object", null);
	pw_json_key_object(json, "properties");
	for (size_t i = 0; i < count && i < ARRAY_SIZE(names); i++) {
		names[i] = members[i].name;
		property(json, members[i].name, members[i].type, members[i].null);
	}
	pw_json_end(json);
	required(json, names, PW_MIN(count, ARRAY_SIZE(names)));
}

static const struct member frame[] = {
	{"function", "string", false}, {"file", "string", false}, {"line", "integer", false}};
static const struct member holder[] = {{"goid", "integer", false},	{"wait_reason", "string", true},
				       {"parked_ns", "integer", false}, {"function", "string", false},
				       {"file", "string", false},	{"line", "integer", false}};
static const struct member wait[] = {
	{"kind", "string", false},	{"type", "string", true},     {"nil", "boolean", false},
	{"closed", "boolean", false},	{"len", "integer", true},     {"cap", "integer", true},
	{"receivers", "integer", true}, {"senders", "integer", true}, {"objects", "integer", true}};
static const struct member moving[] = {
	{"what", "string", false}, {"unit", "string", false}, {"from", "number", false}, {"to", "number", false}};
static const struct member process[] = {{"pid", "integer", false}, {"value", "number", false}};
static const struct member threshold[] = {
	{"value", "number", true}, {"limit", "number", true}, {"crossed", "string", false}};
static const struct member loss[] = {{"sampled", "boolean", false},
				     {"dropped_events", "integer", false},
				     {"skipped_goroutines", "integer", false},
				     {"gaps", "integer", false},
				     {"gaps_s", "number", false}};

static const struct member growing[] = {
	{"function", "string", true},	   {"file", "string", true},	      {"line", "integer", true},
	{"object_bytes", "integer", true}, {"growth_bytes", "number", false}, {"growth_per_h", "number", false},
	{"over_s", "number", false},	   {"share", "number", false},	      {"inuse_bytes", "number", false}};

static void array_of(struct pw_json *json, const struct member *members, size_t count)
{
	pw_json_key_str(json, "type", "array");
	pw_json_key_object(json, "items");
	object(json, false, members, count);
	pw_json_end(json);
}

static void nested(struct pw_json *json, enum kind kind)
{
	switch (kind) {
	case FRAMES:
		array_of(json, frame, ARRAY_SIZE(frame));
		break;
	case FRAME:
		object(json, false, frame, ARRAY_SIZE(frame));
		break;
	case WAIT:
		object(json, true, wait, ARRAY_SIZE(wait));
		break;
	case FLOORS:
		pw_json_key_str(json, "type", "array");
		pw_json_key_object(json, "items");
		key_types(json, "number", true);
		pw_json_end(json);
		break;
	case MOVING:
		array_of(json, moving, ARRAY_SIZE(moving));
		break;
	case GROWING:
		array_of(json, growing, ARRAY_SIZE(growing));
		break;
	case PROCESSES:
		array_of(json, process, ARRAY_SIZE(process));
		break;
	case THRESHOLDS:
		pw_json_key_str(json, "type", "object");
		pw_json_key_object(json, "additionalProperties");
		object(json, false, threshold, ARRAY_SIZE(threshold));
		pw_json_end(json);
		break;
	case HOLDER:
		object(json, true, holder, ARRAY_SIZE(holder));
		break;
	default:
		object(json, true, loss, ARRAY_SIZE(loss));
		break;
	}
}

static void put_field(struct pw_json *json, const struct field *field)
{
	static const char *const types[] = {
		[STRING] = "string", [TEXT] = "string",	    [TIME] = "string",	  [COUNT] = "integer",
		[NUMBER] = "number", [INTEGER] = "integer", [BOOLEAN] = "boolean"};

	pw_json_key_object(json, field->name);
	if (field->kind < ARRAY_SIZE(types))
		key_types(json, types[field->kind], field->kind >= TEXT && field->kind <= NUMBER);
	else
		nested(json, field->kind);
	if (field->kind == TIME)
		pw_json_key_str(json, "format", "date-time");
	pw_json_key_str(json, "description", field->text);
	pw_json_end(json);
}

static void put_alert(struct pw_json *json)
{
	const char *names[ARRAY_SIZE(fields)];

	pw_json_key_object(json, "items");
	pw_json_key_str(json, "type", "object");
	pw_json_key_object(json, "properties");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		names[i] = fields[i].name;
		put_field(json, &fields[i]);
	}
	pw_json_end(json);
	required(json, names, ARRAY_SIZE(names));
	pw_json_end(json);
}

int pw_view_alerts_schema(struct pw_buf *out)
{
	static const char *const names[] = {"schema_version", "time", "alerts"};
	struct pw_json json = pw_json_init(out, true);

	pw_json_object(&json);
	pw_json_key_str(&json, "$schema", "https://json-schema.org/draft/2020-12/schema");
	pw_json_key_str(&json, "title", "parkwatch alerts");
	pw_json_key_str(&json, "type", "object");
	pw_json_key_object(&json, "properties");
	pw_json_key_object(&json, "schema_version");
	pw_json_key_u64(&json, "const", PW_ALERTS_SCHEMA_VERSION);
	pw_json_end(&json);
	property(&json, "time", "string", false);
	pw_json_key_object(&json, "alerts");
	pw_json_key_str(&json, "type", "array");
	put_alert(&json);
	pw_json_end(&json);
	pw_json_end(&json);
	required(&json, names, ARRAY_SIZE(names));
	pw_json_end(&json);
	return pw_json_finish(&json);
}
