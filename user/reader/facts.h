/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_FACTS_H
#define PW_READER_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/buildinfo.h"
#include "binary/elf.h"
#include "go/calibrate.h"
#include "go/layout.h"
#include "go/sites.h"

/* Measured: 9 in Go 1.21 to 27 in Go 1.27; functions of other names stand in between. */
#define PW_RUNTIME_RANGES_MAX 128

struct pw_address_range {
	uint64_t start, end; /* link-time, [start, end) */
};

/*
 * All that one file says about a build: worked out once in the reader process, plain data, checked on both sides of the
 * socket, cached by build ID. Addresses are link-time addresses; live = link-time + bias, where bias = (start of the
 * mapping of a file offset) - (link-time address of that offset).
 */
struct pw_build_facts {
	char build_id[96];    /* "gnu:...", "go:...", "hash:..." */
	char go_build_id[96]; /* "go:...", or "" */
	enum pw_arch arch;
	bool is_go; /* false: the rest is not set, and why_not_go says why */
	bool pie, stripped, shared_library, cgo;
	uint64_t file_size;
	struct pw_buildinfo info;

	uint64_t text, etext; /* moduledata.text, .etext */
	uint64_t moduledata;
	uint64_t entry;			    /* of the ELF file */
	struct pw_elf_segment text_segment; /* the PT_LOAD that holds text: ties mappings to link-time addresses */

	struct pw_layout layout;
	struct pw_globals globals;
	struct pw_wait_reasons wait_reasons;
	struct pw_site sites[_PW_EVENT_MAX];

	/* Entry points of functions that tell system goroutines from the user's (runtime.isSystemGoroutine). 0: absent.
	 */
	uint64_t runtime_main, runtime_corostart, runtime_handle_async_event, runtime_runfinq, runtime_run_cleanups;
	bool has_mem_profile; /* runtime.MemProfile was not left out by the linker (cmd/link: disableMemoryProfiling) */
	/* Where the functions whose name begins with "runtime." are, ascending. */
	struct pw_address_range runtime_ranges[PW_RUNTIME_RANGES_MAX];
	size_t runtime_range_count;

	char why_not_go[192];
	char why_no_symbols[192]; /* empty: pclntab can be used */
	char why_no_memory[256];  /* empty: layout and globals suffice to walk goroutines */
	char why_no_events[256];  /* empty: spawn, exit and park have sites */
	char notes[512];	  /* conflicts, best-effort marks: one sentence each */
};

#endif
