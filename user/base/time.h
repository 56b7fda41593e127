/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "base/macros.h"

/* CLOCK_MONOTONIC in ns: the clock of all intervals, and of bpf_ktime_get_ns. Stands still in suspend. */
uint64_t pw_now_ns(void);

/* CLOCK_BOOTTIME in ns: runs on in suspend; process start times count from it. */
uint64_t pw_boot_ns(void);

/* What is to be added to a CLOCK_MONOTONIC time to have it on CLOCK_BOOTTIME: the time spent in suspend. */
uint64_t pw_boot_offset_ns(void);

/* CLOCK_REALTIME in ns since 1970: for showing and for timestamps in files, never for differences. */
uint64_t pw_wall_ns(void);

/* CPU time of this process and of this thread in ns. */
uint64_t pw_cpu_process_ns(void);
uint64_t pw_cpu_thread_ns(void);

/* CPU time of all threads of another process in ns, those that have ended included: while it stays the same, nothing of
 * that process ran. 0: there is no such process. */
uint64_t pw_cpu_of_ns(pid_t pid);

#define PW_RFC3339_SIZE	 40
#define PW_DURATION_SIZE 32

/* "2026-11-21T01:45:00.123Z" (UTC) of a wall time; returns text. */
char *pw_time_rfc3339(uint64_t wall_ns, char text[PW_RFC3339_SIZE]);

/* "01:45:00" in local time, for tables; returns text. */
char *pw_time_clock(uint64_t wall_ns, char text[PW_RFC3339_SIZE]);

/* Parses RFC 3339 with a zone ("Z" or "+01:00") into wall ns: 0 or -EINVAL. */
int pw_must_check pw_time_parse_rfc3339(const char *text, uint64_t *ret_wall_ns);

/* For people, two units at most: "850ns" "1.2us" "12ms" "3.4s" "2m10s" "3h05m" "4d2h"; returns text. */
char *pw_time_duration(uint64_t ns, char text[PW_DURATION_SIZE]);
