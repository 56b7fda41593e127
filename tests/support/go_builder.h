/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include "support/elf_builder.h"

/*
 * A small Go program as the linker of any format would write it: text, a function table, moduledata and build info, for
 * versions that no toolchain at hand builds (1.17) and for lies. The parts are at fixed addresses and may be changed in
 * `tables` and `data` before go_builder_finish.
 *
 *	runtime.gopark  [TEXT, +0x40)      an ABI wrapper of the same name as
 *	runtime.gopark  [+0x40, +0x100)    frame size 0, from +0x50 on 0x20; proc.go:381, from +0x60 on 402
 *	main.main       [+0x100, +0x200)   main.go:10; main.inner (inner.go:7, 8) inlined in [+0x140, +0x160), called in
 *line 12
 */
#define GO_TEXT	    0x401000ULL
#define GO_TABLES   0x500000ULL /* pclntab */
#define GO_FUNCDATA 0x501000ULL /* go:func.*, in the same segment */
#define GO_DATA	    0x600000ULL /* moduledata */
#define GO_BLOB	    0x601000ULL /* build info, in the same segment */

enum go_format { GO_117 = 17, GO_119 = 19, GO_124 = 24, GO_127 = 27 };

struct go_builder {
	struct elf_builder elf;
	enum go_format format;
	uint8_t tables[0x1100], data[0x1a00];
	size_t names, units, files, pc_values, functions; /* offsets in tables, as the header says */
	bool pie;					  /* pointers are relocations and zero in the file */
	bool without_sections;
	const char *version, *modules; /* of the build info; NULL: none */
};

void go_builder_init(struct go_builder *builder, enum go_format format, bool pie);
/* The file, as a memfd of the caller's. */
int go_builder_finish(struct go_builder *builder);
