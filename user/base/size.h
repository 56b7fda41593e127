/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdint.h>

/* Bytes for people, in powers of 1024, at most four digits: "512 B", "12.3 KiB", "1023 MiB", "4.2 GiB". Returns text.
 */
#define PW_SIZE_TEXT_SIZE 16
const char *pw_size_text(uint64_t bytes, char text[PW_SIZE_TEXT_SIZE]);
/* With its sign: "+12.3 KiB", "-512 B", "0 B". */
const char *pw_size_change_text(int64_t bytes, char text[PW_SIZE_TEXT_SIZE]);
