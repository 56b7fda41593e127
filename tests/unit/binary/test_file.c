/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/why.h"
#include "binary/file.h"
#include "support/elf_builder.h"

#include <sys/mman.h>

#define SIZE (PW_WINDOW_BLOCK_BYTES * 3 + 100)

/* A file in which the byte at n is n % 251. */
static int numbered_file(size_t size)
{
	int fd = memfd_create("file", MFD_CLOEXEC);
	uint8_t *data = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(i % 251);
	elf_builder_poke(fd, 0, data, size);
	free(data);
	return fd;
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct pw_file file;
	struct pw_why why = {};
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	assert_int_equal(pw_file_init(&file, fd[0], &why), -EBADMSG);
	assert_string_equal(why.text, "not a regular file");
	close(fd[0]);
	close(fd[1]);
	assert_int_equal(pw_file_init(&file, fd[0], &why), -EBADF);
}

static void reads_are_whole_or_fail(void **state)
{
	struct pw_file file;
	uint8_t buffer[64];
	int fd = numbered_file(1000);

	(void)state;
	assert_int_equal(pw_file_init(&file, fd, NULL), 0);
	assert_int_equal(file.size, 1000);
	assert_int_equal(pw_file_read(&file, 936, buffer, 64), 0);
	assert_int_equal(buffer[0], 936 % 251);
	assert_int_equal(pw_file_read(&file, 937, buffer, 64), -EFAULT);
	assert_int_equal(pw_file_read(&file, UINT64_MAX, buffer, 1), -EFAULT);
	assert_int_equal(pw_file_read(&file, UINT64_MAX - 10, buffer, 64), -EFAULT);
	assert_int_equal(pw_file_read(&file, 1000, buffer, 0), 0);
	assert_false(pw_file_holds(&file, 1, UINT64_MAX));
	close(fd);
}

static void a_file_truncated_after_open_is_no_signal_but_an_error(void **state)
{
	struct pw_window *window;
	struct pw_file file;
	uint8_t buffer[64];
	int fd = numbered_file(SIZE);

	(void)state;
	assert_int_equal(pw_file_init(&file, fd, NULL), 0);
	assert_int_equal(pw_window_new(&window, &file), 0);
	elf_builder_truncate(fd, 10);
	assert_int_equal(pw_file_read(&file, 0, buffer, 64), -EFAULT);
	assert_int_equal(pw_window_read(window, 0, buffer, 64), -EFAULT);
	assert_int_equal(pw_window_read(window, 0, buffer, 4), -EFAULT); /* the block is not whole */
	pw_window_free(window);
	close(fd);
}

static void a_window_reads_across_blocks(void **state)
{
	static uint8_t buffer[SIZE];
	struct pw_window *window;
	struct pw_file file;
	const uint8_t *data;
	size_t size;
	int fd = numbered_file(SIZE);

	(void)state;
	assert_int_equal(pw_file_init(&file, fd, NULL), 0);
	assert_int_equal(pw_window_new(&window, &file), 0);
	assert_int_equal(pw_window_read(window, 1, buffer, SIZE - 1), 0);
	for (size_t i = 0; i < SIZE - 1; i++)
		assert_int_equal(buffer[i], (i + 1) % 251);
	assert_int_equal(pw_window_peek(window, SIZE - 7, &data, &size), 0);
	assert_int_equal(size, 7);
	assert_int_equal(data[0], (SIZE - 7) % 251);
	assert_int_equal(pw_window_peek(window, SIZE, &data, &size), -EFAULT);
	assert_int_equal(pw_window_read(window, SIZE - 1, buffer, 2), -EFAULT);
	pw_window_free(window);
	close(fd);
}

static void more_blocks_than_the_window_has_are_read_again(void **state)
{
	size_t blocks = PW_WINDOW_BLOCKS * 2 + 1, size = blocks * PW_WINDOW_BLOCK_BYTES;
	struct pw_window *window;
	struct pw_file file;
	uint8_t byte;
	int fd = numbered_file(size);

	(void)state;
	assert_int_equal(pw_file_init(&file, fd, NULL), 0);
	assert_int_equal(pw_window_new(&window, &file), 0);
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < blocks; i++) {
			uint64_t at = (i * 7 % blocks) * PW_WINDOW_BLOCK_BYTES + round;

			assert_int_equal(pw_window_read(window, at, &byte, 1), 0);
			assert_int_equal(byte, at % 251);
		}
	}
	pw_window_free(window);
	close(fd);
}

static void an_empty_file_has_no_bytes(void **state)
{
	struct pw_window *window;
	struct pw_file file;
	uint8_t byte;
	int fd = numbered_file(0);

	(void)state;
	assert_int_equal(pw_file_init(&file, fd, NULL), 0);
	assert_int_equal(pw_window_new(&window, &file), 0);
	assert_int_equal(pw_window_read(window, 0, &byte, 1), -EFAULT);
	pw_window_free(window);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_regular_file_is_refused),
		cmocka_unit_test(reads_are_whole_or_fail),
		cmocka_unit_test(a_file_truncated_after_open_is_no_signal_but_an_error),
		cmocka_unit_test(a_window_reads_across_blocks),
		cmocka_unit_test(more_blocks_than_the_window_has_are_read_again),
		cmocka_unit_test(an_empty_file_has_no_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
