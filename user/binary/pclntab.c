/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/pclntab.h"

#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/why.h"
#include "binary/elf.h"
#include "binary/pclntab_table.h"

/*
 * The table, after its header (moduledata.c):
 *
 *	names      "runtime.gopark\0..."              part of cu of the header at: names
 *	cutab      u32: file number in a unit -> offset in files                   units
 *	filetab    "/usr/lib/go/src/runtime/proc.go\0..."                          files
 *	pctab      pc-value tables                                                 pc_values
 *	functions  ftab: {entry, offset of _func} ascending, the end last;
 *	           then the _func records, each with pcdata and funcdata behind it functions
 *
 * It can be as large as 100 MB, so it is read through a window of 3 MB and nothing of it is copied but the strings that
 * were handed out. Asking for a name builds an index of all names (8 bytes in a hash table of at most half load), in
 *one pass that follows the order of the table.
 */

enum { /* abi.FuncIDWrapper, by Go version */
       FUNC_ID_WRAPPER_117 = 22,
       FUNC_ID_WRAPPER_118 = 21,
       FUNC_ID_WRAPPER_122 = 22,
       FUNC_ID_WRAPPER_125 = 23,
};

static void drop_names(struct pw_pclntab_cache *cache)
{
	pw_table_done(&cache->strings);
	free(cache->slots);
	cache->slots = NULL;
}

void pw_pclntab_drop_caches(struct pw_pclntab *table)
{
	drop_names(table->cache);
	pw_window_drop(table->window);
}

void pw_pclntab_free(struct pw_pclntab *table)
{
	if (!table)
		return;
	if (table->cache)
		drop_names(table->cache);
	free(table->cache);
	pw_window_free(table->window);
	free(table);
}

PW_DEFINE_CLEANUP(struct pw_pclntab *, pw_pclntab_free);

/* From the start of the table to the end of the file bytes of its segment: external linkers put others behind it. */
static int place(struct pw_pclntab *table)
{
	const struct pw_elf_segment *segment;
	size_t count;
	int r;

	r = pw_elf_offset(table->elf, table->header.vaddr, &table->offset);
	if (r < 0)
		return r;
	segment = pw_elf_segments(table->elf, &count);
	for (size_t i = 0; i < count; i++, segment++)
		if (table->offset >= segment->offset && table->offset - segment->offset < segment->filesz)
			table->size = PW_MAX(table->size, segment->filesz - (table->offset - segment->offset));
	return 0;
}

static size_t ftab_entry_size(const struct pw_pclntab *table)
{
	return table->header.format == PW_PCLNTAB_GO116 ? 16 : 8;
}

int pw_pclntab_open(struct pw_pclntab **ret_table, const struct pw_elf *elf, int go_minor, struct pw_why *reterr_why)
{
	_cleanup_(pw_pclntab_freep) struct pw_pclntab *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	table->cache = calloc(1, sizeof(*table->cache));
	if (!table->cache)
		/* cppcheck-suppress memleak ; the cleanup attribute frees it */
		return -ENOMEM;
	table->cache->strings = (struct pw_table)PW_TABLE_INIT(PW_PCLNTAB_STRINGS_MAX, free);
	table->elf = elf;
	table->go_minor = go_minor;
	r = pw_moduledata_find(&table->module, &table->header, elf, go_minor, reterr_why);
	if (r < 0)
		return r;
	r = place(table);
	if (r < 0)
		return pw_why_set(reterr_why, -EBADMSG, "its function table (pclntab) is not in the file");
	if (table->header.functions > table->size ||
	    table->header.function_count >= (table->size - table->header.functions) / ftab_entry_size(table))
		return pw_why_set(reterr_why, -EBADMSG, "its function table (pclntab) says %lu functions",
				  table->header.function_count);
	r = pw_window_new(&table->window, pw_elf_file(elf));
	if (r < 0)
		return r;
	*ret_table = TAKE_PTR(table);
	return 0;
}

size_t pw_pclntab_count(const struct pw_pclntab *table)
{
	return (size_t)table->header.function_count;
}

uint64_t pw_pclntab_text(const struct pw_pclntab *table)
{
	return table->module.text;
}

uint64_t pw_pclntab_etext(const struct pw_pclntab *table)
{
	return table->module.etext;
}

uint64_t pw_pclntab_moduledata(const struct pw_pclntab *table)
{
	return table->module.vaddr;
}

int pw_pclntab_bytes(const struct pw_pclntab *table, uint64_t at, void *buffer, size_t n)
{
	if (at > table->size || n > table->size - at)
		return -EBADMSG;
	return pw_window_read(table->window, table->offset + at, buffer, n);
}

int pw_pclntab_u32(const struct pw_pclntab *table, uint64_t at, uint32_t *ret_value)
{
	uint8_t raw[4] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	int r = pw_pclntab_bytes(table, at, raw, sizeof(raw));

	if (r < 0)
		return r;
	*ret_value = pw_bytes_u32(&bytes);
	return 0;
}

/* Copies the text up to its NUL, the end of its part or the size of the buffer; always ends it. */
static int copy_text(const struct pw_pclntab *table, uint64_t at, uint64_t part_end, char *text, size_t size)
{
	const uint8_t *from, *nul = NULL;
	size_t have, used = 0;
	int r;

	part_end = PW_MIN(part_end, table->size);
	while (!nul && used < size - 1 && at < part_end) {
		r = pw_window_peek(table->window, table->offset + at, &from, &have);
		if (r < 0)
			return r;
		have = (size_t)PW_MIN((uint64_t)PW_MIN(have, size - 1 - used), part_end - at);
		nul = memchr(from, '\0', have);
		have = nul ? (size_t)(nul - from) : have;
		memcpy(text + used, from, have);
		used += have;
		at += have;
	}
	text[used] = '\0';
	return nul || used == size - 1 ? 0 : -EBADMSG;
}

int pw_pclntab_text_at(const struct pw_pclntab *table, uint64_t part, uint64_t part_end, uint64_t offset,
		       const char **ret_text)
{
	char buffer[PW_PCLNTAB_NAME_MAX];
	uint64_t at;
	char *text;
	int r;

	if (part > part_end || offset >= part_end - part)
		return -EBADMSG;
	at = part + offset;
	text = pw_table_get_u64(&table->cache->strings, at);
	if (!text) {
		r = copy_text(table, at, part_end, buffer, sizeof(buffer));
		if (r < 0)
			return r;
		text = strdup(buffer);
		if (!text)
			return -ENOMEM;
		r = pw_table_put_u64(&table->cache->strings, at, text);
		if (r < 0) {
			free(text);
			return r;
		}
	}
	*ret_text = text;
	return 0;
}

int pw_pclntab_name_at(const struct pw_pclntab *table, uint64_t offset, const char **ret_name)
{
	return pw_pclntab_text_at(table, table->header.names, table->header.units, offset, ret_name);
}

/* Entry index of ftab: its pc and, but for the last one, where its record is. */
static int read_ftab(const struct pw_pclntab *table, size_t index, uint64_t *ret_pc, uint64_t *ret_record)
{
	bool last = index == table->header.function_count;
	uint64_t at = table->header.functions + index * ftab_entry_size(table);
	uint8_t raw[16] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	int r;

	if (table->header.format == PW_PCLNTAB_GO116) { /* absolute, so relocated in a PIE */
		r = pw_elf_read_pointer(table->elf, table->header.vaddr + at, ret_pc);
		if (!r && !last)
			r = pw_pclntab_bytes(table, at + 8, raw, 8);
		*ret_record = pw_bytes_u64(&bytes);
		return r;
	}
	r = pw_pclntab_bytes(table, at, raw, last ? 4 : 8);
	if (r < 0)
		return r;
	if (pw_add_overflows(table->module.text, (uint64_t)pw_bytes_u32(&bytes), ret_pc))
		return -EBADMSG;
	*ret_record = pw_bytes_u32(&bytes);
	return 0;
}

bool pw_pclntab_is_wrapper(const struct pw_pclntab *table, uint8_t func_id)
{
	int minor = table->go_minor;

	if (table->header.format == PW_PCLNTAB_GO116)
		return func_id == FUNC_ID_WRAPPER_117;
	if (table->header.format == PW_PCLNTAB_GO118 || (minor >= 0 && minor < 22))
		return func_id == FUNC_ID_WRAPPER_118;
	return func_id == (minor >= 0 && minor < 25 ? FUNC_ID_WRAPPER_122 : FUNC_ID_WRAPPER_125);
}

static size_t record_size(const struct pw_pclntab *table)
{
	switch (table->header.format) {
	case PW_PCLNTAB_GO118:
		return 0x28;
	default: /* 1.16's has a longer entry, 1.20's a startLine */
		return 0x2c;
	}
}

int pw_pclntab_record(const struct pw_pclntab *table, size_t index, struct pw_func_record *ret_record)
{
	struct pw_func_record record = {.func.index = (uint32_t)index};
	uint8_t raw[0x30] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	uint64_t at, unused;
	uint32_t name;
	int r;

	if (index >= table->header.function_count)
		return -EBADMSG;
	r = read_ftab(table, index, &record.func.entry, &at);
	if (r < 0)
		return r;
	r = read_ftab(table, index + 1, &record.func.end, &unused);
	if (r < 0)
		return r;
	if (record.func.end < record.func.entry || pw_add_overflows(at, table->header.functions, &at))
		return -EBADMSG;
	r = pw_pclntab_bytes(table, at, raw, record_size(table));
	if (r < 0)
		return r;
	pw_bytes_skip(&bytes, table->header.format == PW_PCLNTAB_GO116 ? 8 : 4); /* entry, as in ftab */
	name = pw_bytes_u32(&bytes);
	pw_bytes_skip(&bytes, 8); /* args, deferreturn */
	record.pcsp = pw_bytes_u32(&bytes);
	record.pcfile = pw_bytes_u32(&bytes);
	record.pcln = pw_bytes_u32(&bytes);
	record.pcdata_count = pw_bytes_u32(&bytes);
	record.unit = pw_bytes_u32(&bytes);
	if (table->header.format == PW_PCLNTAB_GO120)
		pw_bytes_skip(&bytes, 4); /* startLine */
	record.func.func_id = pw_bytes_u8(&bytes);
	record.func.flag = pw_bytes_u8(&bytes);
	pw_bytes_skip(&bytes, 1);
	record.funcdata_count = pw_bytes_u8(&bytes);
	record.pcdata = at + record_size(table);
	record.func.wrapper = pw_pclntab_is_wrapper(table, record.func.func_id);
	r = pw_pclntab_name_at(table, name, &record.func.name);
	if (r < 0)
		return r;
	*ret_record = record;
	return 0;
}

int pw_pclntab_func(const struct pw_pclntab *table, size_t index, struct pw_func *ret_func)
{
	struct pw_func_record record;
	int r = pw_pclntab_record(table, index, &record);

	if (r < 0)
		return r;
	*ret_func = record.func;
	return 0;
}

int pw_pclntab_record_by_pc(const struct pw_pclntab *table, uint64_t pc, struct pw_func_record *ret_record)
{
	size_t low = 0, high = (size_t)table->header.function_count, middle; /* entry(low) <= pc < entry(high) */
	uint64_t entry, unused;
	int r;

	for (size_t i = 0; i < 2; i++) {
		r = read_ftab(table, i ? high : low, &entry, &unused);
		if (r < 0)
			return r;
		if (i ? pc >= entry : pc < entry)
			return -ENODATA;
	}
	while (high - low > 1) {
		middle = low + (high - low) / 2;
		r = read_ftab(table, middle, &entry, &unused);
		if (r < 0)
			return r;
		if (pc < entry)
			high = middle;
		else
			low = middle;
	}
	r = pw_pclntab_record(table, low, ret_record);
	if (r < 0)
		return r;
	return pc >= ret_record->func.entry && pc < ret_record->func.end ? 0 : -EBADMSG;
}

int pw_pclntab_func_by_pc(const struct pw_pclntab *table, uint64_t pc, struct pw_func *ret_func)
{
	struct pw_func_record record;
	int r = pw_pclntab_record_by_pc(table, pc, &record);

	if (r < 0)
		return r;
	*ret_func = record.func;
	return 0;
}

#define HASH_START 0x811c9dc5U

static uint32_t hash_bytes(uint32_t hash, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ data[i]) * 0x01000193U;
	return hash;
}

/* Of the name at an offset, without copying it; names that are cut are hashed as far as they are kept. */
static int hash_name(const struct pw_pclntab *table, uint32_t name, uint32_t *ret_hash)
{
	uint64_t at = table->header.names + name, end = PW_MIN(table->header.units, table->size);
	uint32_t hash = HASH_START;
	const uint8_t *from, *nul = NULL;
	size_t have, used = 0;
	int r;

	while (!nul && at < end && used < PW_PCLNTAB_NAME_MAX - 1) {
		r = pw_window_peek(table->window, table->offset + at, &from, &have);
		if (r < 0)
			return r;
		have = (size_t)PW_MIN((uint64_t)PW_MIN(have, PW_PCLNTAB_NAME_MAX - 1 - used), end - at);
		nul = memchr(from, '\0', have);
		have = nul ? (size_t)(nul - from) : have;
		hash = hash_bytes(hash, from, have);
		at += have;
		used += have;
	}
	*ret_hash = hash;
	return 0;
}

/* A function whose record lies is not in the index; the others are. */
static int build_index(const struct pw_pclntab *table)
{
	struct pw_pclntab_cache *cache = table->cache;
	size_t count = (size_t)table->header.function_count, size = 16, at;
	uint32_t name_field = table->header.format == PW_PCLNTAB_GO116 ? 8 : 4, name, hash;
	uint64_t entry, record;

	while (size < 2 * count)
		size *= 2;
	cache->slots = calloc(size, sizeof(*cache->slots));
	if (!cache->slots)
		return -ENOMEM;
	cache->slot_mask = size - 1;
	for (size_t i = 0; i < count; i++) {
		if (read_ftab(table, i, &entry, &record) < 0 || record > table->size ||
		    pw_pclntab_u32(table, table->header.functions + record + name_field, &name) < 0 ||
		    hash_name(table, name, &hash) < 0)
			continue;
		for (at = hash & cache->slot_mask; cache->slots[at].index_plus_one;)
			at = (at + 1) & cache->slot_mask;
		cache->slots[at] = (struct pw_name_slot){.hash = hash, .index_plus_one = (uint32_t)i + 1};
	}
	return 0;
}

/* Of two functions of one name: not the ABI wrapper, else the larger one. */
static bool is_better(const struct pw_func *candidate, const struct pw_func *best)
{
	if (candidate->wrapper != best->wrapper)
		return best->wrapper;
	return candidate->end - candidate->entry > best->end - best->entry;
}

int pw_pclntab_func_by_name(const struct pw_pclntab *table, const char *name, struct pw_func *ret_func)
{
	const struct pw_pclntab_cache *cache = table->cache;
	uint32_t hash = hash_bytes(HASH_START, (const uint8_t *)name, strlen(name));
	struct pw_func func, best = {};
	bool found = false;
	int r = cache->slots ? 0 : build_index(table);

	if (r < 0 || !cache->slots)
		return r < 0 ? r : -ENOMEM;
	for (size_t at = hash & cache->slot_mask; cache->slots[at].index_plus_one; at = (at + 1) & cache->slot_mask) {
		if (cache->slots[at].hash != hash ||
		    pw_pclntab_func(table, cache->slots[at].index_plus_one - 1, &func) < 0 || strcmp(func.name, name))
			continue;
		if (!found || is_better(&func, &best))
			best = func;
		found = true;
	}
	if (!found)
		return -ENODATA;
	*ret_func = best;
	return 0;
}
