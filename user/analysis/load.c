/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/robust.h"
#include "model/record.h"

#define PAIRS_LEAST 20U /* five hours of base widths of a minute */

/* Functions whose go statements start what serves: one goroutine per connection, stream or call. */
static const char *const serving[] = {
	"net/http.(*Server).Serve",
	"net/http.(*http2serverConn).",
	"golang.org/x/net/http2.(*serverConn).",
	"google.golang.org/grpc.(*Server).",
	"net/rpc.(*Server).",
	"github.com/nats-io/nats-server/v2/server.(*Server).",
};

static bool serves(const struct pw_record *record, const struct pw_record_statement *statement)
{
	const char *function = pw_record_string(record, statement->function);

	for (size_t i = 0; i < ARRAY_SIZE(serving); i++)
		if (!strncmp(function, serving[i], strlen(serving[i])))
			return true;
	return false;
}

/* False: the record says nothing of it. */
static bool count(const struct pw_record *record, uint64_t *ret_total)
{
	uint64_t total = 0;

	if (!record->events.section.present || record->events.section.quality == PW_STALE)
		return false;
	for (size_t i = 0; i < record->events.count; i++) {
		const struct pw_record_event_count *from = &record->events.counts[i];

		if (serves(record, &record->statements[from->statement]))
			total += from->spawned;
		for (uint32_t j = 0; j < from->reason_count; j++) {
			const struct pw_record_reason_count *reason = &record->reasons[from->first_reason + j];

			if (!strcmp(pw_record_string(record, reason->reason), "IO wait"))
				total += reason->count;
		}
	}
	*ret_total = total;
	return true;
}

static void begin_anew(struct pw_load *load, uint64_t bucket)
{
	memset(load->ring, 0, sizeof(load->ring));
	load->under_way = 0;
	load->bucket = load->since = bucket;
	load->lowest = -1;
}

void pw_load_see(struct pw_load *load, const struct pw_record *record, uint64_t base_ns)
{
	uint64_t bucket = record->boot_ns / PW_MAX(base_ns, 1ULL), total;
	bool known = count(record, &total);

	if (!known || !load->known || bucket < load->bucket || bucket - load->bucket > PW_LOAD_WIDTH) {
		begin_anew(load, bucket);
		load->known = known;
		load->total = known ? total : 0;
		return;
	}
	for (; load->bucket < bucket; load->bucket++) {
		load->ring[load->bucket % PW_LOAD_WIDTH] = load->under_way;
		load->under_way = 0;
	}
	/* A statement that left the table takes its count along. */
	load->under_way += total > load->total ? (double)(total - load->total) : 0;
	load->total = total;
}

double pw_load_now(const struct pw_load *load)
{
	double sum = 0;

	if (!load->known || load->bucket - load->since < PW_LOAD_WIDTH)
		return -1;
	for (size_t i = 0; i < PW_LOAD_WIDTH; i++)
		sum += load->ring[i];
	return sum;
}

/* --- bytes per unit of load ----------------------------------------------------------------------------------------
 */

/* splitmix64: the same records give the same sample. */
static uint64_t next_random(struct pw_load *load)
{
	uint64_t z = load->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void keep_pair(struct pw_load *load, double units, double floor)
{
	uint64_t place = load->pairs_seen++;

	if (place >= PW_LOAD_PAIRS)
		place = next_random(load) % load->pairs_seen;
	if (place >= PW_LOAD_PAIRS)
		return;
	load->pair_load[place] = (float)units;
	load->pair_floor[place] = (float)floor;
}

static void estimate(struct pw_load *load, double spread)
{
	size_t pairs = (size_t)PW_MIN(load->pairs_seen, (uint64_t)PW_LOAD_PAIRS);
	_cleanup_free_ double *scratch = malloc(PW_ROBUST_PAIRS(PW_LOAD_PAIRS) * sizeof(*scratch));
	double x[PW_LOAD_PAIRS], y[PW_LOAD_PAIRS], median, slope;

	load->per_unit = 0;
	if (!scratch || pairs < PAIRS_LEAST)
		return;
	for (size_t i = 0; i < pairs; i++) {
		x[i] = (double)load->pair_load[i];
		y[i] = (double)load->pair_floor[i];
	}
	median = pw_robust_median(x, pairs, scratch);
	if (!(pw_robust_quantile(x, pairs, 0.95, scratch) - pw_robust_quantile(x, pairs, 0.05, scratch) >
	      spread * median))
		return;
	slope = pw_robust_slope(x, y, pairs, scratch);
	load->per_unit = isfinite(slope) ? PW_MAX(slope, 0.0) : 0;
}

void pw_load_take_cycle(struct pw_load *load, uint64_t base_ns, uint64_t end_ns, double live_bytes, double spread)
{
	uint64_t span = end_ns / (PW_LOAD_WIDTH * PW_MAX(base_ns, 1ULL));
	double now = pw_load_now(load);

	if (now < 0)
		return;
	(void)pw_floors_add(&load->floors, base_ns, end_ns, now);
	if (span != load->span && load->lowest >= 0) {
		if (span == load->span + 1) {
			keep_pair(load, now, load->lowest);
			estimate(load, spread);
		}
		load->lowest = -1;
	}
	load->span = span;
	load->lowest = load->lowest < 0 ? live_bytes : PW_MIN(load->lowest, live_bytes);
}
