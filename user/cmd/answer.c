/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "cmd/oneshot.h"
#include "output/save.h"

enum pw_exit pw_answer_deliver(const struct pw_buf *out, const char *path)
{
	int r;

	if (!path)
		return pw_oneshot_print(out);
	r = pw_save_file(path, pw_buf_text(out), out->size);
	if (r >= 0)
		return PW_EXIT_OK;
	pw_log_usage(r, "cannot write '%s': %s", path, strerror(-r));
	return PW_EXIT_USAGE;
}

int pw_answer_regex(const char *option, const char *text, regex_t *regex, bool *ret_has)
{
	char message[128];
	int r;

	if (!text)
		return 0;
	r = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, regex, message, sizeof(message));
		return pw_log_usage(-EINVAL, "--%s: '%s' is no regular expression: %s", option, text, message);
	}
	*ret_has = true;
	return 0;
}

int pw_answer_read_file(const char *path, struct pw_buf *out)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char block[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, block, sizeof(block))) > 0)
		if (pw_buf_append(out, block, (size_t)n) < 0)
			return pw_buf_error(out);
	return n < 0 ? -errno : 0;
}
