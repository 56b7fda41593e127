/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "model/profile.h"
#include "model/record.h"

/*
 * The text of a traceback, as tools that read goroutine dumps know it (src/runtime/traceback.go, go1.19 to go1.27).
 * Arguments are not known from outside: every call shows "(...)". Frames are all there, where the runtime leaves out
 * the middle of deep stacks.
 */
#define MINUTE_NS (60 * PW_NS_PER_SEC)

/* src/runtime/traceback.go:isExportedRuntime: "runtime.Gosched", "runtime.(*Pinner).Pin" */
static bool is_exported_runtime(const char *name)
{
	if (*name == '(') {
		name++;
		if (*name == '*')
			name++;
		if (*name < 'A' || *name > 'Z')
			return false;
		name = strrchr(name, '.');
		if (!name)
			return false;
		name++;
	}
	return *name >= 'A' && *name <= 'Z';
}

/* src/runtime/traceback.go:showfuncinfo at the default level. */
static bool is_shown(const char *name, bool first)
{
	if (!strcmp(name, "runtime.gopanic") && !first)
		return true;
	if (!strchr(name, '.'))
		return !strncmp(name, "0x", 2); /* ours: an address without a name */
	return strncmp(name, "runtime.", 8) != 0 || is_exported_runtime(name + 8);
}

static void put_text(struct pw_buf *out, const struct pw_profile *profile, uint32_t string)
{
	const char *text = pw_profile_string(profile, string);

	pw_buf_escaped(out, text, strlen(text));
}

static void put_frame_place(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frame)
{
	uint64_t pc = frame->addr + !frame->exact;

	pw_buf_puts(out, "\n\t");
	put_text(out, profile, frame->file);
	pw_buf_printf(out, ":%u", frame->line);
	if (!frame->inlined && frame->entry && pc > frame->entry)
		pw_buf_printf(out, " +0x%" PRIx64, pc - frame->entry);
	pw_buf_putc(out, '\n');
}

static void put_header(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group,
		       const struct pw_profile_goroutine *row)
{
	const char *state =
		group->wait_reason ? pw_profile_string(profile, group->wait_reason) : pw_status_name(group->status);

	pw_buf_printf(out, "goroutine %" PRIu64 " [", row->goid);
	pw_buf_escaped(out, state, strlen(state));
	if (group->status == PW_GOROUTINE_LEAKED)
		pw_buf_puts(out, " (leaked)");
	if (row->parked_ns >= MINUTE_NS)
		pw_buf_printf(out, ", %" PRIu64 " minutes", (uint64_t)(row->parked_ns / MINUTE_NS));
	if (row->locked_to_thread)
		pw_buf_puts(out, ", locked to thread");
	pw_buf_puts(out, "]:\n");
}

static void put_goroutine(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_goroutine *row)
{
	const struct pw_profile_group *group = &profile->groups[row->group];

	put_header(out, profile, group, row);
	if (!group->frame_count)
		pw_buf_puts(out, "\tgoroutine running on other thread; stack unavailable\n");
	for (uint32_t i = 0; i < group->frame_count; i++) {
		const struct pw_profile_frame *frame = &profile->frames[group->first_frame + i];
		const char *name = pw_profile_string(profile, frame->function);

		if (!is_shown(name, i == 0))
			continue;
		if (!strcmp(name, "runtime.gopanic"))
			pw_buf_puts(out, "panic");
		else
			pw_buf_escaped(out, name, strlen(name));
		pw_buf_puts(out, "(...)");
		put_frame_place(out, profile, frame);
	}
	if (group->truncated)
		pw_buf_puts(out, "...additional frames elided...\n");
	/* The main goroutine was started by runtime code, which is not shown. */
	if (!group->created_by.function || !is_shown(pw_profile_string(profile, group->created_by.function), false))
		return;
	pw_buf_puts(out, "created by ");
	put_text(out, profile, group->created_by.function);
	if (row->parent_goid)
		pw_buf_printf(out, " in goroutine %" PRIu64, row->parent_goid);
	put_frame_place(out, profile, &group->created_by);
}

int pw_profile_write_debug2(struct pw_buf *out, const struct pw_profile *profile)
{
	bool first = true;

	if (!profile->goroutine_count && profile->group_count)
		return -ENODATA;
	for (size_t i = 0; i < profile->goroutine_count; i++) {
		const struct pw_profile_goroutine *row = &profile->goroutines[i];

		if (row->group >= profile->group_count || profile->groups[row->group].system)
			continue;
		if (!first)
			pw_buf_putc(out, '\n');
		first = false;
		put_goroutine(out, profile, row);
	}
	return pw_buf_error(out);
}
