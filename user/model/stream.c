/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/stream.h"

#include <string.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/table.h"
#include "base/why.h"
#include "model/codec.h"
#include "model/crc32.h"
#include "model/record.h"
#include "model/storage.h"

/*
 * Encoder and decoder each keep the last record of every target: the difference is taken from it, and put back onto it.
 * Both forget in the same places (gone, session); where the encoder has forgotten for any other reason it writes a
 * whole record, which the decoder takes without looking at what it has.
 */
static const char magic[8] = {'P', 'W', 'R', 'E', 'C', '\r', '\n', 0};

#define WHOLE_EVERY_NS	  (60 * PW_NS_PER_SEC)
#define TARGETS_MAX	  4096U	       /* followed at once; more are written whole each time */
#define DECODER_BYTES_MAX (256U << 20) /* held for a recording: 4096 targets of 60 kB; a hostile one is refused */

enum { KIND_SESSION = _PW_ENTRY_MAX, _KIND_MAX };
enum { FLAG_WHOLE = 1 };
#define DEATH_VERSION 8U /* from which on the end of a target says how */

struct last { /* of one target */
	struct pw_record *record;
	uint64_t whole_ns; /* boot time of the last whole one */
};

static void last_free(void *value)
{
	struct last *last = value;

	pw_record_unref(last->record);
	free(last);
}

/* --- encoder ----------------------------------------------------------------------------------------------------- */

struct pw_encoder {
	struct pw_table targets;
	struct pw_buf payload;
};

int pw_encoder_new(struct pw_encoder **ret_encoder)
{
	struct pw_encoder *encoder = calloc(1, sizeof(*encoder));

	if (!encoder)
		return -ENOMEM;
	encoder->targets = (struct pw_table)PW_TABLE_INIT_LRU(TARGETS_MAX, last_free);
	pw_buf_init(&encoder->payload, PW_STREAM_ENTRY_MAX);
	*ret_encoder = encoder;
	return 0;
}

void pw_encoder_free(struct pw_encoder *encoder)
{
	if (!encoder)
		return;
	pw_table_done(&encoder->targets);
	pw_buf_done(&encoder->payload);
	free(encoder);
}

static int write_entry(struct pw_buf *out, uint8_t kind, const void *payload, size_t size)
{
	size_t before = out->size;
	int r;

	pw_buf_u8(out, kind);
	pw_buf_u32(out, (uint32_t)size);
	pw_buf_u32(out, pw_crc32(pw_crc32(0, &kind, 1), payload, size));
	if (size)
		pw_buf_append(out, payload, size);
	r = pw_buf_error(out);
	if (r < 0 && out->size > before)
		out->size = before;
	return r;
}

int pw_encoder_header(struct pw_encoder *encoder, struct pw_buf *out)
{
	pw_table_done(&encoder->targets);
	pw_buf_append(out, magic, sizeof(magic));
	pw_buf_u32(out, PW_CODEC_VERSION);
	pw_buf_u32(out, 0);
	return pw_buf_error(out);
}

int pw_encoder_session(struct pw_encoder *encoder, struct pw_buf *out)
{
	pw_table_done(&encoder->targets);
	return write_entry(out, KIND_SESSION, NULL, 0);
}

/* Remembers record as the last one of its target; on failure the next one will be whole. */
static void remember(struct pw_encoder *encoder, const struct pw_record *record, uint64_t whole_ns)
{
	uint64_t id = record->identity.target_id;
	struct last *last = pw_table_get_u64(&encoder->targets, id);

	if (!last) {
		last = calloc(1, sizeof(*last));
		if (!last)
			return;
		if (pw_table_put_u64(&encoder->targets, id, last) < 0) {
			free(last);
			return;
		}
	}
	pw_record_unref(last->record);
	last->record = pw_record_ref(record);
	last->whole_ns = whole_ns;
}

int pw_encoder_record(struct pw_encoder *encoder, const struct pw_record *record, struct pw_buf *out)
{
	struct last *last = pw_table_get_u64(&encoder->targets, record->identity.target_id);
	bool whole = !last || record->boot_ns < last->whole_ns || record->boot_ns - last->whole_ns >= WHOLE_EVERY_NS;
	uint64_t whole_ns = whole ? record->boot_ns : last->whole_ns;
	int r;

	pw_buf_reset(&encoder->payload);
	pw_buf_u8(&encoder->payload, whole ? FLAG_WHOLE : 0);
	pw_buf_uvarint(&encoder->payload, record->identity.target_id);
	r = pw_codec_encode(&encoder->payload, record, whole ? NULL : last->record);
	if (r == 0)
		r = write_entry(out, PW_ENTRY_RECORD, encoder->payload.data, encoder->payload.size);
	if (r < 0)
		return r; /* the decoder has not seen it: the last one stays what the next is held against */
	remember(encoder, record, whole_ns);
	return 0;
}

int pw_encoder_rules(struct pw_encoder *encoder, const char *yaml, size_t size, struct pw_buf *out)
{
	(void)encoder;
	if (size > PW_STREAM_ENTRY_MAX)
		return -E2BIG;
	return write_entry(out, PW_ENTRY_RULES, yaml, size);
}

int pw_encoder_gone(struct pw_encoder *encoder, const struct pw_death *death, struct pw_buf *out)
{
	pw_table_remove_u64(&encoder->targets, death->target_id);
	pw_buf_reset(&encoder->payload);
	pw_buf_u64(&encoder->payload, death->target_id);
	pw_buf_u64(&encoder->payload, death->boot_ns);
	pw_buf_u64(&encoder->payload, death->wall_ns);
	pw_buf_u8(&encoder->payload, death->how);
	pw_buf_u8(&encoder->payload, death->status_known);
	pw_buf_u32(&encoder->payload, (uint32_t)death->status);
	pw_buf_u64(&encoder->payload, death->oom_kills);
	if (pw_buf_error(&encoder->payload) < 0)
		return pw_buf_error(&encoder->payload);
	return write_entry(out, PW_ENTRY_GONE, encoder->payload.data, encoder->payload.size);
}

/* --- decoder ----------------------------------------------------------------------------------------------------- */

struct pw_decoder {
	pw_decoder_read_fn read;
	void *context;
	struct pw_table targets;
	size_t bytes_held;
	struct pw_buf payload;
	uint64_t position; /* end of the last whole entry */
	bool header_read;
	unsigned int version; /* of the recording */
	bool cut_off;	      /* the bytes ended in the middle of an entry */
	bool ending_session;  /* the targets of the session before are being reported as gone */
};

int pw_decoder_new(struct pw_decoder **ret_decoder, pw_decoder_read_fn read, void *context)
{
	struct pw_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return -ENOMEM;
	decoder->read = read;
	decoder->context = context;
	decoder->targets = (struct pw_table)PW_TABLE_INIT(TARGETS_MAX, last_free);
	pw_buf_init(&decoder->payload, PW_STREAM_ENTRY_MAX);
	*ret_decoder = decoder;
	return 0;
}

void pw_decoder_free(struct pw_decoder *decoder)
{
	if (!decoder)
		return;
	pw_table_done(&decoder->targets);
	pw_buf_done(&decoder->payload);
	free(decoder);
}

uint64_t pw_decoder_position(const struct pw_decoder *decoder)
{
	return decoder->position;
}

/* Reads until size bytes are there or the end: bytes read or -errno. */
static int read_full(struct pw_decoder *decoder, void *buffer, size_t size)
{
	size_t done = 0;

	while (done < size) {
		int n = decoder->read(decoder->context, (char *)buffer + done, size - done);

		if (n < 0)
			return n;
		if (n == 0 || (size_t)n > size - done)
			break;
		done += (size_t)n;
	}
	return (int)done;
}

static int read_header(struct pw_decoder *decoder, struct pw_why *reterr_why)
{
	uint8_t header[PW_STREAM_HEADER_SIZE];
	struct pw_bytes bytes;
	uint32_t version;
	int n = read_full(decoder, header, sizeof(header));

	if (n < 0)
		return pw_why_set(reterr_why, n, "reading failed");
	if (n < (int)sizeof(header) || memcmp(header, magic, sizeof(magic)) != 0)
		return pw_why_set(reterr_why, -EBADMSG, "this is not a recording of parkwatch");
	bytes = pw_bytes_init(header + sizeof(magic), sizeof(header) - sizeof(magic));
	version = pw_bytes_u32(&bytes);
	if (!version || version > PW_CODEC_VERSION)
		return pw_why_set(reterr_why, -ENOTSUP, "the recording has format %u, this parkwatch reads 1 to %u",
				  version, PW_CODEC_VERSION);
	decoder->version = version;
	decoder->position = sizeof(header);
	decoder->header_read = true;
	return 0;
}

static int broken(const struct pw_decoder *decoder, struct pw_why *reterr_why, const char *what)
{
	return pw_why_set(reterr_why, -EBADMSG, "%s at byte %llu", what, (unsigned long long)decoder->position);
}

static int cut_off(struct pw_decoder *decoder, struct pw_why *reterr_why)
{
	decoder->cut_off = true;
	return broken(decoder, reterr_why, "the recording was cut off in the middle of an entry");
}

/* Reads the next entry into decoder->payload: 1, 0 the end, -EBADMSG. The payload grows as its bytes arrive. */
static int read_entry(struct pw_decoder *decoder, uint8_t *ret_kind, struct pw_why *reterr_why)
{
	uint8_t header[PW_STREAM_ENTRY_HEADER_SIZE];
	struct pw_bytes bytes;
	uint32_t size, crc;
	int n = read_full(decoder, header, sizeof(header));

	if (n <= 0)
		return n < 0 ? pw_why_set(reterr_why, n, "reading failed") : 0;
	if (n < (int)sizeof(header))
		return cut_off(decoder, reterr_why);
	bytes = pw_bytes_init(header + 1, sizeof(header) - 1);
	size = pw_bytes_u32(&bytes);
	crc = pw_bytes_u32(&bytes);
	if (header[0] >= _KIND_MAX || size > PW_STREAM_ENTRY_MAX)
		return broken(decoder, reterr_why, "no entry begins");

	pw_buf_reset(&decoder->payload);
	for (uint32_t done = 0; done < size;) {
		uint32_t chunk = PW_MIN(size - done, 65536U);
		void *at = pw_buf_reserve(&decoder->payload, chunk);

		if (!at)
			return pw_buf_error(&decoder->payload);
		n = read_full(decoder, at, chunk);
		if (n < 0)
			return pw_why_set(reterr_why, n, "reading failed");
		if ((uint32_t)n < chunk)
			return cut_off(decoder, reterr_why);
		done += chunk;
	}
	if (pw_crc32(pw_crc32(0, header, 1), decoder->payload.data, size) != crc)
		return broken(decoder, reterr_why, "the checksum of an entry is wrong");
	*ret_kind = header[0];
	return 1;
}

static void forget(struct pw_decoder *decoder, uint64_t target_id)
{
	struct last *last = pw_table_get_u64(&decoder->targets, target_id);

	if (!last)
		return;
	decoder->bytes_held -= pw_record_bytes(last->record);
	pw_table_remove_u64(&decoder->targets, target_id);
}

static int keep(struct pw_decoder *decoder, const struct pw_record *record, struct pw_why *reterr_why)
{
	uint64_t id = record->identity.target_id;
	struct last *last;
	int r;

	forget(decoder, id);
	if (pw_record_bytes(record) > DECODER_BYTES_MAX - decoder->bytes_held)
		return broken(decoder, reterr_why, "the records of this recording are larger together than we hold");
	last = calloc(1, sizeof(*last));
	if (!last)
		return -ENOMEM;
	r = pw_table_put_u64(&decoder->targets, id, last);
	if (r < 0) {
		free(last);
		return r == -E2BIG ? broken(decoder, reterr_why, "more targets at once than we follow") : r;
	}
	last->record = pw_record_ref(record);
	decoder->bytes_held += pw_record_bytes(record);
	return 0;
}

static int decode_record(struct pw_decoder *decoder, struct pw_entry *entry, struct pw_why *reterr_why)
{
	struct pw_bytes bytes = pw_bytes_init(decoder->payload.data, decoder->payload.size);
	uint8_t flags = pw_bytes_u8(&bytes);
	uint64_t target_id = pw_bytes_uvarint(&bytes);
	struct pw_record *record = NULL;
	struct last *last = pw_table_get_u64(&decoder->targets, target_id);
	int r;

	if (!pw_bytes_ok(&bytes) || flags > FLAG_WHOLE || (!flags && !last))
		return broken(decoder, reterr_why, "a difference to a record that is not there");
	r = pw_codec_decode(&record, &bytes, flags & FLAG_WHOLE ? NULL : last->record, decoder->version, reterr_why);
	if (r < 0)
		return r;
	if (record->identity.target_id != target_id || pw_bytes_remaining(&bytes))
		r = broken(decoder, reterr_why, "a record that contradicts its entry");
	else
		r = keep(decoder, record, reterr_why);
	if (r < 0) {
		pw_record_unref(record);
		return r;
	}
	entry->record = record;
	entry->target_id = target_id;
	entry->boot_ns = record->boot_ns;
	entry->wall_ns = record->wall_ns;
	return 1;
}

static void set_end(struct pw_entry *entry, const struct pw_death *death)
{
	entry->death = *death;
	entry->target_id = death->target_id;
	entry->boot_ns = death->boot_ns;
	entry->wall_ns = death->wall_ns;
}

static int decode_gone(struct pw_decoder *decoder, struct pw_entry *entry, struct pw_why *reterr_why)
{
	struct pw_bytes bytes = pw_bytes_init(decoder->payload.data, decoder->payload.size);

	struct pw_death death = {.oom_kills = PW_DEATH_OOM_UNKNOWN};
	uint8_t known = 0;

	death.target_id = pw_bytes_u64(&bytes);
	death.boot_ns = pw_bytes_u64(&bytes);
	death.wall_ns = pw_bytes_u64(&bytes);
	if (decoder->version >= DEATH_VERSION) {
		death.how = pw_bytes_u8(&bytes);
		known = pw_bytes_u8(&bytes);
		death.status_known = known;
		death.status = (int32_t)pw_bytes_u32(&bytes);
		death.oom_kills = pw_bytes_u64(&bytes);
	}
	if (!pw_bytes_ok(&bytes) || pw_bytes_remaining(&bytes) || death.how >= _PW_DEATH_HOW_MAX || known > 1)
		return broken(decoder, reterr_why, "an end that makes no sense");
	set_end(entry, &death);
	forget(decoder, entry->target_id);
	return 1;
}

/* One target of the session before as gone, at its last record: 1, or 0 when there are no more. */
static int end_session(struct pw_decoder *decoder, struct pw_entry *entry)
{
	struct pw_table_entry *first = decoder->targets.head;
	struct last *last;

	if (!first) {
		decoder->ending_session = false;
		return 0;
	}
	last = first->value;
	entry->kind = PW_ENTRY_GONE;
	set_end(entry, &(struct pw_death){.target_id = last->record->identity.target_id,
					  .boot_ns = last->record->boot_ns,
					  .wall_ns = last->record->wall_ns,
					  .oom_kills = PW_DEATH_OOM_UNKNOWN});
	forget(decoder, entry->target_id);
	return 1;
}

static int decode_entry(struct pw_decoder *decoder, uint8_t kind, struct pw_entry *entry, struct pw_why *reterr_why)
{
	switch (kind) {
	case PW_ENTRY_RECORD:
		return decode_record(decoder, entry, reterr_why);
	case PW_ENTRY_GONE:
		return decode_gone(decoder, entry, reterr_why);
	case PW_ENTRY_RULES:
		entry->rules = pw_buf_text(&decoder->payload);
		entry->rules_size = decoder->payload.size;
		return 1;
	default: /* KIND_SESSION: read_entry lets nothing else through */
		decoder->ending_session = true;
		return 0;
	}
}

int pw_decoder_next(struct pw_decoder *decoder, struct pw_entry *ret_entry, struct pw_why *reterr_why)
{
	struct pw_entry entry = {};
	uint8_t kind = 0;
	int r;

	if (!decoder->header_read) {
		r = read_header(decoder, reterr_why);
		if (r < 0)
			return r;
	}
	for (;;) {
		if (decoder->ending_session && end_session(decoder, &entry))
			break;
		r = read_entry(decoder, &kind, reterr_why);
		if (r <= 0)
			return r;
		entry.kind = (enum pw_entry_kind)kind;
		r = decode_entry(decoder, kind, &entry, reterr_why);
		if (r < 0)
			return r;
		decoder->position += PW_STREAM_ENTRY_HEADER_SIZE + decoder->payload.size;
		if (r > 0)
			break;
	}
	*ret_entry = entry;
	return 1;
}

int pw_stream_verify(pw_decoder_read_fn read, void *context, uint64_t size, uint64_t *ret_end,
		     struct pw_why *reterr_why)
{
	struct pw_decoder *decoder = NULL;
	uint8_t kind = 0;
	int r = pw_decoder_new(&decoder, read, context);

	if (r < 0)
		return r;
	r = read_header(decoder, reterr_why);
	if (r == -EBADMSG)
		r = -EEXIST;
	if (r == 0 && decoder->version != PW_CODEC_VERSION)
		r = pw_why_set(reterr_why, -ENOTSUP,
			       "the recording has format %u and cannot be gone on with in format %u", decoder->version,
			       PW_CODEC_VERSION);
	if (r == 0)
		while ((r = read_entry(decoder, &kind, reterr_why)) == 1)
			decoder->position += PW_STREAM_ENTRY_HEADER_SIZE + decoder->payload.size;
	/* Whatever is wrong with what cannot be a whole entry any more is the cut itself. */
	if (r == -EBADMSG && decoder->cut_off)
		r = 0;
	if (r == 0 && decoder->position <= size)
		*ret_end = decoder->position;
	pw_decoder_free(decoder);
	return r;
}
