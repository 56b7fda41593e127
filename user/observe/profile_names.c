/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "observe/profile_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "observe/frames.h"
#include "target/core.h"
#include "target/symbolize.h"
#include "target/target.h"

void pw_profile_describe(struct pw_profile *profile, const struct pw_target *target)
{
	const struct pw_build_facts *facts = &target->build->facts;

	profile->pid = target->pid;
	profile->from_core = target->frozen != NULL;
	profile->missing_bytes = target->frozen ? target->frozen->core.missing_bytes : 0;
	profile->taken_wall_ns = target->frozen ? (uint64_t)target->frozen->core.written_ns : pw_wall_ns();
	snprintf(profile->process, sizeof(profile->process), "%s", target->process);
	snprintf(profile->service, sizeof(profile->service), "%s", target->service);
	snprintf(profile->exe, sizeof(profile->exe), "%s", target->exe);
	snprintf(profile->build_id, sizeof(profile->build_id), "%s", facts->build_id);
	snprintf(profile->go_version, sizeof(profile->go_version), "%.63s", facts->info.go_version);
	profile->text_start = facts->text_segment.vaddr;
	profile->text_end = facts->text_segment.vaddr + facts->text_segment.memsz;
	profile->text_offset = facts->text_segment.offset;
}

int pw_name_frames(struct pw_symbolizer *symbolizer, uint64_t pc, bool is_return,
		   const struct pw_located_frame **ret_frames)
{
	*ret_frames = NULL;
	return symbolizer ? pw_symbolize(symbolizer, pc, is_return, ret_frames) : 0;
}

uint32_t pw_name_function(struct pw_profile *profile, const char *name)
{
	char text[PW_FUNCTION_TEXT_MAX];

	return pw_profile_intern(profile, pw_function_shown(name, text));
}

struct pw_profile_frame pw_name_frame(struct pw_profile *profile, const struct pw_located_frame *from, uint64_t addr)
{
	return (struct pw_profile_frame){
		.function = pw_name_function(profile, from->function),
		.file = pw_profile_intern(profile, from->file),
		.line = from->line,
		.inlined = from->inlined,
		.addr = addr,
		.entry = from->entry,
	};
}

int pw_name_add_nameless(struct pw_profile *profile, uint64_t addr)
{
	struct pw_profile_frame *frame = pw_profile_add_frame(profile);
	char text[32];

	if (!frame)
		return -ENOMEM;
	snprintf(text, sizeof(text), "0x%" PRIx64, addr);
	frame->function = pw_profile_intern(profile, text);
	frame->addr = addr;
	return 0;
}
