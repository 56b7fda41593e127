/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

struct pw_why;
struct pw_elf;

/* Formats of the table, by the Go version that introduced them; the magic tells. */
enum pw_pclntab_format {
	PW_PCLNTAB_GO116 = 16, /* 1.16 and 1.17 */
	PW_PCLNTAB_GO118 = 18, /* 1.18 and 1.19 */
	PW_PCLNTAB_GO120 = 20, /* 1.20 and later */
};

/* runtime.pcHeader: the start of pclntab. Offsets are from its address and were checked against one another. */
struct pw_pcheader {
	uint64_t vaddr;
	enum pw_pclntab_format format;
	uint8_t min_lc; /* bytes of the shortest instruction: 1 or 4 */
	uint64_t function_count;
	uint64_t names, units, files, pc_values, functions;
};

/* What we need of runtime.firstmoduledata; addresses are link-time. */
struct pw_moduledata {
	uint64_t vaddr;
	uint64_t text, etext;
	uint64_t gofunc; /* base of funcdata offsets; 0 before 1.18 */
};

/*
 * Finds the table and the moduledata that points to it: one proves the other. By section name, else by magic in the
 * data, else in the text (old linkers put read-only data there). go_minor -1: unknown. -ENODATA no table, -EBADMSG none
 * that holds together, -ENOTSUP a magic of Go 1.15 or earlier.
 */
int pw_must_check pw_moduledata_find(struct pw_moduledata *ret_module, struct pw_pcheader *ret_header,
				     const struct pw_elf *elf, int go_minor, struct pw_why *reterr_why);
