/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_PAGE_POOL_H
#define PW_OUTPUT_PAGE_POOL_H

#include <stddef.h>

struct pw_buf;

/*
 * The memory of large pages, passed on from picture to picture: getting 10 MB from the kernel anew for each scrape
 * costs as much as rendering them. Nothing is kept for long that nobody asks for. Any thread; locks itself.
 */
#define PW_PAGE_POOL_SLOTS 16 /* one kind of page each */

struct pw_page_pool;
struct pw_page_pool *pw_page_pool_new(void); /* NULL: no memory */
struct pw_page_pool *pw_page_pool_ref(struct pw_page_pool *pool);
void pw_page_pool_unref(struct pw_page_pool *pool); /* NULL is fine */
/* An empty buffer of at most max bytes, with the memory of the last such page if it is free. pool may be NULL. */
void pw_page_pool_take(struct pw_page_pool *pool, size_t slot, size_t max, struct pw_buf *ret_buf);
/* Takes over the memory of a page that is done with, or frees it. pool may be NULL. */
void pw_page_pool_give(struct pw_page_pool *pool, size_t slot, struct pw_buf *buf);
/* Once per picture: frees what has not been taken for a while. */
void pw_page_pool_tick(struct pw_page_pool *pool);

#endif
