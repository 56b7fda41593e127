/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_CORE_H
#define PW_BINARY_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/vec.h"
#include "binary/elf.h"
#include "binary/identity.h"

struct pw_why;

/*
 * What an ELF core file says of the process that it was: where its memory is in the file, which executable it ran, and
 * where its threads stood. Written by the kernel (fs/binfmt_elf.c:elf_core_dump), gcore or dlv. All of it is checked:
 * what lies is left out and counted, memory that a cut file does not hold any more is counted in bytes.
 */
struct pw_core_segment { /* ascending, not overlapping */
	uint64_t start, size;
	uint64_t offset, held; /* the first held bytes are in the file, at offset */
	uint8_t writable;      /* what is missing may have differed from any file */
	uint8_t cut;	       /* more was dumped than the file holds */
	uint8_t padding[6];
};

struct pw_core_mapping { /* of the executable */
	uint64_t start, end, offset;
};

struct pw_core_thread {
	int32_t tid; /* as the process saw it */
	uint32_t padding;
	uint64_t pc, sp;
	uint64_t lr; /* arm64: the register of return addresses; else 0 */
};

struct pw_core {
	enum pw_arch arch;
	int32_t pid;
	char process[20];			 /* "" unknown */
	char exe[PW_PROC_PATH_MAX];		 /* path of the executable; "" unknown */
	char build_id[PW_BUILD_ID_SIZE];	 /* of the executable, as its headers in memory have it; "" not there */
	uint64_t entry;				 /* live address of the executable's entry point; 0 unknown */
	uint64_t missing_bytes;			 /* of a cut file */
	uint64_t dropped;			 /* segments and notes that lie, or are over a cap */
	int64_t written_ns;			 /* CLOCK_REALTIME: when the file was last written */
	PW_VEC(struct pw_core_segment) segments; /* that the process had, held or not */
	PW_VEC(struct pw_core_mapping) mappings;
	PW_VEC(struct pw_core_thread) threads;
};

/* -EBADMSG not a core file, or nothing in it can be used; -ENOTSUP word size, byte order or machine; -ENOMEM. fd is
 * borrowed. */
int pw_core_read(struct pw_core *ret_core, int fd, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_core_done(struct pw_core *core);

/* The segment that holds an address, or NULL. */
const struct pw_core_segment *pw_core_segment_at(const struct pw_core *core, uint64_t address);

#endif
