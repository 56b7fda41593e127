/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A real program with bytes flipped in its code, its function table and its headers: whatever is found, nothing may be
 * read out of bounds, and what is found must lie in the file. Deterministic: xorshift with a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "go/calibrate.h"
#include "go/layout.h"
#include "go/sites.h"
#include "support/binaries.h"

#define ROUNDS 40

static uint64_t seed = 0x9e3779b97f4a7c15;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static uint8_t *load(const struct test_binary *binary, size_t *ret_size)
{
	off_t size = lseek(binary->fd, 0, SEEK_END);
	uint8_t *bytes = malloc((size_t)size);

	assert_non_null(bytes);
	assert_int_equal(pread(binary->fd, bytes, (size_t)size, 0), size);
	*ret_size = (size_t)size;
	return bytes;
}

static void look_at_everything(struct pw_elf *elf, const struct pw_pclntab *table, int go_minor)
{
	struct pw_site sites[_PW_EVENT_MAX];
	struct pw_wait_reasons reasons;
	struct pw_globals globals;
	struct pw_layout layout;
	struct pw_why why = {""};

	assert_int_equal(pw_layout_for(&layout, PW_ARCH_AMD64, go_minor), 0);
	pw_layout_calibrate(&layout, elf, table, &why);
	for (int f = 0; f < _PW_FIELD_MAX; f++)
		assert_true(layout.offset[f] >= PW_OFFSET_NONE && layout.offset[f] < 0x400000);
	pw_globals_find(&globals, elf, table, &layout, &why);
	if (pw_wait_reasons_read(&reasons, elf, table, go_minor, &why) >= 0)
		for (size_t i = 0; i < reasons.count; i++)
			assert_true(memchr(reasons.name[i], '\0', PW_WAIT_REASON_SIZE) != NULL);
	if (pw_sites_find(sites, elf, table, go_minor, &why) < 0)
		return;
	for (enum pw_event event = 0; event < _PW_EVENT_MAX; event++) {
		uint64_t offset;

		if (!sites[event].found) {
			assert_true(sites[event].note[0] != '\0');
			continue;
		}
		assert_int_equal(pw_elf_offset(elf, sites[event].addr, &offset), 0);
		assert_int_equal(offset, sites[event].file_offset);
	}
}

static void one_round(const uint8_t *bytes, size_t size, uint64_t from, uint64_t length, unsigned int flips)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);
	struct pw_pclntab *table = NULL;
	struct pw_elf *elf = NULL;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	for (unsigned int i = 0; i < flips; i++) {
		uint8_t byte = (uint8_t)next_random();

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(from + next_random() % length)), 1);
	}
	if (pw_elf_open(&elf, fd, NULL) >= 0 && pw_pclntab_open(&table, elf, 24, NULL) >= 0)
		look_at_everything(elf, table, 24);
	pw_pclntab_free(table);
	pw_elf_free(elf);
	close(fd);
}

static void flip_section(const char *name, unsigned int flips)
{
	struct test_binary binary;
	const struct pw_elf_section *section;
	uint8_t *bytes;
	size_t size;

	if (!test_binary_open(&binary, "counts-1.24-plain"))
		skip();
	bytes = load(&binary, &size);
	section = pw_elf_section(binary.elf, name);
	assert_non_null(section);
	for (int i = 0; i < ROUNDS; i++)
		one_round(bytes, size, section->offset, section->size, 1 + (unsigned int)(next_random() % flips));
	free(bytes);
	test_binary_close(&binary);
}

static void flipped_code_is_no_danger(void **state)
{
	(void)state;
	flip_section(".text", 60000); /* a tenth of all bytes */
}

static void a_flipped_function_table_is_no_danger(void **state)
{
	(void)state;
	flip_section(".gopclntab", 20000);
}

static void flipped_data_is_no_danger(void **state)
{
	(void)state;
	flip_section(".data", 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flipped_code_is_no_danger),
		cmocka_unit_test(a_flipped_function_table_is_no_danger),
		cmocka_unit_test(flipped_data_is_no_danger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
