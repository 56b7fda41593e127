/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OBSERVE_DIGEST_H
#define PW_OBSERVE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/table.h"
#include "base/vec.h"
#include "model/record.h"
#include "observe/steps.h"

struct pw_census_result;
struct pw_record_builder;
struct pw_statements;

/*
 * A census summed up: groups with their ages. Made in slices, since a million
 * goroutines cannot be summed up within one tick; kept from one census to the next, as that is what records say
 * meanwhile.
 */
typedef void (*pw_bounds_fn)(const void *context, uint64_t goid, uint64_t *ret_after_ns, uint64_t *ret_before_ns);

struct pw_digest_source {
	const struct pw_census_result *census;
	uint64_t bias;
	uint64_t main_pc;		/* live address of runtime.main, where the main goroutine starts; 0: unknown */
	const char (*reason_names)[40]; /* by the target's code */
	size_t reason_count;
	pw_bounds_fn bounds;
	const void *bounds_context;
};

struct pw_digest_group {
	uint32_t statement;
	uint8_t status, reason;	       /* the target's own code; 0 unless parked */
	struct pw_record_group totals; /* all but reason and ages */
	struct pw_age_steps ages;
};

struct pw_digest {
	PW_VEC(struct pw_digest_group *) groups; /* in order of sighting while made, sorted when done */
	size_t groups_used;			 /* of them; the others are kept for their memory */
	struct pw_table by_key;
	uint64_t taken_ns, total, system, skipped, torn, num_goroutine, cost_ns, bytes_read;
	size_t next; /* goroutine to take in */
	bool complete;
};

int pw_digest_new(struct pw_digest **ret_digest) __attribute__((warn_unused_result));
void pw_digest_free(struct pw_digest *digest);

/* Begins anew. */
void pw_digest_begin(struct pw_digest *digest, const struct pw_digest_source *source);
/* Works for about budget_ns: 0 complete, -EAGAIN more to do, -ENOMEM (what is there is not to be used). */
int pw_digest_step(struct pw_digest *digest, const struct pw_digest_source *source, struct pw_statements *statements,
		   uint64_t budget_ns) __attribute__((warn_unused_result));

/* Writes groups and ages into the draft. */
void pw_digest_write(const struct pw_digest *digest, const struct pw_digest_source *source,
		     struct pw_record_builder *builder);

/* The name of a wait reason, by the target's own code. */
pw_string pw_reason_string(struct pw_record_builder *builder, const char (*names)[40], size_t count, uint8_t code);

#endif
