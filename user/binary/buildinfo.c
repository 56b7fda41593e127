/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "binary/buildinfo.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/macros.h"
#include "base/why.h"
#include "binary/disasm.h"
#include "binary/elf.h"
#include "binary/pclntab.h"

/*
 * The blob of src/debug/buildinfo/buildinfo.go, 16-aligned:
 *
 *	0   "\xff Go buildinf:"       14 bytes
 *	14  pointer size              1 byte
 *	15  flags                     bit 0 big endian, bit 1 strings inline (Go 1.18 and later)
 *	16  without bit 1: pointers to the string headers (data, length) of version and module list,
 *	    relocated in a PIE
 *	32  with bit 1: version and module list, each a uvarint length and the bytes
 *
 * The module list is framed by 16 bytes on either side and has lines "path\t..", "mod\t..", "dep\t..", "build\tK=V".
 *
 * Some take the blob out of what they ship (esbuild does). Such a program still has its function table, and
 * runtime.schedinit, which checks that runtime.buildVersion is not empty: the string that it looks at is the version.
 */

#define MAGIC	   "\xff Go buildinf:"
#define MAGIC_SIZE 14
#define BLOB_SIZE  32
#define FRAME_SIZE 16

enum { FLAG_BIG_ENDIAN = 1, FLAG_INLINE = 2 };

struct strings { /* owned, and a NUL behind each; the frame of modules has a NUL in it, too */
	char *version, *modules;
	size_t version_size, modules_size;
};

static void strings_done(struct strings *strings)
{
	free(strings->version);
	free(strings->modules);
}

static int read_text(char **ret_text, size_t *ret_size, const struct pw_elf *elf, uint64_t vaddr, uint64_t size,
		     uint64_t max)
{
	_cleanup_free_ char *text = NULL;
	int r;

	if (size > max)
		return -EBADMSG;
	text = malloc((size_t)size + 1);
	if (!text)
		return -ENOMEM;
	r = size ? pw_elf_read(elf, vaddr, text, (size_t)size) : 0;
	if (r < 0)
		return -EBADMSG;
	text[size] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = (size_t)size;
	return 0;
}

/* A uvarint length and the bytes; *vaddr moves behind them. */
static int read_inline(char **ret_text, size_t *ret_size, const struct pw_elf *elf, uint64_t *vaddr, uint64_t max)
{
	uint64_t size = 0;
	unsigned int shift = 0;
	uint8_t byte = 0x80;
	int r;

	for (; byte & 0x80; shift += 7, (*vaddr)++) {
		if (shift > 28 || pw_elf_read(elf, *vaddr, &byte, 1) < 0)
			return -EBADMSG;
		size |= (uint64_t)(byte & 0x7f) << shift;
	}
	r = read_text(ret_text, ret_size, elf, *vaddr, size, max);
	*vaddr += size;
	return r;
}

static int read_indirect(char **ret_text, size_t *ret_size, const struct pw_elf *elf, uint64_t slot, uint64_t max)
{
	uint64_t header, data, size;

	if (pw_elf_read_pointer(elf, slot, &header) < 0)
		return -EBADMSG;
	if (!header) { /* no module list: built outside of any module */
		*ret_size = 0;
		*ret_text = strdup("");
		return *ret_text ? 0 : -ENOMEM;
	}
	if (pw_elf_read_pointer(elf, header, &data) < 0 || pw_elf_read_pointer(elf, header + 8, &size) < 0)
		return -EBADMSG;
	return read_text(ret_text, ret_size, elf, data, size, max);
}

/* Printable ASCII, as every version string is: it is shown, and decides how the binary is read. */
static bool is_version(const char *text, size_t size)
{
	if (strncmp(text, "go", 2) && strncmp(text, "devel ", 6))
		return false;
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

static int read_blob(struct strings *strings, const struct pw_elf *elf, uint64_t vaddr)
{
	uint8_t blob[BLOB_SIZE] = {};
	uint64_t at = vaddr + BLOB_SIZE;
	int r;

	if (pw_elf_read(elf, vaddr, blob, sizeof(blob)) < 0 || memcmp(blob, MAGIC, MAGIC_SIZE))
		return -EBADMSG;
	if (blob[15] & FLAG_BIG_ENDIAN)
		return -EBADMSG;
	if (blob[15] & FLAG_INLINE) {
		r = read_inline(&strings->version, &strings->version_size, elf, &at, PW_BUILDINFO_VERSION_MAX);
		if (!r)
			r = read_inline(&strings->modules, &strings->modules_size, elf, &at, PW_BUILDINFO_MODINFO_MAX);
	} else {
		if (blob[14] != sizeof(uint64_t))
			return -EBADMSG;
		r = read_indirect(&strings->version, &strings->version_size, elf, vaddr + 16, PW_BUILDINFO_VERSION_MAX);
		if (!r)
			r = read_indirect(&strings->modules, &strings->modules_size, elf, vaddr + 24,
					  PW_BUILDINFO_MODINFO_MAX);
	}
	return !r && !is_version(strings->version, strings->version_size) ? -EBADMSG : r;
}

struct search {
	const struct pw_elf *elf;
	struct strings strings;
	unsigned int tries;
	bool seen;
};

enum { SCAN_GO_ON, SCAN_FOUND };

/* A place with the magic that does not parse is passed over: the linker's own tools hold the magic as a constant. */
static int try_blob(struct search *search, uint64_t vaddr)
{
	int r;

	search->seen = true;
	if (search->tries++ >= PW_BUILDINFO_TRIES_MAX)
		return -EBADMSG;
	strings_done(&search->strings);
	search->strings = (struct strings){};
	r = read_blob(&search->strings, search->elf, vaddr);
	if (!r)
		return SCAN_FOUND;
	return r == -EBADMSG ? SCAN_GO_ON : r;
}

static int scan_chunk(void *context, uint64_t vaddr, const uint8_t *data, size_t size)
{
	int r = SCAN_GO_ON;

	for (size_t at = 0; r == SCAN_GO_ON && size - at >= FRAME_SIZE; at += FRAME_SIZE)
		if (data[at] == 0xff && !memcmp(data + at, MAGIC, MAGIC_SIZE))
			r = try_blob(context, vaddr + at);
	return r;
}

/* The section, else writable data (where the blob was put up to 1.2x), else read-only data. */
static int find(struct search *search)
{
	const struct pw_elf_section *section = pw_elf_section(search->elf, ".go.buildinfo");
	int r = SCAN_GO_ON;

	if (section && section->type != SHT_NOBITS && section->size >= BLOB_SIZE)
		r = try_blob(search, section->addr);
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_X | PF_W, PF_W, PW_BUILDINFO_SCAN_BYTES, scan_chunk, search);
	if (r == SCAN_GO_ON)
		r = pw_elf_scan(search->elf, PF_X | PF_W, 0, PW_BUILDINFO_SCAN_BYTES, scan_chunk, search);
	return r;
}

/* Copies [text, text + size), cut to what fits. */
static void copy(char *to, size_t to_size, const char *text, size_t size)
{
	size = PW_MIN(size, to_size - 1);
	memcpy(to, text, size);
	to[size] = '\0';
}

/* "go1.27.3" -> 27. Pre-releases, vendor suffixes ("go1.22.1-microsoft") and "devel go1.28-abc" count as their minor.
 */
static int parse_minor(const char *version)
{
	const char *at = version;
	int minor = 0, digits = 0;

	if (!strncmp(at, "devel ", 6))
		at += 6;
	if (strncmp(at, "go1.", 4))
		return -1;
	for (at += 4; *at >= '0' && *at <= '9' && digits < 3; at++, digits++)
		minor = minor * 10 + (*at - '0');
	if (!digits || (*at >= '0' && *at <= '9'))
		return -1;
	if (*at && !strchr(".-+ ", *at) && strncmp(at, "rc", 2) && strncmp(at, "beta", 4))
		return -1;
	return minor;
}

/* Build settings: https://pkg.go.dev/runtime/debug#BuildSetting. Values with odd characters are quoted; none of ours.
 */
static void take_setting(struct pw_buildinfo *info, const char *setting, size_t size)
{
	const char *equals = memchr(setting, '=', size), *value;
	size_t key_size, value_size;

	if (!equals)
		return;
	key_size = (size_t)(equals - setting);
	value = equals + 1;
	value_size = size - key_size - 1;
	if (value_size >= 2 && value[0] == '"' && value[value_size - 1] == '"') {
		value++;
		value_size -= 2;
	}
#define IS(text, text_size, word) ((text_size) == strlen(word) && !memcmp((text), (word), strlen(word)))
	if (IS(setting, key_size, "vcs.revision"))
		copy(info->revision, sizeof(info->revision), value, value_size);
	else if (IS(setting, key_size, "vcs.modified"))
		info->modified = IS(value, value_size, "true");
	else if (IS(setting, key_size, "CGO_ENABLED"))
		info->cgo = IS(value, value_size, "1");
	else if (IS(setting, key_size, "-race") || IS(setting, key_size, "-msan") || IS(setting, key_size, "-asan"))
		info->instrumented |= IS(value, value_size, "true");
	else if (IS(setting, key_size, "-buildmode"))
		copy(info->build_mode, sizeof(info->build_mode), value, value_size);
	else if (IS(setting, key_size, "GOEXPERIMENT"))
		copy(info->experiments, sizeof(info->experiments), value, value_size);
#undef IS
}

static void take_line(struct pw_buildinfo *info, const char *line, size_t size)
{
	const char *tab = memchr(line, '\t', size), *rest, *next;
	size_t rest_size;

	if (!tab)
		return;
	rest = tab + 1;
	rest_size = size - (size_t)(rest - line);
	if (!strncmp(line, "path\t", 5)) {
		copy(info->main_path, sizeof(info->main_path), rest, rest_size);
	} else if (!strncmp(line, "mod\t", 4)) {
		next = memchr(rest, '\t', rest_size);
		copy(info->module, sizeof(info->module), rest, next ? (size_t)(next - rest) : rest_size);
		if (!next)
			return;
		rest_size -= (size_t)(next + 1 - rest);
		rest = next + 1;
		next = memchr(rest, '\t', rest_size);
		copy(info->module_version, sizeof(info->module_version), rest,
		     next ? (size_t)(next - rest) : rest_size);
	} else if (!strncmp(line, "build\t", 6)) {
		take_setting(info, rest, rest_size);
	}
}

static void take_modules(struct pw_buildinfo *info, const char *modules, size_t size)
{
	size_t line_size;
	const char *newline;

	if (size < 2 * FRAME_SIZE + 1 || modules[size - FRAME_SIZE - 1] != '\n')
		return; /* src/debug/buildinfo takes it for absent, too */
	modules += FRAME_SIZE;
	size -= 2 * FRAME_SIZE;
	while (size && (newline = memchr(modules, '\n', size))) {
		line_size = (size_t)(newline - modules);
		take_line(info, modules, line_size);
		size -= line_size + 1;
		modules = newline + 1;
	}
}

static void take_version(struct pw_buildinfo *info, const char *version)
{
	const char *experiments = strstr(version, " X:");

	copy(info->go_version, sizeof(info->go_version), version,
	     experiments ? (size_t)(experiments - version) : strlen(version));
	info->go_minor = parse_minor(version);
	if (experiments)
		copy(info->experiments, sizeof(info->experiments), experiments + 3, strcspn(experiments + 3, " "));
}

/* The string whose header is at vaddr, if it is a version. */
static bool read_version_at(char *version, size_t size, const struct pw_elf *elf, uint64_t vaddr)
{
	uint64_t data, length;

	if (pw_elf_read_pointer(elf, vaddr, &data) < 0 || pw_elf_read_pointer(elf, vaddr + 8, &length) < 0)
		return false;
	if (length < strlen("go1.2") || length >= size || pw_elf_read(elf, data, version, (size_t)length) < 0)
		return false;
	version[length] = '\0';
	return is_version(version, (size_t)length) && strlen(version) == length;
}

static bool find_build_version(char *version, size_t size, const struct pw_elf *elf, const struct pw_pclntab *table)
{
	struct pw_func func;
	struct pw_code code;
	bool found = false;
	uint64_t address;

	if (pw_pclntab_func_by_name(table, "runtime.schedinit", &func) < 0 ||
	    pw_code_read(&code, elf, func.entry, func.end, NULL) < 0)
		return false;
	for (size_t i = 0; !found && i < code.count; i++) {
		for (uint8_t n = 0; !found && n < code.insn[i].operand_count; n++) {
			address = code.insn[i].operand[n].address;
			found = address >= 8 && (read_version_at(version, size, elf, address - 8) ||
						 read_version_at(version, size, elf, address));
		}
	}
	pw_code_done(&code);
	return found;
}

/* Only where a section names the function table: other programs of a host are not searched for one. */
static int read_without_blob(struct pw_buildinfo *ret_info, const struct pw_elf *elf)
{
	char version[PW_BUILDINFO_VERSION_MAX] = "";
	struct pw_pclntab *table;

	if (!pw_elf_section(elf, ".gopclntab") && !pw_elf_section(elf, ".data.rel.ro.gopclntab"))
		return -ENODATA;
	if (pw_pclntab_open(&table, elf, -1, NULL) < 0)
		return -ENODATA;
	*ret_info = (struct pw_buildinfo){.go_minor = -1};
	if (find_build_version(version, sizeof(version), elf, table))
		take_version(ret_info, version);
	pw_pclntab_free(table);
	return 0;
}

int pw_buildinfo_read(struct pw_buildinfo *ret_info, const struct pw_elf *elf, struct pw_why *reterr_why)
{
	struct search search = {.elf = elf};
	struct pw_buildinfo info = {};
	int r = find(&search);

	if (r == SCAN_FOUND) {
		take_modules(&info, search.strings.modules, search.strings.modules_size);
		take_version(&info, search.strings.version);
		*ret_info = info;
		r = 0;
	} else if (r == SCAN_GO_ON && !read_without_blob(ret_info, elf)) {
		r = 0;
	} else if (r == SCAN_GO_ON && search.seen) {
		r = pw_why_set(reterr_why, -EBADMSG, "its Go build info cannot be read");
	} else if (r == SCAN_GO_ON) {
		r = pw_why_set(reterr_why, -ENODATA, "no Go build info: not a Go program, or packed");
	} else {
		pw_why_set(reterr_why, r, "its Go build info cannot be read: %s", strerrordesc_np(-r));
	}
	strings_done(&search.strings);
	return r;
}
