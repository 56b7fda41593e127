/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/capable.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/macros.h"

bool pw_capable(int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
	uint64_t effective;

	if (capability < 0 || capability > CAP_LAST_CAP || syscall(SYS_capget, &header, data) < 0)
		return false;
	effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	return effective >> capability & 1;
}
