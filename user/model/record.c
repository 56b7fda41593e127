/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/record.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/storage.h"

/*
 * A record and all it points to lie in one block: the reference count, the record, its arrays, the pointers to its
 * strings, their text. Nothing in it changes after it was made but the count, which is atomic because the HTTP thread
 * holds snapshots.
 */
struct storage {
	atomic_uint references;
	size_t bytes;
	struct pw_record record;
};

/* One array of the record: where its pointer and its count are. Strings are not among them. */
struct array {
	size_t pointer, count, element;
};

#define ARRAY(pointer_path, count_path)                                                           \
	{                                                                                         \
		offsetof(struct pw_record, pointer_path), offsetof(struct pw_record, count_path), \
			sizeof(*((struct pw_record *)0)->pointer_path)                            \
	}

static const struct array arrays[] = {
	ARRAY(sites, site_count),
	ARRAY(drops, drop_count),
	ARRAY(statements, statement_count),
	ARRAY(events.counts, events.count),
	ARRAY(census.groups, census.group_count),
	ARRAY(census.ages, census.age_count),
	ARRAY(snapshot.parks, snapshot.park_count),
	ARRAY(snapshot.ages, snapshot.age_count),
	ARRAY(snapshot.rows, snapshot.row_count),
	ARRAY(snapshot.locks, snapshot.lock_count),
	ARRAY(reasons, reason_count),
	ARRAY(runtime.buckets, runtime.bucket_count),
	ARRAY(gc.cycles, gc.cycle_count),
	ARRAY(frames, frame_count),
	ARRAY(stacks, stack_count),
};

static const char *const status_names[] = {"runnable", "running", "syscall", "waiting", "preempted", "leaked"};
_Static_assert(ARRAY_SIZE(status_names) == _PW_GOROUTINE_STATUS_MAX, "a word for each status");

const char *pw_status_name(enum pw_status_class status)
{
	return (unsigned int)status < _PW_GOROUTINE_STATUS_MAX ? status_names[status] : "unknown";
}

bool pw_status_parked(uint8_t status)
{
	return status == PW_GOROUTINE_WAITING || status == PW_GOROUTINE_LEAKED;
}

bool pw_record_histogram(const struct pw_record *record, enum pw_histogram histogram, uint64_t *ret_counts)
{
	if (!record->runtime.section.present || !record->runtime.scale[histogram])
		return false;
	memset(ret_counts, 0, PW_HISTOGRAM_BUCKETS_MAX * sizeof(*ret_counts));
	for (size_t i = 0; i < record->runtime.bucket_count; i++)
		if (record->runtime.buckets[i].histogram == histogram)
			ret_counts[record->runtime.buckets[i].bucket] = record->runtime.buckets[i].count;
	return true;
}

static size_t array_count(const struct pw_record *record, const struct array *array)
{
	size_t count;

	memcpy(&count, (const char *)record + array->count, sizeof(count));
	return count;
}

static size_t align8(size_t size)
{
	return (size + 7) & ~(size_t)7;
}

/* Copies the strings of the draft to the end of the block, pointers first. */
static void copy_strings(struct pw_record *record, const struct pw_record *draft, char *at)
{
	char *text = at + draft->string_count * sizeof(char *);

	record->strings = (const char **)(void *)at;
	for (size_t i = 0; i < draft->string_count; i++) {
		size_t size = strlen(draft->strings[i]) + 1;

		memcpy(text, draft->strings[i], size);
		record->strings[i] = text;
		text += size;
	}
}

int pw_record_copy(struct pw_record **ret_record, const struct pw_record *draft)
{
	size_t bytes = align8(sizeof(struct storage));
	struct storage *storage;
	char *at;

	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++)
		bytes += align8(array_count(draft, &arrays[i]) * arrays[i].element);
	bytes += draft->string_count * sizeof(char *);
	for (size_t i = 0; i < draft->string_count; i++)
		bytes += strlen(draft->strings[i]) + 1;

	storage = malloc(bytes);
	if (!storage)
		return -ENOMEM;
	atomic_init(&storage->references, 1);
	storage->bytes = bytes;
	memcpy(&storage->record, draft, sizeof(*draft));
	at = (char *)storage + align8(sizeof(*storage));
	for (size_t i = 0; i < ARRAY_SIZE(arrays); i++) {
		size_t size = array_count(draft, &arrays[i]) * arrays[i].element;
		void *from, *to = size ? at : NULL;

		memcpy(&from, (const char *)draft + arrays[i].pointer, sizeof(from));
		if (size)
			memcpy(to, from, size);
		memcpy((char *)&storage->record + arrays[i].pointer, &to, sizeof(to));
		at += align8(size);
	}
	copy_strings(&storage->record, draft, at);
	storage->record.storage = storage;
	*ret_record = &storage->record;
	return 0;
}

size_t pw_record_bytes(const struct pw_record *record)
{
	const struct storage *storage = record->storage;

	return storage->bytes;
}

struct pw_record *pw_record_ref(const struct pw_record *record)
{
	struct storage *storage = record->storage;

	atomic_fetch_add_explicit(&storage->references, 1, memory_order_relaxed);
	return &storage->record;
}

void pw_record_unref(struct pw_record *record)
{
	struct storage *storage;

	if (!record)
		return;
	storage = record->storage;
	if (atomic_fetch_sub_explicit(&storage->references, 1, memory_order_release) != 1)
		return;
	atomic_thread_fence(memory_order_acquire);
	free(storage);
}

const char *pw_record_string(const struct pw_record *record, pw_string string)
{
	return string < record->string_count ? record->strings[string] : "";
}

/* Steps are sorted, oldest first. */
static uint64_t older_than(const struct pw_record_age *ages, uint32_t first, uint32_t count, uint64_t taken_ns,
			   uint64_t age_ns)
{
	uint64_t total = 0;

	for (uint32_t i = first; i < first + count; i++) {
		if (ages[i].born_before_ns > taken_ns || taken_ns - ages[i].born_before_ns < age_ns)
			break;
		total += ages[i].count;
	}
	return total;
}

uint64_t pw_park_older_than(const struct pw_record *record, const struct pw_record_park *park, uint64_t age_ns,
			    bool with_initial)
{
	uint64_t total = older_than(record->snapshot.ages, park->first_birth, park->birth_count,
				    record->snapshot.section.taken_ns, age_ns);

	return with_initial ? total + park->count_initial : total;
}

uint64_t pw_group_older_than(const struct pw_record *record, const struct pw_record_group *group, uint64_t age_ns,
			     bool with_initial)
{
	uint64_t total = older_than(record->census.ages, group->first_age, group->age_count,
				    record->census.section.taken_ns, age_ns);

	if (with_initial && pw_group_oldest_age_ns(record, group) >= age_ns)
		total += group->count_initial;
	return total;
}

uint64_t pw_group_oldest_age_ns(const struct pw_record *record, const struct pw_record_group *group)
{
	uint64_t taken_ns = record->census.section.taken_ns;

	return group->oldest_born_before_ns < taken_ns ? taken_ns - group->oldest_born_before_ns : 0;
}

uint64_t pw_group_youngest_age_ns(const struct pw_record *record, const struct pw_record_group *group)
{
	uint64_t taken_ns = record->census.section.taken_ns;

	if (!group->youngest_born_after_ns)
		return PW_UNKNOWN;
	return group->youngest_born_after_ns < taken_ns ? taken_ns - group->youngest_born_after_ns : 0;
}

/* --- check ------------------------------------------------------------------------------------------------------- */

static bool range_ok(uint32_t first, uint32_t count, size_t limit)
{
	return first <= limit && count <= limit - first;
}

static bool sampled_ok(const struct pw_record_sampled *sampled)
{
	return sampled->counting < _PW_COUNTING_MAX && isfinite(sampled->square) && isfinite(sampled->linear);
}

const char *pw_counting_name(uint8_t counting)
{
	static const char *const names[] = {
		[PW_COUNTING_OFF] = "off", [PW_COUNTING_CONTINUOUS] = "continuous", [PW_COUNTING_WINDOWS] = "windows"};

	_Static_assert(ARRAY_SIZE(names) == _PW_COUNTING_MAX, "a name for each");
	return counting < ARRAY_SIZE(names) ? names[counting] : "";
}

double pw_sampled_bound(const struct pw_record_sampled *now, const struct pw_record_sampled *before)
{
	double square = now->square - (before ? before->square : 0),
	       linear = now->linear - (before ? before->linear : 0);

	return sqrt(PW_MAX(square, 0.0)) + PW_MAX(linear, 0.0);
}

static bool identity_ok(const struct pw_record *record)
{
	const struct pw_record_identity *id = &record->identity;
	const pw_string strings[] = {id->service,
				     id->process,
				     id->exe,
				     id->unit,
				     id->container,
				     id->pod,
				     id->build_id,
				     id->go_version,
				     id->main_path,
				     id->module,
				     id->module_version,
				     id->revision,
				     id->state,
				     record->cost.governor_state,
				     record->memory.max_path,
				     record->memory.high_path,
				     record->holdings.pids_path};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (strings[i] >= record->string_count)
			return false;
	for (size_t i = 0; i < _PW_ABILITY_MAX; i++)
		if (record->abilities[i].reason >= record->string_count)
			return false;
	if (record->heap.site_count > PW_RECORD_HEAP_SITES_MAX)
		return false;
	for (size_t i = 0; i < record->heap.site_count; i++)
		if (record->heap.site[i].function >= record->string_count ||
		    record->heap.site[i].file >= record->string_count)
			return false;
	return isfinite(record->cost.cpu_percent) && isfinite(record->cost.budget_percent) &&
	       isfinite(record->cost.snapshot_percent) && sampled_ok(&record->events.spawn) &&
	       sampled_ok(&record->events.exit) && sampled_ok(&record->events.park);
}

static bool lists_ok(const struct pw_record *record)
{
	size_t strings = record->string_count;

	for (size_t i = 0; i < record->site_count; i++) {
		const struct pw_record_site *site = &record->sites[i];

		if (site->event >= strings || site->function >= strings || site->instruction >= strings ||
		    site->note >= strings)
			return false;
	}
	for (size_t i = 0; i < record->drop_count; i++)
		if (record->drops[i].name >= strings)
			return false;
	for (size_t i = 0; i < record->statement_count; i++)
		if (record->statements[i].function >= strings || record->statements[i].file >= strings)
			return false;
	for (size_t i = 0; i < record->reason_count; i++)
		if (record->reasons[i].reason >= strings)
			return false;
	for (size_t i = 0; i < record->frame_count; i++)
		if (record->frames[i].function >= strings || record->frames[i].file >= strings)
			return false;
	for (size_t i = 0; i < record->stack_count; i++)
		if (!range_ok(record->stacks[i].first, record->stacks[i].count, record->frame_count))
			return false;
	return true;
}

/* Cycles follow each other, and their phases too: who reads them subtracts. */
static bool cycles_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < record->gc.cycle_count; i++) {
		const struct pw_record_gc_cycle *cycle = &record->gc.cycles[i];

		if (cycle->mark_ns < cycle->start_ns || cycle->mark_termination_ns < cycle->mark_ns ||
		    cycle->end_ns < cycle->mark_termination_ns || !isfinite(cycle->cpu_fraction) ||
		    cycle->cpu_fraction < 0 || cycle->cpu_fraction > 1 || (i && cycle->number <= cycle[-1].number))
			return false;
	}
	return isfinite(record->gc.sums.assist_share);
}

static bool counts_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < record->events.count; i++) {
		const struct pw_record_event_count *count = &record->events.counts[i];

		if (count->statement >= record->statement_count ||
		    !range_ok(count->first_reason, count->reason_count, record->reason_count) ||
		    (count->creation_stack != UINT32_MAX && count->creation_stack >= record->stack_count))
			return false;
	}
	return true;
}

static bool census_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < record->census.group_count; i++) {
		const struct pw_record_group *group = &record->census.groups[i];

		if (group->statement >= record->statement_count || group->status >= _PW_GOROUTINE_STATUS_MAX ||
		    group->reason >= record->string_count ||
		    !range_ok(group->first_age, group->age_count, record->census.age_count))
			return false;
	}
	return true;
}

static bool runtime_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < _PW_HISTOGRAM_MAX; i++)
		if (record->runtime.scale[i] >= _PW_SCALE_MAX)
			return false;
	for (size_t i = 0; i < record->runtime.bucket_count; i++) {
		const struct pw_record_bucket *bucket = &record->runtime.buckets[i];

		if (bucket->histogram >= _PW_HISTOGRAM_MAX ||
		    bucket->bucket >= pw_scale_buckets(record->runtime.scale[bucket->histogram]))
			return false;
	}
	return !isinf(record->runtime.numbers.gc_cpu_fraction);
}

static bool locks_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < record->snapshot.lock_count; i++) {
		const struct pw_record_lock *lock = &record->snapshot.locks[i];

		if (lock->park >= record->snapshot.park_count || lock->type >= record->string_count ||
		    (lock->owner_park != UINT32_MAX && lock->owner_park >= record->snapshot.park_count))
			return false;
	}
	if (record->snapshot.large_count > PW_RECORD_LARGE_STACKS_MAX)
		return false;
	for (uint32_t i = 0; i < record->snapshot.large_count; i++)
		if (record->snapshot.large[i].park >= record->snapshot.park_count)
			return false;
	return record->snapshot.locks_seen < _PW_LOCKS_MAX;
}

static bool snapshot_ok(const struct pw_record *record)
{
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if (park->statement >= record->statement_count || park->status >= _PW_GOROUTINE_STATUS_MAX ||
		    park->reason >= record->string_count || park->wait.kind >= record->string_count ||
		    park->wait.sync >= record->string_count ||
		    (park->stack != UINT32_MAX && park->stack >= record->stack_count) ||
		    !range_ok(park->first_age, park->age_count, record->snapshot.age_count) ||
		    !range_ok(park->first_birth, park->birth_count, record->snapshot.age_count))
			return false;
	}
	for (size_t i = 0; i < record->snapshot.row_count; i++)
		if (record->snapshot.rows[i].park >= record->snapshot.park_count)
			return false;
	return locks_ok(record);
}

int pw_record_check(const struct pw_record *record, struct pw_why *reterr_why)
{
	if (!record->string_count || record->strings[0][0])
		return pw_why_set(reterr_why, -EBADMSG, "the string table of a record does not begin with \"\"");
	if (!identity_ok(record))
		return pw_why_set(reterr_why, -EBADMSG, "the identity of a record points outside of its strings");
	if (!cycles_ok(record))
		return pw_why_set(reterr_why, -EBADMSG, "the GC cycles of a record are in no order");
	if (!lists_ok(record) || !counts_ok(record) || !census_ok(record) || !snapshot_ok(record) ||
	    !runtime_ok(record))
		return pw_why_set(reterr_why, -EBADMSG, "an index in a record points outside of its table");
	return 0;
}
