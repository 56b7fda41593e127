/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the probes go, on every version and way of building that scripts/targets makes and on servers of Debian and
 * npm. That each site is hit exactly once per event was counted with perf uprobes (the integration tests do so with
 * BPF).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/why.h"
#include "go/sites.h"
#include "support/binaries.h"

#define AX   0
#define BX   3
#define CX   1
#define R14  14
#define NONE PW_SITE_REG_NONE

static const int minors[] = {19, 21, 22, 23, 24, 25, 26, 27};

/* The golden table: what is expected of versions [from, to]. arm64 has other instructions and registers, same places.
 */
struct expected {
	enum pw_event event;
	int from, to;
	const char *function;
	const char *instruction[3]; /* amd64, arm64, and another that may be there instead */
	uint8_t g_reg[2], arg_reg[2], caller_missing[2];
};
/* clang-format off */
static const struct expected golden[] = {
	{ PW_EVENT_SPAWN, 17, 27, "runtime.newproc1", { "call", "bl" }, { AX, 0 }, { NONE, NONE }, { 0, 0 } },
	{ PW_EVENT_EXIT, 17, 21, "runtime.goexit0", { "jbe", "b.ls" }, { AX, 0 }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_EXIT, 22, 27, "runtime.gdestroy", { "jbe", "b.ls" }, { AX, 0 }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_PARK, 17, 20, "runtime.gopark", { "nop", "b.eq", "je" }, { R14, 28 }, { CX, 2 }, { 0, 0 } },
	{ PW_EVENT_PARK, 21, 27, "runtime.gopark", { "push rbp", "b.eq", "b.ne" }, { R14, 28 }, { CX, 2 }, { 1, 0 } },
	{ PW_EVENT_GC_START, 17, 27, "runtime.gcResetMarkState", { "jbe", "b.ls" }, { NONE, NONE }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_GC_MARK_TERMINATION, 17, 27, "runtime.gcMark", { "jbe", "b.ls" }, { NONE, NONE }, { AX, 0 }, { 1, 1 } },
	{ PW_EVENT_GC_SWEEP, 17, 27, "runtime.gcSweep", { "jbe", "b.ls" }, { NONE, NONE }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_STW_START, 17, 20, "runtime.stopTheWorldWithSema", { "jbe", "b.ls" }, { NONE, NONE }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_STW_START, 21, 27, "runtime.stopTheWorldWithSema", { "jbe", "b.ls" }, { NONE, NONE }, { AX, 0 }, { 1, 1 } },
	{ PW_EVENT_STW_END, 17, 21, "runtime.startTheWorldWithSema", { "jbe", "b.ls" }, { NONE, NONE }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_STW_END, 22, 27, "runtime.startTheWorldWithSema", { "jbe", "b.ls" }, { NONE, NONE }, { BX, 1 }, { 1, 1 } },
	{ PW_EVENT_RUN, 17, 27, "runtime.execute", { "jbe", "b.ls" }, { AX, 0 }, { NONE, NONE }, { 1, 1 } },
	{ PW_EVENT_ALLOC_SPAN, 17, 20, "runtime.(*mcache).refill", { "jae", "b.hs" }, { NONE, NONE }, { BX, 1 }, { 0, 0 } },
	{ PW_EVENT_ALLOC_SPAN, 21, 27, "runtime.(*mcache).refill", { "push rbp", "b.hs" }, { NONE, NONE }, { BX, 1 }, { 1, 0 } },
	{ PW_EVENT_ALLOC_LARGE, 17, 20, "runtime.(*mcache).allocLarge", { "nop", "b.hi" }, { NONE, NONE }, { BX, 1 }, { 0, 0 } },
	{ PW_EVENT_ALLOC_LARGE, 21, 27, "runtime.(*mcache).allocLarge", { "push rbp", "b.hi" }, { NONE, NONE }, { BX, 1 }, { 1, 0 } },
};
/* clang-format on */

static const struct expected *expect(enum pw_event event, int minor)
{
	for (size_t i = 0; i < ARRAY_SIZE(golden); i++)
		if (golden[i].event == event && minor >= golden[i].from && minor <= golden[i].to)
			return &golden[i];
	fail_msg("nothing is expected of %s in 1.%d", pw_event_name(event), minor);
	return NULL;
}

/* Holds for every site on every binary, whatever the place. */
static void check_consistent(const struct test_binary *binary, enum pw_event event, const struct pw_site *site)
{
	uint8_t bytes[16];
	struct pw_func func;

	assert_in_range(site->insn_size, 1, sizeof(bytes));
	assert_int_equal(pread(binary->fd, bytes, site->insn_size, (off_t)site->file_offset), site->insn_size);
	assert_memory_equal(bytes, site->insn, site->insn_size);
	assert_true(pw_pclntab_func_by_pc(binary->table, site->addr, &func) >= 0);
	assert_string_equal(func.name, site->function);
	assert_int_equal(site->addr - func.entry, site->function_offset);
	if (event == PW_EVENT_SPAWN || event == PW_EVENT_EXIT || event == PW_EVENT_PARK || event == PW_EVENT_RUN)
		assert_int_not_equal(site->g_reg, NONE);
}

static void find(const struct test_binary *binary, struct pw_site *sites)
{
	struct pw_why why = {""};

	if (pw_sites_find(sites, binary->elf, binary->table, binary->info.go_minor, &why) < 0)
		fail_msg("%s: %s", binary->path, why.text);
	for (enum pw_event event = 0; event < _PW_EVENT_MAX; event++)
		if (sites[event].found)
			check_consistent(binary, event, &sites[event]);
}

static bool instruction_fits(const struct expected *want, const char *text, int arch)
{
	const char *const *names = want->instruction;

	if (!strncmp(text, names[arch], strlen(names[arch])))
		return true;
	return names[2] && !strncmp(text, names[2], strlen(names[2]));
}

static bool is_alloc(enum pw_event event)
{
	return event == PW_EVENT_ALLOC_SPAN || event == PW_EVENT_ALLOC_LARGE;
}

static void check_golden(const struct test_binary *binary)
{
	struct pw_site sites[_PW_EVENT_MAX];
	int arch = pw_elf_arch(binary->elf) == PW_ARCH_ARM64;

	find(binary, sites);
	for (enum pw_event event = 0; event < _PW_EVENT_MAX; event++) {
		const struct expected *want = expect(event, binary->info.go_minor);
		const struct pw_site *site = &sites[event];

		if (!site->found || !site->emulated || strcmp(site->function, want->function) ||
		    !instruction_fits(want, site->instruction, arch))
			fail_msg("%s: %s is '%s' in %s (%s)", binary->path, pw_event_name(event), site->instruction,
				 site->function, site->note);
		assert_int_equal(site->g_reg, want->g_reg[arch]);
		assert_int_equal(site->arg_reg, want->arg_reg[arch]);
		assert_int_equal(site->caller_missing, want->caller_missing[arch]);
		assert_int_equal(site->user_g, event == PW_EVENT_PARK || is_alloc(event));
		assert_true(site->counts_coroutines);
		assert_string_equal(site->note, "");
	}
}

static void check_flavours(const char *const *flavours, size_t count)
{
	for (size_t i = 0; i < ARRAY_SIZE(minors); i++) {
		for (size_t k = 0; k < count; k++) {
			struct test_binary binary;
			char name[128];

			snprintf(name, sizeof(name), "counts-1.%d-%s", minors[i], flavours[k]);
			if (!test_binary_open(&binary, name))
				continue;
			check_golden(&binary);
			test_binary_close(&binary);
		}
	}
}

static void every_event_has_its_first_choice_on_every_version_and_flavour(void **state)
{
	static const char *const flavours[] = {"plain",
					       "stripped",
					       "strip",
					       "pie",
					       "pie-stripped",
					       "external",
					       "external-stripped",
					       "pie-external",
					       "pie-external-stripped",
					       "cgo",
					       "cgo-stripped",
					       "pie-cgo-stripped",
					       "noopt"};

	(void)state;
	check_flavours(flavours, ARRAY_SIZE(flavours));
}

static void arm64_has_the_same_places(void **state)
{
	static const char *const flavours[] = {"arm64", "arm64-stripped"};

	(void)state;
	check_flavours(flavours, ARRAY_SIZE(flavours));
}

static void servers_of_debian_and_npm_have_all_first_choices(void **state)
{
	static const char *const servers[] = {
		"servers/prometheus/usr/bin/prometheus",
		"servers/etcd-server/usr/bin/etcd",
		"servers/nats-server/usr/sbin/nats-server",
		"servers/caddy/usr/bin/caddy",
		"servers/containerd/usr/bin/containerd",
		"servers/esbuildlinux-x6402512/package/bin/esbuild",
		"servers/typescriptnative-preview-linux-x64latest/package/lib/tsgo",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		struct test_binary binary;

		if (!test_binary_open(&binary, servers[i]))
			continue;
		check_golden(&binary);
		test_binary_close(&binary);
	}
}

/* Profiles decide what is inlined, so only what must hold for all of them is asked. */
static void profile_guided_builds_count_births_and_deaths_alike(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(minors); i++) {
		struct test_binary binary;
		struct pw_site sites[_PW_EVENT_MAX];
		char name[128];

		snprintf(name, sizeof(name), "counts-1.%d-pgo", minors[i]);
		if (!test_binary_open(&binary, name))
			continue;
		find(&binary, sites);
		for (enum pw_event event = 0; event < _PW_EVENT_MAX; event++) {
			if (!sites[event].found) /* then it says why, and only a stop may be lost */
				assert_true(sites[event].note[0] &&
					    (event == PW_EVENT_STW_START || event == PW_EVENT_STW_END ||
					     event == PW_EVENT_RUN || is_alloc(event)));
			else
				assert_true(sites[event].emulated);
		}
		/* A birth that is counted must be counted as a death; the other way round BPF can tell. */
		assert_true(!sites[PW_EVENT_SPAWN].counts_coroutines || sites[PW_EVENT_EXIT].counts_coroutines);
		test_binary_close(&binary);
	}
}

static void events_have_the_names_that_people_type(void **state)
{
	(void)state;
	assert_string_equal(pw_event_name(PW_EVENT_SPAWN), "spawn");
	assert_string_equal(pw_event_name(PW_EVENT_GC_MARK_TERMINATION), "gc_mark_termination");
	assert_string_equal(pw_event_name(PW_EVENT_RUN), "run");
	assert_string_equal(pw_event_name(PW_EVENT_ALLOC_LARGE), "alloc_large");
	assert_string_equal(pw_event_name(_PW_EVENT_MAX), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_have_the_names_that_people_type),
		cmocka_unit_test(every_event_has_its_first_choice_on_every_version_and_flavour),
		cmocka_unit_test(arm64_has_the_same_places),
		cmocka_unit_test(servers_of_debian_and_npm_have_all_first_choices),
		cmocka_unit_test(profile_guided_builds_count_births_and_deaths_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
