/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/*
 * Strict parsers of what people write: the whole text or -EINVAL; -ERANGE when it does not fit. Out-parameters are
 * written only on success. Leading blanks and signs are not accepted where not said.
 */
int pw_must_check pw_parse_u64(const char *text, uint64_t *ret_value);	/* decimal, or hex with 0x */
int pw_must_check pw_parse_i64(const char *text, int64_t *ret_value);	/* decimal with an optional sign */
int pw_must_check pw_parse_double(const char *text, double *ret_value); /* finite, always with '.' */
int pw_must_check pw_parse_bool(const char *text, bool *ret_value);	/* yes no true false on off 1 0 */
int pw_must_check pw_parse_pid(const char *text, int *ret_pid);		/* 1 .. 4194304 (PID_MAX_LIMIT) */

/* "10" "64K" "5M" "2GiB" "1.5G": bytes, powers of 1024. */
int pw_must_check pw_parse_size(const char *text, uint64_t *ret_bytes);

/* "250ms" "10s" "1m30s" "2h" "7d" "1.5s" "0": ns. A bare number other than 0 is refused: a unit is demanded. */
int pw_must_check pw_parse_duration(const char *text, uint64_t *ret_ns);

/* "5%" -> 0.05, "0.05" -> 0.05. Not negative; above 100% is allowed. */
int pw_must_check pw_parse_percent(const char *text, double *ret_ratio);

/* "127.0.0.1:9000" "[::1]:9000" ":9000" "localhost:9000": host ("" for none, without brackets) and port. */
int pw_must_check pw_parse_address(const char *text, char *ret_host, size_t host_size, uint16_t *ret_port);

/* Shell pattern with * ? [a-z] over the whole text; '*' matches '/' too. Linear space, bounded steps, no recursion. */
bool pw_glob_match(const char *pattern, const char *text);

/* Edits (insert, delete, replace, swap of neighbours) between two words of at most PW_PARSE_KEY_MAX bytes. */
unsigned int pw_edit_distance(const char *a, const char *b);

/* The candidate nearest to a misspelt word, or NULL when none is near enough to be meant. Borrowed from candidates. */
const char *pw_suggest(const char *word, const char *const *candidates, size_t count);
