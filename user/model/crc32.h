/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PW_MODEL_CRC32_H
#define PW_MODEL_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32 of IEEE 802.3 (as zlib and gzip compute it) of size bytes, continuing from crc; 0 to begin. */
uint32_t pw_crc32(uint32_t crc, const void *data, size_t size);

#endif
