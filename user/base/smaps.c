/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/smaps.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/time.h"

#define TEXT_SIZE (64U << 10) /* of the file at a time: about 80 mappings */

/* "Rss:                1700 kB". Keys that we do not use are skipped. */
static void take_size(struct pw_smaps_sizes *sizes, const char *line)
{
	const struct {
		const char *key;
		uint64_t *value;
	} keys[] = {
		{"Size:", &sizes->size},
		{"Rss:", &sizes->rss},
		{"Pss:", &sizes->pss},
		{"Anonymous:", &sizes->anonymous},
		{"LazyFree:", &sizes->lazy_free},
		{"Swap:", &sizes->swap},
		{"Locked:", &sizes->locked},
		{"AnonHugePages:", &sizes->anon_huge},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t length = strlen(keys[i].key);
		uint64_t bytes;

		if (strncmp(line, keys[i].key, length) != 0)
			continue;
		if (pw_mul_overflows(strtoull(line + length, NULL, 10), 1024ULL, &bytes))
			bytes = UINT64_MAX;
		*keys[i].value = bytes;
		return;
	}
}

int pw_procfs_smaps_rollup(const struct pw_procfs *procfs, pid_t pid, struct pw_smaps_sizes *ret_sizes)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_PROC_FILE_MAX);
	struct pw_smaps_sizes sizes = {0};
	char *saved = NULL, *line;
	size_t lines = 0;
	int r = pw_procfs_read(procfs, pid, "smaps_rollup", &text);

	if (r < 0)
		return r;
	for (line = text.data ? strtok_r(text.data, "\n", &saved) : NULL; line; line = strtok_r(NULL, "\n", &saved)) {
		lines++;
		take_size(&sizes, line);
	}
	if (!lines) /* a zombie's is empty */
		return -ESRCH;
	*ret_sizes = sizes;
	return 0;
}

int pw_smaps_open(struct pw_smaps *smaps, const struct pw_procfs *procfs, pid_t pid, pw_smaps_fn callback,
		  void *context)
{
	int fd = pw_procfs_open_file(procfs, pid, "smaps", O_RDONLY);
	char *text;

	if (fd < 0)
		return fd;
	text = malloc(TEXT_SIZE);
	if (!text) {
		close(fd);
		return -ENOMEM;
	}
	*smaps = (struct pw_smaps){.fd = fd, .callback = callback, .context = context, .text = text};
	return 0;
}

void pw_smaps_close(struct pw_smaps *smaps)
{
	pw_closep(&smaps->fd);
	free(smaps->text);
	smaps->text = NULL;
}

/* The mapping whose lines have all come. */
static void hand_over(struct pw_smaps *smaps)
{
	if (smaps->has_map)
		smaps->callback(smaps->context, &smaps->map, &smaps->sizes);
	smaps->has_map = false;
}

int pw_smaps_line(struct pw_smaps *smaps, char *line)
{
	struct pw_proc_map map;

	if (isupper((unsigned char)*line)) { /* addresses are written in lower case */
		if (!smaps->has_map)
			return -EBADMSG;
		take_size(&smaps->sizes, line);
		return 0;
	}
	if (pw_proc_map_parse(line, &map) < 0)
		return -EBADMSG;
	hand_over(smaps);
	if (++smaps->count > PW_PROC_MAPS_MAX)
		return -E2BIG;
	snprintf(smaps->path, sizeof(smaps->path), "%s", map.path);
	map.path = smaps->path;
	smaps->map = map;
	smaps->sizes = (struct pw_smaps_sizes){0};
	smaps->has_map = true;
	return 0;
}

/* All lines that are whole. One that does not fit the buffer is none of the kernel's. */
static int take_lines(struct pw_smaps *smaps)
{
	for (;;) {
		char *line = smaps->text + smaps->begin;
		char *newline = memchr(line, '\n', smaps->end - smaps->begin);
		int r;

		if (!newline)
			break;
		*newline = '\0';
		smaps->begin += (size_t)(newline - line) + 1;
		r = pw_smaps_line(smaps, line);
		if (r < 0)
			return r;
	}
	memmove(smaps->text, smaps->text + smaps->begin, smaps->end - smaps->begin);
	smaps->end -= smaps->begin;
	smaps->begin = 0;
	return smaps->end < TEXT_SIZE ? 0 : -EBADMSG;
}

int pw_smaps_step(struct pw_smaps *smaps, uint64_t budget_ns)
{
	uint64_t end_ns = pw_now_ns() + budget_ns;

	do {
		ssize_t count = read(smaps->fd, smaps->text + smaps->end, TEXT_SIZE - smaps->end);
		int r;

		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return errno == ENOENT ? -ESRCH : -errno;
		if (!count) {
			hand_over(smaps);
			return smaps->count ? 0 : -ESRCH;
		}
		smaps->end += (size_t)count;
		r = take_lines(smaps);
		if (r < 0)
			return r;
	} while (pw_now_ns() < end_ns);
	return -EAGAIN;
}
