/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Who gets the reader, and who stands back: a /proc of files, and a reader that answers when the test says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/procfs.h"
#include "base/time.h"
/* The library's own are linked too; the files under test get ours. */
#define pw_reader_ask_facts fake_ask_facts
#define pw_reader_cancel    fake_cancel
#include "reader/reader.h"
#include "target/files.c" /* NOLINT(bugprone-suspicious-include) */

/* ---- the reader ---- */

struct asked {
	ino_t inode;
	pw_reader_facts_fn fn;
	void *context;
	bool open;
};

static struct asked asked[64];
static int64_t asked_count;

int64_t pw_reader_ask_facts(struct pw_reader *reader, int exe_fd, pw_reader_facts_fn callback, void *context)
{
	struct stat st;

	(void)reader;
	assert_int_equal(fstat(exe_fd, &st), 0);
	assert_true(asked_count < 63);
	asked[++asked_count] = (struct asked){st.st_ino, callback, context, true};
	return asked_count;
}

void pw_reader_cancel(struct pw_reader *reader, int64_t id)
{
	(void)reader;
	assert_true(asked[id].open);
	asked[id].open = false;
}

static void answer(int64_t id, int r)
{
	static const struct pw_build_facts no_go;

	assert_true(asked[id].open);
	asked[id].open = false;
	asked[id].fn(asked[id].context, r, r < 0 ? NULL : &no_go, "as the test says");
}

static bool is_asked(int64_t id)
{
	return asked[id].open;
}

/* ---- /proc ---- */

struct world {
	char root[64];
	struct pw_procfs procfs;
	struct pw_files files;
};

static void put(const struct world *world, int pid, const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%d/%s", world->root, pid, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void add_process(const struct world *world, int pid, int uid)
{
	char text[128];

	snprintf(text, sizeof(text), "%s/%d", world->root, pid);
	assert_int_equal(mkdir(text, 0700), 0);
	snprintf(text, sizeof(text), "Name:\tp%d\nState:\tS (sleeping)\nTgid:\t%d\nUid:\t%d\t0\t0\t0\n", pid, pid, uid);
	put(world, pid, "status", text);
	put(world, pid, "exe", text);
}

static int begin(void **state)
{
	static struct world world;

	world = (struct world){.root = "/tmp/test_files.XXXXXX", .procfs = PW_PROCFS_INIT};
	pw_log_set_level(PW_LOG_ERR);
	asked_count = 0;
	assert_non_null(mkdtemp(world.root));
	assert_int_equal(pw_procfs_open(&world.procfs, world.root), 0);
	pw_files_init(&world.files, NULL);
	*state = &world;
	return 0;
}

static int end(void **state)
{
	struct world *world = *state;
	char command[128];

	pw_files_done(&world->files);
	pw_procfs_done(&world->procfs);
	snprintf(command, sizeof(command), "rm -rf %s", world->root);
	return system(command); /* NOLINT(cert-env33-c): a name of our own */
}

static enum pw_file_state look(struct world *world, int pid)
{
	struct pw_proc_file_id id;
	enum pw_file_state state;
	struct pw_build *build;

	assert_int_equal(pw_procfs_exe_id(&world->procfs, pid, &id), 0);
	assert_int_equal(pw_files_state(&world->files, &world->procfs, pid, &id, &state, &build), 0);
	return state;
}

static enum pw_file_state look_until_asked(struct world *world, int pid, uint64_t limit_ns)
{
	uint64_t end_ns = pw_now_ns() + limit_ns;
	enum pw_file_state state = look(world, pid);

	while (state == PW_FILE_BUSY && pw_now_ns() < end_ns) {
		usleep(20000);
		state = look(world, pid);
	}
	return state;
}

/* ---- tests ---- */

static void a_file_is_asked_for_once(void **state)
{
	struct world *world = *state;

	add_process(world, 1, 1000);
	assert_int_equal(look(world, 1), PW_FILE_ASKED);
	assert_int_equal(look(world, 1), PW_FILE_ASKED);
	assert_int_equal(asked_count, 1);
	answer(1, 0);
	assert_int_equal(look(world, 1), PW_FILE_NOT_GO);
	assert_int_equal(asked_count, 1);
}

static void a_stalled_file_is_tried_once_more_and_only_later(void **state)
{
	struct world *world = *state;
	uint64_t start_ns = pw_now_ns();

	add_process(world, 1, 1000);
	assert_int_equal(look(world, 1), PW_FILE_ASKED);
	answer(1, -ETIMEDOUT);
	assert_int_equal(look(world, 1), PW_FILE_BUSY);
	assert_int_equal(asked_count, 1);
	assert_int_equal(look_until_asked(world, 1, 5 * PW_NS_PER_SEC), PW_FILE_ASKED);
	assert_true(pw_now_ns() - start_ns >= PW_NS_PER_SEC);
	answer(2, -ETIMEDOUT);
	assert_int_equal(look(world, 1), PW_FILE_FAILED);
}

static void who_runs_files_that_stall_stands_back_for_others(void **state)
{
	struct world *world = *state;

	for (int pid = 1; pid <= 5; pid++)
		add_process(world, pid, 1000);
	add_process(world, 6, 1001);
	add_process(world, 7, 1001);
	for (int pid = 1; pid <= 4; pid++)
		assert_int_equal(look(world, pid), PW_FILE_ASKED);
	assert_int_equal(look(world, 6), PW_FILE_ASKED); /* the fifth question: behind four that may each take 3 s */
	answer(1, -ETIMEDOUT);
	for (int64_t id = 2; id <= 4; id++) /* they go back */
		assert_false(is_asked(id));
	assert_true(is_asked(5));
	assert_int_equal(look(world, 2), PW_FILE_BUSY); /* somebody else's is under way */
	assert_int_equal(look(world, 5), PW_FILE_BUSY); /* a new one no less */
	assert_int_equal(look(world, 7), PW_FILE_ASKED);
	answer(5, 0);
	answer(6, 0);
	assert_int_equal(asked_count, 6);
	assert_int_equal(look(world, 2), PW_FILE_ASKED); /* nobody waits: at once, after one stall */
	assert_int_equal(look(world, 3), PW_FILE_BUSY);	 /* but one at a time */
	answer(7, 0);
	assert_int_equal(look(world, 2), PW_FILE_NOT_GO); /* its first try was not held against it */
	assert_int_equal(look(world, 3), PW_FILE_ASKED);
	answer(8, -ETIMEDOUT);
	assert_int_equal(look(world, 4), PW_FILE_BUSY); /* the second stall costs time */
	usleep(2200000);
	assert_int_equal(look(world, 4), PW_FILE_BUSY);
	assert_int_equal(look_until_asked(world, 4, 3 * PW_NS_PER_SEC), PW_FILE_ASKED);
}

static void the_number_of_questions_is_bounded(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i <= PW_DISCOVER_ASKING_MAX; i++) {
		add_process(world, (int)i + 1, 1000);
		assert_int_equal(look(world, (int)i + 1), i < PW_DISCOVER_ASKING_MAX ? PW_FILE_ASKED : PW_FILE_BUSY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_is_asked_for_once, begin, end),
		cmocka_unit_test_setup_teardown(a_stalled_file_is_tried_once_more_and_only_later, begin, end),
		cmocka_unit_test_setup_teardown(who_runs_files_that_stall_stands_back_for_others, begin, end),
		cmocka_unit_test_setup_teardown(the_number_of_questions_is_bounded, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
