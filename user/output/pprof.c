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

#define BYTES	   2
#define KNOWN	   8  /* texts of labels, which are the same in all samples */
#define VARINT_MAX 10 /* bytes */

struct known { /* a text by its place */
	const char *text;
	uint64_t id;
};

struct pw_pprof {
	const struct pw_profile *profile; /* borrowed */
	struct pw_intern *strings;
	struct pw_table functions, locations; /* keys -> id */
	uint64_t function_count, location_count;
	PW_VEC(uint32_t) single; /* by number of a frame: the location that is this frame alone; 0 not yet known */
	PW_VEC(struct pw_profile_frame) run; /* frames of one location */
	struct known known[KNOWN];
	struct pw_buf samples; /* at last the whole file */
	struct pw_buf location_bytes, function_bytes;
	struct pw_buf message, nested, ids; /* scratch */
	int error;
};

static void put_uint(struct pw_buf *out, unsigned int field, uint64_t value)
{
	if (!value) /* the default is not written */
		return;
	pw_buf_uvarint(out, field << 3);
	pw_buf_uvarint(out, value);
}

static uint8_t *encode(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static void put_bytes(struct pw_buf *out, unsigned int field, const void *data, size_t size)
{
	uint8_t head[2 * VARINT_MAX];
	size_t used = (size_t)(encode(encode(head, field << 3 | BYTES), size) - head);
	char *at = pw_buf_reserve(out, used + size);

	if (!at)
		return;
	memcpy(at, head, used);
	if (size)
		memcpy(at + used, data, size);
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

static const struct pw_profile_frame *frame_at(const struct pw_pprof *writer, const struct pw_pprof_sample *sample,
					       uint32_t i)
{
	return sample->frames ? &sample->frames[i] : &writer->profile->frames[sample->numbers[i]];
}

/* How many frames from the i-th on are one location: an inlined call and what it is inlined into, up to the physical
 * function. */
static uint32_t run_at(const struct pw_pprof *writer, const struct pw_pprof_sample *sample, uint32_t i)
{
	const struct pw_profile_frame *first = frame_at(writer, sample, i), *last = first;
	uint32_t count = 1;

	while (i + count < sample->frame_count && last->inlined) {
		last = frame_at(writer, sample, i + count);
		if (last->addr != first->addr)
			break;
		count++;
	}
	return count;
}

static uint64_t location_of_run(struct pw_pprof *writer, const struct pw_pprof_sample *sample, uint32_t i,
				uint32_t count)
{
	if (sample->frames)
		return location_id(writer, sample->frames + i, count);
	pw_vec_reset(&writer->run);
	for (uint32_t k = 0; k < count; k++)
		if (pw_vec_push(&writer->run, *frame_at(writer, sample, i + k)) < 0) {
			writer->error = -ENOMEM;
			return 0;
		}
	return location_id(writer, writer->run.items, count);
}

/* By its number, if the frame has one and is a location of its own, as nearly all are. */
static uint64_t location_at(struct pw_pprof *writer, const struct pw_pprof_sample *sample, uint32_t i, uint32_t count)
{
	uint32_t *known = NULL;

	if (!sample->frames && count == 1 && sample->numbers[i] < writer->single.count)
		known = &writer->single.items[sample->numbers[i]];
	if (!known)
		return location_of_run(writer, sample, i, count);
	if (!*known)
		*known = (uint32_t)location_of_run(writer, sample, i, count);
	return *known;
}

/* Samples have as many locations as all else together: these are written without asking for room one by one. */
static void put_locations(struct pw_pprof *writer, const struct pw_pprof_sample *sample, struct pw_buf *out)
{
	size_t most = (sample->frame_count + 1UL) * VARINT_MAX;
	uint8_t *start = pw_buf_reserve(out, most), *at = start;

	if (!start)
		return;
	if (!sample->frame_count)
		at = encode(at, stackless_location(writer, sample->stackless));
	for (uint32_t i = 0, count; i < sample->frame_count; i += count) {
		count = run_at(writer, sample, i);
		at = encode(at, location_at(writer, sample, i, count));
	}
	pw_buf_cut(out, most, (size_t)(at - start));
}

static void put_values(const struct pw_pprof_sample *sample, struct pw_buf *out)
{
	size_t most = sample->value_count * VARINT_MAX;
	uint8_t *start = pw_buf_reserve(out, most), *at = start;

	if (!start)
		return;
	for (size_t i = 0; i < sample->value_count; i++)
		at = encode(at, sample->values[i]);
	pw_buf_cut(out, most, (size_t)(at - start));
}

/* The id of a text that stays where it is, as keys and units do. */
static uint64_t lasting_string_id(struct pw_pprof *writer, const char *text)
{
	struct known *known = &writer->known[((uintptr_t)text >> 3) % KNOWN];

	if (known->text != text)
		*known = (struct known){text, string_id(writer, text)};
	return known->id;
}

static void put_number_label(struct pw_pprof *writer, const struct pw_pprof_label *label)
{
	uint8_t bytes[3 * (1 + VARINT_MAX)], *at = bytes;

	at = encode(encode(at, 1 << 3), lasting_string_id(writer, label->key));
	if (label->number)
		at = encode(encode(at, 3 << 3), label->number);
	at = encode(encode(at, 4 << 3), lasting_string_id(writer, label->unit));
	put_bytes(&writer->message, 3, bytes, (size_t)(at - bytes));
}

static void put_text_label(struct pw_pprof *writer, const struct pw_pprof_label *label)
{
	pw_buf_reset(&writer->nested);
	put_uint(&writer->nested, 1, lasting_string_id(writer, label->key));
	put_uint(&writer->nested, 2, string_id(writer, label->text));
	put_message(&writer->message, 3, &writer->nested);
}

void pw_pprof_add(struct pw_pprof *writer, const struct pw_pprof_sample *sample)
{
	struct pw_buf *ids = &writer->ids;

	pw_buf_reset(&writer->message);
	pw_buf_reset(ids);
	put_locations(writer, sample, ids);
	put_message(&writer->message, 1, ids);
	pw_buf_reset(ids);
	put_values(sample, ids);
	put_message(&writer->message, 2, ids);
	for (size_t i = 0; i < sample->label_count; i++)
		(sample->labels[i].text ? put_text_label : put_number_label)(writer, &sample->labels[i]);
	if (pw_buf_error(ids) && !writer->error)
		writer->error = pw_buf_error(ids);
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

/* Behind the samples: fields may come in any order. */
static void put_rest(struct pw_pprof *writer, const struct pw_pprof_kind *kind, struct pw_buf *out)
{
	uint64_t default_type;

	for (size_t i = 0; i < kind->type_count; i++)
		put_type(writer, out, PROFILE_SAMPLE_TYPE, &kind->types[i]);
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
	pw_buf_done(&writer->ids);
	pw_vec_done(&writer->single);
	pw_vec_done(&writer->run);
	free(writer);
}

static int prepare_singles(struct pw_pprof *writer)
{
	size_t count = writer->profile->frame_count;

	writer->single.max = PW_PROFILE_ELEMENTS_MAX;
	if (pw_vec_reserve(&writer->single, count) < 0)
		return -ENOMEM;
	memset(writer->single.items, 0, count * sizeof(*writer->single.items));
	writer->single.count = count;
	return 0;
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
		.ids = PW_BUF_INIT(1U << 20),
	};
	r = pw_intern_new(&writer->strings, PW_PROFILE_STRINGS_MAX, PW_PROFILE_STRING_BYTES_MAX);
	if (!r)
		r = prepare_singles(writer);
	if (r < 0) {
		pw_pprof_free(writer);
		return r;
	}
	*ret_writer = writer;
	return 0;
}

int pw_pprof_finish(struct pw_pprof *writer, const struct pw_pprof_kind *kind, struct pw_buf *out)
{
	put_rest(writer, kind, &writer->samples);
	if (writer->error)
		return writer->error;
	if (pw_buf_error(&writer->samples) || pw_buf_error(&writer->location_bytes) ||
	    pw_buf_error(&writer->function_bytes))
		return -E2BIG;
	return pw_gzip_compress(writer->samples.data, writer->samples.size, out);
}
