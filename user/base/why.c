/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static void write_text(struct pw_why *why, const char *fmt, va_list args) pw_printf_like(2, 0);

/* Formats, escapes what a terminal or a log would act on, and cuts at the end of the text. */
static void write_text(struct pw_why *why, const char *fmt, va_list args)
{
	char raw[PW_WHY_TEXT_MAX];
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(4 * sizeof(raw) + 1);
	size_t size;

	if (vsnprintf(raw, sizeof(raw), fmt, args) < 0)
		raw[0] = '\0';
	if (pw_buf_escaped(&buf, raw, strlen(raw)))
		return;
	size = PW_MIN(buf.size, sizeof(why->text) - 1);
	memcpy(why->text, pw_buf_text(&buf), size);
	why->text[size] = '\0';
}

int pw_why_set(struct pw_why *why, int r, const char *fmt, ...)
{
	va_list args;

	if (!why)
		return r;
	va_start(args, fmt);
	write_text(why, fmt, args);
	va_end(args);
	return r;
}

int pw_why_prefix(struct pw_why *why, int r, const char *fmt, ...)
{
	struct pw_why prefix = {}, old;
	va_list args;

	if (!why)
		return r;
	old = *why;
	va_start(args, fmt);
	write_text(&prefix, fmt, args);
	va_end(args);
	return pw_why_set(why, r, "%s: %s", prefix.text, pw_why_text(&old, r));
}

const char *pw_why_text(const struct pw_why *why, int r)
{
	const char *name;

	if (why && why->text[0])
		return why->text;
	name = r < 0 ? strerrordesc_np(-r) : NULL;
	return name ? name : "no reason given";
}
