/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/alert_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/alert.h"
#include "output/alert_json.h"

#define LINE_BYTES_MAX (128U << 10)
#define PATH_SIZE      256

struct pw_alert_file {
	char path[PATH_SIZE];
	int fd;
	dev_t device;
	ino_t inode;
	bool broken; /* the last line was cut: the next begins on a line of its own */
};

PW_DEFINE_CLEANUP(struct pw_alert_file *, pw_alert_file_free);

/* O_NONBLOCK: a pipe without a reader must not hold us up. */
static int open_file(struct pw_alert_file *file)
{
	_cleanup_fd_ int fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (file->fd >= 0)
		close(file->fd);
	file->device = status.st_dev;
	file->inode = status.st_ino;
	file->fd = TAKE_FD(fd);
	return 0;
}

int pw_alert_file_new(struct pw_alert_file **ret_file, const char *path, struct pw_why *reterr_why)
{
	_cleanup_(pw_alert_file_freep) struct pw_alert_file *file = calloc(1, sizeof(*file));
	int r;

	if (!file)
		return -ENOMEM;
	file->fd = -1;
	snprintf(file->path, sizeof(file->path), "%s", path);
	r = open_file(file);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot write alerts to '%s': %s", path, strerror(-r));
	*ret_file = TAKE_PTR(file);
	return 0;
}

void pw_alert_file_free(struct pw_alert_file *file)
{
	if (!file)
		return;
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

const char *pw_alert_file_path(const struct pw_alert_file *file)
{
	return file->path;
}

static bool was_moved(const struct pw_alert_file *file)
{
	struct stat status;

	return stat(file->path, &status) < 0 || status.st_dev != file->device || status.st_ino != file->inode;
}

int pw_alert_file_write(struct pw_alert_file *file, const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(LINE_BYTES_MAX);
	ssize_t n;
	int r;

	if (file->fd < 0 || was_moved(file)) {
		r = open_file(file);
		if (r < 0)
			return r;
		file->broken = false;
	}
	if (file->broken)
		pw_buf_putc(&line, '\n');
	pw_view_alert_line(&line, alert);
	if (pw_buf_error(&line))
		return pw_buf_error(&line);
	n = write(file->fd, pw_buf_text(&line), line.size);
	if (n == (ssize_t)line.size) {
		file->broken = false;
		return 0;
	}
	r = n < 0 ? -errno : -ENOSPC;
	file->broken |= n > 0;
	return r;
}
