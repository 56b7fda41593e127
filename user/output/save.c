/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/save.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macros.h"

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_in_place(const char *path, const void *data, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : write_all(fd, data, size);
}

int pw_save_file(const char *path, const void *data, size_t size)
{
	char beside[PATH_MAX];
	_cleanup_fd_ int fd = -1;
	struct stat st;
	int length, r;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : write_in_place(path, data, size);
	length = snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	if (length < 0 || (size_t)length >= sizeof(beside))
		return -ENAMETOOLONG;
	fd = mkostemp(beside, O_CLOEXEC); /* 0600 */
	if (fd < 0)
		return -errno;
	r = write_all(fd, data, size);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (!r && rename(beside, path) < 0)
		r = -errno;
	if (r)
		(void)unlink(beside);
	return r;
}
