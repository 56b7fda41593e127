/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_ALERT_TEXT_H
#define PW_OUTPUT_ALERT_TEXT_H

#include <stddef.h>

struct pw_alert;
struct pw_alert_frame;
struct pw_buf;

/* Words for the evidence of an alert, not escaped: for the sinks, each of which escapes as it must. */

/* "one channel, unbuffered, 0 receivers, 432 senders; parked for at least 14m": nothing if nothing is known. */
void pw_alert_put_wait(struct pw_buf *out, const struct pw_alert *alert);
/* "main.publish bus.go:41 < main.handle server.go:12" */
void pw_alert_put_stack(struct pw_buf *out, const struct pw_alert_frame *frames, size_t count, const char *separator);
/* "main.put cache.go:41 +31.0 MiB in 1h (87%)", each behind the next separator: what grew most. Nothing if not known.
 */
void pw_alert_put_growing(struct pw_buf *out, const struct pw_alert *alert, const char *separator);

#endif
