/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/why.h"
#include "binary/core.h"
#include "support/core_builder.h"
#include "support/elf_builder.h"

#define TEXT  0x400000ULL
#define HEAP  0xc000000000ULL
#define STACK 0x7ffc00000000ULL

static const uint8_t page[4096] = {1};
static const struct core_file_entry files[] = {
	{0x7f0000000000, 0x7f0000001000, 0, "/lib/ld.so"},
	{TEXT, TEXT + 0x2000, 0, "/usr/bin/program"},
	{TEXT + 0x2000, TEXT + 0x4000, 2, "/usr/bin/program"},
};

/* The first page of an executable with a Go build ID. */
static void build_header(uint8_t first[4096], const char *id)
{
	Elf64_Ehdr elf = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			  .e_type = ET_EXEC,
			  .e_machine = EM_X86_64,
			  .e_phoff = sizeof(elf),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 1};
	Elf64_Phdr program = {.p_type = PT_NOTE, .p_offset = 0x800};

	memset(first, 0, 4096);
	program.p_filesz = sizeof(Elf64_Nhdr) + 4 + (strlen(id) + 3) / 4 * 4;
	memcpy(first, &elf, sizeof(elf));
	memcpy(first + sizeof(elf), &program, sizeof(program));
	memcpy(first + 0x800, &(Elf64_Nhdr){4, (uint32_t)strlen(id), 4}, sizeof(Elf64_Nhdr));
	memcpy(first + 0x800 + sizeof(Elf64_Nhdr), "Go\0", 4);
	memcpy(first + 0x800 + sizeof(Elf64_Nhdr) + 4, id, strlen(id));
}

static void put_notes(struct elf_builder *builder, const struct core_notes *notes)
{
	elf_builder_segment(builder, PT_NOTE, 0, 0, notes->bytes, notes->size);
}

/* As the kernel writes it: text left out but for its first page, the rest dumped. */
static struct elf_builder whole_core(void)
{
	static const Elf64_auxv_t auxv[] = {{AT_PHDR, {TEXT + 0x40}}, {AT_ENTRY, {TEXT + 0x1000}}};
	struct core_notes notes = {};
	struct elf_builder builder;
	uint8_t first[4096];

	elf_builder_init(&builder, ET_CORE, EM_X86_64);
	core_note_thread(&notes, 4712, TEXT + 0x1234, HEAP + 0x100);
	core_note_process(&notes, 4711, "program");
	core_note_auxv(&notes, auxv, 2);
	core_note_files(&notes, 4096, files, 3);
	core_note(&notes, "LINUX", 0x202, page, 64);
	core_note_thread(&notes, 4713, TEXT + 0x1238, HEAP + 0x200);
	put_notes(&builder, &notes);
	build_header(first, "id of this build");
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_X, TEXT, first, sizeof(first))->p_memsz = 0x2000;
	elf_builder_segment(&builder, PT_LOAD, PF_R, TEXT + 0x2000, NULL, 0)->p_memsz = 0x2000;
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, HEAP, page, sizeof(page));
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, STACK, page, sizeof(page));
	return builder;
}

static int read_built(struct elf_builder *builder, struct pw_core *ret_core, struct pw_why *why)
{
	int fd = elf_builder_file(builder), r = pw_core_read(ret_core, fd, why);

	elf_builder_done(builder);
	close(fd);
	return r;
}

static void assert_refused(struct elf_builder *builder, int expected, const char *sentence)
{
	struct pw_core core;
	struct pw_why why = {};

	assert_int_equal(read_built(builder, &core, &why), expected);
	assert_non_null(strstr(why.text, sentence));
}

static void a_core_says_who_it_was_and_where_its_memory_is(void **state)
{
	struct elf_builder builder = whole_core();
	const struct pw_core_segment *segment;
	struct pw_core core;

	(void)state;
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.arch, PW_ARCH_AMD64);
	assert_int_equal(core.pid, 4711);
	assert_string_equal(core.process, "program");
	assert_string_equal(core.exe, "/usr/bin/program");
	assert_int_equal(core.entry, TEXT + 0x1000);
	assert_int_equal(core.missing_bytes, 0);
	assert_int_equal(core.dropped, 0);
	assert_int_equal(core.threads.count, 2);
	assert_int_equal(core.threads.items[1].tid, 4713);
	assert_int_equal(core.threads.items[1].pc, TEXT + 0x1238);
	assert_int_equal(core.threads.items[1].sp, HEAP + 0x200);
	assert_int_equal(core.threads.items[1].lr, 0);
	assert_int_equal(core.mappings.count, 2);
	assert_int_equal(core.mappings.items[1].offset, 0x2000);
	assert_int_equal(core.segments.count, 4);
	segment = pw_core_segment_at(&core, HEAP + 4095);
	assert_non_null(segment);
	assert_true(segment->writable && segment->held == 4096);
	assert_null(pw_core_segment_at(&core, HEAP + 4096));
	assert_null(pw_core_segment_at(&core, 0));
	assert_int_equal(pw_core_segment_at(&core, TEXT + 0x1fff)->held, 4096);
	pw_core_done(&core);
}

static void threads_of_arm64_have_a_register_of_return_addresses(void **state)
{
	struct core_notes notes = {};
	struct elf_builder builder;
	struct pw_core core;

	(void)state;
	elf_builder_init(&builder, ET_CORE, EM_AARCH64);
	core_note_process(&notes, 4711, "program");
	core_note_thread_arm64(&notes, 4712, TEXT + 0x1234, HEAP + 0x100, TEXT + 0x1800);
	put_notes(&builder, &notes);
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, HEAP, page, sizeof(page));
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.arch, PW_ARCH_ARM64);
	assert_int_equal(core.threads.count, 1);
	assert_int_equal(core.threads.items[0].tid, 4712);
	assert_int_equal(core.threads.items[0].pc, TEXT + 0x1234);
	assert_int_equal(core.threads.items[0].sp, HEAP + 0x100);
	assert_int_equal(core.threads.items[0].lr, TEXT + 0x1800);
	pw_core_done(&core);
}

static void the_build_id_is_read_from_the_headers_in_memory(void **state)
{
	struct elf_builder one = whole_core(), same = whole_core(), other = whole_core();
	struct pw_core first, second, third;

	(void)state;
	memcpy(other.data + (other.segments[1].p_offset - 0x1000) + 0x800 + sizeof(Elf64_Nhdr) + 4, "ID", 2);
	assert_int_equal(read_built(&one, &first, NULL), 0);
	assert_int_equal(read_built(&same, &second, NULL), 0);
	assert_int_equal(read_built(&other, &third, NULL), 0);
	assert_int_equal(strncmp(first.build_id, "go:", 3), 0);
	assert_string_equal(first.build_id, second.build_id);
	assert_string_not_equal(first.build_id, third.build_id);
	pw_core_done(&first);
	pw_core_done(&second);
	pw_core_done(&third);
}

static void without_a_table_of_files_the_name_on_the_stack_is_taken(void **state)
{
	static const Elf64_auxv_t auxv[] = {{AT_EXECFN, {STACK + 16}}, {AT_ENTRY, {TEXT + 0x1000}}};
	struct core_notes notes = {};
	struct elf_builder builder;
	uint8_t stack[64] = {};
	struct pw_core core;

	(void)state;
	elf_builder_init(&builder, ET_CORE, EM_X86_64);
	core_note(&notes, "", NT_PRSTATUS, page, 336); /* dlv writes no name; a thread without number is none */
	core_note_auxv(&notes, auxv, 2);
	put_notes(&builder, &notes);
	strcpy((char *)stack + 16, "/usr/bin/x");
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, STACK, stack, sizeof(stack));
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_string_equal(core.exe, "/usr/bin/x");
	assert_string_equal(core.build_id, "");
	assert_int_equal(core.threads.count, 0);
	pw_core_done(&core);
}

static void a_cut_core_is_counted_to_the_byte(void **state)
{
	struct elf_builder builder = whole_core();
	uint64_t end = builder.segments[3].p_offset + 100; /* in the heap, before the stack */
	struct pw_core core;
	int fd = elf_builder_file(&builder);

	(void)state;
	elf_builder_done(&builder);
	elf_builder_truncate(fd, end);
	assert_int_equal(pw_core_read(&core, fd, NULL), 0);
	assert_int_equal(core.missing_bytes, (4096 - 100) + 4096);
	assert_int_equal(pw_core_segment_at(&core, HEAP)->held, 100);
	assert_true(pw_core_segment_at(&core, HEAP)->cut);
	assert_int_equal(pw_core_segment_at(&core, STACK)->held, 0);
	pw_core_done(&core);
	close(fd);
}

static void every_length_of_a_core_is_read_or_refused(void **state)
{
	struct elf_builder builder = whole_core();
	int fd = elf_builder_file(&builder);
	uint64_t size = 0x1000 + builder.size;

	(void)state;
	elf_builder_done(&builder);
	for (; size; size -= size > 0x2000 ? 97 : 1) {
		struct pw_core core;
		struct pw_why why = {};

		elf_builder_truncate(fd, size);
		if (pw_core_read(&core, fd, &why))
			assert_true(why.text[0]);
		else
			pw_core_done(&core);
	}
	close(fd);
}

static void what_is_no_core_is_called_by_its_name(void **state)
{
	struct elf_builder builder = whole_core();
	struct pw_core core;
	struct pw_why why = {};
	int fd;

	(void)state;
	builder.header.e_type = ET_DYN;
	assert_refused(&builder, -EBADMSG, "executable or a library");
	builder = whole_core();
	builder.header.e_machine = EM_386;
	assert_refused(&builder, -ENOTSUP, "machine 3");
	builder = whole_core();
	builder.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused(&builder, -ENOTSUP, "64-bit");
	builder = whole_core();
	builder.header.e_phentsize = 32;
	assert_refused(&builder, -EBADMSG, "program headers of 32");
	builder = whole_core();
	builder.header.e_phoff = UINT64_MAX - 8;
	assert_refused(&builder, -EBADMSG, "outside the file");
	builder = whole_core();
	memcpy(builder.header.e_ident, "\x28\xb5\x2f\xfd", 4);
	assert_refused(&builder, -EBADMSG, "zstd -d");
	builder = whole_core();
	fd = elf_builder_file(&builder);
	elf_builder_done(&builder);
	elf_builder_truncate(fd, 0);
	assert_int_equal(pw_core_read(&core, fd, &why), -EBADMSG);
	close(fd);
}

static void segments_that_lie_are_left_out(void **state)
{
	struct elf_builder builder = whole_core();
	struct pw_core core;

	(void)state;
	builder.segments[1].p_vaddr = UINT64_MAX - 8;
	builder.segments[2].p_memsz = 1ULL << 60;
	builder.segments[3].p_filesz = 1ULL << 60; /* more than it has in memory */
	builder.segments[4].p_offset = 1ULL << 62; /* behind the end: cut */
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.segments.count, 1);
	assert_int_equal(core.segments.items[0].start, STACK);
	assert_int_equal(core.segments.items[0].held, 0);
	assert_int_equal(core.missing_bytes, 4096);
	assert_int_equal(core.dropped, 2);
	pw_core_done(&core);
}

static void of_segments_that_overlap_each_byte_has_one_place(void **state)
{
	struct elf_builder builder;
	struct pw_core core;
	uint64_t end = 0;

	(void)state;
	elf_builder_init(&builder, ET_CORE, EM_X86_64);
	elf_builder_segment(&builder, PT_LOAD, PF_R, HEAP + 0x800, page, sizeof(page));
	elf_builder_segment(&builder, PT_LOAD, PF_R, HEAP, page, sizeof(page));
	elf_builder_segment(&builder, PT_LOAD, PF_R, HEAP + 0x100, page, 16); /* inside another one */
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.segments.count, 2);
	assert_int_equal(core.dropped, 2);
	for (size_t i = 0; i < core.segments.count; i++) {
		assert_true(core.segments.items[i].start >= end);
		end = core.segments.items[i].start + core.segments.items[i].size;
	}
	assert_int_equal(end, HEAP + 0x1800);
	assert_int_equal(core.segments.items[1].held, 0x800);
	pw_core_done(&core);
}

static void notes_that_lie_end_the_reading_of_notes(void **state)
{
	struct elf_builder builder;
	struct core_notes notes = {};
	struct pw_core core;

	(void)state;
	elf_builder_init(&builder, ET_CORE, EM_X86_64);
	core_note_thread(&notes, 1, 2, 3);
	core_note_thread(&notes, 4, 5, 6);
	memset(notes.bytes + 12 + 8 + 336 + 4, 0xff, 4); /* the size of the second one */
	core_note_thread(&notes, 7, 8, 9);
	put_notes(&builder, &notes);
	elf_builder_segment(&builder, PT_LOAD, PF_R, HEAP, page, sizeof(page));
	builder.segments[0].p_filesz = 1ULL << 60;
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.threads.count, 1);
	assert_int_equal(core.dropped, 2); /* that it is too long, and that the second note is */
	pw_core_done(&core);
}

static void a_table_of_files_that_lies_names_no_executable(void **state)
{
	static const uint64_t lies[][2] = {{1ULL << 60, 4096}, {UINT64_MAX, UINT64_MAX}, {3, 1ULL << 63}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		static const Elf64_auxv_t auxv[] = {{AT_PHDR, {TEXT + 0x2040}}};
		struct core_notes notes = {};
		struct elf_builder builder;
		struct pw_core core;

		elf_builder_init(&builder, ET_CORE, EM_X86_64);
		core_note_auxv(&notes, auxv, 1);
		core_note_files(&notes, 4096, files, 3);
		memcpy(notes.bytes + 12 + 8 + 32 + 12 + 8, lies[i], sizeof(lies[i]));
		put_notes(&builder, &notes);
		elf_builder_segment(&builder, PT_LOAD, PF_R, HEAP, page, sizeof(page));
		assert_int_equal(read_built(&builder, &core, NULL), 0);
		assert_string_equal(core.exe, "");
		assert_int_equal(core.mappings.count, 0);
		pw_core_done(&core);
	}
}

static void more_segments_than_the_header_can_say_are_counted_elsewhere(void **state)
{
	struct elf_builder builder = whole_core();
	Elf64_Shdr first = {.sh_info = (uint32_t)builder.segment_count};
	struct pw_core core;

	(void)state;
	builder.keep_header_counts = true;
	builder.header.e_phnum = PN_XNUM;
	builder.header.e_shoff = elf_builder_segment(&builder, PT_NULL, 0, 0, &first, sizeof(first))->p_offset;
	assert_int_equal(read_built(&builder, &core, NULL), 0);
	assert_int_equal(core.segments.count, 4);
	pw_core_done(&core);
	builder = whole_core();
	builder.keep_header_counts = true;
	builder.header.e_phnum = PN_XNUM;
	builder.header.e_shoff = 1ULL << 60;
	assert_refused(&builder, -EBADMSG, "number of its segments");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_core_says_who_it_was_and_where_its_memory_is),
		cmocka_unit_test(threads_of_arm64_have_a_register_of_return_addresses),
		cmocka_unit_test(the_build_id_is_read_from_the_headers_in_memory),
		cmocka_unit_test(without_a_table_of_files_the_name_on_the_stack_is_taken),
		cmocka_unit_test(a_cut_core_is_counted_to_the_byte),
		cmocka_unit_test(every_length_of_a_core_is_read_or_refused),
		cmocka_unit_test(what_is_no_core_is_called_by_its_name),
		cmocka_unit_test(segments_that_lie_are_left_out),
		cmocka_unit_test(of_segments_that_overlap_each_byte_has_one_place),
		cmocka_unit_test(notes_that_lie_end_the_reading_of_notes),
		cmocka_unit_test(a_table_of_files_that_lies_names_no_executable),
		cmocka_unit_test(more_segments_than_the_header_can_say_are_counted_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
