/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"
#include "base/table.h"
#include "binary/file.h"
#include "binary/moduledata.h"
#include "binary/pclntab.h"

/* What pclntab.c and pclntab_frames.c share: the open table and one decoded record of runtime._func. */

struct pw_name_slot {
	uint32_t hash, index_plus_one; /* 0: empty */
};

struct pw_pclntab_cache {	    /* filled on use, behind a const table; one thread */
	struct pw_table strings;    /* offset in the table -> text, owned */
	struct pw_name_slot *slots; /* names of all functions, open addressing; NULL until asked by name */
	size_t slot_mask;
};

struct pw_pclntab {
	const struct pw_elf *elf;
	struct pw_pcheader header;
	struct pw_moduledata module;
	int go_minor;
	uint64_t offset, size; /* of the table in the file; size reaches to the end of its segment */
	struct pw_window *window;
	struct pw_pclntab_cache *cache;
};

struct pw_func_record {
	struct pw_func func;
	uint32_t pcsp, pcfile, pcln; /* pc-value tables; 0: none */
	uint32_t unit;		     /* first entry of its compilation unit in cutab */
	uint32_t pcdata_count, funcdata_count;
	uint64_t pcdata; /* offset of the array in the table; funcdata follows */
};

/* n bytes at an offset in the table. -EBADMSG outside. */
int pw_must_check pw_pclntab_bytes(const struct pw_pclntab *table, uint64_t at, void *buffer, size_t n);
int pw_must_check pw_pclntab_u32(const struct pw_pclntab *table, uint64_t at, uint32_t *ret_value);

/* The text at an offset of the part [part, part_end) of the table, owned by the table. */
int pw_must_check pw_pclntab_text_at(const struct pw_pclntab *table, uint64_t part, uint64_t part_end, uint64_t offset,
				     const char **ret_text);
int pw_must_check pw_pclntab_name_at(const struct pw_pclntab *table, uint64_t offset, const char **ret_name);

bool pw_pclntab_is_wrapper(const struct pw_pclntab *table, uint8_t func_id);
int pw_must_check pw_pclntab_record(const struct pw_pclntab *table, size_t index, struct pw_func_record *ret_record);
int pw_must_check pw_pclntab_record_by_pc(const struct pw_pclntab *table, uint64_t pc,
					  struct pw_func_record *ret_record);
