/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_BINARY_CORE_NOTES_H
#define PW_BINARY_CORE_NOTES_H

#include <stddef.h>
#include <stdint.h>

struct pw_core;
struct pw_file;

/*
 * The notes of a core file while they are read: threads and the name go straight into the core, what tells the
 * executable is kept until all of them have been seen. Zeroed is empty.
 */
struct pw_core_notes {
	uint8_t *files; /* description of NT_FILE; owned */
	size_t files_size;
	uint64_t seen;
	uint64_t program_headers, exec_name; /* AT_PHDR, AT_EXECFN; 0: not there */
};

/* Reads the notes at [offset, offset + size) of the file, as far as it goes. 0, -ENOMEM. */
int pw_core_notes_read(struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file, uint64_t offset,
		       uint64_t size) __attribute__((warn_unused_result));
/* Sets path, mappings and build ID of the executable, when segments and notes are all known. 0, -ENOMEM. */
int pw_core_notes_find_exe(const struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file)
	__attribute__((warn_unused_result));
void pw_core_notes_done(struct pw_core_notes *notes);

#endif
