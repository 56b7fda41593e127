/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_CMD_RECORDING_H
#define PW_CMD_RECORDING_H

#include <stdint.h>

struct pw_death;
struct pw_policy;
struct pw_record;
struct pw_rules_config;
struct pw_why;

/* The recording that the daemon writes: a new file, 0600, or the end of an older
 * recording. Failures to write are counted and said once, never fatal. */
struct pw_recording;

/* -EEXIST if path exists and is no recording; more in output/store.h. Nothing is ever overwritten. */
int pw_recording_open(struct pw_recording **ret_recording, const char *path, struct pw_why *reterr_why)
	__attribute__((warn_unused_result));
void pw_recording_close(struct pw_recording *recording);

/* NULL recording: nothing happens. */
void pw_recording_rules(struct pw_recording *recording, const struct pw_rules_config *rules,
			const struct pw_policy *policy);
void pw_recording_record(struct pw_recording *recording, const struct pw_record *record);
void pw_recording_gone(struct pw_recording *recording, const struct pw_death *death);

uint64_t pw_recording_bytes(const struct pw_recording *recording);
uint64_t pw_recording_failures(const struct pw_recording *recording);

#endif
