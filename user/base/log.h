/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdarg.h>

#include "base/limits.h"
#include "base/macros.h"

/*
 * The only writer to stderr. Messages are one line; control characters and bytes that are not UTF-8 appear escaped.
 * Under systemd (JOURNAL_STREAM names our stderr) lines carry <N> priorities and events go by the native protocol.
 * Every call site may say PW_LOG_RATE_BURST messages per PW_LOG_RATE_INTERVAL_SEC; then one line tells how many
 * were left out. May be called from any thread.
 */
enum pw_log_level { PW_LOG_ERR, PW_LOG_WARN, PW_LOG_INFO, PW_LOG_DEBUG, PW_LOG_LEVEL_MAX };

/* The level is the only mutable global. Default: info. */
void pw_log_set_level(enum pw_log_level level);
enum pw_log_level pw_log_get_level(void);
int pw_must_check pw_log_parse_level(const char *text, enum pw_log_level *ret_level);
const char *pw_log_level_name(enum pw_log_level level);

struct pw_log_site {
	uint64_t window_start_ns;
	uint32_t count;
	uint32_t suppressed;
};

/*
 * Log and return: r is the error to hand on (0 for none); when negative, ": <error name>" is NOT added: say why
 * in the message, e.g. by pw_why_text(). "return pw_log_err(r, "cannot read '%s': %s", path, pw_why_text(&why, r));"
 */
#define pw_log_err(r, ...)   pw_log_at_(PW_LOG_ERR, (r), __VA_ARGS__)
#define pw_log_warn(r, ...)  pw_log_at_(PW_LOG_WARN, (r), __VA_ARGS__)
#define pw_log_info(r, ...)  pw_log_at_(PW_LOG_INFO, (r), __VA_ARGS__)
#define pw_log_debug(r, ...) pw_log_at_(PW_LOG_DEBUG, (r), __VA_ARGS__)

#define pw_log_at_(level, r, ...)                                       \
	({                                                              \
		static struct pw_log_site pw_log_site_;                 \
		pw_log_write(&pw_log_site_, (level), (r), __VA_ARGS__); \
	})

int pw_log_write(struct pw_log_site *site, enum pw_log_level level, int r, const char *fmt, ...) pw_printf_like(4, 5);

/* For the user at the terminal: "parkwatch: message" without level, prefix or rate limit; returns r. */
int pw_log_usage(int r, const char *fmt, ...) pw_printf_like(2, 3);

/* One field of an event: name in capitals and underscores (journal rules), value any text. */
struct pw_log_field {
	const char *name;
	const char *value;
};

/*
 * An event with fields: to the journal by its native protocol (MESSAGE, PRIORITY and the fields) when under systemd,
 * otherwise one logfmt line. 0 or -errno when neither worked.
 */
int pw_log_event(enum pw_log_level level, const struct pw_log_field *fields, size_t count, const char *message);
