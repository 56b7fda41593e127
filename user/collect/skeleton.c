/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/skeleton.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "parkwatch.skel.h"

#define PERCPU_BYTES_MAX (8U << 20)
#define ENTRIES_MIN	 256U

struct pw_skeleton {
	struct pw_bpf *bpf;
	struct bpf_link *exec_link;
};

/* What libbpf said last, for the sentence of a failure: one load at a time, from the loop thread. */
static char complaint[256];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));
static int keep_complaint(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char text[2048];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(text, sizeof(text), format, arguments);
	pw_log_debug(0, "libbpf: %s", text);
	/* "failed to load program" says less than the verifier's log before it, and that less than the first errno. */
	if (!complaint[0]) {
		const char *start = strncmp(text, "libbpf: ", 8) ? text : text + 8;

		snprintf(complaint, sizeof(complaint), "%.*s", (int)strcspn(start, "\n"), start);
	}
	return 0;
}

/*
 * Under lockdown=confidentiality libbpf 1.1's test for bpf_probe_read_kernel fails, whereupon it rewrites our
 * bpf_probe_read_user (112) to bpf_probe_read (4), which is forbidden there: put it back before the load.
 */
static int restore_probe_read_user(struct bpf_program *program, struct bpf_prog_load_opts *options, long cookie)
{
	struct bpf_insn *insns = (struct bpf_insn *)(uintptr_t)bpf_program__insns(program);
	size_t count = bpf_program__insn_cnt(program);

	(void)options;
	(void)cookie;
	for (size_t i = 0; i < count; i++)
		if (insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg && insns[i].imm == BPF_FUNC_probe_read)
			insns[i].imm = BPF_FUNC_probe_read_user;
	return 0;
}

static void register_handler(void)
{
	struct libbpf_prog_handler_opts options = {.sz = sizeof(options),
						   .prog_prepare_load_fn = restore_probe_read_user};

	libbpf_set_print(keep_complaint);
	/* Without it only hosts under confidentiality lockdown lose their events, with the kernel's words for it. */
	if (libbpf_register_prog_handler("uprobe", BPF_PROG_TYPE_KPROBE, (enum bpf_attach_type)0, &options) < 0)
		pw_log_debug(0, "libbpf takes no program handler");
}

uint32_t pw_skeleton_fit(uint32_t wanted, uint32_t value_bytes, int cpus)
{
	uint64_t bytes_per_entry = (uint64_t)((value_bytes + 7) & ~7U) * (uint64_t)(cpus > 0 ? cpus : 1);
	uint64_t fitting = PERCPU_BYTES_MAX / bytes_per_entry;

	if (fitting >= wanted)
		return wanted;
	return (uint32_t)PW_MAX(fitting, (uint64_t)PW_MIN(ENTRIES_MIN, wanted));
}

static int resize(struct bpf_map *map, uint32_t value_bytes, int cpus)
{
	return bpf_map__set_max_entries(map, pw_skeleton_fit(bpf_map__max_entries(map), value_bytes, cpus));
}

static int configure(struct pw_bpf *bpf, const struct pw_skeleton_options *options)
{
	struct bpf_program *program;
	uint32_t targets = pw_skeleton_fit(PW_BPF_TARGETS_MAX, sizeof(struct pw_bpf_stats), options->cpus);
	int r;

	bpf->rodata->pw_have_cookie = options->cookies;
	bpf->rodata->pw_pidns_device = options->foreign_pidns ? options->pidns_device : 0;
	bpf->rodata->pw_pidns_inode = options->foreign_pidns ? options->pidns_inode : 0;
	r = resize(bpf->maps.pw_sites, sizeof(struct pw_bpf_site), options->cpus);
	if (!r)
		r = resize(bpf->maps.pw_reasons, sizeof(uint64_t), options->cpus);
	struct bpf_map *const by_slot[] = {bpf->maps.pw_stats,	 bpf->maps.pw_targets,	bpf->maps.pw_shares,
					   bpf->maps.pw_budgets, bpf->maps.pw_accounts, bpf->maps.pw_gates,
					   bpf->maps.pw_gcs};
	for (size_t i = 0; !r && i < ARRAY_SIZE(by_slot); i++)
		r = bpf_map__set_max_entries(by_slot[i], targets);
	bpf->rodata->pw_share_sites = bpf_map__max_entries(bpf->maps.pw_sites) / PW_BPF_SHARES;
	bpf->rodata->pw_share_reasons = bpf_map__max_entries(bpf->maps.pw_reasons) / PW_BPF_SHARES;
	bpf->rodata->pw_share_creations = bpf_map__max_entries(bpf->maps.pw_creations) / PW_BPF_SHARES;
	if (!r && options->cookies)
		r = bpf_map__set_max_entries(bpf->maps.pw_addresses, 1);
	if (!r && !options->allocs) { /* they cost memory: 2 MB */
		bpf_program__set_autoload(bpf->progs.pw_alloc, false);
		r = bpf_map__set_max_entries(bpf->maps.pw_allocs, 1);
	}
	if (r < 0 || options->method != PW_ATTACH_UPROBE_MULTI)
		return r;
	bpf_object__for_each_program(program, bpf->obj) if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
		bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)PW_ATTACH_TYPE_UPROBE_MULTI);
	return 0;
}

static int explain(int r, struct pw_why *reterr_why)
{
	if (r == -EPERM || r == -EACCES)
		return pw_why_set(
			reterr_why, r,
			"the kernel forbids loading BPF programs (%s): run parkwatch as root, or with CAP_BPF "
			"and CAP_PERFMON; before linux 5.11 with CAP_SYS_RESOURCE or LimitMEMLOCK=infinity too%s%s",
			strerror(-r), complaint[0] ? ": " : "", complaint);
	if (r == -ENOSYS)
		return pw_why_set(reterr_why, r, "this kernel has no BPF: one with CONFIG_BPF_SYSCALL is needed");
	return pw_why_set(reterr_why, r, "the kernel refuses the BPF programs (%s)%s%s; linux 5.8 or later is needed",
			  strerror(-r), complaint[0] ? ": " : "", complaint);
}

int pw_skeleton_new(struct pw_skeleton **ret_skeleton, const struct pw_skeleton_options *options,
		    struct pw_why *reterr_why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct pw_skeleton *skeleton = calloc(1, sizeof(*skeleton));
	int r;

	if (!skeleton)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	pthread_once(&once, register_handler);
	complaint[0] = '\0';
	skeleton->bpf = pw_bpf__open();
	r = skeleton->bpf ? configure(skeleton->bpf, options) : -errno;
	if (!r)
		r = pw_bpf__load(skeleton->bpf);
	if (r < 0) {
		pw_skeleton_free(skeleton);
		return explain(r, reterr_why);
	}
	*ret_skeleton = skeleton;
	return 0;
}

void pw_skeleton_free(struct pw_skeleton *skeleton)
{
	if (!skeleton)
		return;
	bpf_link__destroy(skeleton->exec_link);
	pw_bpf__destroy(skeleton->bpf);
	free(skeleton);
}

int pw_skeleton_program(const struct pw_skeleton *skeleton, enum pw_attach_group group)
{
	switch (group) {
	case PW_GROUP_PARK:
		return bpf_program__fd(skeleton->bpf->progs.pw_park);
	case PW_GROUP_LIFECYCLE:
		return bpf_program__fd(skeleton->bpf->progs.pw_lifecycle);
	case PW_GROUP_GC:
		return bpf_program__fd(skeleton->bpf->progs.pw_gc);
	case PW_GROUP_RUN:
		return bpf_program__fd(skeleton->bpf->progs.pw_run);
	case PW_GROUP_ALLOC:
		return bpf_program__fd(skeleton->bpf->progs.pw_alloc);
	default:
		return -EINVAL;
	}
}

static struct bpf_map *find_map(const struct pw_skeleton *skeleton, enum pw_map map)
{
	switch (map) {
	case PW_MAP_TARGETS:
		return skeleton->bpf->maps.pw_targets;
	case PW_MAP_STATS:
		return skeleton->bpf->maps.pw_stats;
	case PW_MAP_SHARES:
		return skeleton->bpf->maps.pw_shares;
	case PW_MAP_SITES:
		return skeleton->bpf->maps.pw_sites;
	case PW_MAP_REASONS:
		return skeleton->bpf->maps.pw_reasons;
	case PW_MAP_CREATIONS:
		return skeleton->bpf->maps.pw_creations;
	case PW_MAP_RING:
		return skeleton->bpf->maps.pw_ring;
	case PW_MAP_GCS:
		return skeleton->bpf->maps.pw_gcs;
	case PW_MAP_PROCESSES:
		return skeleton->bpf->maps.pw_processes;
	case PW_MAP_ADDRESSES:
		return skeleton->bpf->maps.pw_addresses;
	case PW_MAP_BUDGETS:
		return skeleton->bpf->maps.pw_budgets;
	case PW_MAP_ACCOUNTS:
		return skeleton->bpf->maps.pw_accounts;
	case PW_MAP_GATES:
		return skeleton->bpf->maps.pw_gates;
	case PW_MAP_ALLOCS:
		return skeleton->bpf->maps.pw_allocs;
	default:
		return NULL;
	}
}

int pw_skeleton_map(const struct pw_skeleton *skeleton, enum pw_map map)
{
	return bpf_map__fd(find_map(skeleton, map));
}

uint32_t pw_skeleton_entries(const struct pw_skeleton *skeleton, enum pw_map map)
{
	return bpf_map__max_entries(find_map(skeleton, map));
}

static uint64_t map_memory(int fd)
{
	char path[64], line[128];
	uint64_t bytes = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	FILE *file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "memlock: %" SCNu64, &bytes) == 1)
			break;
	fclose(file);
	return bytes;
}

uint64_t pw_skeleton_memory(const struct pw_skeleton *skeleton)
{
	struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, skeleton->bpf->obj) bytes += map_memory(bpf_map__fd(map));
	return bytes;
}

int pw_skeleton_attach_exec(struct pw_skeleton *skeleton)
{
	skeleton->exec_link = bpf_program__attach_raw_tracepoint(skeleton->bpf->progs.pw_exec, "sched_process_exec");
	return skeleton->exec_link ? 0 : -errno;
}
