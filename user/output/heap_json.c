/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/buf.h"
#include "base/json.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/frames_json.h"
#include "output/heap.h"

#define SCHEMA_VERSION 1

static const char *const kinds[] = {
	[PW_HEAP_OF_RUNTIME] = "runtime", [PW_HEAP_SAMPLED] = "sampled", [PW_HEAP_NONE] = "none"};

static void write_values(struct pw_json *json, const struct pw_heap_profile *heap, const struct pw_heap_values *values)
{
	if (heap->kind == PW_HEAP_SAMPLED) { /* nothing is known of what became of them */
		pw_json_key_null(json, "inuse_bytes");
		pw_json_key_null(json, "inuse_objects");
	} else {
		pw_json_key_u64(json, "inuse_bytes", values->inuse_bytes);
		pw_json_key_u64(json, "inuse_objects", values->inuse_objects);
	}
	pw_json_key_u64(json, "alloc_bytes", values->alloc_bytes);
	pw_json_key_u64(json, "alloc_objects", values->alloc_objects);
}

static void write_growth(struct pw_json *json, int64_t bytes, int64_t objects, const uint64_t *alloc_bytes)
{
	pw_json_key_object(json, "growth");
	pw_json_key_i64(json, "inuse_bytes", bytes);
	pw_json_key_i64(json, "inuse_objects", objects);
	if (alloc_bytes)
		pw_json_key_u64(json, "alloc_bytes", *alloc_bytes);
	pw_json_end(json);
}

static int write_site(struct pw_json *json, const struct pw_heap_profile *heap, const struct pw_heap_site *site,
		      struct pw_heap_room *room)
{
	const struct pw_profile_frame *frames = pw_heap_stack(heap, site, room);

	if (!frames)
		return -ENOMEM;
	pw_json_object(json);
	pw_frames_write_json(json, "stack", heap->base, frames, site->frame_count);
	write_values(json, heap, &site->values);
	if (site->object_bytes)
		pw_json_key_u64(json, "object_bytes", site->object_bytes);
	else
		pw_json_key_null(json, "object_bytes");
	if (heap->compared)
		write_growth(json, site->growth_bytes, site->growth_objects, &site->growth_alloc_bytes);
	pw_json_end(json);
	return 0;
}

static void write_classes(struct pw_json *json, const struct pw_heap_profile *heap)
{
	pw_json_key_array(json, "classes");
	for (size_t i = 0; i < heap->class_count; i++) {
		const struct pw_heap_class *class = &heap->classes[i];

		pw_json_object(json);
		if (class->object_bytes)
			pw_json_key_u64(json, "object_bytes", class->object_bytes);
		else
			pw_json_key_null(json, "object_bytes");
		pw_json_key_u64(json, "inuse_bytes", class->bytes);
		pw_json_key_u64(json, "inuse_objects", class->objects);
		pw_json_key_u64(json, "alloc_bytes", class->alloc_bytes);
		pw_json_key_u64(json, "alloc_objects", class->alloc_objects);
		if (heap->compared)
			write_growth(json, class->growth_bytes, class->growth_objects, &class->growth_alloc_bytes);
		pw_json_end(json);
	}
	pw_json_end(json);
}

static void write_types(struct pw_json *json, const struct pw_heap_profile *heap)
{
	pw_json_key_array(json, "types");
	for (size_t i = 0; i < heap->type_count; i++) {
		const struct pw_heap_type *type = &heap->types[i];

		pw_json_object(json);
		pw_json_key_str(json, "type", pw_profile_string(heap->base, type->name));
		pw_json_key_u64(json, "inuse_bytes", type->bytes);
		pw_json_key_u64(json, "inuse_objects", type->objects);
		if (heap->compared)
			write_growth(json, type->growth_bytes, type->growth_objects, NULL);
		pw_json_end(json);
	}
	pw_json_end(json);
	if (heap->no_types[0]) {
		pw_json_key_str(json, "no_types", heap->no_types);
		return;
	}
	pw_json_key_u64(json, "spans", heap->spans);
	pw_json_key_u64(json, "spans_looked_at", heap->spans_looked_at);
}

/* What is there only if it was asked for, or says that something is missing. */
static void write_extras(struct pw_json *json, const struct pw_heap_profile *heap)
{
	if (heap->kind == PW_HEAP_NONE)
		pw_json_key_str(json, "absent", heap->absent);
	if (heap->kind == PW_HEAP_SAMPLED) {
		pw_json_key_u64(json, "samples", heap->samples);
		pw_json_key_u64(json, "attached_ns", heap->attached_ns);
		pw_json_key_u64(json, "cost_ns", heap->cost_ns);
		pw_json_key_u64(json, "hit_ns", heap->hit_ns);
	}
	if (heap->before_gc)
		pw_json_key_bool(json, "before_gc", true);
	if (heap->unsettled)
		pw_json_key_bool(json, "unsettled", true);
	if (heap->skipped)
		pw_json_key_u64(json, "skipped", heap->skipped);
	if (heap->broken[0])
		pw_json_key_str(json, "broken", heap->broken);
	if (heap->compared) {
		pw_json_key_u64(json, "apart_ns", heap->apart_ns);
		pw_json_key_u64(json, "old_cycle", heap->old_cycle);
	}
	if (heap->class_count || heap->kind == PW_HEAP_NONE)
		write_classes(json, heap);
	if (heap->type_count || heap->no_types[0] || heap->kind == PW_HEAP_NONE)
		write_types(json, heap);
}

int pw_heap_write_json(struct pw_buf *out, const struct pw_heap_profile *heap)
{
	struct pw_json json = pw_json_init(out, true);
	_cleanup_(pw_heap_room_done) struct pw_heap_room room = {0};
	int r = 0;

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", SCHEMA_VERSION);
	pw_head_write_json(&json, heap->base);
	pw_json_key_u64(&json, "duration_ns", heap->duration_ns);
	pw_json_key_str(&json, "source", kinds[heap->kind]);
	pw_json_key_u64(&json, "rate", heap->rate);
	pw_json_key_u64(&json, "cycle", heap->cycle);
	pw_json_key_object(&json, "total");
	write_values(&json, heap, &heap->total);
	pw_json_end(&json);
	write_extras(&json, heap);
	pw_json_key_array(&json, "sites");
	for (size_t i = 0; i < heap->site_count && r >= 0; i++)
		r = write_site(&json, heap, &heap->sites[i], &room);
	pw_json_end(&json);
	pw_json_end(&json);
	return r < 0 ? r : pw_json_finish(&json);
}

/* Kept as text: a schema is a document, not a program. */
static const char schema[] =
	"{\n"
	"  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
	"  \"title\": \"parkwatch heap\",\n"
	"  \"type\": \"object\",\n"
	"  \"required\": [\"schema_version\", \"pid\", \"process\", \"go_version\", \"taken_at\", \"duration_ns\", "
	"\"source\", \"rate\", \"cycle\", \"total\", \"sites\"],\n"
	"  \"additionalProperties\": false,\n"
	"  \"properties\": {\n"
	"    \"schema_version\": {\"const\": 1},\n"
	"    \"pid\": {\"type\": \"integer\"},\n"
	"    \"process\": {\"type\": \"string\", \"description\": \"name of the process\"},\n"
	"    \"go_version\": {\"type\": \"string\"},\n"
	"    \"taken_at\": {\"type\": \"string\", \"format\": \"date-time\"},\n"
	"    \"duration_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"of the reading; sampled: how long was "
	"sampled\"},\n"
	"    \"source\": {\"enum\": [\"runtime\", \"sampled\", \"none\"], \"description\": \"the runtime's own "
	"profile; "
	"our "
	"probes (--sample); the program keeps none\"},\n"
	"    \"rate\": {\"$ref\": \"#/$defs/count\", \"description\": \"bytes per sample: figures are estimates\"},\n"
	"    \"cycle\": {\"$ref\": \"#/$defs/count\", \"description\": \"completed GC cycles: in use is as of the last "
	"one\"},\n"
	"    \"total\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"inuse_bytes\", \"inuse_objects\", \"alloc_bytes\", \"alloc_objects\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"inuse_bytes\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"        \"inuse_objects\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"        \"alloc_bytes\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"alloc_objects\": {\"$ref\": \"#/$defs/count\"}\n"
	"      }\n"
	"    },\n"
	"    \"absent\": {\"type\": \"string\", \"description\": \"why there is no profile\"},\n"
	"    \"samples\": {\"$ref\": \"#/$defs/count\", \"description\": \"sampled: hits of probes\"},\n"
	"    \"attached_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"sampled: how long probes were attached; "
	"figures are scaled up to all of duration_ns\"},\n"
	"    \"cost_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"sampled: CPU time that probes took from the "
	"process, estimated\"},\n"
	"    \"hit_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"sampled: of one hit, as measured on this "
	"host "
	"with a stack of 32 frames\"},\n"
	"    \"before_gc\": {\"const\": true, \"description\": \"no GC cycle has published any: all that was allocated "
	"counts as in use\"},\n"
	"    \"unsettled\": {\"const\": true, \"description\": \"it changed while it was read\"},\n"
	"    \"skipped\": {\"$ref\": \"#/$defs/count\", \"description\": \"buckets that could not be used\"},\n"
	"    \"broken\": {\"type\": \"string\", \"description\": \"why the list of buckets could not be followed to "
	"its "
	"end\"},\n"
	"    \"apart_ns\": {\"$ref\": \"#/$defs/count\", \"description\": \"growth: since the older profile\"},\n"
	"    \"old_cycle\": {\"$ref\": \"#/$defs/count\", \"description\": \"growth: GC cycles at the older "
	"profile\"},\n"
	"    \"classes\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/class\"}},\n"
	"    \"types\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/type\"}},\n"
	"    \"no_types\": {\"type\": \"string\", \"description\": \"why there are none\"},\n"
	"    \"spans\": {\"$ref\": \"#/$defs/count\", \"description\": \"types: spans in use\"},\n"
	"    \"spans_looked_at\": {\"$ref\": \"#/$defs/count\", \"description\": \"types: estimated from so many of "
	"them\"},\n"
	"    \"sites\": {\"type\": \"array\", \"items\": {\"$ref\": \"#/$defs/site\"}}\n"
	"  },\n"
	"  \"$defs\": {\n"
	"    \"count\": {\"type\": \"integer\", \"minimum\": 0},\n"
	"    \"unknown_count\": {\"type\": [\"integer\", \"null\"], \"minimum\": 0, \"description\": \"null: "
	"unknown\"},\n"
	"    \"growth\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"inuse_bytes\", \"inuse_objects\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"inuse_bytes\": {\"type\": \"integer\"},\n"
	"        \"inuse_objects\": {\"type\": \"integer\"},\n"
	"        \"alloc_bytes\": {\"$ref\": \"#/$defs/count\"}\n"
	"      }\n"
	"    },\n"
	"    \"site\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"stack\", \"inuse_bytes\", \"inuse_objects\", \"alloc_bytes\", \"alloc_objects\", "
	"\"object_bytes\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"stack\": {\n"
	"          \"type\": \"array\",\n"
	"          \"description\": \"innermost first, from the first frame outside of the runtime on\",\n"
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
	"        \"inuse_bytes\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"        \"inuse_objects\": {\"$ref\": \"#/$defs/unknown_count\"},\n"
	"        \"alloc_bytes\": {\"$ref\": \"#/$defs/count\", \"description\": \"since the start; sampled: in that "
	"time\"},\n"
	"        \"alloc_objects\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"object_bytes\": {\"$ref\": \"#/$defs/unknown_count\", \"description\": \"size of each; null: "
	"various\"},\n"
	"        \"growth\": {\"$ref\": \"#/$defs/growth\"}\n"
	"      }\n"
	"    },\n"
	"    \"class\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"object_bytes\", \"inuse_bytes\", \"inuse_objects\", \"alloc_bytes\", "
	"\"alloc_objects\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"object_bytes\": {\"$ref\": \"#/$defs/unknown_count\", \"description\": \"null: all large ones\"},\n"
	"        \"inuse_bytes\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"inuse_objects\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"alloc_bytes\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"alloc_objects\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"growth\": {\"$ref\": \"#/$defs/growth\"}\n"
	"      }\n"
	"    },\n"
	"    \"type\": {\n"
	"      \"type\": \"object\",\n"
	"      \"required\": [\"type\", \"inuse_bytes\", \"inuse_objects\"],\n"
	"      \"additionalProperties\": false,\n"
	"      \"properties\": {\n"
	"        \"type\": {\"type\": \"string\"},\n"
	"        \"inuse_bytes\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"inuse_objects\": {\"$ref\": \"#/$defs/count\"},\n"
	"        \"growth\": {\"$ref\": \"#/$defs/growth\"}\n"
	"      }\n"
	"    }\n"
	"  }\n"
	"}\n";

int pw_heap_write_json_schema(struct pw_buf *out)
{
	return pw_buf_puts(out, schema);
}
