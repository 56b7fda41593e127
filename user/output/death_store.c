/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/death_store.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "model/death_report.h"
#include "output/death.h"
#include "output/spool.h"

struct item {
	struct pw_death_report *report;
	bool due; /* to be written */
};

struct pw_death_store {
	struct pw_spool *spool;			/* NULL: memory only */
	struct item items[PW_DEATHS_SHOWN_MAX]; /* the oldest first */
	size_t count;
	struct pw_death_store_stats stats;
};

int pw_death_store_new(struct pw_death_store **ret_store, const char *directory, struct pw_why *reterr_why)
{
	struct pw_death_store *store = calloc(1, sizeof(*store));
	int r;

	if (!store)
		return -ENOMEM;
	*ret_store = store;
	if (!*directory)
		return 0;
	r = pw_spool_new(&store->spool, directory, PW_DEATHS_FILES_MAX, reterr_why);
	if (r < 0) {
		pw_spool_free(store->spool);
		store->spool = NULL;
	}
	return r;
}

void pw_death_store_free(struct pw_death_store *store)
{
	if (!store)
		return;
	pw_death_store_write(store, PW_DEATHS_SHOWN_MAX);
	for (size_t i = 0; i < store->count; i++)
		pw_death_report_unref(store->items[i].report);
	pw_spool_free(store->spool);
	free(store);
}

static void remove_at(struct pw_death_store *store, size_t index)
{
	struct item *item = &store->items[index];

	store->stats.dropped += item->due;
	pw_death_report_unref(item->report);
	memmove(item, item + 1, (store->count - index - 1) * sizeof(*item));
	store->count--;
}

/* Nobody's crash loop takes the place of all others. */
static void make_room(struct pw_death_store *store, const struct pw_death_report *report)
{
	size_t same = 0, oldest = store->count;

	for (size_t i = store->count; i > 0; i--) {
		if (strcmp(store->items[i - 1].report->service, report->service) != 0)
			continue;
		same++;
		oldest = i - 1;
	}
	if (same >= PW_DEATHS_SERVICE_MAX)
		remove_at(store, oldest);
	else if (store->count == PW_DEATHS_SHOWN_MAX)
		remove_at(store, 0);
}

void pw_death_store_add(struct pw_death_store *store, const struct pw_death_report *report)
{
	make_room(store, report);
	store->items[store->count++] =
		(struct item){.report = pw_death_report_ref(report), .due = store->spool && report->told};
}

static void write_one(struct pw_death_store *store, const struct pw_death_report *report)
{
	_cleanup_buf_ struct pw_buf text = PW_BUF_INIT(PW_SPOOL_ITEM_MAX);
	struct pw_spool_stats before, after;
	int r;

	pw_death_json(&text, report);
	r = pw_buf_error(&text);
	pw_spool_stats(store->spool, &before);
	if (!r)
		r = pw_spool_put(store->spool, pw_buf_text(&text), text.size);
	pw_spool_stats(store->spool, &after);
	if (r >= 0 && after.disk_failures == before.disk_failures) {
		store->stats.written++;
		store->stats.dropped += after.dropped - before.dropped;
		return;
	}
	if (!store->stats.failed++)
		pw_log_warn(r, "the end of '%s' (pid %d) is kept in memory only: the directory of deaths takes no file",
			    report->process, report->pid);
}

void pw_death_store_write(struct pw_death_store *store, size_t max)
{
	for (size_t i = 0; i < store->count && max; i++) {
		if (!store->items[i].due)
			continue;
		store->items[i].due = false;
		write_one(store, store->items[i].report);
		max--;
	}
}

size_t pw_death_store_list(const struct pw_death_store *store, struct pw_death_report *reports[PW_DEATHS_SHOWN_MAX])
{
	for (size_t i = 0; i < store->count; i++)
		reports[i] = store->items[store->count - 1 - i].report;
	return store->count;
}

void pw_death_store_stats(const struct pw_death_store *store, struct pw_death_store_stats *ret_stats)
{
	*ret_stats = store->stats;
}
