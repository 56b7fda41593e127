/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "model/profile.h"

void pw_put_foreign(struct pw_buf *out, const char *text)
{
	pw_buf_escaped(out, text, strlen(text));
}

void pw_put_string(struct pw_buf *out, const struct pw_profile *profile, uint32_t string)
{
	pw_put_foreign(out, pw_profile_string(profile, string));
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *pw_grouped(uint64_t value, char text[PW_GROUPED_SIZE])
{
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
	char *to = text;

	for (int i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

/* Is the directory of the file the package of the function ("net/http.Get", "/usr/lib/go/src/net/http/client.go")? */
static bool is_in_package(const char *function, const char *file)
{
	const char *slash = strrchr(function, '/'), *dot = strchr(slash ? slash : function, '.');
	size_t package = dot ? (size_t)(dot - function) : 0, directory = (size_t)(base_name(file) - file);

	if (!package || directory < package + 1 || strncmp(file + directory - 1 - package, function, package) != 0)
		return false;
	return directory == package + 1 || file[directory - 2 - package] == '/';
}

void pw_put_place(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_frame *frame,
		  bool whole)
{
	const char *file = pw_profile_string(profile, frame->file);

	whole = whole && !is_in_package(pw_profile_string(profile, frame->function), file);
	pw_put_foreign(out, frame->function ? pw_profile_string(profile, frame->function) : "?");
	if (!*file)
		return;
	pw_buf_putc(out, ' ');
	pw_put_foreign(out, whole ? file : base_name(file));
	pw_buf_printf(out, ":%u", frame->line);
}

bool pw_is_runtime_name(const char *function)
{
	return !strncmp(function, "runtime.", 8) || !strncmp(function, "internal/runtime/", 17);
}
