/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_PROTOCOL_H
#define PW_READER_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader/facts.h"
#include "reader/reader.h"

struct pw_buf;
struct pw_core;
struct pw_why;

/*
 * What goes over the socket between parkwatch and its reader process. Each message is a header of fixed size and a
 * body; a request carries one open file descriptor. Both sides treat what arrives as foreign: the reader has parsed
 * hostile files and may be theirs by now.
 */
enum pw_request_kind { PW_REQUEST_FACTS = 1, PW_REQUEST_SYMBOLS = 2, PW_REQUEST_CORE = 3 };

#define PW_MESSAGE_HEADER_SIZE 24

struct pw_message {
	uint32_t kind;	/* enum pw_request_kind; the answer repeats that of the request */
	int64_t id;	/* of the request */
	int32_t result; /* answers: 0 or -errno; requests: 0 */
	uint32_t size;	/* of the body in bytes */
};

/* Header to and from bytes. -EBADMSG: not one of ours, or a size over the cap. */
int pw_message_write(struct pw_buf *out, const struct pw_message *message) __attribute__((warn_unused_result));
int pw_message_read(struct pw_message *ret_message, const void *data, size_t size, size_t body_max)
	__attribute__((warn_unused_result));

/* Body of a symbols request. The pcs that were read go into a buffer of PW_READER_PCS_MAX. */
int pw_symbols_request_write(struct pw_buf *out, const char *build_id, const uint64_t *pcs, size_t count)
	__attribute__((warn_unused_result));
int pw_symbols_request_read(const void *data, size_t size, char *ret_build_id, size_t build_id_size, uint64_t *ret_pcs,
			    size_t *ret_count) __attribute__((warn_unused_result));

/* Body of an answer with facts: the flat struct, every field of which is checked on arrival. -EBADMSG: reterr_why
 * names the field. */
int pw_facts_write(struct pw_buf *out, const struct pw_build_facts *facts) __attribute__((warn_unused_result));
int pw_facts_read(struct pw_build_facts *ret_facts, const void *data, size_t size, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/* Body of an answer with symbols: a count, then symbol by symbol. */
int pw_symbols_write_count(struct pw_buf *out, size_t count) __attribute__((warn_unused_result));
int pw_symbols_write(struct pw_buf *out, const struct pw_symbol *symbol) __attribute__((warn_unused_result));
/* The answer must hold exactly the pcs that were asked, in that order. -EBADMSG, -ENOMEM. */
int pw_symbols_read(struct pw_symbols *ret_symbols, const void *data, size_t size, const uint64_t *pcs, size_t count)
	__attribute__((warn_unused_result));

/* Body of an answer with a core file: the fixed part, then segments, mappings and threads. -EBADMSG: reterr_why says
 * what makes no sense. */
int pw_core_write(struct pw_buf *out, const struct pw_core *core) __attribute__((warn_unused_result));
int pw_core_parse(struct pw_core *ret_core, const void *data, size_t size, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));

/* Body of an answer that says no: a sentence. Cut at size, always terminated; "" if it is not text. */
int pw_refusal_write(struct pw_buf *out, const char *why) __attribute__((warn_unused_result));
void pw_refusal_read(const void *data, size_t size, char *ret_why, size_t why_size);

#endif
