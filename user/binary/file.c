/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/why.h"

int pw_file_init(struct pw_file *ret_file, int fd, struct pw_why *reterr_why)
{
	return pw_file_init_max(ret_file, fd, PW_FILE_BYTES_MAX, reterr_why);
}

int pw_file_init_max(struct pw_file *ret_file, int fd, uint64_t max_bytes, struct pw_why *reterr_why)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return pw_why_set(reterr_why, -errno, "cannot stat the file: %m");
	if (!S_ISREG(st.st_mode) || st.st_size < 0)
		return pw_why_set(reterr_why, -EBADMSG, "not a regular file");
	if ((uint64_t)st.st_size > max_bytes)
		return pw_why_set(reterr_why, -E2BIG, "the file has %lld bytes", (long long)st.st_size);
	*ret_file = (struct pw_file){
		.fd = fd,
		.size = (uint64_t)st.st_size,
		.device = st.st_dev,
		.inode = st.st_ino,
		.modified_ns = st.st_mtim.tv_sec * (int64_t)PW_NS_PER_SEC + st.st_mtim.tv_nsec,
	};
	return 0;
}

bool pw_file_holds(const struct pw_file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset;
}

int pw_file_read(const struct pw_file *file, uint64_t offset, void *buffer, size_t n)
{
	uint8_t *to = buffer;
	ssize_t got;

	if (!pw_file_holds(file, offset, n))
		return -EFAULT;
	while (n) {
		got = pread(file->fd, to, n, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -EFAULT; /* truncated since pw_file_init */
		to += got;
		offset += (uint64_t)got;
		n -= (size_t)got;
	}
	return 0;
}

#define SLOT_NONE UINT16_MAX
_Static_assert(PW_WINDOW_BLOCKS < SLOT_NONE, "slot numbers must fit");

struct slot {
	uint32_t block;
	bool filled, recent; /* recent: second chance when a slot is wanted */
	uint8_t *data;
};

struct pw_window {
	const struct pw_file *file;
	uint32_t block_count;
	uint16_t *slot_of_block;
	unsigned int hand;
	struct slot slots[PW_WINDOW_BLOCKS];
};

int pw_window_new(struct pw_window **ret_window, const struct pw_file *file)
{
	_cleanup_(pw_window_freep) struct pw_window *window = calloc(1, sizeof(*window));

	if (!window)
		return -ENOMEM;
	window->file = file;
	window->block_count = (uint32_t)((file->size + PW_WINDOW_BLOCK_BYTES - 1) / PW_WINDOW_BLOCK_BYTES);
	window->slot_of_block = malloc((window->block_count + 1) * sizeof(*window->slot_of_block));
	if (!window->slot_of_block)
		/* cppcheck-suppress memleak ; the cleanup attribute frees it */
		return -ENOMEM;
	for (uint32_t i = 0; i < window->block_count; i++)
		window->slot_of_block[i] = SLOT_NONE;
	*ret_window = TAKE_PTR(window);
	return 0;
}

void pw_window_drop(struct pw_window *window)
{
	for (size_t i = 0; i < ARRAY_SIZE(window->slots); i++) {
		if (window->slots[i].filled)
			window->slot_of_block[window->slots[i].block] = SLOT_NONE;
		free(window->slots[i].data);
		window->slots[i] = (struct slot){};
	}
}

void pw_window_free(struct pw_window *window)
{
	if (!window)
		return;
	pw_window_drop(window);
	free(window->slot_of_block);
	free(window);
}

/* Clock: the first slot that was not used since the hand passed it last. */
static uint16_t pick_slot(struct pw_window *window)
{
	struct slot *slot;
	unsigned int at;

	for (;;) {
		at = window->hand;
		slot = &window->slots[at];
		window->hand = (at + 1) % PW_WINDOW_BLOCKS;
		if (!slot->filled || !slot->recent)
			break;
		slot->recent = false;
	}
	if (slot->filled)
		window->slot_of_block[slot->block] = SLOT_NONE;
	slot->filled = false;
	return (uint16_t)at;
}

static uint64_t block_size(const struct pw_window *window, uint32_t block)
{
	return PW_MIN(window->file->size - (uint64_t)block * PW_WINDOW_BLOCK_BYTES, (uint64_t)PW_WINDOW_BLOCK_BYTES);
}

static int fill(struct pw_window *window, uint32_t block, uint16_t *ret_slot)
{
	uint16_t at = pick_slot(window);
	struct slot *slot = &window->slots[at];
	int r;

	if (!slot->data)
		slot->data = malloc(PW_WINDOW_BLOCK_BYTES);
	if (!slot->data)
		return -ENOMEM;
	r = pw_file_read(window->file, (uint64_t)block * PW_WINDOW_BLOCK_BYTES, slot->data,
			 (size_t)block_size(window, block));
	if (r < 0)
		return r;
	slot->filled = true;
	slot->block = block;
	window->slot_of_block[block] = at;
	*ret_slot = at;
	return 0;
}

int pw_window_peek(struct pw_window *window, uint64_t offset, const uint8_t **ret_data, size_t *ret_size)
{
	uint64_t within = offset % PW_WINDOW_BLOCK_BYTES;
	uint32_t block;
	uint16_t at;
	int r;

	if (offset >= window->file->size)
		return -EFAULT;
	block = (uint32_t)(offset / PW_WINDOW_BLOCK_BYTES);
	at = window->slot_of_block[block];
	if (at == SLOT_NONE) {
		r = fill(window, block, &at);
		if (r < 0)
			return r;
	}
	window->slots[at].recent = true;
	*ret_data = window->slots[at].data + within;
	*ret_size = (size_t)(block_size(window, block) - within);
	return 0;
}

int pw_window_read(struct pw_window *window, uint64_t offset, void *buffer, size_t n)
{
	uint8_t *to = buffer;
	const uint8_t *from;
	size_t size;
	int r;

	if (!pw_file_holds(window->file, offset, n))
		return -EFAULT;
	while (n) {
		r = pw_window_peek(window, offset, &from, &size);
		if (r < 0)
			return r;
		size = PW_MIN(size, n);
		memcpy(to, from, size);
		to += size;
		offset += size;
		n -= size;
	}
	return 0;
}
