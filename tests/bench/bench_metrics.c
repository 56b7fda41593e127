/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * bench_metrics [ROUNDS]: what it costs to render /metrics of 50 processes with 200 go statements each, each statement
 * with parked goroutines of known age: CPU time and bytes. (valgrind --tool=callgrind says where it goes.)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/huge.h"
#include "base/time.h"
#include "output/publish.h"
#include "unit/output/sample.h"

#define PROCESSES  50
#define SITES	   200
#define ROUNDS_MAX 1000

static struct pw_record *process_new(int number)
{
	static char function[SITES][32];
	struct sample_site sites[SITES];
	struct sample_park parks[SITES];
	char name[32];

	for (int i = 0; i < SITES; i++) {
		snprintf(function[i], sizeof(function[i]), "main.(*Service).work%d", i);
		sites[i] = (struct sample_site){
			(uint64_t)i + 1, function[i], "/src/shop/service.go", (uint32_t)i + 100, 5, 1, 9, 4,
			"chan receive"};
		parks[i] =
			(struct sample_park){(uint32_t)i, function[i], "chan receive", "channel", 4, (uint64_t)i + 10};
	}
	snprintf(name, sizeof(name), "service-%d", number);
	return sample_record_parks(name, sites, SITES, 1000 * PW_NS_PER_SEC, parks, SITES);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int render(struct pw_board *board, struct pw_record *const *records, uint64_t *ret_ns, size_t *ret_size)
{
	const struct pw_health health = {.attach_method = "uprobe_multi", .budget_percent = -1};
	struct pw_published *published = NULL;
	const char *text;
	uint64_t start;
	int r;

	r = pw_published_new(&published, records, PROCESSES, NULL, 0, &health, SITES, 1001 * PW_NS_PER_SEC, 0);
	if (r < 0)
		return r;
	pw_board_put(board, pw_published_ref(published));
	start = pw_cpu_thread_ns();
	r = pw_published_page(published, PW_PAGE_METRICS, &text, ret_size);
	*ret_ns = pw_cpu_thread_ns() - start;
	pw_published_unref(published);
	return r;
}

int main(int argc, char **argv)
{
	static struct pw_record *records[PROCESSES];
	struct pw_board *board = NULL;
	static uint64_t took[ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 30;
	size_t size = 0;

	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 3;
	pw_huge_init();
	if (pw_board_new(&board) < 0)
		return 2;
	for (int i = 0; i < PROCESSES; i++)
		records[i] = process_new(i);
	for (int i = 0; i < rounds; i++)
		if (render(board, records, &took[i], &size) < 0)
			return 2;
	qsort(took, (size_t)rounds, sizeof(*took), by_value);
	printf("{\"processes\": %d, \"statements\": %d, \"bytes\": %zu, \"cpu_ns\": %" PRIu64 "}\n", PROCESSES, SITES,
	       size, took[rounds / 2]);
	pw_board_free(board);
	for (int i = 0; i < PROCESSES; i++)
		pw_record_unref(records[i]);
	return 0;
}
