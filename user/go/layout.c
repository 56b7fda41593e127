/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Field offsets by Go version and architecture, from the generated tables. What a table says is not believed by itself:
 * calibrate.c holds it against the machine code, target/ against the live process.
 */
#include "go/layout.h"

#include <errno.h>

#include "go/layout_tables.h"

#define TYPE_PREFIX "runtime."

static const struct {
	const char *type, *path;
} fields[_PW_FIELD_MAX] = {
#define X(name, type, path) [PW_FIELD_##name] = {type, path},
	PW_FIELDS(X)
#undef X
};

static const char *const field_names[_PW_FIELD_MAX] = {
#define X(name, type, path) [PW_FIELD_##name] = type "." path,
	PW_FIELDS(X)
#undef X
};

const char *pw_field_name(enum pw_field field)
{
	if ((unsigned int)field >= _PW_FIELD_MAX)
		return "?";
	if (!fields[field].path[0]) /* the size of the struct: "runtime.g." */
		return fields[field].type + sizeof(TYPE_PREFIX) - 1;
	return field_names[field] + sizeof(TYPE_PREFIX) - 1;
}

int pw_layout_oldest(void)
{
	return pw_layout_versions[0].go_minor;
}

int pw_layout_newest(void)
{
	return pw_layout_versions[PW_LAYOUT_VERSIONS - 1].go_minor;
}

/* The column of the table for a version: its own or, if it is newer than all, the newest one. */
static size_t column_for(int go_minor)
{
	for (size_t i = 0; i < PW_LAYOUT_VERSIONS; i++)
		if (pw_layout_versions[i].go_minor == go_minor)
			return i;
	return PW_LAYOUT_VERSIONS - 1;
}

int pw_layout_for(struct pw_layout *ret_layout, enum pw_arch arch, int go_minor)
{
	const int32_t(*table)[PW_LAYOUT_VERSIONS];
	const struct pw_layout_version *version;
	size_t column;

	if (go_minor < pw_layout_oldest())
		return -ENOTSUP;
	if (arch == PW_ARCH_AMD64)
		table = pw_layout_amd64;
	else if (arch == PW_ARCH_ARM64)
		table = pw_layout_arm64;
	else
		return -ENOTSUP;

	column = column_for(go_minor);
	version = &pw_layout_versions[column];
	ret_layout->go_minor = version->go_minor;
	ret_layout->exact = version->exact && version->go_minor == go_minor;
	for (size_t i = 0; i < _PW_FIELD_MAX; i++) {
		ret_layout->offset[i] = table[i][column];
		if (table[i][column] == PW_OFFSET_NONE)
			ret_layout->trust[i] = PW_TRUST_NONE;
		else
			ret_layout->trust[i] = ret_layout->exact ? PW_TRUST_TABLE : PW_TRUST_NEAR_TABLE;
	}
	return 0;
}
