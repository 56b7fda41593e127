/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "binary/elf.h"
#include "binary/pclntab.h"
#include "binary/pclntab_table.h"

/*
 * What is behind a pc: line, file, inlined calls, frame size. All of it is in pc-value tables, runs of
 *
 *	svarint change of the value, uvarint length of the range (in shortest instructions)
 *
 * that start with the value -1 at the function's entry; a change of 0 after the first pair ends the table.
 *
 * The inline tree is an array in funcdata; the pc-value table InlTree says which node is innermost at a pc, -1 none.
 *
 *	1.16 to 1.19  a node holds file and line of its call and the number of its parent
 *	1.20 on       a node holds a pc of its parent, where everything is looked up again
 *
 * Source: src/runtime/symtab.go:pcvalue, symtabinl.go, go1.17, go1.19, go1.20, go1.27.
 */

enum { PCDATA_INLTREE = 2, FUNCDATA_INLTREE = 3 };

#define NODE_118_SIZE 20
#define NODE_120_SIZE 16
#define PAIR_MAX      20 /* bytes of two varints */

struct lookup {
	const struct pw_pclntab *table;
	struct pw_func_record record;
	uint32_t steps_left; /* for all tables of one question: a file that lies cannot hold us up */
	uint64_t tree;	     /* link-time address of the inline tree; 0: none */
	struct pw_frame_ref *frames;
	size_t count, max;
};

/* A part of pctab that is refilled before a pair could end outside of it. */
struct pairs {
	uint8_t data[256];
	struct pw_bytes bytes;
	uint64_t at, end; /* of what is not loaded yet, in the table */
};

static int refill(const struct pw_pclntab *table, struct pairs *pairs)
{
	size_t left = pw_bytes_remaining(&pairs->bytes), n;
	int r;

	if (left >= PAIR_MAX || pairs->at >= pairs->end)
		return 0;
	memmove(pairs->data, pairs->data + pairs->bytes.pos, left);
	n = (size_t)PW_MIN((uint64_t)(sizeof(pairs->data) - left), pairs->end - pairs->at);
	r = pw_pclntab_bytes(table, pairs->at, pairs->data + left, n);
	if (r < 0)
		return r;
	pairs->at += n;
	pairs->bytes = pw_bytes_init(pairs->data, left + n);
	return 0;
}

/* The value of a pc-value table at pc; -1 where the table or pc in it is missing, as the runtime has it. */
static int value_at(struct lookup *lookup, uint32_t offset, uint64_t pc, int32_t *ret_value)
{
	const struct pw_pclntab *table = lookup->table;
	struct pairs pairs = {};
	uint64_t at = lookup->record.func.entry, length;
	uint32_t value = UINT32_MAX;
	int64_t change;
	int r;

	if (!offset) {
		*ret_value = -1;
		return 0;
	}
	pairs.at = table->header.pc_values + offset;
	pairs.end = PW_MIN(table->header.functions, table->size);
	for (bool first = true; lookup->steps_left; first = false, lookup->steps_left--) {
		r = refill(table, &pairs);
		if (r < 0)
			return r;
		change = pw_bytes_svarint(&pairs.bytes);
		if (!change && !first) { /* ends before pc: padding behind the code */
			*ret_value = -1;
			return 0;
		}
		length = pw_bytes_uvarint(&pairs.bytes);
		if (!pw_bytes_ok(&pairs.bytes) || pw_mul_overflows(length, (uint64_t)table->header.min_lc, &length) ||
		    pw_add_overflows(at, length, &at))
			return -EBADMSG;
		value += (uint32_t)change;
		if (pc < at) {
			*ret_value = (int32_t)value;
			return 0;
		}
	}
	return -E2BIG;
}

/* Address of the inline tree: an absolute pointer before 1.18 (aligned, relocated in a PIE), then an offset. */
static int find_tree(struct lookup *lookup)
{
	const struct pw_pclntab *table = lookup->table;
	const struct pw_func_record *record = &lookup->record;
	uint64_t at = record->pcdata + 4ULL * record->pcdata_count;
	uint32_t offset;
	int r;

	if (record->funcdata_count <= FUNCDATA_INLTREE || record->pcdata_count <= PCDATA_INLTREE)
		return 0;
	if (table->header.format == PW_PCLNTAB_GO116) {
		at = (at + 7) / 8 * 8 + 8 * FUNCDATA_INLTREE;
		return pw_elf_read_pointer(table->elf, table->header.vaddr + at, &lookup->tree) < 0 ? -EBADMSG : 0;
	}
	r = pw_pclntab_u32(table, at + 4 * FUNCDATA_INLTREE, &offset);
	if (r < 0)
		return r;
	if (offset != UINT32_MAX && pw_add_overflows(table->module.gofunc, (uint64_t)offset, &lookup->tree))
		return -EBADMSG;
	return 0;
}

static int tree_index(struct lookup *lookup, uint64_t pc, int32_t *ret_index)
{
	uint32_t offset;
	int r;

	*ret_index = -1;
	if (!lookup->tree)
		return 0;
	r = pw_pclntab_u32(lookup->table, lookup->record.pcdata + 4 * PCDATA_INLTREE, &offset);
	return r < 0 ? r : value_at(lookup, offset, pc, ret_index);
}

static int read_node(const struct lookup *lookup, int32_t index, uint8_t *node, size_t size)
{
	uint64_t vaddr, offset;

	if (pw_add_overflows(lookup->tree, (uint64_t)index * size, &vaddr) ||
	    pw_elf_offset(lookup->table->elf, vaddr, &offset) < 0 ||
	    pw_window_read(lookup->table->window, offset, node, size) < 0)
		return -EBADMSG;
	return 0;
}

static int file_name(const struct lookup *lookup, int32_t number, const char **ret_file)
{
	const struct pw_pcheader *header = &lookup->table->header;
	uint64_t at = header->units + 4 * ((uint64_t)lookup->record.unit + (uint32_t)number);
	uint32_t offset;
	int r;

	*ret_file = "?";
	if (number < 0)
		return 0;
	if (at > header->files || header->files - at < 4)
		return -EBADMSG;
	r = pw_pclntab_u32(lookup->table, at, &offset);
	if (r < 0)
		return r;
	if (offset == UINT32_MAX)
		return 0;
	return pw_pclntab_text_at(lookup->table, header->files, header->pc_values, offset, ret_file);
}

/* File number and line at pc. */
static int position(struct lookup *lookup, uint64_t pc, int32_t *ret_file, int32_t *ret_line)
{
	int r = value_at(lookup, lookup->record.pcfile, pc, ret_file);

	return r < 0 ? r : value_at(lookup, lookup->record.pcln, pc, ret_line);
}

/* The last place is kept for the physical function. */
static int add_frame(struct lookup *lookup, const char *function, uint8_t func_id, int32_t file, int32_t line,
		     bool inlined)
{
	struct pw_frame_ref frame = {
		.function = function,
		.line = line > 0 ? (uint32_t)line : 0,
		.inlined = inlined,
		.wrapper = pw_pclntab_is_wrapper(lookup->table, func_id),
		.entry = lookup->record.func.entry,
	};
	int r;

	if (inlined && lookup->count + 1 >= lookup->max)
		return 0;
	r = file_name(lookup, file, &frame.file);
	if (r < 0)
		return r;
	lookup->frames[lookup->count++] = frame;
	return 0;
}

/* Up to 1.19: the position comes from the pc once, then from the nodes. */
static int walk_calls(struct lookup *lookup, int32_t index, int32_t file, int32_t line)
{
	uint8_t node[NODE_118_SIZE];
	struct pw_bytes bytes;
	const char *name;
	int r;

	for (unsigned int depth = 0; index >= 0; depth++) {
		if (depth >= PW_PCLNTAB_INLINE_MAX)
			return -EBADMSG;
		r = read_node(lookup, index, node, sizeof(node));
		if (r < 0)
			return r;
		bytes = pw_bytes_init(node, sizeof(node));
		pw_bytes_seek(&bytes, 12);
		r = pw_pclntab_name_at(lookup->table, pw_bytes_u32(&bytes), &name);
		if (!r)
			r = add_frame(lookup, name, node[2], file, line, true);
		if (r < 0)
			return r;
		pw_bytes_seek(&bytes, 0);
		index = (int16_t)pw_bytes_u16(&bytes);
		pw_bytes_skip(&bytes, 2);
		file = pw_bytes_i32(&bytes);
		line = pw_bytes_i32(&bytes);
	}
	return add_frame(lookup, lookup->record.func.name, lookup->record.func.func_id, file, line, false);
}

/* From 1.20 on: everything again at the pc of the call. */
static int walk_parents(struct lookup *lookup, uint64_t pc, int32_t index, int32_t file, int32_t line)
{
	const struct pw_func *func = &lookup->record.func;
	uint8_t node[NODE_120_SIZE];
	struct pw_bytes bytes;
	const char *name;
	int r;

	for (unsigned int depth = 0; index >= 0; depth++) {
		if (depth >= PW_PCLNTAB_INLINE_MAX)
			return -EBADMSG;
		r = read_node(lookup, index, node, sizeof(node));
		if (r < 0)
			return r;
		bytes = pw_bytes_init(node, sizeof(node));
		pw_bytes_skip(&bytes, 4);
		r = pw_pclntab_name_at(lookup->table, pw_bytes_u32(&bytes), &name);
		if (!r)
			r = add_frame(lookup, name, node[0], file, line, true);
		if (r < 0)
			return r;
		pc = func->entry + pw_bytes_u32(&bytes);
		if (pc < func->entry || pc >= func->end)
			return -EBADMSG;
		r = tree_index(lookup, pc, &index);
		if (!r)
			r = position(lookup, pc, &file, &line);
		if (r < 0)
			return r;
	}
	return add_frame(lookup, func->name, func->func_id, file, line, false);
}

static int walk(struct lookup *lookup, uint64_t pc)
{
	int32_t index = -1, file = -1, line = 0;
	int r = find_tree(lookup);

	if (!r)
		r = tree_index(lookup, pc, &index);
	if (!r)
		r = position(lookup, pc, &file, &line);
	if (r < 0)
		return r;
	return lookup->table->header.format == PW_PCLNTAB_GO120 ? walk_parents(lookup, pc, index, file, line)
								: walk_calls(lookup, index, file, line);
}

int pw_pclntab_frames(const struct pw_pclntab *table, uint64_t pc, struct pw_frame_ref *frames, size_t max)
{
	struct lookup lookup = {.table = table, .frames = frames, .max = max, .steps_left = PW_PCLNTAB_STEPS_MAX};
	const struct pw_func *func = &lookup.record.func;
	int r;

	if (!max)
		return -EINVAL;
	r = pw_pclntab_record_by_pc(table, pc, &lookup.record);
	if (r < 0)
		return r;
	r = walk(&lookup, pc);
	if (r == -EBADMSG || r == -E2BIG) {
		lookup.count = 0;
		r = add_frame(&lookup, func->name, func->func_id, -1, 0, false);
	}
	return r < 0 ? r : (int)lookup.count;
}

int pw_pclntab_frame_size(const struct pw_pclntab *table, uint64_t pc, uint32_t *ret_bytes)
{
	struct lookup lookup = {.table = table, .steps_left = PW_PCLNTAB_STEPS_MAX};
	int32_t value;
	int r = pw_pclntab_record_by_pc(table, pc, &lookup.record);

	if (r < 0)
		return r;
	if (!lookup.record.pcsp)
		return -ENODATA;
	r = value_at(&lookup, lookup.record.pcsp, pc, &value);
	if (r < 0)
		return r;
	if (value < 0)
		return value == -1 ? -ENODATA : -EBADMSG;
	*ret_bytes = (uint32_t)value;
	return 0;
}
