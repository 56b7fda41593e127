/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_ELF_H
#define PW_BINARY_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_why;
struct pw_file;

/*
 * A checked view of one ELF executable. Everything here came through bounds checks: a section or segment that lies
 * outside the file, overlaps the file's header or has a count that lies is dropped at open and counted. The file is
 * read by pread, never mapped (a truncated file would raise SIGBUS).
 */
enum pw_arch { PW_ARCH_UNKNOWN, PW_ARCH_AMD64, PW_ARCH_ARM64 };

struct pw_elf_segment { /* PT_LOAD only */
	uint64_t vaddr, offset, filesz, memsz;
	uint32_t flags; /* PF_R, PF_W, PF_X */
};

struct pw_elf_section {
	char name[64];
	uint64_t addr, offset, size;
	uint32_t type;
	uint64_t flags;
};

struct pw_elf;

/* Opens the ELF file behind fd (borrowed, must outlive the result). -EBADMSG not a usable ELF, -ENOTSUP wrong class,
 * byte order or machine, -E2BIG over a cap. */
int pw_elf_open(struct pw_elf **ret_elf, int fd, struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_elf_free(struct pw_elf *elf);
void pw_elf_drop_caches(struct pw_elf *elf); /* frees the relocations (16 bytes each); read again when needed */

enum pw_arch pw_elf_arch(const struct pw_elf *elf);
bool pw_elf_is_pie(const struct pw_elf *elf); /* ET_DYN that is an executable, static PIE included */
/* c-shared, plugin: ET_DYN with PT_DYNAMIC, but neither PT_INTERP nor DF_1_PIE, which every linker sets on a PIE. */
bool pw_elf_is_shared_library(const struct pw_elf *elf);
bool pw_elf_has_symtab(const struct pw_elf *elf);
bool pw_elf_has_dwarf(const struct pw_elf *elf);
uint64_t pw_elf_entry(const struct pw_elf *elf);
size_t pw_elf_dropped(const struct pw_elf *elf); /* sections and segments refused at open */

const struct pw_elf_segment *pw_elf_segments(const struct pw_elf *elf, size_t *ret_count);
const struct pw_elf_section *pw_elf_sections(const struct pw_elf *elf, size_t *ret_count);
const struct pw_elf_section *pw_elf_section(const struct pw_elf *elf, const char *name); /* NULL if absent */
const struct pw_file *pw_elf_file(const struct pw_elf *elf);				 /* owned by elf */

/* Link-time address -> file offset, through PT_LOAD. -ENODATA if no file byte backs it. */
int pw_elf_offset(const struct pw_elf *elf, uint64_t vaddr, uint64_t *ret_offset) __attribute__((warn_unused_result));
/* Reads n bytes at a link-time address as they are in the file. -EFAULT if not all of them are backed by it. */
int pw_elf_read(const struct pw_elf *elf, uint64_t vaddr, void *buffer, size_t n) __attribute__((warn_unused_result));
/* Reads a pointer-sized word, with the R_*_RELATIVE addend of a PIE applied: the link-time value. */
int pw_elf_read_pointer(const struct pw_elf *elf, uint64_t vaddr, uint64_t *ret_value)
	__attribute__((warn_unused_result));

/* The first slot at or after *cursor (0 to start) that a relocation fills with exactly this link-time value; -ENODATA
 * when there are no more. The way to find pointers that are zero in the file of a PIE. */
int pw_elf_find_relocated(const struct pw_elf *elf, uint64_t value, size_t *cursor, uint64_t *ret_vaddr)
	__attribute__((warn_unused_result));

/* Calls fn with the file's bytes of every segment for which (flags & mask) == want, in chunks that start at a multiple
 * of 16 (bytes before the first such address are left out), at most max_bytes of each segment, until fn returns other
 * than 0, which is returned. -EFAULT when the file has shrunk. */
typedef int (*pw_elf_scan_fn)(void *context, uint64_t vaddr, const uint8_t *data, size_t size);
int pw_elf_scan(const struct pw_elf *elf, uint32_t mask, uint32_t want, uint64_t max_bytes, pw_elf_scan_fn fn,
		void *context) __attribute__((warn_unused_result));

/* The identity of a build: GNU build ID as hex, else a hash of the Go build ID, else a hash of headers and size; always
 * set, prefixed by its kind ("gnu:", "go:", "hash:"). Owned by elf. */
const char *pw_elf_build_id(const struct pw_elf *elf);
/* "go:" and a hash of the Go build ID, or "": Go's linker puts only this one into the segment of notes, which is all
 * that a core file has. */
const char *pw_elf_go_build_id(const struct pw_elf *elf);

#endif
