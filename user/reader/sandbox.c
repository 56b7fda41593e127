/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * The cage of the reader process. What it may still do: read from descriptors that were handed to it, get and give back
 * anonymous memory that is never executable, talk over its socket, end. A call outside the list fails with EPERM
 * instead of killing: it has no effect either way, and a C library newer than this list then takes its fallback. The
 * only file that knows libseccomp.
 */
#include "reader/sandbox.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/limits.h"
#include "base/macros.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_SANITIZER true
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER false
#endif

PW_DEFINE_CLEANUP(scmp_filter_ctx, seccomp_release);

int pw_sandbox_drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); /* refused by kernels without ambient sets: fine */
	if (syscall(SYS_capset, &header, data))
		return -errno;
	return 0;
}

static int set_limits(void)
{
	const struct {
		int resource; /* int: glibc's enum type differs between C libraries */
		rlim_t limit;
	} limits[] = {
		{RLIMIT_CORE, 0},
		{RLIMIT_FSIZE, 0},
		{RLIMIT_NPROC, 0},
		{RLIMIT_NOFILE, PW_READER_FILES_MAX},
		/* The sanitizer's shadow memory alone is terabytes of address space. */
		{RLIMIT_AS, UNDER_SANITIZER ? RLIM_INFINITY : PW_READER_ADDRESS_SPACE_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit now, wanted = {limits[i].limit, limits[i].limit};

		if (getrlimit((__rlimit_resource_t)limits[i].resource, &now))
			return -errno;
		if (now.rlim_max < wanted.rlim_max)
			wanted.rlim_cur = wanted.rlim_max = now.rlim_max;
		if (setrlimit((__rlimit_resource_t)limits[i].resource, &wanted))
			return -errno;
	}
	return 0;
}

static const int allowed[] = {
	SCMP_SYS(read),		  SCMP_SYS(pread64),	  SCMP_SYS(lseek),	     SCMP_SYS(fstat),
	SCMP_SYS(recvmsg),	  SCMP_SYS(recvfrom),	  SCMP_SYS(sendmsg),	     SCMP_SYS(sendto),
	SCMP_SYS(poll),		  SCMP_SYS(ppoll),	  SCMP_SYS(close),	     SCMP_SYS(brk),
	SCMP_SYS(munmap),	  SCMP_SYS(mremap),	  SCMP_SYS(madvise),	     SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),  SCMP_SYS(gettimeofday), SCMP_SYS(getrandom),	     SCMP_SYS(sysinfo),
	SCMP_SYS(getpid),	  SCMP_SYS(gettid),	  SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit),	  SCMP_SYS(exit_group),
};

/* What AddressSanitizer needs to report; not part of what ships. */
static const int allowed_under_sanitizer[] = {
	SCMP_SYS(write),
	SCMP_SYS(mmap),
	SCMP_SYS(mprotect),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(readlink),
	SCMP_SYS(prctl),
	SCMP_SYS(getrlimit),
	SCMP_SYS(prlimit64),
	SCMP_SYS(readlinkat),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(newfstatat),
	SCMP_SYS(tgkill),
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);

		/* -EDOM: the call does not exist on this architecture */
		if (r && r != -EDOM && r != -EEXIST)
			return r;
	}
	return 0;
}

/* Calls that are harmless with some arguments only. */
static int allow_checked(scmp_filter_ctx filter)
{
	int r;

	/* Anonymous private memory that cannot be executed. */
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
			     SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_SHARED, MAP_ANONYMOUS));
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* fstat() of glibc 2.33 and later; it knows no way to say "only with an empty path". Looking is all it can do.
	 */
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				     SCMP_A3(SCMP_CMP_MASKED_EQ, AT_EMPTY_PATH, AT_EMPTY_PATH));
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFD));
	if (!r)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL));
	return r;
}

int pw_sandbox_enter(void)
{
	_cleanup_(seccomp_releasep) scmp_filter_ctx filter = NULL;
	int r = set_limits();

	if (r)
		return r;
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return -ENOMEM;
	r = allow(filter, allowed, ARRAY_SIZE(allowed));
	if (!r && UNDER_SANITIZER)
		r = allow(filter, allowed_under_sanitizer, ARRAY_SIZE(allowed_under_sanitizer));
	else if (!r)
		r = allow_checked(filter);
	if (!r && UNDER_SANITIZER)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 0);
	return r ? r : seccomp_load(filter);
}
