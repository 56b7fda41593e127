/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "output/metrics_writer.h"

/* What /metrics says out of snapshots: since when goroutines are parked, in which function, and what looking costs. */
#define LABELS_MAX    8192
#define FUNCTIONS_MAX 32 /* shown by name; the rest is "other" */

/* --- how long ---------------------------------------------------------------------------------------------------- */

static const double quantiles[] = {0.5, 0.9, 0.99, 1};
_Static_assert(ARRAY_SIZE(quantiles) == PW_PARKED_QUANTILES, "a number for each");

struct dated { /* so many of one row parked since */
	uint64_t since_ns, count;
	uint32_t row;
};

struct crowd { /* the parked ones of one row */
	uint64_t parked, oldest_ns;
	uint32_t row;
};

static int by_row_and_age(const void *a, const void *b)
{
	const struct dated *left = a, *right = b;

	if (left->row != right->row)
		return left->row < right->row ? -1 : 1;
	return (left->since_ns < right->since_ns) - (left->since_ns > right->since_ns); /* youngest first */
}

/* Most parked, then parked longest; never by chance, or series would come and go. */
static int by_crowd(const void *a, const void *b)
{
	const struct crowd *left = a, *right = b;

	if (left->parked != right->parked)
		return left->parked < right->parked ? 1 : -1;
	if (left->oldest_ns != right->oldest_ns)
		return left->oldest_ns < right->oldest_ns ? -1 : 1;
	return (left->row > right->row) - (left->row < right->row);
}

/* The smallest age that a share of them does not exceed, from the youngest on. */
static void date_row(struct pw_parked_ages *ages, const struct dated *dated, size_t count, uint64_t taken_ns)
{
	uint64_t below = 0;
	size_t next = 0;

	for (size_t i = 0; i < count; i++)
		ages->parked += dated[i].count;
	for (size_t i = 0; i < count; i++) {
		below += dated[i].count;
		while (next < PW_PARKED_QUANTILES && (double)below >= quantiles[next] * (double)ages->parked)
			ages->since_ns[next++] = taken_ns - PW_MIN(dated[i].since_ns, taken_ns);
	}
}

static size_t collect(const struct pw_record *record, const uint32_t *row_of, struct dated *dated)
{
	size_t count = 0;

	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		for (uint32_t k = 0;
		     pw_status_parked(park->status) && k < park->age_count && count < record->snapshot.age_count; k++) {
			const struct pw_record_age *age = &record->snapshot.ages[park->first_age + k];

			dated[count++] = (struct dated){age->born_before_ns, age->count, row_of[park->statement]};
		}
	}
	return count;
}

/* Gives the rows with most parked goroutines a summary each; moved[row] is where the ages of a row go. */
static int choose(struct pw_site_table *table, const struct dated *dated, size_t count, uint32_t *moved)
{
	_cleanup_free_ struct crowd *crowds = calloc(table->row_count + 1, sizeof(*crowds));
	size_t crowd_count = 0;

	if (!crowds)
		return -ENOMEM;
	for (size_t i = 0; i < table->row_count; i++)
		crowds[i] = (struct crowd){.row = (uint32_t)i, .oldest_ns = UINT64_MAX};
	for (size_t i = 0; i < count; i++) {
		struct crowd *crowd = &crowds[dated[i].row];

		crowd->parked += table->rows[dated[i].row].other ? 0 : dated[i].count;
		crowd->oldest_ns = PW_MIN(crowd->oldest_ns, dated[i].since_ns);
	}
	qsort(crowds, table->row_count, sizeof(*crowds), by_crowd);
	while (crowd_count < table->row_count && crowds[crowd_count].parked)
		crowd_count++;
	for (size_t i = 0; i < table->row_count; i++)
		moved[crowds[i].row] = (uint32_t)PW_MIN(i, PW_MIN(crowd_count, (size_t)PW_PARKED_AGE_SITES));
	table->ages_count = PW_MIN(crowd_count, (size_t)PW_PARKED_AGE_SITES);
	table->ages_folded = crowd_count - table->ages_count;
	for (size_t i = 0; i < table->ages_count; i++)
		table->ages[i].labels = table->rows[crowds[i].row].labels;
	return 0;
}

int pw_site_table_date(struct pw_site_table *table, const struct pw_record *record, const uint32_t *row_of)
{
	_cleanup_free_ struct dated *dated = NULL;
	_cleanup_free_ uint32_t *moved = NULL;
	size_t count;
	int r;

	if (!record->snapshot.section.present || !record->snapshot.age_count)
		return 0;
	dated = calloc(record->snapshot.age_count, sizeof(*dated));
	moved = calloc(table->row_count + 1, sizeof(*moved));
	if (!dated || !moved)
		return -ENOMEM;
	count = collect(record, row_of, dated);
	r = choose(table, dated, count, moved);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		dated[i].row = moved[dated[i].row];
	qsort(dated, count, sizeof(*dated), by_row_and_age);
	for (size_t first = 0, end; first < count; first = end) {
		for (end = first; end < count && dated[end].row == dated[first].row; end++)
			;
		if (dated[first].row == table->ages_count)
			table->ages[table->ages_count].labels = PW_SITE_OTHER; /* the last ones by row */
		date_row(&table->ages[dated[first].row], dated + first, end - first, record->snapshot.section.taken_ns);
	}
	return 0;
}

static void parked_age(struct pw_writer *w, const struct pw_metric_target *t)
{
	static const char *const names[] = {"quantile=\"0.5\"", "quantile=\"0.9\"", "quantile=\"0.99\"",
					    "quantile=\"1\""};
	_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);

	_Static_assert(ARRAY_SIZE(names) == PW_PARKED_QUANTILES, "a label for each");
	for (size_t i = 0; i < ARRAY_SIZE(t->sites->ages); i++) {
		const struct pw_parked_ages *ages = &t->sites->ages[i];

		for (size_t q = 0; ages->parked && q < PW_PARKED_QUANTILES; q++) {
			pw_buf_reset(&more);
			pw_buf_puts(&more, ages->labels);
			pw_buf_putc(&more, ',');
			pw_buf_puts(&more, names[q]);
			pw_write_seconds(w, "", t->labels, pw_buf_text(&more), ages->since_ns[q]);
		}
	}
}

static void parked_age_folded(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (t->record->snapshot.section.present)
		pw_write_u64(w, "", t->labels, NULL, t->sites->ages_folded);
}

/* --- where ------------------------------------------------------------------------------------------------------- */

#define PLACE_OTHER UINT32_MAX

struct place { /* a function of the program, or of a library, that parked goroutines are in; strings of one record */
	pw_string function, reason;
	uint64_t count;
};

static int by_place(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->function != right->function)
		return left->function < right->function ? -1 : 1;
	return (left->reason > right->reason) - (left->reason < right->reason);
}

static int by_count(const void *a, const void *b)
{
	const struct place *left = a, *right = b;

	if (left->count != right->count)
		return left->count < right->count ? 1 : -1;
	return by_place(a, b);
}

/* The runtime, and what only waits for it on behalf of others: sync.(*Mutex).Lock says less than who called it. */
static bool only_waits(const char *function)
{
	static const char *const packages[] = {"runtime.", "sync.", "internal/sync.", "internal/poll.", "time.Sleep"};

	for (size_t i = 0; i < ARRAY_SIZE(packages); i++)
		if (!strncmp(function, packages[i], strlen(packages[i])))
			return true;
	return false;
}

/* The innermost function that waits on its own account. */
static pw_string innermost(const struct pw_record *record, const struct pw_record_park *park)
{
	const struct pw_record_stack *stack = &record->stacks[park->stack];

	for (uint32_t i = 0; i < stack->count; i++) {
		pw_string function = record->frames[stack->first + i].function;

		if (function && !only_waits(pw_record_string(record, function)))
			return function;
	}
	return PLACE_OTHER;
}

/* Merges equal neighbours: how many are left. */
static size_t merge(struct place *places, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept && !by_place(&places[kept - 1], &places[i]))
			places[kept - 1].count += places[i].count;
		else
			places[kept++] = places[i];
	}
	return kept;
}

static void parked_in(struct pw_writer *w, const struct pw_metric_target *t)
{
	const struct pw_record *record = t->record;
	_cleanup_free_ struct place *places = calloc(record->snapshot.park_count + 1, sizeof(*places));
	_cleanup_buf_ struct pw_buf more = PW_BUF_INIT(LABELS_MAX);
	size_t count = 0;

	for (size_t i = 0; places && record->snapshot.section.present && i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		if (!pw_status_parked(park->status) || record->statements[park->statement].system)
			continue;
		places[count++] = (struct place){park->stack == UINT32_MAX ? PLACE_OTHER : innermost(record, park),
						 park->reason, park->count};
	}
	if (!places || !count)
		return;
	qsort(places, count, sizeof(*places), by_place);
	count = merge(places, count);
	qsort(places, count, sizeof(*places), by_count);
	for (size_t i = FUNCTIONS_MAX; i < count; i++)
		places[i].function = PLACE_OTHER;
	qsort(places, count, sizeof(*places), by_place);
	count = merge(places, count);
	for (size_t i = 0; i < count; i++) {
		pw_buf_reset(&more);
		pw_write_label(&more, "function",
			       places[i].function == PLACE_OTHER ? "other"
								 : pw_record_string(record, places[i].function));
		pw_write_label(&more, "wait_reason", pw_record_string(record, places[i].reason));
		pw_write_u64(w, "", t->labels, pw_buf_text(&more), places[i].count);
	}
}

/* --- the looking itself ------------------------------------------------------------------------------------------ */

#define SNAPSHOT_NUMBER(function, write, member)                                    \
	static void function(struct pw_writer *w, const struct pw_metric_target *t) \
	{                                                                           \
		if (t->record->snapshot.section.present)                            \
			write(w, "", t->labels, NULL, t->record->snapshot.member);  \
	}
SNAPSHOT_NUMBER(duration, pw_write_seconds, duration_ns)
SNAPSHOT_NUMBER(cpu, pw_write_seconds, cpu_ns)
SNAPSHOT_NUMBER(interval, pw_write_seconds, interval_ns)
SNAPSHOT_NUMBER(bytes, pw_write_u64, bytes_read)

static void stacks(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (!t->record->snapshot.section.present)
		return;
	pw_write_u64(w, "", t->labels, "from=\"read\"", t->record->snapshot.stacks_read);
	pw_write_u64(w, "", t->labels, "from=\"last snapshot\"", t->record->snapshot.stacks_kept);
}

static void left_out(struct pw_writer *w, const struct pw_metric_target *t)
{
	if (!t->record->snapshot.section.present)
		return;
	pw_write_u64(w, "", t->labels, "reason=\"skipped\"", t->record->snapshot.skipped);
	pw_write_u64(w, "", t->labels, "reason=\"torn\"", t->record->snapshot.torn);
}

#define G PW_METRIC_GAUGE
const struct pw_metric_family pw_metrics_snapshot[] = {
	{"parkwatch_parked_age_seconds", PW_METRIC_SUMMARY, "seconds",
	 "How long goroutines of a go statement have been parked as they are, a lower bound; for the 20 of a process "
	 "with most parked, the others summed as other.",
	 parked_age, NULL},
	{"parkwatch_parked_age_folded", G, NULL,
	 "Go statements shown by name elsewhere whose parked ages are summed as other.", parked_age_folded, NULL},
	{"parkwatch_goroutines_parked_in", G, NULL,
	 "Parked goroutines by the innermost function outside of the runtime; small ones are summed as other.",
	 parked_in, NULL},
	{"parkwatch_snapshot_duration_seconds", G, "seconds", "Time the last reading of all stacks took us.", duration,
	 NULL},
	{"parkwatch_snapshot_cpu_seconds", G, "seconds", "CPU time it took us, with summing it up.", cpu, NULL},
	{"parkwatch_snapshot_interval_seconds", G, "seconds",
	 "Time between two of them: as configured, or longer for what they cost.", interval, NULL},
	{"parkwatch_snapshot_read_bytes", G, "bytes", "Memory of the process read by the last one.", bytes, NULL},
	{"parkwatch_snapshot_stacks", G, NULL, "Stacks in the last one: read, or known from the one before.", stacks,
	 NULL},
	{"parkwatch_snapshot_left_out", G, NULL,
	 "Goroutines of the last one without a stack (skipped), or not in it (torn).", left_out, NULL},
};
const size_t pw_metrics_snapshot_count = ARRAY_SIZE(pw_metrics_snapshot);
