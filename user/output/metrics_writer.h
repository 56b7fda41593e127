/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_METRICS_WRITER_H
#define PW_OUTPUT_METRICS_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/record.h"

struct pw_buf;
struct pw_published;
struct pw_writer;

/* The border between the registry (metrics.c) and what fills it (metrics_target.c, metrics_snapshot.c, metrics_self.c,
 * metrics_runtime.c, metrics_sites.c). */
enum pw_metric_type { PW_METRIC_GAUGE, PW_METRIC_COUNTER, PW_METRIC_SUMMARY, PW_METRIC_HISTOGRAM };

/* One target while a scrape is rendered. */
struct pw_metric_target {
	const struct pw_record *record;
	char *labels; /* "service=\"a\",process=\"b\",pid=\"1\"" */
	struct pw_site_table *sites;
};

/* One row per metric family; counters are named with their _total. Emits for one target, or once for parkwatch itself.
 */
struct pw_metric_family {
	const char *name;
	enum pw_metric_type type;
	const char *unit; /* base unit that the name ends in, or NULL */
	const char *help;
	void (*target)(struct pw_writer *writer, const struct pw_metric_target *target);
	void (*self)(struct pw_writer *writer, const struct pw_published *published);
};

extern const struct pw_metric_family pw_metrics_target[];
extern const size_t pw_metrics_target_count;
extern const struct pw_metric_family pw_metrics_snapshot[];
extern const size_t pw_metrics_snapshot_count;
extern const struct pw_metric_family pw_metrics_runtime[];
extern const size_t pw_metrics_runtime_count;
extern const struct pw_metric_family pw_metrics_memory[];
extern const size_t pw_metrics_memory_count;
extern const struct pw_metric_family pw_metrics_holdings[];
extern const size_t pw_metrics_holdings_count;
extern const struct pw_metric_family pw_metrics_heap[];
extern const size_t pw_metrics_heap_count;
extern const struct pw_metric_family pw_metrics_self[];
extern const size_t pw_metrics_self_count;

/*
 * One sample of the family being rendered: labels (may be NULL), further labels already formatted (may be NULL). An
 * unknown number (PW_UNKNOWN, NaN) writes nothing. suffix: "" or "_sum", "_count", "_bucket" of a summary or histogram.
 */
void pw_write_u64(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t value);
void pw_write_double(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, double value);
/* Nanoseconds as seconds. */
void pw_write_seconds(struct pw_writer *writer, const char *suffix, const char *labels, const char *more, uint64_t ns);
/* The family being rendered. */
const struct pw_metric_family *pw_writer_family(const struct pw_writer *writer);
/* When the picture was made (CLOCK_BOOTTIME). */
uint64_t pw_writer_boot_ns(const struct pw_writer *writer);
uint64_t pw_writer_wall_ns(const struct pw_writer *writer); /* the same moment */
/* Appends name="value" with a comma before it if out is not empty: escaped, valid UTF-8, at most 256 bytes. */
void pw_write_label(struct pw_buf *out, const char *name, const char *value);

/* A histogram of the runtime as Go's client library shows it (metrics_histogram.c): cumulative, without the +Inf one.
 */
#define PW_CLIENT_BUCKETS_MAX 32 /* 17 of times in 1.19 */
struct pw_client_histogram {
	struct {
		double bound; /* upper, inclusive */
		uint64_t cumulative;
	} bucket[PW_CLIENT_BUCKETS_MAX];
	size_t count;
	uint64_t total;
	double sum; /* of the lower bounds */
};
void pw_client_histogram_make(struct pw_client_histogram *ret_histogram, const uint64_t *counts,
			      enum pw_histogram_scale scale);

/*
 * Go statements of one record merged by what is shown of them: two with the same function, file and line are one. The
 * series_sites largest by goroutines and by growth keep their name, the others are summed as "other".
 */
#define PW_PARKED_QUANTILES 4  /* 0.5, 0.9, 0.99, 1 */
#define PW_PARKED_AGE_SITES 20 /* of a process: those with most parked goroutines; the others' ages are one summary */
#define PW_SITE_OTHER	    "function=\"other\",site=\"other\""

struct pw_parked_ages {
	const char *labels;
	uint64_t parked;			/* whose park the snapshot has dated */
	uint64_t since_ns[PW_PARKED_QUANTILES]; /* how long those have been parked: lower bounds */
};

struct pw_site_row {
	const char *labels; /* function="..",site=".." */
	bool other;	    /* the sum of the others: who is in it changes, so that only gauges may be summed here */
	uint64_t live;	    /* by the census */
	uint64_t old_30s;   /* of them surely at least 30 s old */
	uint64_t oldest_ns;
	bool counted; /* spawned, exited, parked are known */
	uint64_t spawned, exited, parked;
	bool drift_known;
	int64_t drift; /* census - events */
};
struct pw_site_group { /* by row, status and wait reason; sorted, merged */
	uint32_t row;
	uint8_t status;
	const char *reason;
	uint64_t count;
};
struct pw_site_parks { /* by row and wait reason */
	uint32_t row;
	const char *reason;
	uint64_t count;
};
struct pw_site_table {
	struct pw_site_row *rows;
	size_t row_count;
	struct pw_site_group *groups;
	size_t group_count;
	struct pw_site_parks *parks;
	size_t parks_count;
	uint64_t folded; /* go statements that are in "other" */
	char *labels;	 /* the bytes of those of all rows */
	struct pw_parked_ages ages[PW_PARKED_AGE_SITES + 1];
	size_t ages_count;
	uint64_t ages_folded; /* rows whose ages are in "other" */
};
/* metrics_snapshot.c: fills in ages; row_of[statement] is its row. 0, -ENOMEM. */
int pw_site_table_date(struct pw_site_table *table, const struct pw_record *record, const uint32_t *row_of)
	__attribute__((warn_unused_result));
struct pw_site_table *pw_site_table_new(const struct pw_record *record, size_t series_sites); /* NULL: no memory */
void pw_site_table_free(struct pw_site_table *table);

#endif
