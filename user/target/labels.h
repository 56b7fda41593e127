/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_LABELS_H
#define PW_TARGET_LABELS_H

#include <stddef.h>
#include <stdint.h>

#include "target/snapshot.h"

struct pw_target;

/* pprof labels: g.labels is a *map[string]string up to Go 1.23, a *struct{[]label} since (runtime/pprof/label.go). Many
 * goroutines share one set, which is read once per look. */
struct pw_label_set;

int pw_label_set_new(struct pw_label_set **ret_set, struct pw_target *target) __attribute__((warn_unused_result));
void pw_label_set_free(struct pw_label_set *set);
void pw_label_set_begin(struct pw_label_set *set);
/* The labels at addr: first and count in pw_label_set_all. 0 (also if there are none, or no sense is in them), -ESRCH,
 * -EPERM, -ENOMEM. */
int pw_label_set_read(struct pw_label_set *set, uint64_t addr, uint32_t *ret_first, uint32_t *ret_count)
	__attribute__((warn_unused_result));
const struct pw_snapshot_label *pw_label_set_all(const struct pw_label_set *set, size_t *ret_count);

#endif
