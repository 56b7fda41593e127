/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_OUTPUT_HEAP_TABLES_H
#define PW_OUTPUT_HEAP_TABLES_H

#include <stddef.h>

struct pw_buf;
struct pw_heap_profile;

/* What takes the place of allocation sites where a program keeps no heap profile: tables of at most `top` rows, by
 * growth where it is known, else by bytes. */
void pw_heap_put_classes(struct pw_buf *out, const struct pw_heap_profile *heap, size_t top);
void pw_heap_put_types(struct pw_buf *out, const struct pw_heap_profile *heap, size_t top);

#endif
