/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/limits.h"
#include "base/macros.h"
#include "binary/file.h"

#define PW_BUILD_ID_SIZE 96 /* "gnu:" and the longest ID in hex */

/* What names a build, gathered while the tables of its ELF file are read. */
struct pw_identity {
	uint8_t gnu[PW_ELF_BUILD_ID_BYTES_MAX];
	size_t gnu_size; /* 0: no GNU build ID */
	bool has_go;	 /* a Go build ID was seen; go is the hash of it */
	uint64_t go[2];
	uint64_t headers[2]; /* hash of the tables added so far */
};

/* Adds bytes of the file's tables, which name a build that has no ID. */
void pw_identity_add(struct pw_identity *identity, const void *data, size_t size);

/* Looks for a GNU and a Go build ID among the notes in [offset, offset + size) of the file; the first of each counts.
 */
void pw_identity_read_notes(struct pw_identity *identity, const struct pw_file *file, uint64_t offset, uint64_t size);

/* Writes "gnu:<hex>", else "go:<hash>", else "hash:<hash of tables, size and samples>". */
void pw_identity_name(struct pw_identity *identity, const struct pw_file *file, char name[PW_BUILD_ID_SIZE]);

/* Writes "go:<hash>" even where there is a GNU build ID; "" if there is no Go build ID. */
void pw_identity_go_name(const struct pw_identity *identity, char name[PW_BUILD_ID_SIZE]);
