/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * From a core file to a target: the reader says what is in it, the executable is found and held against the build ID
 * that stands in the core, and then the memory is validated like that of a live process.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/why.h"
#include "target/core.h"
#include "target/service.h"
#include "target/symbolize.h"
#include "target/target.h"

struct core_answer {
	int r;
	struct pw_core core;
	struct pw_why why;
};

static void on_core(void *context, int r, struct pw_core *core, const char *why)
{
	struct core_answer *answer = context;

	answer->r = r;
	pw_why_set(&answer->why, r, "%s", why ? why : "");
	if (r < 0)
		return;
	answer->core = *core;
	*core = (struct pw_core){};
}

/* Not blocked by a FIFO of that name. */
static int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int ask_core(struct pw_frozen *frozen, const char *path, struct pw_reader *reader, struct pw_why *reterr_why)
{
	struct core_answer answer = {};
	int64_t id;
	int r;

	frozen->core_fd = open_path(path);
	if (frozen->core_fd < 0)
		return pw_why_set(reterr_why, frozen->core_fd, "cannot open '%s': %s", path,
				  pw_why_text(NULL, frozen->core_fd));
	id = pw_reader_ask_core(reader, frozen->core_fd, on_core, &answer);
	if (id < 0)
		return (int)id;
	r = pw_reader_wait(reader, id);
	if (!r)
		r = answer.r;
	if (r)
		return pw_why_set(reterr_why, r, "cannot use '%s': %s", path, pw_why_text(&answer.why, r));
	frozen->core = answer.core;
	return 0;
}

/* "gnu" of "gnu:0123...". */
static size_t kind_of(const char *build_id)
{
	return strcspn(build_id, ":");
}

static bool same_kind(const char *a, const char *b)
{
	return kind_of(a) == kind_of(b) && !strncmp(a, b, kind_of(a));
}

/* Is the executable the one that ran? Unknown where the core does not hold the ID: then only its memory can tell. */
static int check_build(const struct pw_core *core, const struct pw_build *build, const char *path, bool given,
		       struct pw_why *reterr_why)
{
	const char *id =
		same_kind(core->build_id, build->facts.build_id) ? build->facts.build_id : build->facts.go_build_id;

	if (core->arch != build->facts.arch)
		return pw_why_set(reterr_why, -ESTALE, "'%s' is for another processor than the core was made on", path);
	if (!core->build_id[0] || !id[0] || !same_kind(core->build_id, id) || !strcmp(core->build_id, id))
		return 0;
	return pw_why_set(reterr_why, -ESTALE, "'%s' is %s the core: it is build %.50s, the core is of build %.50s%s",
			  path, given ? "not the executable of" : "no longer the executable of", id, core->build_id,
			  given ? "" : "; give the right one with --exe");
}

static int open_exe(struct pw_frozen *frozen, const char *path, bool given, struct pw_reader *reader,
		    struct pw_build **ret_build, struct pw_why *reterr_why)
{
	struct pw_build *build = NULL;
	char whose[PW_PROC_PATH_MAX + 8];
	int r;

	if (!path[0])
		return pw_why_set(reterr_why, -ENODATA, "the core does not name its executable: give it with --exe");
	frozen->exe_fd = open_path(path);
	if (frozen->exe_fd < 0)
		return pw_why_set(reterr_why, frozen->exe_fd, "cannot open the executable '%s': %s%s", path,
				  pw_why_text(NULL, frozen->exe_fd), given ? "" : "; give it with --exe");
	snprintf(whose, sizeof(whose), "'%s'", path);
	r = pw_build_ask(&build, reader, frozen->exe_fd, whose, reterr_why);
	if (!r)
		r = check_build(&frozen->core, build, path, given, reterr_why);
	if (r) {
		pw_build_unref(build);
		return r;
	}
	*ret_build = build;
	return 0;
}

static void name_target(struct pw_target *target, const char *exe)
{
	const struct pw_core *core = &target->frozen->core;
	const char *slash = strrchr(exe, '/');

	target->pid = core->pid;
	snprintf(target->exe, sizeof(target->exe), "%.255s", exe);
	snprintf(target->process, sizeof(target->process), "%.63s",
		 core->process[0] ? core->process
		 : slash	  ? slash + 1
				  : exe);
	snprintf(target->events_reason, sizeof(target->events_reason), "a core file has no events");
	pw_target_name_service(target);
}

/* Where the code may lie: by the mapping that holds it, by the entry point, or where it was linked. */
static int validate(struct pw_target *target)
{
	const struct pw_build_facts *facts = &target->build->facts;
	const struct pw_core *core = &target->frozen->core;
	uint64_t text_offset = facts->text - facts->text_segment.vaddr + facts->text_segment.offset;
	uint64_t biases[PW_CORE_MAPPINGS_MAX + 2];
	size_t count = 0;

	for (size_t i = 0; i < core->mappings.count && count < PW_CORE_MAPPINGS_MAX; i++) {
		const struct pw_core_mapping *mapping = &core->mappings.items[i];

		if (text_offset >= mapping->offset && text_offset - mapping->offset < mapping->end - mapping->start)
			biases[count++] = mapping->start + (text_offset - mapping->offset) - facts->text;
	}
	if (core->entry)
		biases[count++] = core->entry - facts->entry;
	biases[count++] = 0;
	return pw_target_validate_frozen(target, biases, count);
}

int pw_target_open_core(struct pw_target **ret_target, const char *core_path, const char *exe_path,
			struct pw_reader *reader, struct pw_why *reterr_why)
{
	struct pw_target *target = calloc(1, sizeof(*target));
	const char *exe;
	int r;

	if (!target)
		return -ENOMEM;
	target->pidfd = target->exe_fd = -1;
	target->frozen = calloc(1, sizeof(*target->frozen));
	if (!target->frozen) {
		pw_target_free(target);
		return -ENOMEM;
	}
	target->frozen->core_fd = target->frozen->exe_fd = -1;
	r = ask_core(target->frozen, core_path, reader, reterr_why);
	exe = exe_path ? exe_path : target->frozen->core.exe;
	if (!r)
		r = open_exe(target->frozen, exe, exe_path != NULL, reader, &target->build, reterr_why);
	if (!r)
		r = pw_symbolizer_new(&target->symbolizer, reader, target->frozen->exe_fd,
				      target->build->facts.build_id);
	if (!r) {
		name_target(target, exe);
		pw_mem_frozen(&target->mem, target->frozen);
		r = validate(target);
	}
	if (r) {
		pw_target_free(target);
		return r;
	}
	*ret_target = target;
	return 0;
}
