/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_OPENED_H
#define PW_READER_OPENED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "binary/buildinfo.h"

struct pw_elf;
struct pw_pclntab;
struct pw_why;

/* A file that the reader has open: its ELF view, and its function table if it is a Go program. */
struct pw_opened {
	int fd; /* owned */
	dev_t dev;
	ino_t inode;
	int64_t size, mtime_ns;
	uint64_t used; /* the higher, the later */
	struct pw_elf *elf;
	struct pw_buildinfo info;
	int buildinfo_error; /* 0: info is set */
	struct pw_pclntab *table;
	int table_error;
	char buildinfo_why[192], table_why[192];
};

#define PW_OPENED_MAX 4 /* a pass of names over the targets of one host asks build by build */

struct pw_opened_cache {
	struct pw_opened *slots[PW_OPENED_MAX];
	uint64_t clock;
};

/* The build behind fd, whose ownership moves here on success and on error alike. Borrowed until the next call. */
int pw_opened_get(struct pw_opened_cache *cache, int fd, struct pw_opened **ret_opened, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
/* Between questions: gives back what was read of its tables; strings of the last answer are invalid then. */
void pw_opened_rest(struct pw_opened *opened);
void pw_opened_cache_done(struct pw_opened_cache *cache);

#endif
