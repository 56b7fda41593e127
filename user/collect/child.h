/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_COLLECT_CHILD_H
#define PW_COLLECT_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pw_why;

/*
 * A child process of ours that calls a known function as often as it is told, so that attaching can be tried, and the
 * price of a probe hit measured, without touching anybody else's process. In each function the goroutine register of Go
 * holds the address of a readable block and the second argument register the number 1, as at a park.
 */
enum pw_child_site {
	PW_CHILD_EMULATED, /* an instruction that the kernel emulates: push rbp, as at most of our sites */
	PW_CHILD_STEPPED,  /* one that it single-steps */
	PW_CHILD_DEEP,	   /* one that it emulates, called from PW_CHILD_FRAMES frames that can be walked */
	_PW_CHILD_SITE_MAX,
};

#define PW_CHILD_WAIT_REASON 1
#define PW_CHILD_FRAMES	     32 /* what stacks of servers have where they allocate */

struct pw_child;

/* Forks: call it before the process has threads. -errno with the reason. */
int pw_child_start(struct pw_child **ret_child, struct pw_why *reterr_why) __attribute__((warn_unused_result));
/* Kills and reaps it; NULL is fine. */
void pw_child_stop(struct pw_child *child);

pid_t pw_child_pid(const struct pw_child *child);
/* The program file it runs (ours), open for reading; owned by child. */
int pw_child_exe_fd(const struct pw_child *child);
uint64_t pw_child_file_offset(const struct pw_child *child, enum pw_child_site site);
uint64_t pw_child_address(enum pw_child_site site);
/* Machine registers of the block (the g) and of the number, as in struct pw_site. */
uint8_t pw_child_g_reg(void);
uint8_t pw_child_arg_reg(void);

/* Calls the function count times, in the main or a second thread. Returns 0 and the CPU time it took, or -errno. */
int pw_child_run(struct pw_child *child, enum pw_child_site site, uint32_t count, bool second_thread, uint64_t *ret_ns)
	__attribute__((warn_unused_result));

/* Makes the child one whose memory only CAP_SYS_PTRACE opens, as that of other users (PR_SET_DUMPABLE). */
int pw_child_hide(struct pw_child *child) __attribute__((warn_unused_result));

#endif
