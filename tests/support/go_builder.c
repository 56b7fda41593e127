/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/go_builder.h"

#include <assert.h>
#include <string.h>

#define TEXT_SIZE 0x200
#define NO_OFFSET 0xffffffffU

static void put(uint8_t *to, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * i);
}

struct parts { /* while the tables are written */
	struct go_builder *go;
	size_t at;
	size_t gopark, main_name, inner;		      /* names */
	size_t frame, proc, line, main_file, main_line, tree; /* pc-value tables */
};

static size_t text(struct parts *parts, const char *name)
{
	size_t at = parts->at;

	memcpy(parts->go->tables + at, name, strlen(name) + 1);
	parts->at += strlen(name) + 1;
	return at;
}

/* A pc-value table: pairs of the value and the number of bytes that it holds for, ended by a length of 0. */
static size_t values(struct parts *parts, const int (*pairs)[2])
{
	uint8_t *tables = parts->go->tables;
	size_t start = parts->at;
	int value = -1;

	for (; (*pairs)[1]; pairs++) {
		int change = (*pairs)[0] - value;
		unsigned int numbers[2] = {(unsigned int)change << 1 ^ (change < 0 ? ~0U : 0),
					   (unsigned int)(*pairs)[1]};

		value = (*pairs)[0];
		for (size_t i = 0; i < 2; i++) {
			for (; numbers[i] >= 0x80; numbers[i] >>= 7)
				tables[parts->at++] = (uint8_t)(numbers[i] | 0x80);
			tables[parts->at++] = (uint8_t)numbers[i];
		}
	}
	tables[parts->at++] = 0;
	return start - parts->go->pc_values;
}

static void put_strings(struct parts *parts)
{
	struct go_builder *go = parts->go;

	go->names = parts->at;
	text(parts, "");
	parts->gopark = text(parts, "runtime.gopark") - go->names;
	parts->main_name = text(parts, "main.main") - go->names;
	parts->inner = text(parts, "main.inner") - go->names;
	parts->at = (parts->at + 7) / 8 * 8;
	go->units = parts->at;
	go->files = go->units + 16;
	parts->at = go->files;
	put(go->tables + go->units, text(parts, "/src/runtime/proc.go") - go->files, 4);
	put(go->tables + go->units + 4, text(parts, "/src/main.go") - go->files, 4);
	put(go->tables + go->units + 8, text(parts, "/src/inner.go") - go->files, 4);
	put(go->tables + go->units + 12, NO_OFFSET, 4);
	parts->at = (parts->at + 7) / 8 * 8;
}

static void put_values(struct parts *parts)
{
	parts->go->pc_values = parts->at++; /* offset 0 means none */
	parts->frame = values(parts, (const int[][2]){{0, 0x10}, {0x20, 0xb0}, {}});
	parts->proc = values(parts, (const int[][2]){{0, 0xc0}, {}});
	parts->line = values(parts, (const int[][2]){{381, 0x20}, {402, 0xa0}, {}});
	parts->main_file = values(parts, (const int[][2]){{1, 0x40}, {2, 0x20}, {1, 0xa0}, {}});
	parts->main_line =
		values(parts, (const int[][2]){{10, 0x20}, {12, 0x20}, {7, 0x10}, {8, 0x10}, {13, 0xa0}, {}});
	parts->tree = values(parts, (const int[][2]){{-1, 0x40}, {0, 0x20}, {-1, 0xa0}, {}});
	parts->at = (parts->at + 7) / 8 * 8;
}

struct function {
	uint64_t start;
	size_t name, pcsp, pcfile, pcln;
	uint8_t id;
	bool inlines;
};

/* runtime._func with pcdata and funcdata behind it. Returns its offset in `functions`. */
static size_t put_function(struct parts *parts, const struct function *function)
{
	struct go_builder *go = parts->go;
	size_t start = parts->at, old = go->format == GO_117;
	uint8_t *to = go->tables + start;

	put(to, old ? GO_TEXT + function->start : function->start, old ? 8 : 4);
	to += old ? 8 : 4;
	put(to, function->name, 4);
	put(to + 12, function->pcsp, 4);
	put(to + 16, function->pcfile, 4);
	put(to + 20, function->pcln, 4);
	put(to + 24, function->inlines ? 3 : 0, 4);
	put(to + 28, 0, 4);
	to += go->format >= GO_124 ? 36 : 32; /* startLine */
	to[0] = function->id;
	to[1] = 1;
	to[3] = function->inlines ? 4 : 0;
	to += 4;
	if (function->inlines) {
		put(to + 8, parts->tree, 4);
		to += 12;
		if (old) {
			to += (size_t)(to - go->tables) % 8;
			put(to + 24, GO_FUNCDATA + 0x10, 8);
			to += 32;
		} else {
			memset(to, 0xff, 12);
			put(to + 12, 0x10, 4);
			to += 16;
		}
	}
	parts->at = ((size_t)(to - go->tables) + 7) / 8 * 8;
	return start - go->functions;
}

static void put_ftab(struct go_builder *go, size_t index, uint64_t start, size_t record)
{
	uint8_t *to = go->tables + go->functions;

	if (go->format == GO_117) {
		put(to + index * 16, GO_TEXT + start, 8);
		put(to + index * 16 + 8, record, 8);
	} else {
		put(to + index * 8, start, 4);
		put(to + index * 8 + 4, record, 4);
	}
}

static uint8_t wrapper_id(enum go_format format)
{
	return format == GO_117 ? 22 : format == GO_119 ? 21 : format == GO_124 ? 22 : 23;
}

static void put_functions(struct parts *parts)
{
	struct function functions[3] = {
		{0, parts->gopark, 0, 0, 0, wrapper_id(parts->go->format), false},
		{0x40, parts->gopark, parts->frame, parts->proc, parts->line, 0, false},
		{0x100, parts->main_name, 0, parts->main_file, parts->main_line, 0, true},
	};

	parts->go->functions = parts->at;
	parts->at += 4 * 16;
	for (size_t i = 0; i < 3; i++)
		put_ftab(parts->go, i, functions[i].start, put_function(parts, &functions[i]));
	put_ftab(parts->go, 3, TEXT_SIZE, 0);
	assert(parts->at < GO_FUNCDATA - GO_TABLES);
}

/* The inline tree: one node, main.inner. */
static void put_tree(struct parts *parts)
{
	uint8_t *node = parts->go->tables + (GO_FUNCDATA - GO_TABLES) + 0x10;

	if (parts->go->format >= GO_124) {
		put(node + 4, parts->inner, 4);
		put(node + 8, 0x30, 4); /* parentPc: a pc in line 12 */
		put(node + 12, 6, 4);
	} else {
		put(node, 0xffff, 2); /* no parent */
		put(node + 4, 1, 4);  /* file and line of the call */
		put(node + 8, 12, 4);
		put(node + 12, parts->inner, 4);
	}
}

static void put_header(struct go_builder *go)
{
	uint8_t *to = go->tables;
	size_t offsets[] = {go->names, go->units, go->files, go->pc_values, go->functions};

	put(to, go->format == GO_117 ? 0xfffffffa : go->format == GO_119 ? 0xfffffff0 : 0xfffffff1, 4);
	to[6] = go->elf.header.e_machine == EM_AARCH64 ? 4 : 1;
	to[7] = 8;
	put(to + 8, 3, 8);
	put(to + 16, 3, 8);
	to += 24;
	if (go->format != GO_117) {
		put(to, go->format == GO_127 || go->pie ? 0 : GO_TEXT, 8);
		to += 8;
	}
	for (size_t i = 0; i < 5; i++)
		put(to + 8 * i, offsets[i], 8);
}

static void put_module(struct go_builder *go)
{
	size_t gofunc = go->format == GO_119 ? 0x130 : go->format == GO_124 ? 0x140 : 0x158;

	put(go->data, GO_TABLES, 8);
	put(go->data + 0x08, GO_TABLES + go->names, 8);
	put(go->data + 0x80, GO_TABLES + go->functions, 8);
	put(go->data + 0x88, 4, 8);
	put(go->data + 0xb0, GO_TEXT, 8);
	put(go->data + 0xb8, GO_TEXT + TEXT_SIZE, 8);
	if (go->format != GO_117)
		put(go->data + gofunc, GO_FUNCDATA, 8);
	if (go->format == GO_127)
		put(go->data + gofunc + 8, GO_FUNCDATA, 8); /* epclntab */
}

void go_builder_init(struct go_builder *builder, enum go_format format, bool pie)
{
	struct parts parts = {.go = builder, .at = 80};

	*builder = (struct go_builder){.format = format, .pie = pie};
	elf_builder_init(&builder->elf, pie ? ET_DYN : ET_EXEC, EM_X86_64);
	put_strings(&parts);
	put_values(&parts);
	put_functions(&parts);
	put_tree(&parts);
	put_header(builder);
	put_module(builder);
}

static size_t put_uvarint(uint8_t *to, size_t value)
{
	size_t n = 0;

	for (; value >= 0x80; value >>= 7)
		to[n++] = (uint8_t)(value | 0x80);
	to[n++] = (uint8_t)value;
	return n;
}

/* Inline strings from 1.18 on; before, pointers to string headers. */
static void put_blob(struct go_builder *go)
{
	uint8_t *blob = go->data + (GO_BLOB - GO_DATA), *to = blob + 32;
	const char *strings[] = {go->version, go->modules ? go->modules : ""};

	memcpy(blob, "\xff Go buildinf:", 14);
	blob[14] = 8;
	blob[15] = go->format == GO_117 ? 0 : 2;
	for (size_t i = 0; i < 2; i++) {
		size_t size = strlen(strings[i]);

		if (go->format == GO_117) {
			put(blob + 16 + 8 * i, GO_BLOB + 0x40 + 16 * i, 8);
			put(blob + 0x40 + 16 * i, GO_BLOB + 0x80 + 0x400 * i, 8);
			put(blob + 0x48 + 16 * i, size, 8);
			memcpy(blob + 0x80 + 0x400 * i, strings[i], size);
		} else {
			to += put_uvarint(to, size);
			memcpy(to, strings[i], size);
			to += size;
		}
	}
}

/* Moves each word of a part that is an address into a relocation, out of order as Go's linker writes them. */
static size_t relocate(uint8_t *part, size_t size, uint64_t vaddr, Elf64_Rela *relocs)
{
	size_t count = 0;

	for (size_t at = size; at >= 8; at -= 8) {
		uint64_t value;

		memcpy(&value, part + at - 8, 8);
		if (value < GO_TEXT || value >= GO_DATA + sizeof(((struct go_builder *)0)->data))
			continue;
		relocs[count++] = (Elf64_Rela){vaddr + at - 8, ELF64_R_INFO(0, R_X86_64_RELATIVE), (int64_t)value};
		memset(part + at - 8, 0, 8);
	}
	return count;
}

static void put_relocs(struct go_builder *go)
{
	Elf64_Rela relocs[256] = {};
	Elf64_Dyn dynamic[] = {{DT_RELA, {0x700000}}, {DT_RELASZ, {}}, {DT_FLAGS_1, {0x08000000}}, {DT_NULL, {}}};
	size_t count = relocate(go->data, sizeof(go->data), GO_DATA, relocs);

	count += relocate(go->tables, sizeof(go->tables), GO_TABLES, relocs + count);
	assert(count && count <= 256);
	dynamic[1].d_un.d_val = count * sizeof(relocs[0]);
	elf_builder_segment(&go->elf, PT_LOAD, PF_R, 0x700000, relocs, count * sizeof(relocs[0]));
	elf_builder_segment(&go->elf, PT_DYNAMIC, PF_R, 0x708000, dynamic, sizeof(dynamic));
}

int go_builder_finish(struct go_builder *builder)
{
	uint8_t code[TEXT_SIZE];
	const Elf64_Phdr *tables;
	Elf64_Shdr *blob;

	memset(code, 0x90, sizeof(code));
	if (builder->version)
		put_blob(builder);
	if (builder->pie)
		put_relocs(builder);
	elf_builder_segment(&builder->elf, PT_LOAD, PF_R | PF_X, GO_TEXT, code, sizeof(code));
	tables = elf_builder_segment(&builder->elf, PT_LOAD, PF_R, GO_TABLES, builder->tables, sizeof(builder->tables));
	elf_builder_segment(&builder->elf, PT_LOAD, PF_R | PF_W, GO_DATA, builder->data, sizeof(builder->data));
	if (!builder->without_sections) {
		elf_builder_section(&builder->elf, ".gopclntab", SHT_PROGBITS, tables);
		if (builder->version) {
			blob = elf_builder_section(&builder->elf, ".go.buildinfo", SHT_PROGBITS, tables + 1);
			blob->sh_addr += GO_BLOB - GO_DATA;
			blob->sh_offset += GO_BLOB - GO_DATA;
			blob->sh_size -= GO_BLOB - GO_DATA;
		}
	}
	return elf_builder_file(&builder->elf);
}
