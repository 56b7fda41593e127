/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_GO_MEASURE_H
#define PW_GO_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "binary/disasm.h"
#include "go/calibrate.h"
#include "go/funcs.h"

/*
 * Field offsets read from machine code: instructions that name one field beyond doubt, such as the byte that gopark
 * stores its wait reason to. Each rule says the function and the statement; all hold for Go 1.17 to 1.27 unless it says
 * otherwise. What to believe when table and code differ is decided in calibrate.c.
 */
#define PW_NOT_MEASURED (-1)

enum pw_measure_id {
	PW_MEASURE_WAITREASON,
	PW_MEASURE_ATOMICSTATUS,
	PW_MEASURE_TRACKINGSEQ,
	PW_MEASURE_STARTPC,
	PW_MEASURE_M_P,
	PW_MEASURE_RUNQHEAD,
	PW_MEASURE_M_CURG,
	PW_MEASURE_SCHED_BP,
	PW_MEASURE_HEAPMARKED,
	PW_MEASURE_LAST_GC_UNIX,
	PW_MEASURE_NGSYS,
	PW_MEASURE_M_NCGOCALL,
	PW_MEASURE_M_LOCK_WAIT, /* 1.22 and later */
	_PW_MEASURE_MAX,
};

/* One binary under calibration: each function is disassembled once, however many fields it tells of. */
struct pw_survey {
	const struct pw_elf *elf;	/* borrowed */
	const struct pw_pclntab *table; /* borrowed */
	enum pw_arch arch;
	struct pw_globals globals; /* set by the caller */
	struct {
		bool tried, found;
		struct pw_function function;
	} cache[_PW_FUNC_MAX];
};
void pw_survey_init(struct pw_survey *survey, const struct pw_elf *elf, const struct pw_pclntab *table);
void pw_survey_done(struct pw_survey *survey);
/* The code of a function, owned by the survey; NULL if the binary has none. */
const struct pw_code *pw_survey_code(struct pw_survey *survey, enum pw_func_id id);

/* The offset in bytes, or PW_NOT_MEASURED. */
int64_t pw_measure(struct pw_survey *survey, enum pw_measure_id id);

/* Does the code load, store or take the address of [some register + offset]? Of the global at addr? */
bool pw_code_touches(const struct pw_code *code, int64_t offset);
bool pw_code_refers(const struct pw_code *code, uint64_t addr);

#endif
