/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/privilege.h"

#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "base/why.h"

#define BIT(capability) (1ULL << (capability))

static const uint64_t observing = BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE) | BIT(CAP_DAC_READ_SEARCH);
static const uint64_t attaching = BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_RESOURCE);

static int capabilities_get(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) < 0 ? -errno : 0;
}

static uint64_t mask_of(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

static int keep_only(uint64_t kept, struct pw_why *reterr_why)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	uint64_t permitted;
	int r;

	r = capabilities_get(data);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot read capabilities: %s", strerror(-r));
	/* The bounding set first: shrinking it takes CAP_SETPCAP, which goes next. Without it, nothing can be regained.
	 */
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (!(kept & BIT(capability)))
			(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	permitted = mask_of(data[0].permitted, data[1].permitted) & kept;
	for (int i = 0; i < 2; i++) {
		data[i].permitted = data[i].effective = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return pw_why_set(reterr_why, -errno, "cannot drop capabilities: %s", strerror(errno));
	return 0;
}

int pw_privilege_drop(struct pw_why *reterr_why)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return pw_why_set(reterr_why, -errno, "cannot give up new privileges: %s", strerror(errno));
	return keep_only(observing | attaching, reterr_why);
}

int pw_privilege_drop_admin(struct pw_why *reterr_why)
{
	return keep_only(observing, reterr_why);
}

bool pw_privilege_sufficient(struct pw_why *reterr_why)
{
	struct __user_cap_data_struct data[2] = {0};
	uint64_t effective;

	if (capabilities_get(data) < 0)
		return true; /* whoever tries will tell */
	effective = mask_of(data[0].effective, data[1].effective);
	if (effective & BIT(CAP_SYS_ADMIN) || (effective & BIT(CAP_BPF) && effective & BIT(CAP_PERFMON)))
		return true;
	if (effective & BIT(CAP_SYS_PTRACE))
		return true; /* memory only */
	pw_why_set(reterr_why, -EPERM,
		   "no privilege to observe other processes: run as root, or give the program CAP_BPF, CAP_PERFMON, "
		   "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
	return false;
}
