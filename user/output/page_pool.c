/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/page_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/macros.h"

#define KEEP_BYTES_MIN (256U << 10) /* smaller ones come from malloc's own stock */
#define KEEP_BYTES_MAX (32U << 20)
#define KEEP_TICKS     90 /* pictures: longer than what Prometheus waits between two scrapes by default, a minute */

struct pw_page_pool {
	atomic_uint references;
	pthread_mutex_t lock; /* of all below */
	struct {
		struct pw_buf spare;
		unsigned int unused; /* pictures since it was last taken */
	} slots[PW_PAGE_POOL_SLOTS];
};

struct pw_page_pool *pw_page_pool_new(void)
{
	struct pw_page_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	atomic_init(&pool->references, 1);
	pthread_mutex_init(&pool->lock, NULL);
	return pool;
}

struct pw_page_pool *pw_page_pool_ref(struct pw_page_pool *pool)
{
	atomic_fetch_add_explicit(&pool->references, 1, memory_order_relaxed);
	return pool;
}

void pw_page_pool_unref(struct pw_page_pool *pool)
{
	if (!pool || atomic_fetch_sub_explicit(&pool->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < PW_PAGE_POOL_SLOTS; i++)
		pw_buf_done(&pool->slots[i].spare);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void pw_page_pool_take(struct pw_page_pool *pool, size_t slot, size_t max, struct pw_buf *ret_buf)
{
	pw_buf_init(ret_buf, max);
	if (!pool || slot >= PW_PAGE_POOL_SLOTS)
		return;
	pthread_mutex_lock(&pool->lock);
	if (pool->slots[slot].spare.data) {
		*ret_buf = pool->slots[slot].spare;
		ret_buf->max = max;
		pool->slots[slot].spare = PW_BUF_INIT(0);
	}
	pool->slots[slot].unused = 0;
	pthread_mutex_unlock(&pool->lock);
}

/* A page that has become much smaller than its memory gets less the next time. */
static bool worth_keeping(const struct pw_buf *buf)
{
	return buf->data && !buf->error && buf->capacity >= KEEP_BYTES_MIN && buf->capacity <= KEEP_BYTES_MAX &&
	       buf->size > buf->capacity / 4;
}

void pw_page_pool_give(struct pw_page_pool *pool, size_t slot, struct pw_buf *buf)
{
	if (pool && slot < PW_PAGE_POOL_SLOTS && worth_keeping(buf)) {
		pthread_mutex_lock(&pool->lock);
		if (!pool->slots[slot].spare.data) {
			pool->slots[slot].spare = *buf;
			pw_buf_reset(&pool->slots[slot].spare);
			*buf = PW_BUF_INIT(buf->max);
		}
		pthread_mutex_unlock(&pool->lock);
	}
	pw_buf_done(buf);
}

void pw_page_pool_tick(struct pw_page_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	for (size_t i = 0; i < PW_PAGE_POOL_SLOTS; i++)
		if (pool->slots[i].spare.data && ++pool->slots[i].unused > KEEP_TICKS)
			pw_buf_done(&pool->slots[i].spare);
	pthread_mutex_unlock(&pool->lock);
}
