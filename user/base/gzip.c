/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/gzip.h"

#include <zlib.h>

#include "base/buf.h"
#include "base/limits.h"

#define GZIP_WINDOW_BITS (15 + 16) /* the largest window, gzip framing */
#define GZIP_CHUNK	 (64U << 10)

/* Runs deflate or inflate to the end of the stream, appending to buf. */
static int drain(z_stream *stream, int (*step)(z_stream *, int), int flush, struct pw_buf *buf)
{
	unsigned char chunk[GZIP_CHUNK];
	int status;

	do {
		stream->next_out = chunk;
		stream->avail_out = sizeof(chunk);
		status = step(stream, flush);
		if (status != Z_OK && status != Z_STREAM_END)
			return status == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		if (status == Z_OK && stream->avail_out == sizeof(chunk))
			return -EBADMSG; /* no progress: the input ends before the stream does */
		if (pw_buf_append(buf, chunk, sizeof(chunk) - stream->avail_out) < 0)
			return pw_buf_error(buf);
	} while (status != Z_STREAM_END);
	return 0;
}

int pw_gzip_compress(const void *data, size_t size, struct pw_buf *buf)
{
	z_stream stream = {0};
	int r;

	if (size > PW_GZIP_INPUT_MAX)
		return -E2BIG;
	if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	stream.next_in = (z_const Bytef *)data;
	stream.avail_in = (uInt)size;
	r = drain(&stream, deflate, Z_FINISH, buf);
	deflateEnd(&stream);
	return r;
}

int pw_gzip_decompress(const void *data, size_t size, struct pw_buf *buf)
{
	z_stream stream = {0};
	int r;

	if (size > PW_GZIP_INPUT_MAX)
		return -E2BIG;
	if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
		return -ENOMEM;
	stream.next_in = (z_const Bytef *)data;
	stream.avail_in = (uInt)size;
	r = drain(&stream, inflate, Z_NO_FLUSH, buf);
	inflateEnd(&stream);
	return r;
}
