/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_PAGE_H
#define PW_OUTPUT_ALERT_PAGE_H

#include <stddef.h>
#include <stdint.h>

struct pw_alert;
struct pw_buf;

/* One alert as a page for a person on call: first what, where, since when, how fast, how sure and why, what to do and
 * how to see it; then all of its evidence. */
void pw_alert_page(struct pw_buf *out, const struct pw_alert *alert, uint64_t wall_ns);

/*
 * The alert with that id, or the only one whose id begins so. -ENOENT, -EEXIST (several begin so), with a sentence in
 * *out that names what was perhaps meant.
 */
int pw_alert_find(const struct pw_alert *alerts, size_t count, const char *id, struct pw_buf *out,
		  const struct pw_alert **ret_alert) __attribute__((warn_unused_result));

#endif
