/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The notes of a core file as the kernel writes them, for elf_builder_segment(.., PT_NOTE, ..). Threads of amd64
 * but for core_note_thread_arm64. Asserts on misuse.
 */
struct core_notes {
	uint8_t bytes[16384];
	size_t size;
};

void core_note(struct core_notes *notes, const char *name, uint32_t type, const void *description, size_t size);
void core_note_thread(struct core_notes *notes, int32_t tid, uint64_t pc, uint64_t sp);
void core_note_thread_arm64(struct core_notes *notes, int32_t tid, uint64_t pc, uint64_t sp, uint64_t lr);
void core_note_process(struct core_notes *notes, int32_t pid, const char *name);
void core_note_auxv(struct core_notes *notes, const Elf64_auxv_t *pairs, size_t count); /* AT_NULL is added */

struct core_file_entry { /* of NT_FILE */
	uint64_t start, end, page_offset;
	const char *path;
};
void core_note_files(struct core_notes *notes, uint64_t page_size, const struct core_file_entry *entries, size_t count);
