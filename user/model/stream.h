/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_STREAM_H
#define PW_MODEL_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "model/death.h"

struct pw_record;
struct pw_buf;
struct pw_why;

/*
 * A recording: a header, then entries (record, rules in force, target gone), each with length and CRC32, so that a file
 * cut off in the middle replays up to the cut. Records are written as differences to the same target's last one, whole
 * every 60 s. Decoding treats the file as hostile. Integers are little-endian.
 *
 *	header	"PWREC\r\n\0"  u32 version  u32 0
 *	entry	u8 kind  u32 size  u32 crc (of kind and payload)  payload
 *
 * A daemon that goes on with an existing file begins with a session entry: target ids start anew after it, so the
 *decoder reports every target of the session before as gone.
 */
enum pw_entry_kind { PW_ENTRY_RECORD, PW_ENTRY_RULES, PW_ENTRY_GONE, _PW_ENTRY_MAX };

#define PW_STREAM_HEADER_SIZE	    16
#define PW_STREAM_ENTRY_HEADER_SIZE 9
#define PW_STREAM_ENTRY_MAX	    (32U << 20) /* bytes of one payload: a record at all its caps, whole */

struct pw_encoder;
int pw_encoder_new(struct pw_encoder **ret_encoder) __attribute__((warn_unused_result));
void pw_encoder_free(struct pw_encoder *encoder);
/* Each appends to out: 0 or its error (-E2BIG, -ENOMEM), and then nothing of the entry is in it. */
int pw_encoder_header(struct pw_encoder *encoder, struct pw_buf *out);
int pw_encoder_session(struct pw_encoder *encoder, struct pw_buf *out); /* instead of the header, in an existing file */
int pw_encoder_record(struct pw_encoder *encoder, const struct pw_record *record, struct pw_buf *out);
int pw_encoder_rules(struct pw_encoder *encoder, const char *yaml, size_t size, struct pw_buf *out);
int pw_encoder_gone(struct pw_encoder *encoder, const struct pw_death *death, struct pw_buf *out);

struct pw_entry {
	enum pw_entry_kind kind;
	struct pw_record *record; /* RECORD: a reference the caller drops */
	const char *rules;	  /* RULES: owned by the decoder, until the next call */
	size_t rules_size;
	uint64_t target_id, boot_ns, wall_ns; /* RECORD, GONE */
	struct pw_death death;		      /* GONE; of an older recording: that it ended, not how */
};

struct pw_decoder;
/* read: returns bytes read, 0 at the end, -errno. */
typedef int (*pw_decoder_read_fn)(void *context, void *buffer, size_t size);
int pw_decoder_new(struct pw_decoder **ret_decoder, pw_decoder_read_fn read, void *context)
	__attribute__((warn_unused_result));
void pw_decoder_free(struct pw_decoder *decoder);
/*
 * Walks the entries of a recording of size bytes by length and checksum, without decoding them. 0: it can be gone on
 * with at *ret_end, which is before its end if the last entry was cut off. -EEXIST no recording, -EBADMSG broken before
 * its last entry, -ENOTSUP another format, or what read said.
 */
int pw_stream_verify(pw_decoder_read_fn read, void *context, uint64_t size, uint64_t *ret_end,
		     struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* Bytes of the file up to the end of the last entry that was whole: where to go on writing after a cut. */
uint64_t pw_decoder_position(const struct pw_decoder *decoder);
/* 1 an entry, 0 the end, -EBADMSG broken (reterr_why says where), -ENOTSUP a newer format. */
int pw_decoder_next(struct pw_decoder *decoder, struct pw_entry *ret_entry, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

#endif
