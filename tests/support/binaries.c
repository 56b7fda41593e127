/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/binaries.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/why.h"

static void find_path(char *path, size_t size, const char *name)
{
	const char *cache = getenv("PARKWATCH_CACHE"), *home = getenv("HOME");
	char fallback[256];

	snprintf(fallback, sizeof(fallback), "%s/.cache/parkwatch", home ? home : "/root");
	if (!cache || !*cache)
		cache = fallback;
	if (name[0] == '/')
		snprintf(path, size, "%s", name);
	else
		snprintf(path, size, "%s/%s%s", cache, strncmp(name, "servers/", 8) ? "targets/" : "", name);
}

static void say_missing(const char *name)
{
	char behaviour[64] = "", version[16] = "", flavour[64] = "";

	if (sscanf(name, "%63[^-]-%15[^-]-%63s", behaviour, version, flavour) == 3 && strncmp(name, "servers/", 8))
		print_message("skip - %s is missing: run scripts/targets %s %s %s\n", name, behaviour, version,
			      flavour);
	else
		print_message("skip - %s is missing: run scripts/servers\n", name);
	if (getenv("CI"))
		fail_msg("%s is missing", name);
}

static void *read_section(const struct test_binary *binary, const char *name, uint64_t *ret_size)
{
	const struct pw_elf_section *section = pw_elf_section(binary->elf, name);
	void *bytes;

	if (!section || section->size == 0)
		return NULL;
	bytes = malloc(section->size + 1);
	assert_non_null(bytes);
	assert_int_equal(pread(binary->fd, bytes, section->size, (off_t)section->offset), section->size);
	((char *)bytes)[section->size] = '\0';
	*ret_size = section->size;
	return bytes;
}

bool test_binary_open(struct test_binary *binary, const char *name)
{
	struct pw_why why = {""};

	memset(binary, 0, sizeof(*binary));
	find_path(binary->path, sizeof(binary->path), name);
	binary->fd = open(binary->path, O_RDONLY | O_CLOEXEC);
	if (binary->fd < 0) {
		say_missing(name);
		return false;
	}
	if (pw_elf_open(&binary->elf, binary->fd, &why) < 0 ||
	    pw_buildinfo_read(&binary->info, binary->elf, &why) < 0 ||
	    pw_pclntab_open(&binary->table, binary->elf, binary->info.go_minor, &why) < 0)
		fail_msg("%s: %s", binary->path, why.text);
	if (pw_elf_has_symtab(binary->elf)) {
		binary->symbols = read_section(binary, ".symtab", &binary->symbols_size);
		binary->strings = read_section(binary, ".strtab", &binary->strings_size);
	}
	return true;
}

void test_binary_close(struct test_binary *binary)
{
	free(binary->symbols);
	free(binary->strings);
	pw_pclntab_free(binary->table);
	pw_elf_free(binary->elf);
	close(binary->fd);
}

uint64_t test_binary_symbol(const struct test_binary *binary, const char *name)
{
	for (uint64_t at = 0; binary->symbols && binary->strings && at + 24 <= binary->symbols_size; at += 24) {
		uint32_t name_offset;
		uint64_t value;

		memcpy(&name_offset, binary->symbols + at, sizeof(name_offset));
		memcpy(&value, binary->symbols + at + 8, sizeof(value));
		if (name_offset < binary->strings_size && !strcmp(binary->strings + name_offset, name))
			return value;
	}
	return 0;
}
