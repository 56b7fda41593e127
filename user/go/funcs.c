/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "go/funcs.h"

#include <errno.h>
#include <string.h>

#include "base/why.h"

static const char *const names[_PW_FUNC_MAX][PW_FUNC_NAMES_MAX] = {
#define X(id, ...) [PW_FUNC_##id] = {__VA_ARGS__, NULL},
	PW_FUNCS(X)
#undef X
};

const char *const *pw_func_names(enum pw_func_id id)
{
	return names[id];
}

int pw_function_read(struct pw_function *ret_function, const struct pw_elf *elf, const struct pw_pclntab *table,
		     enum pw_func_id id, struct pw_why *reterr_why)
{
	struct pw_function function = {0};
	int r = -ENODATA;

	for (const char *const *name = names[id]; *name && r < 0; name++)
		r = pw_pclntab_func_by_name(table, *name, &function.func);
	if (r < 0)
		return pw_why_set(reterr_why, -ENODATA, "there is no function %s", names[id][0]);
	r = pw_code_read(&function.code, elf, function.func.entry, function.func.end, reterr_why);
	if (r < 0)
		return pw_why_prefix(reterr_why, r, "%s", function.func.name);
	*ret_function = function;
	return 0;
}

void pw_function_done(struct pw_function *function)
{
	pw_code_done(&function->code);
}

bool pw_function_at(const struct pw_pclntab *table, uint64_t addr, const char *name)
{
	struct pw_func func;

	return pw_pclntab_func_by_pc(table, addr, &func) >= 0 && func.entry == addr && !strcmp(func.name, name);
}
