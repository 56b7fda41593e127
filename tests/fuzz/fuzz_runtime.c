/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The runtime's own numbers of a target whose memory is the input: sound at first, then overwritten by (where, how
 * much, what) records, some of them while it is read. No read may crash or hang; what is read is believable or refused.
 */
#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/record.h"
#include "support/fake_runtime.h"
#include "target/runtime_metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static void overwrite_once(struct fake_mem *mem, struct input *input)
{
	size_t region, length, at;

	if (input->size < 5)
		return;
	region = input->data[0] % mem->count;
	length = (size_t)input->data[1] % 64 + 1;
	at = ((size_t)input->data[2] << 16 | (size_t)input->data[3] << 8 | input->data[4]) % mem->regions[region].size;
	input->data += 5;
	input->size -= 5;
	length = length < input->size ? length : input->size;
	if (length > mem->regions[region].size - at)
		length = mem->regions[region].size - at;
	memcpy(mem->regions[region].bytes + at, input->data, length);
	input->data += length;
	input->size -= length;
}

static void meddle(struct fake_mem *mem, const struct pw_mem_range *range, void *context)
{
	(void)range;
	overwrite_once(mem, context);
}

static void check(const struct pw_runtime_numbers *n, const struct pw_histograms *histograms)
{
	if (n->gomaxprocs == 0 || n->gomaxprocs > PW_PS_MAX || (n->gc_phase != PW_UNKNOWN && n->gc_phase > 2))
		abort();
	if (n->gc_forced > n->gc_cycles || n->freed_bytes > n->alloc_bytes || n->heap_inuse_bytes > (1ULL << 47))
		abort();
	if (isinf(n->gc_cpu_fraction) || n->gc_cpu_fraction < 0 || n->gc_cpu_fraction > 1)
		abort();
	if (n->finalizers_waiting != PW_UNKNOWN && n->finalizers_waiting > (1ULL << 32))
		abort();
	for (size_t i = 0; i < _PW_HISTOGRAM_MAX; i++)
		if (histograms->scale[i] >= _PW_SCALE_MAX)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pw_histograms histograms;
	struct input input = {data + 3, size - 3};
	struct pw_runtime_metrics *metrics;
	struct pw_runtime_numbers numbers;
	struct fake_go *go;

	if (size < 3)
		return 0;
	go = fake_runtime_new(17 + data[0] % 11, 8, data[1] % 5 + 1);
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_ALLM), FAKE_MS, 8);
	fake_mem_put(&go->mem, fake_runtime_word(PW_GLOBAL_FINQ), FAKE_FINBLOCKS, 8);
	for (size_t i = 0; i < 5; i++)
		fake_runtime_m(go, i, i < 4 ? FAKE_MS + (i + 1) * FAKE_M_STRIDE : 0, i, i);
	if (pw_runtime_metrics_new(&metrics, &go->target, NULL))
		abort();
	for (unsigned int i = 0; i < data[2] % 8; i++)
		overwrite_once(&go->mem, &input);
	go->mem.after_range = meddle;
	go->mem.context = &input;
	for (int look = 0; look < 3; look++)
		if (!pw_runtime_metrics_read(metrics, PW_READ_ALL, &numbers, &histograms, NULL))
			check(&numbers, &histograms);
	pw_runtime_metrics_free(metrics);
	fake_go_free(go);
	return 0;
}
