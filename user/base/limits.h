/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/*
 * Every cap of the program, in one list, each with its reason. A cap that bites is counted where it bites. Limits that
 * BPF programs share are in bpf/shared.h.
 */

/* base */
#define PW_WHY_TEXT_MAX		 320	      /* one sentence with a path in it */
#define PW_LOG_LINE_MAX		 2048	      /* the longest message; longer ones are cut and marked */
#define PW_LOG_EVENT_MAX	 24576	      /* an event as one line: PW_LOG_FIELDS_MAX fields, two of them stacks */
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
#define PW_PROC_FILE_MAX       (64U << 10) /* stat, status, cgroup, limits: a few kB each in practice */
#define PW_PROC_CMDLINE_MAX    4096U	   /* shown to people; longer ones are cut */
#define PW_PROC_ENVIRON_MAX    (8U << 20)  /* looked through for one key; exec takes 6 MB at most (fs/exec.c) */
#define PW_PROC_MAPS_BYTES_MAX (32U << 20) /* 65530 maps (vm.max_map_count) of about 100 bytes are 6.5 MB */
#define PW_PROC_MAPS_MAX       131072U	   /* twice the default of vm.max_map_count */
#define PW_PROC_PATH_MAX       4096U	   /* PATH_MAX */
#define PW_PROC_CGROUPS_MAX    32U	   /* v1 has about 14 controllers */
#define PW_PROC_NSPIDS_MAX     33U	   /* MAX_PID_NS_LEVEL + 1 */
#define PW_PROC_AUXV_MAX       4096U	   /* about 20 pairs of 16 bytes */

/* base/parse */
#define PW_PARSE_KEY_MAX 64U /* for suggestions: longer words are not compared */

/* binary */
#define PW_FILE_BYTES_MAX	  (4ULL << 30)	/* an executable above 4 GB is none that a Go linker made */
#define PW_WINDOW_BLOCK_BYTES	  (32U << 10)	/* one pread; neighbours in a table are mostly within it */
#define PW_WINDOW_BLOCKS	  96U		/* 3 MB per open table: tsgo's names, ftab and records sweep through */
#define PW_ELF_SEGMENTS_MAX	  256U		/* program headers; linkers write about 14 */
#define PW_ELF_SECTIONS_MAX	  4096U		/* section headers; a Go binary with DWARF and cgo has about 45 */
#define PW_ELF_DYNAMIC_MAX	  1024U		/* entries of PT_DYNAMIC; about 30 in practice */
#define PW_ELF_NOTE_BYTES_MAX	  (64U << 10)	/* of one note section; build IDs need 100 bytes */
#define PW_ELF_BUILD_ID_BYTES_MAX 40U		/* of a GNU build ID; SHA-1 is 20, shown as 2 hex digits each */
#define PW_ELF_RELOCATIONS_MAX	  (4U << 20)	/* of one PIE, 16 bytes each; the largest seen has 0.5 M */
#define PW_ELF_SCAN_CHUNK_BYTES	  (256U << 10)	/* read at a time when a magic is looked for */
#define PW_BUILDINFO_SCAN_BYTES	  (16ULL << 20) /* of one segment; the blob is near the start of the data */
#define PW_BUILDINFO_TRIES_MAX	  64U		/* places with the magic that are not build info */
#define PW_BUILDINFO_VERSION_MAX  256U		/* bytes of a version string; "devel" ones have about 60 */
#define PW_BUILDINFO_MODINFO_MAX  (1U << 20)	/* module list; Kubernetes has 60 kB */
#define PW_PCLNTAB_SCAN_BYTES	  (1ULL << 30)	/* looked through for the magic when no section tells */
#define PW_PCLNTAB_TRIES_MAX	  16U		/* places with the magic, and with a pointer to it */
#define PW_PCLNTAB_FUNCS_MAX	  (4U << 20)	/* functions; the largest seen have 0.2 M; 16 bytes each in the index */
#define PW_PCLNTAB_NAME_MAX	  4096U		/* of a function or file name; longer ones are cut */
#define PW_PCLNTAB_STRINGS_MAX	  65536U	/* names and files handed out per table; then -E2BIG */
#define PW_PCLNTAB_STEPS_MAX	  (1U << 20) /* pc-value pairs decoded for one pc: more than the largest function has */
#define PW_PCLNTAB_INLINE_MAX	  128U	     /* inlined calls around one pc; the compiler stops far below */
#define PW_CODE_BYTES_MAX	  (128U << 10) /* of one function; the runtime's largest has 12 kB */
#define PW_CORE_BYTES_MAX	  (1ULL << 44) /* of a core file: sparse, as large as the address space in use */
#define PW_CORE_SEGMENTS_MAX	  131072U      /* mappings of a process: twice the default of vm.max_map_count */
#define PW_CORE_MAPPINGS_MAX	  256U	       /* of its executable: one per segment of the file and protection */
#define PW_CORE_THREADS_MAX	  65536U       /* Go's own limit is 10,000 (runtime/debug.SetMaxThreads) */
#define PW_CORE_NOTES_MAX	  (1U << 20)   /* notes looked at: about 6 per thread */
#define PW_CORE_FILES_BYTES_MAX	  (16U << 20)  /* of NT_FILE; the kernel stops at 4 MB (core_file_note_size_limit) */

/* reader */
#define PW_READER_PCS_MAX	      1024U	  /* program counters per request: 8 kB, answered within a few ms */
#define PW_READER_REQUEST_MAX	      (16U << 10) /* bytes of a request; half of what the socket surely takes at once */
#define PW_READER_ANSWER_MAX	      (16U << 20) /* bytes of an answer; 1,024 pcs with 3 frames each are below 1 MB */
#define PW_READER_FRAMES_MAX	      128U	  /* frames of one pc: PW_PCLNTAB_INLINE_MAX of them */
#define PW_READER_STRING_MAX	      4096U	  /* of a function or file name; longer ones are cut */
#define PW_READER_QUEUE_MAX	      512U	  /* requests that wait; each holds an open file */
#define PW_READER_STRIKES_MAX	      256U	  /* files remembered for having killed the reader */
#define PW_READER_STRIKES_TO_BAR      2U	  /* once may be bad luck (memory, a kill) */
#define PW_READER_FACTS_DEADLINE_NS   3000000000ULL /* the largest binaries seen take 0.3 s; all others wait */
#define PW_READER_SYMBOLS_DEADLINE_NS 3000000000ULL
#define PW_READER_IDLE_NS	      30000000000ULL /* then the process ends; starting one costs about 1 ms */
#define PW_READER_FILES_MAX	      64U	     /* open files: 4 builds, the socket, and some room */
#define PW_READER_ADDRESS_SPACE_MAX                                                      \
	(1536ULL << 20) /* tsgo's tables need 60 MB; a hostile file must not have it all \
			 */

/* target */
#define PW_GOROUTINES_MAX	(1U << 20)   /* read per census; 140 MB of ours at that number, the rest is "skipped" */
#define PW_ALLGLEN_MAX		(1ULL << 27) /* a longer list is garbage: it would be 300 GB of stacks */
#define PW_GOID_MAX		(1ULL << 56) /* a billion go statements a second for two years */
#define PW_GOID_BATCH		16U	     /* goids that a P takes at a time: _GoidCacheBatch, go1.19 to 1.27 */
#define PW_G_SIZE_MAX		1024	     /* offsets inside g; it has 456 bytes in Go 1.27 */
#define PW_P_SIZE_MAX		(64 << 10)   /* inside p; 16 kB in Go 1.27 */
#define PW_SCHED_SIZE_MAX	(64 << 10)   /* inside schedt; 7 kB in Go 1.27 */
#define PW_MSTATS_SIZE_MAX	(64 << 10)   /* of runtime.mstats; 15 kB in Go 1.18 */
#define PW_MHEAP_SIZE_MAX	(4 << 20)    /* inside mheap; 100 kB */
#define PW_M_SIZE_MAX		(16 << 10)   /* inside m; 2 kB */
#define PW_MS_MAX		20000U	     /* Ms; Go's own limit is 10,000 (runtime/debug.SetMaxThreads) */
#define PW_FINBLOCKS_MAX	4096U	     /* blocks of 100 finalizers that wait to be run */
#define PW_GC_SIZE_MAX		(64 << 10)   /* inside work, gcController and memstats; 9 kB in Go 1.27 */
#define PW_MEMORY_LOOK_MAX	(2ULL << 30) /* RSS of which the daemon reads smaps: a mapping of it takes 25 ms */
#define PW_ARENAS_MAX		65536U	     /* of 64 MB each: 4 TB of heap */
#define PW_STACK_SIZE_MAX	(1ULL << 31) /* of one goroutine; Go's own limit is 1 GB (runtime/debug.SetMaxStack) */
#define PW_PS_MAX		4096U	     /* Ps; GOMAXPROCS is the number of CPUs */
#define PW_USER_ADDRESS_MAX	(1ULL << 56) /* user space with five-level page tables; 2^47 elsewhere */
#define PW_FRAME_INFOS_MAX	(1U << 17)   /* pcs whose frame sizes are kept per process: 2 MB */
#define PW_UNWIND_DEPTH_MAX	128U	     /* frames of one stack: more than twice what pprof keeps (64) */
#define PW_STACK_READ_MAX	(64U << 10)  /* bytes read of one stack, from its innermost end */
#define PW_STACK_PCS_MAX	(8U << 20)   /* of all different stacks: 128 MB; 100 of depth 80,000 */
#define PW_STACKS_MAX		(1U << 20)   /* different stacks */
#define PW_WAIT_SUDOGS_MAX	(1U << 21)   /* of one look: two of each goroutine */
#define PW_WAIT_WORDS_MAX	64U	     /* words of a stack looked through for a pollDesc, a Cond */
#define PW_WAIT_COND_STEPS_MAX	(1U << 16)   /* sudogs of Conds read one by one in a look: some 30 ms */
#define PW_OWNED_LOCKS_MAX	65536U	     /* locks whose owners are looked for in a look */
#define PW_OWNER_BYTES_MAX	(64U << 20)  /* of stacks looked through for them: some 50 ms */
#define PW_WAIT_CASES_SHOWN	64U	     /* of one select, one by one */
#define PW_WAIT_TIMERS_MAX	(1U << 16)   /* timers of all Ps read in a look: 6 MB */
#define PW_LABELS_MAX		64U	     /* pprof labels of one goroutine; programs use two or three */
#define PW_MSTATS_SIZE_MAX	(64 << 10)   /* inside mstats; 8 kB in Go 1.27 */
#define PW_HEAP_BUCKETS_MAX	(1U << 20)   /* of a heap profile: stacks times sizes; large servers have some 10,000 */
#define PW_HEAP_PCS_MAX		(1U << 24)   /* of all their stacks: 128 MB */
#define PW_HEAP_STACK_MAX	1040U	   /* of one; the runtime keeps 32, from 1.23 on 128 or GODEBUG's up to 1024 */
#define PW_SPANS_MAX		(1U << 28) /* of a heap: 2 TB in spans of 8 kB */
#define PW_HEAP_SPANS_SAMPLED	16384U	   /* looked at for types: all of a heap of 128 MB, 40 ms of a larger one */
#define PW_HEAP_SLOTS_MAX	(1U << 18) /* objects in them whose type is asked for */
#define PW_HEAP_TYPES_MAX	16384U	   /* different ones */
#define PW_LABEL_SIZE_MAX	1024U	   /* of a key or a value; longer ones are cut */
#define PW_LABEL_STRINGS_MAX	65536U
#define PW_LABEL_BYTES_MAX	(8U << 20)
#define PW_BIRTHS_PICTURES_MAX	512U	       /* polls remembered; beyond a minute at 2% of the age */
#define PW_BIRTHS_INTERVALS_MAX 65536U	       /* in all of them: 1 MB; 512 polls of 128 busy Ps */
#define PW_BIRTHS_EXACT_NS	66000000000ULL /* no poll younger than this is forgotten (model: PW_AGE_EXACT_NS) */
#define PW_SYMBOLS_MAX		65536U	       /* pcs whose names are kept per process; a census sees some hundred */
#define PW_SYMBOL_STRINGS_MAX	65536U
#define PW_SYMBOL_BYTES_MAX	(8U << 20)
#define PW_DISCOVER_FILES_MAX	4096U  /* executables remembered; a host runs some hundred */
#define PW_DISCOVER_TARGETS_MAX 4096U  /* Go processes followed at a time */
#define PW_DISCOVER_ASKING_MAX	16U    /* questions to the reader under way, so that others get through too */
#define PW_DISCOVER_SLOW_MAX	256U   /* users remembered whose files kept the reader busy */
#define PW_OPEN_FILES_MAX	65536U /* descriptors counted one by one, before Linux 6.2 */

/* model/profile */
#define PW_PROFILE_STRINGS_MAX	    (1U << 20)	 /* functions, files, label values (which may be one per request) */
#define PW_PROFILE_STRING_BYTES_MAX (128U << 20) /* of them */
#define PW_PROFILE_ELEMENTS_MAX	    (1U << 26)	 /* of one list: a million stacks of 64 frames */
#define PW_PROFILE_FILE_MAX	    (256U << 20) /* an older profile that is read back; a big one has some MB */

/* base/json_read */
#define PW_JSON_READ_DEPTH_MAX	64U	    /* nesting of a document that we read; ours is below 10 */
#define PW_JSON_READ_STRING_MAX (64U << 10) /* one string of it: function names and texts are far below */
