/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/publish.h"

#include <string.h>

#include "base/macros.h"
#include "model/ages.h"
#include "model/death_report.h"
#include "model/record.h"
#include "output/alert_json.h"
#include "output/alert_page.h"
#include "output/death.h"
#include "output/gc.h"
#include "output/memory.h"
#include "output/metrics.h"
#include "output/page_pool.h"
#include "output/publish_data.h"
#include "output/report.h"
#include "output/rules.h"
#include "output/views.h"

int pw_published_new(struct pw_published **ret_published, struct pw_record *const *records, size_t record_count,
		     const struct pw_alert *alerts, size_t alert_count, const struct pw_health *health,
		     size_t series_sites, uint64_t boot_ns, uint64_t wall_ns)
{
	struct pw_published *published = calloc(1, sizeof(*published));

	if (!published)
		return -ENOMEM;
	published->records = calloc(record_count + 1, sizeof(*published->records));
	published->alerts = calloc(alert_count + 1, sizeof(*published->alerts));
	if (!published->records || !published->alerts) {
		free(published->records);
		free(published->alerts);
		free(published);
		return -ENOMEM;
	}
	atomic_init(&published->references, 1);
	pthread_mutex_init(&published->lock, NULL);
	for (size_t i = 0; i < record_count; i++)
		published->records[i] = pw_record_ref(records[i]);
	published->record_count = record_count;
	if (alert_count)
		memcpy(published->alerts, alerts, alert_count * sizeof(*alerts));
	published->alert_count = alert_count;
	published->health = *health;
	published->series_sites = series_sites;
	published->boot_ns = boot_ns;
	published->wall_ns = wall_ns;
	*ret_published = published;
	return 0;
}

int pw_published_set_ages(struct pw_published *published, struct pw_ages_image *const *images, size_t count)
{
	published->ages = calloc(count + 1, sizeof(*published->ages));
	if (!published->ages)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		published->ages[i] = pw_ages_image_ref(images[i]);
	published->ages_count = count;
	return 0;
}

int pw_published_set_deaths(struct pw_published *published, struct pw_death_report *const *reports, size_t count)
{
	published->deaths = calloc(count + 1, sizeof(struct pw_death_report *));
	if (!published->deaths)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		published->deaths[i] = pw_death_report_ref(reports[i]);
	published->death_count = count;
	return 0;
}

const struct pw_death_report *pw_published_death(const struct pw_published *published, const char *alert_id)
{
	for (size_t i = 0; i < published->death_count; i++) {
		const struct pw_death_report *report = published->deaths[i];

		if (!strcmp(report->alert_id, alert_id))
			return report;
		for (uint32_t j = 0; j < report->alert_count; j++)
			if (!strcmp(report->alerts[j].id, alert_id))
				return report;
	}
	return NULL;
}

int pw_published_set_rules(struct pw_published *published, const struct pw_rule_status *rules, size_t count,
			   const uint64_t *disabled)
{
	published->rules = calloc(count + 1, sizeof(*published->rules));
	published->disabled = calloc(published->record_count + 1, sizeof(*published->disabled));
	if (!published->rules || !published->disabled)
		return -ENOMEM;
	memcpy(published->rules, rules, count * sizeof(*rules));
	published->rule_count = count;
	memcpy(published->disabled, disabled, published->record_count * sizeof(*disabled));
	return 0;
}

const struct pw_ages_image *pw_published_ages(const struct pw_published *published, int32_t pid)
{
	for (size_t i = 0; i < published->ages_count; i++)
		if (published->ages[i]->pid == pid)
			return published->ages[i];
	return NULL;
}

const struct pw_record *pw_published_record(const struct pw_published *published, int32_t pid)
{
	for (size_t i = 0; i < published->record_count; i++)
		if (published->records[i]->identity.pid == pid)
			return published->records[i];
	return NULL;
}

struct pw_published *pw_published_ref(struct pw_published *published)
{
	atomic_fetch_add_explicit(&published->references, 1, memory_order_relaxed);
	return published;
}

void pw_published_unref(struct pw_published *published)
{
	if (!published || atomic_fetch_sub_explicit(&published->references, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < published->record_count; i++)
		pw_record_unref(published->records[i]);
	for (size_t i = 0; i < published->ages_count; i++)
		pw_ages_image_unref(published->ages[i]);
	for (size_t i = 0; i < published->death_count; i++)
		pw_death_report_unref(published->deaths[i]);
	for (size_t i = 0; i < _PW_PAGE_MAX; i++)
		pw_page_pool_give(published->pool, i, &published->pages[i].text);
	pw_page_pool_unref(published->pool);
	pthread_mutex_destroy(&published->lock);
	free(published->records);
	free(published->alerts);
	free(published->ages);
	free(published->rules);
	free(published->disabled);
	free(published->deaths);
	free(published);
}

uint64_t pw_published_boot_ns(const struct pw_published *published)
{
	return published->boot_ns;
}

static void render_index(struct pw_buf *out, const struct pw_published *published)
{
	pw_buf_printf(
		out,
		"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>parkwatch</title></head>\n"
		"<body><h1>parkwatch</h1>\n<p>%zu Go processes observed, %zu alerts.</p>\n<ul>\n"
		"<li><a href=\"/metrics\">/metrics</a> for Prometheus</li>\n"
		"<li><a href=\"/api/v1/ps\">/api/v1/ps</a> processes and what can be observed of them</li>\n"
		"<li><a href=\"/api/v1/memory\">/api/v1/memory</a> where the RSS of each goes</li>\n"
		"<li><a href=\"/api/v1/gc\">/api/v1/gc</a> the last garbage collections of each</li>\n"
		"<li><a href=\"/api/v1/alerts\">/api/v1/alerts</a> what fires now and what ended lately</li>\n"
		"<li><a href=\"/api/v1/rules\">/api/v1/rules</a> the rules, how often they spoke, and where they "
		"cannot judge</li>\n"
		"<li><a href=\"/api/v1/deaths\">/api/v1/deaths</a> processes that have ended, and what they were "
		"doing</li>\n"
		"<li>/api/v1/goroutines?pid=N: every goroutine of a process by stack, as last read</li>\n"
		"<li><a href=\"/-/healthy\">/-/healthy</a>, <a href=\"/-/ready\">/-/ready</a></li>\n"
		"</ul></body></html>\n",
		published->record_count, published->alert_count);
}

static void render(struct pw_published *published, enum pw_page page, struct pw_buf *out)
{
	const struct pw_record *const *records = (const struct pw_record *const *)published->records;

	switch (page) {
	case PW_PAGE_INDEX:
		render_index(out, published);
		break;
	case PW_PAGE_METRICS:
	case PW_PAGE_OPENMETRICS:
		pw_metrics_render(out, published, page == PW_PAGE_OPENMETRICS);
		break;
	case PW_PAGE_PS_JSON:
		pw_view_ps(out, records, published->record_count);
		break;
	case PW_PAGE_PS_TEXT:
	case PW_PAGE_PS_TEXT_SITES:
		pw_report_ps(out, records, published->record_count, page == PW_PAGE_PS_TEXT_SITES);
		pw_report_rules_off(out, published);
		pw_report_configuration(out, &published->health);
		break;
	case PW_PAGE_GC_JSON:
		pw_view_gc_all(out, records, published->record_count);
		break;
	case PW_PAGE_MEMORY_JSON:
		pw_view_memory_all(out, records, published->record_count);
		break;
	case PW_PAGE_ALERTS_JSON:
		pw_view_alerts(out, published->alerts, published->alert_count, published->wall_ns);
		break;
	case PW_PAGE_ALERTS_TEXT:
	case PW_PAGE_ALERTS_TEXT_ALL:
		pw_report_alerts(out, published->alerts, published->alert_count, page == PW_PAGE_ALERTS_TEXT_ALL,
				 published->wall_ns);
		break;
	case PW_PAGE_DEATHS_JSON:
		pw_view_deaths(out, published->deaths, published->death_count);
		break;
	case PW_PAGE_RULES_JSON:
		pw_view_rules(out, published);
		break;
	case PW_PAGE_RULES_TEXT:
		pw_report_rules(out, published);
		break;
	case _PW_PAGE_MAX:
		break;
	}
}

int pw_published_page(struct pw_published *published, enum pw_page page, const char **ret_text, size_t *ret_size)
{
	int error;

	pthread_mutex_lock(&published->lock);
	if (!published->pages[page].done) {
		pw_page_pool_take(published->pool, page, PW_PAGE_BYTES_MAX, &published->pages[page].text);
		render(published, page, &published->pages[page].text);
		published->pages[page].error = pw_buf_error(&published->pages[page].text);
		published->pages[page].done = true;
	}
	error = published->pages[page].error;
	pthread_mutex_unlock(&published->lock);
	if (error)
		return error;
	*ret_text = pw_buf_text(&published->pages[page].text);
	*ret_size = published->pages[page].text.size;
	return 0;
}

int pw_published_alert(const struct pw_published *published, const char *id, bool json, struct pw_buf *out)
{
	const struct pw_alert *alert = NULL;
	int r = pw_alert_find(published->alerts, published->alert_count, id, out, &alert);
	const struct pw_death_report *death = pw_published_death(published, alert ? alert->id : id);

	if (!alert && !death)
		return r;
	if (!alert) { /* of before the daemon was restarted: its end is still there */
		pw_buf_reset(out);
		if (json)
			pw_death_json(out, death);
		else
			pw_death_page(out, death);
		return pw_buf_error(out);
	}
	if (json) {
		pw_view_alerts(out, alert, 1, published->wall_ns);
		return pw_buf_error(out);
	}
	pw_alert_page(out, alert, published->wall_ns);
	if (death && alert->state == PW_ALERT_GONE) {
		pw_buf_puts(out, "\nhow the process ended\n");
		pw_death_page(out, death);
	}
	return pw_buf_error(out);
}

struct pw_board {
	pthread_mutex_t lock; /* of current */
	struct pw_published *current;
	struct pw_page_pool *pool; /* for all of them; locks itself */
};

_Static_assert(_PW_PAGE_MAX <= PW_PAGE_POOL_SLOTS, "a slot for each page");

int pw_board_new(struct pw_board **ret_board)
{
	struct pw_board *board = calloc(1, sizeof(*board));

	if (board)
		board->pool = pw_page_pool_new();
	if (!board || !board->pool) {
		free(board);
		return -ENOMEM;
	}
	pthread_mutex_init(&board->lock, NULL);
	*ret_board = board;
	return 0;
}

void pw_board_free(struct pw_board *board)
{
	if (!board)
		return;
	pw_published_unref(board->current);
	pw_page_pool_unref(board->pool);
	pthread_mutex_destroy(&board->lock);
	free(board);
}

void pw_board_put(struct pw_board *board, struct pw_published *published)
{
	struct pw_published *old;

	published->pool = pw_page_pool_ref(board->pool);
	pw_page_pool_tick(board->pool);
	pthread_mutex_lock(&board->lock);
	old = board->current;
	board->current = published;
	pthread_mutex_unlock(&board->lock);
	pw_published_unref(old);
}

struct pw_published *pw_board_get(struct pw_board *board)
{
	struct pw_published *published;

	pthread_mutex_lock(&board->lock);
	published = board->current ? pw_published_ref(board->current) : NULL;
	pthread_mutex_unlock(&board->lock);
	return published;
}
