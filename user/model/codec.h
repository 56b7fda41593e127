/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_CODEC_H
#define PW_MODEL_CODEC_H

#include "base/buf.h"
#include "base/bytes.h"
#include "model/record.h"

struct pw_why;

/*
 * One record as the difference to another one of the same target (or to an empty one). The format is a sequence of
 * numbers, one per field in a fixed order, each the zigzag difference to the field's old value; a run of fields that
 * have not changed is the byte 0 and the length of the run. So a record in which little changes takes little, and no
 * field needs a rule of its own. Encoding and decoding are one walk over the fields: what is written is what is read.
 */

/* Of the format. 2: snapshot, drift by go statement; 3: all numbers of the runtime, and its histograms;
 * 4: GC cycles, and where the RSS goes; 5: sampling of events, cost of snapshots; 6: allocation sites; 7: locks, and
 * whether the process may run; 8: how a target ended (stream.h); 9: what a group waits on in full, time between two
 * snapshots; 10: holdings; 11: sockets of groups; 12: the largest stacks; 13: how many holdings there are. */
#define PW_CODEC_VERSION 13U

/* Appends the difference of record to before (NULL: to nothing). 0 or the error of out. */
int pw_codec_encode(struct pw_buf *out, const struct pw_record *record, const struct pw_record *before);

/* Reads one record, in the format of `version` (1 to PW_CODEC_VERSION). in is foreign: -EBADMSG (reterr_why says what),
 * -ENOMEM. */
int pw_codec_decode(struct pw_record **ret_record, struct pw_bytes *in, const struct pw_record *before,
		    unsigned int version, struct pw_why *reterr_why) __attribute__((warn_unused_result));

#endif
