/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_PCLNTAB_H
#define PW_BINARY_PCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_why;
struct pw_elf;

/*
 * Go's own table of functions, which survives strip: names, files, lines, the inline tree and frame sizes.
 * All formats from Go 1.16 on (src/runtime/symtab.go, src/internal/abi/symtab.go). Addresses are link-time addresses.
 */
struct pw_pclntab;

struct pw_func {
	uint64_t entry, end; /* link-time, [entry, end) */
	const char *name;    /* owned by the table */
	uint32_t index;	     /* in ftab order */
	uint8_t func_id;     /* abi.FuncID, numbering of that version */
	uint8_t flag;	     /* 1 TopFrame, 2 SPWrite, 4 Asm */
	bool wrapper;	     /* funcID says ABI wrapper */
};

struct pw_frame_ref { /* one logical frame of a pc; strings are owned by the table */
	const char *function, *file;
	uint32_t line;
	bool inlined;
	bool wrapper;	/* made by the compiler (method, go and defer wrappers): tracebacks leave out those that call */
	uint64_t entry; /* of the physical function */
};

/* Locates and reads moduledata and pclntab of a Go executable: by section, by magic scan, through relocations.
 * go_minor selects the layout of moduledata. -ENODATA no table, -EBADMSG lies, -ENOTSUP unknown magic. */
int pw_pclntab_open(struct pw_pclntab **ret_table, const struct pw_elf *elf, int go_minor, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_pclntab_free(struct pw_pclntab *table);
/* Frees what was read for earlier questions (up to 3 MB of file blocks, the name index, all strings handed out: they
 * are invalid then). The table stays usable. For tables that are kept open between questions. */
void pw_pclntab_drop_caches(struct pw_pclntab *table);

size_t pw_pclntab_count(const struct pw_pclntab *table);
uint64_t pw_pclntab_text(const struct pw_pclntab *table); /* moduledata.text */
uint64_t pw_pclntab_etext(const struct pw_pclntab *table);
uint64_t pw_pclntab_moduledata(const struct pw_pclntab *table); /* link-time address of runtime.firstmoduledata */

/* The i-th function. -EBADMSG if its record lies. */
int pw_pclntab_func(const struct pw_pclntab *table, size_t index, struct pw_func *ret_func)
	__attribute__((warn_unused_result));
/* The function of that name that is no ABI wrapper (of several, the largest). -ENODATA if absent. */
int pw_pclntab_func_by_name(const struct pw_pclntab *table, const char *name, struct pw_func *ret_func)
	__attribute__((warn_unused_result));
int pw_pclntab_func_by_pc(const struct pw_pclntab *table, uint64_t pc, struct pw_func *ret_func)
	__attribute__((warn_unused_result));

/* Frames of pc, innermost inlined call first, the physical function last; at most max. Returns their number.
 * pc is looked up as it is: the caller subtracts 1 from return addresses. Where only the function is certain, because
 * the line or inline tables lie, that is the one frame, with file "?" and line 0. -ENODATA outside the table. */
int pw_pclntab_frames(const struct pw_pclntab *table, uint64_t pc, struct pw_frame_ref *frames, size_t max)
	__attribute__((warn_unused_result));
/* Bytes between SP at pc and the return address slot (pcsp). -ENODATA if the function has no pcsp table. */
int pw_pclntab_frame_size(const struct pw_pclntab *table, uint64_t pc, uint32_t *ret_bytes)
	__attribute__((warn_unused_result));

#endif
