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
#include "binary/buildinfo.h"
#include "binary/elf.h"
#include "support/go_builder.h"
#include "support/targets.h"

#define FRAME_START "\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6"
#define FRAME_END   "\xf9\x32\x43\x31\x86\x18\x20\x72\x11\x82\x42\x10\x41\x16\xd8\xf2"
#define MODULES                                                                                                      \
	"path\texample.org/cmd/server\nmod\texample.org/server\tv1.2.3\th1:abc\ndep\texample.org/dep\tv9.9.9\n"      \
	"build\t-buildmode=pie\nbuild\tCGO_ENABLED=1\nbuild\tGOEXPERIMENT=rangefunc\nbuild\tvcs.revision=0123abcd\n" \
	"build\tvcs.modified=true\n"

static int read_fd(int fd, struct pw_buildinfo *info, struct pw_why *why)
{
	struct pw_elf *elf;
	int r = pw_elf_open(&elf, fd, NULL);

	assert_int_equal(r, 0);
	r = pw_buildinfo_read(info, elf, why);
	pw_elf_free(elf);
	close(fd);
	return r;
}

static int read_built(struct go_builder *go, struct pw_buildinfo *info)
{
	int fd = go_builder_finish(go);

	elf_builder_done(&go->elf);
	return read_fd(fd, info, NULL);
}

static void check_modules(enum go_format format, bool pie, bool without_sections)
{
	static struct go_builder go;
	struct pw_buildinfo info;

	go_builder_init(&go, format, pie);
	go.version = format == GO_117 ? "go1.17.13" : "go1.24.4";
	go.modules = FRAME_START MODULES FRAME_END;
	go.without_sections = without_sections;
	assert_int_equal(read_built(&go, &info), 0);
	assert_string_equal(info.go_version, go.version);
	assert_int_equal(info.go_minor, format == GO_117 ? 17 : 24);
	assert_string_equal(info.main_path, "example.org/cmd/server");
	assert_string_equal(info.module, "example.org/server");
	assert_string_equal(info.module_version, "v1.2.3");
	assert_string_equal(info.build_mode, "pie");
	assert_string_equal(info.experiments, "rangefunc");
	assert_string_equal(info.revision, "0123abcd");
	assert_true(info.modified);
	assert_true(info.cgo);
}

static void every_format_gives_module_and_settings(void **state)
{
	(void)state;
	for (int pie = 0; pie < 2; pie++) {
		for (int without_sections = 0; without_sections < 2; without_sections++) {
			check_modules(GO_117, pie, without_sections);
			check_modules(GO_124, pie, without_sections);
		}
	}
}

static void the_minor_version_is_told_from_every_way_of_writing_it(void **state)
{
	static const struct {
		const char *text, *version, *experiments;
		int minor;
	} versions[] = {
		{"go1.27.3", "go1.27.3", "", 27},
		{"go1.21", "go1.21", "", 21},
		{"go1.21rc2", "go1.21rc2", "", 21},
		{"go1.18beta1", "go1.18beta1", "", 18},
		{"go1.22.1-microsoft", "go1.22.1-microsoft", "", 22},
		{"go1.22-20240109-RC01 cl/597041403 +dcbe772469 X:loopvar",
		 "go1.22-20240109-RC01 cl/597041403 +dcbe772469", "loopvar", 22},
		{"go1.25.1 X:nodwarf5,synctest", "go1.25.1", "nodwarf5,synctest", 25},
		{"devel go1.28-abcdef0 Fri Jan 2 03:04:05 2026 +0000",
		 "devel go1.28-abcdef0 Fri Jan 2 03:04:05 2026 +0000", "", 28},
		{"devel +abcdef0", "devel +abcdef0", "", -1},
		{"go2.1", "go2.1", "", -1},
		{"go1.", "go1.", "", -1},
		{"go1.2000", "go1.2000", "", -1},
		{"go1.21x", "go1.21x", "", -1},
	};
	static struct go_builder go;
	struct pw_buildinfo info;

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		go_builder_init(&go, GO_124, false);
		go.version = versions[i].text;
		assert_int_equal(read_built(&go, &info), 0);
		assert_string_equal(info.go_version, versions[i].version);
		assert_string_equal(info.experiments, versions[i].experiments);
		assert_int_equal(info.go_minor, versions[i].minor);
		assert_string_equal(info.module, "");
	}
}

static void a_constant_with_the_magic_in_front_is_passed_over(void **state)
{
	static struct go_builder go;
	struct pw_buildinfo info;

	(void)state;
	go_builder_init(&go, GO_124, false);
	go.version = "go1.24.4";
	go.without_sections = true;
	memcpy(go.data + 0x400, "\xff Go buildinf:\x08\x02", 16); /* followed by zeros: an empty version */
	memcpy(go.data + 0x600, "\xff Go buildinf:\x08\x03", 16); /* big endian */
	assert_int_equal(read_built(&go, &info), 0);
	assert_string_equal(info.go_version, "go1.24.4");
}

static void build_info_that_lies_is_malformed(void **state)
{
	static struct go_builder go;
	struct pw_buildinfo info;
	struct pw_why why = {};
	int fd;

	(void)state;
	for (int lie = 0; lie < 4; lie++) {
		static const char *const lies[] = {"\xff\xff\xff\xff\xff\xff", "\xff\x7f", "\x05perl5",
						   "\x08go1.\x1b[1m"};

		go_builder_init(&go, GO_124, false);
		go.version = "";
		fd = go_builder_finish(&go);
		/* without a table that the fallback could take */
		elf_builder_poke(fd, go.elf.segments[1].p_offset, "\0\0\0\0", 4);
		elf_builder_poke(fd, go.elf.segments[2].p_offset + (GO_BLOB - GO_DATA) + 32, lies[lie],
				 strlen(lies[lie]));
		elf_builder_done(&go.elf);
		assert_int_equal(read_fd(fd, &info, &why), -EBADMSG);
		assert_string_equal(why.text, "its Go build info cannot be read");
	}
}

static void a_module_list_without_its_frame_counts_as_absent(void **state)
{
	static struct go_builder go;
	struct pw_buildinfo info;

	(void)state;
	go_builder_init(&go, GO_124, false);
	go.version = "go1.24.4";
	go.modules = "path\texample.org/cmd/server\nmod\texample.org/server\tv1.2.3\n";
	assert_int_equal(read_built(&go, &info), 0);
	assert_string_equal(info.main_path, "");
}

static void strings_that_are_too_long_are_cut(void **state)
{
	static struct go_builder go;
	char modules[1024] = FRAME_START "path\t", *at = modules + 16 + 5;
	struct pw_buildinfo info;

	(void)state;
	memset(at, 'p', 600);
	strcpy(at + 600, "\n" FRAME_END);
	go_builder_init(&go, GO_124, false);
	go.version = "go1.24.4";
	go.modules = modules;
	assert_int_equal(read_built(&go, &info), 0);
	assert_int_equal(strlen(info.main_path), sizeof(info.main_path) - 1);
}

static void another_program_is_not_go(void **state)
{
	struct elf_builder builder;
	struct pw_buildinfo info;
	struct pw_why why = {};
	uint8_t code[64] = {0x90};
	int fd;

	(void)state;
	elf_builder_init(&builder, ET_EXEC, EM_X86_64);
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_X, 0x401000, code, sizeof(code));
	elf_builder_segment(&builder, PT_LOAD, PF_R | PF_W, 0x402000, code, sizeof(code));
	fd = elf_builder_file(&builder);
	elf_builder_done(&builder);
	assert_int_equal(read_fd(fd, &info, &why), -ENODATA);
	assert_non_null(strstr(why.text, "not a Go program"));
}

static void real_programs_name_version_and_module(void **state)
{
	static const char *const flavours[] = {"stripped", "pie-stripped", "external-stripped", "pie-external-stripped",
					       "arm64-stripped"};
	struct pw_buildinfo info;
	char prefix[16];

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++) {
			assert_int_equal(read_fd(target_open("waits", target_versions[v], flavours[i]), &info, NULL),
					 0);
			snprintf(prefix, sizeof(prefix), "go%s", target_versions[v]);
			assert_memory_equal(info.go_version, prefix, strlen(prefix));
			assert_int_equal(info.go_minor, atoi(target_versions[v] + 2));
			assert_string_equal(info.main_path, "parkwatch.test/targets/waits");
			assert_string_equal(info.module, "parkwatch.test/targets");
			assert_int_equal(info.cgo, !!strstr(flavours[i], "external"));
		}
	}
}

/* As esbuild is shipped. */
static void without_build_info_the_runtime_tells_the_version(void **state)
{
	static const char *const flavours[] = {"stripped", "pie-stripped", "external-stripped", "arm64-stripped"};
	struct pw_buildinfo info;
	struct pw_elf *elf;
	uint64_t offset;
	char prefix[16];

	(void)state;
	for (size_t v = 0; target_versions[v]; v++) {
		for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++) {
			const char *path = target_path("waits", target_versions[v], flavours[i]);
			int fd;

			target_need(path);
			fd = elf_builder_copy(path);
			assert_int_equal(pw_elf_open(&elf, fd, NULL), 0);
			offset = pw_elf_section(elf, ".go.buildinfo")->offset;
			pw_elf_free(elf);
			elf_builder_poke(fd, offset, "removed", 7);
			assert_int_equal(read_fd(fd, &info, NULL), 0);
			snprintf(prefix, sizeof(prefix), "go%s", target_versions[v]);
			assert_memory_equal(info.go_version, prefix, strlen(prefix));
			assert_int_equal(info.go_minor, atoi(target_versions[v] + 2));
			assert_string_equal(info.module, "");
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_format_gives_module_and_settings),
		cmocka_unit_test(the_minor_version_is_told_from_every_way_of_writing_it),
		cmocka_unit_test(a_constant_with_the_magic_in_front_is_passed_over),
		cmocka_unit_test(build_info_that_lies_is_malformed),
		cmocka_unit_test(a_module_list_without_its_frame_counts_as_absent),
		cmocka_unit_test(strings_that_are_too_long_are_cut),
		cmocka_unit_test(another_program_is_not_go),
		cmocka_unit_test(real_programs_name_version_and_module),
		cmocka_unit_test(without_build_info_the_runtime_tells_the_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
