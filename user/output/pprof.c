/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/pprof.h"

#include <string.h>

#include "base/buf.h"
#include "base/gzip.h"
#include "base/intern.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/vec.h"
#include "model/profile.h"

/*
 * profile.proto by hand (github.com/google/pprof/proto/profile.proto): a message is a row of fields, each a tag
 * (number << 3 | type) and a value; type 0 is a varint, type 2 a length and bytes. Locations are physical pcs with
 * their inlined calls as lines, innermost first; strings are numbered, "" is 0, which is what pw_intern does. Errors of
 * the buffers and tables stick, and pw_pprof_finish reports them.
 */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING_TABLE = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};

#define BYTES 2

struct pw_pprof {
	const struct pw_profile *profile; /* borrowed */
	struct pw_intern *strings;
	struct pw_table functions, locations; /* keys -> id */
	uint64_t function_count, location_count;
	struct pw_buf samples, location_bytes, function_bytes;
	struct pw_buf message, nested; /* scratch */
	int error;
};

static void put_uint(struct pw_buf *out, unsigned int field, uint64_t value)
{
	if (!value) /* the default is not written */
		return;
	pw_buf_uvarint(out, field << 3);
	pw_buf_uvarint(out, value);
}

static void put_bytes(struct pw_buf *out, unsigned int field, const void *data, size_t size)
{
	pw_buf_uvarint(out, field << 3 | BYTES);
	pw_buf_uvarint(out, size);
	pw_buf_append(out, data, size);
}

static void put_message(struct pw_buf *out, unsigned int field, const struct pw_buf *message)
{
	put_bytes(out, field, pw_buf_text(message), message->size);
}

static uint64_t string_id(struct pw_pprof *writer, const char *text)
{
	uint32_t id = 0;
	int r = pw_intern_adds(writer->strings, text, &id);

	if (r < 0 && !writer->error)
		writer->error = r;
	return id;
}

/* The id of a key in a table, counted from 1; *ret_new if it was not there. */
static uint64_t number(struct pw_pprof *writer, struct pw_table *table, const void *key, size_t size, uint64_t *count,
		       bool *ret_new)
{
	uintptr_t known = (uintptr_t)pw_table_peek(table, key, size);
	int r;

	*ret_new = !known;
	if (known)
		return known;
	r = pw_table_put(table, key, size, (void *)(uintptr_t)(*count + 1));
	if (r < 0 && !writer->error)
		writer->error = r;
	return ++*count;
}

static uint64_t function_id(struct pw_pprof *writer, uint32_t name, uint32_t file)
{
	uint32_t key[2] = {name, file};
	uint64_t text;
	bool is_new;
	uint64_t id = number(writer, &writer->functions, key, sizeof(key), &writer->function_count, &is_new);

	if (!is_new)
		return id;
	pw_buf_reset(&writer->nested);
	text = string_id(writer, pw_profile_string(writer->profile, name));
	put_uint(&writer->nested, 1, id);
	put_uint(&writer->nested, 2, text);
	put_uint(&writer->nested, 3, text);
	put_uint(&writer->nested, 4, string_id(writer, pw_profile_string(writer->profile, file)));
	put_message(&writer->function_bytes, PROFILE_FUNCTION, &writer->nested);
	return id;
}

static void put_line(struct pw_buf *out, uint64_t function, uint32_t line)
{
	struct pw_buf message = PW_BUF_INIT(32);

	put_uint(&message, 1, function);
	put_uint(&message, 2, line);
	put_message(out, 4, &message);
	pw_buf_done(&message);
}

static bool in_mapping(const struct pw_profile *profile, uint64_t addr)
{
	return addr >= profile->text_start && addr < profile->text_end;
}

/* A location of consecutive frames of one pc. */
static uint64_t location_id(struct pw_pprof *writer, const struct pw_profile_frame *frames, uint32_t count)
{
	struct {
		uint64_t addr;
		uint32_t function, line, count, pad;
	} key = {frames->addr, frames->function, frames->line, count, 0};
	struct pw_buf message = PW_BUF_INIT(64U << 10);
	bool is_new;
	uint64_t id = number(writer, &writer->locations, &key, sizeof(key), &writer->location_count, &is_new);

	if (!is_new)
		return id;
	put_uint(&message, 1, id);
	put_uint(&message, 2, in_mapping(writer->profile, frames->addr));
	put_uint(&message, 3, frames->addr);
	for (uint32_t i = 0; i < count; i++)
		put_line(&message, function_id(writer, frames[i].function, frames[i].file), frames[i].line);
	if (pw_buf_error(&message) && !writer->error)
		writer->error = pw_buf_error(&message);
	put_message(&writer->location_bytes, PROFILE_LOCATION, &message);
	pw_buf_done(&message);
	return id;
}

/* Where there is no stack, one frame says why. */
static uint64_t stackless_location(struct pw_pprof *writer, const char *name)
{
	uint32_t key[2] = {UINT32_MAX, (uint32_t)string_id(writer, name)};
	bool is_new;
	uint64_t function = number(writer, &writer->functions, key, sizeof(key), &writer->function_count, &is_new);
	struct pw_buf message = PW_BUF_INIT(1024);
	uint64_t id;

	if (is_new) {
		put_uint(&message, 1, function);
		put_uint(&message, 2, key[1]);
		put_message(&writer->function_bytes, PROFILE_FUNCTION, &message);
		pw_buf_reset(&message);
	}
	id = number(writer, &writer->locations, key, sizeof(key), &writer->location_count, &is_new);
	if (is_new) {
		put_uint(&message, 1, id);
		put_line(&message, function, 0);
		put_message(&writer->location_bytes, PROFILE_LOCATION, &message);
	}
	pw_buf_done(&message);
	return id;
}

static void put_locations(struct pw_pprof *writer, const struct pw_pprof_sample *sample, struct pw_buf *out)
{
	const struct pw_profile_frame *frames = sample->frames;

	if (!sample->frame_count)
		pw_buf_uvarint(out, stackless_location(writer, sample->stackless));
	for (uint32_t i = 0; i < sample->frame_count;) {
		uint32_t count = 1;

		/* An inlined call and what it is inlined into: up to the physical function. */
		while (i + count < sample->frame_count && frames[i + count - 1].inlined &&
		       frames[i + count].addr == frames[i].addr)
			count++;
		pw_buf_uvarint(out, location_id(writer, frames + i, count));
		i += count;
	}
}

static void put_label(struct pw_pprof *writer, const struct pw_pprof_label *label)
{
	struct pw_buf message = PW_BUF_INIT(64);

	put_uint(&message, 1, string_id(writer, label->key));
	if (label->text) {
		put_uint(&message, 2, string_id(writer, label->text));
	} else {
		put_uint(&message, 3, label->number);
		put_uint(&message, 4, string_id(writer, label->unit));
	}
	put_message(&writer->message, 3, &message);
	pw_buf_done(&message);
}

void pw_pprof_add(struct pw_pprof *writer, const struct pw_pprof_sample *sample)
{
	struct pw_buf ids = PW_BUF_INIT(1U << 20);

	pw_buf_reset(&writer->message);
	put_locations(writer, sample, &ids);
	put_message(&writer->message, 1, &ids);
	pw_buf_reset(&ids);
	for (size_t i = 0; i < sample->value_count; i++)
		pw_buf_uvarint(&ids, sample->values[i]);
	put_message(&writer->message, 2, &ids);
	for (size_t i = 0; i < sample->label_count; i++)
		put_label(writer, &sample->labels[i]);
	if (pw_buf_error(&ids) && !writer->error)
		writer->error = pw_buf_error(&ids);
	pw_buf_done(&ids);
	put_message(&writer->samples, PROFILE_SAMPLE, &writer->message);
}

static void put_type(struct pw_pprof *writer, struct pw_buf *out, unsigned int field, const struct pw_pprof_type *type)
{
	pw_buf_reset(&writer->message);
	put_uint(&writer->message, 1, string_id(writer, type->name));
	put_uint(&writer->message, 2, string_id(writer, type->unit));
	put_message(out, field, &writer->message);
}

static void put_mapping(struct pw_pprof *writer, struct pw_buf *out)
{
	const struct pw_profile *profile = writer->profile;
	const char *build_id = profile->build_id;

	if (!profile->text_end)
		return;
	if (!strncmp(build_id, "gnu:", 4) || !strncmp(build_id, "go:", 3))
		build_id = strchr(build_id, ':') + 1; /* as the tools know it */
	pw_buf_reset(&writer->message);
	put_uint(&writer->message, 1, 1);
	put_uint(&writer->message, 2, profile->text_start);
	put_uint(&writer->message, 3, profile->text_end);
	put_uint(&writer->message, 4, profile->text_offset);
	put_uint(&writer->message, 5, string_id(writer, profile->exe));
	put_uint(&writer->message, 6, string_id(writer, build_id));
	for (unsigned int field = 7; field <= 10; field++) /* has functions, file names, line numbers, inlined frames */
		put_uint(&writer->message, field, 1);
	put_message(out, PROFILE_MAPPING, &writer->message);
}

static void put_profile(struct pw_pprof *writer, const struct pw_pprof_kind *kind, struct pw_buf *out)
{
	uint64_t default_type;

	for (size_t i = 0; i < kind->type_count; i++)
		put_type(writer, out, PROFILE_SAMPLE_TYPE, &kind->types[i]);
	pw_buf_append(out, pw_buf_text(&writer->samples), writer->samples.size);
	put_mapping(writer, out);
	pw_buf_append(out, pw_buf_text(&writer->location_bytes), writer->location_bytes.size);
	pw_buf_append(out, pw_buf_text(&writer->function_bytes), writer->function_bytes.size);
	put_type(writer, out, PROFILE_PERIOD_TYPE, &kind->period_type);
	default_type = string_id(writer, kind->default_type);
	for (uint32_t i = 0; i < pw_intern_count(writer->strings); i++)
		put_bytes(out, PROFILE_STRING_TABLE, pw_intern_text(writer->strings, i),
			  pw_intern_size(writer->strings, i));
	put_uint(out, PROFILE_TIME_NANOS, writer->profile->taken_wall_ns);
	put_uint(out, PROFILE_DURATION_NANOS, kind->duration_ns);
	put_uint(out, PROFILE_PERIOD, kind->period);
	put_uint(out, PROFILE_DEFAULT_SAMPLE_TYPE, default_type);
}

void pw_pprof_free(struct pw_pprof *writer)
{
	if (!writer)
		return;
	pw_intern_free(writer->strings);
	pw_table_done(&writer->functions);
	pw_table_done(&writer->locations);
	pw_buf_done(&writer->samples);
	pw_buf_done(&writer->location_bytes);
	pw_buf_done(&writer->function_bytes);
	pw_buf_done(&writer->message);
	pw_buf_done(&writer->nested);
	free(writer);
}

int pw_pprof_new(struct pw_pprof **ret_writer, const struct pw_profile *profile)
{
	struct pw_pprof *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	*writer = (struct pw_pprof){
		.profile = profile,
		.functions = PW_TABLE_INIT(PW_PROFILE_STRINGS_MAX, NULL),
		.locations = PW_TABLE_INIT(PW_PROFILE_STRINGS_MAX, NULL),
		.samples = PW_BUF_INIT(PW_GZIP_INPUT_MAX),
		.location_bytes = PW_BUF_INIT(PW_GZIP_INPUT_MAX),
		.function_bytes = PW_BUF_INIT(PW_GZIP_INPUT_MAX),
		.message = PW_BUF_INIT(16U << 20),
		.nested = PW_BUF_INIT(64U << 10),
	};
	r = pw_intern_new(&writer->strings, PW_PROFILE_STRINGS_MAX, PW_PROFILE_STRING_BYTES_MAX);
	if (r < 0) {
		pw_pprof_free(writer);
		return r;
	}
	*ret_writer = writer;
	return 0;
}

int pw_pprof_finish(struct pw_pprof *writer, const struct pw_pprof_kind *kind, struct pw_buf *out)
{
	_cleanup_buf_ struct pw_buf plain = PW_BUF_INIT(PW_GZIP_INPUT_MAX);

	put_profile(writer, kind, &plain);
	if (writer->error)
		return writer->error;
	if (pw_buf_error(&writer->samples) || pw_buf_error(&writer->location_bytes) ||
	    pw_buf_error(&writer->function_bytes) || pw_buf_error(&plain))
		return -E2BIG;
	return pw_gzip_compress(plain.data, plain.size, out);
}
