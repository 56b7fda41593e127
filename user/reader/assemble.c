/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Build facts: binary and go say what is in the file, this file asks them in the right order and turns what is missing
 * into sentences for `parkwatch ps`: what does not work, and what to do about it.
 */
#include "reader/assemble.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "binary/pclntab.h"
#include "reader/opened.h"

/* Cuts what does not fit: these are sentences for people. */
static void say(char *text, size_t size, const char *fmt, ...) pw_printf_like(3, 4);
static void say(char *text, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, size, fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
}
#define SAY(field, ...) say((field), sizeof(field), __VA_ARGS__)

static void note(struct pw_build_facts *facts, const char *fmt, ...) pw_printf_like(2, 3);
static void note(struct pw_build_facts *facts, const char *fmt, ...)
{
	size_t used = strlen(facts->notes);
	va_list args;

	if (used && used + 2 < sizeof(facts->notes)) {
		memcpy(facts->notes + used, "; ", 3);
		used += 2;
	}
	va_start(args, fmt);
	if (vsnprintf(facts->notes + used, sizeof(facts->notes) - used, fmt, args) < 0)
		facts->notes[used] = '\0';
	va_end(args);
}

static uint64_t entry_of(const struct pw_pclntab *table, const char *name)
{
	struct pw_func func;

	return pw_pclntab_func_by_name(table, name, &func) ? 0 : func.entry;
}

#define OTHERS_AMONG_RUNTIME 256 /* so many functions of other names in a row end the runtime; seen: at most 20 */

static bool is_runtime(const struct pw_pclntab *table, size_t index, struct pw_func *ret_func)
{
	return !pw_pclntab_func(table, index, ret_func) && strncmp(ret_func->name, "runtime.", 8) == 0;
}

static bool add_range(struct pw_build_facts *facts, const struct pw_func *func)
{
	struct pw_address_range *last =
		facts->runtime_range_count ? &facts->runtime_ranges[facts->runtime_range_count - 1] : NULL;

	if (func->end <= func->entry || (last && func->entry < last->end))
		return true;
	if (last && last->end == func->entry) {
		last->end = func->end;
		return true;
	}
	if (facts->runtime_range_count == PW_RUNTIME_RANGES_MAX) {
		note(facts, "the runtime's functions are scattered: some system goroutines count as the program's");
		return false;
	}
	facts->runtime_ranges[facts->runtime_range_count++] = (struct pw_address_range){func->entry, func->end};
	return true;
}

/* runtime.isSystemGoroutine (src/runtime/traceback.go, go1.19 to 1.27) goes by name: "runtime." and some exceptions. */
static void find_system_functions(struct pw_build_facts *facts, const struct pw_pclntab *table)
{
	size_t count = pw_pclntab_count(table), first, last;
	struct pw_func func;

	facts->runtime_main = entry_of(table, "runtime.main");
	facts->runtime_corostart = entry_of(table, "runtime.corostart");
	facts->runtime_handle_async_event = entry_of(table, "runtime.handleAsyncEvent");
	facts->runtime_runfinq = entry_of(table, "runtime.runFinalizers"); /* 1.25 and later */
	if (!facts->runtime_runfinq)
		facts->runtime_runfinq = entry_of(table, "runtime.runfinq");
	facts->runtime_run_cleanups = entry_of(table, "runtime.runCleanups");
	/* The linker goes by the first one, from 1.23 on by the second (cmd/link/internal/ld/deadcode.go). */
	facts->has_mem_profile = entry_of(table, "runtime.MemProfile") || entry_of(table, "runtime.memProfileInternal");

	if (pw_pclntab_func_by_name(table, "runtime.main", &func))
		return;
	/* The linker keeps the functions of a package together; those it lets others see under other names stand among
	 * them. */
	first = last = func.index;
	for (size_t strange = 0, i = func.index; i-- > 0 && strange < OTHERS_AMONG_RUNTIME;) {
		strange = is_runtime(table, i, &func) ? 0 : strange + 1;
		first = strange ? first : i;
	}
	for (size_t strange = 0, i = last + 1; i < count && strange < OTHERS_AMONG_RUNTIME; i++) {
		strange = is_runtime(table, i, &func) ? 0 : strange + 1;
		last = strange ? last : i;
	}
	for (size_t i = first; i <= last; i++)
		if (is_runtime(table, i, &func) && !add_range(facts, &func))
			return;
}

static void find_text_segment(struct pw_build_facts *facts, const struct pw_elf *elf)
{
	size_t count;
	const struct pw_elf_segment *segments = pw_elf_segments(elf, &count);

	for (size_t i = 0; i < count; i++) {
		if (facts->text >= segments[i].vaddr && facts->text - segments[i].vaddr < segments[i].filesz) {
			facts->text_segment = segments[i];
			return;
		}
	}
}

/* Without these a goroutine cannot be told from garbage. */
static const enum pw_field needed_fields[] = {
	PW_FIELD_G_STACK_LO, PW_FIELD_G_STACK_HI,   PW_FIELD_G_SCHED_SP, PW_FIELD_G_SCHED_PC, PW_FIELD_G_ATOMICSTATUS,
	PW_FIELD_G_GOID,     PW_FIELD_G_WAITREASON, PW_FIELD_G_GOPC,	 PW_FIELD_G_STARTPC,
};

static bool have_goroutine_list(const struct pw_globals *globals)
{
	return (globals->addr[PW_GLOBAL_ALLGLEN] && globals->addr[PW_GLOBAL_ALLGPTR]) || globals->addr[PW_GLOBAL_ALLGS];
}

static void judge_memory(struct pw_build_facts *facts, const char *missing_globals)
{
	const struct pw_layout *layout = &facts->layout;

	for (size_t i = 0; i < ARRAY_SIZE(needed_fields); i++) {
		enum pw_field field = needed_fields[i];

		if (layout->offset[field] == PW_OFFSET_NONE || layout->trust[field] == PW_TRUST_NONE) {
			SAY(facts->why_no_memory,
			    "the place of %s in %s is not known to this parkwatch: update parkwatch, or rebuild the "
			    "program with a Go version that it knows (up to 1.%d)",
			    pw_field_name(field), facts->info.go_version, pw_layout_newest());
			return;
		}
		if (layout->trust[field] == PW_TRUST_CONFLICT) {
			SAY(facts->why_no_memory,
			    "the program's machine code contradicts the known place of %s in %s, so its memory is not "
			    "believed: update parkwatch, or report this Go version",
			    pw_field_name(field), facts->info.go_version);
			return;
		}
	}
	if (!have_goroutine_list(&facts->globals))
		SAY(facts->why_no_memory,
		    "the runtime's list of goroutines was not found in the machine code (%.80s): was the program built "
		    "with -gcflags=all=-l? Rebuild it without",
		    missing_globals[0] ? missing_globals : "no reason given");
}

static void judge_events(struct pw_build_facts *facts, int error, const char *why)
{
	static const enum pw_event needed[] = {PW_EVENT_SPAWN, PW_EVENT_EXIT, PW_EVENT_PARK};

	if (error) {
		SAY(facts->why_no_events, "no probe sites: %.200s", why);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		const struct pw_site *site = &facts->sites[needed[i]];

		if (!site->found) {
			SAY(facts->why_no_events, "no place for a probe on %s: %.192s", pw_event_name(needed[i]),
			    site->note[0] ? site->note : "its function is not in the program");
			return;
		}
	}
}

static void read_runtime(struct pw_build_facts *facts, const struct pw_elf *elf, const struct pw_pclntab *table)
{
	struct pw_why why = {};
	int r = pw_layout_for(&facts->layout, facts->arch, facts->info.go_minor);

	if (r) {
		SAY(facts->why_no_memory, "%s is older than the oldest Go version that is known here (1.%d)",
		    facts->info.go_version, pw_layout_oldest());
		for (size_t i = 0; i < _PW_FIELD_MAX; i++)
			facts->layout.offset[i] = PW_OFFSET_NONE;
	} else {
		if (pw_layout_calibrate(&facts->layout, elf, table, &why) > 0)
			note(facts, "layout: %s", pw_why_text(&why, 0));
		if (!facts->layout.exact)
			note(facts, "layout taken from the table of Go 1.%d, checked on the process",
			     facts->layout.go_minor);
		why = (struct pw_why){};
		if (pw_globals_find(&facts->globals, elf, table, &facts->layout, &why) < 0)
			facts->globals = (struct pw_globals){};
		judge_memory(facts, why.text);
	}
	why = (struct pw_why){};
	if (pw_wait_reasons_read(&facts->wait_reasons, elf, table, facts->info.go_minor, &why)) {
		facts->wait_reasons = (struct pw_wait_reasons){};
		note(facts, "wait reasons have numbers, no names: %s", pw_why_text(&why, -ENODATA));
	}
	why = (struct pw_why){};
	r = pw_sites_find(facts->sites, elf, table, facts->info.go_minor, &why);
	judge_events(facts, r, pw_why_text(&why, r));
}

/* Everything that needs the function table is closed, for one reason. */
static void close_all(struct pw_build_facts *facts, const char *reason)
{
	SAY(facts->why_no_symbols, "%.190s", reason);
	SAY(facts->why_no_memory, "%.190s", reason);
	SAY(facts->why_no_events, "%.190s", reason);
}

void pw_facts_assemble(struct pw_build_facts *ret_facts, const struct pw_opened *opened)
{
	struct pw_build_facts *facts = ret_facts;
	const struct pw_elf *elf = opened->elf;

	memset(facts, 0, sizeof(*facts)); /* padding included: it goes over a socket */
	facts->arch = pw_elf_arch(elf);
	facts->file_size = (uint64_t)opened->size;
	facts->entry = pw_elf_entry(elf);
	facts->pie = pw_elf_is_pie(elf);
	facts->shared_library = pw_elf_is_shared_library(elf);
	facts->stripped = !pw_elf_has_symtab(elf) && !pw_elf_has_dwarf(elf);
	SAY(facts->build_id, "%s", pw_elf_build_id(elf));
	SAY(facts->go_build_id, "%s", pw_elf_go_build_id(elf));
	if (opened->buildinfo_error) {
		SAY(facts->why_not_go, "%s", opened->buildinfo_why);
		return;
	}
	facts->is_go = true;
	facts->info = opened->info;
	facts->cgo = opened->info.cgo;
	if (facts->shared_library) {
		close_all(facts, "a Go shared library or plugin: these are not observed");
		return;
	}
	if (opened->table_error) {
		char reason[192];

		SAY(reason, "no usable function table: %.150s", opened->table_why);
		close_all(facts, reason);
		return;
	}
	facts->text = pw_pclntab_text(opened->table);
	facts->etext = pw_pclntab_etext(opened->table);
	facts->moduledata = pw_pclntab_moduledata(opened->table);
	find_text_segment(facts, elf);
	find_system_functions(facts, opened->table);
	read_runtime(facts, elf, opened->table);
}
