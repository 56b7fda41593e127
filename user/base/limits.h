/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/*
 * Every cap of the program, in one list, each with its reason. A cap that bites is counted where it bites. Limits that
 * BPF programs share are in bpf/shared.h.
 */

/* base */
#define PW_WHY_TEXT_MAX		 320	      /* one sentence with a path in it */
#define PW_LOG_LINE_MAX		 2048	      /* the longest message; longer ones are cut and marked */
#define PW_LOG_FIELDS_MAX	 24	      /* fields of one structured event */
#define PW_LOG_RATE_BURST	 10	      /* messages per call site in PW_LOG_RATE_INTERVAL_SEC, then a count */
#define PW_LOG_RATE_INTERVAL_SEC 30	      /* long enough that a failing tick of 1 s cannot flood the journal */
#define PW_VEC_DEFAULT_MAX	 (1U << 24)   /* elements; 16 M is above every list we keep */
#define PW_TABLE_DEFAULT_MAX	 (1U << 20)   /* entries; 1 M is above every table we keep */
#define PW_INTERN_STRING_MAX	 4096U	      /* Go symbol names with generics reach 1 to 2 kB; PATH_MAX is 4096 */
#define PW_JSON_DEPTH_MAX	 32	      /* our own documents nest less than 10 deep */
#define PW_LOOP_EVENTS_MAX	 64	      /* fds handled per epoll_wait; the rest waits for the next round */
#define PW_GZIP_INPUT_MAX	 (256U << 20) /* profiles of 100,000 stacks are below 50 MB */

/* base/procfs */
#define PW_PROC_FILE_MAX       (64U << 10)  /* stat, status, cgroup, limits: a few kB each in practice */
#define PW_PROC_CMDLINE_MAX    4096U	    /* shown to people; longer ones are cut */
#define PW_PROC_ENVIRON_MAX    (256U << 10) /* looked through for one key; ARG_MAX per string is 128 kB */
#define PW_PROC_MAPS_BYTES_MAX (32U << 20)  /* 65530 maps (vm.max_map_count) of about 100 bytes are 6.5 MB */
#define PW_PROC_MAPS_MAX       131072U	    /* twice the default of vm.max_map_count */
#define PW_PROC_PATH_MAX       4096U	    /* PATH_MAX */
#define PW_PROC_CGROUPS_MAX    32U	    /* v1 has about 14 controllers */
#define PW_PROC_NSPIDS_MAX     33U	    /* MAX_PID_NS_LEVEL + 1 */
#define PW_PROC_AUXV_MAX       4096U	    /* about 20 pairs of 16 bytes */

/* base/parse */
#define PW_PARSE_KEY_MAX 64U /* for suggestions: longer words are not compared */
