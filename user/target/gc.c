/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/gc.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/record.h"
#include "target/gread.h"
#include "target/target.h"

#define PHASE_NS_MAX (1ULL << 50)	/* 13 days: no phase of a collection lasts that long */
#define CLOCK_SLACK  (5 * PW_NS_PER_MS) /* between a clock read here and one read there */
#define DRIFT_NS_MAX PW_NS_PER_SEC	/* farther off, the target has a clock of its own (time namespace) */

/* ---- where they are ---- */

struct place {
	enum pw_global global;
	enum pw_field field;
};

static const struct place places[_PW_GC_WORD_MAX] = {
	[PW_GC_TRIGGERED] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_TRIGGERED},
	[PW_GC_LEAK_CHECK] = {PW_GLOBAL_WORK, PW_FIELD_WORK_GOROUTINELEAK_DONE},
	[PW_GC_NUMGC] = {PW_GLOBAL_MEMSTATS, PW_FIELD_MSTATS_NUMGC},
	[PW_GC_CPU_FRACTION] = {PW_GLOBAL_MEMSTATS, PW_FIELD_MSTATS_GC_CPU_FRACTION},
	[PW_GC_PROCS] = {PW_GLOBAL_WORK, PW_FIELD_WORK_STWPROCS},
	[PW_GC_SWEEP_TERM] = {PW_GLOBAL_WORK, PW_FIELD_WORK_TSWEEPTERM},
	[PW_GC_MARK] = {PW_GLOBAL_WORK, PW_FIELD_WORK_TMARK},
	[PW_GC_MARK_TERM] = {PW_GLOBAL_WORK, PW_FIELD_WORK_TMARKTERM},
	[PW_GC_END] = {PW_GLOBAL_WORK, PW_FIELD_WORK_TEND},
	[PW_GC_PAUSE] = {PW_GLOBAL_WORK, PW_FIELD_WORK_PAUSENS},
	[PW_GC_HEAP_START] = {PW_GLOBAL_WORK, PW_FIELD_WORK_HEAP0},
	[PW_GC_HEAP_MARK_END] = {PW_GLOBAL_WORK, PW_FIELD_WORK_HEAP1},
	[PW_GC_HEAP_LIVE] = {PW_GLOBAL_WORK, PW_FIELD_WORK_HEAP2},
	[PW_GC_FORCED] = {PW_GLOBAL_WORK, PW_FIELD_WORK_USERFORCED},
	[PW_GC_GOAL] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_LASTHEAPGOAL},
	[PW_GC_STACKS] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_LASTSTACKSCAN},
	[PW_GC_GLOBALS] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_GLOBALSSCAN},
	[PW_GC_ASSIST] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_ASSISTTIME},
	[PW_GC_DEDICATED] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_DEDICATEDMARKTIME},
	[PW_GC_FRACTIONAL] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_FRACTIONALMARKTIME},
	[PW_GC_IDLE] = {PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_IDLEMARKTIME},
};

/* 0: not known. */
static uint64_t address(const struct pw_target *target, enum pw_global global, enum pw_field field)
{
	const struct pw_build_facts *facts = &target->build->facts;
	int32_t offset = pw_field_offset(&facts->layout, field, PW_GC_SIZE_MAX);

	return facts->globals.addr[global] && offset >= 0
		       ? facts->globals.addr[global] + target->bias + (uint64_t)offset
		       : 0;
}

int pw_gc_addresses(const struct pw_target *target, uint64_t ret_addr[_PW_GC_WORD_MAX])
{
	const struct pw_layout *layout = &target->build->facts.layout;
	int32_t procs = layout->offset[PW_FIELD_WORK_STWPROCS];
	uint64_t addr[_PW_GC_WORD_MAX];

	if (!target->bias_known)
		return -ENOTSUP;
	for (size_t i = 0; i < _PW_GC_WORD_MAX; i++) {
		addr[i] = address(target, places[i].global, places[i].field);
		if (!addr[i] && i >= PW_GC_EARLY_WORDS)
			return -ENOTSUP;
	}
	if (layout->go_minor == 19) { /* prints the room that stacks take, and not what was scanned of it */
		addr[PW_GC_STACKS] = address(target, PW_GLOBAL_GCCONTROLLER, PW_FIELD_GCCONTROLLER_MAXSTACKSCAN);
		if (!addr[PW_GC_STACKS])
			return -ENOTSUP;
	}
	if (layout->offset[PW_FIELD_WORK_MAXPROCS] != procs + 4) /* they are read as one word */
		return -ENOTSUP;
	memcpy(ret_addr, addr, sizeof(addr));
	return 0;
}

int pw_gc_init_time(struct pw_target *target, uint64_t *ret_init_ns)
{
	uint64_t addr = target->build->facts.globals.addr[PW_GLOBAL_RUNTIMEINITTIME];

	return addr ? pw_mem_read_u64(&target->mem, addr + target->bias, ret_init_ns) : -ENOTSUP;
}

/* ---- what they say ---- */

static bool times_ok(const struct pw_gc_words *words, uint64_t init_ns, uint64_t monotonic_ns)
{
	const uint64_t *word = words->word;

	if (!init_ns || word[PW_GC_SWEEP_TERM] < init_ns || word[PW_GC_END] > INT64_MAX)
		return false;
	for (int i = PW_GC_SWEEP_TERM; i < PW_GC_END; i++)
		if (word[i + 1] < word[i] || word[i + 1] - word[i] > PHASE_NS_MAX)
			return false;
	/* A poll reads what has happened. (A probe brings its own time: below.) */
	if (words->polled && word[PW_GC_END] > monotonic_ns + CLOCK_SLACK)
		return false;
	return word[PW_GC_PAUSE] <= word[PW_GC_END] - word[PW_GC_SWEEP_TERM] + CLOCK_SLACK;
}

static bool numbers_ok(const uint64_t word[_PW_GC_WORD_MAX], double cpu_fraction)
{
	static const enum pw_gc_word sizes[] = {PW_GC_HEAP_START, PW_GC_HEAP_MARK_END, PW_GC_HEAP_LIVE,
						PW_GC_GOAL,	  PW_GC_STACKS,	       PW_GC_GLOBALS};
	static const enum pw_gc_word durations[] = {PW_GC_ASSIST, PW_GC_DEDICATED, PW_GC_FRACTIONAL, PW_GC_IDLE};
	uint32_t stw_procs = (uint32_t)word[PW_GC_PROCS], max_procs = (uint32_t)(word[PW_GC_PROCS] >> 32);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		if (word[sizes[i]] > PW_USER_ADDRESS_MAX &&
		    sizes[i] != PW_GC_GOAL) /* GOGC=off has a goal of 2^64 - 1 */
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++)
		if (word[durations[i]] > PHASE_NS_MAX)
			return false;
	return stw_procs && stw_procs <= PW_PS_MAX && max_procs && max_procs <= PW_PS_MAX && stw_procs <= max_procs &&
	       isfinite(cpu_fraction) && cpu_fraction >= 0 && cpu_fraction <= 1 && (uint32_t)word[PW_GC_NUMGC];
}

/*
 * From the target's CLOCK_MONOTONIC to CLOCK_BOOTTIME: by the clocks of ours, unless the probe's own time says that the
 * target's are others (the world is started some microseconds behind the end of the cycle).
 */
static uint64_t clock_offset(const struct pw_gc_words *words, uint64_t offset)
{
	uint64_t end_ns = words->word[PW_GC_END] + offset;

	if (words->polled || !words->read_ns || words->read_ns - end_ns < DRIFT_NS_MAX ||
	    end_ns - words->read_ns < DRIFT_NS_MAX)
		return offset;
	return words->read_ns - words->word[PW_GC_END];
}

int pw_gc_parse(const struct pw_gc_words *words, uint64_t init_ns, uint64_t monotonic_ns, uint64_t boot_offset_ns,
		struct pw_record_gc_cycle *ret_cycle)
{
	const uint64_t *word = words->word;
	uint64_t offset = clock_offset(words, boot_offset_ns), triggered = word[PW_GC_TRIGGERED];
	double cpu_fraction;

	memcpy(&cpu_fraction, &word[PW_GC_CPU_FRACTION], sizeof(cpu_fraction));
	if (words->missing || !times_ok(words, init_ns, monotonic_ns) || !numbers_ok(word, cpu_fraction))
		return -EBADMSG;
	*ret_cycle = (struct pw_record_gc_cycle){
		.number = (uint32_t)word[PW_GC_NUMGC],
		.start_ns = word[PW_GC_SWEEP_TERM] + offset,
		.mark_ns = word[PW_GC_MARK] + offset,
		.mark_termination_ns = word[PW_GC_MARK_TERM] + offset,
		.end_ns = word[PW_GC_END] + offset,
		.since_init_ns = word[PW_GC_SWEEP_TERM] - init_ns,
		.pause_ns = word[PW_GC_PAUSE],
		.heap_start_bytes = word[PW_GC_HEAP_START],
		.heap_mark_end_bytes = word[PW_GC_HEAP_MARK_END],
		.heap_live_bytes = word[PW_GC_HEAP_LIVE],
		.goal_bytes = word[PW_GC_GOAL],
		.trigger_bytes = triggered && triggered <= PW_USER_ADDRESS_MAX ? triggered : PW_UNKNOWN,
		.stack_bytes = word[PW_GC_STACKS],
		.globals_bytes = word[PW_GC_GLOBALS],
		.assist_ns = word[PW_GC_ASSIST],
		.dedicated_ns = word[PW_GC_DEDICATED],
		.fractional_ns = word[PW_GC_FRACTIONAL],
		.idle_ns = word[PW_GC_IDLE],
		.cpu_fraction = cpu_fraction,
		.stw_procs = (uint32_t)word[PW_GC_PROCS],
		.max_procs = (uint32_t)(word[PW_GC_PROCS] >> 32),
		.forced = word[PW_GC_FORCED] & 0xff,
		.leak_check = word[PW_GC_LEAK_CHECK] & 0xff,
		.polled = words->polled,
	};
	return 0;
}

/* ---- the poll ---- */

/*
 * What must stand still around the words, and be at rest: no cycle runs (gcphase 0), as many have ended as have begun,
 * and none is about to begin: who begins one holds work.startSema (1 while nobody does) and overwrites some words long
 * before the count of begun cycles moves (src/runtime/mgc.go:gcStart).
 */
struct gate {
	uint32_t numgc, cycles, phase, start_sema;
};
#define GATE_WORDS 4

static int gate_ranges(const struct pw_target *target, struct gate *gate, struct pw_mem_range ranges[GATE_WORDS])
{
	uint64_t phase = target->build->facts.globals.addr[PW_GLOBAL_GCPHASE];
	const struct {
		uint64_t addr;
		uint32_t *value;
	} parts[GATE_WORDS] = {
		{address(target, PW_GLOBAL_MEMSTATS, PW_FIELD_MSTATS_NUMGC), &gate->numgc},
		{address(target, PW_GLOBAL_WORK, PW_FIELD_WORK_CYCLES), &gate->cycles},
		{phase ? phase + target->bias : 0, &gate->phase},
		{address(target, PW_GLOBAL_WORK, PW_FIELD_WORK_STARTSEMA), &gate->start_sema},
	};

	for (size_t i = 0; i < GATE_WORDS; i++) {
		if (!parts[i].addr)
			return -ENOTSUP;
		ranges[i] = (struct pw_mem_range){
			.addr = parts[i].addr, .buffer = parts[i].value, .size = sizeof(*parts[i].value)};
	}
	return 0;
}

static bool at_rest(const struct gate *gate)
{
	return !gate->phase && gate->start_sema == 1 && gate->numgc == gate->cycles;
}

/* Everything twice, in the order gate, words, words, gate: what changes in between differs somewhere. */
static int read_twice(struct pw_target *target, struct gate gates[2], struct pw_gc_words words[2])
{
	struct pw_mem_range ranges[2 * GATE_WORDS + 2 * _PW_GC_WORD_MAX];
	uint64_t addr[_PW_GC_WORD_MAX];
	size_t count = GATE_WORDS;
	int n = pw_gc_addresses(target, addr);

	if (!n)
		n = gate_ranges(target, &gates[0], ranges);
	for (int round = 0; !n && round < 2; round++)
		for (size_t i = PW_GC_EARLY_WORDS; i < _PW_GC_WORD_MAX; i++)
			ranges[count++] = (struct pw_mem_range){
				.addr = addr[i], .buffer = &words[round].word[i], .size = sizeof(uint64_t)};
	if (!n)
		n = gate_ranges(target, &gates[1], ranges + count);
	if (n)
		return n;
	n = pw_mem_read_many(&target->mem, ranges, count + GATE_WORDS);
	if (n < 0)
		return n;
	return (size_t)n == count + GATE_WORDS ? 0 : -EFAULT;
}

int pw_gc_poll(struct pw_target *target, struct pw_record_gc_cycle *ret_cycle)
{
	struct pw_gc_words words[2] = {{.polled = true}, {.polled = true}};
	struct gate gates[2];
	uint64_t init_ns;
	int r = read_twice(target, gates, words);

	if (!r)
		r = pw_gc_init_time(target, &init_ns);
	if (r)
		return r;
	if (memcmp(&gates[0], &gates[1], sizeof(gates[0])) || !at_rest(&gates[0]) ||
	    memcmp(words[0].word, words[1].word, sizeof(words[0].word)))
		return -EAGAIN;
	if (!gates[0].numgc)
		return -ENODATA;
	return pw_gc_parse(&words[0], init_ns, pw_now_ns(), pw_boot_offset_ns(), ret_cycle);
}
