/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/builder.h"
#include "model/record.h"
#include "model/stream.h"
#include "output/store.h"
#include "support/records.h"

static char dir[64], path[96];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/parkwatch-store.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/recording", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

/* One run of a daemon: opens, writes two records, closes. cut: bytes that a crash keeps from the disk. */
static void run(bool expect_existing, off_t cut)
{
	struct pw_record_builder *builder;
	struct pw_encoder *encoder;
	struct pw_buf out = PW_BUF_INIT(16U << 20);
	struct pw_why why;
	struct stat status;
	uint64_t seed = 11;
	bool existing;
	int fd = pw_store_open_recording(path, &existing, &why);

	assert_true(fd >= 0);
	assert_int_equal(existing, expect_existing);
	assert_int_equal(pw_record_builder_new(&builder), 0);
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(existing ? pw_encoder_session(encoder, &out) : pw_encoder_header(encoder, &out), 0);
	for (int i = 0; i < 2; i++) {
		struct pw_record *record = random_record(builder, &seed, 1, 10);

		assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
		pw_record_unref(record);
	}
	assert_int_equal(write(fd, out.data, out.size), out.size);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(ftruncate(fd, status.st_size - cut), 0);
	close(fd);
	pw_encoder_free(encoder);
	pw_record_builder_free(builder);
	pw_buf_done(&out);
}

static int read_fd(void *context, void *buffer, size_t size)
{
	return (int)read(*(int *)context, buffer, size);
}

/* Records and targets gone in the file; it must end well. */
static void count_entries(size_t *ret_records, size_t *ret_gone)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), r;
	struct pw_decoder *decoder;
	struct pw_entry entry;
	struct pw_why why;

	*ret_records = *ret_gone = 0;
	assert_int_equal(pw_decoder_new(&decoder, read_fd, &fd), 0);
	while ((r = pw_decoder_next(decoder, &entry, &why)) == 1) {
		*ret_records += entry.kind == PW_ENTRY_RECORD;
		*ret_gone += entry.kind == PW_ENTRY_GONE;
		if (entry.kind == PW_ENTRY_RECORD)
			pw_record_unref(entry.record);
	}
	assert_int_equal(r, 0);
	pw_decoder_free(decoder);
	close(fd);
}

static void restarted_daemon_goes_on_behind_what_a_crash_cut_off(void **state)
{
	size_t records, gone;

	(void)state;
	run(false, 0);
	run(true, 7);
	run(true, 0);
	count_entries(&records, &gone);
	assert_int_equal(records, 2 + 1 + 2);
	assert_int_equal(gone, 2); /* the target of each session that was followed by another */
}

static void second_writer_is_refused(void **state)
{
	struct pw_why why;
	bool existing;
	int fd = pw_store_open_recording(path, &existing, &why);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pw_store_open_recording(path, &existing, &why), -EBUSY);
	close(fd);
}

static void foreign_file_is_left_alone(void **state)
{
	static const char text[] = "somebody's only copy of a thesis";
	char back[sizeof(text)] = "";
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	struct pw_why why;
	bool existing;

	(void)state;
	assert_int_equal(write(fd, text, sizeof(text)), sizeof(text));
	close(fd);
	assert_int_equal(pw_store_open_recording(path, &existing, &why), -EEXIST);
	assert_int_equal(pw_store_open_recording("/dev/null", &existing, &why), -EEXIST);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(read(fd, back, sizeof(back)), sizeof(text));
	assert_string_equal(back, text);
	close(fd);
}

static void recording_damaged_in_the_middle_is_left_alone(void **state)
{
	struct stat before, after;
	struct pw_why why;
	bool existing;
	int fd;

	(void)state;
	run(false, 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "X", 1, 40), 1);
	assert_int_equal(fstat(fd, &before), 0);
	close(fd);
	assert_int_equal(pw_store_open_recording(path, &existing, &why), -EBADMSG);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(restarted_daemon_goes_on_behind_what_a_crash_cut_off, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(second_writer_is_refused, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(foreign_file_is_left_alone, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(recording_damaged_in_the_middle_is_left_alone, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
