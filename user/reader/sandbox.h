/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_READER_SANDBOX_H
#define PW_READER_SANDBOX_H

/*
 * Gives up what the process that parses foreign files does not need, for good: capabilities, new privileges, core
 * dumps, files of its own, address space above the cap, and by seccomp every system call but reading open files, memory
 * and the socket. 0 or -errno; the caller must not go on after an error.
 */
int pw_sandbox_drop_privileges(void) __attribute__((warn_unused_result));
int pw_sandbox_enter(void) __attribute__((warn_unused_result));

#endif
