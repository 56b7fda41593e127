/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/why.h"
#include "reader/protocol.h"

static void a_header_survives_the_wire_and_lies_do_not(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(1024);
	struct pw_message message = {.kind = PW_REQUEST_SYMBOLS, .id = 77, .result = -EBADMSG, .size = 4096}, out;
	char *bytes;

	(void)state;
	assert_int_equal(pw_message_write(&buf, &message), 0);
	assert_int_equal(buf.size, PW_MESSAGE_HEADER_SIZE);
	assert_int_equal(pw_message_read(&out, buf.data, buf.size, 4096), 0);
	assert_int_equal(out.kind, PW_REQUEST_SYMBOLS);
	assert_int_equal(out.id, 77);
	assert_int_equal(out.result, -EBADMSG);
	assert_int_equal(out.size, 4096);
	assert_int_equal(pw_message_read(&out, buf.data, buf.size, 4095), -EBADMSG);
	for (size_t n = 0; n < buf.size; n++)
		assert_int_equal(pw_message_read(&out, buf.data, n, 4096), -EBADMSG);
	bytes = pw_buf_take(&buf, NULL);
	for (size_t at = 0; at < PW_MESSAGE_HEADER_SIZE; at++) {
		bytes[at] = (char)(bytes[at] ^ 0x80);
		if (at != 8 && (at < 9 || at > 14) && at != 20 && at != 16) /* other ids, results and sizes are sound */
			assert_int_equal(pw_message_read(&out, bytes, PW_MESSAGE_HEADER_SIZE, 4096), -EBADMSG);
		bytes[at] = (char)(bytes[at] ^ 0x80);
	}
	free(bytes);
	pw_buf_done(&buf);
}

static void a_symbols_request_is_read_as_written(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(PW_READER_REQUEST_MAX);
	static uint64_t pcs[PW_READER_PCS_MAX + 1], out[PW_READER_PCS_MAX];
	char build_id[16];
	size_t count;

	(void)state;
	for (size_t i = 0; i < PW_READER_PCS_MAX; i++)
		pcs[i] = i * 0x123456789;
	assert_int_equal(pw_symbols_request_write(&buf, "gnu:1", pcs, PW_READER_PCS_MAX + 1), -E2BIG);
	assert_int_equal(pw_symbols_request_write(&buf, "gnu:1", pcs, PW_READER_PCS_MAX), 0);
	assert_int_equal(pw_symbols_request_read(buf.data, buf.size, build_id, sizeof(build_id), out, &count), 0);
	assert_int_equal(count, PW_READER_PCS_MAX);
	assert_memory_equal(out, pcs, sizeof(out));
	assert_string_equal(build_id, "gnu:1");
	assert_int_equal(pw_symbols_request_read(buf.data, buf.size - 1, build_id, sizeof(build_id), out, &count),
			 -EBADMSG);
	assert_int_equal(pw_symbols_request_read(buf.data, buf.size, build_id, 5, out, &count), -EBADMSG);
	assert_int_equal(pw_symbols_request_read(buf.data, 0, build_id, sizeof(build_id), out, &count), -EBADMSG);
	pw_buf_done(&buf);
}

static void write_symbols(struct pw_buf *buf, const uint64_t *pcs, size_t count, const char *name)
{
	const struct pw_frame frames[] = {{name, "/src/a.go", 10, true, false},
					  {"main.main", "/src/b.go", 20, false, true}};

	assert_int_equal(pw_symbols_write_count(buf, count), 0);
	for (size_t i = 0; i < count; i++) {
		struct pw_symbol symbol = {.pc = pcs[i],
					   .entry = pcs[i] & ~0xfULL,
					   .frame_size = i % 2 ? 48 : -1,
					   .flag = 1,
					   .func_id = 3,
					   .frame_count = (uint32_t)(i % 3),
					   .frames = frames};

		assert_int_equal(pw_symbols_write(buf, &symbol), 0);
	}
}

static void symbols_are_read_as_written_and_only_for_what_was_asked(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(PW_READER_ANSWER_MAX);
	uint64_t pcs[] = {0x401000, 0x402010, 0x403020, 0x404030};
	struct pw_symbols symbols;

	(void)state;
	write_symbols(&buf, pcs, 4, "main.f[...]");
	assert_int_equal(pw_symbols_read(&symbols, buf.data, buf.size, pcs, 4), 0);
	assert_int_equal(symbols.count, 4);
	assert_int_equal(symbols.symbols[2].frame_count, 2);
	assert_string_equal(symbols.symbols[2].frames[0].function, "main.f[...]");
	assert_true(symbols.symbols[2].frames[0].inlined);
	assert_false(symbols.symbols[2].frames[0].wrapper);
	assert_true(symbols.symbols[2].frames[1].wrapper);
	assert_string_equal(symbols.symbols[2].frames[1].file, "/src/b.go");
	assert_int_equal(symbols.symbols[2].frames[1].line, 20);
	assert_int_equal(symbols.symbols[3].frame_size, 48);
	assert_int_equal(symbols.symbols[0].frame_size, -1);
	pw_symbols_done(&symbols);

	assert_int_equal(pw_symbols_read(&symbols, buf.data, buf.size, pcs, 3), -EBADMSG);
	for (size_t n = 0; n < buf.size; n++)
		assert_int_equal(pw_symbols_read(&symbols, buf.data, n, pcs, 4), -EBADMSG);
	pw_buf_u8(&buf, 0);
	assert_int_equal(pw_symbols_read(&symbols, buf.data, buf.size, pcs, 4), -EBADMSG);
	pcs[1]++;
	assert_int_equal(pw_symbols_read(&symbols, buf.data, buf.size - 1, pcs, 4), -EBADMSG);
	pw_buf_done(&buf);
}

static void names_beyond_the_cap_are_cut(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(PW_READER_ANSWER_MAX);
	uint64_t pcs[] = {1, 2};
	struct pw_symbols symbols;
	char *name = malloc(3 * PW_READER_STRING_MAX);

	(void)state;
	assert_non_null(name);
	memset(name, 'x', 3 * PW_READER_STRING_MAX - 1);
	name[3 * PW_READER_STRING_MAX - 1] = '\0';
	write_symbols(&buf, pcs, 2, name);
	assert_int_equal(pw_symbols_read(&symbols, buf.data, buf.size, pcs, 2), 0);
	assert_int_equal(strlen(symbols.symbols[1].frames[0].function), PW_READER_STRING_MAX);
	pw_symbols_done(&symbols);
	pw_buf_done(&buf);
	free(name);
}

static void good_facts(struct pw_build_facts *facts)
{
	memset(facts, 0, sizeof(*facts));
	strcpy(facts->build_id, "gnu:12");
	facts->arch = PW_ARCH_AMD64;
	facts->is_go = true;
	facts->text = 0x401000;
	facts->etext = 0x500000;
	facts->info.go_minor = 24;
	facts->wait_reasons.count = 40;
	facts->sites[0].g_reg = PW_SITE_REG_NONE;
	facts->runtime_ranges[0] = (struct pw_address_range){0x401000, 0x402000};
	facts->runtime_ranges[1] = (struct pw_address_range){0x403000, 0x404000};
	facts->runtime_range_count = 2;
}

static void facts_are_read_as_written(void **state)
{
	struct pw_buf buf = PW_BUF_INIT(1 << 20);
	struct pw_build_facts facts, out;
	struct pw_why why = {};

	(void)state;
	good_facts(&facts);
	assert_int_equal(pw_facts_write(&buf, &facts), 0);
	assert_int_equal(pw_facts_read(&out, buf.data, buf.size, &why), 0);
	assert_memory_equal(&facts, &out, sizeof(out));
	assert_int_equal(pw_facts_read(&out, buf.data, buf.size - 1, &why), -EBADMSG);
	assert_int_equal(pw_facts_read(&out, buf.data, 0, &why), -EBADMSG);
	pw_buf_done(&buf);
}

/* Writes `size` bytes of `value` at the field and expects a refusal that names it. */
#define REFUSES(field, size, value)                                                           \
	do {                                                                                  \
		good_facts(&facts);                                                           \
		memset((void *)&(field), (value), (size));                                    \
		why = (struct pw_why){};                                                      \
		assert_int_equal(pw_facts_read(&out, &facts, sizeof(facts), &why), -EBADMSG); \
		assert_non_null(strstr(why.text, "bad field"));                               \
	} while (0)

static void every_field_of_facts_is_checked(void **state)
{
	struct pw_build_facts facts, out;
	struct pw_why why;

	(void)state;
	REFUSES(facts.build_id, sizeof(facts.build_id), 'x');
	REFUSES(facts.arch, 4, 7);
	REFUSES(facts.is_go, 1, 2);
	REFUSES(facts.pie, 1, 255);
	REFUSES(facts.stripped, 1, 2);
	REFUSES(facts.shared_library, 1, 2);
	REFUSES(facts.cgo, 1, 2);
	REFUSES(facts.info.go_version, sizeof(facts.info.go_version), 'x');
	REFUSES(facts.info.go_minor, 4, 0x7f);
	REFUSES(facts.info.modified, 1, 3);
	REFUSES(facts.info.experiments, sizeof(facts.info.experiments), 'x');
	REFUSES(facts.layout.offset[3], 4, 0x70);
	REFUSES(facts.layout.offset[3], 4, 0x80);
	REFUSES(facts.layout.trust[_PW_FIELD_MAX - 1], 1, 6);
	REFUSES(facts.layout.exact, 1, 2);
	REFUSES(facts.wait_reasons.count, 1, PW_WAIT_REASONS_MAX + 1);
	REFUSES(facts.wait_reasons.name[95], PW_WAIT_REASON_SIZE, 'x');
	REFUSES(facts.sites[8].found, 1, 2);
	REFUSES(facts.sites[8].g_reg, 1, 32);
	REFUSES(facts.sites[8].arg_reg, 1, 200);
	REFUSES(facts.sites[8].insn_size, 1, 17);
	REFUSES(facts.sites[8].caller_missing, 1, 2);
	REFUSES(facts.sites[8].function, sizeof(facts.sites[8].function), 'x');
	REFUSES(facts.sites[8].note, sizeof(facts.sites[8].note), 'x');
	REFUSES(facts.runtime_range_count, 2, 0xff);
	REFUSES(facts.runtime_ranges[1].start, 8, 0);
	REFUSES(facts.runtime_ranges[0].end, 8, 0);
	REFUSES(facts.etext, 8, 0);
	REFUSES(facts.why_no_memory, sizeof(facts.why_no_memory), 'x');
	REFUSES(facts.notes, sizeof(facts.notes), 'x');
}

static void a_refusal_is_text_whatever_came(void **state)
{
	char why[8];

	(void)state;
	pw_refusal_read("no", 3, why, sizeof(why));
	assert_string_equal(why, "no");
	pw_refusal_read("without an end", 14, why, sizeof(why));
	assert_string_equal(why, "without");
	pw_refusal_read(NULL, 0, why, sizeof(why));
	assert_string_equal(why, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_survives_the_wire_and_lies_do_not),
		cmocka_unit_test(a_symbols_request_is_read_as_written),
		cmocka_unit_test(symbols_are_read_as_written_and_only_for_what_was_asked),
		cmocka_unit_test(names_beyond_the_cap_are_cut),
		cmocka_unit_test(facts_are_read_as_written),
		cmocka_unit_test(every_field_of_facts_is_checked),
		cmocka_unit_test(a_refusal_is_text_whatever_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
