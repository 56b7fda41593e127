/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "reader/protocol.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/macros.h"

#define MESSAGE_MAGIC 0x52575001u /* "\1PWR": also tells a stream that lost its step */

int pw_message_write(struct pw_buf *out, const struct pw_message *message)
{
	pw_buf_u32(out, MESSAGE_MAGIC);
	pw_buf_u32(out, message->kind);
	pw_buf_u64(out, (uint64_t)message->id);
	pw_buf_u32(out, (uint32_t)message->result);
	pw_buf_u32(out, message->size);
	return pw_buf_error(out);
}

int pw_message_read(struct pw_message *ret_message, const void *data, size_t size, size_t body_max)
{
	struct pw_bytes bytes = pw_bytes_init(data, size);
	uint32_t magic = pw_bytes_u32(&bytes);
	struct pw_message message = {
		.kind = pw_bytes_u32(&bytes),
		.id = pw_bytes_i64(&bytes),
		.result = pw_bytes_i32(&bytes),
		.size = pw_bytes_u32(&bytes),
	};

	if (!pw_bytes_ok(&bytes) || magic != MESSAGE_MAGIC)
		return -EBADMSG;
	if (message.kind < PW_REQUEST_FACTS || message.kind > PW_REQUEST_CORE)
		return -EBADMSG;
	if (message.id <= 0 || message.result > 0 || message.result < -4095 || message.size > body_max)
		return -EBADMSG;
	*ret_message = message;
	return 0;
}

int pw_symbols_request_write(struct pw_buf *out, const char *build_id, const uint64_t *pcs, size_t count)
{
	if (count > PW_READER_PCS_MAX)
		return -E2BIG;
	pw_buf_append(out, build_id, strlen(build_id) + 1);
	pw_buf_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		pw_buf_u64(out, pcs[i]);
	return pw_buf_error(out);
}

int pw_symbols_request_read(const void *data, size_t size, char *ret_build_id, size_t build_id_size, uint64_t *ret_pcs,
			    size_t *ret_count)
{
	struct pw_bytes bytes = pw_bytes_init(data, size);
	size_t length;
	const char *build_id = pw_bytes_cstr(&bytes, build_id_size - 1, &length);
	uint32_t count = pw_bytes_u32(&bytes);

	if (!pw_bytes_ok(&bytes) || !pw_bytes_can_hold(&bytes, count, sizeof(*ret_pcs), PW_READER_PCS_MAX) ||
	    pw_bytes_remaining(&bytes) != count * sizeof(*ret_pcs))
		return -EBADMSG;
	memcpy(ret_build_id, build_id, length + 1);
	for (size_t i = 0; i < count; i++)
		ret_pcs[i] = pw_bytes_u64(&bytes);
	*ret_count = count;
	return 0;
}

int pw_symbols_write_count(struct pw_buf *out, size_t count)
{
	return pw_buf_u32(out, (uint32_t)count);
}

/* Strings longer than the cap are cut, not refused: a name of 5,000 bytes is still a name. */
static void write_string(struct pw_buf *out, const char *text)
{
	size_t size = strnlen(text, PW_READER_STRING_MAX);

	pw_buf_append(out, text, size);
	pw_buf_u8(out, 0);
}

int pw_symbols_write(struct pw_buf *out, const struct pw_symbol *symbol)
{
	pw_buf_u64(out, symbol->pc);
	pw_buf_u64(out, symbol->entry);
	pw_buf_u32(out, (uint32_t)symbol->frame_size);
	pw_buf_u8(out, symbol->flag);
	pw_buf_u8(out, symbol->func_id);
	pw_buf_u32(out, symbol->frame_count);
	for (uint32_t i = 0; i < symbol->frame_count; i++) {
		const struct pw_frame *frame = &symbol->frames[i];

		pw_buf_u32(out, frame->line);
		pw_buf_u8(out, (uint8_t)(frame->inlined | frame->wrapper << 1));
		write_string(out, frame->function);
		write_string(out, frame->file);
	}
	return pw_buf_error(out);
}

#define SYMBOL_MIN_SIZE 26 /* pc, entry, frame size, flag, id, frame count */
#define FRAME_MIN_SIZE	7  /* line, marks, two empty strings */

/*
 * Reads one symbol. With frames NULL it only checks and counts; else frames has room for what was counted. Strings
 * point into the message.
 */
static bool read_symbol(struct pw_bytes *bytes, struct pw_symbol *ret_symbol, struct pw_frame *frames)
{
	struct pw_symbol symbol = {
		.pc = pw_bytes_u64(bytes),
		.entry = pw_bytes_u64(bytes),
		.frame_size = pw_bytes_i32(bytes),
		.flag = pw_bytes_u8(bytes),
		.func_id = pw_bytes_u8(bytes),
		.frame_count = pw_bytes_u32(bytes),
		.frames = frames,
	};

	if (!pw_bytes_can_hold(bytes, symbol.frame_count, FRAME_MIN_SIZE, PW_READER_FRAMES_MAX) ||
	    symbol.frame_size < -1)
		return false;
	for (uint32_t i = 0; i < symbol.frame_count; i++) {
		struct pw_frame frame = {.line = pw_bytes_u32(bytes)};
		uint8_t marks = pw_bytes_u8(bytes); /* 1 inlined, 2 wrapper */
		size_t length;

		frame.inlined = marks & 1;
		frame.wrapper = marks & 2;
		frame.function = pw_bytes_cstr(bytes, PW_READER_STRING_MAX, &length);
		frame.file = pw_bytes_cstr(bytes, PW_READER_STRING_MAX, &length);
		if (!pw_bytes_ok(bytes) || marks > 3)
			return false;
		if (frames)
			frames[i] = frame;
	}
	*ret_symbol = symbol;
	return pw_bytes_ok(bytes);
}

int pw_symbols_read(struct pw_symbols *ret_symbols, const void *data, size_t size, const uint64_t *pcs, size_t count)
{
	struct pw_bytes bytes = pw_bytes_init(data, size);
	uint32_t said = pw_bytes_u32(&bytes);
	size_t frame_total = 0, text_at;
	struct pw_symbol *symbols;
	struct pw_frame *frames;
	uint8_t *storage;

	if (!pw_bytes_ok(&bytes) || said != count || count > PW_READER_PCS_MAX ||
	    !pw_bytes_can_hold(&bytes, said, SYMBOL_MIN_SIZE, PW_READER_PCS_MAX))
		return -EBADMSG;
	for (size_t i = 0; i < count; i++) {
		struct pw_symbol symbol;

		if (!read_symbol(&bytes, &symbol, NULL) || symbol.pc != pcs[i])
			return -EBADMSG;
		frame_total += symbol.frame_count;
	}
	if (pw_bytes_remaining(&bytes))
		return -EBADMSG;

	/* One block: symbols, frames, and a copy of the message that the strings point into. */
	text_at = count * sizeof(*symbols) + frame_total * sizeof(*frames);
	storage = malloc(text_at + size + 1);
	if (!storage)
		return -ENOMEM;
	symbols = (struct pw_symbol *)(void *)storage;
	frames = (struct pw_frame *)(void *)(storage + count * sizeof(*symbols));
	memcpy(storage + text_at, data, size);
	bytes = pw_bytes_init(storage + text_at, size);
	pw_bytes_skip(&bytes, sizeof(uint32_t));
	for (size_t i = 0; i < count; i++) {
		if (!read_symbol(&bytes, &symbols[i], frames)) {
			free(storage);
			return -EBADMSG;
		}
		frames += symbols[i].frame_count;
	}
	*ret_symbols = (struct pw_symbols){.count = count, .symbols = symbols, .storage = storage};
	return 0;
}

void pw_symbols_done(struct pw_symbols *symbols)
{
	free(symbols->storage);
	*symbols = (struct pw_symbols){};
}

int pw_refusal_write(struct pw_buf *out, const char *why)
{
	return pw_buf_append(out, why, strlen(why) + 1);
}

void pw_refusal_read(const void *data, size_t size, char *ret_why, size_t why_size)
{
	size_t length = size ? strnlen(data, size) : 0;

	if (length >= why_size)
		length = why_size - 1;
	if (length)
		memcpy(ret_why, data, length);
	ret_why[length] = '\0';
}
