/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_READER_H
#define PW_READER_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binary/core.h"
#include "reader/facts.h"

struct pw_why;

/*
 * The asking side of the reader: one sandboxed process, forked before any thread, that parses the files of targets.
 * It gets open file descriptors over a socket, answers in order of arrival, and is killed and restarted when it crashes
 * or an answer is later than its deadline; the build that killed it twice is barred. Nothing here blocks except
 * pw_reader_wait.
 */
struct pw_reader;

struct pw_frame { /* strings live as long as the pw_symbols they came in */
	const char *function, *file;
	uint32_t line;
	bool inlined;
	bool wrapper; /* made by the compiler: tracebacks leave out those that call */
};

struct pw_symbol {	    /* all frames of one pc, innermost first */
	uint64_t pc;	    /* link-time, as asked */
	uint64_t entry;	    /* of the physical function; 0: unknown pc */
	int32_t frame_size; /* pcsp at pc, -1 unknown */
	uint8_t flag;	    /* pclntab flag of the physical function */
	uint8_t func_id;
	uint32_t frame_count;
	const struct pw_frame *frames;
};

struct pw_symbols {
	size_t count;
	struct pw_symbol *symbols; /* in the order asked */
	void *storage;
};
void pw_symbols_done(struct pw_symbols *symbols);

/* Callbacks run from pw_reader_dispatch/_expire. r < 0: facts/symbols are NULL and why says what happened: -ETIMEDOUT,
 * -ECONNRESET (the reader died on it), -EBADMSG (the file lies), -EACCES (barred). */
typedef void (*pw_reader_facts_fn)(void *context, int r, const struct pw_build_facts *facts, const char *why);
typedef void (*pw_reader_symbols_fn)(void *context, int r, const struct pw_symbols *symbols, const char *why);
/* The core is the callback's to take (pw_core_done). */
typedef void (*pw_reader_core_fn)(void *context, int r, struct pw_core *core, const char *why);

/* Forks the process. Call before any thread exists. -errno, one message logged. */
int pw_reader_start(struct pw_reader **ret_reader) __attribute__((warn_unused_result));
void pw_reader_free(struct pw_reader *reader); /* kills and reaps; open requests get -ECANCELED */

/* A pollable fd for the event loop; it stays the same over restarts. (The generation counts reader processes.) */
int pw_reader_fd(const struct pw_reader *reader);
uint64_t pw_reader_generation(const struct pw_reader *reader);
int pw_reader_dispatch(struct pw_reader *reader); /* handles what has arrived, starts what waits */
/* Deadlines, and the end of a reader process that was idle for 30 s (the next request starts one); call at least once a
 * second. now_ns: CLOCK_MONOTONIC (pw_now_ns). */
int pw_reader_expire(struct pw_reader *reader, uint64_t now_ns);

/* Each returns a request id > 0 or -errno (-EAGAIN: too many wait already). exe_fd is borrowed (duplicated into the
 * request). At most PW_READER_PCS_MAX pcs. */
int64_t pw_reader_ask_facts(struct pw_reader *reader, int exe_fd, pw_reader_facts_fn callback, void *context);
int64_t pw_reader_ask_symbols(struct pw_reader *reader, int exe_fd, const char *build_id, const uint64_t *pcs,
			      size_t count, pw_reader_symbols_fn callback, void *context);
int64_t pw_reader_ask_core(struct pw_reader *reader, int core_fd, pw_reader_core_fn callback, void *context);
/* Forgets a request: its callback will not be called. */
void pw_reader_cancel(struct pw_reader *reader, int64_t id);
/* For one-shot commands: dispatches until the request is answered or expired (0 either way: the callback knows). */
int pw_reader_wait(struct pw_reader *reader, int64_t id);

struct pw_reader_stats {
	uint64_t requests, timeouts, crashes, barred_builds, restarts;
};
void pw_reader_stats(const struct pw_reader *reader, struct pw_reader_stats *ret_stats);

#endif
