/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "model/ages.h"

/* What somebody behind the daemon's socket says of ages: every entry, and the list written and read again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(PW_AGES_BYTES_MAX);
	struct pw_ages_head head, head_again;
	struct pw_age *ages = NULL, *again = NULL, before = {0};
	size_t count, count_again;

	if (pw_ages_read(data, size, &head, &ages, &count, NULL) < 0)
		return 0;
	if (pw_ages_write_head(&out, &head) < 0)
		__builtin_trap();
	for (size_t i = 0; i < count; i++) {
		if (pw_ages_find(ages, count, ages[i].goid) != &ages[i] || pw_ages_write(&out, &before, &ages[i]) < 0)
			__builtin_trap();
		before = ages[i];
	}
	if (pw_ages_read(out.data, out.size, &head_again, &again, &count_again, NULL) < 0 || count_again != count)
		__builtin_trap();
	free(again);
	free(ages);
	return 0;
}
