/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_CALIBRATE_H
#define PW_GO_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_why;
struct pw_elf;
struct pw_pclntab;
struct pw_layout;

/* Runtime globals, found by disassembling the runtime functions that use them (GO-RUNTIME 3). */
enum pw_global {
	PW_GLOBAL_ALLGLEN,
	PW_GLOBAL_ALLGPTR,
	PW_GLOBAL_ALLGS,
	PW_GLOBAL_ALLP,
	PW_GLOBAL_SCHED,
	PW_GLOBAL_ALLM,
	PW_GLOBAL_M0,
	PW_GLOBAL_MEMSTATS,
	PW_GLOBAL_GCCONTROLLER,
	PW_GLOBAL_MHEAP,
	PW_GLOBAL_WORK,
	PW_GLOBAL_GCPHASE,
	PW_GLOBAL_MBUCKETS,
	PW_GLOBAL_SEMTABLE,
	PW_GLOBAL_WAITREASONSTRINGS,
	PW_GLOBAL_FINQ,
	PW_GLOBAL_FING,
	PW_GLOBAL_FORCEGC,
	PW_GLOBAL_NCGOCALL,
	PW_GLOBAL_GCCPULIMITER, /* 1.19 and later */
	PW_GLOBAL_RUNTIMEINITTIME,
	PW_GLOBAL_STARTTIME,	     /* 0 until somebody traces the scheduler */
	PW_GLOBAL_STARTINGSTACKSIZE, /* 1.19 and later */
	PW_GLOBAL_MEMPROFILERATE,
	PW_GLOBAL_MPROFCYCLE, /* 1.19 and later */
	PW_GLOBAL_FINQUEUED,  /* this and the next two 1.25 and later */
	PW_GLOBAL_FINEXECUTED,
	PW_GLOBAL_GCCLEANUPS,
	PW_GLOBAL_EXTRAMINUSE, /* 1.21 and later */
	PW_GLOBAL_EXTRAMLENGTH,
	_PW_GLOBAL_MAX,
};
const char *pw_global_name(enum pw_global global); /* "runtime.allglen" */
int pw_global_since(enum pw_global global);	   /* the first minor version that has it; 0: all do */

struct pw_globals {
	uint64_t addr[_PW_GLOBAL_MAX]; /* link-time; 0: not found */
};

/* Finds the globals. Returns how many; what is missing stays 0 and is named in reterr_why. */
int pw_globals_find(struct pw_globals *ret_globals, const struct pw_elf *elf, const struct pw_pclntab *table,
		    const struct pw_layout *layout, struct pw_why *reterr_why);

/* Holds the layout against the machine code of this binary (GO-RUNTIME 1.5) and writes the verdict into layout->trust;
 * a field that the code shows elsewhere is moved. Returns the number of conflicts left; names them in reterr_why. */
int pw_layout_calibrate(struct pw_layout *layout, const struct pw_elf *elf, const struct pw_pclntab *table,
			struct pw_why *reterr_why);

#define PW_WAIT_REASONS_MAX 96
#define PW_WAIT_REASON_SIZE 40

struct pw_wait_reasons {
	size_t count;
	bool from_target; /* strings of this binary, not of a built-in table */
	char name[PW_WAIT_REASONS_MAX][PW_WAIT_REASON_SIZE];
};

/* Reads the strings of runtime.waitReasonStrings from the file (relocated in a PIE); the built-in table of that
 * version if they cannot be read and the version is known, else -ENODATA. */
int pw_wait_reasons_read(struct pw_wait_reasons *ret_reasons, const struct pw_elf *elf, const struct pw_pclntab *table,
			 int go_minor, struct pw_why *reterr_why) __attribute__((warn_unused_result));

#endif
