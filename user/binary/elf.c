/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/elf.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/file.h"
#include "binary/identity.h"
#include "binary/relocs.h"

/*
 * The tables of an ELF file are two arrays of fixed records, and what we want of a hostile or truncated file is every
 * record that still makes sense. libelf takes or refuses a table as a whole (a section table behind the end of a
 * truncated file loses the sections that are there), so the records go through the same gate as all foreign bytes,
 * pw_file and pw_bytes, one by one. What the kernel's loader would not care about (the sections) may be absent or
 * nonsense; without one usable PT_LOAD the file is refused.
 */

#ifndef DF_1_PIE
#define DF_1_PIE 0x08000000
#endif

struct header {
	uint16_t type, machine;
	uint64_t entry, phoff, shoff;
	uint16_t phentsize, phnum, shentsize, shnum, shstrndx;
};

struct lazy_relocs { /* on the heap of its own: filled on first use, behind a const elf */
	bool read;
	struct pw_relocs table;
};

struct pw_elf {
	struct pw_file file;
	enum pw_arch arch;
	bool dynamic_type; /* ET_DYN */
	bool has_interp, has_dynamic, says_pie;
	uint64_t entry;
	size_t dropped;
	struct pw_elf_segment *segments;
	size_t segment_count;
	struct pw_elf_section *sections;
	size_t section_count;
	uint64_t rela_vaddr, rela_size;
	struct lazy_relocs *relocs;
	char build_id[PW_BUILD_ID_SIZE], go_build_id[PW_BUILD_ID_SIZE];
};

void pw_elf_free(struct pw_elf *elf)
{
	if (!elf)
		return;
	if (elf->relocs)
		pw_relocs_done(&elf->relocs->table);
	free(elf->relocs);
	free(elf->segments);
	free(elf->sections);
	free(elf);
}

PW_DEFINE_CLEANUP(struct pw_elf *, pw_elf_free);

void pw_elf_drop_caches(struct pw_elf *elf)
{
	pw_relocs_done(&elf->relocs->table);
	elf->relocs->read = false;
}

static int read_header(struct header *ret_header, const struct pw_file *file, struct pw_why *why)
{
	uint8_t raw[sizeof(Elf64_Ehdr)] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	struct header header = {};

	if (pw_file_read(file, 0, raw, sizeof(raw)) < 0 || memcmp(raw, ELFMAG, SELFMAG))
		return pw_why_set(why, -EBADMSG, "not an ELF file");
	if (raw[EI_CLASS] != ELFCLASS64 || raw[EI_DATA] != ELFDATA2LSB)
		return pw_why_set(why, -ENOTSUP, "not a 64-bit little-endian ELF file");
	pw_bytes_skip(&bytes, EI_NIDENT);
	header.type = pw_bytes_u16(&bytes);
	header.machine = pw_bytes_u16(&bytes);
	pw_bytes_skip(&bytes, sizeof(Elf64_Word));
	header.entry = pw_bytes_u64(&bytes);
	header.phoff = pw_bytes_u64(&bytes);
	header.shoff = pw_bytes_u64(&bytes);
	pw_bytes_skip(&bytes, sizeof(Elf64_Word) + sizeof(Elf64_Half)); /* e_flags, e_ehsize */
	header.phentsize = pw_bytes_u16(&bytes);
	header.phnum = pw_bytes_u16(&bytes);
	header.shentsize = pw_bytes_u16(&bytes);
	header.shnum = pw_bytes_u16(&bytes);
	header.shstrndx = pw_bytes_u16(&bytes);
	if (header.type != ET_EXEC && header.type != ET_DYN)
		return pw_why_set(why, -EBADMSG, "not an executable: ELF type %u", header.type);
	if (header.machine != EM_X86_64 && header.machine != EM_AARCH64)
		return pw_why_set(why, -ENOTSUP, "made for machine %u; amd64 and arm64 are supported", header.machine);
	*ret_header = header;
	return 0;
}

/* A table of count records, loaded as it is; -EBADMSG if it is not inside the file. */
static int load_table(uint8_t **ret_table, const struct pw_file *file, uint64_t offset, size_t count, size_t record)
{
	_cleanup_free_ uint8_t *table = NULL;
	int r;

	if (!pw_file_holds(file, offset, count * record))
		return -EBADMSG;
	table = malloc(count * record + 1);
	if (!table)
		return -ENOMEM;
	r = pw_file_read(file, offset, table, count * record);
	if (r < 0)
		return r;
	*ret_table = TAKE_PTR(table);
	return 0;
}

static void add_segment(struct pw_elf *elf, const struct pw_elf_segment *segment)
{
	uint64_t end;

	if (!segment->memsz && !segment->filesz)
		return;
	if (segment->filesz > segment->memsz || pw_add_overflows(segment->vaddr, segment->memsz, &end) ||
	    !pw_file_holds(&elf->file, segment->offset, segment->filesz)) {
		elf->dropped++;
		return;
	}
	elf->segments[elf->segment_count++] = *segment;
}

/* DT_RELA, its size and the flags; a table that lies leaves the file without relocations. */
static void read_dynamic(struct pw_elf *elf, uint64_t offset, uint64_t size)
{
	_cleanup_free_ uint8_t *table = NULL;
	size_t count = (size_t)PW_MIN(size / sizeof(Elf64_Dyn), (uint64_t)PW_ELF_DYNAMIC_MAX);
	struct pw_bytes bytes;
	uint64_t tag, value;

	elf->has_dynamic = true;
	if (load_table(&table, &elf->file, offset, count, sizeof(Elf64_Dyn)) < 0) {
		elf->dropped++;
		return;
	}
	bytes = pw_bytes_init(table, count * sizeof(Elf64_Dyn));
	for (size_t i = 0; i < count; i++) {
		tag = pw_bytes_u64(&bytes);
		value = pw_bytes_u64(&bytes);
		if (tag == DT_NULL)
			break;
		if (tag == DT_RELA)
			elf->rela_vaddr = value;
		else if (tag == DT_RELASZ)
			elf->rela_size = value;
		else if (tag == DT_FLAGS_1)
			elf->says_pie = value & DF_1_PIE;
	}
}

struct program_header {
	uint32_t type;
	struct pw_elf_segment segment;
};

static struct program_header next_program_header(struct pw_bytes *bytes)
{
	struct program_header header = {};

	header.type = pw_bytes_u32(bytes);
	header.segment.flags = pw_bytes_u32(bytes);
	header.segment.offset = pw_bytes_u64(bytes);
	header.segment.vaddr = pw_bytes_u64(bytes);
	pw_bytes_skip(bytes, sizeof(Elf64_Addr));
	header.segment.filesz = pw_bytes_u64(bytes);
	header.segment.memsz = pw_bytes_u64(bytes);
	pw_bytes_skip(bytes, sizeof(Elf64_Xword));
	return header;
}

static int read_segments(struct pw_elf *elf, const struct header *header, struct pw_identity *identity,
			 struct pw_why *why)
{
	_cleanup_free_ uint8_t *table = NULL;
	struct program_header program;
	struct pw_bytes bytes;
	int r;

	if (header->phnum > PW_ELF_SEGMENTS_MAX)
		return pw_why_set(why, -E2BIG, "%u program headers", header->phnum);
	if (header->phnum && header->phentsize != sizeof(Elf64_Phdr))
		return pw_why_set(why, -EBADMSG, "program headers of %u bytes", header->phentsize);
	r = load_table(&table, &elf->file, header->phoff, header->phnum, sizeof(Elf64_Phdr));
	if (r < 0)
		return pw_why_set(why, r, "the program headers are outside the file");
	elf->segments = calloc(header->phnum + 1U, sizeof(*elf->segments));
	if (!elf->segments)
		return -ENOMEM;
	pw_identity_add(identity, table, header->phnum * sizeof(Elf64_Phdr));
	bytes = pw_bytes_init(table, header->phnum * sizeof(Elf64_Phdr));
	for (unsigned int i = 0; i < header->phnum; i++) {
		program = next_program_header(&bytes);
		if (program.type == PT_LOAD)
			add_segment(elf, &program.segment);
		else if (program.type == PT_INTERP)
			elf->has_interp = true;
		else if (program.type == PT_DYNAMIC)
			read_dynamic(elf, program.segment.offset, program.segment.filesz);
		else if (program.type == PT_NOTE)
			pw_identity_read_notes(identity, &elf->file, program.segment.offset, program.segment.filesz);
	}
	if (!elf->segment_count)
		return pw_why_set(why, -EBADMSG, "no loadable segment lies inside the file");
	return 0;
}

/* Section names are read one by one: the name table may be as large as the file. */
static void read_name(const struct pw_elf *elf, const struct pw_elf_section *names, uint32_t at, char *name,
		      size_t size)
{
	uint64_t n;

	name[0] = '\0';
	if (!names->size || at >= names->size)
		return;
	n = PW_MIN(names->size - at, (uint64_t)size - 1);
	if (pw_file_read(&elf->file, names->offset + at, name, (size_t)n) < 0)
		n = 0;
	name[n] = '\0';
}

static bool section_is_usable(const struct pw_elf *elf, const struct pw_elf_section *section)
{
	uint64_t end;

	if (pw_add_overflows(section->addr, section->size, &end))
		return false;
	if (section->type == SHT_NOBITS || !section->size)
		return true;
	return section->offset >= sizeof(Elf64_Ehdr) && pw_file_holds(&elf->file, section->offset, section->size);
}

static uint32_t next_section_header(struct pw_bytes *bytes, struct pw_elf_section *ret_section)
{
	struct pw_elf_section section = {};
	uint32_t name = pw_bytes_u32(bytes);

	section.type = pw_bytes_u32(bytes);
	section.flags = pw_bytes_u64(bytes);
	section.addr = pw_bytes_u64(bytes);
	section.offset = pw_bytes_u64(bytes);
	section.size = pw_bytes_u64(bytes);
	pw_bytes_skip(bytes, sizeof(Elf64_Shdr) - 40);
	*ret_section = section;
	return name;
}

/* Sections are a help, not a must: whatever is wrong with them leaves the file with fewer or none. */
static int read_sections(struct pw_elf *elf, const struct header *header, struct pw_identity *identity)
{
	_cleanup_free_ uint8_t *table = NULL;
	size_t count = PW_MIN((size_t)header->shnum, (size_t)PW_ELF_SECTIONS_MAX);
	struct pw_elf_section section, names = {};
	struct pw_bytes bytes;
	uint32_t name;

	elf->dropped += header->shnum - count;
	if (!count)
		return 0;
	if (header->shentsize != sizeof(Elf64_Shdr) ||
	    load_table(&table, &elf->file, header->shoff, count, sizeof(Elf64_Shdr)) < 0) {
		elf->dropped += count;
		return 0;
	}
	elf->sections = calloc(count, sizeof(*elf->sections));
	if (!elf->sections)
		return -ENOMEM;
	bytes = pw_bytes_init(table, count * sizeof(Elf64_Shdr));
	if (header->shstrndx < count) {
		pw_bytes_seek(&bytes, header->shstrndx * sizeof(Elf64_Shdr));
		next_section_header(&bytes, &names);
		if (names.type != SHT_STRTAB || !section_is_usable(elf, &names))
			names = (struct pw_elf_section){};
		pw_bytes_seek(&bytes, 0);
	}
	for (size_t i = 0; i < count; i++) {
		name = next_section_header(&bytes, &section);
		if (section.type == SHT_NULL)
			continue;
		if (!section_is_usable(elf, &section)) {
			elf->dropped++;
			continue;
		}
		read_name(elf, &names, name, section.name, sizeof(section.name));
		if (section.type == SHT_NOTE)
			pw_identity_read_notes(identity, &elf->file, section.offset, section.size);
		elf->sections[elf->section_count++] = section;
	}
	pw_identity_add(identity, table, count * sizeof(Elf64_Shdr));
	return 0;
}

int pw_elf_open(struct pw_elf **ret_elf, int fd, struct pw_why *reterr_why)
{
	_cleanup_(pw_elf_freep) struct pw_elf *elf = calloc(1, sizeof(*elf));
	struct pw_identity identity = {};
	struct header header = {};
	int r;

	if (!elf)
		return -ENOMEM;
	elf->relocs = calloc(1, sizeof(*elf->relocs));
	if (!elf->relocs)
		/* cppcheck-suppress memleak ; the cleanup attribute frees it */
		return -ENOMEM;
	r = pw_file_init(&elf->file, fd, reterr_why);
	if (r < 0)
		return r;
	r = read_header(&header, &elf->file, reterr_why);
	if (r < 0)
		return r;
	elf->arch = header.machine == EM_X86_64 ? PW_ARCH_AMD64 : PW_ARCH_ARM64;
	elf->dynamic_type = header.type == ET_DYN;
	elf->entry = header.entry;
	r = read_segments(elf, &header, &identity, reterr_why);
	if (r < 0)
		return r;
	r = read_sections(elf, &header, &identity);
	if (r < 0)
		return r;
	pw_identity_name(&identity, &elf->file, elf->build_id);
	pw_identity_go_name(&identity, elf->go_build_id);
	*ret_elf = TAKE_PTR(elf);
	return 0;
}

enum pw_arch pw_elf_arch(const struct pw_elf *elf)
{
	return elf->arch;
}

bool pw_elf_is_shared_library(const struct pw_elf *elf)
{
	return elf->dynamic_type && elf->has_dynamic && !elf->has_interp && !elf->says_pie;
}

bool pw_elf_is_pie(const struct pw_elf *elf)
{
	return elf->dynamic_type && !pw_elf_is_shared_library(elf);
}

bool pw_elf_has_symtab(const struct pw_elf *elf)
{
	for (size_t i = 0; i < elf->section_count; i++)
		if (elf->sections[i].type == SHT_SYMTAB && elf->sections[i].size)
			return true;
	return false;
}

bool pw_elf_has_dwarf(const struct pw_elf *elf)
{
	const struct pw_elf_section *section = pw_elf_section(elf, ".debug_info");

	if (!section)
		section = pw_elf_section(elf, ".zdebug_info");
	return section && section->size && section->type != SHT_NOBITS;
}

uint64_t pw_elf_entry(const struct pw_elf *elf)
{
	return elf->entry;
}

size_t pw_elf_dropped(const struct pw_elf *elf)
{
	return elf->dropped;
}

const struct pw_elf_segment *pw_elf_segments(const struct pw_elf *elf, size_t *ret_count)
{
	*ret_count = elf->segment_count;
	return elf->segments;
}

const struct pw_elf_section *pw_elf_sections(const struct pw_elf *elf, size_t *ret_count)
{
	*ret_count = elf->section_count;
	return elf->sections;
}

const struct pw_elf_section *pw_elf_section(const struct pw_elf *elf, const char *name)
{
	for (size_t i = 0; i < elf->section_count; i++)
		if (!strcmp(elf->sections[i].name, name))
			return &elf->sections[i];
	return NULL;
}

const struct pw_file *pw_elf_file(const struct pw_elf *elf)
{
	return &elf->file;
}

const char *pw_elf_build_id(const struct pw_elf *elf)
{
	return elf->build_id;
}

const char *pw_elf_go_build_id(const struct pw_elf *elf)
{
	return elf->go_build_id;
}

/* The segment whose file bytes hold [vaddr, vaddr + n), or NULL. */
static const struct pw_elf_segment *backing(const struct pw_elf *elf, uint64_t vaddr, uint64_t n)
{
	const struct pw_elf_segment *segment;
	uint64_t within;

	for (size_t i = 0; i < elf->segment_count; i++) {
		segment = &elf->segments[i];
		within = vaddr - segment->vaddr;
		if (vaddr >= segment->vaddr && within < segment->filesz && n <= segment->filesz - within)
			return segment;
	}
	return NULL;
}

int pw_elf_offset(const struct pw_elf *elf, uint64_t vaddr, uint64_t *ret_offset)
{
	const struct pw_elf_segment *segment = backing(elf, vaddr, 1);

	if (!segment)
		return -ENODATA;
	*ret_offset = segment->offset + (vaddr - segment->vaddr);
	return 0;
}

int pw_elf_read(const struct pw_elf *elf, uint64_t vaddr, void *buffer, size_t n)
{
	const struct pw_elf_segment *segment = backing(elf, vaddr, n);

	if (!segment)
		return -EFAULT;
	return pw_file_read(&elf->file, segment->offset + (vaddr - segment->vaddr), buffer, n);
}

/* On first use: most questions about most files need no relocation. A table that cannot be read counts as none. */
static const struct pw_relocs *relocations(const struct pw_elf *elf)
{
	uint32_t type = elf->arch == PW_ARCH_AMD64 ? R_X86_64_RELATIVE : R_AARCH64_RELATIVE;
	uint64_t offset;

	if (!elf->relocs->read && elf->dynamic_type && elf->rela_size &&
	    !pw_elf_offset(elf, elf->rela_vaddr, &offset) &&
	    pw_relocs_read(&elf->relocs->table, &elf->file, offset, elf->rela_size, type) < 0)
		elf->relocs->table = (struct pw_relocs){};
	elf->relocs->read = true;
	return &elf->relocs->table;
}

int pw_elf_read_pointer(const struct pw_elf *elf, uint64_t vaddr, uint64_t *ret_value)
{
	uint8_t raw[sizeof(uint64_t)] = {};
	const struct pw_reloc *reloc;
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	int r;

	r = pw_elf_read(elf, vaddr, raw, sizeof(raw));
	if (r < 0)
		return r;
	reloc = pw_relocs_find(relocations(elf), vaddr);
	*ret_value = reloc ? reloc->value : pw_bytes_u64(&bytes);
	return 0;
}

int pw_elf_find_relocated(const struct pw_elf *elf, uint64_t value, size_t *cursor, uint64_t *ret_vaddr)
{
	const struct pw_relocs *relocs = relocations(elf);

	for (size_t i = *cursor; i < relocs->count; i++) {
		if (relocs->items[i].value != value)
			continue;
		*cursor = i + 1;
		*ret_vaddr = relocs->items[i].vaddr;
		return 0;
	}
	*cursor = relocs->count;
	return -ENODATA;
}

static int scan_segment(const struct pw_elf *elf, const struct pw_elf_segment *segment, uint64_t max_bytes,
			uint8_t *chunk, pw_elf_scan_fn fn, void *context)
{
	uint64_t skip = (16 - segment->vaddr % 16) % 16, left, n;
	uint64_t vaddr = segment->vaddr + skip, offset = segment->offset + skip;
	int r = 0;

	left = segment->filesz > skip ? PW_MIN(segment->filesz - skip, max_bytes) : 0;
	while (!r && left) {
		n = PW_MIN(left, (uint64_t)PW_ELF_SCAN_CHUNK_BYTES);
		r = pw_file_read(&elf->file, offset, chunk, (size_t)n);
		if (!r)
			r = fn(context, vaddr, chunk, (size_t)n);
		vaddr += n;
		offset += n;
		left -= n;
	}
	return r;
}

int pw_elf_scan(const struct pw_elf *elf, uint32_t mask, uint32_t want, uint64_t max_bytes, pw_elf_scan_fn fn,
		void *context)
{
	_cleanup_free_ uint8_t *chunk = malloc(PW_ELF_SCAN_CHUNK_BYTES);
	int r = chunk ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < elf->segment_count; i++)
		if ((elf->segments[i].flags & mask) == want)
			r = scan_segment(elf, &elf->segments[i], max_bytes, chunk, fn, context);
	return r;
}
