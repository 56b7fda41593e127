/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "base/why.h"
#include "model/stream.h"

struct reading {
	int fd;
	uint64_t position;
};

static int read_on(void *context, void *buffer, size_t size)
{
	struct reading *reading = context;
	ssize_t n;

	do
		n = pread(reading->fd, buffer, PW_MIN(size, (size_t)1 << 30), (off_t)reading->position);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	reading->position += (uint64_t)n;
	return (int)n;
}

int pw_store_open_recording(const char *path, bool *ret_existing, struct pw_why *reterr_why)
{
	_cleanup_fd_ int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	struct stat status;
	uint64_t end = 0;
	int r;

	if (fd < 0)
		return pw_why_set(reterr_why, -errno, "cannot open recording '%s': %s", path, strerror(errno));
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return pw_why_set(reterr_why, -EEXIST, "'%s' is no regular file: choose another name", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return pw_why_set(reterr_why, -EBUSY, "another parkwatch writes to '%s'", path);
	if (status.st_size) {
		struct reading reading = {.fd = fd};

		r = pw_stream_verify(read_on, &reading, (uint64_t)status.st_size, &end, reterr_why);
		if (r < 0)
			return pw_why_prefix(reterr_why, r, "'%s' is not written to, choose another name", path);
		if (ftruncate(fd, (off_t)end) < 0)
			return pw_why_set(reterr_why, -errno, "cannot cut '%s': %s", path, strerror(errno));
	}
	if (fchmod(fd, 0600) < 0)
		return pw_why_set(reterr_why, -errno, "cannot close '%s' to others: %s", path, strerror(errno));
	*ret_existing = status.st_size != 0;
	return TAKE_FD(fd);
}
