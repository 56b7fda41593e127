/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/identity.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

#define SAMPLES		 64
#define NOTE_GO_BUILD_ID 4 /* src/cmd/internal/buildid, name "Go\0\0" */

/* FNV-1a in two lanes with different starts: it names a build, it proves nothing. */
static void hash(uint64_t lanes[2], const void *data, size_t size)
{
	const uint8_t *byte = data;

	if (!lanes[0] && !lanes[1]) {
		lanes[0] = 0xcbf29ce484222325ULL;
		lanes[1] = 0x6c62272e07bb0142ULL;
	}
	for (size_t i = 0; i < size; i++) {
		lanes[0] = (lanes[0] ^ byte[i]) * 0x100000001b3ULL;
		lanes[1] = (lanes[1] ^ byte[i] ^ lanes[0] >> 56) * 0x100000001b3ULL;
	}
}

void pw_identity_add(struct pw_identity *identity, const void *data, size_t size)
{
	hash(identity->headers, data, size);
}

static void take_note(struct pw_identity *identity, uint32_t type, const uint8_t *name, size_t name_size,
		      const uint8_t *desc, size_t desc_size)
{
	if (!desc || !desc_size)
		return;
	if (type == NT_GNU_BUILD_ID && name_size == 4 && !memcmp(name, "GNU", 4) && !identity->gnu_size &&
	    desc_size <= sizeof(identity->gnu)) {
		memcpy(identity->gnu, desc, desc_size);
		identity->gnu_size = desc_size;
	}
	if (type == NOTE_GO_BUILD_ID && name_size == 4 && !memcmp(name, "Go\0", 4) && !identity->has_go) {
		hash(identity->go, desc, desc_size);
		identity->has_go = true;
	}
}

void pw_identity_read_notes(struct pw_identity *identity, const struct pw_file *file, uint64_t offset, uint64_t size)
{
	_cleanup_free_ uint8_t *data = NULL;
	const uint8_t *name, *desc;
	uint32_t name_size, desc_size, type;
	struct pw_bytes bytes;

	if (size > PW_ELF_NOTE_BYTES_MAX || !pw_file_holds(file, offset, size) ||
	    (identity->gnu_size && identity->has_go))
		return;
	data = malloc((size_t)size + 1);
	if (!data || pw_file_read(file, offset, data, (size_t)size) < 0)
		return;
	bytes = pw_bytes_init(data, (size_t)size);
	while (pw_bytes_remaining(&bytes) >= sizeof(Elf64_Nhdr)) {
		name_size = pw_bytes_u32(&bytes);
		desc_size = pw_bytes_u32(&bytes);
		type = pw_bytes_u32(&bytes);
		name = pw_bytes_take(&bytes, name_size);
		pw_bytes_align(&bytes, 4);
		desc = pw_bytes_take(&bytes, desc_size);
		if (name && desc)
			take_note(identity, type, name, name_size, desc, desc_size);
		pw_bytes_align(&bytes, 4);
	}
}

/* Of a file without any ID: pieces from all over it, since two builds may have the same tables. */
static void add_samples(struct pw_identity *identity, const struct pw_file *file)
{
	uint64_t step = PW_MAX(file->size / SAMPLES, (uint64_t)1);
	uint8_t piece[4096];
	size_t n;

	pw_identity_add(identity, &file->size, sizeof(file->size));
	for (uint64_t at = 0; at < file->size; at += step) {
		n = (size_t)PW_MIN(PW_MIN(step, (uint64_t)sizeof(piece)), file->size - at);
		if (pw_file_read(file, at, piece, n) < 0)
			return;
		pw_identity_add(identity, piece, n);
	}
}

void pw_identity_go_name(const struct pw_identity *identity, char name[PW_BUILD_ID_SIZE])
{
	name[0] = '\0';
	if (identity->has_go)
		snprintf(name, PW_BUILD_ID_SIZE, "go:%016lx%016lx", identity->go[0], identity->go[1]);
}

void pw_identity_name(struct pw_identity *identity, const struct pw_file *file, char name[PW_BUILD_ID_SIZE])
{
	size_t at = 4;

	if (identity->gnu_size) {
		memcpy(name, "gnu:", 5);
		for (size_t i = 0; i < identity->gnu_size; i++, at += 2)
			snprintf(name + at, PW_BUILD_ID_SIZE - at, "%02x", identity->gnu[i]);
		return;
	}
	pw_identity_go_name(identity, name);
	if (name[0])
		return;
	add_samples(identity, file);
	snprintf(name, PW_BUILD_ID_SIZE, "hash:%016lx%016lx", identity->headers[0], identity->headers[1]);
}
