/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/core.h"

#include <elf.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/core_notes.h"
#include "binary/file.h"

/*
 * Headers and segments. A process has as many segments as it has mappings, so there may be more of them than e_phnum
 * can say: then it is PN_XNUM, and the number stands in the first section header (fs/binfmt_elf.c:fill_extnum_info).
 */

void pw_core_done(struct pw_core *core)
{
	pw_vec_done(&core->segments);
	pw_vec_done(&core->mappings);
	pw_vec_done(&core->threads);
}

struct header {
	uint16_t type, machine, phentsize;
	uint64_t phoff, phnum;
};

/* Somebody's archive of it is the likeliest thing that is given instead. */
static int say_what_it_is(const uint8_t *raw, struct pw_why *why)
{
	static const struct {
		const char *magic, *tool;
		size_t size;
	} packed[] = {
		{"\x28\xb5\x2f\xfd", "zstd -d", 4},
		{"\x04\x22\x4d\x18", "lz4 -d", 4},
		{"\x1f\x8b", "gzip -d", 2},
		{"\xfd\x37\x7a\x58\x5a", "xz -d", 5},
		{"BZh", "bzip2 -d", 3},
	};

	for (size_t i = 0; i < ARRAY_SIZE(packed); i++)
		if (!memcmp(raw, packed[i].magic, packed[i].size))
			return pw_why_set(why, -EBADMSG, "it is compressed: unpack it first (%s, or coredumpctl dump)",
					  packed[i].tool);
	return pw_why_set(why, -EBADMSG, "it is not an ELF file");
}

/* The number of program headers where e_phnum is too small for it. */
static int read_extended_count(const struct pw_file *file, uint64_t offset, uint64_t *ret_count)
{
	Elf64_Shdr section = {};
	int r = pw_file_read(file, offset, &section, sizeof(section));

	if (!r)
		*ret_count = section.sh_info;
	return r;
}

static int read_header(struct header *ret_header, const struct pw_file *file, struct pw_why *why)
{
	uint8_t raw[sizeof(Elf64_Ehdr)] = {};
	Elf64_Ehdr elf;

	if (pw_file_read(file, 0, raw, sizeof(raw)) < 0)
		return pw_why_set(why, -EBADMSG, "it is shorter than the header of a core file");
	if (memcmp(raw, ELFMAG, SELFMAG))
		return say_what_it_is(raw, why);
	if (raw[EI_CLASS] != ELFCLASS64 || raw[EI_DATA] != ELFDATA2LSB)
		return pw_why_set(why, -ENOTSUP, "it is of a process that is not 64-bit little-endian");
	memcpy(&elf, raw, sizeof(elf));
	if (elf.e_type != ET_CORE)
		return pw_why_set(why, -EBADMSG, "it is %s, not a core file",
				  elf.e_type == ET_EXEC || elf.e_type == ET_DYN ? "an executable or a library"
										: "some other ELF file");
	if (elf.e_machine != EM_X86_64 && elf.e_machine != EM_AARCH64)
		return pw_why_set(why, -ENOTSUP, "it was made on machine %u; amd64 and arm64 are supported",
				  elf.e_machine);
	*ret_header = (struct header){elf.e_type, elf.e_machine, elf.e_phentsize, elf.e_phoff, elf.e_phnum};
	if (ret_header->phentsize != sizeof(Elf64_Phdr))
		return pw_why_set(why, -EBADMSG, "it has program headers of %u bytes", ret_header->phentsize);
	if (elf.e_phnum == PN_XNUM && read_extended_count(file, elf.e_shoff, &ret_header->phnum))
		return pw_why_set(why, -EBADMSG, "it is cut, or lies: the number of its segments is outside the file");
	return 0;
}

/* A segment outside of what user space can be: the vsyscall page, which gcore writes too, or a lie. */
static bool is_outside(const Elf64_Phdr *program)
{
	uint64_t end;

	return pw_add_overflows(program->p_vaddr, program->p_memsz, &end) || end > PW_USER_ADDRESS_MAX;
}

static int add_segment(struct pw_core *core, const struct pw_file *file, const Elf64_Phdr *program)
{
	uint64_t left = program->p_offset < file->size ? file->size - program->p_offset : 0;
	uint64_t held = PW_MIN(program->p_filesz, left), missing = program->p_filesz - held;
	struct pw_core_segment segment = {
		.start = program->p_vaddr,
		.size = program->p_memsz,
		.offset = held ? program->p_offset : 0,
		.held = held,
		.writable = (program->p_flags & PF_W) != 0,
		.cut = program->p_filesz > left,
	};

	if (!program->p_memsz)
		return 0;
	if (is_outside(program) || program->p_filesz > program->p_memsz) {
		core->dropped += program->p_vaddr <= PW_USER_ADDRESS_MAX;
		return 0;
	}
	core->missing_bytes += PW_MIN(missing, UINT64_MAX - core->missing_bytes);
	return pw_vec_push(&core->segments, segment);
}

static int compare_segments(const void *a, const void *b)
{
	const struct pw_core_segment *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/* Of two segments that overlap, the one that begins first is believed as far as it goes; the other keeps its rest. */
static void order_segments(struct pw_core *core)
{
	size_t kept = 0;
	uint64_t end = 0;

	pw_vec_sort(&core->segments, compare_segments);
	for (size_t i = 0; i < core->segments.count; i++) {
		struct pw_core_segment segment = core->segments.items[i];
		uint64_t overlap = segment.start < end ? end - segment.start : 0;

		core->dropped += overlap != 0;
		if (overlap >= segment.size)
			continue;
		segment.start += overlap;
		segment.size -= overlap;
		segment.offset += PW_MIN(overlap, segment.held);
		segment.held -= PW_MIN(overlap, segment.held);
		end = segment.start + segment.size;
		core->segments.items[kept++] = segment;
	}
	core->segments.count = kept;
}

static int read_programs(struct pw_core *core, struct pw_core_notes *notes, const struct pw_file *file,
			 const struct header *header, struct pw_why *why)
{
	uint64_t size, count = PW_MIN(header->phnum, (uint64_t)PW_CORE_SEGMENTS_MAX);
	_cleanup_free_ Elf64_Phdr *programs = NULL;
	int r;

	if (!pw_file_holds(file, header->phoff, 0))
		return pw_why_set(why, -EBADMSG, "it is cut, or lies: its program headers are outside the file");
	count = PW_MIN(count, (file->size - header->phoff) / sizeof(*programs)); /* as far as a cut file goes */
	core->dropped += header->phnum - count;
	size = count * sizeof(*programs);
	programs = malloc((size_t)size + 1);
	if (!programs)
		return -ENOMEM;
	r = pw_file_read(file, header->phoff, programs, (size_t)size);
	for (uint64_t i = 0; !r && i < count; i++) {
		if (programs[i].p_type == PT_LOAD)
			r = add_segment(core, file, &programs[i]);
		else if (programs[i].p_type == PT_NOTE)
			r = pw_core_notes_read(notes, core, file, programs[i].p_offset, programs[i].p_filesz);
	}
	return r;
}

int pw_core_read(struct pw_core *ret_core, int fd, struct pw_why *reterr_why)
{
	_cleanup_(pw_core_notes_done) struct pw_core_notes notes = {};
	struct pw_core core = {};
	struct header header = {};
	struct pw_file file;
	int r = pw_file_init_max(&file, fd, PW_CORE_BYTES_MAX, reterr_why);

	core.segments.max = PW_CORE_SEGMENTS_MAX;
	core.mappings.max = PW_CORE_MAPPINGS_MAX;
	core.threads.max = PW_CORE_THREADS_MAX;
	if (!r)
		r = read_header(&header, &file, reterr_why);
	core.arch = header.machine == EM_X86_64 ? PW_ARCH_AMD64 : PW_ARCH_ARM64;
	core.written_ns = r ? 0 : file.modified_ns;
	if (!r)
		r = read_programs(&core, &notes, &file, &header, reterr_why);
	if (!r) {
		order_segments(&core);
		r = pw_core_notes_find_exe(&notes, &core, &file);
	}
	if (!r && !core.segments.count)
		r = pw_why_set(reterr_why, -EBADMSG, "there is no memory in it: it is cut, or lies");
	if (r) {
		pw_core_done(&core);
		return r;
	}
	*ret_core = core;
	return 0;
}

const struct pw_core_segment *pw_core_segment_at(const struct pw_core *core, uint64_t address)
{
	size_t low = 0, high = core->segments.count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct pw_core_segment *segment = &core->segments.items[middle];

		if (address < segment->start)
			high = middle;
		else if (address - segment->start >= segment->size)
			low = middle + 1;
		else
			return segment;
	}
	return NULL;
}
