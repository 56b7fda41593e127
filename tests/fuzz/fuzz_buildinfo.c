/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "fuzz/file_input.h"

#include <string.h>

#include "binary/buildinfo.h"
#include "binary/elf.h"

static void check_text(const char *text, size_t size)
{
	if (!memchr(text, '\0', size))
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pw_buildinfo info;
	struct pw_elf *elf;

	if (pw_elf_open(&elf, file_input(data, size), NULL))
		return 0;
	if (!pw_buildinfo_read(&info, elf, NULL)) {
		check_text(info.go_version, sizeof(info.go_version));
		check_text(info.main_path, sizeof(info.main_path));
		check_text(info.module, sizeof(info.module));
		check_text(info.module_version, sizeof(info.module_version));
		check_text(info.revision, sizeof(info.revision));
		check_text(info.build_mode, sizeof(info.build_mode));
		check_text(info.experiments, sizeof(info.experiments));
		if (info.go_minor < -1 || info.go_minor > 999)
			__builtin_trap();
	}
	pw_elf_free(elf);
	return 0;
}
