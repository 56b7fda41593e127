/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/codec.h"

#include <string.h>

#include "base/vec.h"
#include "base/why.h"
#include "base/zigzag.h"
#include "model/codec_walk.h"
#include "model/storage.h"

/* How numbers and strings are written. Which numbers there are is in codec_fields.c. */

static void pw_walk_flush(struct pw_walk *walk)
{
	if (!walk->zeros)
		return;
	pw_buf_uvarint(walk->out, 0);
	pw_buf_uvarint(walk->out, walk->zeros);
	walk->zeros = 0;
}

static uint64_t walk_decode(struct pw_walk *walk, uint64_t old, uint64_t max)
{
	uint64_t coded, value;

	if (walk->zeros) {
		walk->zeros--;
		return old;
	}
	coded = pw_bytes_uvarint(walk->in);
	if (!coded) {
		walk->zeros = pw_bytes_uvarint(walk->in);
		if (!walk->zeros) { /* a run of nothing, or the end of the bytes */
			walk->failed = true;
			return 0;
		}
		walk->zeros--;
		return old;
	}
	value = old + pw_unzigzag(coded);
	if (value > max) {
		walk->failed = true;
		return 0;
	}
	return value;
}

uint64_t pw_walk_value(struct pw_walk *walk, uint64_t now, uint64_t old, uint64_t max)
{
	if (!walk->encoding)
		return walk->failed ? 0 : walk_decode(walk, old, max);
	if (now == old) {
		walk->zeros++;
	} else {
		pw_walk_flush(walk);
		pw_buf_uvarint(walk->out, pw_zigzag(now - old));
	}
	return now;
}

/* How many strings at the beginning are the same in both. */
static size_t shared_strings(const struct pw_record *now, const struct pw_record *old)
{
	size_t same = 0;

	while (same < now->string_count && same < old->string_count &&
	       strcmp(now->strings[same], old->strings[same]) == 0)
		same++;
	return same;
}

static void encode_strings(struct pw_walk *walk, const struct pw_record *now, const struct pw_record *old)
{
	size_t same = shared_strings(now, old);

	pw_walk_value(walk, same, old->string_count, old->string_count);
	pw_walk_value(walk, now->string_count - same, 0, PW_RECORD_STRINGS_MAX);
	if (same == now->string_count)
		return;
	pw_walk_flush(walk);
	for (size_t i = same; i < now->string_count; i++) {
		size_t size = strlen(now->strings[i]);

		pw_buf_uvarint(walk->out, size);
		pw_buf_append(walk->out, now->strings[i], size);
	}
}

static int decode_strings(struct pw_walk *walk, struct pw_record *draft, const struct pw_record *old,
			  struct pw_buf *text)
{
	size_t same = (size_t)pw_walk_value(walk, 0, old->string_count, old->string_count);
	size_t added = (size_t)pw_walk_value(walk, 0, 0, PW_RECORD_STRINGS_MAX), offset = 0;

	if (walk->failed || (added && walk->zeros) || same + added > PW_RECORD_STRINGS_MAX || same + added == 0)
		return -EBADMSG;
	for (size_t i = 0; i < same; i++)
		pw_buf_append(text, old->strings[i], strlen(old->strings[i]) + 1);
	for (size_t i = 0; i < added; i++) {
		uint64_t size = pw_bytes_uvarint(walk->in);
		const uint8_t *bytes = size <= PW_INTERN_STRING_MAX ? pw_bytes_take(walk->in, size) : NULL;

		if ((!bytes && size) || !pw_bytes_ok(walk->in) || (size && memchr(bytes, 0, size)))
			return -EBADMSG;
		if (size)
			pw_buf_append(text, bytes, size);
		pw_buf_putc(text, 0);
	}
	if (pw_buf_error(text) < 0)
		return pw_buf_error(text) == -ENOMEM ? -ENOMEM : -EBADMSG;
	draft->strings = calloc(same + added, sizeof(char *));
	if (!draft->strings)
		return -ENOMEM;
	draft->string_count = same + added;
	for (size_t i = 0; i < draft->string_count; i++) {
		draft->strings[i] = text->data + offset;
		offset += strlen(draft->strings[i]) + 1;
	}
	return 0;
}

static const struct pw_record *or_nothing(const struct pw_record *record)
{
	static const struct pw_record nothing;

	return record ? record : &nothing;
}

int pw_codec_encode(struct pw_buf *out, const struct pw_record *record, const struct pw_record *before)
{
	struct pw_walk walk = {.encoding = true, .out = out, .version = PW_CODEC_VERSION};
	struct pw_record now = *record;

	before = or_nothing(before);
	encode_strings(&walk, &now, before);
	pw_walk_record(&walk, &now, before);
	pw_walk_flush(&walk);
	return pw_buf_error(out);
}

static void draft_done(struct pw_record *draft)
{
	free(draft->sites);
	free(draft->drops);
	free(draft->statements);
	free(draft->events.counts);
	free(draft->reasons);
	free(draft->frames);
	free(draft->stacks);
	free(draft->census.groups);
	free(draft->census.ages);
	free(draft->runtime.buckets);
	free(draft->gc.cycles);
	free(draft->snapshot.parks);
	free(draft->snapshot.ages);
	free(draft->snapshot.rows);
	free(draft->snapshot.locks);
	free(draft->strings);
}

int pw_codec_decode(struct pw_record **ret_record, struct pw_bytes *in, const struct pw_record *before,
		    unsigned int version, struct pw_why *reterr_why)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_RECORD_TEXT_MAX + PW_RECORD_STRINGS_MAX);
	_cleanup_(draft_done) struct pw_record draft = {};
	struct pw_walk walk = {.in = in, .version = version};
	int r;

	before = or_nothing(before);
	r = decode_strings(&walk, &draft, before, &text);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return pw_why_set(reterr_why, r, "the strings of a record cannot be read");
	pw_walk_record(&walk, &draft, before);
	if (walk.no_memory)
		return -ENOMEM;
	if (walk.failed || walk.zeros || !pw_bytes_ok(in))
		return pw_why_set(reterr_why, -EBADMSG, "a record ends too early or holds a number out of range");
	r = pw_record_check(&draft, reterr_why);
	if (r < 0)
		return r;
	return pw_record_copy(ret_record, &draft);
}
