/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "go/calibrate.h"
#include "go/layout.h"
#include "support/binaries.h"

static const int minors[] = {19, 21, 22, 23, 24, 25, 26, 27};
/* Each with its twin, whose symbols are the truth; a twin of itself is unstripped. */
static const struct {
	const char *flavour, *twin;
} flavours[] = {
	{"plain", "plain"}, {"stripped", "plain"},   {"strip", "plain"},	  {"pie", "pie"},
	{"noopt", "noopt"}, {"pie-stripped", "pie"}, {"external", "external"},	  {"pie-external", "pie-external"},
	{"cgo", "cgo"},	    {"arm64", "arm64"},	     {"arm64-stripped", "arm64"},
};

static void find(const struct test_binary *binary, struct pw_globals *globals, struct pw_why *why)
{
	int expected = 0, found, minor = binary->info.go_minor;
	struct pw_layout layout;

	for (enum pw_global g = 0; g < _PW_GLOBAL_MAX; g++)
		expected += minor >= pw_global_since(g);
	assert_int_equal(pw_layout_for(&layout, pw_elf_arch(binary->elf), minor), 0);
	found = pw_globals_find(globals, binary->elf, binary->table, &layout, why);
	if (found != expected || why->text[0])
		fail_msg("%s: %d of %d globals: %s", binary->path, found, expected, why->text);
}

static void read_key(const struct test_binary *binary, char *key, size_t size)
{
	char path[600];
	FILE *file;

	memset(key, 0, size);
	snprintf(path, sizeof(path), "%s.key", binary->path);
	file = fopen(path, "re");
	if (!file)
		return;
	assert_true(fread(key, 1, size - 1, file) > 0);
	fclose(file);
}

/* scripts/targets notes a hash of sources and recipe beside each program: twins must come from the same. */
static bool same_sources(const struct test_binary *binary, const struct test_binary *twin)
{
	char keys[2][256];

	read_key(binary, keys[0], sizeof(keys[0]));
	read_key(twin, keys[1], sizeof(keys[1]));
	if (!strcmp(keys[0], keys[1]))
		return true;
	print_message("skip - %s and %s are of different sources: run scripts/targets\n", binary->path, twin->path);
	if (getenv("CI"))
		fail_msg("twins of different sources");
	return false;
}

static void compare(const char *name, const char *twin_name)
{
	struct test_binary binary, twin;
	struct pw_globals globals;
	struct pw_why why = {""};
	uint64_t shift = 0; /* -s moves the data of a PIE as a whole */

	if (!test_binary_open(&binary, name))
		return;
	if (test_binary_open(&twin, twin_name)) {
		bool same = same_sources(&binary, &twin);

		find(&binary, &globals, &why);
		for (enum pw_global g = 0; g < _PW_GLOBAL_MAX && same; g++) {
			uint64_t truth = test_binary_symbol(&twin, pw_global_name(g));

			if (binary.info.go_minor < pw_global_since(g)) {
				assert_int_equal(globals.addr[g], 0);
				continue;
			}
			assert_int_not_equal(truth, 0);
			if (g == 0 && pw_elf_is_pie(binary.elf) && !pw_elf_has_symtab(binary.elf))
				shift = globals.addr[g] - truth;
			if (globals.addr[g] != truth + shift)
				fail_msg("%s: %s is at %#lx, not %#lx", name, pw_global_name(g), (unsigned long)truth,
					 (unsigned long)globals.addr[g]);
		}
		test_binary_close(&twin);
	}
	test_binary_close(&binary);
}

static void globals_are_those_of_the_symbol_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(flavours); k++) {
			char name[128], twin[128];

			snprintf(name, sizeof(name), "counts-1.%d-%s", minors[i], flavours[k].flavour);
			snprintf(twin, sizeof(twin), "counts-1.%d-%s", minors[i], flavours[k].twin);
			compare(name, twin);
		}
	}
}

static void all_globals_of_stripped_servers_are_found(void **state)
{
	static const char *const servers[] = {
		"servers/prometheus/usr/bin/prometheus",    "servers/etcd-server/usr/bin/etcd",
		"servers/nats-server/usr/sbin/nats-server", "servers/caddy/usr/bin/caddy",
		"servers/containerd/usr/bin/containerd",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		struct test_binary binary;
		struct pw_globals globals;
		struct pw_why why = {""};

		if (!test_binary_open(&binary, servers[i]))
			continue;
		find(&binary, &globals, &why);
		test_binary_close(&binary);
	}
}

static void globals_have_the_names_of_the_runtime(void **state)
{
	(void)state;
	for (enum pw_global g = 0; g < _PW_GLOBAL_MAX; g++)
		assert_int_equal(strncmp(pw_global_name(g), "runtime.", 8), 0);
	assert_string_equal(pw_global_name(PW_GLOBAL_MHEAP), "runtime.mheap_");
	assert_string_equal(pw_global_name(_PW_GLOBAL_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globals_have_the_names_of_the_runtime),
		cmocka_unit_test(globals_are_those_of_the_symbol_table),
		cmocka_unit_test(all_globals_of_stripped_servers_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
