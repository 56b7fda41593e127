/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/targets.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

const char *const target_versions[] = {"1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", NULL};

const char *target_path(const char *behaviour, const char *version, const char *flavour)
{
	static char path[4096];
	const char *cache = getenv("PARKWATCH_CACHE"), *home = getenv("HOME");

	if (cache)
		snprintf(path, sizeof(path), "%s/targets/%s-%s-%s", cache, behaviour, version, flavour);
	else
		snprintf(path, sizeof(path), "%s/.cache/parkwatch/targets/%s-%s-%s", home ? home : "/root", behaviour,
			 version, flavour);
	return path;
}

void target_need(const char *path)
{
	if (!access(path, R_OK))
		return;
	print_message("%s is missing: run scripts/targets --default\n", path);
	if (getenv("CI"))
		fail();
	skip();
}

int target_open(const char *behaviour, const char *version, const char *flavour)
{
	const char *path = target_path(behaviour, version, flavour);

	target_need(path);
	return open(path, O_RDONLY | O_CLOEXEC);
}
