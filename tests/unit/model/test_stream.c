/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/builder.h"
#include "model/crc32.h"
#include "model/record.h"
#include "model/stream.h"
#include "support/records.h"

#define MAX_BYTES (64U << 20)

struct source {
	const char *data;
	size_t size, position, chunk;
};

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t n = PW_MIN(PW_MIN(size, source->chunk), source->size - source->position);

	memcpy(buffer, source->data + source->position, n);
	source->position += n;
	return (int)n;
}

static void crc_is_that_of_zlib(void **state)
{
	(void)state;
	assert_int_equal(pw_crc32(0, "123456789", 9), 0xcbf43926); /* the check value of CRC-32 */
	assert_int_equal(pw_crc32(pw_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
	assert_int_equal(pw_crc32(0, NULL, 0), 0);
}

/* Random records of three targets, written and read back: the same in every bit. */
static void decoded_records_are_the_encoded_ones(void **state)
{
	struct pw_record_builder *builders[3];
	struct pw_record *records[300];
	struct pw_encoder *encoder;
	struct pw_decoder *decoder;
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	struct source source = {.chunk = 1000};
	struct pw_entry entry;
	struct pw_why why;
	uint64_t seed = 42;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pw_record_builder_new(&builders[i]), 0);
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, &out), 0);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		uint64_t target = rnd_below(&seed, 3);

		records[i] = random_record(builders[target], &seed, target + 1, i % 7 ? 12 : 90);
		assert_non_null(records[i]);
		assert_int_equal(pw_encoder_record(encoder, records[i], &out), 0);
	}

	source.data = out.data;
	source.size = out.size;
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		int r = pw_decoder_next(decoder, &entry, &why);

		if (r != 1)
			fail_msg("record %zu: %d %s", i, r, pw_why_text(&why, r));
		assert_int_equal(entry.kind, PW_ENTRY_RECORD);
		assert_true(records_equal(entry.record, records[i]));
		pw_record_unref(entry.record);
		pw_record_unref(records[i]);
	}
	assert_int_equal(pw_decoder_next(decoder, &entry, &why), 0);
	assert_int_equal(pw_decoder_position(decoder), out.size);
	pw_decoder_free(decoder);
	pw_encoder_free(encoder);
	pw_buf_done(&out);
	for (size_t i = 0; i < 3; i++)
		pw_record_builder_free(builders[i]);
}

/* Two records and what is between them: rules, a target gone. Returns the bytes in out. */
static void write_example(struct pw_buf *out)
{
	struct pw_record_builder *builder;
	const struct pw_death death = {
		.target_id = 5, .boot_ns = 123, .wall_ns = 456, .oom_kills = PW_DEATH_OOM_UNKNOWN};
	struct pw_encoder *encoder;
	uint64_t seed = 7;

	assert_int_equal(pw_record_builder_new(&builder), 0);
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, out), 0);
	assert_int_equal(pw_encoder_rules(encoder, "rules:\n", 7, out), 0);
	for (size_t i = 0; i < 4; i++) {
		struct pw_record *record = random_record(builder, &seed, 5, 10);

		assert_int_equal(pw_encoder_record(encoder, record, out), 0);
		pw_record_unref(record);
	}
	assert_int_equal(pw_encoder_gone(encoder, &death, out), 0);
	pw_encoder_free(encoder);
	pw_record_builder_free(builder);
}

/* Entries until the end or an error, which is returned. */
static int read_all(const char *data, size_t size, size_t *ret_entries, uint64_t *ret_position)
{
	struct source source = {.data = data, .size = size, .chunk = 4096};
	struct pw_decoder *decoder;
	struct pw_entry entry;
	struct pw_why why;
	int r;

	*ret_entries = 0;
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	while ((r = pw_decoder_next(decoder, &entry, &why)) == 1) {
		++*ret_entries;
		if (entry.kind == PW_ENTRY_RECORD)
			pw_record_unref(entry.record);
	}
	*ret_position = pw_decoder_position(decoder);
	pw_decoder_free(decoder);
	return r;
}

static void a_file_cut_anywhere_replays_up_to_the_cut(void **state)
{
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	size_t entries, before = 0;
	uint64_t position;

	(void)state;
	write_example(&out);
	for (size_t size = 16; size <= out.size; size++) {
		int r = read_all(out.data, size, &entries, &position);

		assert_true(entries >= before);
		assert_true(position <= size);
		assert_int_equal(r, position == size ? 0 : -EBADMSG);
		before = entries;
	}
	assert_int_equal(before, 6);
	assert_int_equal(read_all(out.data, 15, &entries, &position), -EBADMSG);
	pw_buf_done(&out);
}

static void a_changed_byte_is_noticed(void **state)
{
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	size_t entries;
	uint64_t position;

	(void)state;
	write_example(&out);
	for (size_t i = 0; i < out.size; i++) {
		out.data[i] = (char)(out.data[i] ^ 0x10);
		/* The four reserved bytes of the header may hold anything. */
		if (i < 12 || i >= 16)
			assert_true(read_all(out.data, out.size, &entries, &position) < 0);
		out.data[i] = (char)(out.data[i] ^ 0x10);
	}
	pw_buf_done(&out);
}

/* Written by a parkwatch whose records had no snapshot: tests/fuzz/corpus/record/file, behind its first byte. */
static void a_recording_of_format_1_is_still_read(void **state)
{
	char bytes[8192];
	FILE *file = fopen("tests/fuzz/corpus/record/file", "re");
	struct source source = {.data = bytes, .chunk = 100};
	struct pw_decoder *decoder;
	struct pw_entry entry;
	struct pw_why why = {};
	size_t records = 0;
	uint64_t end;
	int r;

	(void)state;
	assert_non_null(file); /* tests run in the root of the tree */
	assert_int_equal(fgetc(file), 0);
	source.size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_int_equal(bytes[8], 1);
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	while ((r = pw_decoder_next(decoder, &entry, &why)) == 1) {
		if (entry.kind != PW_ENTRY_RECORD)
			continue;
		records++;
		assert_true(entry.record->census.section.present && entry.record->census.group_count);
		assert_false(entry.record->snapshot.section.present);
		assert_int_equal(entry.record->snapshot.park_count, 0);
		pw_record_unref(entry.record);
	}
	assert_int_equal(r, 0);
	assert_true(records > 1); /* differences too */
	pw_decoder_free(decoder);
	source.position = 0;
	assert_int_equal(pw_stream_verify(read_source, &source, source.size, &end, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "format 1"));
}

static void a_newer_format_is_refused_by_name(void **state)
{
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	size_t entries;
	uint64_t position;

	(void)state;
	write_example(&out);
	out.data[8]++;
	assert_int_equal(read_all(out.data, out.size, &entries, &position), -ENOTSUP);
	pw_buf_done(&out);
}

static void a_new_session_ends_the_targets_of_the_old_one(void **state)
{
	struct pw_record_builder *builder;
	struct pw_encoder *encoder;
	struct pw_decoder *decoder;
	struct pw_record *record;
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	struct source source = {.chunk = 77};
	struct pw_entry entry;
	struct pw_why why;
	uint64_t seed = 3;

	(void)state;
	assert_int_equal(pw_record_builder_new(&builder), 0);
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, &out), 0);
	record = random_record(builder, &seed, 9, 10);
	assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
	assert_int_equal(pw_encoder_session(encoder, &out), 0);
	assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
	source.data = out.data;
	source.size = out.size;
	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	assert_int_equal(pw_decoder_next(decoder, &entry, &why), 1);
	assert_int_equal(entry.kind, PW_ENTRY_RECORD);
	pw_record_unref(entry.record);
	assert_int_equal(pw_decoder_next(decoder, &entry, &why), 1);
	assert_int_equal(entry.kind, PW_ENTRY_GONE);
	assert_int_equal(entry.target_id, 9);
	assert_int_equal(entry.boot_ns, record->boot_ns);
	assert_int_equal(pw_decoder_next(decoder, &entry, &why), 1);
	assert_int_equal(entry.kind, PW_ENTRY_RECORD);
	assert_true(records_equal(entry.record, record));
	pw_record_unref(entry.record);
	assert_int_equal(pw_decoder_next(decoder, &entry, &why), 0);
	pw_decoder_free(decoder);
	pw_encoder_free(encoder);
	pw_record_unref(record);
	pw_record_builder_free(builder);
	pw_buf_done(&out);
}

/* A steady program of 200 go statements: what does not change must cost next to nothing. */
static void a_steady_program_costs_few_bytes(void **state)
{
	static struct program_statement statements[200];
	struct program_statement *pointers[200];
	struct program program = {.target_id = 1,
				  .epoch_ns = 1000 * PW_NS_PER_SEC,
				  .service = "orders",
				  .statements = pointers,
				  .count = 200,
				  .events = true};
	struct pw_record_builder *builder;
	struct pw_encoder *encoder;
	struct pw_buf out = PW_BUF_INIT(MAX_BYTES);
	size_t whole = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		statements[i] = (struct program_statement){.gopc = 0x400000 + i * 64,
							   .function = "main.serve",
							   .file = "server.go",
							   .reason = "chan receive",
							   .initial = i};
		pointers[i] = &statements[i];
		program_spawn(&statements[i], (uint32_t)(i % 50), 3);
	}
	assert_int_equal(pw_record_builder_new(&builder), 0);
	assert_int_equal(pw_encoder_new(&encoder), 0);
	for (uint32_t second = 200; second < 260; second++) {
		struct pw_record *record = program_record(&program, builder, second);

		assert_int_equal(pw_encoder_record(encoder, record, &out), 0);
		if (second == 200) {
			whole = out.size;
			pw_buf_reset(&out);
		}
		pw_record_unref(record);
	}
	print_message("whole %zu bytes, then %zu bytes a record\n", whole, out.size / 59);
	assert_true(out.size / 59 < 150);
	pw_encoder_free(encoder);
	pw_record_builder_free(builder);
	pw_buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc_is_that_of_zlib),
		cmocka_unit_test(decoded_records_are_the_encoded_ones),
		cmocka_unit_test(a_file_cut_anywhere_replays_up_to_the_cut),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(a_recording_of_format_1_is_still_read),
		cmocka_unit_test(a_newer_format_is_refused_by_name),
		cmocka_unit_test(a_new_session_ends_the_targets_of_the_old_one),
		cmocka_unit_test(a_steady_program_costs_few_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
