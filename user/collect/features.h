/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_FEATURES_H
#define PW_COLLECT_FEATURES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What this kernel allows us, found by trying (never by version), each "no" with a sentence on what it means and what
 * to do. */
enum pw_feature {
	PW_FEATURE_PRIVILEGE, /* uid 0 or the capabilities that are needed */
	PW_FEATURE_BTF,
	PW_FEATURE_BPF,		 /* programs load */
	PW_FEATURE_UPROBE_MULTI, /* with a hit from a second thread of a child of ours */
	PW_FEATURE_UPROBE_PERF,
	PW_FEATURE_COOKIE,
	PW_FEATURE_BATCH_LOOKUP,
	PW_FEATURE_RING_BUFFER,
	PW_FEATURE_INITIAL_PID_NAMESPACE,
	PW_FEATURE_MEMORY_READ, /* process_vm_readv of another process; yama */
	PW_FEATURE_LOCKDOWN_NONE,
	PW_FEATURE_MEMLOCK,
	_PW_FEATURE_MAX,
};

struct pw_feature_state {
	bool tried, ok;
	char means[192];  /* what it is for / what its absence means */
	char reason[192]; /* why not (cause) */
	char remedy[192]; /* what to do */
};

struct pw_features {
	char kernel[80];
	struct pw_feature_state feature[_PW_FEATURE_MAX];
	bool events_possible; /* some way to attach works */
};

const char *pw_feature_name(enum pw_feature feature);
/* Tries everything; takes some 100 ms; forks a child of its own. Call before threads exist. */
int pw_features_probe(struct pw_features *ret_features) __attribute__((warn_unused_result));
/* The same without what is not needed: perf events are tried only if they are wanted, or uprobe_multi does not work;
 * closing them takes 0.2 s. */
int pw_features_probe_needed(struct pw_features *ret_features, bool multi, bool perf)
	__attribute__((warn_unused_result));

#endif
