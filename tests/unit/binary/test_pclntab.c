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

#include "base/why.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "binary/file.h"
#include "support/go_builder.h"
#include "support/targets.h"

#include <elf.h>

struct opened {
	int fd;
	struct pw_elf *elf;
	struct pw_pclntab *table;
};

static int open_fd(struct opened *opened, int fd, int go_minor, struct pw_why *why)
{
	*opened = (struct opened){.fd = fd};
	assert_int_equal(pw_elf_open(&opened->elf, fd, NULL), 0);
	return pw_pclntab_open(&opened->table, opened->elf, go_minor, why);
}

static void close_all(struct opened *opened)
{
	pw_pclntab_free(opened->table);
	pw_elf_free(opened->elf);
	close(opened->fd);
}

static int open_built(struct opened *opened, struct go_builder *go)
{
	int fd = go_builder_finish(go);

	elf_builder_done(&go->elf);
	return open_fd(opened, fd, (int)go->format, NULL);
}

static void open_target(struct opened *opened, const char *behaviour, const char *version, const char *flavour)
{
	int fd = target_open(behaviour, version, flavour);

	assert_int_equal(open_fd(opened, fd, atoi(version + 2), NULL), 0);
}

static const enum go_format formats[] = {GO_117, GO_119, GO_124, GO_127};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

static void check_functions(const struct pw_pclntab *table)
{
	struct pw_func func;

	assert_int_equal(pw_pclntab_count(table), 3);
	assert_int_equal(pw_pclntab_text(table), GO_TEXT);
	assert_int_equal(pw_pclntab_etext(table), GO_TEXT + 0x200);
	assert_int_equal(pw_pclntab_moduledata(table), GO_DATA);
	assert_int_equal(pw_pclntab_func(table, 0, &func), 0);
	assert_true(func.wrapper);
	assert_int_equal(pw_pclntab_func(table, 3, &func), -EBADMSG);
	assert_int_equal(pw_pclntab_func_by_name(table, "runtime.gopark", &func), 0);
	assert_int_equal(func.entry, GO_TEXT + 0x40);
	assert_int_equal(func.end, GO_TEXT + 0x100);
	assert_int_equal(func.index, 1);
	assert_int_equal(func.flag, 1);
	assert_false(func.wrapper);
	assert_int_equal(pw_pclntab_func_by_name(table, "runtime.gopar", &func), -ENODATA);
	assert_int_equal(pw_pclntab_func_by_name(table, "main.inner", &func), -ENODATA); /* inlined only */
	assert_int_equal(pw_pclntab_func_by_pc(table, GO_TEXT + 0xff, &func), 0);
	assert_string_equal(func.name, "runtime.gopark");
	assert_int_equal(pw_pclntab_func_by_pc(table, GO_TEXT + 0x100, &func), 0);
	assert_string_equal(func.name, "main.main");
	assert_int_equal(pw_pclntab_func_by_pc(table, GO_TEXT - 1, &func), -ENODATA);
	assert_int_equal(pw_pclntab_func_by_pc(table, GO_TEXT + 0x200, &func), -ENODATA);
}

static void check_frame(const struct pw_frame_ref *frame, const char *function, const char *file, uint32_t line,
			bool inlined)
{
	assert_string_equal(frame->function, function);
	assert_string_equal(frame->file, file);
	assert_int_equal(frame->line, line);
	assert_int_equal(frame->inlined, inlined);
}

static void check_frames(const struct pw_pclntab *table)
{
	struct pw_frame_ref frames[4];
	uint32_t size;

	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x5f, frames, 4), 1);
	check_frame(&frames[0], "runtime.gopark", "/src/runtime/proc.go", 381, false);
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x60, frames, 4), 1);
	assert_int_equal(frames[0].line, 402);
	assert_int_equal(frames[0].entry, GO_TEXT + 0x40);
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x155, frames, 4), 2);
	check_frame(&frames[0], "main.inner", "/src/inner.go", 8, true);
	check_frame(&frames[1], "main.main", "/src/main.go", 12, false);
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x155, frames, 1), 1); /* no room: the physical one */
	assert_string_equal(frames[0].function, "main.main");
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x160, frames, 4), 1);
	check_frame(&frames[0], "main.main", "/src/main.go", 13, false);
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT + 0x200, frames, 4), -ENODATA);
	assert_int_equal(pw_pclntab_frames(table, GO_TEXT, frames, 4), 1); /* a wrapper without any table */
	check_frame(&frames[0], "runtime.gopark", "?", 0, false);
	assert_int_equal(pw_pclntab_frame_size(table, GO_TEXT + 0x4f, &size), 0);
	assert_int_equal(size, 0);
	assert_int_equal(pw_pclntab_frame_size(table, GO_TEXT + 0x50, &size), 0);
	assert_int_equal(size, 0x20);
	assert_int_equal(pw_pclntab_frame_size(table, GO_TEXT + 0x100, &size), -ENODATA);
}

static void every_format_is_read_with_and_without_sections_and_relocations(void **state)
{
	static struct go_builder go;
	struct opened opened;

	(void)state;
	for (size_t i = 0; i < FORMATS * 4; i++) {
		go_builder_init(&go, formats[i / 4], i & 1);
		go.without_sections = i & 2;
		assert_int_equal(open_built(&opened, &go), 0);
		check_functions(opened.table);
		check_frames(opened.table);
		close_all(&opened);
	}
}

static void a_table_whose_caches_were_dropped_is_read_again(void **state)
{
	static struct go_builder go;
	struct opened opened;

	(void)state;
	go_builder_init(&go, GO_117, true);
	assert_int_equal(open_built(&opened, &go), 0);
	for (int round = 0; round < 3; round++) {
		check_functions(opened.table);
		check_frames(opened.table);
		pw_pclntab_drop_caches(opened.table);
		pw_elf_drop_caches(opened.elf);
	}
	close_all(&opened);
}

static void where_the_inline_tree_lies_the_function_is_still_named(void **state)
{
	static struct go_builder go;
	struct pw_frame_ref frames[4];
	struct opened opened;

	(void)state;
	for (size_t i = 0; i < FORMATS; i++) {
		go_builder_init(&go, formats[i], false);
		memset(go.tables + (GO_FUNCDATA - GO_TABLES) + 0x10, 0x7f, 20);
		assert_int_equal(open_built(&opened, &go), 0);
		assert_int_equal(pw_pclntab_frames(opened.table, GO_TEXT + 0x155, frames, 4), 1);
		check_frame(&frames[0], "main.main", "?", 0, false);
		close_all(&opened);
	}
}

static void a_version_that_nobody_knows_is_read_by_what_the_tables_say(void **state)
{
	static const struct {
		enum go_format format;
		int minor;
	} guesses[] = {{GO_124, -1}, {GO_127, -1}, {GO_127, 99}, {GO_119, -1}};
	static struct go_builder go;
	struct pw_frame_ref frames[4];
	struct opened opened;

	(void)state;
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		go_builder_init(&go, guesses[i].format, false);
		assert_int_equal(open_fd(&opened, go_builder_finish(&go), guesses[i].minor, NULL), 0);
		elf_builder_done(&go.elf);
		assert_int_equal(pw_pclntab_frames(opened.table, GO_TEXT + 0x155, frames, 4), 2);
		close_all(&opened);
	}
}

static void refuse(struct go_builder *go, int expected, const char *sentence)
{
	struct pw_why why = {};
	struct opened opened;
	int fd = go_builder_finish(go);

	elf_builder_done(&go->elf);
	assert_int_equal(open_fd(&opened, fd, (int)go->format, &why), expected);
	assert_non_null(strstr(why.text, sentence));
	close_all(&opened);
}

static void tables_that_lie_are_refused_with_the_reason(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		int r;
		const char *sentence;
	} lies[] = {
		{0x00, 0x0801000012345678, -ENODATA, "no function table"}, /* magic */
		{0x00, 0x08010000fffffffb, -ENOTSUP, "Go 1.15 or earlier"},
		{0x00, 0x04010000fffffff1, -ENODATA, "no function table"}, /* 32-bit */
		{0x00, 0x08040000fffffff1, -ENODATA, "no function table"}, /* minLC of another machine */
		{0x08, 0, -EBADMSG, "no moduledata fits"},		   /* functions */
		{0x08, UINT64_MAX, -EBADMSG, "no moduledata fits"},
		{0x08, 4, -EBADMSG, "no moduledata fits"},
		{0x20, UINT64_MAX, -EBADMSG, "no moduledata fits"}, /* offset of names */
		{0x40, UINT64_MAX, -EBADMSG, "no moduledata fits"}, /* of functions */
		{0x40, 16, -EBADMSG, "no moduledata fits"},
	};
	static struct go_builder go;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		go_builder_init(&go, GO_124, false);
		memcpy(go.tables + lies[i].at, &lies[i].value, 8);
		refuse(&go, lies[i].r, lies[i].sentence);
	}
}

static void a_table_behind_the_end_of_its_segment_is_refused(void **state)
{
	static struct go_builder go;
	uint64_t far = sizeof(go.tables) - 16;

	(void)state;
	go_builder_init(&go, GO_124, false);
	memcpy(go.tables + 0x40, &far, 8); /* functions: 16 bytes before the end, ftab needs 32 */
	refuse(&go, -EBADMSG, "says 3 functions");
}

static void moduledata_must_point_to_the_table_in_all_ways(void **state)
{
	static const size_t fields[] = {0x00, 0x08, 0x88, 0xb8};
	static struct go_builder go;

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		go_builder_init(&go, GO_127, false);
		go.data[fields[i]]++;
		if (fields[i] == 0xb8) /* etext below text */
			memset(go.data + 0xb8, 0, 8);
		refuse(&go, -EBADMSG, "no moduledata fits");
	}
}

static void a_pointer_to_the_table_by_chance_is_no_moduledata(void **state)
{
	static struct go_builder go;
	struct opened opened;
	uint64_t pointer = GO_TABLES;

	(void)state;
	for (int pie = 0; pie < 2; pie++) {
		go_builder_init(&go, GO_124, pie);
		memmove(go.data + 0x1000, go.data, 0x300);
		memset(go.data, 0, 0x300);
		for (size_t i = 0; i < 5; i++)
			memcpy(go.data + i * 0x40, &pointer, 8);
		assert_int_equal(open_built(&opened, &go), 0);
		assert_int_equal(pw_pclntab_moduledata(opened.table), GO_DATA + 0x1000);
		close_all(&opened);
	}
}

/* Every byte of the tables is set to values that lie; whatever is answered, it ends, and reads nothing outside. */
static void no_byte_of_the_tables_can_do_harm(void **state)
{
	static struct go_builder go;
	static const uint8_t values[] = {0x00, 0x7f, 0xff};
	struct pw_frame_ref frames[8];
	struct pw_func func;
	struct opened opened;
	uint32_t size;

	(void)state;
	for (size_t f = 0; f < FORMATS; f++) {
		go_builder_init(&go, formats[f], false);
		int fd = go_builder_finish(&go);
		uint64_t offset = go.elf.segments[1].p_offset;

		elf_builder_done(&go.elf);
		for (size_t at = 0; at < 0x400; at++) {
			for (size_t v = 0; v < sizeof(values); v++) {
				elf_builder_poke(fd, offset + at, &values[v], 1);
				if (!open_fd(&opened, fd, (int)formats[f], NULL)) {
					for (uint64_t pc = GO_TEXT; pc < GO_TEXT + 0x200; pc += 0x15) {
						int n = pw_pclntab_frames(opened.table, pc, frames, 8);

						assert_true(n <= 8);
						for (int i = 0; i < n; i++)
							assert_true(strlen(frames[i].function) +
									    strlen(frames[i].file) <
								    8192);
						(void)!pw_pclntab_frame_size(opened.table, pc, &size);
					}
					(void)!pw_pclntab_func_by_name(opened.table, "main.main", &func);
				}
				pw_pclntab_free(opened.table);
				pw_elf_free(opened.elf);
			}
			elf_builder_poke(fd, offset + at, go.tables + at, 1);
		}
		close(fd);
	}
}

static const char *const stripped_flavours[] = {"stripped", "pie-stripped", "pie-external-stripped"};

/* The symbol table of the twin that was not stripped is the judge: same version and sources, so the same addresses. */
static size_t compare_with_symbols(const struct pw_pclntab *table, const struct pw_elf *twin)
{
	const struct pw_elf_section *sections;
	const struct pw_elf_section *symbols = pw_elf_section(twin, ".symtab"),
				    *names = pw_elf_section(twin, ".strtab");
	size_t count, compared = 0;
	Elf64_Sym symbol;
	char name[512];
	struct pw_func func;

	sections = pw_elf_sections(twin, &count);
	assert_true(count && sections && symbols && names);
	for (uint64_t at = 0; at < symbols->size; at += sizeof(symbol)) {
		assert_int_equal(pw_file_read(pw_elf_file(twin), symbols->offset + at, &symbol, sizeof(symbol)), 0);
		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || !symbol.st_size ||
		    names->size - symbol.st_name < sizeof(name))
			continue;
		assert_int_equal(pw_file_read(pw_elf_file(twin), names->offset + symbol.st_name, name, sizeof(name)),
				 0);
		name[sizeof(name) - 1] = '\0';
		if (strchr(name, '[') || strlen(name) > 500)
			continue; /* the table has "[...]" for generics up to 1.20 */
		if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, ".abi0"))
			name[strlen(name) - 5] = '\0';
		assert_int_equal(pw_pclntab_func_by_pc(table, symbol.st_value, &func), 0);
		assert_int_equal(func.entry, symbol.st_value);
		if (strstr(func.name, "\302\267"))
			continue; /* in 1.19 the symbol table has "." for a middle dot */
		assert_string_equal(func.name, name);
		compared++;
	}
	return compared;
}

static void stripped_programs_have_the_functions_of_their_unstripped_twins(void **state)
{
	struct opened opened, twin;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		open_target(&opened, "waits", target_versions[v], "stripped");
		open_target(&twin, "waits", target_versions[v], "plain");
		assert_int_equal(pw_pclntab_count(opened.table), pw_pclntab_count(twin.table));
		assert_true(compare_with_symbols(opened.table, twin.elf) > 1000);
		close_all(&opened);
		close_all(&twin);
		open_target(&opened, "waits", target_versions[v], "arm64-stripped");
		open_target(&twin, "waits", target_versions[v], "arm64");
		assert_true(compare_with_symbols(opened.table, twin.elf) > 1000);
		close_all(&opened);
		close_all(&twin);
	}
}

/* "[go.shape.int]" -> "[...]", as the runtime shows it. */
static void shorten(const char *name, char *to, size_t size)
{
	const char *open = strchr(name, '['), *close = strrchr(name, ']');

	if (open && close)
		snprintf(to, size, "%.*s[...]%s", (int)(open - name), name, close + 1);
	else
		snprintf(to, size, "%s", name);
}

struct printed {
	uint64_t pc;
	char text[1024]; /* "function file:line" */
};

/* The frames of one pc must be what the program printed from this frame on, wrappers left out. */
static size_t compare_frames(const struct pw_pclntab *table, const struct printed *printed, size_t left)
{
	struct pw_frame_ref frames[16];
	char name[512], text[1024];
	size_t seen = 0;
	int n = pw_pclntab_frames(table, printed[0].pc, frames, 16);

	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		if (i && frames[i].wrapper)
			continue;
		shorten(frames[i].function, name, sizeof(name));
		snprintf(text, sizeof(text), "%s %s:%u", name, frames[i].file, frames[i].line);
		assert_true(seen < left);
		assert_string_equal(text, printed[seen].text);
		seen++;
	}
	return seen;
}

static void compare_stack(const struct pw_pclntab *table, const struct printed *stack, size_t count, size_t *inlined)
{
	for (size_t i = 0; i < count; i++)
		*inlined += compare_frames(table, stack + i, count - i) > 1;
}

static void compare_output(const struct pw_pclntab *table, FILE *output)
{
	static struct printed stack[64];
	size_t count = 0, stacks = 0, inlined = 0;
	uint64_t bias = 0, address;
	struct pw_func func;
	char line[2048], *end;

	assert_int_equal(pw_pclntab_func_by_name(table, "main.main", &func), 0);
	while (fgets(line, sizeof(line), output)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "entry %lx", &address) == 1)
			bias = address - func.entry;
		if (!strcmp(line, "stack")) {
			compare_stack(table, stack, count, &inlined);
			count = 0;
			stacks++;
		}
		if (strncmp(line, "frame ", 6) || count == 64)
			continue;
		stack[count].pc = strtoull(line + 6, &end, 16) - bias;
		snprintf(stack[count++].text, sizeof(stack[0].text), "%s", end + 1);
	}
	compare_stack(table, stack, count, &inlined);
	assert_int_equal(stacks, 8);
	assert_true(inlined > 10);
}

static void frames_are_what_the_runtime_itself_says(void **state)
{
	struct opened opened;
	FILE *output;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < 3; i++) {
			open_target(&opened, "symbols", target_versions[v], stripped_flavours[i]);
			output = popen(target_path("symbols", target_versions[v], stripped_flavours[i]), "r");
			assert_non_null(output);
			compare_output(opened.table, output);
			assert_int_equal(pclose(output), 0);
			close_all(&opened);
		}
	}
}

/* Nothing at the entry, and whole words in the middle of every function. */
static void frame_sizes_are_there_for_every_function(void **state)
{
	static const char *const flavours[] = {"stripped", "pie-external-stripped", "arm64-stripped"};
	struct opened opened;
	struct pw_func func;
	uint32_t size;
	size_t found;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < 3; i++) {
			open_target(&opened, "waits", target_versions[v], flavours[i]);
			found = 0;
			for (size_t n = 0; n < pw_pclntab_count(opened.table); n++) {
				assert_int_equal(pw_pclntab_func(opened.table, n, &func), 0);
				if (pw_pclntab_frame_size(opened.table, func.entry, &size))
					continue;
				assert_int_equal(size, 0);
				found++;
				if (pw_pclntab_frame_size(opened.table, (func.entry + func.end) / 2 & ~3ULL, &size) < 0)
					continue;
				assert_int_equal(size % 8, 0);
			}
			assert_true(found > pw_pclntab_count(opened.table) * 9 / 10);
			close_all(&opened);
		}
	}
}

/* runtime.call32 .. call1073741824 have a frame of that many bytes and one word (two on arm64, which keeps SP aligned).
 */
static void frame_sizes_are_what_the_function_names_say(void **state)
{
	struct opened opened;
	struct pw_func func;
	char name[64];
	uint32_t size;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (int arm64 = 0; arm64 < 2; arm64++) {
			open_target(&opened, "waits", target_versions[v], arm64 ? "arm64-stripped" : "stripped");
			for (uint32_t bytes = 32; bytes <= 1 << 30; bytes *= 2) {
				snprintf(name, sizeof(name), "runtime.call%u", bytes);
				assert_int_equal(pw_pclntab_func_by_name(opened.table, name, &func), 0);
				assert_int_equal(
					pw_pclntab_frame_size(opened.table, (func.entry + func.end) / 2 & ~3ULL, &size),
					0);
				assert_int_equal(size, bytes + (arm64 ? 16 : 8));
			}
			close_all(&opened);
		}
	}
}

/* What is left when section headers are cut off, as packers and some strippers do. */
static void programs_without_section_headers_are_read_the_same(void **state)
{
	static const char *const flavours[] = {"stripped", "pie-stripped", "pie-external-stripped", "arm64-stripped"};
	static const uint8_t zeros[6];
	struct opened opened, whole;
	struct pw_func func, expected;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < 4; i++) {
			const char *path = target_path("waits", target_versions[v], flavours[i]);
			int fd;

			target_need(path);
			fd = elf_builder_copy(path);
			elf_builder_poke(fd, offsetof(Elf64_Ehdr, e_shentsize), zeros, 6);
			assert_int_equal(open_fd(&opened, fd, atoi(target_versions[v] + 2), NULL), 0);
			open_target(&whole, "waits", target_versions[v], flavours[i]);
			assert_int_equal(pw_pclntab_moduledata(opened.table), pw_pclntab_moduledata(whole.table));
			assert_int_equal(pw_pclntab_func_by_name(opened.table, "runtime.gopark", &func), 0);
			assert_int_equal(pw_pclntab_func_by_name(whole.table, "runtime.gopark", &expected), 0);
			assert_int_equal(func.entry, expected.entry);
			close_all(&opened);
			close_all(&whole);
		}
	}
}

/* Cut at many lengths: refused or read, never more than that. */
static void truncated_programs_do_no_harm(void **state)
{
	const char *path = target_path("waits", "1.24", "stripped");
	struct opened opened;
	struct pw_func func;
	int fd, r;
	off_t size;

	(void)state;
	target_need(path);
	fd = elf_builder_copy(path);
	size = lseek(fd, 0, SEEK_END);
	for (off_t at = size; at > 64; at -= size / 40 + 13) {
		elf_builder_truncate(fd, (uint64_t)at);
		opened = (struct opened){.fd = fd};
		if (pw_elf_open(&opened.elf, fd, NULL))
			continue;
		r = pw_pclntab_open(&opened.table, opened.elf, 24, NULL);
		if (!r)
			(void)!pw_pclntab_func_by_name(opened.table, "runtime.gopark", &func);
		pw_pclntab_free(opened.table);
		pw_elf_free(opened.elf);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_is_read_with_and_without_sections_and_relocations),
		cmocka_unit_test(a_table_whose_caches_were_dropped_is_read_again),
		cmocka_unit_test(where_the_inline_tree_lies_the_function_is_still_named),
		cmocka_unit_test(a_version_that_nobody_knows_is_read_by_what_the_tables_say),
		cmocka_unit_test(tables_that_lie_are_refused_with_the_reason),
		cmocka_unit_test(a_table_behind_the_end_of_its_segment_is_refused),
		cmocka_unit_test(moduledata_must_point_to_the_table_in_all_ways),
		cmocka_unit_test(a_pointer_to_the_table_by_chance_is_no_moduledata),
		cmocka_unit_test(no_byte_of_the_tables_can_do_harm),
		cmocka_unit_test(stripped_programs_have_the_functions_of_their_unstripped_twins),
		cmocka_unit_test(frames_are_what_the_runtime_itself_says),
		cmocka_unit_test(frame_sizes_are_there_for_every_function),
		cmocka_unit_test(frame_sizes_are_what_the_function_names_say),
		cmocka_unit_test(programs_without_section_headers_are_read_the_same),
		cmocka_unit_test(truncated_programs_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
