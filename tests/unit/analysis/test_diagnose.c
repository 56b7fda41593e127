/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/diagnose.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"
#include "support/profiles.h"

/* What a test does not say of a group is nothing, as it should be. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define W   PW_GOROUTINE_WAITING
#define SEC PW_NS_PER_SEC
#define MIN (60 * SEC)

/* What the first group of a profile is said to be. */
static const char *said(const struct sample_group *groups, size_t count, int64_t growth, enum pw_verdict *ret_verdict,
			char text[320])
{
	struct pw_profile *profile = sample_profile(groups, count);
	static char rule[16];
	struct pw_profile_group *group = group_of(profile, "runtime.gopark"); /* as all tests call their first frame */

	group->growth = growth;
	pw_diagnose(profile);
	snprintf(rule, sizeof(rule), "%s", group->diagnosis.rule);
	*ret_verdict = group->diagnosis.verdict;
	snprintf(text, 320, "%s", group->diagnosis.text);
	pw_profile_free(profile);
	return rule;
}

static void expect_growing(const char *rule, enum pw_verdict verdict, const char *words, int64_t growth,
			   struct sample_group group)
{
	enum pw_verdict actual;
	char text[320];

	assert_string_equal(said(&group, 1, growth, &actual, text), rule);
	assert_string_equal(pw_verdict_name(actual), pw_verdict_name(verdict));
	if (!strstr(text, words))
		fail_msg("'%s' is not in '%s'", words, text);
}

static void expect(const char *rule, enum pw_verdict verdict, const char *words, struct sample_group group)
{
	expect_growing(rule, verdict, words, 0, group);
}

static void silent(struct sample_group group)
{
	expect("", PW_VERDICT_NONE, "", group);
}

static void a_nil_channel_is_certain_and_an_empty_select_but_in_main(void **state)
{
	(void)state;
	expect("PW-G02", PW_VERDICT_CERTAIN, "worker.go:9",
	       (struct sample_group){1,
				     W,
				     "chan receive (nil chan)",
				     {"runtime.gopark r:1", "main.work /src/worker.go:9"},
				     "main.main m:1",
				     SEC});
	expect("PW-G02", PW_VERDICT_CERTAIN, "no cases",
	       (struct sample_group){1,
				     W,
				     "select (no cases)",
				     {"runtime.gopark r:1", "main.work /src/worker.go:9"},
				     "main.main m:1",
				     SEC});
	expect("PW-G02", PW_VERDICT_POSSIBLE, "on purpose",
	       (struct sample_group){1,
				     W,
				     "select (no cases)",
				     {"runtime.gopark r:1", "main.main /src/m.go:9", "runtime.main p:1"},
				     NULL,
				     SEC});
	silent((struct sample_group){
		1, W, "chan receive", {"runtime.gopark r:1", "main.work /src/worker.go:9"}, "main.main m:1", 10 * MIN});
}

static void ten_sends_each_on_its_own_channel_are_likely_after_a_minute(void **state)
{
	struct sample_group send = {12,
				    W,
				    "chan send",
				    {"runtime.gopark r:1", "runtime.chansend c:1", "main.leak /src/leak.go:17"},
				    "main.main m:1",
				    2 * MIN};

	(void)state;
	send.wait = "channel";
	send.senders = 1;
	send.own_objects = true;
	expect("PW-G01", PW_VERDICT_LIKELY, "leak.go:17", send);
	send.runs = 4; /* the twin: they run, so somebody receives */
	silent(send);
	send.runs = 0;
	send.own_objects = false; /* a queue in front of a slow receiver, slots of a semaphore */
	expect("PW-G01", PW_VERDICT_POSSIBLE, "leak.go:17", send);
	expect_growing("PW-G01", PW_VERDICT_LIKELY, "leak.go:17", 5, send);
	send.parked_ns = SEC / 4;
	expect("PW-G01", PW_VERDICT_POSSIBLE, "Nobody has received", send);
	send.parked_ns = 2 * MIN;
	send.count = 3; /* generators wait to be asked */
	expect("PW-G01", PW_VERDICT_POSSIBLE, "Nobody has received", send);
	send.runs = UINT32_MAX; /* one look says less */
	send.parked_ns = 0;
	expect("PW-G01", PW_VERDICT_POSSIBLE, "", send);
}

static void many_receivers_each_on_their_own_channel_are_possible_and_workers_are_not(void **state)
{
	struct sample_group receive = {
		12, W, "chan receive", {"runtime.gopark r:1", "main.wait /src/w.go:3"}, "main.main m:1", MIN};

	(void)state;
	receive.wait = "channel";
	receive.own_objects = true;
	expect("PW-G01", PW_VERDICT_POSSIBLE, "each on its own channel", receive);
	receive.deadline_ns = SEC; /* a timer sends */
	silent(receive);
	receive.deadline_ns = INT64_MIN;
	receive.own_objects = false; /* a pool of workers waits on one */
	silent(receive);
	expect_growing("PW-G01", PW_VERDICT_POSSIBLE, "w.go:3", 3, receive);
	receive.own_objects = true;
	receive.count = 4;
	silent(receive);
	receive.count = 12;
	receive.runs = 5;
	silent(receive);
}

static void a_select_needs_many_for_ten_minutes(void **state)
{
	struct sample_group select = {
		10, W, "select", {"runtime.gopark r:1", "main.loop /src/l.go:3"}, "main.main m:1", 20 * MIN};

	(void)state;
	expect("PW-G03", PW_VERDICT_POSSIBLE, "l.go:3", select);
	expect_growing("PW-G03", PW_VERDICT_POSSIBLE, "l.go:3", 1, select); /* so do connections */
	select.wait = "select";
	select.deadline_ns = MIN;
	silent(select);
	select.deadline_ns = 0;
	select.count = 9;
	silent(select);
	select.count = 10;
	select.parked_ns = MIN;
	silent(select);
}

static void a_lock_is_likely_stuck_by_time_or_by_its_holder(void **state)
{
	struct sample_group lock = {2,
				    W,
				    "sync.Mutex.Lock",
				    {"runtime.gopark r:1", "sync.(*Mutex).Lock s:1", "main.get /src/cache.go:7"},
				    "main.main m:1",
				    SEC};
	struct sample_group groups[2] = {lock, {1, W, "chan receive", {"main.hold /src/h.go:1"}, "main.main m:1", MIN}};
	enum pw_verdict verdict;
	char text[320];

	(void)state;
	expect("PW-G04", PW_VERDICT_POSSIBLE, "cache.go:7", lock);
	lock.runs = 3;
	silent(lock); /* contended, no more */
	lock.runs = 0;
	lock.parked_ns = 6 * MIN;
	expect("PW-G04", PW_VERDICT_LIKELY, "Nobody got the lock", lock);
	lock.reason = "semacquire"; /* before Go 1.20 */
	expect("PW-G04", PW_VERDICT_LIKELY, "Nobody got the lock", lock);

	groups[0].wait = "semaphore";
	groups[0].owner = 3;
	assert_string_equal(said(groups, 2, 0, &verdict, text), "PW-G04");
	assert_int_equal(verdict, PW_VERDICT_POSSIBLE);
	groups[0].parked_ns = 2 * MIN;
	assert_string_equal(said(groups, 2, 0, &verdict, text), "PW-G04");
	assert_int_equal(verdict, PW_VERDICT_LIKELY);
	assert_non_null(
		strstr(text, "goroutine 3 seems to hold, itself blocked in \"chan receive\" at main.hold (h.go:1)"));
	groups[1].runs = 7; /* one that goes on is not blocked */
	said(groups, 2, 0, &verdict, text);
	assert_int_equal(verdict, PW_VERDICT_POSSIBLE);
	groups[1].runs = 0;
	groups[1].status = PW_GOROUTINE_RUNNING; /* the twin: its holder works */
	groups[1].reason = NULL;
	said(groups, 2, 0, &verdict, text);
	assert_int_equal(verdict, PW_VERDICT_POSSIBLE);
}

static void locks_taken_crosswise_are_shown_as_a_circle(void **state)
{
	struct sample_group groups[2] = {
		{1, W, "sync.Mutex.Lock", {"runtime.gopark r:1", "main.a /src/a.go:7"}, "main.main m:1", SEC},
		{1, W, "sync.Mutex.Lock", {"main.b /src/b.go:7"}, "main.main m:1", SEC},
	};
	enum pw_verdict verdict;
	char text[320];

	(void)state;
	groups[0].wait = groups[1].wait = "semaphore";
	groups[0].owner = 2;
	groups[1].owner = 1;
	assert_string_equal(said(groups, 2, 0, &verdict, text), "PW-G04");
	assert_int_equal(verdict, PW_VERDICT_LIKELY);
	assert_non_null(strstr(text, "in a circle: goroutines 2 -> 1"));
	groups[0].runs = groups[1].runs = UINT32_MAX; /* one look: they may move the next moment */
	said(groups, 2, 0, &verdict, text);
	assert_int_equal(verdict, PW_VERDICT_POSSIBLE);
	groups[0].runs = groups[1].runs = 0;
	groups[1].owner = 0;
	said(groups, 2, 0, &verdict, text);
	assert_null(strstr(text, "circle"));
	groups[1].owner = 999; /* not in the profile */
	assert_string_equal(said(groups, 2, 0, &verdict, text), "PW-G04");
	assert_null(strstr(text, "circle"));
}

static void a_waitgroup_or_cond_is_likely_stuck_if_it_grows_and_lasts(void **state)
{
	struct sample_group wait = {
		2, W, "sync.WaitGroup.Wait", {"runtime.gopark r:1", "main.all /src/w.go:5"}, "main.main m:1", 11 * MIN};

	(void)state;
	expect("PW-G05", PW_VERDICT_POSSIBLE, "w.go:5",
	       wait); /* who closes a channel after all workers waits so, too */
	expect_growing("PW-G05", PW_VERDICT_LIKELY, "w.go:5", 1, wait);
	wait.parked_ns = MIN;
	expect_growing("PW-G05", PW_VERDICT_POSSIBLE, "w.go:5", 1, wait);
	wait.reason = "semacquire";
	wait.stack[1] = "sync.(*WaitGroup).Wait s:1";
	wait.stack[2] = "main.all /src/w.go:5";
	expect("PW-G05", PW_VERDICT_POSSIBLE, "w.go:5", wait);
	wait.runs = 2;
	silent(wait);
	wait = (struct sample_group){
		10, W, "sync.Cond.Wait", {"runtime.gopark r:1", "main.c /src/c.go:5"}, "main.main m:1", 11 * MIN};
	expect("PW-G05", PW_VERDICT_POSSIBLE, "c.go:5", wait);
	expect_growing("PW-G05", PW_VERDICT_LIKELY, "c.go:5", 2, wait);
	/* The twin: a server's main. */
	silent((struct sample_group){1,
				     W,
				     "sync.WaitGroup.Wait",
				     {"runtime.gopark r:1", "main.main m:5", "runtime.main p:1"},
				     NULL,
				     100 * MIN});
}

static void many_sleepers_of_which_more_come_are_a_spawn_loop(void **state)
{
	struct sample_group sleep = {10,
				     W,
				     "sleep",
				     {"runtime.gopark r:1", "time.Sleep t:1", "main.poll /src/p.go:8"},
				     "main.add /src/a.go:4",
				     SEC};

	(void)state;
	silent(sleep); /* as many as there were */
	expect_growing("PW-G06", PW_VERDICT_POSSIBLE, "p.go:8", 6, sleep);
	sleep.newcomers = 2;
	expect("PW-G06", PW_VERDICT_POSSIBLE, "a.go:4", sleep);
	expect_growing("PW-G06", PW_VERDICT_LIKELY, "a.go:4", 6, sleep);
	expect_growing("PW-G06", PW_VERDICT_POSSIBLE, "a.go:4", 2, sleep);
	sleep.reason = "select"; /* a loop around a ticker */
	sleep.wait = "select";
	sleep.period_ns = SEC;
	expect("PW-G06", PW_VERDICT_POSSIBLE, "wait for tickers", sleep);
	sleep.period_ns = 0;
	silent(sleep);
	sleep.reason = "sleep";
	sleep.count = 3;
	silent(sleep);
}

static void a_network_wait_is_judged_by_its_deadline(void **state)
{
	struct sample_group read = {20,
				    W,
				    "IO wait",
				    {"runtime.gopark r:1", "internal/poll.(*FD).Read f:1", "net.(*conn).Read n:1",
				     "main.serve /src/s.go:6"},
				    "main.main m:1",
				    16 * MIN};

	(void)state;
	read.wait = "network";
	expect("PW-G07", PW_VERDICT_POSSIBLE, "s.go:6", read);
	read.stack[4] = "net/http.(*conn).serve h:1"; /* idle connections are no fault */
	expect("PW-G07", PW_VERDICT_POSSIBLE, "Keep-alive is meant so", read);
	read.stack[4] = NULL;
	read.stack[2] = "net.(*conn).Write n:1";
	expect("PW-G07", PW_VERDICT_POSSIBLE, "takes what they write", read);
	read.runs = 2; /* twins: a peer that speaks, a deadline, an unknown one, a listener */
	silent(read);
	read.runs = 0;
	read.deadline_ns = SEC;
	silent(read);
	read.deadline_ns = INT64_MIN;
	silent(read);
	read.deadline_ns = 0;
	read.stack[1] = "internal/poll.(*FD).Accept f:1";
	read.stack[2] = "net.(*TCPListener).Accept f:1";
	silent(read);
	read.stack[1] = "internal/poll.(*FD).Read f:1"; /* inotify, a pipe */
	read.stack[2] = "os.(*File).Read f:1";
	silent(read);
}

static void iterators_are_judged_by_number_alone(void **state)
{
	struct sample_group iterator = {
		12, W, "coroutine", {"runtime.gopark r:1", "main.seq /src/i.go:6"}, "main.main m:1", 20 * MIN};

	(void)state;
	iterator.runs = UINT32_MAX;
	expect("PW-G11", PW_VERDICT_POSSIBLE, "i.go:6", iterator);
	iterator.count = 3;
	silent(iterator);
	expect_growing("PW-G11", PW_VERDICT_POSSIBLE, "i.go:6", 1, iterator);
}

static void a_finalizer_that_waits_is_named_and_an_idle_one_is_harmless(void **state)
{
	struct sample_group finalizer = {
		1,
		W,
		"sync.Mutex.Lock",
		{"runtime.gopark r:1", "sync.(*Mutex).Lock s:1", "main.close /src/f.go:6", "runtime.runfinq m:1"},
		NULL,
		2 * MIN};

	(void)state;
	expect("PW-F01", PW_VERDICT_LIKELY, "f.go:6", finalizer);
	finalizer.parked_ns = SEC;
	expect("PW-F01", PW_VERDICT_POSSIBLE, "f.go:6", finalizer);
	finalizer = (struct sample_group){
		1, W, "finalizer wait", {"runtime.gopark r:1", "runtime.runfinq m:1"}, NULL, 10 * MIN};
	finalizer.system = true;
	expect("PW-D01", PW_VERDICT_CERTAIN, "harmless", finalizer);
	finalizer.system = false;
	silent(finalizer);
}

static void what_is_left_system_calls_semaphores_runnables_and_the_runtimes_own_verdict(void **state)
{
	struct sample_group call = {1,
				    PW_GOROUTINE_SYSCALL,
				    NULL,
				    {"runtime.gopark r:1", "runtime.cgocall c:1", "main.c /src/c.go:6"},
				    "main.main m:1",
				    0};

	(void)state;
	expect("PW-D02", PW_VERDICT_POSSIBLE, "C function", call);
	call.stack[1] = "syscall.Syscall s:1";
	expect("PW-D02", PW_VERDICT_POSSIBLE, "system call", call);
	call.runs = 2;
	silent(call);
	call.runs = 0;
	call.stack[1] = "os/signal.signal_recv s:1";
	silent(call);
	call.stack[1] = "golang.org/x/sys/unix.EpollWait s:1";
	silent(call);
	call = (struct sample_group){
		1, PW_GOROUTINE_RUNNABLE, NULL, {"runtime.gopark r:1", "main.c /src/c.go:6"}, "main.main m:1", 0};
	expect("PW-D04", PW_VERDICT_POSSIBLE, "c.go:6", call);
	call.runs = 1;
	silent(call);
	call = (struct sample_group){
		1, W, "semacquire", {"runtime.gopark r:1", "main.c /src/c.go:6"}, "main.main m:1", 2 * MIN};
	expect("PW-D03", PW_VERDICT_POSSIBLE, "c.go:6", call);
	call.runs = 1;
	silent(call);
	call.status = PW_GOROUTINE_LEAKED;
	expect("PW-D05", PW_VERDICT_CERTAIN, "c.go:6", call);
}

static void each_rule_explains_itself_and_has_an_id_of_its_own(void **state)
{
	const struct pw_diagnosis_rule *rules;
	size_t count;

	(void)state;
	rules = pw_diagnosis_rules(&count);
	assert_true(count >= 14);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(rules[i].id) == 6 && !strncmp(rules[i].id, "PW-", 3));
		assert_true(strlen(rules[i].text) > 20 && *rules[i].look_for);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(rules[i].id, rules[k].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_nil_channel_is_certain_and_an_empty_select_but_in_main),
		cmocka_unit_test(ten_sends_each_on_its_own_channel_are_likely_after_a_minute),
		cmocka_unit_test(many_receivers_each_on_their_own_channel_are_possible_and_workers_are_not),
		cmocka_unit_test(a_select_needs_many_for_ten_minutes),
		cmocka_unit_test(a_lock_is_likely_stuck_by_time_or_by_its_holder),
		cmocka_unit_test(locks_taken_crosswise_are_shown_as_a_circle),
		cmocka_unit_test(a_waitgroup_or_cond_is_likely_stuck_if_it_grows_and_lasts),
		cmocka_unit_test(many_sleepers_of_which_more_come_are_a_spawn_loop),
		cmocka_unit_test(a_network_wait_is_judged_by_its_deadline),
		cmocka_unit_test(iterators_are_judged_by_number_alone),
		cmocka_unit_test(a_finalizer_that_waits_is_named_and_an_idle_one_is_harmless),
		cmocka_unit_test(what_is_left_system_calls_semaphores_runnables_and_the_runtimes_own_verdict),
		cmocka_unit_test(each_rule_explains_itself_and_has_an_id_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
