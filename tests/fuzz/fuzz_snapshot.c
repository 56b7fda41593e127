/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Looks at a target whose memory is the input: goroutines with stacks, channels, selects, semaphores, labels and timers
 * begin sound and are then overwritten; between two looks once more. No look may crash, hang or show what was not
 * checked. Frame sizes are made up from the pc, where a reader would answer.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/memory_input.h"
#include "model/record.h"
#include "reader/reader.h"
#include "target/snapshot.h"
#include "target/symbolize.h"
#include "target/unwind.h"

#define STACKS	0xc200000000
#define OBJECTS 0xc300000000
#define PARK	(FAKE_GO_RUNTIME_FUNC + 0x80)
#define WORK	(FAKE_GO_MAIN_FUNC + 0x40)
#define TOP	(FAKE_GO_RUNTIME_FUNC + 0x300)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- in place of the reader process ---- */

static struct asked {
	uint64_t pcs[PW_READER_PCS_MAX];
	size_t count;
	pw_reader_symbols_fn callback;
	void *context;
} asked;

int64_t pw_reader_ask_symbols(struct pw_reader *reader, int exe_fd, const char *build_id, const uint64_t *pcs,
			      size_t count, pw_reader_symbols_fn callback, void *context)
{
	(void)reader;
	(void)exe_fd;
	(void)build_id;
	if (count > PW_READER_PCS_MAX)
		abort();
	memcpy(asked.pcs, pcs, count * sizeof(*pcs));
	asked.count = count;
	asked.callback = callback;
	asked.context = context;
	return 1;
}

void pw_reader_cancel(struct pw_reader *reader, int64_t id)
{
	(void)reader;
	(void)id;
}

int pw_reader_wait(struct pw_reader *reader, int64_t id)
{
	static struct pw_symbol symbols[PW_READER_PCS_MAX];
	struct pw_symbols all = {.count = asked.count, .symbols = symbols};

	(void)reader;
	(void)id;
	for (size_t i = 0; i < asked.count; i++) {
		uint64_t pc = asked.pcs[i];

		symbols[i] = (struct pw_symbol){
			.pc = pc,
			.entry = pc % 7 ? pc & ~0xffULL : pc,
			.frame_size = pc % 11 ? (int32_t)(pc / 8 % 16 * 8) : -1,
			.flag = pc % 13 ? 0 : PW_FUNC_SP_WRITE,
		};
		if (pc == PARK || pc == WORK || pc == TOP)
			symbols[i] = (struct pw_symbol){.pc = pc,
							.entry = pc - 0x20,
							.frame_size = pc == WORK ? 40 : 24,
							.flag = pc == TOP ? PW_FUNC_TOP_FRAME : 0};
	}
	asked.callback(asked.context, 0, &all, NULL);
	return 0;
}

/* ---- the target ---- */

static void put_field(struct fake_go *go, uint64_t object, enum pw_field field, uint64_t value)
{
	int32_t offset = go->build.facts.layout.offset[field];

	if (offset >= 0)
		fake_mem_put(&go->mem, object + (uint64_t)offset, value, 8);
}

/* Goroutine i waits, by reasons in turn, on objects that lie at OBJECTS. */
static void make_waits(struct fake_go *go, size_t i)
{
	static const uint8_t reasons[] = {14, 15, 9, 21, 2, 19, 20};
	uint8_t reason = reasons[i % sizeof(reasons)];
	uint64_t sudog = OBJECTS + 0x4000 + i * 0x100, channel = OBJECTS + i % 5 * 0x200;
	uint64_t sp = STACKS + i * 0x2000 + 0x1f00, poll = OBJECTS + 0xc000 + i * 0x100;

	fake_go_set(go, i, PW_FIELD_G_WAITREASON, reason, 1);
	fake_go_set(go, i, PW_FIELD_G_WAITING, sudog, 8);
	fake_go_set(go, i, PW_FIELD_G_LABELS, OBJECTS + 0x1800, 8);
	put_field(go, sudog, PW_FIELD_SUDOG_G, fake_go_g(go, i));
	put_field(go, sudog, PW_FIELD_SUDOG_C, channel);
	put_field(go, sudog, PW_FIELD_SUDOG_ELEM, OBJECTS + 0x1000 + i % 3 * 4);
	put_field(go, sudog, PW_FIELD_SUDOG_WAITLINK, i % 2 ? sudog + 0x100 : 0);
	put_field(go, channel, PW_FIELD_HCHAN_RECVQ_FIRST, sudog);
	put_field(go, poll, PW_FIELD_POLLDESC_RG, fake_go_g(go, i));
	fake_mem_put(&go->mem, sp, reason == 2 ? poll : channel, 8);
	fake_mem_put(&go->mem, sp + 8, OBJECTS + 0x1000, 8);
	fake_mem_put(&go->mem, sp + 24, WORK, 8);
	fake_mem_put(&go->mem, sp + 24 + 8 + 40, TOP, 8);
}

static struct fake_go *new_target(uint8_t version, uint8_t count)
{
	static const struct {
		uint8_t code;
		const char *name;
	} reasons[] = {{14, "chan receive"},   {15, "chan send"}, {9, "select"}, {21, "sync.Mutex.Lock"},
		       {20, "sync.Cond.Wait"}, {2, "IO wait"},	  {19, "sleep"}};
	struct fake_go *go = fake_go_new(19 + version % 9, count % 48 + 1, count % 5 + 1);
	struct pw_build_facts *facts = &go->build.facts;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		snprintf(facts->wait_reasons.name[reasons[i].code], PW_WAIT_REASON_SIZE, "%s", reasons[i].name);
	facts->globals.addr[PW_GLOBAL_SEMTABLE] = OBJECTS + 0x14000;
	fake_mem_add(&go->mem, STACKS, go->g_count * 0x2000);
	fake_mem_add(&go->mem, OBJECTS, 0x1c000);
	for (size_t i = 0; i < go->g_count; i++) {
		make_waits(go, i);
		fake_mem_put(&go->mem, OBJECTS + 0x14000 + i * 64 + 8, OBJECTS + 0x4000 + i * 0x100, 8);
	}
	fake_mem_put(&go->mem, OBJECTS + 0x1800, OBJECTS + 0x1900, 8);
	fake_mem_put(&go->mem, OBJECTS + 0x1808, 2, 8);
	for (size_t i = 0; i < 4; i++) {
		fake_mem_put(&go->mem, OBJECTS + 0x1900 + i * 16, OBJECTS + 0x1a00, 8);
		fake_mem_put(&go->mem, OBJECTS + 0x1908 + i * 16, 3, 8);
	}
	if (pw_symbolizer_new(&go->target.symbolizer, NULL, STDIN_FILENO, "go:fuzz"))
		abort();
	return go;
}

/* ---- what may be shown ---- */

static void check(const struct fake_go *go, const struct pw_snapshot_result *result)
{
	uint64_t skipped = 0;

	for (size_t i = 0; i < _PW_SKIP_MAX; i++)
		skipped += result->skipped_by[i];
	if (skipped != result->skipped)
		abort();
	for (size_t i = 0; i < result->count; i++) {
		const struct pw_snapshot_goroutine *g = &result->goroutines[i];

		if (!g->goid || (i && g->goid <= result->goroutines[i - 1].goid) ||
		    g->status >= _PW_GOROUTINE_STATUS_MAX || g->wait.kind >= _PW_WAIT_KIND_MAX)
			abort();
		if (g->first_pc > result->pc_count || g->pc_count > result->pc_count - g->first_pc ||
		    g->first_label > result->label_count || g->label_count > result->label_count - g->first_label)
			abort();
		for (uint32_t k = 0; k < g->pc_count; k++)
			if (result->pcs[g->first_pc + k].pc < FAKE_GO_TEXT ||
			    result->pcs[g->first_pc + k].pc > FAKE_GO_ETEXT)
				abort();
		if (g->wait.known && g->wait.kind == PW_WAIT_CHANNEL && !g->wait.nil &&
		    g->wait.receivers != PW_UNKNOWN && g->wait.receivers > go->g_count)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_snapshot_options options = {.waits = true, .labels = true};
	struct pw_snapshot *snapshot;
	struct fake_go *go;

	if (size < 4)
		return 0;
	go = new_target(data[0], data[1]);
	options.time_budget_ns = data[2] % 16 ? 0 : 1;
	options.memory_budget_bytes = data[2] / 16 ? 0 : 8192;
	if (pw_snapshot_new(&snapshot, &go->target, &options))
		abort();
	for (int n = 0; n < 3; n++) {
		size_t part = (size - 3) / 3;

		memory_overwrite(go, data + 3 + (size_t)n * part, part);
		if (!pw_snapshot_look(snapshot))
			check(go, pw_snapshot_result(snapshot));
		else if (pw_snapshot_result(snapshot)->count)
			abort();
	}
	pw_snapshot_free(snapshot);
	pw_symbolizer_free(go->target.symbolizer);
	fake_go_free(go);
	return 0;
}
