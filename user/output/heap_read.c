/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/json_read.h"
#include "base/macros.h"
#include "model/heap.h"
#include "model/profile.h"
#include "output/frames_json.h"
#include "output/heap.h"

/* The JSON of a heap profile, read back: as profile_read.c, what a comparison needs. */
struct input {
	struct pw_heap_profile *heap;
	void *item; /* site, class or type that is being read */
	bool version, sites;
};

/* A number, or null, which is 0. */
static bool read_count(struct pw_json_reader *reader, uint64_t *ret_value)
{
	enum pw_json_token token = pw_json_next(reader);

	*ret_value = 0;
	if (token == PW_JSON_NULL)
		return true;
	if (token != PW_JSON_NUMBER || !reader->is_integer || reader->negative)
		return pw_json_fail(reader, -EBADMSG);
	*ret_value = reader->integer;
	return true;
}

static bool read_stack(struct pw_json_reader *reader, struct pw_heap_profile *heap, struct pw_heap_site *site)
{
	uint32_t first, count;

	if (!pw_frames_read_json(reader, heap->base, &first, &count))
		return false;
	site->first_frame = (uint32_t)heap->stack_count;
	site->frame_count = count;
	for (uint32_t i = 0; i < count; i++)
		if (pw_heap_put_frame(heap, first + i) < 0)
			return pw_json_fail(reader, -ENOMEM);
	return true;
}

static bool read_site_member(struct pw_json_reader *reader, void *context)
{
	struct input *input = context;
	struct pw_heap_site *site = input->item;
	struct pw_heap_values *values = &site->values;

	if (pw_json_is_key(reader, "stack"))
		return read_stack(reader, input->heap, site);
	if (pw_json_is_key(reader, "inuse_bytes"))
		return read_count(reader, &values->inuse_bytes);
	if (pw_json_is_key(reader, "inuse_objects"))
		return read_count(reader, &values->inuse_objects);
	if (pw_json_is_key(reader, "alloc_bytes"))
		return read_count(reader, &values->alloc_bytes);
	if (pw_json_is_key(reader, "alloc_objects"))
		return read_count(reader, &values->alloc_objects);
	if (pw_json_is_key(reader, "object_bytes"))
		return read_count(reader, &site->object_bytes);
	return pw_json_skip(reader);
}

static bool read_class_member(struct pw_json_reader *reader, void *context)
{
	struct pw_heap_class *class = ((struct input *)context)->item;

	if (pw_json_is_key(reader, "object_bytes"))
		return read_count(reader, &class->object_bytes);
	if (pw_json_is_key(reader, "inuse_bytes"))
		return read_count(reader, &class->bytes);
	if (pw_json_is_key(reader, "inuse_objects"))
		return read_count(reader, &class->objects);
	if (pw_json_is_key(reader, "alloc_bytes"))
		return read_count(reader, &class->alloc_bytes);
	if (pw_json_is_key(reader, "alloc_objects"))
		return read_count(reader, &class->alloc_objects);
	return pw_json_skip(reader);
}

static bool read_type_member(struct pw_json_reader *reader, void *context)
{
	struct input *input = context;
	struct pw_heap_type *type = input->item;
	const char *text;

	if (pw_json_is_key(reader, "type")) {
		if (!pw_json_read_text(reader, &text))
			return false;
		type->name = pw_profile_intern(input->heap->base, text);
		return true;
	}
	if (pw_json_is_key(reader, "inuse_bytes"))
		return read_count(reader, &type->bytes);
	if (pw_json_is_key(reader, "inuse_objects"))
		return read_count(reader, &type->objects);
	return pw_json_skip(reader);
}

static bool add_site(struct input *input, const struct pw_heap_site *site)
{
	struct pw_heap_site *added = pw_heap_add_site(input->heap);

	if (added)
		*added = *site;
	return added != NULL;
}

static bool add_class(struct input *input, const struct pw_heap_class *class)
{
	struct pw_heap_class *added = pw_heap_add_class(input->heap);

	if (added)
		*added = *class;
	return added != NULL;
}

static bool add_type(struct input *input, const struct pw_heap_type *type)
{
	struct pw_heap_type *added = pw_heap_add_type(input->heap);

	if (added)
		*added = *type;
	return added != NULL;
}

/* An array of objects, each read into an item of the given kind and added. */
#define READ_LIST(reader, input, type, member, add)                                   \
	({                                                                            \
		enum pw_json_token token_ = pw_json_next(reader);                     \
		bool ok_ = token_ == PW_JSON_ARRAY || pw_json_fail(reader, -EBADMSG); \
		while (ok_ && (token_ = pw_json_next(reader)) == PW_JSON_OBJECT) {    \
			struct type item_ = {0};                                      \
			(input)->item = &item_;                                       \
			ok_ = pw_json_read_members(reader, input, member) &&          \
			      (add(input, &item_) || pw_json_fail(reader, -ENOMEM));  \
		}                                                                     \
		ok_ && (token_ == PW_JSON_CLOSE || pw_json_fail(reader, -EBADMSG));   \
	})

static bool read_root_member(struct pw_json_reader *reader, void *context)
{
	struct input *input = context;
	uint64_t number;

	if (pw_json_is_key(reader, "schema_version")) {
		if (!pw_json_read_u64(reader, UINT64_MAX, &number))
			return false;
		input->version = true;
		return number == 1 || pw_json_fail(reader, -ENOTSUP);
	}
	if (pw_json_is_key(reader, "sites")) {
		input->sites = true;
		return READ_LIST(reader, input, pw_heap_site, read_site_member, add_site);
	}
	if (pw_json_is_key(reader, "classes"))
		return READ_LIST(reader, input, pw_heap_class, read_class_member, add_class);
	if (pw_json_is_key(reader, "types"))
		return READ_LIST(reader, input, pw_heap_type, read_type_member, add_type);
	if (pw_json_is_key(reader, "rate"))
		return read_count(reader, &input->heap->rate);
	if (pw_json_is_key(reader, "cycle"))
		return read_count(reader, &input->heap->cycle);
	return pw_head_read_json(reader, input->heap->base);
}

int pw_heap_read_json(const void *data, size_t size, struct pw_heap_profile **ret_heap)
{
	struct input input = {.heap = pw_heap_profile_new()};
	struct pw_json_reader reader;
	int error;
	bool ok;

	if (!input.heap)
		return -ENOMEM;
	pw_json_reader_init(&reader, data, size);
	ok = pw_json_next(&reader) == PW_JSON_OBJECT && pw_json_read_members(&reader, &input, read_root_member) &&
	     pw_json_next(&reader) == PW_JSON_EOF && input.version && input.sites;
	error = reader.error ? reader.error : -EBADMSG;
	pw_json_reader_done(&reader);
	if (ok) {
		error = pw_heap_merge(input.heap);
		ok = error >= 0;
	}
	if (!ok) {
		pw_heap_profile_free(input.heap);
		return error;
	}
	*ret_heap = input.heap;
	return 0;
}
