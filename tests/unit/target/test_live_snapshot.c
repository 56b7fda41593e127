/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Stacks and wait objects as we read them of real Go programs, against the dump that the program's own runtime makes:
 * goroutine by goroutine, frame by frame. Needs root, or CAP_SYS_PTRACE, and scripts/targets --default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/procfs.h"
#include "base/time.h"
#include "base/why.h"
#include "model/record.h"
#include "reader/reader.h"
#include "support/go_target.h"
#include "target/snapshot.h"
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

static struct pw_snapshot *new_snapshot(struct pw_target *target)
{
	struct pw_snapshot_options options = {.labels = true, .waits = true};
	struct pw_snapshot *snapshot;

	assert_int_equal(pw_snapshot_new(&snapshot, target, &options), 0);
	return snapshot;
}

static const struct pw_snapshot_result *look(struct pw_snapshot *snapshot)
{
	assert_int_equal(pw_snapshot_look(snapshot), 0);
	return pw_snapshot_result(snapshot);
}

static const struct pw_snapshot_goroutine *by_goid(const struct pw_snapshot_result *result, uint64_t goid)
{
	for (size_t i = 0; i < result->count; i++)
		if (result->goroutines[i].goid == goid)
			return &result->goroutines[i];
	return NULL;
}

static const char *reason_of(const struct pw_target *target, const struct pw_snapshot_goroutine *g)
{
	if (g->status == PW_GOROUTINE_WAITING)
		return target->build->facts.wait_reasons.name[g->wait_reason];
	return g->status == PW_GOROUTINE_SYSCALL    ? "syscall"
	       : g->status == PW_GOROUTINE_RUNNABLE ? "runnable"
						    : "running";
}

/* ---- the stack as text, in the way of src/runtime/traceback.go:showframe ---- */

static void name_all(struct pw_target *target, const struct pw_snapshot_result *result)
{
	const struct pw_located_frame *frames;

	for (size_t i = 0; i < result->pc_count; i++)
		(void)!pw_symbolize(target->symbolizer, result->pcs[i].pc, result->pcs[i].is_return, &frames);
	assert_int_equal(pw_symbolizer_settle(target->symbolizer), 0);
}

static bool is_shown(const struct pw_located_frame *frame, bool first)
{
	if (frame->wrapper)
		return false;
	if (!strcmp(frame->function, "runtime.gopanic"))
		return !first;
	return strchr(frame->function, '.') &&
	       (strncmp(frame->function, "runtime.", 8) != 0 || isupper((unsigned char)frame->function[8]));
}

static void stack_text(struct pw_target *target, const struct pw_snapshot_result *result,
		       const struct pw_snapshot_goroutine *g, FILE *out)
{
	bool first = true;

	for (uint32_t i = 0; i < g->pc_count; i++) {
		const struct pw_snapshot_pc *pc = &result->pcs[g->first_pc + i];
		const struct pw_located_frame *frames;
		int n = pw_symbolize(target->symbolizer, pc->pc, pc->is_return, &frames);

		assert_true(n > 0);
		for (int k = 0; k < n; k++) {
			if (is_shown(&frames[k], first))
				fprintf(out, "%s %s:%u\n",
					strcmp(frames[k].function, "runtime.gopanic") ? frames[k].function : "panic",
					frames[k].file, frames[k].line);
			first = false;
		}
	}
}

/* "main.f(0x1, ...)\n\t/a/b.go:12 +0x1d" -> "main.f /a/b.go:12\n" until the end of the goroutine's block. */
static void dump_text(char *block, FILE *out, bool *ret_cut)
{
	size_t frames = 0;
	char *line, *save;

	*ret_cut = false;
	for (line = strtok_r(block, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *place, *arguments;

		if (!strncmp(line, "created by ", 11) || !strncmp(line, "...", 3)) {
			*ret_cut = line[0] == '.' || frames > 90; /* up to Go 1.20 the rest is left out in silence */
			return;
		}
		arguments = strrchr(line, '(');
		place = strtok_r(NULL, "\n", &save);
		assert_non_null(place);
		if (arguments && arguments != line)
			*arguments = '\0';
		place[1 + strcspn(place + 1, " ")] = '\0';
		fprintf(out, "%s %s\n", line, place + 1);
		frames++;
	}
}

static char *read_dump(struct go_target *go)
{
	char path[] = "/tmp/parkwatch-dump-XXXXXX", command[64];
	int fd = mkstemp(path);
	char *text = calloc(1, 1 << 20);
	FILE *file;

	assert_true(fd >= 0 && text);
	close(fd);
	snprintf(command, sizeof(command), "dump %s", path);
	go_target_ask(go, command);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, (1 << 20) - 1, file) > 0);
	fclose(file);
	unlink(path);
	return text;
}

static void compare_one(const struct go_target *go, struct pw_target *target, const struct pw_snapshot_result *result,
			unsigned long long goid, const char *reason, char *block)
{
	const struct pw_snapshot_goroutine *g = by_goid(result, goid);
	char *theirs = NULL, *ours = NULL;
	size_t size;
	FILE *out;
	bool cut;

	if (!g)
		fail_msg("%s: no goroutine %llu", go->path, goid);
	out = open_memstream(&theirs, &size);
	dump_text(block, out, &cut);
	fclose(out);
	out = open_memstream(&ours, &size);
	stack_text(target, result, g, out);
	fclose(out);
	if (cut)
		ours[PW_MIN(strlen(ours), strlen(theirs))] = '\0';
	else if (g->stack_truncated)
		fail_msg("%s: the stack of goroutine %llu is cut:\n%s", go->path, goid, ours);
	if (strcmp(ours, theirs) != 0)
		fail_msg("%s: goroutine %llu: the program says\n%swe say\n%s", go->path, goid, theirs, ours);
	if (strcmp(reason_of(target, g), reason) != 0)
		fail_msg("%s: goroutine %llu waits for '%s', we say '%s'", go->path, goid, reason,
			 reason_of(target, g));
	free(theirs);
	free(ours);
}

static void check_dump(struct go_target *go, struct pw_target *target)
{
	char *dump = read_dump(go), *block, *next;
	struct pw_snapshot *snapshot = new_snapshot(target);
	const struct pw_snapshot_result *result = look(snapshot);
	size_t compared = 0;

	name_all(target, result);
	if (result->torn || result->skipped)
		fail_msg("%s: %llu torn, %llu skipped", go->path, (unsigned long long)result->torn,
			 (unsigned long long)result->skipped);
	for (block = dump; block; block = next) {
		unsigned long long goid;
		char reason[64], *body = strchr(block, '\n');

		next = strstr(block, "\n\ngoroutine ");
		if (next) {
			*next = '\0';
			next += 2;
		}
		assert_non_null(body);
		assert_int_equal(sscanf(block, "goroutine %llu [%63[^],]", &goid, reason), 2);
		if (!strcmp(reason, "running"))
			continue; /* the one that made the dump */
		compare_one(go, target, result, goid, reason, body + 1);
		compared++;
	}
	if (compared < 50)
		fail_msg("%s: only %zu goroutines compared", go->path, compared);
	pw_snapshot_free(snapshot);
	free(dump);
}

static void stacks_and_reasons_equal_the_programs_own_dump(void **state)
{
	(void)state;
	for_each("waits", check_dump);
}

/* ---- what they wait on ---- */

/* The goroutines of one go statement of tests/targets/waits, by its label. */
static size_t of_site(struct pw_target *target, const struct pw_snapshot_result *result, const char *expect,
		      const char *label, const struct pw_snapshot_goroutine **list, size_t max)
{
	char pattern[64];
	const char *at;
	long long line;
	size_t count = 0;

	snprintf(pattern, sizeof(pattern), "\"label\":\"%s\"", label);
	at = strstr(expect, pattern);
	assert_non_null(at);
	line = go_target_number(at, "line");
	for (int pass = 0; pass < 2; pass++) {
		count = 0;
		for (size_t i = 0; i < result->count; i++) {
			const struct pw_snapshot_goroutine *g = &result->goroutines[i];
			const struct pw_located_frame *frames;
			int n;

			if (g->system || g->goid == 1)
				continue;
			n = pw_symbolize(target->symbolizer, g->gopc, true, &frames);
			if (pass && n > 0 && frames[0].line == line && strstr(frames[0].file, "waits/main.go") &&
			    count < max)
				list[count++] = g;
		}
		assert_int_equal(pw_symbolizer_settle(target->symbolizer), 0);
	}
	return count;
}

static const struct {
	const char *label;
	size_t count;
	struct pw_wait wait;
} objects[] = {
#define DAY (24LL * 3600 * (int64_t)PW_NS_PER_SEC) /* deadlines: from now on, to the next minutes */
	{"send", 5, {.kind = PW_WAIT_CHANNEL, .known = true, .receivers = 0, .senders = 5}},
	{"send_full", 2, {.kind = PW_WAIT_CHANNEL, .known = true, .length = 1, .capacity = 1, .senders = 6}},
	{"receive_nil", 2, {.kind = PW_WAIT_CHANNEL, .known = true, .nil = true}},
	{"send_nil", 2, {.kind = PW_WAIT_CHANNEL, .known = true, .nil = true}},
	{"select_none", 3, {.kind = PW_WAIT_SELECT, .known = true, .nil = true}},
	{"woken", 4, {.kind = PW_WAIT_CHANNEL, .known = true, .receivers = 4, .senders = 0}},
	{"context", 2, {.kind = PW_WAIT_CHANNEL, .known = true, .receivers = 1, .senders = 0}},
	{"ticker",
	 2,
	 {.kind = PW_WAIT_CHANNEL,
	  .known = true,
	  .capacity = 1,
	  .receivers = 1,
	  .deadline_ns = DAY / 2,
	  .period_ns = DAY / 2}},
	{"mutex", 3, {.kind = PW_WAIT_SEMAPHORE, .known = true, .receivers = 3}},
	{"rwmutex_read", 2, {.kind = PW_WAIT_SEMAPHORE, .known = true, .receivers = 2}},
	{"waitgroup", 3, {.kind = PW_WAIT_SEMAPHORE, .known = true, .receivers = 3}},
	{"rwmutex_write", 1, {.kind = PW_WAIT_SEMAPHORE, .known = true, .receivers = 1}},
	{"cond", 4, {.kind = PW_WAIT_SEMAPHORE, .known = true, .receivers = 4}},
	{"sleep", 6, {.kind = PW_WAIT_TIMER, .known = true, .deadline_ns = DAY}},
	{"after", 2, {.kind = PW_WAIT_SELECT, .known = true, .cases = 2, .deadline_ns = DAY}},
	{"select", 4, {.kind = PW_WAIT_SELECT, .known = true, .cases = 2}},
	{"accept", 1, {.kind = PW_WAIT_NETWORK, .known = true}},
	{"read", 3, {.kind = PW_WAIT_NETWORK, .known = true}},
	{"read_deadline", 2, {.kind = PW_WAIT_NETWORK, .known = true, .deadline_ns = DAY / 2}},
	{"write", 1, {.kind = PW_WAIT_NETWORK, .known = true}},
	{"write_deadline", 2, {.kind = PW_WAIT_NETWORK, .known = true, .deadline_ns = DAY}},
	{"both_deadlines", 1, {.kind = PW_WAIT_NETWORK, .known = true, .deadline_ns = DAY / 2}},
	{"accept_deadline", 1, {.kind = PW_WAIT_NETWORK, .known = true, .deadline_ns = DAY / 2}},
	{"pipe", 1, {.kind = PW_WAIT_NETWORK, .known = true}},
	{"packet", 1, {.kind = PW_WAIT_NETWORK, .known = true}},
};

static void check_channel(const struct go_target *go, const char *label, const struct pw_wait *ours,
			  const struct pw_wait *wanted)
{
	if (ours->kind == PW_WAIT_CHANNEL && !ours->nil &&
	    (ours->length != wanted->length || ours->capacity != wanted->capacity || ours->closed))
		fail_msg("%s: %s: length %llu, capacity %llu", go->path, label, (unsigned long long)ours->length,
			 (unsigned long long)ours->capacity);
	if (((ours->kind == PW_WAIT_CHANNEL || ours->kind == PW_WAIT_SEMAPHORE) && !ours->nil &&
	     ours->receivers != wanted->receivers) ||
	    (ours->kind == PW_WAIT_CHANNEL && !ours->nil && ours->senders != wanted->senders))
		fail_msg("%s: %s: %llu receivers, %llu senders", go->path, label, (unsigned long long)ours->receivers,
			 (unsigned long long)ours->senders);
}

static void check_timer(const struct go_target *go, const char *label, const struct pw_wait *ours,
			const struct pw_wait *wanted)
{
	int64_t left = ours->deadline_ns - (int64_t)pw_now_ns();

	if (ours->kind == PW_WAIT_SEMAPHORE || ours->nil)
		return;
	if (wanted->deadline_ns		    ? left > wanted->deadline_ns || left < wanted->deadline_ns - DAY / 24
	    : ours->kind == PW_WAIT_NETWORK ? ours->deadline_ns != 0
					    : ours->deadline_ns > 0)
		fail_msg("%s: %s: fires in %lld s", go->path, label, (long long)left / (long long)PW_NS_PER_SEC);
	if ((ours->kind != PW_WAIT_NETWORK && ours->period_ns != wanted->period_ns) || ours->cases != wanted->cases)
		fail_msg("%s: %s: every %lld ns, %u cases", go->path, label, (long long)ours->period_ns, ours->cases);
}

static bool is_polled(int pid, int32_t fd)
{
	char path[64], text[64] = "";

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return readlink(path, text, sizeof(text) - 1) > 0 &&
	       (!strncmp(text, "socket:", 7) || !strncmp(text, "pipe:", 5));
}

static void check_objects(struct go_target *go, struct pw_target *target)
{
	char *expect = strdup(go_target_ask(go, "expect"));
	struct pw_snapshot *snapshot = new_snapshot(target);
	const struct pw_snapshot_result *result = look(snapshot);
	const struct pw_snapshot_goroutine *list[100];

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
			const char *label = objects[i].label;
			const struct pw_wait *wanted = &objects[i].wait;

			if (of_site(target, result, expect, label, list, 100) != objects[i].count)
				fail_msg("%s: not %zu of '%s'", go->path, objects[i].count, label);
			for (size_t k = 0; k < objects[i].count; k++) {
				const struct pw_wait *ours = &list[k]->wait;

				if (ours->kind != wanted->kind || ours->known != wanted->known ||
				    ours->nil != wanted->nil)
					fail_msg("%s: look %d: %s: kind %d, known %d, nil %d", go->path, round, label,
						 ours->kind, ours->known, ours->nil);
				check_channel(go, label, ours, wanted);
				check_timer(go, label, ours, wanted);
				if (wanted->kind == PW_WAIT_NETWORK && !is_polled(go->pid, ours->fd))
					fail_msg("%s: %s: fd %d", go->path, label, ours->fd);
			}
		}
		result = look(snapshot); /* and the same from what is kept */
	}
	pw_snapshot_free(snapshot);
	free(expect);
}

static void wait_objects_are_those_of_the_program(void **state)
{
	(void)state;
	for_each("waits", check_objects);
}

/* ---- a second look, labels, threads ---- */

/* Until all goroutines of a site are parked: those that were woken are runnable from that moment on. */
static void wait_parked(struct pw_target *target, const char *expect, const char *label, size_t wanted)
{
	struct pw_snapshot *snapshot = new_snapshot(target);
	uint64_t end = pw_now_ns() + 10 * PW_NS_PER_SEC;
	const struct pw_snapshot_goroutine *list[100];
	size_t parked;

	do {
		size_t count = of_site(target, look(snapshot), expect, label, list, 100);

		parked = 0;
		for (size_t i = 0; i < count; i++)
			parked += list[i]->status == PW_GOROUTINE_WAITING;
	} while (parked != wanted && pw_now_ns() < end);
	assert_int_equal(parked, wanted);
	pw_snapshot_free(snapshot);
}

static void check_second_look(struct go_target *go, struct pw_target *target)
{
	char *expect = strdup(go_target_ask(go, "expect"));
	struct pw_snapshot *snapshot = new_snapshot(target);
	const struct pw_snapshot_result *result = look(snapshot);
	const struct pw_snapshot_goroutine *list[100];
	uint64_t first = result->taken_ns, whole = result->stacks_read;
	uint32_t runs = 0;

	assert_true(of_site(target, result, expect, "labels", list, 100) == 2);
	for (size_t i = 0; i < 2; i++) {
		if (list[i]->label_count != 1)
			fail_msg("%s: %u labels", go->path, list[i]->label_count);
		assert_string_equal(result->labels[list[i]->first_label].key, "kind");
		assert_string_equal(result->labels[list[i]->first_label].value, "labelled");
	}
	assert_int_equal(of_site(target, result, expect, "locked_thread", list, 100), 1);
	assert_true(list[0]->locked_to_thread);
	go_target_ask(go, "wake 11");
	wait_parked(target, expect, "woken", 4);
	result = look(snapshot);
	assert_int_equal(of_site(target, result, expect, "woken", list, 100), 4);
	for (size_t i = 0; i < 4; i++) {
		runs += list[i]->runs;
		assert_true(!list[i]->runs == list[i]->parked_at_least);
		assert_true(list[i]->runs ? list[i]->parked_since_ns > first : list[i]->parked_since_ns == first);
	}
	if (runs < 11 || runs > 14) /* being preempted between two parks is another run */
		fail_msg("%s: woken 11 times, we say %u", go->path, runs);
	assert_int_equal(of_site(target, result, expect, "receive", list, 100), 7);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(list[i]->runs, 0);
		assert_true(list[i]->parked_at_least);
		assert_int_equal(list[i]->parked_since_ns, first);
	}
	if (result->stacks_read > 20 || result->stacks_kept + 25 < whole)
		fail_msg("%s: %llu stacks, then %llu read and %llu kept", go->path, (unsigned long long)whole,
			 (unsigned long long)result->stacks_read, (unsigned long long)result->stacks_kept);
	pw_snapshot_free(snapshot);
	free(expect);
}

static void a_second_look_reads_only_what_has_run(void **state)
{
	(void)state;
	for_each("waits", check_second_look);
}

/* ---- a program that does not stand still ---- */

/* The outermost frame of every whole stack is one of these, or the unwinder went astray. */
static bool ends_well(struct pw_target *target, const struct pw_snapshot_result *result,
		      const struct pw_snapshot_goroutine *g)
{
	const struct pw_snapshot_pc *last = &result->pcs[g->first_pc + g->pc_count - 1];
	const struct pw_located_frame *frames;
	int n = pw_symbolize(target->symbolizer, last->pc, last->is_return, &frames);

	return n > 0 &&
	       (!strcmp(frames[n - 1].function, "runtime.goexit") ||
		!strcmp(frames[n - 1].function, "runtime.rt0_go") || !strcmp(frames[n - 1].function, "runtime.mstart"));
}

static void check_busy(struct go_target *go, struct pw_target *target)
{
	struct pw_snapshot *snapshot = new_snapshot(target);
	uint64_t shown = 0, torn = 0, cut = 0;

	if (dprintf(go->input, "run 20000\n") <= 0) /* its answer is not waited for */
		fail_msg("%s does not listen", go->path);
	for (int i = 0; i < 30; i++) {
		const struct pw_snapshot_result *result;
		int r = pw_snapshot_look(snapshot);

		if (r == -EBADMSG)
			continue; /* too much of it moved to be believed */
		assert_int_equal(r, 0);
		result = pw_snapshot_result(snapshot);
		name_all(target, result);
		shown += result->count;
		torn += result->torn;
		for (size_t k = 0; k < result->count; k++) {
			const struct pw_snapshot_goroutine *g = &result->goroutines[k];

			assert_true(!k || g[-1].goid < g->goid);
			cut += g->stack_truncated && g->pc_count < PW_UNWIND_DEPTH_MAX; /* some are deep */
			if (g->pc_count && !g->stack_truncated && !ends_well(target, result, g))
				fail_msg("%s: look %d: a stack of %u frames ends nowhere", go->path, i, g->pc_count);
		}
	}
	if (!shown || torn > shown / 2 || cut > shown / 50)
		fail_msg("%s: %llu shown, %llu torn, %llu cut", go->path, (unsigned long long)shown,
			 (unsigned long long)torn, (unsigned long long)cut);
	pw_snapshot_free(snapshot);
}

static void a_busy_program_is_shown_without_garbage(void **state)
{
	(void)state;
	for_each("counts", check_busy);
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
		cmocka_unit_test(stacks_and_reasons_equal_the_programs_own_dump),
		cmocka_unit_test(wait_objects_are_those_of_the_program),
		cmocka_unit_test(a_second_look_reads_only_what_has_run),
		cmocka_unit_test(a_busy_program_is_shown_without_garbage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
