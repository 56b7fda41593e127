/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_AGES_H
#define PW_MODEL_AGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pw_buf;
struct pw_why;

/*
 * What one observer knows of the ages of a process's goroutines, handed to another: the daemon to a command. A list by
 * goid, about 8 bytes each as bytes. Times are CLOCK_BOOTTIME of this host.
 *
 *	"PWAGES" u16 version  u64 pid, start_ns, first_ns, taken_ns, first_wall_ns  entries
 *	entry	uvarint goid - the one before  u8 trackingSeq  uvarint depth / 8 * 2 + at_least
 *		uvarint zigzag of (parked_since, born_after, born_before), each minus the one before
 */
struct pw_age {
	uint64_t goid;
	uint64_t parked_since_ns; /* 0: not parked, or its park was seen only once (trackingSeq comes round at 256) */
	uint64_t born_after_ns, born_before_ns; /* 0: unknown */
	uint32_t depth;				/* bytes of its stack in use */
	uint8_t tracking_seq;
	bool at_least; /* parked so at the first look already */
};

struct pw_ages_head {
	int32_t pid;
	uint64_t start_ns;	/* of the process */
	uint64_t first_ns;	/* first look at it */
	uint64_t first_wall_ns; /* the same, for people */
	uint64_t taken_ns;	/* last look */
};

#define PW_AGES_BYTES_MAX (24U << 20) /* a million goroutines take 8 to 20 MB; what is beyond is left out */

/* The one of that goid, or NULL. */
const struct pw_age *pw_ages_find(const struct pw_age *ages, size_t count, uint64_t goid);

/* Encoding: the head, then entries by goid. before: the entry before, zeroed for the first. 0, or the error of out
 * (-E2BIG: full, what is there is whole). */
int pw_ages_write_head(struct pw_buf *out, const struct pw_ages_head *head);
int pw_ages_write(struct pw_buf *out, const struct pw_age *before, const struct pw_age *age);

/* An encoded list that many may hold: immutable, reference counted, any thread. */
struct pw_ages_image {
	_Atomic unsigned int references;
	int32_t pid;
	size_t size;
	char bytes[];
};

/* Takes a copy of the bytes, with one reference; NULL: no memory. */
struct pw_ages_image *pw_ages_image_new(int32_t pid, const void *bytes, size_t size);
struct pw_ages_image *pw_ages_image_ref(struct pw_ages_image *image);
void pw_ages_image_unref(struct pw_ages_image *image); /* NULL is fine */

/* Decoding, of foreign bytes: 0 and a list that the caller frees; -EBADMSG, -ENOTSUP another version, -ENOMEM. */
int pw_ages_read(const void *bytes, size_t size, struct pw_ages_head *ret_head, struct pw_age **ret_ages,
		 size_t *ret_count, struct pw_why *reterr_why) __attribute__((warn_unused_result));

#endif
