/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdarg.h>

#include "base/macros.h"

/*
 * Growable bytes or text with a mandatory cap. The first error (-E2BIG over the cap, -ENOMEM) sticks: later writes do
 * nothing and return it, so a writer may check once at the end by pw_buf_error(). A NUL always follows the content.
 */
struct pw_buf {
	char *data; /* NULL before the first write; owned */
	size_t size;
	size_t capacity;
	size_t max; /* of size, in bytes */
	int error;
};

/* Empty buffer that holds at most max bytes; pw_buf_done frees what it grew. */
void pw_buf_init(struct pw_buf *buf, size_t max);
#define PW_BUF_INIT(max_bytes) ((struct pw_buf){.max = (max_bytes)})
void pw_buf_done(struct pw_buf *buf);
#define _cleanup_buf_ _cleanup_(pw_buf_done)

/* Forgets content and error, keeps the memory. */
void pw_buf_reset(struct pw_buf *buf);

/* 0 or the first error. */
int pw_buf_error(const struct pw_buf *buf);

/* The content as text; "" when empty. Borrowed until the next write. Never NULL. */
const char *pw_buf_text(const struct pw_buf *buf);

/* Gives the content away as a malloc'ed, NUL-terminated block and leaves the buffer empty; NULL if it has failed. */
char *pw_buf_take(struct pw_buf *buf, size_t *ret_size);

/* Writers return 0 or the sticky error. They may be ignored when pw_buf_error() is checked at the end. */
int pw_buf_append(struct pw_buf *buf, const void *data, size_t size);
int pw_buf_puts(struct pw_buf *buf, const char *text);
int pw_buf_putc(struct pw_buf *buf, char c);
int pw_buf_printf(struct pw_buf *buf, const char *fmt, ...) pw_printf_like(2, 3);
int pw_buf_vprintf(struct pw_buf *buf, const char *fmt, va_list args) pw_printf_like(2, 0);

/* Little-endian numbers, as pw_bytes reads them. */
int pw_buf_u8(struct pw_buf *buf, uint8_t value);
int pw_buf_u16(struct pw_buf *buf, uint16_t value);
int pw_buf_u32(struct pw_buf *buf, uint32_t value);
int pw_buf_u64(struct pw_buf *buf, uint64_t value);
int pw_buf_double(struct pw_buf *buf, double value);
/* The shortest decimal that reads back as the same number; "nan", "inf". */
int pw_buf_decimal(struct pw_buf *buf, double value);
int pw_buf_uvarint(struct pw_buf *buf, uint64_t value);
int pw_buf_svarint(struct pw_buf *buf, int64_t value);

/* size zero bytes, or room for size bytes to be filled by the caller (NULL on error). */
int pw_buf_zeros(struct pw_buf *buf, size_t size);
void *pw_buf_reserve(struct pw_buf *buf, size_t size);
/* What was reserved last needed only its first `used` bytes. */
void pw_buf_cut(struct pw_buf *buf, size_t reserved, size_t used);

/* Overwrites 4 bytes at an offset that was written before (a length that is known later); -EINVAL if outside. */
int pw_buf_patch_u32(struct pw_buf *buf, size_t offset, uint32_t value);

/*
 * Appends foreign text for a person: control characters, terminal escapes and bytes that are not UTF-8 appear as \xNN,
 * newlines as \n. The safe way to show a name that a target chose.
 */
int pw_buf_escaped(struct pw_buf *buf, const char *text, size_t size);
