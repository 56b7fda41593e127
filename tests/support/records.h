/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TESTS_RECORDS_H
#define PW_TESTS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct pw_record;
struct pw_record_builder;

/* Records for tests: random ones, and those of a program that is described by its go statements. */

/* A small generator with a state of its own (splitmix64): the same seed gives the same numbers everywhere. */
uint64_t rnd(uint64_t *state);
uint64_t rnd_below(uint64_t *state, uint64_t limit);

/* Makes a random but valid record of target with the builder: every field set, lists up to max elements. */
struct pw_record *random_record(struct pw_record_builder *builder, uint64_t *seed, uint64_t target_id, size_t max);

/* Are two records the same in every bit of every field, list and string? */
bool records_equal(const struct pw_record *a, const struct pw_record *b);

/* --- a program --------------------------------------------------------------------------------------------------- */

/*
 * A go statement of a program under simulation: births[i] goroutines were born in second i of the simulation and still
 * live. All of them are parked, in the state the test wants.
 */
#define PROGRAM_SECONDS 20000

struct program_statement {
	uint64_t gopc;
	const char *function, *file, *reason;
	uint32_t line;
	bool system;
	uint64_t spawned, exited;
	uint64_t initial;		  /* born before we looked */
	const char *caller;		  /* of the snapshot: who waits; NULL: main.publish */
	uint32_t parked_seconds;	  /* before the snapshot; 0: 10 */
	uint32_t objects;		  /* that they wait on; 0: one */
	uint64_t runs_each;		  /* since the snapshot before */
	struct pw_record_sockets sockets; /* that they wait for, if for the network */
	uint32_t born[PROGRAM_SECONDS];
	uint32_t oldest; /* first second with a living one */
	uint32_t newest; /* last second in which any was started */
};

struct program {
	uint64_t target_id, start_ns; /* of the process, CLOCK_BOOTTIME */
	uint64_t epoch_ns;	      /* CLOCK_BOOTTIME of second 0 */
	uint64_t wall_epoch_ns;
	const char *service;
	int32_t pid;					    /* 0: 4711 */
	const char *build;				    /* NULL: none */
	bool events;					    /* records have an events section */
	bool snapshots;					    /* and one of snapshots, taken last at: */
	uint32_t snapshot_second, snapshot_elapsed_seconds; /* since the one before; 0: unknown */
	struct program_statement **statements;
	size_t count;
};

/* count goroutines of a statement start in second. */
void program_spawn(struct program_statement *statement, uint32_t second, uint32_t count);
/* count of the oldest (or of the youngest) living ones end. Those that were there from the beginning are the oldest. */
void program_end_oldest(struct program_statement *statement, uint64_t count);
void program_end_youngest(struct program_statement *statement, uint32_t second, uint64_t count);
uint64_t program_live(const struct program_statement *statement);

/* The record at a second: ages by polls of one second. */
struct pw_record *program_record(const struct program *program, struct pw_record_builder *builder, uint32_t second);

#endif
