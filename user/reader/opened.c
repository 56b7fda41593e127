/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reader/opened.h"

#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "base/why.h"
#include "binary/elf.h"
#include "binary/pclntab.h"

static void opened_free(struct pw_opened *opened)
{
	if (!opened)
		return;
	pw_pclntab_free(opened->table);
	pw_elf_free(opened->elf);
	pw_closep(&opened->fd);
	free(opened);
}
PW_DEFINE_CLEANUP(struct pw_opened *, opened_free);

static bool same_file(const struct pw_opened *opened, const struct stat *st)
{
	int64_t mtime_ns = st->st_mtim.tv_sec * (int64_t)PW_NS_PER_SEC + st->st_mtim.tv_nsec;

	return opened->dev == st->st_dev && opened->inode == st->st_ino && opened->size == st->st_size &&
	       opened->mtime_ns == mtime_ns;
}

static struct pw_opened *find(struct pw_opened_cache *cache, const struct stat *st)
{
	for (size_t i = 0; i < PW_OPENED_MAX; i++)
		if (cache->slots[i] && same_file(cache->slots[i], st))
			return cache->slots[i];
	return NULL;
}

/* Puts it into a free slot, or into that of the one unused for longest. */
static void keep(struct pw_opened_cache *cache, struct pw_opened *opened)
{
	size_t oldest = 0;

	for (size_t i = 0; i < PW_OPENED_MAX; i++) {
		if (!cache->slots[i]) {
			oldest = i;
			break;
		}
		if (cache->slots[i]->used < cache->slots[oldest]->used)
			oldest = i;
	}
	if (cache->slots[oldest]) {
		opened_free(cache->slots[oldest]);
		malloc_trim(0);
	}
	cache->slots[oldest] = opened;
}

static int open_build(struct pw_opened *opened, struct pw_why *reterr_why)
{
	struct pw_why why = {};
	int r;

	opened->buildinfo_error = opened->table_error = -ENODATA;
	r = pw_elf_open(&opened->elf, opened->fd, reterr_why);
	if (r)
		return r;
	opened->buildinfo_error = pw_buildinfo_read(&opened->info, opened->elf, &why);
	if (opened->buildinfo_error) {
		snprintf(opened->buildinfo_why, sizeof(opened->buildinfo_why), "%s",
			 pw_why_text(&why, opened->buildinfo_error));
		return 0;
	}
	why = (struct pw_why){};
	opened->table_error = pw_pclntab_open(&opened->table, opened->elf, opened->info.go_minor, &why);
	if (opened->table_error)
		snprintf(opened->table_why, sizeof(opened->table_why), "%s", pw_why_text(&why, opened->table_error));
	return 0;
}

int pw_opened_get(struct pw_opened_cache *cache, int fd, struct pw_opened **ret_opened, struct pw_why *reterr_why)
{
	_cleanup_(opened_freep) struct pw_opened *opened = NULL;
	_cleanup_fd_ int owned_fd = fd;
	struct pw_opened *known;
	struct stat st;
	int r;

	if (fstat(owned_fd, &st))
		return pw_why_set(reterr_why, -errno, "cannot stat the file");
	if (!S_ISREG(st.st_mode))
		return pw_why_set(reterr_why, -EBADMSG, "not a regular file");
	known = find(cache, &st);
	if (!known) {
		opened = calloc(1, sizeof(*opened));
		if (!opened)
			return -ENOMEM;
		opened->fd = TAKE_FD(owned_fd);
		opened->dev = st.st_dev;
		opened->inode = st.st_ino;
		opened->size = st.st_size;
		opened->mtime_ns = st.st_mtim.tv_sec * (int64_t)PW_NS_PER_SEC + st.st_mtim.tv_nsec;
		r = open_build(opened, reterr_why);
		if (r)
			return r;
		known = TAKE_PTR(opened);
		keep(cache, known);
	}
	known->used = ++cache->clock;
	*ret_opened = known;
	return 0;
}

void pw_opened_rest(struct pw_opened *opened)
{
	if (opened->table)
		pw_pclntab_drop_caches(opened->table);
	pw_elf_drop_caches(opened->elf);
	malloc_trim(0);
}

void pw_opened_cache_done(struct pw_opened_cache *cache)
{
	for (size_t i = 0; i < PW_OPENED_MAX; i++)
		opened_free(cache->slots[i]);
	*cache = (struct pw_opened_cache){};
}
