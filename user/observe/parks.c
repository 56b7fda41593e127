/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/parks.h"

#include <string.h>

#include "base/macros.h"
#include "base/time.h"
#include "observe/parks_state.h"
#include "observe/statements.h"

/*
 * Goroutines of one stack share its pcs in a look (target/stacks.h), so a stack is told by where its pcs begin. Which
 * groups are shown with their stack is decided when all are counted; the others go into the group of the same go
 * statement, status and wait reason that has none, so that sums by go statement are right whatever is left out.
 */
#define CHUNK	   1024U  /* goroutines between two looks at the clock */
#define GROUPS_MAX 4096U  /* with a stack; what is beyond goes to those without */
#define PARKS_MAX  16640U /* PW_RECORD_PARKS_MAX */
#define USUAL_OVER 8U	  /* the usual count of a group follows the count by one part in so many */

static void forget_frames(struct pw_park_group *group)
{
	free(group->frames);
	group->frames = NULL;
	group->frame_count = 0;
}

int pw_parks_new(struct pw_parks **ret_parks)
{
	struct pw_parks *parks = calloc(1, sizeof(*parks));

	if (!parks)
		return -ENOMEM;
	parks->groups.max = PARKS_MAX;
	parks->by_key = (struct pw_table)PW_TABLE_INIT(PARKS_MAX, NULL);
	*ret_parks = parks;
	return 0;
}

void pw_parks_free(struct pw_parks *parks)
{
	if (!parks)
		return;
	for (size_t i = 0; i < parks->groups.count; i++) {
		pw_age_steps_done(&parks->groups.items[i]->ages);
		pw_age_steps_done(&parks->groups.items[i]->births);
		forget_frames(parks->groups.items[i]);
		free(parks->groups.items[i]);
	}
	pw_vec_done(&parks->groups);
	pw_vec_done(&parks->rows);
	pw_vec_done(&parks->pcs);
	pw_addr_map_done(&parks->pairs);
	pw_addr_map_done(&parks->objects);
	pw_locks_done(&parks->locks);
	pw_table_done(&parks->by_key);
	free(parks);
}

void pw_parks_begin(struct pw_parks *parks, const struct pw_snapshot_result *look, const struct pw_parks *previous,
		    uint32_t rows_max)
{
	pw_table_done(&parks->by_key);
	pw_addr_map_done(&parks->objects);
	pw_vec_reset(&parks->rows);
	pw_vec_reset(&parks->pcs);
	parks->previous = previous && previous->complete ? previous : NULL;
	parks->last_object = parks->previous ? previous->last_object : 0;
	parks->sizes = (struct pw_stack_sizes){};
	pw_locks_begin(&parks->locks, parks->previous ? &previous->locks : NULL);
	parks->used = parks->with_stack = parks->next = parks->unnamed = 0;
	parks->taken_ns = look->taken_ns;
	parks->monotonic_ns = look->taken_ns - PW_MIN(pw_boot_offset_ns(), look->taken_ns);
	parks->first = !look->previous_ns;
	parks->keep_rows = look->count <= rows_max;
	parks->complete = false;
	parks->sockets = NULL;
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

static struct pw_park_group *next_group(struct pw_parks *parks)
{
	struct pw_park_group *group;

	if (parks->used < parks->groups.count)
		return parks->groups.items[parks->used++];
	group = calloc(1, sizeof(*group));
	if (!group || pw_vec_push(&parks->groups, group) < 0) {
		free(group);
		return NULL;
	}
	parks->used++;
	return group;
}

static void reset_group(struct pw_park_group *group, const struct pw_park_key *key)
{
	struct pw_age_steps ages = group->ages, births = group->births;

	forget_frames(group);
	pw_age_steps_reset(&ages);
	pw_age_steps_reset(&births);
	*group = (struct pw_park_group){.key = *key,
					.stacks = key->pc_count > 0,
					.oldest_since_ns = UINT64_MAX,
					.wait_since_ns = UINT64_MAX,
					.lock = UINT32_MAX,
					.ages = ages,
					.births = births};
	group->into = group;
}

/* The group of a key, a new one if need be. NULL: no room. */
static struct pw_park_group *group_of(struct pw_parks *parks, const struct pw_park_key *key)
{
	struct pw_park_group *group = pw_table_peek(&parks->by_key, key, sizeof(*key)), *before;

	if (group)
		return group;
	if (key->pc_count && parks->with_stack >= GROUPS_MAX)
		return NULL;
	group = next_group(parks);
	if (!group)
		return NULL;
	if (pw_table_put(&parks->by_key, key, sizeof(*key), group) < 0) {
		parks->used--;
		return NULL;
	}
	parks->with_stack += key->pc_count > 0;
	reset_group(group, key);
	before = parks->previous ? pw_table_peek(&parks->previous->by_key, key, sizeof(*key)) : NULL;
	if (before)
		group->usual = before->usual + ((double)before->count - before->usual) / USUAL_OVER;
	return group;
}

static struct pw_park_key without_stack(const struct pw_park_key *key)
{
	return (struct pw_park_key){.statement = key->statement, .status = key->status, .reason = key->reason};
}

/* Waiting, or in a system call: has been so since a time, and not merely been seen so. */
static bool stands_still(uint8_t status)
{
	return pw_status_parked(status) || status == PW_GOROUTINE_SYSCALL;
}

static int add_age(struct pw_parks *parks, struct pw_park_group *group, const struct pw_snapshot_goroutine *g)
{
	uint64_t since_ns = g->parked_since_ns;

	if (!stands_still(g->status) || !since_ns)
		return 0;
	if (since_ns < group->oldest_since_ns) {
		group->oldest_since_ns = since_ns;
		group->oldest_at_least = g->parked_at_least;
	}
	return pw_age_steps_add(&group->ages, since_ns, parks->taken_ns);
}

/* As the census dates births (observe/digest.c). */
static int add_birth(struct pw_parks *parks, struct pw_park_group *group, const struct pw_snapshot_goroutine *g)
{
	uint64_t before_ns = g->born_before_ns;

	if (!g->born_after_ns) {
		group->count_initial++;
		return 0;
	}
	if (!before_ns || before_ns > parks->taken_ns)
		before_ns = parks->taken_ns; /* it was there when we looked */
	return pw_age_steps_add(&group->births, before_ns, parks->taken_ns);
}

/* What g waits on: counts its object in the group. -ENOMEM. */
static int add_wait(struct pw_parks *parks, struct pw_park_group *group, const struct pw_snapshot_goroutine *g)
{
	uint64_t since_ns = g->parked_since_ns ? g->parked_since_ns : parks->taken_ns, pair;
	size_t count = parks->pairs.count;

	if (g->wait.kind == PW_WAIT_NONE)
		return 0;
	pw_park_sockets_add(parks, &group->sockets, g);
	if (group->wait.kind == PW_WAIT_NONE ||
	    (g->wait.known && (!group->wait.known || since_ns < group->wait_since_ns))) {
		group->wait = g->wait;
		group->wait_since_ns = since_ns;
	}
	if (!g->wait.object)
		return 0;
	/* Two pairs of one value would be counted as one: not to be expected before 2^32 of them. */
	pair = (g->wait.object ^ (uintptr_t)group) * 0x9e3779b97f4a7c15ULL;
	pair ^= pair >> 32 ^ (uintptr_t)group << 20;
	if (pw_addr_map_add(&parks->pairs, pair | 1, 0) == UINT32_MAX)
		return -ENOMEM;
	group->objects += parks->pairs.count > count;
	return 0;
}

static void add_runs(const struct pw_parks *parks, struct pw_park_group *group, const struct pw_snapshot_goroutine *g)
{
	if (g->runs == UINT32_MAX) {
		group->arrived += !parks->first;
		return;
	}
	group->runs_known = true;
	group->runs += g->runs;
	group->never_ran += !g->runs;
}

/* The number of an object: that of the snapshot before if it was there, so that it means the same in all records. */
static uint32_t number_of(struct pw_parks *parks, uint64_t object)
{
	uint32_t number;

	if (!object)
		return 0;
	number = pw_addr_map_find(&parks->objects, object);
	if (number != UINT32_MAX)
		return number;
	number = parks->previous ? pw_addr_map_find(&parks->previous->objects, object) : UINT32_MAX;
	if (number == UINT32_MAX)
		number = ++parks->last_object;
	number = pw_addr_map_add(&parks->objects, object, number);
	return number == UINT32_MAX ? 0 : number;
}

static int add_row(struct pw_parks *parks, struct pw_park_group *group, const struct pw_snapshot_goroutine *g)
{
	struct pw_park_row row = {
		.shown = {.goid = g->goid,
			  .runs = g->runs,
			  .object = number_of(parks, g->wait.object),
			  .owner_goid = g->wait.kind == PW_WAIT_SEMAPHORE ? g->wait.owner_goid : 0,
			  .parked_since_ns = stands_still(g->status) ? g->parked_since_ns : 0,
			  .born_after_ns = g->born_after_ns,
			  .born_before_ns = g->born_before_ns},
		.group = group,
	};

	return pw_vec_push(&parks->rows, row);
}

static struct pw_park_key key_of(const struct pw_parks *parks, struct pw_statements *statements,
				 const struct pw_snapshot_goroutine *g)
{
	return (struct pw_park_key){
		.statement = pw_statements_find(statements, g->gopc, parks->taken_ns),
		.first_pc = g->pc_count ? g->first_pc : 0,
		.pc_count = g->pc_count,
		.status = g->status,
		.reason = pw_status_parked(g->status) ? g->wait_reason : 0,
		.truncated = g->stack_truncated,
	};
}

struct pw_park_group *pw_parks_group_of(struct pw_parks *parks, struct pw_statements *statements,
					const struct pw_snapshot_goroutine *g)
{
	struct pw_park_key key = key_of(parks, statements, g);
	struct pw_park_group *group = pw_table_peek(&parks->by_key, &key, sizeof(key));

	key = without_stack(&key);
	return group ? group : pw_table_peek(&parks->by_key, &key, sizeof(key));
}

static int add_goroutine(struct pw_parks *parks, struct pw_statements *statements,
			 const struct pw_snapshot_result *look, size_t index)
{
	const struct pw_snapshot_goroutine *g = &look->goroutines[index];
	struct pw_park_key key = key_of(parks, statements, g);
	struct pw_park_group *group = group_of(parks, &key);
	int r;

	if (!group) {
		key = without_stack(&key);
		group = group_of(parks, &key);
	}
	if (!group)
		return -ENOMEM;
	group->count++;
	group->finalizes |= g->finalizes && !g->system;
	pw_stack_sizes_add(&parks->sizes, g, group);
	group->largest_stack_bytes = PW_MAX(group->largest_stack_bytes, g->stack_bytes);
	add_runs(parks, group, g);
	r = add_age(parks, group, g);
	if (!r)
		r = add_birth(parks, group, g);
	if (!r)
		r = add_wait(parks, group, g);
	if (!r)
		r = pw_locks_add(&parks->locks, g, (uint32_t)index, parks->previous ? parks->previous->taken_ns : 0);
	if (!r && parks->keep_rows)
		r = add_row(parks, group, g);
	return r;
}

/* --- which of them have their stack shown ------------------------------------------------------------------------- */

static int by_count(const void *a, const void *b)
{
	const struct pw_park_group *left = *(struct pw_park_group *const *)a,
				   *right = *(struct pw_park_group *const *)b;

	return (left->count < right->count) - (left->count > right->count);
}

static double growth_of(const struct pw_park_group *group)
{
	return (double)group->count - group->usual;
}

static int by_growth(const void *a, const void *b)
{
	const struct pw_park_group *left = *(struct pw_park_group *const *)a,
				   *right = *(struct pw_park_group *const *)b;

	return (growth_of(left) < growth_of(right)) - (growth_of(left) > growth_of(right));
}

static int by_place(const void *a, const void *b)
{
	const struct pw_park_key *x = &(*(struct pw_park_group *const *)a)->key,
				 *y = &(*(struct pw_park_group *const *)b)->key;

	if (x->statement != y->statement)
		return x->statement < y->statement ? -1 : 1;
	if (x->status != y->status)
		return x->status < y->status ? -1 : 1;
	if (x->reason != y->reason)
		return x->reason < y->reason ? -1 : 1;
	if (x->first_pc != y->first_pc)
		return x->first_pc < y->first_pc ? -1 : 1;
	return (x->pc_count > y->pc_count) - (x->pc_count < y->pc_count);
}

static void choose(struct pw_parks *parks)
{
	size_t most = 0, growing = 0, finalizing = 0;

	for (size_t i = 0; i < parks->used && finalizing < PW_PARKS_FINALIZERS; i++) {
		struct pw_park_group *group = parks->groups.items[i];

		group->shown = group->finalizes && group->key.pc_count;
		finalizing += group->shown;
	}
	for (size_t i = 0; i < parks->sizes.large_count; i++)
		parks->sizes.large[i].group->shown = parks->sizes.large[i].group->key.pc_count > 0;

	qsort(parks->groups.items, parks->used, sizeof(*parks->groups.items), by_count);
	for (size_t i = 0; i < parks->used && most < PW_PARKS_BY_COUNT; i++) {
		most += !parks->groups.items[i]->shown && parks->groups.items[i]->key.pc_count;
		parks->groups.items[i]->shown = parks->groups.items[i]->key.pc_count > 0;
	}
	qsort(parks->groups.items, parks->used, sizeof(*parks->groups.items), by_growth);
	for (size_t i = 0; i < parks->used && growing < PW_PARKS_BY_GROWTH; i++) {
		struct pw_park_group *group = parks->groups.items[i];

		if (growth_of(group) <= 0)
			break;
		growing += !group->shown && group->key.pc_count;
		group->shown = group->key.pc_count > 0;
	}
}

/* Adds all of a group that is not shown to the one without a stack. */
static int fold(struct pw_parks *parks, struct pw_park_group *group)
{
	struct pw_park_key key = without_stack(&group->key);
	struct pw_park_group *rest = group_of(parks, &key);

	if (!rest)
		return -ENOMEM;
	rest->count += group->count;
	rest->never_ran += group->never_ran;
	pw_park_sockets_merge(&rest->sockets, &group->sockets);
	rest->arrived += group->arrived;
	rest->runs += group->runs;
	rest->runs_known |= group->runs_known;
	rest->stacks += group->stacks;
	rest->objects += group->objects; /* one that two groups wait on is counted twice: at most so many */
	if (group->oldest_since_ns < rest->oldest_since_ns) {
		rest->oldest_since_ns = group->oldest_since_ns;
		rest->oldest_at_least = group->oldest_at_least;
	}
	if (rest->wait.kind == PW_WAIT_NONE || (group->wait.known && group->wait_since_ns < rest->wait_since_ns)) {
		rest->wait = group->wait;
		rest->wait_since_ns = group->wait_since_ns;
	}
	group->into = rest;
	rest->count_initial += group->count_initial;
	rest->largest_stack_bytes = PW_MAX(rest->largest_stack_bytes, group->largest_stack_bytes);
	return pw_age_steps_merge(&rest->ages, &group->ages) < 0 ? -ENOMEM
								 : pw_age_steps_merge(&rest->births, &group->births);
}

static int keep_pcs(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_park_group *group)
{
	size_t count = PW_MIN((size_t)group->key.pc_count, (size_t)PW_PARK_FRAMES_MAX);
	int r = pw_vec_reserve(&parks->pcs, count);

	if (r < 0)
		return r;
	group->first_own = parks->pcs.count;
	group->own_count = count;
	memcpy(parks->pcs.items + parks->pcs.count, look->pcs + group->key.first_pc, count * sizeof(*look->pcs));
	parks->pcs.count += count;
	parks->unnamed++;
	return 0;
}

static int complete(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements)
{
	size_t counted = parks->used;
	uint32_t position = 0;
	int r;

	pw_addr_map_done(&parks->pairs);
	choose(parks);
	r = pw_locks_choose(parks, look, statements);
	for (size_t i = 0; i < counted && !r; i++) {
		struct pw_park_group *group = parks->groups.items[i];

		if (group->shown)
			r = keep_pcs(parks, look, group);
		else if (group->key.pc_count)
			r = fold(parks, group);
	}
	if (r)
		return r;
	qsort(parks->groups.items, parks->used, sizeof(*parks->groups.items), by_place);
	for (size_t i = 0; i < parks->used; i++)
		if (parks->groups.items[i]->into == parks->groups.items[i])
			parks->groups.items[i]->position = position++;
	parks->previous = NULL;
	parks->generation = 0;
	parks->complete = true;
	return 0;
}

int pw_parks_step(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements,
		  uint64_t budget_ns)
{
	uint64_t start_ns = pw_now_ns();

	if (parks->complete)
		return 0;
	do {
		size_t end = PW_MIN(parks->next + CHUNK, look->count);

		for (; parks->next < end; parks->next++) {
			int r = add_goroutine(parks, statements, look, parks->next);

			if (r < 0)
				return r;
		}
	} while (parks->next < look->count && pw_now_ns() - start_ns < budget_ns);
	return parks->next < look->count ? -EAGAIN : complete(parks, look, statements);
}
