/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/*
 * Small language helpers used everywhere: cleanup attributes, ownership transfer, format checking.
 *
 * A local that owns something is declared with a cleanup attribute, initialised at once, and leaves the function only
 * by TAKE_PTR or TAKE_FD:
 *
 *	_cleanup_(pw_buf_freep) struct pw_buf *buf = NULL;
 */

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn)  __attribute__((cleanup(fn)))
#define _cleanup_fd_   _cleanup_(pw_closep)
#define _cleanup_free_ _cleanup_(pw_freep)

#define pw_must_check			   __attribute__((warn_unused_result))
#define pw_printf_like(fmt_arg, first_arg) __attribute__((format(printf, fmt_arg, first_arg)))
#define pw_unused			   __attribute__((unused))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Defines <free_fn>p(), which frees the pointer that a cleanup attribute hands it: pw_x_free -> pw_x_freep. */
#define PW_DEFINE_CLEANUP(type, free_fn)         \
	static inline void free_fn##p(type *ptr) \
	{                                        \
		if (*ptr)                        \
			free_fn(*ptr);           \
	}                                        \
	struct pw_swallow_semicolon

/* Hand over what a local owns: yields its value and leaves the local empty. */
#define TAKE_PTR(ptr)                          \
	({                                     \
		__auto_type pw_taken_ = (ptr); \
		(ptr) = NULL;                  \
		pw_taken_;                     \
	})
#define TAKE_FD(fd)                   \
	({                            \
		int pw_taken_ = (fd); \
		(fd) = -1;            \
		pw_taken_;            \
	})

#define PW_PASTE_(a, b) a##b
#define PW_PASTE(a, b)	PW_PASTE_(a, b)
/* The names are made unique so that one may be an argument of the other under -Wshadow. */
#define PW_PICK_(a, op, b, name_a, name_b)          \
	({                                          \
		__auto_type name_a = (a);           \
		__auto_type name_b = (b);           \
		name_a op name_b ? name_a : name_b; \
	})
#define PW_MIN(a, b) PW_PICK_(a, <, b, PW_PASTE(pw_pick_a_, __COUNTER__), PW_PASTE(pw_pick_b_, __COUNTER__))
#define PW_MAX(a, b) PW_PICK_(a, >, b, PW_PASTE(pw_pick_a_, __COUNTER__), PW_PASTE(pw_pick_b_, __COUNTER__))

/* True if the sum, difference or product does not fit the type of *result; *result is then not to be used. */
#define pw_add_overflows(a, b, result) __builtin_add_overflow((a), (b), (result))
#define pw_sub_overflows(a, b, result) __builtin_sub_overflow((a), (b), (result))
#define pw_mul_overflows(a, b, result) __builtin_mul_overflow((a), (b), (result))

#define PW_NS_PER_US  1000ULL
#define PW_NS_PER_MS  1000000ULL
#define PW_NS_PER_SEC 1000000000ULL

/* Closes *fd if it is open, keeps errno, and marks it closed. */
static inline void pw_closep(int *fd)
{
	int saved_errno = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved_errno;
}

/* free() in the form that a cleanup attribute wants: the argument is the address of the pointer. */
static inline void pw_freep(void *address_of_ptr)
{
	void **ptr = address_of_ptr;

	free(*ptr);
	*ptr = NULL;
}
