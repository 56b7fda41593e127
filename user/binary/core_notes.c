/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/core_notes.h"

#include <elf.h>
#include <string.h>

#include "base/bytes.h"
#include "base/macros.h"
#include "binary/core.h"
#include "binary/file.h"
#include "binary/identity.h"

/*
 * Layouts: include/linux/elfcore.h:struct elf_prstatus, elf_prpsinfo; NT_FILE: fs/binfmt_elf.c:fill_files_note. Notes
 * that are not wanted are stepped over without being read: the register sets of a thread are 3 kB and more.
 */
#define PRSTATUS_TID	   32
#define PRSTATUS_REGS	   112
#define AMD64_RIP	   16 /* words: struct user_regs_struct */
#define AMD64_RSP	   19
#define ARM64_LR	   30 /* words: struct user_pt_regs */
#define ARM64_SP	   31
#define ARM64_PC	   32
#define PRSTATUS_SIZE	   (PRSTATUS_REGS + (ARM64_PC + 1) * 8) /* as far as we read */
#define PRPSINFO_PID	   24
#define PRPSINFO_NAME	   40
#define PRPSINFO_NAME_SIZE 16
#define PRPSINFO_SIZE	   (PRPSINFO_NAME + PRPSINFO_NAME_SIZE)
#define AUXV_BYTES_MAX	   4096

void pw_core_notes_done(struct pw_core_notes *notes)
{
	free(notes->files);
	*notes = (struct pw_core_notes){};
}

struct note {
	uint32_t type;
	uint64_t offset, size; /* of the description */
};

/* The first bytes of a description, zero where it is shorter. */
static void read_some(const struct pw_file *file, const struct note *note, uint8_t *buffer, size_t size)
{
	memset(buffer, 0, size);
	if (pw_file_read(file, note->offset, buffer, (size_t)PW_MIN(note->size, (uint64_t)size)))
		memset(buffer, 0, size);
}

static int take_thread(struct pw_core *core, const struct pw_file *file, const struct note *note)
{
	uint8_t raw[PRSTATUS_SIZE] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	bool arm = core->arch == PW_ARCH_ARM64;
	struct pw_core_thread thread = {};

	read_some(file, note, raw, sizeof(raw));
	pw_bytes_seek(&bytes, PRSTATUS_TID);
	thread.tid = pw_bytes_i32(&bytes);
	pw_bytes_seek(&bytes, PRSTATUS_REGS + (arm ? ARM64_PC : AMD64_RIP) * sizeof(uint64_t));
	thread.pc = pw_bytes_u64(&bytes);
	pw_bytes_seek(&bytes, PRSTATUS_REGS + (arm ? ARM64_SP : AMD64_RSP) * sizeof(uint64_t));
	thread.sp = pw_bytes_u64(&bytes);
	if (arm) {
		pw_bytes_seek(&bytes, PRSTATUS_REGS + ARM64_LR * sizeof(uint64_t));
		thread.lr = pw_bytes_u64(&bytes);
	}
	if (thread.tid <= 0) {
		core->dropped++;
		return 0;
	}
	if (!core->threads.count && !core->pid)
		core->pid = thread.tid; /* until NT_PRPSINFO says it; the first thread is the one that died */
	return pw_vec_push(&core->threads, thread);
}

static void take_name(struct pw_core *core, const struct pw_file *file, const struct note *note)
{
	uint8_t raw[PRPSINFO_SIZE] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	int32_t pid;

	read_some(file, note, raw, sizeof(raw));
	pw_bytes_seek(&bytes, PRPSINFO_PID);
	pid = pw_bytes_i32(&bytes);
	if (pid > 0)
		core->pid = pid;
	memcpy(core->process, raw + PRPSINFO_NAME, PRPSINFO_NAME_SIZE);
	core->process[PRPSINFO_NAME_SIZE] = '\0';
}

static void take_auxv(struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file,
		      const struct note *note)
{
	uint8_t raw[AUXV_BYTES_MAX] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));

	read_some(file, note, raw, sizeof(raw));
	while (pw_bytes_remaining(&bytes)) {
		uint64_t type = pw_bytes_u64(&bytes), value = pw_bytes_u64(&bytes);

		if (type == AT_NULL)
			break;
		if (type == AT_ENTRY)
			core->entry = value;
		else if (type == AT_PHDR)
			notes->program_headers = value;
		else if (type == AT_EXECFN)
			notes->exec_name = value;
	}
}

static int take_files(struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file,
		      const struct note *note)
{
	if (notes->files || note->size > PW_CORE_FILES_BYTES_MAX) {
		core->dropped++;
		return 0;
	}
	notes->files = malloc((size_t)note->size + 1);
	if (!notes->files)
		return -ENOMEM;
	notes->files_size = (size_t)note->size;
	read_some(file, note, notes->files, notes->files_size);
	return 0;
}

static int take_note(struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file,
		     const struct note *note)
{
	int r = 0;

	if (note->type == NT_PRSTATUS)
		r = take_thread(core, file, note);
	else if (note->type == NT_PRPSINFO)
		take_name(core, file, note);
	else if (note->type == NT_AUXV)
		take_auxv(notes, core, file, note);
	else if (note->type == NT_FILE)
		r = take_files(notes, core, file, note);
	if (r == -E2BIG) { /* more threads than are kept */
		core->dropped++;
		r = 0;
	}
	return r;
}

int pw_core_notes_read(struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file, uint64_t offset,
		       uint64_t size)
{
	uint64_t end = offset <= file->size ? offset + PW_MIN(size, file->size - offset) : offset;
	int r = 0;

	core->dropped += offset > file->size || size > file->size - offset;
	while (!r && end - offset >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr head;
		char name[4] = {};
		struct note note = {};
		uint64_t name_size, left;

		if (notes->seen++ == PW_CORE_NOTES_MAX || pw_file_read(file, offset, &head, sizeof(head))) {
			core->dropped++;
			break;
		}
		offset += sizeof(head);
		left = end - offset;
		name_size = (head.n_namesz + 3ULL) & ~3ULL;
		if (name_size > left || head.n_descsz > left - name_size) {
			core->dropped++;
			break;
		}
		note = (struct note){head.n_type, offset + name_size, head.n_descsz};
		/* Others have names of their own ("LINUX", "Delve Header"); dlv leaves out that of the kernel's. */
		if (!head.n_namesz ||
		    (head.n_namesz == 5 && !pw_file_read(file, offset, name, sizeof(name)) && !memcmp(name, "CORE", 4)))
			r = take_note(notes, core, file, &note);
		offset = note.offset + PW_MIN((note.size + 3) & ~3ULL, end - note.offset);
	}
	return r;
}

/* ---- the executable ---- */

/* The file offset of bytes that the core holds in one piece. */
static bool find_held(const struct pw_core *core, uint64_t address, uint64_t size, uint64_t *ret_offset)
{
	const struct pw_core_segment *segment = pw_core_segment_at(core, address);
	uint64_t at = segment ? address - segment->start : 0;

	if (!segment || at > segment->held || size > segment->held - at)
		return false;
	*ret_offset = segment->offset + at;
	return true;
}

/* The headers of the executable are at the start of its first mapping; the kernel dumps that page even where it leaves
 * out the rest (coredump_filter, bit 4). */
static void read_build_id(struct pw_core *core, const struct pw_file *file, uint64_t start)
{
	struct pw_identity identity = {};
	uint64_t offset;
	Elf64_Ehdr elf;

	if (!find_held(core, start, sizeof(elf), &offset) || pw_file_read(file, offset, &elf, sizeof(elf)) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_phentsize != sizeof(Elf64_Phdr))
		return;
	for (unsigned int i = 0; i < elf.e_phnum && i < PW_ELF_SEGMENTS_MAX; i++) {
		uint64_t at = elf.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr program;

		if (!find_held(core, start + at, sizeof(program), &offset) ||
		    pw_file_read(file, offset, &program, sizeof(program)))
			return;
		if (program.p_type == PT_NOTE && find_held(core, start + program.p_offset, program.p_filesz, &offset))
			pw_identity_read_notes(&identity, file, offset, program.p_filesz);
	}
	if (identity.gnu_size || identity.has_go)
		pw_identity_name(&identity, file, core->build_id);
}

struct file_table { /* NT_FILE */
	struct pw_bytes bytes;
	uint64_t count, page_size;
	const uint8_t *entries; /* three words each */
};

static bool open_table(struct file_table *ret_table, const struct pw_core_notes *notes)
{
	struct file_table table = {.bytes = pw_bytes_init(notes->files, notes->files_size)};

	table.count = pw_bytes_u64(&table.bytes);
	table.page_size = pw_bytes_u64(&table.bytes);
	if (!pw_bytes_can_hold(&table.bytes, table.count, 3 * sizeof(uint64_t) + 1, PW_CORE_FILES_BYTES_MAX))
		return false;
	table.entries = pw_bytes_take(&table.bytes, (size_t)table.count * 3 * sizeof(uint64_t));
	*ret_table = table;
	return table.entries != NULL;
}

/* Entry i, and the next name. False: the table ends here, or lies. */
static bool next_file(struct file_table *table, uint64_t i, struct pw_core_mapping *ret_mapping, const char **ret_name)
{
	uint64_t words[3];
	size_t length;

	*ret_name = pw_bytes_cstr(&table->bytes, PW_PROC_PATH_MAX, &length);
	memcpy(words, table->entries + i * sizeof(words), sizeof(words));
	*ret_mapping = (struct pw_core_mapping){.start = words[0], .end = words[1]};
	return *ret_name && !pw_mul_overflows(words[2], table->page_size, &ret_mapping->offset) &&
	       words[0] < words[1] && words[1] <= PW_USER_ADDRESS_MAX;
}

/* The path of the file that is mapped at an address. */
static bool find_path(const struct pw_core_notes *notes, uint64_t address, char *ret_path)
{
	struct pw_core_mapping mapping;
	struct file_table table;
	const char *name;

	if (!address || !open_table(&table, notes))
		return false;
	for (uint64_t i = 0; i < table.count && next_file(&table, i, &mapping, &name); i++) {
		size_t length = strnlen(name, PW_PROC_PATH_MAX);

		if (address < mapping.start || address >= mapping.end || length >= PW_PROC_PATH_MAX)
			continue;
		memcpy(ret_path, name, length + 1);
		return true;
	}
	return false;
}

static int add_mappings(const struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file)
{
	struct pw_core_mapping mapping;
	struct file_table table;
	const char *name;
	int r = 0;

	if (!open_table(&table, notes))
		return 0;
	for (uint64_t i = 0; !r && i < table.count && next_file(&table, i, &mapping, &name); i++) {
		if (strcmp(name, core->exe) != 0)
			continue;
		r = pw_vec_push(&core->mappings, mapping);
		if (!r && !mapping.offset && !core->build_id[0])
			read_build_id(core, file, mapping.start);
	}
	if (r == -E2BIG) {
		core->dropped++;
		r = 0;
	}
	return r;
}

/* Without NT_FILE there is still the name that execve got, on the stack. */
static void read_exec_name(const struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file)
{
	const struct pw_core_segment *segment = pw_core_segment_at(core, notes->exec_name);
	uint64_t at = segment ? notes->exec_name - segment->start : 0, size;

	if (!segment || at >= segment->held)
		return;
	size = PW_MIN(segment->held - at, (uint64_t)sizeof(core->exe));
	if (pw_file_read(file, segment->offset + at, core->exe, (size_t)size) ||
	    strnlen(core->exe, (size_t)size) == (size_t)size)
		core->exe[0] = '\0';
}

int pw_core_notes_find_exe(const struct pw_core_notes *notes, struct pw_core *core, const struct pw_file *file)
{
	/* The program headers are the executable's even when it was started by way of the dynamic linker. */
	if (find_path(notes, notes->program_headers, core->exe) || find_path(notes, core->entry, core->exe))
		return add_mappings(notes, core, file);
	read_exec_name(notes, core, file);
	if (notes->program_headers > sizeof(Elf64_Ehdr)) /* they mostly stand right behind the header */
		read_build_id(core, file, notes->program_headers - sizeof(Elf64_Ehdr));
	return 0;
}
