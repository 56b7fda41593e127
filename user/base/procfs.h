/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <sys/types.h>

#include "base/limits.h"
#include "base/macros.h"
#include "base/vec.h"

struct pw_buf;

/*
 * /proc, with its root as a parameter (tests use a directory of files). All reads are bounded by limits.h. Errors are
 * -errno; a process that is gone is -ESRCH, whatever the kernel said; malformed text is -EBADMSG. Numbers are what the
 * kernel shows in our pid namespace.
 */
struct pw_procfs {
	int root_fd;
};

#define PW_PROCFS_INIT        \
	{                     \
		.root_fd = -1 \
	}

/* Opens path ("/proc"): 0 or -errno. */
int pw_must_check pw_procfs_open(struct pw_procfs *procfs, const char *path);
void pw_procfs_done(struct pw_procfs *procfs);

/* A process, for as long as the host runs: pids are reused, pid and start time together are not. */
struct pw_proc_id {
	pid_t pid;
	uint64_t start_ticks; /* field 22 of stat: clock ticks (USER_HZ) since boot */
};
bool pw_proc_id_equal(const struct pw_proc_id *a, const struct pw_proc_id *b);

/* Numbers of the processes (or of the threads of pid), unsorted, into a growing vector; vec is emptied first. */
struct pw_pid_vec {
	pid_t *items;
	size_t count;
	size_t capacity;
	size_t max;
};
int pw_must_check pw_procfs_pids(const struct pw_procfs *procfs, struct pw_pid_vec *pids);
int pw_must_check pw_procfs_threads(const struct pw_procfs *procfs, pid_t pid, struct pw_pid_vec *tids);

/* /proc/PID/stat, the fields we use. */
struct pw_proc_stat {
	struct pw_proc_id id;
	char comm[64];
	char state; /* R S D T Z X I ... */
	pid_t ppid;
	int64_t flags;
	uint64_t minor_faults;
	uint64_t major_faults;
	uint64_t user_ticks; /* USER_HZ */
	uint64_t system_ticks;
	uint64_t threads;
	uint64_t vsize_bytes;
	uint64_t rss_pages;
	uint64_t start_code; /* 0 without ptrace access; start_code and start_stack tell an exec */
	uint64_t start_stack;
	int processor;
	int exit_code; /* of a zombie, as wait(2) gives it; 0 without ptrace access */
};
int pw_must_check pw_procfs_stat(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_stat *ret_stat);
int pw_must_check pw_procfs_thread_stat(const struct pw_procfs *procfs, pid_t pid, pid_t tid,
					struct pw_proc_stat *ret_stat);

/* Identity now: 0 or -ESRCH. pw_procfs_check_id: 0 if the process is still this one, else -ESTALE or -ESRCH. */
int pw_must_check pw_procfs_id(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_id *ret_id);
int pw_must_check pw_procfs_check_id(const struct pw_procfs *procfs, const struct pw_proc_id *id);

/* /proc/PID/status, the fields we use. *_bytes are 0 when absent (kernel threads, zombies). */
struct pw_proc_status {
	char name[64];
	char state;
	pid_t tgid;
	uid_t uid; /* effective */
	uid_t uid_real;
	gid_t gid;
	uint64_t threads;
	uint64_t vm_size_bytes;
	uint64_t vm_rss_bytes;
	uint64_t vm_hwm_bytes;
	uint64_t rss_anon_bytes;
	uint64_t rss_file_bytes;
	uint64_t rss_shmem_bytes;
	uint64_t vm_swap_bytes;
	uint64_t vm_lck_bytes;
	uint64_t cap_effective;
	uint64_t voluntary_switches;
	uint64_t involuntary_switches;
	pid_t tracer_pid;
	uint32_t ns_pid_count; /* pids from our namespace inwards; the last is what the process sees */
	pid_t ns_pids[PW_PROC_NSPIDS_MAX];
	int seccomp; /* 0 off, 1 strict, 2 filter; -1 unknown */
};
int pw_must_check pw_procfs_status(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_status *ret_status);

/* /proc/PID/statm in pages. */
struct pw_proc_statm {
	uint64_t size_pages;
	uint64_t resident_pages;
	uint64_t shared_pages;
	uint64_t text_pages;
	uint64_t data_pages;
};
int pw_must_check pw_procfs_statm(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_statm *ret_statm);

/* comm without the newline. Foreign text: escape it at the edge. */
int pw_must_check pw_procfs_comm(const struct pw_procfs *procfs, pid_t pid, char *ret_comm, size_t size);

/* Command line with blanks for the NULs between arguments, cut at size; "" for kernel threads. */
int pw_must_check pw_procfs_cmdline(const struct pw_procfs *procfs, pid_t pid, char *ret_cmdline, size_t size);

/* Text of the link /proc/PID/exe (perhaps ending in " (deleted)"), and what stat says of the file behind it. */
int pw_must_check pw_procfs_exe(const struct pw_procfs *procfs, pid_t pid, char *ret_path, size_t size);
struct pw_proc_file_id {
	dev_t dev;
	ino_t inode;
	int64_t mtime_ns;
	int64_t ctime_ns;
	uint64_t size_bytes;
};
int pw_must_check pw_procfs_exe_id(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_file_id *ret_id);

/* Opens the executable, read-only: an fd or -errno (-ENOENT: a kernel thread or a zombie has none). Works for deleted
 * files and other mount namespaces. */
int pw_must_check pw_procfs_open_exe(const struct pw_procfs *procfs, pid_t pid);

/* Opens PID/name for reading (mem, pagemap, map_files/...): an fd or -errno. */
int pw_must_check pw_procfs_open_file(const struct pw_procfs *procfs, pid_t pid, const char *name, int flags);

/* Whole content of PID/name (pid 0: root/name) appended to buf, as far as its cap; more is -E2BIG. */
int pw_must_check pw_procfs_read(const struct pw_procfs *procfs, pid_t pid, const char *name, struct pw_buf *buf);

/* /proc/PID/maps. Paths are borrowed from the text that the list owns. */
struct pw_proc_map {
	uint64_t start;
	uint64_t end;
	uint64_t offset; /* in the file */
	uint64_t inode;
	uint32_t dev_major;
	uint32_t dev_minor;
	bool readable;
	bool writable;
	bool executable;
	bool shared;
	const char *path; /* "" for anonymous; as the kernel writes it (newline as \012, " (deleted)") */
};
/* One line of it, cut at its newline; the path points into it. 0 or -EBADMSG. */
int pw_must_check pw_proc_map_parse(char *line, struct pw_proc_map *ret_map);

struct pw_proc_maps {
	struct pw_proc_map *items;
	size_t count;
	size_t capacity;
	size_t max;
	char *text; /* owned */
};
int pw_must_check pw_procfs_maps(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_maps *ret_maps);
void pw_proc_maps_done(struct pw_proc_maps *maps);

/* The map that holds an address (maps are ascending) or NULL. Borrowed. */
const struct pw_proc_map *pw_proc_maps_find(const struct pw_proc_maps *maps, uint64_t address);

/* The sandbox-free half, for tests and fuzzers: takes ownership of the malloc'ed NUL-terminated text, always. */
int pw_must_check pw_proc_maps_parse(char *text, struct pw_proc_maps *ret_maps);

/* cgroup paths: the v2 one, and for v1 that of a controller ("memory", "cpu"); "" where there is none. */
struct pw_proc_cgroup {
	char v2[PW_PROC_PATH_MAX];
	char v1_memory[PW_PROC_PATH_MAX];
	char v1_cpu[PW_PROC_PATH_MAX];
	char v1_freezer[PW_PROC_PATH_MAX];
	char v1_pids[PW_PROC_PATH_MAX];
	char v1_systemd[PW_PROC_PATH_MAX]; /* name=systemd */
};
int pw_must_check pw_procfs_cgroup(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_cgroup *ret_cgroup);

/* Value of one environment variable at exec: 0, -ENODATA when unset, -E2BIG when longer than size; -EFBIG when it is
 * not in the first PW_PROC_ENVIRON_MAX bytes, and there are more. */
int pw_must_check pw_procfs_environ(const struct pw_procfs *procfs, pid_t pid, const char *key, char *ret_value,
				    size_t size);

/* Inode number of a namespace: name is "pid", "mnt", "net", "user", "cgroup", ... */
int pw_must_check pw_procfs_ns(const struct pw_procfs *procfs, pid_t pid, const char *name, uint64_t *ret_inode);

/* AT_ENTRY and AT_PHDR and a few more of 64-bit processes; absent ones are 0. */
struct pw_proc_auxv {
	uint64_t entry;
	uint64_t phdr;
	uint64_t phent;
	uint64_t phnum;
	uint64_t base; /* of the dynamic linker */
	uint64_t page_size;
	uint64_t sysinfo_ehdr; /* vDSO */
};
int pw_must_check pw_procfs_auxv(const struct pw_procfs *procfs, pid_t pid, struct pw_proc_auxv *ret_auxv);

/* pidfd_open(2), O_CLOEXEC: an fd or -errno (-ESRCH gone, -ENOSYS before 5.3). */
int pw_must_check pw_pidfd_open(pid_t pid);

/* pidfd_send_signal(2): 0 or -errno. */
int pw_must_check pw_pidfd_kill(int pidfd, int signal_number);

/* Signals that a process catches, ignores, blocks are not ours; clock ticks per second (USER_HZ). */
uint64_t pw_proc_ticks_per_sec(void);

/* Start of a process on the CLOCK_BOOTTIME axis in ns. */
uint64_t pw_proc_start_boot_ns(const struct pw_proc_id *id);
