/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/rlimits.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* "Max open files            1024                 524288               files" */
static bool take(const char *line, const char *name, uint64_t *ret_soft)
{
	size_t length = strlen(name);
	char *end;
	uint64_t value;

	if (strncmp(line, name, length) || line[length] != ' ')
		return false;
	line += length + strspn(line + length, " ");
	if (!strncmp(line, "unlimited", 9)) {
		*ret_soft = UINT64_MAX;
		return true;
	}
	errno = 0;
	value = strtoull(line, &end, 10);
	if (end == line || errno)
		return false;
	*ret_soft = value;
	return true;
}

int pw_rlimits_read(const struct pw_procfs *procfs, pid_t pid, struct pw_rlimits *ret_limits)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	struct pw_rlimits limits = {UINT64_MAX, UINT64_MAX};
	char *saved = NULL, *line;
	int found = 0, r = pw_procfs_read(procfs, pid, "limits", &text);

	if (r < 0)
		return r;
	for (line = text.data ? strtok_r(text.data, "\n", &saved) : NULL; line; line = strtok_r(NULL, "\n", &saved))
		found += take(line, "Max open files", &limits.open_files) ||
			 take(line, "Max processes", &limits.processes);
	if (found != 2)
		return -EBADMSG;
	*ret_limits = limits;
	return 0;
}
