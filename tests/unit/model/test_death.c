/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/crc32.h"
#include "model/death.h"
#include "model/stream.h"

static void the_words(void **state)
{
	static const struct {
		struct pw_death death;
		const char *text;
	} cases[] = {
		{{.how = PW_DEATH_EXIT, .status_known = true}, "exit 0"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 3 << 8}, "exit 3"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 2 << 8},
		 "exit 2 (as after a panic or fatal error)"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 9}, "exit 137 (killed by SIGKILL)"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 6 | 0x80},
		 "exit 134 (killed by SIGABRT, core dumped)"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 40}, "exit 168 (killed by signal 40)"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 9, .oom_kills = 1},
		 "exit 137 (killed by SIGKILL), OOM kill in its cgroup"},
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 9, .oom_kills = PW_DEATH_OOM_UNKNOWN},
		 "exit 137 (killed by SIGKILL)"},
		/* somebody else of its cgroup was killed */
		{{.how = PW_DEATH_EXIT, .status_known = true, .status = 15, .oom_kills = 1},
		 "exit 143 (killed by SIGTERM)"},
		{{.how = PW_DEATH_EXIT}, "exit status not known"},
		{{.how = PW_DEATH_EXIT, .oom_kills = 2},
		 "exit status not known; the OOM killer was at work in its cgroup"},
		{{.how = PW_DEATH_EXEC}, "exec of another program"},
		{{.how = PW_DEATH_UNOBSERVED}, "no longer observed"},
		{{.how = PW_DEATH_UNKNOWN}, "how is not known"},
	};
	char text[PW_DEATH_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(pw_death_text(&cases[i].death, text), cases[i].text);
}

static void clean_faulty_and_neither(void **state)
{
	struct pw_death death = {.how = PW_DEATH_EXIT, .status_known = true};

	(void)state;
	assert_true(pw_death_is_clean(&death) && !pw_death_is_faulty(&death));
	death.status = 15;
	assert_true(pw_death_is_clean(&death));
	death.status = 1 << 8;
	assert_true(pw_death_is_faulty(&death));
	death.status_known = false;
	assert_false(pw_death_is_clean(&death));
	assert_false(pw_death_is_faulty(&death));
	death.how = PW_DEATH_UNOBSERVED;
	assert_false(pw_death_is_end(&death));
}

struct source {
	const struct pw_buf *buf;
	size_t position;
};

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	size_t n = PW_MIN(size, source->buf->size - source->position);

	memcpy(buffer, source->buf->data + source->position, n);
	source->position += n;
	return (int)n;
}

static int decode_one(const struct pw_buf *buf, struct pw_entry *ret_entry)
{
	struct source source = {.buf = buf};
	struct pw_decoder *decoder;
	struct pw_why why;
	int r;

	assert_int_equal(pw_decoder_new(&decoder, read_source, &source), 0);
	r = pw_decoder_next(decoder, ret_entry, &why);
	pw_decoder_free(decoder);
	return r;
}

static void it_goes_through_a_recording(void **state)
{
	const struct pw_death death = {.target_id = 77,
				       .boot_ns = 1,
				       .wall_ns = 2,
				       .how = PW_DEATH_EXIT,
				       .status_known = true,
				       .status = 0x8b,
				       .oom_kills = 3};
	struct pw_buf out = PW_BUF_INIT(1U << 16);
	struct pw_encoder *encoder;
	struct pw_entry entry;

	(void)state;
	assert_int_equal(pw_encoder_new(&encoder), 0);
	assert_int_equal(pw_encoder_header(encoder, &out), 0);
	assert_int_equal(pw_encoder_gone(encoder, &death, &out), 0);
	assert_int_equal(decode_one(&out, &entry), 1);
	assert_int_equal(entry.kind, PW_ENTRY_GONE);
	assert_int_equal(entry.target_id, 77);
	assert_int_equal(entry.death.target_id, 77);
	assert_int_equal(entry.death.boot_ns, 1);
	assert_int_equal(entry.death.wall_ns, 2);
	assert_int_equal(entry.death.how, PW_DEATH_EXIT);
	assert_true(entry.death.status_known);
	assert_int_equal(entry.death.status, 0x8b);
	assert_int_equal(entry.death.oom_kills, 3);
	pw_encoder_free(encoder);
	pw_buf_done(&out);
}

/* A recording with one end, of a format and with a payload of our own. */
static int decode_payload(uint32_t version, const struct pw_buf *payload, struct pw_entry *ret_entry)
{
	struct pw_buf out = PW_BUF_INIT(1U << 16);
	uint8_t kind = PW_ENTRY_GONE;
	int r;

	pw_buf_append(&out, "PWREC\r\n", 8);
	pw_buf_u32(&out, version);
	pw_buf_u32(&out, 0);
	pw_buf_u8(&out, kind);
	pw_buf_u32(&out, (uint32_t)payload->size);
	pw_buf_u32(&out, pw_crc32(pw_crc32(0, &kind, 1), payload->data, payload->size));
	pw_buf_append(&out, payload->data, payload->size);
	r = decode_one(&out, ret_entry);
	pw_buf_done(&out);
	return r;
}

static void older_recordings_say_only_that_it_ended(void **state)
{
	struct pw_buf payload = PW_BUF_INIT(1024);
	struct pw_entry entry;

	(void)state;
	for (uint64_t i = 5; i < 8; i++)
		pw_buf_u64(&payload, i);
	assert_int_equal(decode_payload(7, &payload, &entry), 1);
	assert_int_equal(entry.death.target_id, 5);
	assert_int_equal(entry.death.how, PW_DEATH_UNKNOWN);
	assert_false(entry.death.status_known);
	assert_int_equal(entry.death.oom_kills, PW_DEATH_OOM_UNKNOWN);
	assert_int_equal(decode_payload(8, &payload, &entry), -EBADMSG);
	pw_buf_done(&payload);
}

static void ends_that_make_no_sense_are_refused(void **state)
{
	static const uint8_t marks[][2] = {{_PW_DEATH_HOW_MAX, 0}, {1, 2}, {255, 255}};
	struct pw_entry entry;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct pw_buf payload = PW_BUF_INIT(1024);

		for (uint64_t j = 5; j < 8; j++)
			pw_buf_u64(&payload, j);
		pw_buf_u8(&payload, marks[i][0]);
		pw_buf_u8(&payload, marks[i][1]);
		pw_buf_u32(&payload, 9);
		pw_buf_u64(&payload, 0);
		assert_int_equal(decode_payload(8, &payload, &entry), -EBADMSG);
		pw_buf_done(&payload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_words),
		cmocka_unit_test(clean_faulty_and_neither),
		cmocka_unit_test(it_goes_through_a_recording),
		cmocka_unit_test(older_recordings_say_only_that_it_ended),
		cmocka_unit_test(ends_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
