/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/vec.h"
#include "base/why.h"
#include "output/save.h"

/*
 * The order is kept in memory as numbers, ascending; an item is either the file of that number (16 hex digits) or text
 * in memory. A number is never used twice while its file may exist.
 */
#define NAME_DIGITS   16
#define ENTRIES_MAX   100000 /* of a directory: what is behind is not ours to read */
#define MODE_OF_QUEUE 0700

struct item {
	uint64_t number;
	char *text; /* NULL: on disk */
	size_t size;
};

struct pw_spool {
	char directory[PATH_MAX / 2]; /* "": memory only */
	size_t items_max;
	PW_VEC(struct item) items;
	uint64_t next;
	struct pw_spool_stats stats;
};

PW_DEFINE_CLEANUP(struct pw_spool *, pw_spool_free);

static int path_of(const struct pw_spool *spool, uint64_t number, char path[PATH_MAX])
{
	int length = snprintf(path, PATH_MAX, "%s/%016" PRIx64, spool->directory, number);

	return length < 0 || length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* 16 hex digits and nothing else: what is being written has a longer name, and what is not ours any other. */
static bool number_of(const char *name, uint64_t *ret_number)
{
	char *end;

	if (strlen(name) != NAME_DIGITS || strspn(name, "0123456789abcdef") != NAME_DIGITS)
		return false;
	*ret_number = strtoull(name, &end, 16);
	return *ret_number < UINT64_MAX;
}

static int by_number(const void *a, const void *b)
{
	const struct item *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static void forget(struct pw_spool *spool, size_t index)
{
	struct item *item = &spool->items.items[index];
	char path[PATH_MAX];

	if (item->text)
		spool->stats.in_memory--;
	else if (!path_of(spool, item->number, path))
		(void)unlink(path);
	free(item->text);
	memmove(item, item + 1, (spool->items.count - index - 1) * sizeof(*item));
	spool->items.count--;
}

static int list_directory(struct pw_spool *spool)
{
	DIR *directory = opendir(spool->directory);
	struct dirent *entry;
	size_t seen = 0;
	int r = 0;

	if (!directory)
		return -errno;
	while (!r && seen++ < ENTRIES_MAX && (entry = readdir(directory))) {
		struct item item = {0};

		if (number_of(entry->d_name, &item.number))
			r = pw_vec_push(&spool->items, item);
		else if (!strncmp(entry->d_name + strcspn(entry->d_name, "."), ".", 1) &&
			 strcspn(entry->d_name, ".") == NAME_DIGITS)
			(void)unlinkat(dirfd(directory), entry->d_name, 0); /* half an item of a crash */
	}
	closedir(directory);
	if (r < 0)
		return r;
	pw_vec_sort(&spool->items, by_number);
	if (spool->items.count)
		spool->next = spool->items.items[spool->items.count - 1].number + 1;
	while (spool->items.count > spool->items_max) {
		forget(spool, 0);
		spool->stats.dropped++;
	}
	return 0;
}

/* Like mkdir -p; what is there already stays as it is. */
static int make_path(const char *directory)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", directory);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, MODE_OF_QUEUE) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(path, MODE_OF_QUEUE) < 0 && errno != EEXIST ? -errno : 0;
}

static int open_directory(struct pw_spool *spool, const char *directory, struct pw_why *reterr_why)
{
	int r;

	if (!directory || !*directory)
		return 0;
	if (strlen(directory) >= sizeof(spool->directory))
		return pw_why_set(reterr_why, -ENAMETOOLONG, "'%s' is too long a name for a directory", directory);
	r = make_path(directory);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot make '%s': %s", directory, strerror(-r));
	snprintf(spool->directory, sizeof(spool->directory), "%s", directory);
	r = list_directory(spool);
	if (!r && access(directory, W_OK | X_OK) < 0)
		r = -errno;
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot keep alerts in '%s': %s", directory, strerror(-r));
	return 0;
}

int pw_spool_new(struct pw_spool **ret_spool, const char *directory, size_t items_max, struct pw_why *reterr_why)
{
	struct pw_spool *spool = calloc(1, sizeof(*spool));

	if (!spool)
		return -ENOMEM;
	spool->items_max = PW_MAX(items_max, (size_t)1);
	*ret_spool = spool;
	return open_directory(spool, directory, reterr_why);
}

void pw_spool_free(struct pw_spool *spool)
{
	if (!spool)
		return;
	for (size_t i = 0; i < spool->items.count; i++)
		free(spool->items.items[i].text);
	pw_vec_done(&spool->items);
	free(spool);
}

static int write_item(struct pw_spool *spool, uint64_t number, const char *text, size_t size)
{
	char path[PATH_MAX];
	int r;

	if (!*spool->directory)
		return -ENOENT;
	r = path_of(spool, number, path);
	if (!r)
		r = pw_save_file(path, text, size);
	if (r < 0)
		spool->stats.disk_failures++;
	return r;
}

/* Room for one more: by number on disk, and few of them in memory. */
static void make_room(struct pw_spool *spool, bool in_memory)
{
	while (spool->items.count >= spool->items_max) {
		forget(spool, 0);
		spool->stats.dropped++;
	}
	for (size_t i = 0; in_memory && spool->stats.in_memory >= PW_SPOOL_MEMORY_MAX && i < spool->items.count;) {
		if (!spool->items.items[i].text) {
			i++;
			continue;
		}
		forget(spool, i);
		spool->stats.dropped++;
	}
}

int pw_spool_put(struct pw_spool *spool, const char *text, size_t size)
{
	struct item item = {.number = spool->next};
	int r = 0;

	if (size > PW_SPOOL_ITEM_MAX) {
		spool->stats.dropped++;
		return -E2BIG;
	}
	if (write_item(spool, item.number, text, size) < 0) {
		make_room(spool, true);
		item.text = strndup(text, size);
		item.size = size;
		r = item.text ? 0 : -ENOMEM;
	} else {
		make_room(spool, false);
	}
	if (!r)
		r = pw_vec_push(&spool->items, item);
	if (r < 0) {
		free(item.text);
		spool->stats.dropped++;
		return r;
	}
	spool->next++;
	spool->stats.in_memory += item.text != NULL;
	return 0;
}

static int read_item(const struct pw_spool *spool, uint64_t number, struct pw_buf *out)
{
	_cleanup_fd_ int fd = -1;
	char path[PATH_MAX], block[16384];
	ssize_t n;
	int r = path_of(spool, number, path);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, block, sizeof(block))) > 0) {
		if (out->size + (size_t)n > PW_SPOOL_ITEM_MAX)
			return -E2BIG;
		if (pw_buf_append(out, block, (size_t)n) < 0)
			return pw_buf_error(out);
	}
	return n < 0 ? -errno : 0;
}

int pw_spool_first(struct pw_spool *spool, struct pw_buf *out)
{
	const struct item *item;
	int r;

	if (!spool->items.count)
		return -ENODATA;
	item = &spool->items.items[0];
	pw_buf_reset(out);
	if (item->text)
		return pw_buf_append(out, item->text, item->size);
	r = read_item(spool, item->number, out);
	if (r < 0) { /* somebody took it away, or the disk is broken: the next one may be whole */
		pw_buf_reset(out);
		forget(spool, 0);
		spool->stats.dropped++;
		spool->stats.disk_failures++;
	}
	return r;
}

void pw_spool_remove_first(struct pw_spool *spool)
{
	if (spool->items.count)
		forget(spool, 0);
}

void pw_spool_stats(const struct pw_spool *spool, struct pw_spool_stats *ret_stats)
{
	*ret_stats = spool->stats;
	ret_stats->items = spool->items.count;
}
