/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_SITES_H
#define PW_GO_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/elf.h"

struct pw_why;
struct pw_pclntab;

/*
 * Where to put a uprobe for each runtime event, found by disassembly of this very binary by the rules of GO-RUNTIME
 * 1.2: an instruction that the kernel emulates, hit exactly once per event, with the wanted registers intact.
 */
enum pw_event {
	PW_EVENT_SPAWN,
	PW_EVENT_EXIT,
	PW_EVENT_PARK,
	PW_EVENT_GC_START,
	PW_EVENT_GC_MARK_TERMINATION,
	PW_EVENT_GC_SWEEP,
	PW_EVENT_STW_START,
	PW_EVENT_STW_END,
	PW_EVENT_RUN,	      /* execute; only for trace --runs */
	PW_EVENT_ALLOC_SPAN,  /* a P takes a span of small objects; these two only for heap --sample */
	PW_EVENT_ALLOC_LARGE, /* an object with a span of its own */
	_PW_EVENT_MAX,
};

/* "spawn", "exit", "park", "gc_start", "gc_mark_termination", "gc_sweep", "stw_start", "stw_end", "run",
 * "alloc_span", "alloc_large" */
const char *pw_event_name(enum pw_event event);

#define PW_SITE_REG_NONE 0xff

struct pw_site {
	bool found;
	bool emulated;		/* false: function entry at the single-step price */
	bool user_g;		/* runs on a user goroutine: g register is the goroutine itself */
	bool counts_coroutines; /* SPAWN: iter.Pull goroutines are seen here too, so it balances gdestroy */
	uint8_t g_reg;		/* machine register (disasm.h numbering) that holds the goroutine, or NONE */
	uint8_t arg_reg; /* PARK: wait reason; STW: reason; GC: start time; ALLOC_SPAN: class, _LARGE: bytes; or NONE */
	uint8_t caller_missing; /* 1: bpf_get_stackid misses the immediate caller here (entry, jbe, push) */
	uint8_t insn_size;
	uint8_t insn[16]; /* bytes in the file, compared with live memory before attaching */
	uint64_t addr;	  /* link-time address of the instruction */
	uint64_t file_offset;
	uint32_t function_offset;
	char function[64];    /* "runtime.gopark" */
	char instruction[64]; /* "push rbp" */
	char note[192];	      /* why this one: candidates rejected before it; or why none was found */
};

/* Fills sites[_PW_EVENT_MAX]. Returns 0 even if some are not found (their note says why); -ENODATA without a runtime.
 */
int pw_sites_find(struct pw_site *sites, const struct pw_elf *elf, const struct pw_pclntab *table, int go_minor,
		  struct pw_why *reterr_why) __attribute__((warn_unused_result));

#endif
