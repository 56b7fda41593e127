/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/moduledata.h"

#include <elf.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/why.h"
#include "binary/elf.h"

/*
 * How the tables of a stripped binary are found:
 *
 *	pcHeader (start of pclntab)              runtime.firstmoduledata, in writable data
 *	  +0  magic, 0, 0, minLC, ptrSize          +0   pcHeader    ------> the table
 *	  +8  number of functions                  +8   funcnametab ------> the table + names
 *	  +18 textStart (1.18 on; 0 from 1.26)     +88  ftab.len    == functions + 1
 *	  ... offsets of names, units, files,      +b0  text, +b8 etext
 *	      pc-value tables, functions           +1xx gofunc, by version
 *
 * A table is believed when a moduledata points to it in all three ways, and that moduledata is the one: so a magic or a
 * pointer that is there by chance does no harm. In a PIE the pointers are zero in the file and come out of the
 * relocations. The base of all function offsets is moduledata.text, in every version: it is not the start of .text when
 * C code was linked in front, and textStart is 0 from 1.26 on.
 * Sources: src/runtime/symtab.go, src/internal/abi/symtab.go, src/cmd/link/internal/ld/pcln.go, go1.16 to go1.27.
 */

enum { /* offsets in moduledata: the same from 1.16 to 1.27 */
       MODULE_NAMES = 0x8,
       MODULE_FTAB_LEN = 0x88,
       MODULE_TEXT = 0xb0,
       MODULE_ETEXT = 0xb8,
       MODULE_GOFUNC_118 = 0x130,
       MODULE_GOFUNC_120 = 0x140,
       MODULE_GOFUNC_127 = 0x158,
};

#define HEADER_BYTES 72
#define MAGIC_GO12   0xfffffffbU
#define MAGIC_GO116  0xfffffffaU
#define MAGIC_GO118  0xfffffff0U
#define MAGIC_GO120  0xfffffff1U

static int format_of(uint32_t magic)
{
	switch (magic) {
	case MAGIC_GO116:
		return PW_PCLNTAB_GO116;
	case MAGIC_GO118:
		return PW_PCLNTAB_GO118;
	case MAGIC_GO120:
		return PW_PCLNTAB_GO120;
	case MAGIC_GO12:
		return -ENOTSUP;
	default:
		return -ENODATA;
	}
}

/* The linker writes the parts in this order; the last one starts with ftab. */
static bool parts_hold_together(const struct pw_pcheader *header)
{
	return header->function_count && header->function_count <= PW_PCLNTAB_FUNCS_MAX &&
	       header->names >= HEADER_BYTES - 8 && header->names <= header->units && header->units <= header->files &&
	       header->files <= header->pc_values && header->pc_values <= header->functions &&
	       header->functions <= PW_FILE_BYTES_MAX;
}

static int read_header(struct pw_pcheader *ret_header, const struct pw_elf *elf, uint64_t vaddr)
{
	uint8_t raw[HEADER_BYTES] = {};
	struct pw_bytes bytes = pw_bytes_init(raw, sizeof(raw));
	struct pw_pcheader header = {.vaddr = vaddr};
	int format;

	if (pw_elf_read(elf, vaddr, raw, sizeof(raw)) < 0)
		return -EBADMSG;
	format = format_of(pw_bytes_u32(&bytes));
	if (format < 0)
		return format;
	header.format = (enum pw_pclntab_format)format;
	if (pw_bytes_u16(&bytes))
		return -ENODATA;
	header.min_lc = pw_bytes_u8(&bytes);
	if (pw_bytes_u8(&bytes) != sizeof(uint64_t) || header.min_lc != (pw_elf_arch(elf) == PW_ARCH_ARM64 ? 4 : 1))
		return -ENODATA;
	header.function_count = pw_bytes_u64(&bytes);
	pw_bytes_skip(&bytes, header.format == PW_PCLNTAB_GO116 ? 8 : 16); /* nfiles, textStart */
	header.names = pw_bytes_u64(&bytes);
	header.units = pw_bytes_u64(&bytes);
	header.files = pw_bytes_u64(&bytes);
	header.pc_values = pw_bytes_u64(&bytes);
	header.functions = pw_bytes_u64(&bytes);
	if (!parts_hold_together(&header))
		return -EBADMSG;
	*ret_header = header;
	return 0;
}

/* From 1.26 on epclntab stands behind gofunc; of an unknown version this tells which layout it has. */
static uint64_t gofunc_slot(const struct pw_elf *elf, const struct pw_pcheader *header, uint64_t module, int go_minor)
{
	uint64_t after = 0;

	if (header->format == PW_PCLNTAB_GO118)
		return module + MODULE_GOFUNC_118;
	if (go_minor >= 27)
		return module + MODULE_GOFUNC_127;
	if (go_minor < 0 && !pw_elf_read_pointer(elf, module + MODULE_GOFUNC_127 + 8, &after) &&
	    after > header->vaddr + header->functions && after - header->vaddr < PW_FILE_BYTES_MAX)
		return module + MODULE_GOFUNC_127;
	return module + MODULE_GOFUNC_120;
}

/* Does a moduledata at vaddr point to this table? Then reads it. */
static int read_module(struct pw_moduledata *ret_module, const struct pw_elf *elf, const struct pw_pcheader *header,
		       uint64_t vaddr, int go_minor)
{
	struct pw_moduledata module = {.vaddr = vaddr};
	uint64_t start, names, ftab_len;

	if (pw_elf_read_pointer(elf, vaddr, &start) < 0 || start != header->vaddr)
		return -ENODATA;
	if (pw_elf_read_pointer(elf, vaddr + MODULE_NAMES, &names) < 0 || names != header->vaddr + header->names)
		return -ENODATA;
	if (pw_elf_read_pointer(elf, vaddr + MODULE_FTAB_LEN, &ftab_len) < 0 || ftab_len != header->function_count + 1)
		return -ENODATA;
	if (pw_elf_read_pointer(elf, vaddr + MODULE_TEXT, &module.text) < 0 ||
	    pw_elf_read_pointer(elf, vaddr + MODULE_ETEXT, &module.etext) < 0 || module.text >= module.etext)
		return -ENODATA;
	if (header->format != PW_PCLNTAB_GO116 &&
	    pw_elf_read_pointer(elf, gofunc_slot(elf, header, vaddr, go_minor), &module.gofunc) < 0)
		return -ENODATA;
	*ret_module = module;
	return 0;
}

enum { SCAN_GO_ON, SCAN_FOUND };

struct search {
	const struct pw_elf *elf;
	int go_minor;
	unsigned int tries, module_tries;
	bool seen, too_old;
	struct pw_pcheader header;
	struct pw_moduledata module;
};

static int try_module(struct search *search, uint64_t vaddr)
{
	if (search->module_tries++ >= PW_PCLNTAB_TRIES_MAX)
		return -EBADMSG;
	if (read_module(&search->module, search->elf, &search->header, vaddr, search->go_minor) < 0)
		return SCAN_GO_ON;
	return SCAN_FOUND;
}

static int scan_for_module(void *context, uint64_t vaddr, const uint8_t *data, size_t size)
{
	struct search *search = context;
	struct pw_bytes bytes = pw_bytes_init(data, size);
	int r = SCAN_GO_ON;
	uint64_t at;

	while (r == SCAN_GO_ON && pw_bytes_remaining(&bytes) >= sizeof(uint64_t)) {
		at = vaddr + bytes.pos;
		if (pw_bytes_u64(&bytes) == search->header.vaddr)
			r = try_module(search, at);
	}
	return r;
}

static int find_module(struct search *search)
{
	const struct pw_elf_section *section = pw_elf_section(search->elf, ".go.module"); /* 1.26 on */
	size_t cursor = 0;
	uint64_t vaddr;
	int r = SCAN_GO_ON;

	search->module_tries = 0;
	if (section && section->type != SHT_NOBITS)
		r = try_module(search, section->addr);
	while (r == SCAN_GO_ON && !pw_elf_find_relocated(search->elf, search->header.vaddr, &cursor, &vaddr))
		r = try_module(search, vaddr);
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_W, PF_W, PW_PCLNTAB_SCAN_BYTES, scan_for_module, search);
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_W | PF_X, 0, PW_PCLNTAB_SCAN_BYTES, scan_for_module, search);
	return r;
}

/* A candidate for the table. Those without a moduledata are passed over. */
static int try_table(struct search *search, uint64_t vaddr)
{
	int r = read_header(&search->header, search->elf, vaddr);

	if (r == -ENOTSUP)
		search->too_old = true;
	if (r == -EBADMSG || r == 0)
		search->seen = true;
	if (r < 0)
		return SCAN_GO_ON;
	if (search->tries++ >= PW_PCLNTAB_TRIES_MAX)
		return -EBADMSG;
	r = find_module(search);
	return r == -EBADMSG ? SCAN_GO_ON : r;
}

/* The magics differ in the low byte of the first word only, and two zero bytes follow. */
static int scan_for_table(void *context, uint64_t vaddr, const uint8_t *data, size_t size)
{
	int r = SCAN_GO_ON;

	for (size_t at = 0; r == SCAN_GO_ON && size - at >= 8; at += 8)
		if (data[at] >= 0xf0 && data[at + 1] == 0xff && data[at + 2] == 0xff && data[at + 3] == 0xff &&
		    !data[at + 4] && !data[at + 5] && data[at + 7] == sizeof(uint64_t))
			r = try_table(context, vaddr + at);
	return r;
}

static int find_table(struct search *search)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	const struct pw_elf_section *section;
	int r = SCAN_GO_ON;

	for (size_t i = 0; r == SCAN_GO_ON && i < ARRAY_SIZE(names); i++) {
		section = pw_elf_section(search->elf, names[i]);
		if (section && section->type != SHT_NOBITS && section->size)
			r = try_table(search, section->addr);
	}
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_X, 0, PW_PCLNTAB_SCAN_BYTES, scan_for_table, search);
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_X, PF_X, PW_PCLNTAB_SCAN_BYTES, scan_for_table, search);
	return r;
}

int pw_moduledata_find(struct pw_moduledata *ret_module, struct pw_pcheader *ret_header, const struct pw_elf *elf,
		       int go_minor, struct pw_why *reterr_why)
{
	struct search search = {.elf = elf, .go_minor = go_minor};
	int r = find_table(&search);

	if (r == SCAN_FOUND) {
		*ret_module = search.module;
		*ret_header = search.header;
		return 0;
	}
	if (r == SCAN_GO_ON && search.seen)
		return pw_why_set(reterr_why, -EBADMSG, "no moduledata fits its function table (pclntab)");
	if (r == SCAN_GO_ON && search.too_old)
		return pw_why_set(reterr_why, -ENOTSUP, "its function table (pclntab) is of Go 1.15 or earlier");
	if (r == SCAN_GO_ON)
		return pw_why_set(reterr_why, -ENODATA, "no function table (pclntab) in the file");
	return pw_why_set(reterr_why, r, "its function table (pclntab) cannot be found: %s", strerrordesc_np(-r));
}
