/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Build facts cross the socket as the flat struct: both ends are the same program. What arrives is foreign all the
 * same, so no field is used before it was checked as bytes: a bool that is neither 0 nor 1 or an enum outside its range
 * would be undefined behaviour to read, a string without its NUL an overrun.
 */
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "reader/protocol.h"

#define FIELD_OFFSET_MAX (4 << 20) /* the largest runtime struct we know offsets of, heapArena of 1.19, has 2.1 MB */

struct check {
	struct pw_why *why;
	int r;
};

static void fail(struct check *check, const char *what)
{
	if (!check->r)
		check->r = pw_why_set(check->why, -EBADMSG, "the reader's answer has a bad field: %s", what);
}

static void check_text(struct check *check, const char *text, size_t size, const char *what)
{
	if (!memchr(text, '\0', size))
		fail(check, what);
}

static void check_bool(struct check *check, const bool *flag, const char *what)
{
	uint8_t byte;

	memcpy(&byte, flag, sizeof(byte));
	if (byte > 1)
		fail(check, what);
}

static void check_max(struct check *check, uint64_t value, uint64_t max, const char *what)
{
	if (value > max)
		fail(check, what);
}

#define CHECK_TEXT(check, field) check_text((check), (field), sizeof(field), #field)
#define CHECK_BOOL(check, field) check_bool((check), &(field), #field)

static void check_info(struct check *check, const struct pw_buildinfo *info)
{
	CHECK_TEXT(check, info->go_version);
	CHECK_TEXT(check, info->main_path);
	CHECK_TEXT(check, info->module);
	CHECK_TEXT(check, info->module_version);
	CHECK_TEXT(check, info->revision);
	CHECK_TEXT(check, info->build_mode);
	CHECK_TEXT(check, info->experiments);
	CHECK_BOOL(check, info->modified);
	CHECK_BOOL(check, info->cgo);
	CHECK_BOOL(check, info->instrumented);
	if (info->go_minor < -1 || info->go_minor > 9999)
		fail(check, "info->go_minor");
}

static void check_layout(struct check *check, const struct pw_layout *layout)
{
	CHECK_BOOL(check, layout->exact);
	if (layout->go_minor < -1 || layout->go_minor > 9999)
		fail(check, "layout->go_minor");
	for (size_t i = 0; i < _PW_FIELD_MAX; i++) {
		if (layout->offset[i] < PW_OFFSET_NONE || layout->offset[i] > FIELD_OFFSET_MAX)
			fail(check, "layout->offset");
		check_max(check, layout->trust[i], PW_TRUST_CONFLICT, "layout->trust");
	}
}

static void check_register(struct check *check, uint8_t reg, const char *what)
{
	if (reg > 31 && reg != PW_SITE_REG_NONE)
		fail(check, what);
}

static void check_site(struct check *check, const struct pw_site *site)
{
	CHECK_BOOL(check, site->found);
	CHECK_BOOL(check, site->emulated);
	CHECK_BOOL(check, site->user_g);
	CHECK_BOOL(check, site->counts_coroutines);
	check_register(check, site->g_reg, "site->g_reg");
	check_register(check, site->arg_reg, "site->arg_reg");
	check_max(check, site->caller_missing, 1, "site->caller_missing");
	check_max(check, site->insn_size, sizeof(site->insn), "site->insn_size");
	CHECK_TEXT(check, site->function);
	CHECK_TEXT(check, site->instruction);
	CHECK_TEXT(check, site->note);
}

static void check_wait_reasons(struct check *check, const struct pw_wait_reasons *reasons)
{
	CHECK_BOOL(check, reasons->from_target);
	check_max(check, reasons->count, PW_WAIT_REASONS_MAX, "wait_reasons.count");
	for (size_t i = 0; i < PW_WAIT_REASONS_MAX; i++)
		CHECK_TEXT(check, reasons->name[i]);
}

static void check_ranges(struct check *check, const struct pw_build_facts *facts)
{
	uint64_t last = 0;

	check_max(check, facts->runtime_range_count, PW_RUNTIME_RANGES_MAX, "runtime_range_count");
	for (size_t i = 0; !check->r && i < facts->runtime_range_count; i++) {
		const struct pw_address_range *range = &facts->runtime_ranges[i];

		if (range->start < last || range->end <= range->start)
			fail(check, "runtime_ranges");
		last = range->end;
	}
}

int pw_facts_write(struct pw_buf *out, const struct pw_build_facts *facts)
{
	return pw_buf_append(out, facts, sizeof(*facts));
}

int pw_facts_read(struct pw_build_facts *ret_facts, const void *data, size_t size, struct pw_why *reterr_why)
{
	_cleanup_free_ struct pw_build_facts *facts = NULL;
	struct check check = {.why = reterr_why};
	uint32_t arch;

	if (size != sizeof(*facts))
		return pw_why_set(reterr_why, -EBADMSG, "the reader's answer has a wrong size (%zu bytes)", size);
	facts = malloc(sizeof(*facts));
	if (!facts)
		return -ENOMEM;
	memcpy(facts, data, size);

	_Static_assert(sizeof(arch) == sizeof(facts->arch), "enums are 32 bits wide");
	memcpy(&arch, &facts->arch, sizeof(arch));
	check_max(&check, arch, PW_ARCH_ARM64, "arch");
	CHECK_TEXT(&check, facts->build_id);
	CHECK_TEXT(&check, facts->go_build_id);
	CHECK_BOOL(&check, facts->is_go);
	CHECK_BOOL(&check, facts->pie);
	CHECK_BOOL(&check, facts->stripped);
	CHECK_BOOL(&check, facts->shared_library);
	CHECK_BOOL(&check, facts->cgo);
	check_info(&check, &facts->info);
	check_layout(&check, &facts->layout);
	check_wait_reasons(&check, &facts->wait_reasons);
	for (size_t i = 0; i < _PW_EVENT_MAX; i++)
		check_site(&check, &facts->sites[i]);
	CHECK_BOOL(&check, facts->has_mem_profile);
	check_ranges(&check, facts);
	CHECK_TEXT(&check, facts->why_not_go);
	CHECK_TEXT(&check, facts->why_no_symbols);
	CHECK_TEXT(&check, facts->why_no_memory);
	CHECK_TEXT(&check, facts->why_no_events);
	CHECK_TEXT(&check, facts->notes);
	if (facts->etext < facts->text)
		fail(&check, "etext");
	if (check.r)
		return check.r;
	*ret_facts = *facts;
	return 0;
}
