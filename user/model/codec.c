/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/codec.h"

#include <string.h>

#include "base/vec.h"
#include "base/why.h"
#include "model/storage.h"

/*
 * The walk: walk_record() visits every field of a record in one order. Encoding, `now` is the record to write (its
 * fields are only read); decoding, `now` is a draft whose arrays are grown here. `old` is what both sides know already.
 */
struct walk {
	bool encoding;
	struct pw_buf *out;
	struct pw_bytes *in;
	uint64_t zeros; /* encoding: unchanged fields not yet written; decoding: unchanged fields still to come */
	uint32_t next_reason, next_age, next_frame; /* where the next range in that list is expected to begin */
	bool failed, no_memory;
};

static void flush_zeros(struct walk *walk)
{
	if (!walk->zeros)
		return;
	pw_buf_uvarint(walk->out, 0);
	pw_buf_uvarint(walk->out, walk->zeros);
	walk->zeros = 0;
}

static uint64_t zigzag(uint64_t difference)
{
	return (difference << 1) ^ (difference >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t coded)
{
	return (coded >> 1) ^ (coded & 1 ? UINT64_MAX : 0);
}

static uint64_t walk_decode(struct walk *walk, uint64_t old, uint64_t max)
{
	uint64_t coded, value;

	if (walk->zeros) {
		walk->zeros--;
		return old;
	}
	coded = pw_bytes_uvarint(walk->in);
	if (!coded) {
		walk->zeros = pw_bytes_uvarint(walk->in);
		if (!walk->zeros) { /* a run of nothing, or the end of the bytes */
			walk->failed = true;
			return 0;
		}
		walk->zeros--;
		return old;
	}
	value = old + unzigzag(coded);
	if (value > max) {
		walk->failed = true;
		return 0;
	}
	return value;
}

/* One number: returns what it is now. */
static uint64_t walk_value(struct walk *walk, uint64_t now, uint64_t old, uint64_t max)
{
	if (!walk->encoding)
		return walk->failed ? 0 : walk_decode(walk, old, max);
	if (now == old) {
		walk->zeros++;
	} else {
		flush_zeros(walk);
		pw_buf_uvarint(walk->out, zigzag(now - old));
	}
	return now;
}

/* The record that is encoded is immutable and shared with other threads: nothing is stored into it, not even the same.
 */
#define WALK(field, type, max)                                                                       \
	do {                                                                                         \
		uint64_t value_ = walk_value(walk, (uint64_t)now->field, (uint64_t)old->field, max); \
		if (!walk->encoding)                                                                 \
			now->field = (type)value_;                                                   \
	} while (0)
#define U64(field)  WALK(field, uint64_t, UINT64_MAX)
#define U32(field)  WALK(field, uint32_t, UINT32_MAX)
#define U8(field)   WALK(field, uint8_t, UINT8_MAX)
#define BOOL(field) WALK(field, bool, 1)
#define I64(field)  WALK(field, int64_t, UINT64_MAX)

static void walk_i32(struct walk *walk, int32_t *now, int32_t old)
{
	uint64_t value = walk_value(walk, (uint32_t)*now, (uint32_t)old, UINT32_MAX);

	if (!walk->encoding)
		*now = (int32_t)(uint32_t)value;
}

static void walk_double(struct walk *walk, double *now, double old)
{
	uint64_t now_bits, old_bits;

	memcpy(&now_bits, now, sizeof(now_bits));
	memcpy(&old_bits, &old, sizeof(old_bits));
	now_bits = walk_value(walk, now_bits, old_bits, UINT64_MAX);
	if (!walk->encoding)
		memcpy(now, &now_bits, sizeof(now_bits));
}

/*
 * A range of a list that others share: mostly it begins where the one before it ended, whatever has changed in the
 * list, and an empty one at 0.
 */
static void walk_range(struct walk *walk, uint32_t *first, uint32_t *count, uint32_t old_count, uint32_t *next)
{
	uint32_t count_now = (uint32_t)walk_value(walk, *count, old_count, UINT32_MAX);
	uint32_t first_now = (uint32_t)walk_value(walk, *first, count_now ? *next : 0, UINT32_MAX);

	if (!walk->encoding) {
		*first = first_now;
		*count = count_now;
	}
	if (count_now)
		*next = first_now + count_now;
}

static void walk_section(struct walk *walk, struct pw_section *now, const struct pw_section *old)
{
	BOOL(present);
	U8(version);
	U8(quality);
	U64(taken_ns);
}

static void walk_site(struct walk *walk, struct pw_record_site *now, const struct pw_record_site *old)
{
	U32(event);
	U32(function);
	U32(instruction);
	U32(note);
	U64(offset);
	BOOL(found);
	BOOL(attached);
	BOOL(emulated);
	U64(hits);
	U64(cost_ns);
}

static void walk_drop(struct walk *walk, struct pw_record_drop *now, const struct pw_record_drop *old)
{
	U32(name);
	U64(count);
}

static void walk_statement(struct walk *walk, struct pw_record_statement *now, const struct pw_record_statement *old)
{
	U64(gopc);
	U32(function);
	U32(file);
	U32(line);
	BOOL(system);
}

static void walk_count(struct walk *walk, struct pw_record_event_count *now, const struct pw_record_event_count *old)
{
	U32(statement);
	U64(spawned);
	U64(exited);
	U64(parked);
	U64(ran);
	walk_range(walk, &now->first_reason, &now->reason_count, old->reason_count, &walk->next_reason);
	U32(creation_stack);
}

static void walk_reason(struct walk *walk, struct pw_record_reason_count *now, const struct pw_record_reason_count *old)
{
	U32(reason);
	U64(count);
}

static void walk_group(struct walk *walk, struct pw_record_group *now, const struct pw_record_group *old)
{
	U32(statement);
	U8(status);
	U32(reason);
	U64(count);
	U64(count_initial);
	U64(oldest_born_before_ns);
	U64(youngest_born_after_ns);
	walk_range(walk, &now->first_age, &now->age_count, old->age_count, &walk->next_age);
}

static void walk_age(struct walk *walk, struct pw_record_age *now, const struct pw_record_age *old)
{
	U64(born_before_ns);
	U64(count);
}

static void walk_row(struct walk *walk, struct pw_record_row *now, const struct pw_record_row *old)
{
	U64(goid);
	U32(group);
	U32(runs);
	U64(born_after_ns);
	U64(born_before_ns);
}

static void walk_frame(struct walk *walk, struct pw_record_frame *now, const struct pw_record_frame *old)
{
	U32(function);
	U32(file);
	U32(line);
	BOOL(inlined);
	U64(addr);
}

static void walk_stack(struct walk *walk, struct pw_record_stack *now, const struct pw_record_stack *old)
{
	walk_range(walk, &now->first, &now->count, old->count, &walk->next_frame);
}

/* A field added to one of these must be added to its walk, and the format's version raised. */
_Static_assert(sizeof(struct pw_section) == 16, "walk_section");
_Static_assert(sizeof(struct pw_record_site) == 48, "walk_site");
_Static_assert(sizeof(struct pw_record_drop) == 16, "walk_drop");
_Static_assert(sizeof(struct pw_record_statement) == 24, "walk_statement");
_Static_assert(sizeof(struct pw_record_event_count) == 56, "walk_count");
_Static_assert(sizeof(struct pw_record_reason_count) == 16, "walk_reason");
_Static_assert(sizeof(struct pw_record_group) == 56, "walk_group");
_Static_assert(sizeof(struct pw_record_age) == 16, "walk_age");
_Static_assert(sizeof(struct pw_record_row) == 32, "walk_row");
_Static_assert(sizeof(struct pw_record_frame) == 24, "walk_frame");
_Static_assert(sizeof(struct pw_record_stack) == 8, "walk_stack");
_Static_assert(sizeof(struct pw_record_identity) == 80, "walk_identity");
_Static_assert(sizeof(struct pw_record) == 752, "walk_record");

static void walk_identity(struct walk *walk, struct pw_record_identity *now, const struct pw_record_identity *old)
{
	U64(target_id);
	walk_i32(walk, &now->pid, old->pid);
	U64(start_time_ns);
	U32(service);
	U32(process);
	U32(exe);
	U32(unit);
	U32(container);
	U32(pod);
	U32(build_id);
	U32(go_version);
	U32(main_path);
	U32(module);
	U32(module_version);
	U32(revision);
	BOOL(stripped);
	BOOL(pie);
	U32(state);
}

static void walk_cost(struct walk *walk, struct pw_record *now, const struct pw_record *old)
{
	walk_section(walk, &now->cost.section, &old->cost.section);
	U64(cost.hits);
	walk_double(walk, &now->cost.cpu_percent, old->cost.cpu_percent);
	walk_double(walk, &now->cost.budget_percent, old->cost.budget_percent);
	U32(cost.guard_state);
	U64(cost.census_ns);
	U64(cost.bytes_read);
}

static void walk_events(struct walk *walk, struct pw_record *now, const struct pw_record *old)
{
	walk_section(walk, &now->events.section, &old->events.section);
	U64(events.spawned);
	U64(events.exited);
	U64(events.parked);
	U64(events.gc_cycles);
	U64(events.gc_mark_terminations);
	U64(events.gc_sweeps);
	U64(events.stw_starts);
	U64(events.stw_ends);
	U64(events.stw_total_ns);
	U64(events.last_cycle.start_ns);
	U64(events.last_cycle.mark_termination_ns);
	U64(events.last_cycle.sweep_ns);
}

static void walk_numbers(struct walk *walk, struct pw_record *now, const struct pw_record *old)
{
	walk_section(walk, &now->census.section, &old->census.section);
	U64(census.total);
	U64(census.system);
	U64(census.skipped);
	U64(census.torn);
	walk_section(walk, &now->drift.section, &old->drift.section);
	U64(drift.live_by_events);
	U64(drift.live_by_census);
	I64(drift.difference);
	walk_section(walk, &now->runtime.section, &old->runtime.section);
	U64(runtime.goroutines);
	U64(runtime.spawn_total);
	U64(runtime.gomaxprocs);
	U64(runtime.threads);
	U64(runtime.gc_cycles);
	U64(runtime.gc_forced);
	U64(runtime.gc_pause_total_ns);
	U64(runtime.heap_live_bytes);
	U64(runtime.heap_marked_bytes);
	walk_section(walk, &now->kernel.section, &old->kernel.section);
	U64(kernel.rss_bytes);
	U64(kernel.threads);
	U64(kernel.open_files);
	U64(kernel.cpu_ns);
}

/* --- arrays ------------------------------------------------------------------------------------------------------ */

/*
 * Is b in the old record what a is now? Elements come and go (groups of running goroutines, rows, ages), so each is
 * held against the old element it continues, and says which that is: mostly the one behind its predecessor's, which
 * costs nothing.
 */
static bool same_site(const struct pw_record_site *a, const struct pw_record_site *b)
{
	return a->event == b->event;
}

static bool same_drop(const struct pw_record_drop *a, const struct pw_record_drop *b)
{
	return a->name == b->name;
}

static bool same_statement(const struct pw_record_statement *a, const struct pw_record_statement *b)
{
	return a->gopc == b->gopc;
}

static bool same_count(const struct pw_record_event_count *a, const struct pw_record_event_count *b)
{
	return a->statement == b->statement;
}

static bool same_reason(const struct pw_record_reason_count *a, const struct pw_record_reason_count *b)
{
	return a->reason == b->reason;
}

static bool same_group(const struct pw_record_group *a, const struct pw_record_group *b)
{
	return a->statement == b->statement && a->status == b->status && a->reason == b->reason;
}

static bool same_age(const struct pw_record_age *a, const struct pw_record_age *b)
{
	return a->born_before_ns == b->born_before_ns;
}

static bool same_row(const struct pw_record_row *a, const struct pw_record_row *b)
{
	return a->goid == b->goid;
}

static bool same_frame(const struct pw_record_frame *a, const struct pw_record_frame *b)
{
	return a->addr == b->addr && a->function == b->function;
}

static bool same_stack(const struct pw_record_stack *a, const struct pw_record_stack *b)
{
	return a->count == b->count;
}

/* How far ahead the old element is looked for; farther away a new one is cheaper than the search. */
#define LOOK_AHEAD 128

/*
 * Walks the array `list` of `type` by walk_element. Decoding, it is allocated first; the draft owns it. An element that
 * continues none is held against its own predecessor, because neighbours are alike (goids, addresses, times).
 */
#define DEFINE_WALK_LIST(name, type, list, list_count, max, walk_element, same)                               \
	static size_t find_##name(const struct pw_record *old, const type *element, size_t expected)          \
	{                                                                                                     \
		for (size_t i = expected; i < old->list_count && i - expected < LOOK_AHEAD; i++)              \
			if (same(element, &old->list[i]))                                                     \
				return i;                                                                     \
		return old->list_count;                                                                       \
	}                                                                                                     \
                                                                                                              \
	static void name(struct walk *walk, struct pw_record *now, const struct pw_record *old)               \
	{                                                                                                     \
		static const type nothing;                                                                    \
		size_t count = (size_t)walk_value(walk, now->list_count, old->list_count, max), expected = 0; \
                                                                                                              \
		if (walk->failed || !count)                                                                   \
			return;                                                                               \
		if (!walk->encoding) {                                                                        \
			now->list = calloc(count, sizeof(type));                                              \
			walk->failed = walk->no_memory = !now->list;                                          \
			now->list_count = now->list ? count : 0;                                              \
		}                                                                                             \
		for (size_t i = 0; i < count && !walk->failed; i++) {                                         \
			size_t from = walk->encoding ? find_##name(old, &now->list[i], expected) : 0;         \
                                                                                                              \
			from = (size_t)walk_value(walk, from, expected, old->list_count);                     \
			if (from < old->list_count)                                                           \
				expected = from + 1;                                                          \
			walk_element(walk, &now->list[i],                                                     \
				     from < old->list_count ? &old->list[from]                                \
				     : i		    ? &now->list[i - 1]                               \
							    : &nothing);                                                         \
		}                                                                                             \
	}

DEFINE_WALK_LIST(walk_sites, struct pw_record_site, sites, site_count, PW_RECORD_SITES_MAX, walk_site, same_site)
DEFINE_WALK_LIST(walk_drops, struct pw_record_drop, drops, drop_count, PW_RECORD_DROPS_MAX, walk_drop, same_drop)
DEFINE_WALK_LIST(walk_statements, struct pw_record_statement, statements, statement_count, PW_RECORD_STATEMENTS_MAX,
		 walk_statement, same_statement)
DEFINE_WALK_LIST(walk_counts, struct pw_record_event_count, events.counts, events.count, PW_RECORD_COUNTS_MAX,
		 walk_count, same_count)
DEFINE_WALK_LIST(walk_reasons, struct pw_record_reason_count, reasons, reason_count, PW_RECORD_REASONS_MAX, walk_reason,
		 same_reason)
DEFINE_WALK_LIST(walk_groups, struct pw_record_group, census.groups, census.group_count, PW_RECORD_GROUPS_MAX,
		 walk_group, same_group)
DEFINE_WALK_LIST(walk_ages, struct pw_record_age, census.ages, census.age_count, PW_RECORD_AGES_MAX, walk_age, same_age)
DEFINE_WALK_LIST(walk_rows, struct pw_record_row, census.rows, census.row_count, PW_RECORD_ROWS_MAX, walk_row, same_row)
DEFINE_WALK_LIST(walk_frames, struct pw_record_frame, frames, frame_count, PW_RECORD_FRAMES_MAX, walk_frame, same_frame)
DEFINE_WALK_LIST(walk_stacks, struct pw_record_stack, stacks, stack_count, PW_RECORD_STACKS_MAX, walk_stack, same_stack)

/* How many strings at the beginning are the same in both. */
static size_t shared_strings(const struct pw_record *now, const struct pw_record *old)
{
	size_t same = 0;

	while (same < now->string_count && same < old->string_count &&
	       strcmp(now->strings[same], old->strings[same]) == 0)
		same++;
	return same;
}

static void encode_strings(struct walk *walk, const struct pw_record *now, const struct pw_record *old)
{
	size_t same = shared_strings(now, old);

	walk_value(walk, same, old->string_count, old->string_count);
	walk_value(walk, now->string_count - same, 0, PW_RECORD_STRINGS_MAX);
	if (same == now->string_count)
		return;
	flush_zeros(walk);
	for (size_t i = same; i < now->string_count; i++) {
		size_t size = strlen(now->strings[i]);

		pw_buf_uvarint(walk->out, size);
		pw_buf_append(walk->out, now->strings[i], size);
	}
}

static int decode_strings(struct walk *walk, struct pw_record *draft, const struct pw_record *old, struct pw_buf *text)
{
	size_t same = (size_t)walk_value(walk, 0, old->string_count, old->string_count);
	size_t added = (size_t)walk_value(walk, 0, 0, PW_RECORD_STRINGS_MAX), offset = 0;

	if (walk->failed || (added && walk->zeros) || same + added > PW_RECORD_STRINGS_MAX || same + added == 0)
		return -EBADMSG;
	for (size_t i = 0; i < same; i++)
		pw_buf_append(text, old->strings[i], strlen(old->strings[i]) + 1);
	for (size_t i = 0; i < added; i++) {
		uint64_t size = pw_bytes_uvarint(walk->in);
		const uint8_t *bytes = size <= PW_INTERN_STRING_MAX ? pw_bytes_take(walk->in, size) : NULL;

		if ((!bytes && size) || !pw_bytes_ok(walk->in) || (size && memchr(bytes, 0, size)))
			return -EBADMSG;
		if (size)
			pw_buf_append(text, bytes, size);
		pw_buf_putc(text, 0);
	}
	if (pw_buf_error(text) < 0)
		return pw_buf_error(text) == -ENOMEM ? -ENOMEM : -EBADMSG;
	draft->strings = calloc(same + added, sizeof(char *));
	if (!draft->strings)
		return -ENOMEM;
	draft->string_count = same + added;
	for (size_t i = 0; i < draft->string_count; i++) {
		draft->strings[i] = text->data + offset;
		offset += strlen(draft->strings[i]) + 1;
	}
	return 0;
}

/* Everything but the strings, which come first because all else points into them. */
static void walk_record(struct walk *walk, struct pw_record *now, const struct pw_record *old)
{
	U64(sequence);
	U64(boot_ns);
	U64(wall_ns);
	U64(interval_ns);
	walk_identity(walk, &now->identity, &old->identity);
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++) {
		BOOL(abilities[i].ok);
		U32(abilities[i].reason);
	}
	walk_cost(walk, now, old);
	walk_events(walk, now, old);
	walk_numbers(walk, now, old);
	walk_section(walk, &now->sites_section, &old->sites_section);
	walk_section(walk, &now->drops_section, &old->drops_section);
	walk_sites(walk, now, old);
	walk_drops(walk, now, old);
	walk_statements(walk, now, old);
	walk_counts(walk, now, old);
	walk_reasons(walk, now, old);
	walk_frames(walk, now, old);
	walk_stacks(walk, now, old);
	walk_groups(walk, now, old);
	walk_ages(walk, now, old);
	walk_rows(walk, now, old);
}

static const struct pw_record *or_nothing(const struct pw_record *record)
{
	static const struct pw_record nothing;

	return record ? record : &nothing;
}

int pw_codec_encode(struct pw_buf *out, const struct pw_record *record, const struct pw_record *before)
{
	struct walk walk = {.encoding = true, .out = out};
	struct pw_record now = *record;

	before = or_nothing(before);
	encode_strings(&walk, &now, before);
	walk_record(&walk, &now, before);
	flush_zeros(&walk);
	return pw_buf_error(out);
}

static void draft_done(struct pw_record *draft)
{
	free(draft->sites);
	free(draft->drops);
	free(draft->statements);
	free(draft->events.counts);
	free(draft->reasons);
	free(draft->frames);
	free(draft->stacks);
	free(draft->census.groups);
	free(draft->census.ages);
	free(draft->census.rows);
	free(draft->strings);
}

int pw_codec_decode(struct pw_record **ret_record, struct pw_bytes *in, const struct pw_record *before,
		    struct pw_why *reterr_why)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_RECORD_TEXT_MAX + PW_RECORD_STRINGS_MAX);
	_cleanup_(draft_done) struct pw_record draft = {};
	struct walk walk = {.in = in};
	int r;

	before = or_nothing(before);
	r = decode_strings(&walk, &draft, before, &text);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pw_why_set(reterr_why, r, "the strings of a record cannot be read");
	walk_record(&walk, &draft, before);
	if (walk.no_memory)
		return -ENOMEM;
	if (walk.failed || walk.zeros || !pw_bytes_ok(in))
		return pw_why_set(reterr_why, -EBADMSG, "a record ends too early or holds a number out of range");
	r = pw_record_check(&draft, reterr_why);
	if (r < 0)
		return r;
	return pw_record_copy(ret_record, &draft);
}
