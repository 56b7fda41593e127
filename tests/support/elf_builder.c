/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/elf_builder.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA_OFFSET 0x1000

/* Room for size bytes behind what is there, 16-aligned; returns its offset in the file. */
static uint64_t append(struct elf_builder *builder, const void *data, size_t size)
{
	size_t start = (builder->size + 15) / 16 * 16;

	builder->data = realloc(builder->data, start + size + 1);
	assert(builder->data);
	memset(builder->data + builder->size, 0, start - builder->size);
	if (size)
		memcpy(builder->data + start, data, size);
	builder->size = start + size;
	return DATA_OFFSET + start;
}

void elf_builder_init(struct elf_builder *builder, uint16_t type, uint16_t machine)
{
	*builder = (struct elf_builder){
		.header =
			{
				.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
				.e_type = type,
				.e_machine = machine,
				.e_version = EV_CURRENT,
				.e_entry = 0x401000,
				.e_phoff = sizeof(Elf64_Ehdr),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_shentsize = sizeof(Elf64_Shdr),
			},
	};
}

void elf_builder_done(struct elf_builder *builder)
{
	free(builder->data);
	*builder = (struct elf_builder){};
}

Elf64_Phdr *elf_builder_segment(struct elf_builder *builder, uint32_t type, uint32_t flags, uint64_t vaddr,
				const void *data, size_t size)
{
	Elf64_Phdr *segment = &builder->segments[builder->segment_count++];

	assert(builder->segment_count <= ELF_BUILDER_MAX);
	*segment = (Elf64_Phdr){
		.p_type = type,
		.p_flags = flags,
		.p_offset = append(builder, data, size),
		.p_vaddr = vaddr,
		.p_paddr = vaddr,
		.p_filesz = size,
		.p_memsz = size,
		.p_align = 16,
	};
	return segment;
}

Elf64_Shdr *elf_builder_section(struct elf_builder *builder, const char *name, uint32_t type, const Elf64_Phdr *segment)
{
	Elf64_Shdr *section = &builder->sections[builder->section_count];

	assert(builder->section_count < ELF_BUILDER_MAX - 2 && strlen(name) < sizeof(builder->names[0]));
	strcpy(builder->names[builder->section_count++], name);
	*section = (Elf64_Shdr){
		.sh_type = type,
		.sh_flags = SHF_ALLOC,
		.sh_addr = segment->p_vaddr,
		.sh_offset = segment->p_offset,
		.sh_size = segment->p_filesz,
	};
	return section;
}

/* The null section, the sections, and .shstrtab; returns where the headers are. */
static uint64_t append_sections(struct elf_builder *builder)
{
	Elf64_Shdr headers[ELF_BUILDER_MAX + 2] = {};
	char names[ELF_BUILDER_MAX * 64 + 64] = "";
	size_t used = 1, count = builder->section_count;

	for (size_t i = 0; i < count; i++) {
		headers[i + 1] = builder->sections[i];
		headers[i + 1].sh_name = (uint32_t)used;
		strcpy(names + used, builder->names[i]);
		used += strlen(builder->names[i]) + 1;
	}
	headers[count + 1] = (Elf64_Shdr){
		.sh_name = (uint32_t)used,
		.sh_type = SHT_STRTAB,
		.sh_size = used + sizeof(".shstrtab"),
	};
	strcpy(names + used, ".shstrtab");
	headers[count + 1].sh_offset = append(builder, names, headers[count + 1].sh_size);
	return append(builder, headers, (count + 2) * sizeof(headers[0]));
}

int elf_builder_file(struct elf_builder *builder)
{
	int fd = memfd_create("elf", MFD_CLOEXEC);

	assert(fd >= 0);
	if (!builder->keep_header_counts) {
		builder->header.e_phnum = (uint16_t)builder->segment_count;
		if (builder->section_count) {
			builder->header.e_shnum = (uint16_t)(builder->section_count + 2);
			builder->header.e_shstrndx = (uint16_t)(builder->section_count + 1);
			builder->header.e_shoff = append_sections(builder);
		}
	}
	elf_builder_poke(fd, 0, &builder->header, sizeof(builder->header));
	elf_builder_poke(fd, sizeof(Elf64_Ehdr), builder->segments, builder->segment_count * sizeof(Elf64_Phdr));
	elf_builder_poke(fd, DATA_OFFSET, builder->data, builder->size);
	return fd;
}

int elf_builder_copy(const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC), to = memfd_create("copy", MFD_CLOEXEC);
	struct stat st;
	off_t offset = 0;

	if (from < 0 || to < 0 || fstat(from, &st) < 0) {
		close(from);
		close(to);
		return -1;
	}
	while (offset < st.st_size)
		assert(sendfile(to, from, &offset, (size_t)(st.st_size - offset)) > 0);
	close(from);
	return to;
}

void elf_builder_poke(int fd, uint64_t offset, const void *data, size_t size)
{
	ssize_t written = size ? pwrite(fd, data, size, (off_t)offset) : 0;

	assert(written == (ssize_t)size);
}

void elf_builder_truncate(int fd, uint64_t size)
{
	int r = ftruncate(fd, (off_t)size);

	assert(!r);
}
