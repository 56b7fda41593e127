/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/core.h"
#include "reader/protocol.h"

/* The vectors go as counts and plain arrays; both sides are the same program on the same machine. */
int pw_core_write(struct pw_buf *out, const struct pw_core *core)
{
	pw_buf_u32(out, core->arch);
	pw_buf_u32(out, (uint32_t)core->pid);
	pw_buf_append(out, core->process, sizeof(core->process));
	pw_buf_append(out, core->exe, strnlen(core->exe, sizeof(core->exe) - 1));
	pw_buf_u8(out, 0);
	pw_buf_append(out, core->build_id, sizeof(core->build_id));
	pw_buf_u64(out, core->entry);
	pw_buf_u64(out, core->missing_bytes);
	pw_buf_u64(out, core->dropped);
	pw_buf_u64(out, (uint64_t)core->written_ns);
	pw_buf_u32(out, (uint32_t)core->segments.count);
	pw_buf_u32(out, (uint32_t)core->mappings.count);
	pw_buf_u32(out, (uint32_t)core->threads.count);
	pw_buf_append(out, core->segments.items, core->segments.count * sizeof(*core->segments.items));
	pw_buf_append(out, core->mappings.items, core->mappings.count * sizeof(*core->mappings.items));
	pw_buf_append(out, core->threads.items, core->threads.count * sizeof(*core->threads.items));
	return pw_buf_error(out);
}

/* Copies count elements into an empty vector. */
#define READ_ITEMS(bytes, vec, items_count)                                                                \
	({                                                                                                 \
		int read_r_ = pw_bytes_can_hold((bytes), (items_count), sizeof(*(vec)->items), (vec)->max) \
				      ? pw_vec_reserve((vec), (items_count))                               \
				      : -EBADMSG;                                                          \
		if (!read_r_ && (items_count) &&                                                           \
		    !pw_bytes_copy((bytes), (vec)->items, (items_count) * sizeof(*(vec)->items)))          \
			read_r_ = -EBADMSG;                                                                \
		if (!read_r_)                                                                              \
			(vec)->count = (items_count);                                                      \
		read_r_;                                                                                   \
	})

static const char *check_core(const struct pw_core *core)
{
	uint64_t last = 0, end;

	if (core->arch != PW_ARCH_AMD64 && core->arch != PW_ARCH_ARM64)
		return "arch";
	if (core->pid < 0)
		return "pid";
	if (strnlen(core->process, sizeof(core->process)) == sizeof(core->process) ||
	    strnlen(core->build_id, sizeof(core->build_id)) == sizeof(core->build_id))
		return "a text";
	for (size_t i = 0; i < core->segments.count; i++) {
		const struct pw_core_segment *segment = &core->segments.items[i];

		if (segment->start < last || !segment->size || segment->held > segment->size ||
		    segment->size > PW_USER_ADDRESS_MAX || segment->start > PW_USER_ADDRESS_MAX - segment->size ||
		    segment->writable > 1 || segment->cut > 1 ||
		    pw_add_overflows(segment->offset, segment->held, &end) || end > INT64_MAX)
			return "a segment";
		last = segment->start + segment->size;
	}
	for (size_t i = 0; i < core->mappings.count; i++)
		if (core->mappings.items[i].start >= core->mappings.items[i].end ||
		    core->mappings.items[i].end > PW_USER_ADDRESS_MAX)
			return "a mapping";
	for (size_t i = 0; i < core->threads.count; i++)
		if (core->threads.items[i].tid <= 0)
			return "a thread";
	return NULL;
}

static int parse(struct pw_core *core, struct pw_bytes *bytes)
{
	uint32_t segments, mappings, threads;
	const char *exe;
	size_t length;
	int r;

	core->arch = (enum pw_arch)pw_bytes_u32(bytes);
	core->pid = pw_bytes_i32(bytes);
	pw_bytes_copy(bytes, core->process, sizeof(core->process));
	exe = pw_bytes_cstr(bytes, sizeof(core->exe) - 1, &length);
	if (exe)
		memcpy(core->exe, exe, length + 1);
	pw_bytes_copy(bytes, core->build_id, sizeof(core->build_id));
	core->entry = pw_bytes_u64(bytes);
	core->missing_bytes = pw_bytes_u64(bytes);
	core->dropped = pw_bytes_u64(bytes);
	core->written_ns = pw_bytes_i64(bytes);
	segments = pw_bytes_u32(bytes);
	mappings = pw_bytes_u32(bytes);
	threads = pw_bytes_u32(bytes);
	r = READ_ITEMS(bytes, &core->segments, segments);
	if (!r)
		r = READ_ITEMS(bytes, &core->mappings, mappings);
	if (!r)
		r = READ_ITEMS(bytes, &core->threads, threads);
	if (!r && (!pw_bytes_ok(bytes) || pw_bytes_remaining(bytes)))
		r = -EBADMSG;
	return r;
}

int pw_core_parse(struct pw_core *ret_core, const void *data, size_t size, struct pw_why *reterr_why)
{
	struct pw_bytes bytes = pw_bytes_init(data, size);
	struct pw_core core = {};
	const char *what;
	int r;

	core.segments.max = PW_CORE_SEGMENTS_MAX;
	core.mappings.max = PW_CORE_MAPPINGS_MAX;
	core.threads.max = PW_CORE_THREADS_MAX;
	r = parse(&core, &bytes);
	what = r ? "its size" : check_core(&core);
	if (r == -ENOMEM || what) {
		pw_core_done(&core);
		return r == -ENOMEM ? r
				    : pw_why_set(reterr_why, -EBADMSG, "the reader's answer makes no sense: %s", what);
	}
	*ret_core = core;
	return 0;
}
