/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_PARKS_H
#define PW_OBSERVE_PARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_parks;
struct pw_record;
struct pw_record_builder;
struct pw_snapshot_result;
struct pw_statements;
struct pw_symbolizer;

/*
 * A snapshot summed up (model/record.h: struct pw_record_park): groups of equal (go statement, status, wait reason,
 * stack), what they wait on and since when, and rows if there are few goroutines. Made in slices, like the digest of a
 * census; kept until the next one is made.
 */
#define PW_PARKS_BY_COUNT   64U /* groups that have their stack in the record because they are most */
#define PW_PARKS_BY_GROWTH  64U /* and others because they grow most */
#define PW_PARKS_FINALIZERS 8U	/* and those that run a finalizer or a cleanup of the program */

int pw_parks_new(struct pw_parks **ret_parks) __attribute__((warn_unused_result));
void pw_parks_free(struct pw_parks *parks);

/* Begins anew. previous: those before, for growth and for the numbers of objects; may be NULL. It must not change until
 * this one is complete. rows_max: rows if there are at most so many goroutines. */
void pw_parks_begin(struct pw_parks *parks, const struct pw_snapshot_result *look, const struct pw_parks *previous,
		    uint32_t rows_max);
/* The sockets of the process as they were last looked at, while it is made; borrowed. */
struct pw_sockets;
void pw_parks_know_sockets(struct pw_parks *parks, const struct pw_sockets *sockets);
/* Works for about budget_ns: 0 complete, and the look is no longer needed; -EAGAIN more to do, -ENOMEM (what is there
 * is not to be used). */
int pw_parks_step(struct pw_parks *parks, const struct pw_snapshot_result *look, struct pw_statements *statements,
		  uint64_t budget_ns) __attribute__((warn_unused_result));
/* Asks for names that are not yet known, and takes those that are: true when all are. Cheap then. */
bool pw_parks_name(struct pw_parks *parks, struct pw_symbolizer *symbolizer);

/* What a record says of a complete one besides: into the draft's figures. */
void pw_parks_write_sizes(const struct pw_parks *parks, struct pw_record *draft);
/* Groups with locks that are still, beyond those that are written. */
uint64_t pw_parks_locks_left_out(const struct pw_parks *parks);
/* Writes the groups, locks, ages and rows of a complete one into the draft. names: of wait reasons, by the target's
 * code. */
void pw_parks_write(struct pw_parks *parks, const char (*names)[40], size_t name_count,
		    struct pw_record_builder *builder);

#endif
