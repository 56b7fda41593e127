/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/core_builder.h"

#include <assert.h>
#include <string.h>
#include <sys/procfs.h>

static void put(struct core_notes *notes, const void *data, size_t size)
{
	assert(notes->size + size + 3 <= sizeof(notes->bytes));
	memcpy(notes->bytes + notes->size, data, size);
	notes->size += size;
	while (notes->size % 4)
		notes->bytes[notes->size++] = 0;
}

void core_note(struct core_notes *notes, const char *name, uint32_t type, const void *description, size_t size)
{
	size_t name_size = *name ? strlen(name) + 1 : 0;
	Elf64_Nhdr head = {.n_namesz = (uint32_t)name_size, .n_descsz = (uint32_t)size, .n_type = type};

	put(notes, &head, sizeof(head));
	put(notes, name, name_size);
	put(notes, description, size);
}

void core_note_thread(struct core_notes *notes, int32_t tid, uint64_t pc, uint64_t sp)
{
	struct elf_prstatus status = {.pr_pid = tid};

	memcpy(&status.pr_reg[16], &pc, sizeof(pc)); /* rip, rsp of struct user_regs_struct */
	memcpy(&status.pr_reg[19], &sp, sizeof(sp));
	core_note(notes, "CORE", NT_PRSTATUS, &status, sizeof(status));
}

/* arch/arm64/include/uapi/asm/ptrace.h: struct user_pt_regs {regs[31], sp, pc, pstate}; elf_prstatus as on amd64. */
void core_note_thread_arm64(struct core_notes *notes, int32_t tid, uint64_t pc, uint64_t sp, uint64_t lr)
{
	uint8_t status[112 + 34 * 8 + 8] = {};

	memcpy(status + 32, &tid, sizeof(tid));
	memcpy(status + 112 + 30 * 8, &lr, sizeof(lr));
	memcpy(status + 112 + 31 * 8, &sp, sizeof(sp));
	memcpy(status + 112 + 32 * 8, &pc, sizeof(pc));
	core_note(notes, "CORE", NT_PRSTATUS, status, sizeof(status));
}

void core_note_process(struct core_notes *notes, int32_t pid, const char *name)
{
	struct elf_prpsinfo info = {.pr_pid = pid};

	memcpy(info.pr_fname, name, strnlen(name, sizeof(info.pr_fname)));
	core_note(notes, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

void core_note_auxv(struct core_notes *notes, const Elf64_auxv_t *pairs, size_t count)
{
	Elf64_auxv_t all[16] = {};

	assert(count < 16);
	memcpy(all, pairs, count * sizeof(*pairs));
	core_note(notes, "CORE", NT_AUXV, all, (count + 1) * sizeof(*pairs));
}

void core_note_files(struct core_notes *notes, uint64_t page_size, const struct core_file_entry *entries, size_t count)
{
	uint8_t bytes[4096];
	uint64_t head[2] = {count, page_size};
	size_t size = sizeof(head);

	memcpy(bytes, head, sizeof(head));
	for (size_t i = 0; i < count; i++) {
		uint64_t words[3] = {entries[i].start, entries[i].end, entries[i].page_offset};

		assert(size + sizeof(words) <= sizeof(bytes));
		memcpy(bytes + size, words, sizeof(words));
		size += sizeof(words);
	}
	for (size_t i = 0; i < count; i++) {
		assert(size + strlen(entries[i].path) + 1 <= sizeof(bytes));
		strcpy((char *)bytes + size, entries[i].path);
		size += strlen(entries[i].path) + 1;
	}
	core_note(notes, "CORE", NT_FILE, bytes, size);
}
