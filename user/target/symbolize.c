/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "target/symbolize.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/table.h"
#include "base/vec.h"
#include "reader/reader.h"
#include "target/unwind.h"

struct known { /* value of the cache */
	uint32_t count;
	bool answered;
	struct pw_located_frame frames[];
};

struct pw_symbolizer {
	struct pw_reader *reader; /* borrowed */
	int exe_fd;		  /* owned */
	char build_id[sizeof(((struct pw_build_facts *)0)->build_id)];
	struct pw_table cache; /* pc to be looked up -> struct known */
	struct pw_intern *strings;
	struct pw_frame_table frames; /* pc as on a stack -> its frame */
	PW_VEC(uint64_t) queued;
	PW_VEC(uint64_t) asked; /* pcs of the request under way */
	int64_t request;	/* 0: none */
	unsigned int failures;	/* in a row */
};

int pw_symbolizer_new(struct pw_symbolizer **ret_symbolizer, struct pw_reader *reader, int exe_fd, const char *build_id)
{
	struct pw_symbolizer *symbolizer = calloc(1, sizeof(*symbolizer));
	int r;

	if (!symbolizer)
		return -ENOMEM;
	symbolizer->reader = reader;
	symbolizer->cache = (struct pw_table)PW_TABLE_INIT(PW_SYMBOLS_MAX, free);
	symbolizer->queued.max = symbolizer->asked.max = PW_SYMBOLS_MAX;
	snprintf(symbolizer->build_id, sizeof(symbolizer->build_id), "%s", build_id);
	symbolizer->exe_fd = fcntl(exe_fd, F_DUPFD_CLOEXEC, 3);
	r = symbolizer->exe_fd < 0 ? -errno : 0;
	if (!r)
		r = pw_intern_new(&symbolizer->strings, PW_SYMBOL_STRINGS_MAX, PW_SYMBOL_BYTES_MAX);
	if (r) {
		pw_symbolizer_free(symbolizer);
		return r;
	}
	*ret_symbolizer = symbolizer;
	return 0;
}

void pw_symbolizer_free(struct pw_symbolizer *symbolizer)
{
	if (!symbolizer)
		return;
	if (symbolizer->request)
		pw_reader_cancel(symbolizer->reader, symbolizer->request);
	pw_table_done(&symbolizer->cache);
	pw_intern_free(symbolizer->strings);
	pw_frame_table_done(&symbolizer->frames);
	pw_vec_done(&symbolizer->queued);
	pw_vec_done(&symbolizer->asked);
	pw_closep(&symbolizer->exe_fd);
	free(symbolizer);
}

/* Puts a value for pc into the cache, instead of what is there. */
static int remember(struct pw_symbolizer *symbolizer, uint64_t pc, struct known *known)
{
	int r = pw_table_put_u64(&symbolizer->cache, pc, known);

	if (r)
		free(known);
	return r;
}

int pw_symbolize(struct pw_symbolizer *symbolizer, uint64_t pc, bool is_return_address,
		 const struct pw_located_frame **ret_frames)
{
	uint64_t at = is_return_address && pc ? pc - 1 : pc;
	struct known *known = pw_table_get_u64(&symbolizer->cache, at);
	int r;

	if (known) {
		*ret_frames = known->frames;
		return known->answered ? (int)known->count : -EAGAIN;
	}
	known = calloc(1, sizeof(*known));
	if (!known)
		return -ENOMEM;
	r = remember(symbolizer, at, known);
	if (r == -E2BIG) { /* over the cap: has no name here */
		*ret_frames = NULL;
		return 0;
	}
	if (!r)
		r = pw_vec_push(&symbolizer->queued, at);
	return r ? r : -EAGAIN;
}

static const char *text_of(struct pw_symbolizer *symbolizer, const char *text)
{
	uint32_t id;

	return pw_intern_adds(symbolizer->strings, text, &id) ? "?" : pw_intern_text(symbolizer->strings, id);
}

const struct pw_frame_table *pw_symbolizer_frame_info(const struct pw_symbolizer *symbolizer)
{
	return &symbolizer->frames;
}

int pw_symbolizer_ask_frame(struct pw_symbolizer *symbolizer, uint64_t pc)
{
	int r;

	if (pw_frame_table_find(&symbolizer->frames, pc))
		return 0; /* known, or asked */
	r = pw_vec_reserve(&symbolizer->queued, 1);
	if (!r)
		r = pw_frame_table_put(&symbolizer->frames, &(struct pw_frame_info){.pc = pc, .asked = true});
	if (!r)
		symbolizer->queued.items[symbolizer->queued.count++] = pc;
	return r;
}

bool pw_symbolizer_busy(const struct pw_symbolizer *symbolizer)
{
	return symbolizer->request || symbolizer->queued.count;
}

static bool injects_calls(const struct pw_symbol *symbol)
{
	const char *name = symbol->frame_count ? symbol->frames[symbol->frame_count - 1].function : "";

	return !strcmp(name, "runtime.asyncPreempt") || !strcmp(name, "runtime.sigpanic") ||
	       !strncmp(name, "runtime.debugCall", strlen("runtime.debugCall"));
}

static void take_frame_info(struct pw_symbolizer *symbolizer, const struct pw_symbol *symbol)
{
	struct pw_frame_info info = {.pc = symbol->pc, .size = symbol->frame_size};

	if (!symbol->entry)
		info.size = -1;
	info.top = symbol->flag & PW_FUNC_TOP_FRAME;
	info.writes_sp = symbol->flag & PW_FUNC_SP_WRITE;
	info.at_entry = symbol->pc == symbol->entry;
	info.injects = injects_calls(symbol);
	if (pw_frame_table_put(&symbolizer->frames, &info))
		pw_log_debug(0, "cannot keep the size of a frame");
}

static void take_answer(struct pw_symbolizer *symbolizer, const struct pw_symbol *symbol)
{
	const struct known *asked = pw_table_get_u64(&symbolizer->cache, symbol->pc);
	struct known *known;

	if (pw_frame_table_find(&symbolizer->frames, symbol->pc))
		take_frame_info(symbolizer, symbol);
	if (!asked || asked->answered)
		return; /* only its frame was wanted; or somebody holds the names already */
	known = calloc(1, sizeof(*known) + symbol->frame_count * sizeof(known->frames[0]));
	if (!known)
		return; /* it stays "asked": without a name, but without a crash */
	known->answered = true;
	known->count = symbol->frame_count;
	for (uint32_t i = 0; i < symbol->frame_count; i++)
		known->frames[i] = (struct pw_located_frame){
			.function = text_of(symbolizer, symbol->frames[i].function),
			.file = text_of(symbolizer, symbol->frames[i].file),
			.line = symbol->frames[i].line,
			.inlined = symbol->frames[i].inlined,
			.wrapper = symbol->frames[i].wrapper,
			.entry = symbol->entry,
		};
	if (remember(symbolizer, symbol->pc, known))
		pw_log_debug(0, "cannot keep the name of a function");
}

/* After a refusal these pcs have no names: asking again for ever would not help anybody. */
static void give_up(struct pw_symbolizer *symbolizer)
{
	pw_vec_foreach (&symbolizer->asked, pc) {
		struct known *known = pw_table_get_u64(&symbolizer->cache, *pc);

		if (known)
			known->answered = true;
		if (pw_frame_table_find(&symbolizer->frames, *pc) &&
		    pw_frame_table_put(&symbolizer->frames, &(struct pw_frame_info){.pc = *pc, .size = -1}))
			pw_log_debug(0, "cannot keep the size of a frame");
	}
}

/* Once more, in front of what has been queued since: a reader may die for reasons of its own. */
static void ask_again(struct pw_symbolizer *symbolizer)
{
	pw_vec_foreach (&symbolizer->asked, pc)
		if (pw_vec_push(&symbolizer->queued, *pc))
			return;
}

static void on_answer(void *context, int r, const struct pw_symbols *symbols, const char *why)
{
	struct pw_symbolizer *symbolizer = context;

	symbolizer->request = 0;
	if (r == -ECANCELED)
		return;
	if (r < 0) {
		bool transient = r == -ECONNRESET || r == -ETIMEDOUT || r == -ENOMEM;

		pw_log_debug(r, "names of functions of build %s: %s", symbolizer->build_id, why);
		if (transient && symbolizer->failures++ == 0)
			ask_again(symbolizer);
		else
			give_up(symbolizer);
	} else {
		symbolizer->failures = 0;
		for (size_t i = 0; i < symbols->count; i++)
			take_answer(symbolizer, &symbols->symbols[i]);
	}
	pw_vec_reset(&symbolizer->asked);
}

int pw_symbolizer_flush(struct pw_symbolizer *symbolizer)
{
	size_t count = PW_MIN(symbolizer->queued.count, (size_t)PW_READER_PCS_MAX), rest;
	int64_t id;
	int r;

	if (symbolizer->request || !count)
		return 0;
	pw_vec_reset(&symbolizer->asked);
	r = pw_vec_reserve(&symbolizer->asked, count);
	if (r)
		return r;
	memcpy(symbolizer->asked.items, symbolizer->queued.items, count * sizeof(uint64_t));
	symbolizer->asked.count = count;
	id = pw_reader_ask_symbols(symbolizer->reader, symbolizer->exe_fd, symbolizer->build_id,
				   symbolizer->asked.items, count, on_answer, symbolizer);
	if (id < 0)
		return (int)id;
	symbolizer->request = id;
	rest = symbolizer->queued.count - count;
	memmove(symbolizer->queued.items, symbolizer->queued.items + count, rest * sizeof(uint64_t));
	symbolizer->queued.count = rest;
	return 0;
}

int pw_symbolizer_settle(struct pw_symbolizer *symbolizer)
{
	while (symbolizer->request || symbolizer->queued.count) {
		int r = pw_symbolizer_flush(symbolizer);

		if (!r && symbolizer->request)
			r = pw_reader_wait(symbolizer->reader, symbolizer->request);
		if (r)
			return r;
	}
	return 0;
}
