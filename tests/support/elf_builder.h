/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Writes ELF files for tests: small valid ones, and ones that lie. What is not set by a call is valid; the lies are
 * made in the headers (`header`, `segments`, `sections` may be changed freely before elf_builder_file) or by
 * elf_builder_poke and elf_builder_truncate on the finished file. Asserts on misuse.
 */
#define ELF_BUILDER_MAX 16

struct elf_builder {
	Elf64_Ehdr header;
	Elf64_Phdr segments[ELF_BUILDER_MAX];
	size_t segment_count;
	Elf64_Shdr sections[ELF_BUILDER_MAX];
	char names[ELF_BUILDER_MAX][64];
	size_t section_count;
	bool keep_header_counts; /* header.e_phnum, e_shnum, ... are used as they are */
	uint8_t *data;
	size_t size;
};

/* An executable of type ET_EXEC or ET_DYN for EM_X86_64 or EM_AARCH64 without anything in it. */
void elf_builder_init(struct elf_builder *builder, uint16_t type, uint16_t machine);
void elf_builder_done(struct elf_builder *builder);

/* Adds a segment with its bytes, at a 16-aligned offset. Returns it, to be changed. */
Elf64_Phdr *elf_builder_segment(struct elf_builder *builder, uint32_t type, uint32_t flags, uint64_t vaddr,
				const void *data, size_t size);

/* Names the bytes of a segment a section. */
Elf64_Shdr *elf_builder_section(struct elf_builder *builder, const char *name, uint32_t type,
				const Elf64_Phdr *segment);

/* The file, as a memfd of the caller's. */
int elf_builder_file(struct elf_builder *builder);

/* Copies of fd, or of a file, as a memfd that may be changed. */
int elf_builder_copy(const char *path);
void elf_builder_poke(int fd, uint64_t offset, const void *data, size_t size);
void elf_builder_truncate(int fd, uint64_t size);
