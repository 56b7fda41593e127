/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_BUILDER_H
#define PW_MODEL_BUILDER_H

#include "model/record.h"

/*
 * Makes records of one target. The builder lives as long as the target, and its string table with it, so that a
 * string has the same index in every record and the difference of two records is small. Use: begin, fill the draft (its
 * numbers directly, its arrays by the functions below), finish. An element that finds no room is refused (NULL, or the
 * empty string), counted, and named in the record's drops.
 */
struct pw_record_builder;

int pw_record_builder_new(struct pw_record_builder **ret_builder) __attribute__((warn_unused_result));
void pw_record_builder_free(struct pw_record_builder *builder);

/* An empty draft, owned by the builder until finish; everything unknown is 0 or absent. */
struct pw_record *pw_record_builder_begin(struct pw_record_builder *builder);
/* The immutable record with one reference, in one allocation; the draft is empty then. -ENOMEM. */
int pw_record_builder_finish(struct pw_record_builder *builder, struct pw_record **ret_record)
	__attribute__((warn_unused_result));

/* Index of a string; NULL and "" are 0. Valid in all records until the generation changes (table full: begun anew). */
pw_string pw_record_builder_string(struct pw_record_builder *builder, const char *text);
uint64_t pw_record_builder_generation(const struct pw_record_builder *builder);

/* A new zeroed element at the end of its array, valid until the next one of its kind, and its index (ret_index may be
 * NULL). NULL: no room. */
struct pw_record_site *pw_record_builder_site(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_drop *pw_record_builder_drop(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_statement *pw_record_builder_statement(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_event_count *pw_record_builder_event_count(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_reason_count *pw_record_builder_reason(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_group *pw_record_builder_group(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_age *pw_record_builder_age(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_park *pw_record_builder_park(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_age *pw_record_builder_park_age(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_row *pw_record_builder_row(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_lock *pw_record_builder_lock(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_bucket *pw_record_builder_bucket(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_gc_cycle *pw_record_builder_gc_cycle(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_frame *pw_record_builder_frame(struct pw_record_builder *builder, uint32_t *ret_index);
struct pw_record_stack *pw_record_builder_stack(struct pw_record_builder *builder, uint32_t *ret_index);

#endif
