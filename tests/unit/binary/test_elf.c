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
#include "binary/elf.h"
#include "support/elf_builder.h"
#include "support/targets.h"

static const uint8_t code[64] = {0x90};

static struct elf_builder small_program(uint16_t type)
{
	struct elf_builder builder;

	elf_builder_init(&builder, type, EM_X86_64);
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_X, 0x401000, code, sizeof(code));
	return builder;
}

/* Finishes, opens and closes; returns what pw_elf_open returned. On success the caller frees the result. */
static int open_built(struct elf_builder *builder, struct pw_elf **ret_elf, int *ret_fd, struct pw_why *why)
{
	*ret_fd = elf_builder_file(builder);
	elf_builder_done(builder);
	return pw_elf_open(ret_elf, *ret_fd, why);
}

static void assert_refused(struct elf_builder *builder, int expected, const char *sentence)
{
	struct pw_why why = {};
	struct pw_elf *elf;
	int fd;

	assert_int_equal(open_built(builder, &elf, &fd, &why), expected);
	assert_non_null(strstr(why.text, sentence));
	close(fd);
}

static void a_small_program_is_read(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	const struct pw_elf_segment *segments;
	const struct pw_elf_section *section;
	uint8_t buffer[sizeof(code)];
	struct pw_elf *elf;
	uint64_t offset;
	size_t count;
	int fd;

	(void)state;
	elf_builder_section(&builder, ".text", SHT_PROGBITS, &builder.segments[0]);
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_arch(elf), PW_ARCH_AMD64);
	assert_false(pw_elf_is_pie(elf));
	assert_false(pw_elf_is_shared_library(elf));
	assert_int_equal(pw_elf_entry(elf), 0x401000);
	assert_int_equal(pw_elf_dropped(elf), 0);
	segments = pw_elf_segments(elf, &count);
	assert_int_equal(count, 1);
	assert_int_equal(segments[0].flags, PF_R | PF_X);
	section = pw_elf_section(elf, ".text");
	assert_non_null(section);
	assert_int_equal(section->size, sizeof(code));
	assert_null(pw_elf_section(elf, ".data"));
	assert_int_equal(pw_elf_offset(elf, 0x401010, &offset), 0);
	assert_int_equal(offset, segments[0].offset + 0x10);
	assert_int_equal(pw_elf_read(elf, 0x401000, buffer, sizeof(buffer)), 0);
	assert_memory_equal(buffer, code, sizeof(code));
	pw_elf_free(elf);
	close(fd);
}

static void reads_stay_inside_the_file_bytes_of_one_segment(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	uint8_t buffer[sizeof(code) + 1];
	struct pw_elf *elf;
	uint64_t offset;
	int fd;

	(void)state;
	builder.segments[0].p_memsz = 0x2000; /* the rest is zero-filled memory */
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_read(elf, 0x401000, buffer, sizeof(buffer)), -EFAULT);
	assert_int_equal(pw_elf_read(elf, 0x400fff, buffer, 1), -EFAULT);
	assert_int_equal(pw_elf_read(elf, UINT64_MAX, buffer, 8), -EFAULT);
	assert_int_equal(pw_elf_read(elf, 0x401001, buffer, SIZE_MAX), -EFAULT);
	assert_int_equal(pw_elf_offset(elf, 0x401000 + sizeof(code), &offset), -ENODATA);
	assert_int_equal(pw_elf_offset(elf, 0, &offset), -ENODATA);
	pw_elf_free(elf);
	close(fd);
}

static void what_is_no_program_of_ours_is_refused(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);

	(void)state;
	builder.header.e_ident[EI_MAG1] = 'X';
	assert_refused(&builder, -EBADMSG, "not an ELF file");
	builder = small_program(ET_EXEC);
	builder.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_refused(&builder, -ENOTSUP, "64-bit");
	builder = small_program(ET_EXEC);
	builder.header.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_refused(&builder, -ENOTSUP, "little-endian");
	builder = small_program(ET_EXEC);
	builder.header.e_machine = EM_RISCV;
	assert_refused(&builder, -ENOTSUP, "machine 243");
	builder = small_program(ET_REL);
	assert_refused(&builder, -EBADMSG, "not an executable");
	builder = small_program(ET_CORE);
	assert_refused(&builder, -EBADMSG, "not an executable");
}

static void a_file_that_ends_in_its_header_is_refused(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	struct pw_elf *elf;
	int fd = elf_builder_file(&builder);

	(void)state;
	elf_builder_done(&builder);
	for (uint64_t size = 0x1000 + sizeof(code); size-- > 0;) {
		elf_builder_truncate(fd, size);
		assert_int_equal(pw_elf_open(&elf, fd, NULL), -EBADMSG);
	}
	close(fd);
}

static void program_headers_that_lie_are_refused(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);

	(void)state;
	builder.keep_header_counts = true;
	builder.header.e_phnum = 0xffff;
	assert_refused(&builder, -E2BIG, "65535 program headers");
	builder = small_program(ET_EXEC);
	builder.header.e_phentsize = 0;
	assert_refused(&builder, -EBADMSG, "of 0 bytes");
	builder = small_program(ET_EXEC);
	builder.header.e_phoff = UINT64_MAX - 8;
	assert_refused(&builder, -EBADMSG, "outside the file");
	builder = small_program(ET_EXEC);
	builder.keep_header_counts = true; /* e_phnum stays 0 */
	assert_refused(&builder, -EBADMSG, "no loadable segment");
}

static void segments_that_lie_are_dropped_and_counted(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	Elf64_Phdr *segment;
	struct pw_elf *elf;
	size_t count;
	int fd;

	(void)state;
	segment = elf_builder_segment(&builder, PT_LOAD, PF_R, 0x500000, code, sizeof(code));
	segment->p_filesz = segment->p_memsz = UINT64_MAX;
	segment = elf_builder_segment(&builder, PT_LOAD, PF_R, 0x600000, code, sizeof(code));
	segment->p_memsz = 1; /* less than in the file */
	segment = elf_builder_segment(&builder, PT_LOAD, PF_R, 0x700000, code, sizeof(code));
	segment->p_offset = 1ULL << 40;
	segment = elf_builder_segment(&builder, PT_LOAD, PF_R, UINT64_MAX - 8, code, sizeof(code));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	pw_elf_segments(elf, &count);
	assert_int_equal(count, 1);
	assert_int_equal(pw_elf_dropped(elf), 4);
	pw_elf_free(elf);
	close(fd);
}

static void sections_that_lie_are_dropped_and_counted(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	Elf64_Shdr *section;
	struct pw_elf *elf;
	int fd;

	(void)state;
	elf_builder_section(&builder, ".good", SHT_PROGBITS, &builder.segments[0])->sh_entsize = 0;
	section = elf_builder_section(&builder, ".outside", SHT_PROGBITS, &builder.segments[0]);
	section->sh_offset = 1ULL << 40;
	section = elf_builder_section(&builder, ".huge", SHT_PROGBITS, &builder.segments[0]);
	section->sh_size = UINT64_MAX;
	section = elf_builder_section(&builder, ".header", SHT_PROGBITS, &builder.segments[0]);
	section->sh_offset = 0; /* the ELF header itself */
	section = elf_builder_section(&builder, ".zeros", SHT_NOBITS, &builder.segments[0]);
	section->sh_offset = 1ULL << 40; /* has no bytes in the file: may say anything */
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_non_null(pw_elf_section(elf, ".good"));
	assert_non_null(pw_elf_section(elf, ".zeros"));
	assert_null(pw_elf_section(elf, ".outside"));
	assert_null(pw_elf_section(elf, ".huge"));
	assert_null(pw_elf_section(elf, ".header"));
	assert_int_equal(pw_elf_dropped(elf), 3);
	pw_elf_free(elf);
	close(fd);
}

static void section_tables_that_lie_leave_a_file_without_sections(void **state)
{
	static const struct {
		uint16_t entsize, count;
		uint64_t offset;
	} lies[] = {
		{0, 3, 0x1040}, {65, 3, 0x1040}, {64, 3, UINT64_MAX - 63}, {64, 0xffff, 0x1040}, {64, 3, 1ULL << 40}};
	struct pw_elf *elf;
	size_t count;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct elf_builder builder = small_program(ET_EXEC);

		builder.keep_header_counts = true;
		builder.header.e_phnum = 1;
		builder.header.e_shentsize = lies[i].entsize;
		builder.header.e_shnum = lies[i].count;
		builder.header.e_shoff = lies[i].offset;
		builder.header.e_shstrndx = 2;
		assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
		pw_elf_sections(elf, &count);
		assert_int_equal(count, 0);
		assert_int_equal(pw_elf_dropped(elf), lies[i].count);
		pw_elf_free(elf);
		close(fd);
	}
}

static void section_names_from_nowhere_are_empty(void **state)
{
	struct elf_builder builder = small_program(ET_EXEC);
	struct pw_elf *elf;
	size_t count;
	int fd;

	(void)state;
	elf_builder_section(&builder, ".text", SHT_PROGBITS, &builder.segments[0]);
	fd = elf_builder_file(&builder);
	builder.header.e_shstrndx = 0xfff0;
	elf_builder_poke(fd, 0, &builder.header, sizeof(builder.header));
	elf_builder_done(&builder);
	assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
	assert_null(pw_elf_section(elf, ".text"));
	assert_string_equal(pw_elf_sections(elf, &count)->name, "");
	pw_elf_free(elf);
	close(fd);
}

/* flags: what DT_FLAGS_1 says; -1: no PT_DYNAMIC */
static void check_kind(bool interp, int64_t flags, bool is_pie, bool is_library)
{
	struct elf_builder builder = small_program(ET_DYN);
	Elf64_Dyn dynamic[] = {{DT_FLAGS_1, {(uint64_t)flags}}, {DT_NULL, {}}};
	struct pw_elf *elf;
	int fd;

	if (interp)
		elf_builder_segment(&builder, PT_INTERP, PF_R, 0x402000, "/lib64/ld.so", 13);
	if (flags >= 0)
		elf_builder_segment(&builder, PT_DYNAMIC, PF_R, 0x403000, dynamic, sizeof(dynamic));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_is_pie(elf), is_pie);
	assert_int_equal(pw_elf_is_shared_library(elf), is_library);
	pw_elf_free(elf);
	close(fd);
}

static void a_library_is_told_from_a_static_pie(void **state)
{
	(void)state;
	check_kind(true, 0x08000000, true, false);  /* PIE */
	check_kind(true, 0, true, false);	    /* PIE of an old linker */
	check_kind(false, 0x08000000, true, false); /* static PIE */
	check_kind(false, -1, true, false);	    /* packed static PIE */
	check_kind(false, 0, false, true);	    /* c-shared, plugin */
}

static void a_build_is_named_by_the_best_id_that_it_has(void **state)
{
	static const uint8_t gnu[] = {4, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U', 0, 0xde, 0xad, 0xbe, 0xef};
	static const uint8_t go[] = {4,	  0,   0, 0, 5,	  0,   0,   0,	 4,   0, 0, 0,
				     'G', 'o', 0, 0, 'a', '/', 'b', '/', 'c', 0, 0, 0};
	static const uint8_t lies[] = {4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 3, 0, 0, 0, 'G', 'N', 'U', 0, 1};
	struct elf_builder builder = small_program(ET_EXEC);
	char first[96], second[96];
	struct pw_elf *elf;
	int fd;

	(void)state;
	elf_builder_segment(&builder, PT_NOTE, PF_R, 0x402000, go, sizeof(go));
	elf_builder_segment(&builder, PT_NOTE, PF_R, 0x403000, gnu, sizeof(gnu));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_string_equal(pw_elf_build_id(elf), "gnu:deadbeef");
	pw_elf_free(elf);
	close(fd);

	builder = small_program(ET_EXEC);
	elf_builder_segment(&builder, PT_NOTE, PF_R, 0x402000, go, sizeof(go));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_memory_equal(pw_elf_build_id(elf), "go:", 3);
	assert_int_equal(strlen(pw_elf_build_id(elf)), 3 + 32);
	pw_elf_free(elf);
	close(fd);

	builder = small_program(ET_EXEC);
	elf_builder_segment(&builder, PT_NOTE, PF_R, 0x402000, lies, sizeof(lies));
	fd = elf_builder_file(&builder);
	elf_builder_done(&builder);
	assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
	assert_memory_equal(pw_elf_build_id(elf), "hash:", 5);
	strcpy(first, pw_elf_build_id(elf));
	pw_elf_free(elf);
	elf_builder_poke(fd, 0x1000 + 5, "x", 1); /* one byte of the code */
	assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
	strcpy(second, pw_elf_build_id(elf));
	assert_string_not_equal(first, second);
	pw_elf_free(elf);
	close(fd);
}

/* Relocations of a PIE, not in order, one of another type; the value in the file is nonsense. */
static void pointers_of_a_pie_come_from_its_relocations(void **state)
{
	static const uint64_t words[4] = {0xbad, 0xbad, 0x1234, 0xbad};
	const Elf64_Rela relocs[] = {
		{0x600008, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0x2222},
		{0x600000, ELF64_R_INFO(0, R_X86_64_RELATIVE), 0x1111},
		{0x600018, ELF64_R_INFO(0, R_X86_64_64), 0x3333},
	};
	const Elf64_Dyn dynamic[] = {{DT_RELASZ, {sizeof(relocs)}}, {DT_RELA, {0x700000}}, {DT_NULL, {}}};
	struct elf_builder builder = small_program(ET_DYN);
	struct pw_elf *elf;
	uint64_t value, vaddr;
	size_t cursor = 0;
	int fd;

	(void)state;
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, 0x600000, words, sizeof(words));
	elf_builder_segment(&builder, PT_LOAD, PF_R, 0x700000, relocs, sizeof(relocs));
	elf_builder_segment(&builder, PT_DYNAMIC, PF_R, 0x708000, dynamic, sizeof(dynamic));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600000, &value), 0);
	assert_int_equal(value, 0x1111);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600008, &value), 0);
	assert_int_equal(value, 0x2222);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600010, &value), 0); /* as with RELR: in place */
	assert_int_equal(value, 0x1234);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600018, &value), 0);
	assert_int_equal(value, 0xbad);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600019, &value), -EFAULT);
	assert_int_equal(pw_elf_find_relocated(elf, 0x2222, &cursor, &vaddr), 0);
	assert_int_equal(vaddr, 0x600008);
	assert_int_equal(pw_elf_find_relocated(elf, 0x2222, &cursor, &vaddr), -ENODATA);
	pw_elf_free(elf);
	close(fd);
}

static void a_relocation_table_that_lies_counts_as_none(void **state)
{
	static const uint64_t words[2] = {0x1234};
	const Elf64_Dyn dynamic[] = {{DT_RELA, {0x600000}}, {DT_RELASZ, {UINT64_MAX}}, {DT_NULL, {}}};
	struct elf_builder builder = small_program(ET_DYN);
	struct pw_elf *elf;
	uint64_t value;
	int fd;

	(void)state;
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, 0x600000, words, sizeof(words));
	elf_builder_segment(&builder, PT_DYNAMIC, PF_R, 0x708000, dynamic, sizeof(dynamic));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_read_pointer(elf, 0x600000, &value), 0);
	assert_int_equal(value, 0x1234);
	pw_elf_free(elf);
	close(fd);
}

struct scanned {
	uint64_t first;
	size_t bytes;
};

static int count_scanned(void *context, uint64_t vaddr, const uint8_t *data, size_t size)
{
	struct scanned *scanned = context;

	(void)data;
	assert_int_equal(vaddr % 16, 0);
	if (!scanned->bytes)
		scanned->first = vaddr;
	scanned->bytes += size;
	return 0;
}

static void a_scan_sees_aligned_chunks_of_the_wanted_segments(void **state)
{
	static const uint8_t data[100];
	struct elf_builder builder = small_program(ET_EXEC);
	struct scanned scanned = {};
	struct pw_elf *elf;
	int fd;

	(void)state;
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, 0x600005, data, sizeof(data));
	assert_int_equal(open_built(&builder, &elf, &fd, NULL), 0);
	assert_int_equal(pw_elf_scan(elf, PF_W, PF_W, 1 << 20, count_scanned, &scanned), 0);
	assert_int_equal(scanned.first, 0x600010);
	assert_int_equal(scanned.bytes, sizeof(data) - 11);
	scanned = (struct scanned){};
	assert_int_equal(pw_elf_scan(elf, PF_W, PF_W, 32, count_scanned, &scanned), 0);
	assert_int_equal(scanned.bytes, 32);
	pw_elf_free(elf);
	close(fd);
}

static void real_programs_are_what_their_flavour_says(void **state)
{
	static const struct {
		const char *flavour;
		bool pie, symbols;
	} flavours[] = {{"plain", false, true},
			{"stripped", false, false},
			{"pie-stripped", true, false},
			{"external-stripped", false, false},
			{"pie-external-stripped", true, false},
			{"arm64", false, true},
			{"arm64-stripped", false, false}};
	struct pw_elf *elf;

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++) {
			bool arm64 = !strncmp(flavours[i].flavour, "arm64", 5);
			int fd = target_open("waits", target_versions[v], flavours[i].flavour);

			assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
			assert_int_equal(pw_elf_arch(elf), arm64 ? PW_ARCH_ARM64 : PW_ARCH_AMD64);
			assert_int_equal(pw_elf_is_pie(elf), flavours[i].pie);
			assert_false(pw_elf_is_shared_library(elf));
			assert_int_equal(pw_elf_has_symtab(elf), flavours[i].symbols);
			assert_int_equal(pw_elf_has_dwarf(elf), flavours[i].symbols);
			assert_int_equal(pw_elf_dropped(elf), 0);
			assert_true(!strncmp(pw_elf_build_id(elf), "gnu:", 4) ||
				    !strncmp(pw_elf_build_id(elf), "go:", 3));
			pw_elf_free(elf);
			close(fd);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_program_is_read),
		cmocka_unit_test(reads_stay_inside_the_file_bytes_of_one_segment),
		cmocka_unit_test(what_is_no_program_of_ours_is_refused),
		cmocka_unit_test(a_file_that_ends_in_its_header_is_refused),
		cmocka_unit_test(program_headers_that_lie_are_refused),
		cmocka_unit_test(segments_that_lie_are_dropped_and_counted),
		cmocka_unit_test(sections_that_lie_are_dropped_and_counted),
		cmocka_unit_test(section_tables_that_lie_leave_a_file_without_sections),
		cmocka_unit_test(section_names_from_nowhere_are_empty),
		cmocka_unit_test(a_library_is_told_from_a_static_pie),
		cmocka_unit_test(a_build_is_named_by_the_best_id_that_it_has),
		cmocka_unit_test(pointers_of_a_pie_come_from_its_relocations),
		cmocka_unit_test(a_relocation_table_that_lies_counts_as_none),
		cmocka_unit_test(a_scan_sees_aligned_chunks_of_the_wanted_segments),
		cmocka_unit_test(real_programs_are_what_their_flavour_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
