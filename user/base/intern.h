/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/*
 * Each string once, by a small id: id 0 is always "". Ids count up and stay valid, and the text stays where it is,
 * until the table is freed. Content is bytes with a NUL behind; a NUL inside is not allowed.
 */
struct pw_intern;

/* At most max_strings strings and max_bytes bytes of text: 0, -ENOMEM. */
int pw_must_check pw_intern_new(struct pw_intern **ret_intern, uint32_t max_strings, size_t max_bytes);
void pw_intern_free(struct pw_intern *intern);
PW_DEFINE_CLEANUP(struct pw_intern *, pw_intern_free);

/*
 * The id of a string, which is added when new: 0 and *ret_id, -E2BIG when the table or the string is over its cap
 * (counted in pw_intern_dropped), -ENOMEM. text need not be NUL-terminated.
 */
int pw_must_check pw_intern_add(struct pw_intern *intern, const char *text, size_t size, uint32_t *ret_id);
int pw_must_check pw_intern_adds(struct pw_intern *intern, const char *text, uint32_t *ret_id);

/* Looks without adding: true and *ret_id if the string is there. */
bool pw_intern_find(const struct pw_intern *intern, const char *text, size_t size, uint32_t *ret_id);

/* The text of an id; "" for one that was never given. Never NULL. */
const char *pw_intern_text(const struct pw_intern *intern, uint32_t id);
size_t pw_intern_size(const struct pw_intern *intern, uint32_t id);

/* Number of strings with the empty one: ids are below this. */
uint32_t pw_intern_count(const struct pw_intern *intern);

/* Bytes of text held, and how many additions the caps refused. */
size_t pw_intern_bytes(const struct pw_intern *intern);
uint64_t pw_intern_dropped(const struct pw_intern *intern);
