/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/profile_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/vec.h"
#include "model/profile.h"
#include "model/record.h"
#include "observe/frames.h"
#include "observe/profile_names.h"
#include "observe/profile_wait.h"
#include "target/snapshot.h"
#include "target/symbolize.h"

/*
 * A key is what makes goroutines equal before anything has a name: status, reason, go statement, and the pcs of the
 * stack. Keys are kept in an open hash table; a goroutine costs one hash over its pcs and mostly one comparison.
 */
#define KEYS_MAX    (1U << 20) /* different stacks; a million goroutines that are all different */
#define NAME_MAX_   4096
#define STATUS_MAX_ _PW_GOROUTINE_STATUS_MAX

struct key {
	uint64_t hash, gopc, startpc;
	uint32_t first_pc, pc_count; /* into builder->pcs */
	uint8_t status, reason;
	uint8_t sync; /* enum pw_sync_class, once it has names */
	bool system, truncated, labels_differ;
	uint64_t seen; /* goroutines of all looks */
	uint64_t state_ns[STATUS_MAX_];
};

struct row {
	struct pw_snapshot_goroutine from;
	uint32_t key;
};

struct label { /* offsets into builder->text */
	size_t key, value;
};

struct pw_profile_builder {
	struct pw_profile_source source;
	PW_VEC(struct key) keys;
	PW_VEC(struct pw_snapshot_pc) pcs;
	PW_VEC(struct row) rows; /* of the last look; none with over */
	struct pw_wait cases[PW_WAIT_CASES_SHOWN];
	size_t case_count;
	PW_VEC(struct label) labels;
	PW_VEC(char) text;
	uint32_t *slots; /* index of a key + 1, 0 free */
	size_t slot_count;
	uint64_t looks, taken_ns, monotonic_ns, skipped, torn; /* of the last look */
	uint64_t skipped_by[_PW_SKIP_MAX];
	bool waits_cut, labels_cut;
};

int pw_profile_builder_new(struct pw_profile_builder **ret_builder, const struct pw_profile_source *source)
{
	struct pw_profile_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	builder->source = *source;
	builder->keys.max = KEYS_MAX;
	builder->pcs.max = builder->text.max = 1U << 28;
	*ret_builder = builder;
	return 0;
}

void pw_profile_builder_free(struct pw_profile_builder *builder)
{
	if (!builder)
		return;
	pw_vec_done(&builder->keys);
	pw_vec_done(&builder->pcs);
	pw_vec_done(&builder->rows);
	pw_vec_done(&builder->labels);
	pw_vec_done(&builder->text);
	free(builder->slots);
	free(builder);
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

/* A multiplication folded onto itself (wyhash's mixer): two rounds per pc suffice for addresses. */
static uint64_t mix(uint64_t hash, uint64_t value)
{
	__extension__ unsigned __int128 product = (unsigned __int128)(hash ^ value) * 0x9e3779b97f4a7c15ULL;

	return (uint64_t)product ^ (uint64_t)(product >> 64) ^ 0xa0761d6478bd642fULL;
}

static uint64_t hash_of(const struct key *key, const struct pw_snapshot_pc *pcs)
{
	uint64_t hash = mix(key->gopc, (uint64_t)key->status << 8 | key->reason);

	for (uint32_t i = 0; i < key->pc_count; i++)
		hash = mix(hash, pcs[i].pc << 1 | pcs[i].is_return);
	return hash;
}

static bool same_key(const struct pw_profile_builder *builder, const struct key *a, const struct key *key,
		     const struct pw_snapshot_pc *pcs)
{
	const struct pw_snapshot_pc *own = builder->pcs.items + a->first_pc;

	if (a->hash != key->hash || a->gopc != key->gopc || a->status != key->status || a->reason != key->reason ||
	    a->pc_count != key->pc_count || a->system != key->system || a->truncated != key->truncated)
		return false;
	for (uint32_t i = 0; i < key->pc_count; i++)
		if (own[i].pc != pcs[i].pc || own[i].is_return != pcs[i].is_return)
			return false;
	return true;
}

static int grow_slots(struct pw_profile_builder *builder)
{
	size_t count = builder->slot_count ? builder->slot_count * 2 : 1024;
	uint32_t *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < builder->keys.count; i++) {
		size_t at = builder->keys.items[i].hash & (count - 1);

		while (slots[at])
			at = (at + 1) & (count - 1);
		slots[at] = (uint32_t)i + 1;
	}
	free(builder->slots);
	builder->slots = slots;
	builder->slot_count = count;
	return 0;
}

static int add_key(struct pw_profile_builder *builder, struct key *key, const struct pw_snapshot_pc *pcs)
{
	int r = pw_vec_reserve(&builder->pcs, key->pc_count);

	if (!r)
		r = pw_vec_reserve(&builder->keys, 1);
	if (r)
		return r;
	key->first_pc = (uint32_t)builder->pcs.count;
	if (key->pc_count)
		memcpy(builder->pcs.items + builder->pcs.count, pcs, key->pc_count * sizeof(*pcs));
	builder->pcs.count += key->pc_count;
	builder->keys.items[builder->keys.count++] = *key;
	return 0;
}

/* The index of the key of a goroutine, which is added when new. */
static int find_key(struct pw_profile_builder *builder, const struct pw_snapshot_goroutine *g,
		    const struct pw_snapshot_pc *pcs, uint32_t *ret_index)
{
	struct key key = {
		.gopc = g->gopc,
		.startpc = g->startpc,
		.status = g->status,
		.reason = pw_status_parked(g->status) ? g->wait_reason : 0,
		.pc_count = g->pc_count,
		.system = g->system,
		.truncated = g->stack_truncated,
	};
	size_t at;
	int r;

	if (builder->keys.count * 2 >= builder->slot_count) {
		r = grow_slots(builder);
		if (r)
			return r;
	}
	key.hash = hash_of(&key, pcs);
	for (at = key.hash & (builder->slot_count - 1); builder->slots[at]; at = (at + 1) & (builder->slot_count - 1)) {
		*ret_index = builder->slots[at] - 1;
		if (same_key(builder, &builder->keys.items[*ret_index], &key, pcs))
			return 0;
	}
	r = add_key(builder, &key, pcs);
	if (r)
		return r;
	*ret_index = (uint32_t)builder->keys.count - 1;
	builder->slots[at] = (uint32_t)builder->keys.count;
	return 0;
}

/* --- looks ------------------------------------------------------------------------------------------------------- */

static int keep_text(struct pw_profile_builder *builder, const char *text, size_t *ret_at)
{
	size_t size = strnlen(text, NAME_MAX_ - 1);
	int r = pw_vec_reserve(&builder->text, size + 1);

	if (r)
		return r;
	*ret_at = builder->text.count;
	memcpy(builder->text.items + builder->text.count, text, size);
	builder->text.items[builder->text.count + size] = '\0';
	builder->text.count += size + 1;
	return 0;
}

static int keep_labels(struct pw_profile_builder *builder, const struct pw_snapshot_result *look, struct row *row)
{
	uint32_t first = (uint32_t)builder->labels.count;

	for (uint32_t i = 0; i < row->from.label_count; i++) {
		const struct pw_snapshot_label *label = &look->labels[row->from.first_label + i];
		struct label kept;
		int r = keep_text(builder, label->key, &kept.key);

		if (!r)
			r = keep_text(builder, label->value, &kept.value);
		if (!r)
			r = pw_vec_push(&builder->labels, kept);
		if (r)
			return r;
	}
	row->from.first_label = first;
	return 0;
}

static int take(struct pw_profile_builder *builder, const struct pw_snapshot_result *look,
		const struct pw_snapshot_goroutine *g, uint64_t weight_ns)
{
	struct row row = {.from = *g};
	struct key *key;
	int r;

	if (g->status >= STATUS_MAX_ || g->first_pc > look->pc_count || g->pc_count > look->pc_count - g->first_pc ||
	    g->first_label > look->label_count || g->label_count > look->label_count - g->first_label)
		return 0;
	r = find_key(builder, g, look->pcs + g->first_pc, &row.key);
	if (r)
		return r;
	key = &builder->keys.items[row.key];
	key->seen++;
	key->state_ns[g->status] += weight_ns;
	if (builder->source.over)
		return 0;
	r = keep_labels(builder, look, &row);
	return r ? r : pw_vec_push(&builder->rows, row);
}

int pw_profile_builder_look(struct pw_profile_builder *builder, const struct pw_snapshot_result *look,
			    uint64_t weight_ns)
{
	uint64_t monotonic_ns = pw_now_ns(); /* before pw_boot_ns, which must not be behind it */
	int r = 0;

	builder->looks++;
	builder->taken_ns = look->taken_ns;
	/* Deadlines of a pollDesc are on the runtime's clock, CLOCK_MONOTONIC, which stands still in suspend. */
	builder->monotonic_ns = look->taken_ns - PW_MIN(pw_boot_ns() - monotonic_ns, look->taken_ns);
	if (builder->source.frozen)
		builder->monotonic_ns = 0;
	builder->skipped = look->skipped;
	memcpy(builder->skipped_by, look->skipped_by, sizeof(builder->skipped_by));
	builder->waits_cut = look->waits_cut;
	builder->labels_cut = look->labels_cut;
	builder->torn = look->torn;
	builder->case_count = PW_MIN(look->case_count, ARRAY_SIZE(builder->cases));
	if (builder->case_count)
		memcpy(builder->cases, look->cases, builder->case_count * sizeof(builder->cases[0]));
	pw_vec_reset(&builder->rows);
	pw_vec_reset(&builder->labels);
	pw_vec_reset(&builder->text);
	for (size_t i = 0; i < look->count && !r; i++)
		r = take(builder, look, &look->goroutines[i], weight_ns);
	return r;
}

/* --- names ------------------------------------------------------------------------------------------------------- */

/* Asks for all names that are needed: 0 all there, -EAGAIN. */
static int ask_names(struct pw_profile_builder *builder, struct pw_symbolizer *symbolizer)
{
	const struct pw_located_frame *frames;
	bool missing = false;
	int r;

	r = pw_stack_ask(symbolizer, builder->pcs.items, builder->pcs.count);
	if (r < 0 && r != -EAGAIN)
		return r;
	missing |= r == -EAGAIN;
	pw_vec_foreach (&builder->keys, key) {
		r = key->gopc ? pw_name_frames(symbolizer, key->gopc, true, &frames) : 0;
		missing |= r == -EAGAIN;
		r = key->startpc ? pw_name_frames(symbolizer, key->startpc, false, &frames) : 0;
		missing |= r == -EAGAIN;
	}
	return missing ? -EAGAIN : 0;
}

static int add_frame(void *context, const struct pw_located_frame *from, const struct pw_snapshot_pc *pc, uint64_t addr)
{
	struct pw_profile *profile = context;
	struct pw_profile_frame *frame;

	if (!from)
		return pw_name_add_nameless(profile, addr);
	frame = pw_profile_add_frame(profile);
	if (!frame)
		return -ENOMEM;
	*frame = pw_name_frame(profile, from, addr);
	frame->exact = !pc->is_return;
	return 0;
}

static int add_frames(struct pw_profile_builder *builder, struct pw_symbolizer *symbolizer, struct pw_profile *profile,
		      const struct key *key, struct pw_profile_group *group)
{
	int r;

	group->first_frame = (uint32_t)profile->frame_count;
	r = pw_stack_frames(symbolizer, builder->pcs.items + key->first_pc, key->pc_count, add_frame, profile);
	group->frame_count = (uint32_t)profile->frame_count - group->first_frame;
	return r;
}

static uint32_t intern_reason(const struct pw_profile_builder *builder, struct pw_profile *profile, uint8_t code)
{
	char text[48];

	if (code < builder->source.reason_count && builder->source.reason_names[code][0])
		return pw_profile_intern(profile, builder->source.reason_names[code]);
	snprintf(text, sizeof(text), "wait reason %u", code);
	return pw_profile_intern(profile, text);
}

static int add_group(struct pw_profile_builder *builder, struct pw_symbolizer *symbolizer, struct pw_profile *profile,
		     const struct key *key)
{
	struct pw_profile_group *group = pw_profile_add_group(profile);
	const struct pw_located_frame *frames;
	int n;

	if (!group)
		return -ENOMEM;
	group->status = key->status;
	group->system = key->system;
	group->truncated = key->truncated;
	group->runs_per_second = -1;
	group->waiting_on.fd = -1;
	group->waiting_on.deadline_ns = INT64_MIN;
	if (pw_status_parked(key->status))
		group->wait_reason = intern_reason(builder, profile, key->reason);
	n = key->gopc ? pw_name_frames(symbolizer, key->gopc, true, &frames) : 0;
	/* The name of the physical function and the line of the innermost one, as the runtime prints it
	 * (src/runtime/traceback.go:printcreatedby1, go1.27). */
	if (n > 0 && strncmp(frames[n - 1].function, "runtime.", 8) != 0) {
		group->created_by = pw_name_frame(profile, &frames[0], key->gopc - 1);
		group->created_by.function = pw_name_function(profile, frames[n - 1].function);
	} else if (key->gopc)
		group->created_by.addr = key->gopc - 1;
	n = key->startpc ? pw_name_frames(symbolizer, key->startpc, false, &frames) : 0;
	if (n > 0)
		group->start_function = pw_name_function(profile, frames[n - 1].function);
	return add_frames(builder, symbolizer, profile, key, group);
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

struct object_number {
	uint64_t object;
	uint32_t row;
};

static int by_object(const void *a, const void *b)
{
	const struct object_number *left = a, *right = b;

	if (left->object != right->object)
		return left->object < right->object ? -1 : 1;
	return left->row < right->row ? -1 : left->row > right->row;
}

/* Live addresses become numbers, 1, 2, ... */
static int number_objects(struct pw_profile_builder *builder, struct pw_profile *profile)
{
	_cleanup_free_ struct object_number *numbers = calloc(builder->rows.count + 1, sizeof(*numbers));
	uint32_t next = 0;
	size_t count = 0;

	if (!numbers)
		return -ENOMEM;
	for (size_t i = 0; i < builder->rows.count; i++)
		if (builder->rows.items[i].from.wait.object)
			numbers[count++] = (struct object_number){builder->rows.items[i].from.wait.object, (uint32_t)i};
	qsort(numbers, count, sizeof(*numbers), by_object);
	for (size_t i = 0; i < count; i++) {
		if (!i || numbers[i].object != numbers[i - 1].object)
			next++;
		profile->goroutines[numbers[i].row].wait.object = next;
	}
	return 0;
}

static int by_label_key(const void *a, const void *b, void *context)
{
	const struct pw_profile_label *left = a, *right = b;
	const struct pw_profile *profile = context;

	return strcmp(pw_profile_string(profile, left->key), pw_profile_string(profile, right->key));
}

static int add_labels(const struct pw_profile_builder *builder, struct pw_profile *profile,
		      const struct pw_snapshot_goroutine *from, struct pw_profile_goroutine *to)
{
	to->first_label = (uint32_t)profile->label_count;
	for (uint32_t i = 0; i < from->label_count; i++) {
		const struct label *label = &builder->labels.items[from->first_label + i];
		struct pw_profile_label *added = pw_profile_add_label(profile);

		if (!added)
			return -ENOMEM;
		added->key = pw_profile_intern(profile, builder->text.items + label->key);
		added->value = pw_profile_intern(profile, builder->text.items + label->value);
	}
	to->label_count = from->label_count;
	if (to->label_count > 1)
		qsort_r(profile->labels + to->first_label, to->label_count, sizeof(*profile->labels), by_label_key,
			profile);
	return 0;
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return then && now > then ? now - then : 0;
}

static int add_rows(struct pw_profile_builder *builder, struct pw_profile *profile)
{
	for (size_t i = 0; i < builder->rows.count; i++) {
		const struct row *row = &builder->rows.items[i];
		const struct pw_snapshot_goroutine *from = &row->from;
		struct pw_profile_goroutine *to = pw_profile_add_goroutine(profile);
		int r;

		if (!to)
			return -ENOMEM;
		to->goid = from->goid;
		to->parent_goid = from->parent_goid;
		to->group = row->key;
		to->runs = from->runs;
		to->age_ns = since(from->born_before_ns, builder->taken_ns);
		to->age_at_least = from->born_after_ns == 0;
		if (pw_status_parked(from->status)) {
			to->parked_ns = since(from->parked_since_ns, builder->taken_ns);
			to->parked_at_least = from->parked_at_least;
		}
		to->locked_to_thread = from->locked_to_thread;
		to->wait = pw_profile_wait_of(profile, &from->wait, builder->keys.items[row->key].sync,
					      builder->monotonic_ns);
		r = add_labels(builder, profile, from, to);
		if (r)
			return r;
	}
	return number_objects(builder, profile);
}

static int add_cases(const struct pw_profile_builder *builder, struct pw_profile *profile)
{
	if (!builder->case_count)
		return 0;
	profile->cases = calloc(builder->case_count, sizeof(*profile->cases));
	if (!profile->cases)
		return -ENOMEM;
	for (size_t i = 0; i < builder->case_count; i++)
		profile->cases[profile->case_count++] =
			pw_profile_wait_of(profile, &builder->cases[i], PW_SYNC_NONE, builder->monotonic_ns);
	return 0;
}

/* --over: the mean number of goroutines (at least 1) and the time of each state. */
static void weigh(const struct pw_profile_builder *builder, struct pw_profile *profile)
{
	profile->total = 0;
	for (size_t i = 0; i < profile->group_count; i++) {
		const struct key *key = &builder->keys.items[i];
		struct pw_profile_group *group = &profile->groups[i];
		uint64_t mean = (key->seen + builder->looks / 2) / builder->looks;

		group->count = (uint32_t)PW_MIN(PW_MAX(mean, (uint64_t)1), (uint64_t)UINT32_MAX);
		group->waiting_ns = key->state_ns[PW_GOROUTINE_WAITING] + key->state_ns[PW_GOROUTINE_LEAKED];
		group->running_ns = key->state_ns[PW_GOROUTINE_RUNNING];
		group->runnable_ns = key->state_ns[PW_GOROUTINE_RUNNABLE] + key->state_ns[PW_GOROUTINE_PREEMPTED];
		group->syscall_ns = key->state_ns[PW_GOROUTINE_SYSCALL];
		profile->total += group->count;
	}
}

int pw_profile_builder_finish(struct pw_profile_builder *builder, struct pw_symbolizer *symbolizer,
			      struct pw_profile *profile)
{
	int r = symbolizer ? ask_names(builder, symbolizer) : 0;

	if (r)
		return r;
	for (size_t i = 0; i < builder->keys.count && !r; i++) {
		r = add_group(builder, symbolizer, profile, &builder->keys.items[i]);
		if (!r)
			builder->keys.items[i].sync =
				(uint8_t)pw_profile_sync_class(profile, &profile->groups[profile->group_count - 1]);
	}
	if (r)
		return r;
	profile->looks = builder->looks;
	profile->skipped = builder->skipped;
	profile->skipped_swapped = builder->skipped_by[PW_SKIP_SWAPPED];
	profile->skipped_time = builder->skipped_by[PW_SKIP_TIME];
	profile->skipped_memory = builder->skipped_by[PW_SKIP_MEMORY];
	profile->waits_cut = builder->waits_cut;
	profile->labels_cut = builder->labels_cut;
	profile->torn = builder->torn;
	if (builder->source.over) {
		if (builder->looks)
			weigh(builder, profile);
		return pw_profile_sort(profile);
	}
	r = add_rows(builder, profile);
	if (!r)
		r = add_cases(builder, profile);
	return r ? r : pw_profile_summarize(profile);
}
