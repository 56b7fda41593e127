/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/fake_mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fake_mem_done(struct fake_mem *mem)
{
	for (size_t i = 0; i < mem->count; i++)
		free(mem->regions[i].bytes);
	mem->count = 0;
}

uint8_t *fake_mem_add(struct fake_mem *mem, uint64_t addr, size_t size)
{
	uint8_t *bytes = calloc(1, size ? size : 1);

	if (!bytes || mem->count == FAKE_MEM_REGIONS_MAX)
		abort();
	mem->regions[mem->count].addr = addr;
	mem->regions[mem->count].size = size;
	mem->regions[mem->count++].bytes = bytes;
	return bytes;
}

uint8_t *fake_mem_at(struct fake_mem *mem, uint64_t addr, size_t size)
{
	for (size_t i = 0; i < mem->count; i++) {
		uint64_t offset = addr - mem->regions[i].addr;

		if (addr >= mem->regions[i].addr && offset <= mem->regions[i].size &&
		    size <= mem->regions[i].size - offset)
			return mem->regions[i].bytes + offset;
	}
	return NULL;
}

void fake_mem_put(struct fake_mem *mem, uint64_t addr, uint64_t value, size_t size)
{
	uint8_t *at = fake_mem_at(mem, addr, size);

	if (!at)
		abort();
	memcpy(at, &value, size);
}

static int read_fake(void *context, struct pw_mem_range *ranges, size_t count)
{
	struct fake_mem *mem = context;
	int good = 0;

	if (mem->error)
		return mem->error;
	for (size_t i = 0; i < count; i++) {
		const uint8_t *from = fake_mem_at(mem, ranges[i].addr, ranges[i].size);

		ranges[i].ok = from != NULL;
		if (!from)
			continue;
		memcpy(ranges[i].buffer, from, ranges[i].size);
		good++;
		mem->ranges_read++;
		if (mem->after_range)
			mem->after_range(mem, &ranges[i], mem->context);
	}
	return good;
}

static uint64_t fake_ran_ns(void *context)
{
	const struct fake_mem *mem = context;

	return mem->ran_ns;
}

struct pw_mem fake_mem_reader(struct fake_mem *mem)
{
	return (struct pw_mem){.read = read_fake, .ran_ns = fake_ran_ns, .context = mem};
}

/* ---- a Go process ---- */

static const struct {
	enum pw_global global;
	uint64_t offset;
} globals[] = {
	{PW_GLOBAL_ALLGLEN, 0x00},
	{PW_GLOBAL_ALLGPTR, 0x08},
	{PW_GLOBAL_ALLP, 0x10},
	{PW_GLOBAL_SCHED, 0x1000},
};

static void set_facts(struct pw_build_facts *facts, int go_minor)
{
	facts->arch = PW_ARCH_AMD64;
	facts->is_go = true;
	facts->info.go_minor = go_minor;
	snprintf(facts->info.go_version, sizeof(facts->info.go_version), "go1.%d", go_minor);
	snprintf(facts->build_id, sizeof(facts->build_id), "go:fake");
	if (pw_layout_for(&facts->layout, PW_ARCH_AMD64, go_minor))
		abort();
	facts->text = FAKE_GO_TEXT;
	facts->etext = FAKE_GO_ETEXT;
	facts->text_segment = (struct pw_elf_segment){.vaddr = 0x400000, .filesz = 0x200000, .memsz = 0x200000};
	for (size_t i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
		facts->globals.addr[globals[i].global] = FAKE_GO_GLOBALS + globals[i].offset;
	facts->wait_reasons.count = 47;
	snprintf(facts->wait_reasons.name[16], PW_WAIT_REASON_SIZE, "finalizer wait");
	facts->runtime_ranges[0] = (struct pw_address_range){FAKE_GO_RUNTIME_FUNC, FAKE_GO_RUNTIME_FUNC + 0x1000};
	facts->runtime_range_count = 1;
	facts->runtime_main = FAKE_GO_RUNTIME_FUNC + 0x100;
	facts->runtime_runfinq = FAKE_GO_RUNTIME_FUNC + 0x200;
}

struct fake_go *fake_go_new(int go_minor, size_t g_count, size_t p_count)
{
	struct fake_go *go = calloc(1, sizeof(*go));

	if (!go)
		abort();
	set_facts(&go->build.facts, go_minor);
	go->build.references = 1;
	go->g_count = g_count;
	go->p_count = p_count;
	fake_mem_add(&go->mem, FAKE_GO_GLOBALS, 0x10000);
	fake_mem_add(&go->mem, FAKE_GO_PS, 0x1000 + p_count * 0x8000);
	fake_mem_add(&go->mem, FAKE_GO_LIST, g_count * 8);
	fake_mem_add(&go->mem, FAKE_GO_GS, g_count * FAKE_GO_STRIDE);
	go->target = (struct pw_target){.pid = 1, .pidfd = -1, .exe_fd = -1, .build = &go->build, .bias_known = true};
	go->target.mem = fake_mem_reader(&go->mem);

	fake_go_set_allglen(go, g_count);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x08, FAKE_GO_LIST, 8);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x10, FAKE_GO_PS, 8);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x18, p_count, 8);
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x20, p_count, 8);
	for (size_t i = 0; i < p_count; i++) {
		fake_mem_put(&go->mem, FAKE_GO_PS + i * 8, FAKE_GO_PS + 0x1000 + i * 0x8000, 8);
		fake_go_set_p(go, i, PW_FIELD_P_ID, i, 4);
	}
	for (size_t i = 0; i < g_count; i++) {
		fake_mem_put(&go->mem, FAKE_GO_LIST + i * 8, fake_go_g(go, i), 8);
		fake_go_reset_g(go, i);
	}
	return go;
}

void fake_go_free(struct fake_go *go)
{
	fake_mem_done(&go->mem);
	free(go);
}

uint64_t fake_go_g(const struct fake_go *go, size_t index)
{
	(void)go;
	return FAKE_GO_GS + index * FAKE_GO_STRIDE;
}

void fake_go_set(struct fake_go *go, size_t index, enum pw_field field, uint64_t value, size_t size)
{
	fake_mem_put(&go->mem, fake_go_g(go, index) + (uint64_t)go->build.facts.layout.offset[field], value, size);
}

void fake_go_reset_g(struct fake_go *go, size_t index)
{
	uint64_t stack = 0xc200000000 + index * 0x2000;

	fake_go_set(go, index, PW_FIELD_G_STACK_LO, stack, 8);
	fake_go_set(go, index, PW_FIELD_G_STACK_HI, stack + 0x2000, 8);
	fake_go_set(go, index, PW_FIELD_G_SCHED_SP, stack + 0x1f00, 8);
	fake_go_set(go, index, PW_FIELD_G_SCHED_PC, FAKE_GO_RUNTIME_FUNC + 0x80, 8);
	fake_go_set(go, index, PW_FIELD_G_ATOMICSTATUS, 4, 4);
	fake_go_set(go, index, PW_FIELD_G_GOID, index + 1, 8);
	fake_go_set(go, index, PW_FIELD_G_WAITREASON, 2, 1);
	fake_go_set(go, index, PW_FIELD_G_GOPC, FAKE_GO_MAIN_FUNC + 0x20, 8);
	fake_go_set(go, index, PW_FIELD_G_STARTPC, FAKE_GO_MAIN_FUNC, 8);
}

void fake_go_set_sched(struct fake_go *go, enum pw_field field, uint64_t value, size_t size)
{
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS + 0x1000 + (uint64_t)go->build.facts.layout.offset[field], value, size);
}

void fake_go_set_p(struct fake_go *go, size_t index, enum pw_field field, uint64_t value, size_t size)
{
	fake_mem_put(&go->mem, FAKE_GO_PS + 0x1000 + index * 0x8000 + (uint64_t)go->build.facts.layout.offset[field],
		     value, size);
}

void fake_go_set_allglen(struct fake_go *go, uint64_t value)
{
	fake_mem_put(&go->mem, FAKE_GO_GLOBALS, value, 8);
}
