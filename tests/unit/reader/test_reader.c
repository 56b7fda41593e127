/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* The reader process for real: fork, cage, requests, deaths. Needs no privilege. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/time.h"
#include "reader/reader.h"

struct answer {
	int calls, r;
	bool is_go;
	char why[256];
};

static void on_facts(void *context, int r, const struct pw_build_facts *facts, const char *why)
{
	struct answer *answer = context;

	answer->calls++;
	answer->r = r;
	answer->is_go = facts && facts->is_go;
	snprintf(answer->why, sizeof(answer->why), "%s", why ? why : facts ? facts->why_not_go : "");
}

static int file_of(const void *data, size_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	return fd;
}

static struct pw_reader *start(void)
{
	struct pw_reader *reader;

	pw_log_set_level(PW_LOG_ERR);
	assert_int_equal(pw_reader_start(&reader), 0);
	return reader;
}

static struct answer ask(struct pw_reader *reader, int fd)
{
	struct answer answer = {};
	int64_t id = pw_reader_ask_facts(reader, fd, on_facts, &answer);

	assert_true(id > 0);
	assert_int_equal(answer.calls, 0); /* not before the id is known */
	assert_int_equal(pw_reader_wait(reader, id), 0);
	assert_int_equal(answer.calls, 1);
	return answer;
}

/* pid of the one child of parent; 0 if there is none. Ends with the test if there are two. */
static pid_t child_of(pid_t parent)
{
	DIR *proc = opendir("/proc");
	pid_t child = 0;

	assert_non_null(proc);
	for (struct dirent *entry = readdir(proc); entry; entry = readdir(proc)) {
		char path[300], line[512], state = 0;
		int pid = atoi(entry->d_name), ppid = -1;
		FILE *file;

		if (!pid)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
		file = fopen(path, "r");
		if (!file)
			continue;
		if (fgets(line, sizeof(line), file) && strrchr(line, ')') &&
		    sscanf(strrchr(line, ')'), ") %c %d", &state, &ppid) == 2 && ppid == parent && state != 'Z') {
			assert_int_equal(child, 0);
			child = pid;
		}
		fclose(file);
	}
	closedir(proc);
	return child;
}

static pid_t reader_pid(void)
{
	pid_t nursery = child_of(getpid());

	assert_true(nursery > 0);
	return child_of(nursery);
}

static void what_is_no_go_program_is_said_to_be_none(void **state)
{
	static const uint8_t elf_magic[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};
	struct pw_reader *reader = start();
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), text = file_of("hello", 5),
	    cut = file_of(elf_magic, sizeof(elf_magic)), empty = file_of("", 0);
	struct answer answer = ask(reader, self);

	(void)state;
	assert_int_equal(answer.r, 0);
	assert_false(answer.is_go);
	assert_true(answer.why[0]);
	assert_int_equal(ask(reader, text).r, -EBADMSG);
	assert_int_equal(ask(reader, cut).r, -EBADMSG);
	assert_int_equal(ask(reader, empty).r, -EBADMSG);
	assert_int_equal(ask(reader, self).r, 0); /* and is none the worse for it */
	close(self);
	close(text);
	close(cut);
	close(empty);
	pw_reader_free(reader);
}

static void a_pipe_is_refused_without_a_hang(void **state)
{
	struct pw_reader *reader = start();
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	assert_int_equal(ask(reader, pipe_fds[0]).r, -EBADMSG);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	pw_reader_free(reader);
}

static void a_killed_reader_is_replaced_and_its_killer_barred(void **state)
{
	struct pw_reader *reader = start();
	int good = file_of("good", 4), bad = file_of("bad!!", 5);
	struct pw_reader_stats stats;

	(void)state;
	for (int death = 1; death <= 2; death++) {
		struct answer answer = {};
		int64_t id;

		assert_int_equal(ask(reader, good).r, -EBADMSG);  /* there is a process now */
		assert_int_equal(kill(reader_pid(), SIGSTOP), 0); /* so that it dies with our question in hand */
		id = pw_reader_ask_facts(reader, bad, on_facts, &answer);
		assert_true(id > 0);
		pw_reader_dispatch(reader);
		assert_int_equal(kill(reader_pid(), SIGKILL), 0);
		assert_int_equal(pw_reader_wait(reader, id), 0);
		assert_int_equal(answer.calls, 1);
		assert_int_equal(answer.r, -ECONNRESET);
	}
	assert_int_equal(ask(reader, bad).r, -EACCES);
	assert_int_equal(ask(reader, good).r, -EBADMSG);
	pw_reader_stats(reader, &stats);
	assert_int_equal(stats.crashes, 2);
	assert_int_equal(stats.barred_builds, 1);
	assert_int_equal(stats.restarts, 2);
	close(good);
	close(bad);
	pw_reader_free(reader);
}

static void a_late_answer_ends_the_reader(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	struct answer answer = {}, second = {};
	struct pw_reader_stats stats;
	int64_t id;

	(void)state;
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	assert_int_equal(kill(reader_pid(), SIGSTOP), 0);
	id = pw_reader_ask_facts(reader, file, on_facts, &answer);
	assert_true(id > 0);
	id = pw_reader_ask_facts(reader, file, on_facts, &second);
	pw_reader_dispatch(reader);
	pw_reader_expire(reader, pw_now_ns());
	assert_int_equal(answer.calls, 0);
	pw_reader_expire(reader, pw_now_ns() + PW_READER_FACTS_DEADLINE_NS + 1);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(answer.r, -ETIMEDOUT);
	assert_int_equal(pw_reader_wait(reader, id), 0); /* who stood behind it is served by the next process */
	assert_int_equal(second.r, -EBADMSG);
	pw_reader_stats(reader, &stats);
	assert_int_equal(stats.timeouts, 1);
	close(file);
	pw_reader_free(reader);
}

static void an_idle_reader_ends_and_the_next_question_starts_one(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	struct pw_reader_stats stats;

	(void)state;
	assert_int_equal(reader_pid(), 0); /* none before the first question */
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	assert_true(reader_pid() > 0);
	pw_reader_expire(reader, pw_now_ns() + PW_READER_IDLE_NS / 2);
	assert_true(reader_pid() > 0);
	pw_reader_expire(reader, pw_now_ns() + PW_READER_IDLE_NS + PW_NS_PER_SEC);
	for (int i = 0; i < 200 && reader_pid(); i++)
		usleep(10000);
	assert_int_equal(reader_pid(), 0);
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	pw_reader_stats(reader, &stats);
	assert_int_equal(stats.crashes + stats.timeouts + stats.restarts, 0);
	close(file);
	pw_reader_free(reader);
}

static void a_dead_nursery_is_replaced(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	pid_t nursery = child_of(getpid());

	(void)state;
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	assert_int_equal(kill(nursery, SIGKILL), 0);
	for (int i = 0; i < 200 && child_of(getpid()); i++)
		usleep(10000);
	usleep(50000); /* the reader dies with it */
	ask(reader, file);
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	close(file);
	pw_reader_free(reader);
	assert_int_equal(child_of(getpid()), 0);
}

static void a_cancelled_question_is_not_answered(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	struct answer first = {}, second = {}, open_one = {};
	int64_t id = pw_reader_ask_facts(reader, file, on_facts, &first), last;

	(void)state;
	last = pw_reader_ask_facts(reader, file, on_facts, &second);
	pw_reader_cancel(reader, id);
	assert_int_equal(pw_reader_wait(reader, last), 0);
	assert_int_equal(first.calls, 0);
	assert_int_equal(second.calls, 1);
	assert_true(pw_reader_ask_facts(reader, file, on_facts, &open_one) > 0);
	close(file);
	pw_reader_free(reader);
	assert_int_equal(open_one.calls, 1);
	assert_int_equal(open_one.r, -ECANCELED);
}

static void the_queue_has_an_end(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	static struct answer answers[PW_READER_QUEUE_MAX + 1];
	int64_t id = 0;

	(void)state;
	for (size_t i = 0; i < PW_READER_QUEUE_MAX; i++) {
		id = pw_reader_ask_facts(reader, file, on_facts, &answers[i]);
		assert_true(id > 0);
	}
	assert_int_equal(pw_reader_ask_facts(reader, file, on_facts, &answers[0]), -EAGAIN);
	assert_int_equal(pw_reader_wait(reader, id), 0);
	for (size_t i = 0; i < PW_READER_QUEUE_MAX; i++)
		assert_int_equal(answers[i].calls, 1);
	close(file);
	pw_reader_free(reader);
}

static void the_loop_is_woken_by_a_question_and_by_its_answer(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1);
	struct answer answer = {};
	struct pollfd poll_fd = {.fd = pw_reader_fd(reader), .events = POLLIN};

	(void)state;
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_true(pw_reader_ask_facts(reader, file, on_facts, &answer) > 0);
	for (int i = 0; i < 100 && !answer.calls; i++) {
		assert_int_equal(poll(&poll_fd, 1, 5000), 1);
		pw_reader_dispatch(reader);
	}
	assert_int_equal(answer.calls, 1);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	close(file);
	pw_reader_free(reader);
}

static void the_reader_process_has_no_capabilities_and_a_filter(void **state)
{
	struct pw_reader *reader = start();
	int file = file_of("x", 1), seen = 0;
	char path[64], line[256];
	FILE *status;

	(void)state;
	assert_int_equal(ask(reader, file).r, -EBADMSG);
	snprintf(path, sizeof(path), "/proc/%d/status", reader_pid());
	status = fopen(path, "r");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status)) {
		unsigned long long value;

		if (sscanf(line, "CapEff: %llx", &value) == 1 || sscanf(line, "CapPrm: %llx", &value) == 1) {
			assert_int_equal(value, 0);
			seen++;
		}
		if (sscanf(line, "Seccomp: %llu", &value) == 1 && ++seen)
			assert_int_equal(value, 2);
		if (sscanf(line, "NoNewPrivs: %llu", &value) == 1 && ++seen)
			assert_int_equal(value, 1);
	}
	fclose(status);
	assert_int_equal(seen, 4);
	close(file);
	pw_reader_free(reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_go_program_is_said_to_be_none),
		cmocka_unit_test(a_pipe_is_refused_without_a_hang),
		cmocka_unit_test(a_killed_reader_is_replaced_and_its_killer_barred),
		cmocka_unit_test(a_late_answer_ends_the_reader),
		cmocka_unit_test(an_idle_reader_ends_and_the_next_question_starts_one),
		cmocka_unit_test(a_dead_nursery_is_replaced),
		cmocka_unit_test(a_cancelled_question_is_not_answered),
		cmocka_unit_test(the_queue_has_an_end),
		cmocka_unit_test(the_loop_is_woken_by_a_question_and_by_its_answer),
		cmocka_unit_test(the_reader_process_has_no_capabilities_and_a_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
