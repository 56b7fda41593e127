/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * What we read of real Go programs against what they say of themselves, for every Go version and flavour that is built:
 * nothing less than equal. Needs root, or CAP_SYS_PTRACE, and scripts/targets --default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/goroutines.h"
#include "target/symbolize.h"
#include "target/target.h"

static struct pw_procfs procfs = PW_PROCFS_INIT;
static struct pw_reader *reader;

static struct pw_target *open_target(const struct go_target *go)
{
	struct pw_target *target;
	struct pw_why why = {};
	int r = pw_target_open(&target, go->pid, &procfs, reader, &why);

	if (r)
		fail_msg("%s: %s", go->path, pw_why_text(&why, r));
	if (!target->memory_ok || !target->symbols_ok)
		fail_msg("%s: memory '%s', symbols '%s'", go->path, target->memory_reason, target->symbols_reason);
	return target;
}

static const struct pw_census_result *walk(struct pw_census *census, struct pw_target *target)
{
	int r = pw_census_begin(census, target);

	while (!r && (r = pw_census_step(census, 100000)) == -EAGAIN)
		r = 0;
	assert_int_equal(r, 0);
	return pw_census_result(census);
}

/* Calls check once for each program of that behaviour; fails if there is none. */
static void for_each(const char *behaviour, void (*check)(struct go_target *go, struct pw_target *target))
{
	size_t seen = 0;

	if (geteuid() != 0)
		skip();
	for (size_t v = 0; go_target_versions[v]; v++) {
		for (size_t f = 0; go_target_flavours[f]; f++) {
			struct go_target go;
			struct pw_target *target;

			if (!go_target_start(&go, behaviour, go_target_versions[v], go_target_flavours[f]))
				continue;
			target = open_target(&go);
			check(&go, target);
			pw_target_free(target);
			go_target_stop(&go);
			seen++;
		}
	}
	if (!seen)
		fail_msg("no program '%s': run scripts/targets --default", behaviour);
}

static size_t user_count(const struct pw_census_result *result)
{
	size_t count = 0;

	for (size_t i = 0; i < result->count; i++)
		count += !result->goroutines[i].system;
	return count;
}

/* ---- groups by go statement and reason, as the program's own stack dump has them ---- */

struct group {
	char reason[64], file[256];
	uint32_t line;
	size_t count;
};

static void add(struct group *groups, size_t *count, const char *reason, const char *file, uint32_t line, size_t n)
{
	for (size_t i = 0; i < *count; i++) {
		if (groups[i].line == line && !strcmp(groups[i].reason, reason) && !strcmp(groups[i].file, file)) {
			groups[i].count += n;
			return;
		}
	}
	assert_in_range(*count, 0, 99);
	snprintf(groups[*count].reason, sizeof(groups[0].reason), "%s", reason);
	snprintf(groups[*count].file, sizeof(groups[0].file), "%s", file);
	groups[*count].line = line;
	groups[(*count)++].count = n;
}

static void text_of(const char *from, const char *key, char *out, size_t size)
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":\"", key);
	at = strstr(from, pattern);
	assert_non_null(at);
	at += strlen(pattern);
	snprintf(out, size, "%.*s", (int)strcspn(at, "\""), at);
}

/* {"groups":[{"reason":..,"function":..,"file":..,"line":..,"count":..},...]} without the main goroutine, which has no
 * creator in the dump and runs while it is made */
static size_t parse_groups(const char *answer, struct group *groups)
{
	size_t count = 0;

	for (const char *at = strstr(answer, "{\"reason\""); at; at = strstr(at + 1, "{\"reason\"")) {
		char reason[64], file[256];

		text_of(at, "reason", reason, sizeof(reason));
		text_of(at, "file", file, sizeof(file));
		if (file[0])
			add(groups, &count, reason, file, (uint32_t)go_target_number(at, "line"),
			    (size_t)go_target_number(at, "count"));
	}
	return count;
}

static const char *reason_of(const struct pw_target *target, const struct pw_goroutine *g)
{
	if (g->status == PW_GOROUTINE_WAITING)
		return target->build->facts.wait_reasons.name[g->wait_reason];
	return g->status == PW_GOROUTINE_SYSCALL    ? "syscall"
	       : g->status == PW_GOROUTINE_RUNNABLE ? "runnable"
						    : "running";
}

static size_t our_groups(struct pw_target *target, const struct pw_census_result *result, struct group *groups)
{
	size_t count = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < result->count; i++) {
			const struct pw_goroutine *g = &result->goroutines[i];
			const struct pw_located_frame *frames;
			int n;

			if (g->system || g->goid == 1)
				continue;
			n = pw_symbolize(target->symbolizer, g->gopc - target->bias, true, &frames);
			if (!pass)
				continue; /* asking is enough */
			assert_true(n > 0);
			add(groups, &count, reason_of(target, g), frames[0].file, frames[0].line, 1);
		}
		assert_int_equal(pw_symbolizer_settle(target->symbolizer), 0);
	}
	return count;
}

static void check_waits(struct go_target *go, struct pw_target *target)
{
	static struct group theirs[100], ours[100];
	struct pw_census *census;
	const struct pw_census_result *result;
	size_t their_count, our_count;
	long long own = go_target_number(go_target_ask(go, "stats"), "goroutines");

	their_count = parse_groups(go_target_ask(go, "groups"), theirs);
	assert_int_equal(pw_census_new(&census), 0);
	result = walk(census, target);
	if (result->num_goroutine != (uint64_t)own || user_count(result) != (size_t)own || result->torn ||
	    result->skipped)
		fail_msg("%s: %lld goroutines; we say %llu, and have read %zu", go->path, own,
			 (unsigned long long)result->num_goroutine, user_count(result));
	our_count = our_groups(target, result, ours);
	assert_true(their_count > 20);
	for (size_t i = 0; i < their_count; i++) {
		size_t k = 0;

		while (k < our_count &&
		       (ours[k].line != theirs[i].line || strcmp(ours[k].reason, theirs[i].reason) != 0 ||
			strcmp(ours[k].file, theirs[i].file) != 0))
			k++;
		if (k == our_count || ours[k].count != theirs[i].count)
			fail_msg("%s: %zu goroutines from %s:%u wait for '%s'; we say %zu", go->path, theirs[i].count,
				 theirs[i].file, theirs[i].line, theirs[i].reason, k < our_count ? ours[k].count : 0);
	}
	assert_int_equal(our_count, their_count);
	pw_census_free(census);
}

static void counts_places_and_reasons_equal_the_programs_own(void **state)
{
	(void)state;
	for_each("waits", check_waits);
}

static uint64_t spawn_total(struct pw_target *target)
{
	int r = -EAGAIN;

	for (int attempt = 0; attempt < 100 && r == -EAGAIN; attempt++)
		r = pw_births_poll(target->births, target, pw_boot_ns());
	assert_int_equal(r, 0);
	return pw_births_total(target->births);
}

/* "totals":{"exited":..,"parked":..,"spawned":N} */
static long long spawned_of(const char *answer)
{
	const char *totals = strstr(answer, "\"totals\":");

	assert_non_null(totals);
	return go_target_number(totals, "spawned");
}

static void check_spawns(struct go_target *go, struct pw_target *target)
{
	long long own_before, own_after;
	uint64_t before, after;

	own_before = spawned_of(go_target_ask(go, "run 50")); /* the GC's workers exist from now on */
	before = spawn_total(target);
	own_after = spawned_of(go_target_ask(go, "run 200"));
	after = spawn_total(target);
	if (after - before != (uint64_t)(own_after - own_before))
		fail_msg("%s: %lld go statements ran, we say %llu", go->path, own_after - own_before,
			 (unsigned long long)(after - before));
}

static void spawn_totals_by_goid_are_exact(void **state)
{
	(void)state;
	for_each("counts", check_spawns);
}

static void check_births(struct go_target *go, struct pw_target *target)
{
	struct pw_census *census;
	const struct pw_census_result *result;
	uint64_t before, after, low, high;
	size_t young = 0;

	before = pw_boot_ns();
	spawn_total(target);
	go_target_ask(go, "leak 300");
	after = pw_boot_ns();
	spawn_total(target);
	assert_int_equal(pw_census_new(&census), 0);
	result = walk(census, target);
	for (size_t i = 0; i < result->count; i++) {
		pw_births_bounds(target->births, result->goroutines[i].goid, &low, &high);
		if (!low)
			continue;
		young++;
		assert_true(low >= before && low <= after);
		assert_true(high >= low && high <= pw_boot_ns());
	}
	if (young < 300 || young > 305) /* the runtime may start a few of its own */
		fail_msg("%s: 300 goroutines were born since, we say %zu", go->path, young);
	pw_census_free(census);
}

static void goroutines_are_born_when_they_were(void **state)
{
	(void)state;
	for_each("counts", check_births);
}

/* Census upon census while a program starts, parks and ends goroutines as fast as it can. */
static void check_under_load(struct go_target *go, struct pw_target *target)
{
	struct pw_census *census;
	uint64_t end = pw_now_ns() + 300 * PW_NS_PER_MS;
	size_t walks = 0;

	assert_int_equal(pw_census_new(&census), 0);
	assert_true(dprintf(go->input, "run 2000\n") > 0);
	while (pw_now_ns() < end) {
		const struct pw_census_result *result = walk(census, target);

		walks++;
		assert_true(result->count >= 1);
		if (result->torn > 16 + result->allglen / 100)
			fail_msg("%s: %llu of %llu torn", go->path, (unsigned long long)result->torn,
				 (unsigned long long)result->allglen);
		for (size_t i = 0; i < result->count; i++)
			assert_true(result->goroutines[i].goid < (1 << 24));
	}
	assert_true(walks > 5);
	pw_census_free(census);
}

static void a_busy_program_is_read_without_garbage(void **state)
{
	(void)state;
	for_each("counts", check_under_load);
}

static void check_gone(struct go_target *go, struct pw_target *target)
{
	struct pw_census *census;
	int r;

	assert_int_equal(pw_census_new(&census), 0);
	assert_int_equal(pw_target_check_sites(target, NULL), 0);
	kill(go->pid, SIGKILL);
	waitpid(go->pid, NULL, 0);
	r = pw_census_begin(census, target);
	assert_int_equal(r, -ESRCH);
	assert_int_equal(pw_target_validate(target, &procfs), -ESRCH);
	assert_int_equal(pw_births_poll(target->births, target, pw_boot_ns()), -ESRCH);
	assert_int_equal(pw_target_check_sites(target, NULL), -ESRCH);
	pw_census_free(census);
}

static void a_process_that_ended_is_gone_for_everybody(void **state)
{
	(void)state;
	for_each("idle", check_gone);
}

/* What if we were wrong about this Go version? Each needed field moved, and each global: closed, with a sentence. */
static void check_wrong_layouts(struct go_target *go, struct pw_target *target)
{
	static const enum pw_field fields[] = {PW_FIELD_G_ATOMICSTATUS, PW_FIELD_G_GOID,     PW_FIELD_G_SCHED_SP,
					       PW_FIELD_G_SCHED_PC,	PW_FIELD_G_GOPC,     PW_FIELD_G_STARTPC,
					       PW_FIELD_G_STACK_LO,	PW_FIELD_G_STACK_HI, PW_FIELD_G_WAITREASON};
	static const enum pw_global globals[] = {PW_GLOBAL_ALLGLEN, PW_GLOBAL_ALLGPTR};
	struct pw_build_facts *facts = &target->build->facts, right = *facts;

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		facts->layout.offset[fields[i]] += 8;
		assert_int_equal(pw_target_validate(target, &procfs), 0);
		if (target->memory_ok)
			fail_msg("%s: %s moved, and nothing noticed", go->path, pw_field_name(fields[i]));
		assert_true(strlen(target->memory_reason) > 20);
		assert_int_equal(target->state, PW_TARGET_DEGRADED);
		*facts = right;
	}
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++) {
		facts->globals.addr[globals[i]] += 64;
		assert_int_equal(pw_target_validate(target, &procfs), 0);
		if (target->memory_ok)
			fail_msg("%s: %s moved, and nothing noticed", go->path, pw_global_name(globals[i]));
		*facts = right;
	}
	facts->text += 4096; /* another file than the one that runs */
	assert_int_equal(pw_target_validate(target, &procfs), 0);
	assert_false(target->memory_ok);
	*facts = right;
	assert_int_equal(pw_target_validate(target, &procfs), 0);
	assert_true(target->memory_ok);
}

static void a_wrong_layout_is_never_believed(void **state)
{
	(void)state;
	for_each("waits", check_wrong_layouts);
}

static int set_up(void **state)
{
	(void)state;
	pw_log_set_level(PW_LOG_ERR);
	return pw_procfs_open(&procfs, "/proc") || pw_reader_start(&reader) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	pw_reader_free(reader);
	pw_procfs_done(&procfs);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_places_and_reasons_equal_the_programs_own),
		cmocka_unit_test(spawn_totals_by_goid_are_exact),
		cmocka_unit_test(goroutines_are_born_when_they_were),
		cmocka_unit_test(a_busy_program_is_read_without_garbage),
		cmocka_unit_test(a_process_that_ended_is_gone_for_everybody),
		cmocka_unit_test(a_wrong_layout_is_never_believed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
