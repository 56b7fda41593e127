/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/alert_text.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/size.h"
#include "base/time.h"
#include "model/alert.h"

static void put_queue(struct pw_buf *out, const char *what, uint64_t count)
{
	if (count != UINT64_MAX)
		pw_buf_printf(out, ", %" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}

static void put_object(struct pw_buf *out, const struct pw_alert_wait *wait)
{
	bool channel = !strcmp(wait->kind, "channel") || !strcmp(wait->kind, "select");

	if (wait->nil) {
		pw_buf_puts(out, channel && wait->kind[0] == 's' ? "a select without cases" : "a nil channel");
		return;
	}
	if (wait->objects > 1)
		pw_buf_printf(out, "%" PRIu32 " different %ss, the oldest on one", wait->objects,
			      channel ? "channel" : wait->kind);
	else
		pw_buf_printf(out, "one %s", channel ? "channel" : wait->kind);
	if (!wait->known)
		return;
	if (channel && wait->capacity == 0)
		pw_buf_puts(out, ", unbuffered");
	else if (channel && wait->capacity != UINT64_MAX)
		pw_buf_printf(out, ", %" PRIu64 " of %" PRIu64 " buffered", wait->length, wait->capacity);
	if (wait->closed)
		pw_buf_puts(out, ", closed");
	put_queue(out, channel ? "receiver" : "waiter", wait->receivers);
	if (channel)
		put_queue(out, "sender", wait->senders);
}

void pw_alert_put_wait(struct pw_buf *out, const struct pw_alert *alert)
{
	char age[PW_DURATION_SIZE];

	if (!alert->stacks_wall_ns)
		return;
	if (*alert->waiting_on.kind)
		put_object(out, &alert->waiting_on);
	if (alert->oldest_park_ns)
		pw_buf_printf(out, "%sthe oldest parked for at least %s", *alert->waiting_on.kind ? "; " : "",
			      pw_time_duration(alert->oldest_park_ns, age));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

void pw_alert_put_stack(struct pw_buf *out, const struct pw_alert_frame *frames, size_t count, const char *separator)
{
	for (size_t i = 0; i < count && i < PW_ALERT_FRAMES_MAX; i++) {
		pw_buf_puts(out, i ? separator : "");
		pw_buf_puts(out, frames[i].function);
		if (*frames[i].file)
			pw_buf_printf(out, " %s:%u", base_name(frames[i].file), frames[i].line);
	}
}

static void put_growing_place(struct pw_buf *out, const struct pw_alert_growing *growing)
{
	char size[PW_SIZE_TEXT_SIZE];

	if (*growing->frame.function)
		pw_alert_put_stack(out, &growing->frame, 1, "");
	else if (growing->large)
		pw_buf_puts(out, "large objects");
	else
		pw_buf_printf(out, "objects of %s", pw_size_text(growing->object_bytes, size));
}

void pw_alert_put_growing(struct pw_buf *out, const struct pw_alert *alert, const char *separator)
{
	for (size_t i = 0; i < alert->growing_count && i < PW_ALERT_GROWING_MAX; i++) {
		const struct pw_alert_growing *growing = &alert->growing[i];
		char size[PW_SIZE_TEXT_SIZE], over[PW_DURATION_SIZE];

		pw_buf_puts(out, i ? separator : "");
		put_growing_place(out, growing);
		pw_buf_printf(out, " %s in %s (%.0f%%)", pw_size_change_text((int64_t)growing->bytes, size),
			      pw_time_duration(growing->over_ns, over), growing->share * 100);
	}
}
