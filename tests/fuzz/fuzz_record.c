/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdint.h>
#include <string.h>

#include "analysis/analysis.h"
#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/codec.h"
#include "model/crc32.h"
#include "model/record.h"
#include "model/storage.h"
#include "model/stream.h"

/*
 * A recording is a hostile file. First byte 0: the rest is a file as it is. Otherwise it is the format, and the input
 * is cut into entries by its own bytes and framed with right checksums, so that the fuzzer need not guess a CRC. What
 * is decoded is read to the last byte, judged, encoded again and must come back the same.
 */
struct source {
	const uint8_t *data;
	size_t size, position;
};

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t n = PW_MIN(size, source->size - source->position);

	if (n)
		memcpy(buffer, source->data + source->position, n);
	source->position += n;
	return (int)n;
}

static void frame(struct pw_buf *out, uint8_t version, const uint8_t *data, size_t size)
{
	const uint8_t header[16] = {'P', 'W', 'R', 'E', 'C', '\r', '\n', 0, version};

	pw_buf_append(out, header, sizeof(header));
	while (size > 3) {
		size_t length = PW_MIN((size_t)data[1] | (size_t)data[2] << 8, size - 3);
		uint8_t kind = data[0] & 3;

		pw_buf_u8(out, kind);
		pw_buf_u32(out, (uint32_t)length);
		pw_buf_u32(out, pw_crc32(pw_crc32(0, &kind, 1), data + 3, length));
		pw_buf_append(out, data + 3, length);
		data += 3 + length;
		size -= 3 + length;
	}
}

static volatile uint64_t sink;

static void touch(const struct pw_record *record)
{
	const uint8_t *bytes = record->storage;

	for (size_t i = 0; i < record->string_count; i++)
		sink += strlen(record->strings[i]);
	for (size_t i = 0; i < record->census.group_count; i++) {
		const struct pw_record_group *group = &record->census.groups[i];

		sink += pw_group_older_than(record, group, 30000000000ULL, true) +
			record->statements[group->statement].gopc;
	}
	for (size_t i = 0; i < record->snapshot.park_count; i++) {
		const struct pw_record_park *park = &record->snapshot.parks[i];

		sink += record->statements[park->statement].gopc + strlen(pw_record_string(record, park->wait.kind));
		for (uint32_t k = 0; k < park->age_count; k++)
			sink += record->snapshot.ages[park->first_age + k].count;
		for (uint32_t k = 0; park->stack != UINT32_MAX && k < record->stacks[park->stack].count; k++)
			sink += record->frames[record->stacks[park->stack].first + k].addr;
	}
	for (size_t i = 0; i < record->snapshot.row_count; i++)
		sink += record->snapshot.parks[record->snapshot.rows[i].park].count;
	for (size_t i = 0; i < record->gc.cycle_count; i++) {
		_cleanup_buf_ struct pw_buf line = PW_BUF_INIT(1024);

		pw_gctrace_format(&line, &record->gc.cycles[i], 27);
		sink += line.size + (uint64_t)(100 * pw_gc_assist_share(&record->gc.cycles[i]));
	}
	for (size_t i = 0; i < pw_record_bytes(record); i += 64)
		sink += bytes[i];
}

static void round_trip(const struct pw_record *record)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(PW_STREAM_ENTRY_MAX);
	struct pw_record *again = NULL;
	struct pw_bytes in;

	if (pw_codec_encode(&out, record, NULL) < 0)
		return;
	in = pw_bytes_init(out.data, out.size);
	if (pw_codec_decode(&again, &in, NULL, PW_CODEC_VERSION, NULL) < 0 ||
	    again->string_count != record->string_count || again->census.age_count != record->census.age_count ||
	    again->boot_ns != record->boot_ns)
		__builtin_trap();
	pw_record_unref(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct pw_buf framed = PW_BUF_INIT(16U << 20);
	struct source source = {.data = data + 1, .size = size - 1};
	struct pw_analysis *analysis = NULL;
	struct pw_decoder *decoder = NULL;
	struct pw_rules_config config;
	struct pw_entry entry;
	struct pw_why why;

	if (!size)
		return 0;
	if (data[0]) {
		frame(&framed, data[0], data + 1, size - 1);
		source = (struct source){.data = (const uint8_t *)framed.data, .size = framed.size};
	}
	pw_rules_config_default(&config);
	if (pw_decoder_new(&decoder, read_source, &source) < 0 || pw_analysis_new(&analysis, &config, NULL, NULL) < 0)
		return 0;
	while (pw_decoder_next(decoder, &entry, &why) == 1) {
		if (entry.kind == PW_ENTRY_GONE)
			pw_analysis_forget(analysis, &entry.death);
		if (entry.kind != PW_ENTRY_RECORD)
			continue;
		touch(entry.record);
		round_trip(entry.record);
		if (pw_analysis_step(analysis, entry.record) == 0)
			sink++;
		pw_record_unref(entry.record);
	}
	pw_analysis_free(analysis);
	pw_decoder_free(decoder);
	return 0;
}
