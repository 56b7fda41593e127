/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_TARGET_TARGET_H
#define PW_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target/births.h"
#include "target/build.h"
#include "target/mem.h"

struct pw_why;
struct pw_frozen;
struct pw_procfs;
struct pw_symbolizer;

enum pw_target_state { PW_TARGET_FOUND, PW_TARGET_READABLE, PW_TARGET_ATTACHED, PW_TARGET_DEGRADED, PW_TARGET_GONE };

/* One live Go process, or one that a core file is left of. Owned by the table in discover.h; id is never reused by one
 * daemon. */
struct pw_target {
	uint64_t id;
	int32_t pid;
	int pidfd;
	int exe_fd; /* open /proc/PID/exe: the file that runs, even if deleted or replaced */
	uint64_t exe_dev, exe_inode;
	uint64_t start_time_ticks, start_time_ns; /* CLOCK_BOOTTIME */
	uint32_t pid_namespace_inode;
	bool same_pid_namespace; /* as ours */
	enum pw_target_state state;
	uint8_t end;	  /* once it is gone: enum pw_death_how (model/death.h) */
	bool opted_out;	  /* PARKWATCH=off, or excluded by configuration */
	bool wish_unread; /* opted_out since its environment could not be read to the end */

	char process[64]; /* comm */
	char exe[256];
	char service[128], unit[128], container[80], pod[80];

	struct pw_build *build;
	uint64_t bias; /* live = link-time + bias */
	bool bias_known;
	struct pw_mem mem;
	struct pw_frozen *frozen; /* a core file instead of a process (core.h), owned; NULL: live */
	bool memory_ok;		  /* layout validated on the live process */
	bool starting;		  /* not validated because its runtime was not yet up: try again soon */
	char memory_reason[256];  /* why not, and what to do; or a remark */
	const char *heap_remark;  /* why it keeps no heap profile (heap_profile.h), static; NULL or "": it does */
	bool symbols_ok;
	char symbols_reason[256];
	bool events_ok; /* set by the owner of collect */
	char events_reason[256];

	struct pw_births *births;
	struct pw_symbolizer *symbolizer;
};

/* A target whose identity is read and whose build is known; not yet validated. build is referenced, procfs and reader
 * are borrowed (reader may be NULL: no names). -ESRCH, -EACCES closed to us, -ESTALE exec'd meanwhile; -ENOMEM. */
struct pw_reader;
int pw_target_new(struct pw_target **ret_target, uint64_t id, int pid, const struct pw_procfs *procfs,
		  struct pw_build *build, struct pw_reader *reader) __attribute__((warn_unused_result));

/* Ties the build to the live process: bias from /proc/PID/maps, then validation of layout and globals on live memory
 * (DESIGN 5): goids positive and unique, statuses and wait reasons in range, stack bounds around sched.sp, pcs in text,
 * allglen <= cap. Sets memory_ok/memory_reason, symbols_ok/..; 0 even when closed, -ESRCH gone, -ESTALE exec'd
 * meanwhile. */
int pw_target_validate(struct pw_target *target, const struct pw_procfs *procfs) __attribute__((warn_unused_result));

/* The same over a core file, for the first of these biases that fits. */
int pw_target_validate_frozen(struct pw_target *target, const uint64_t *biases, size_t count)
	__attribute__((warn_unused_result));

/* Are the bytes at each found probe site in memory still those of the file (no debugger's breakpoint, no packer)?
 * 0 yes, -EBUSY no (named in reterr_why), -ESRCH, -EPERM (memory closed: then nobody can tell, attach anyway). */
int pw_target_check_sites(struct pw_target *target, struct pw_why *reterr_why) __attribute__((warn_unused_result));

/* For ps and one-shot commands: finds and fills one pid now, with blocking reader calls. -ESRCH, -ENOEXEC not Go,
 * -EACCES closed to us, -EPERM opted out. The result is freed with pw_target_free. */
int pw_target_open(struct pw_target **ret_target, int pid, const struct pw_procfs *procfs, struct pw_reader *reader,
		   struct pw_why *reterr_why) __attribute__((warn_unused_result));
void pw_target_free(struct pw_target *target);

#endif
