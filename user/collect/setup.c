/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "base/time.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "collect/child.h"
#include "collect/collect_internal.h"
#include "target/target.h"

PW_DEFINE_CLEANUP(struct pw_collect_entry *, pw_collect_entry_free);

/* ---- the collector ---- */

static int refuse(const struct pw_features *features, enum pw_feature feature, struct pw_why *reterr_why)
{
	const struct pw_feature_state *state = &features->feature[feature];

	return pw_why_set(reterr_why, features->feature[PW_FEATURE_PRIVILEGE].ok ? -EOPNOTSUPP : -EPERM,
			  "goroutine events cannot be counted: %s: %s; %s", pw_feature_name(feature), state->reason,
			  state->remedy);
}

static int choose_method(struct pw_collect *collect, struct pw_why *reterr_why)
{
	const struct pw_features *features = &collect->features;
	bool multi = features->feature[PW_FEATURE_UPROBE_MULTI].ok, perf = features->feature[PW_FEATURE_UPROBE_PERF].ok;

	if (!features->feature[PW_FEATURE_BPF].ok)
		return refuse(features, PW_FEATURE_BPF, reterr_why);
	if (!features->feature[PW_FEATURE_RING_BUFFER].ok)
		return refuse(features, PW_FEATURE_RING_BUFFER, reterr_why);
	switch (collect->options.method) {
	case PW_ATTACH_UPROBE_MULTI:
		if (!multi)
			return refuse(features, PW_FEATURE_UPROBE_MULTI, reterr_why);
		break;
	case PW_ATTACH_PERF:
		if (!perf)
			return refuse(features, PW_FEATURE_UPROBE_PERF, reterr_why);
		break;
	default:
		if (!multi && !perf)
			return refuse(features, PW_FEATURE_UPROBE_PERF, reterr_why);
	}
	collect->method = collect->options.method != PW_ATTACH_AUTO ? collect->options.method
			  : multi				    ? PW_ATTACH_UPROBE_MULTI
								    : PW_ATTACH_PERF;
	collect->cookies = collect->method == PW_ATTACH_UPROBE_MULTI || features->feature[PW_FEATURE_COOKIE].ok;
	collect->pidns_foreign = !features->feature[PW_FEATURE_INITIAL_PID_NAMESPACE].ok;
	return 0;
}

static int load(struct pw_collect *collect, struct pw_why *reterr_why)
{
	struct pw_skeleton_options options = {
		.method = collect->method,
		.cookies = collect->cookies,
		.allocs = collect->options.allocs,
		.cpus = collect->cpus,
		.foreign_pidns = collect->pidns_foreign,
	};
	struct stat namespace;

	if (collect->pidns_foreign) {
		if (stat("/proc/self/ns/pid", &namespace) < 0)
			return pw_why_set(reterr_why, -errno, "cannot tell our pid namespace: /proc/self/ns/pid: %m");
		options.pidns_device = namespace.st_dev;
		options.pidns_inode = namespace.st_ino;
	}
	return pw_skeleton_new(&collect->skeleton, &options, reterr_why);
}

static int calibrate(struct pw_collect *collect, struct pw_why *reterr_why)
{
	struct pw_calibration *calibration = &collect->calibration;
	int r = pw_child_start(&calibration->child, reterr_why);

	if (r < 0)
		return r;
	calibration->setup = (struct pw_cost_setup){.skeleton = collect->skeleton,
						    .method = collect->method,
						    .cookies = collect->cookies,
						    .reader = &collect->reader,
						    .child = calibration->child};
	return pw_cost_measure(&collect->cost, &calibration->attachment, &calibration->setup, reterr_why);
}

/* One descriptor for all that the loop has to wait for. */
static int make_pollable(struct pw_collect *collect)
{
	collect->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	collect->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	const int fds[] = {pw_attach_worker_fd(collect->worker), ring_buffer__epoll_fd(collect->ring),
			   collect->timer_fd};
	struct epoll_event event = {.events = EPOLLIN};

	if (collect->epoll_fd < 0 || collect->timer_fd < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (epoll_ctl(collect->epoll_fd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return -errno;
	if (getrandom(&collect->random, sizeof(collect->random), GRND_NONBLOCK) < 0 || !collect->random)
		collect->random = pw_boot_ns() | 1;
	return 0;
}

static void shape_maps(struct pw_collect *collect, struct pw_counts_maps *ret_maps)
{
	const struct pw_skeleton *skeleton = collect->skeleton;

	*ret_maps = (struct pw_counts_maps){
		.sites = {.fd = pw_skeleton_map(skeleton, PW_MAP_SITES),
			  .key_bytes = sizeof(struct pw_bpf_site_key),
			  .counters = sizeof(struct pw_bpf_site) / sizeof(uint64_t),
			  .max_entries = pw_skeleton_entries(skeleton, PW_MAP_SITES),
			  .per_cpu = true},
		.reasons = pw_cost_reasons_shape(skeleton),
		.creations = {.fd = pw_skeleton_map(skeleton, PW_MAP_CREATIONS),
			      .key_bytes = sizeof(struct pw_bpf_creation_key),
			      .counters = sizeof(struct pw_bpf_creation) / sizeof(uint64_t),
			      .max_entries = pw_skeleton_entries(skeleton, PW_MAP_CREATIONS)},
	};
	collect->stats_shape = (struct pw_map_shape){.fd = pw_skeleton_map(skeleton, PW_MAP_STATS),
						     .key_bytes = sizeof(uint32_t),
						     .counters = sizeof(struct pw_bpf_stats) / sizeof(uint64_t),
						     .max_entries = pw_skeleton_entries(skeleton, PW_MAP_STATS),
						     .per_cpu = true};
	collect->slots = pw_skeleton_entries(skeleton, PW_MAP_TARGETS);
}

int pw_collect_setup(struct pw_collect *collect, struct pw_why *reterr_why)
{
	struct pw_counts_maps maps;
	int r;

	collect->cpus = libbpf_num_possible_cpus();
	pw_map_reader_init(&collect->reader, &pw_map_kernel_ops, collect->cpus);
	r = pw_features_probe_needed(&collect->features, collect->options.method != PW_ATTACH_PERF,
				     collect->options.method != PW_ATTACH_UPROBE_MULTI);
	if (r < 0)
		return pw_why_set(reterr_why, r, "cannot find out what this kernel allows");
	r = choose_method(collect, reterr_why);
	if (!r)
		r = load(collect, reterr_why);
	if (r < 0)
		return r;
	shape_maps(collect, &maps);
	pw_counts_init(&collect->counts, &maps);
	r = calibrate(collect, reterr_why);
	if (r < 0)
		return r;
	collect->ring = ring_buffer__new(pw_skeleton_map(collect->skeleton, PW_MAP_RING), pw_collect_take_record,
					 collect, NULL);
	if (!collect->ring)
		return pw_why_set(reterr_why, -errno, "cannot map the ring buffer: %m");
	if (pw_skeleton_attach_exec(collect->skeleton) < 0)
		pw_log_debug(0, "exec is not traced; the scan of /proc sees it within a second");
	/* The thread comes last: everything before it forks. */
	r = pw_attach_worker_new(&collect->worker);
	if (!r)
		r = make_pollable(collect);
	if (!r)
		pw_attach_worker_submit(collect->worker, collect->calibration.attachment, 0);
	return r < 0 ? pw_why_set(reterr_why, r, "cannot start the thread that attaches probes") : 0;
}

void pw_collect_teardown(struct pw_collect *collect)
{
	pw_attach_worker_free(collect->worker);
	pw_attachment_free(collect->calibration.attachment);
	pw_child_stop(collect->calibration.child);
	pw_vec_foreach (&collect->entries, entry)
		pw_collect_entry_free(*entry);
	pw_vec_done(&collect->entries);
	pw_vec_done(&collect->waiting);
	pw_vec_done(&collect->known);
	pw_vec_done(&collect->demands);
	pw_closep(&collect->epoll_fd);
	pw_closep(&collect->timer_fd);
	ring_buffer__free(collect->ring);
	pw_counts_done(&collect->counts);
	pw_skeleton_free(collect->skeleton);
	pw_map_reader_done(&collect->reader);
}

/* ---- one target ---- */

void pw_collect_entry_free(struct pw_collect_entry *entry)
{
	if (!entry)
		return;
	pw_attachment_free(entry->attachment);
	pw_vec_done(&entry->gc_events);
	pw_vec_done(&entry->gc_cycles);
	pw_vec_done(&entry->gc_cycles_incoming);
	pw_vec_done(&entry->gc_incoming);
	pw_scale_done(&entry->govern.scale);
	free(entry);
}

static int take_slot(struct pw_collect *collect, uint32_t *ret_slot)
{
	for (uint32_t i = 1; i < collect->slots; i++) {
		uint32_t slot = 1 + (collect->next_slot + i - 1) % (collect->slots - 1);
		bool used = false;

		pw_vec_foreach (&collect->entries, entry)
			used |= (*entry)->slot == slot;
		if (used)
			continue;
		collect->next_slot = slot;
		*ret_slot = slot;
		return 0;
	}
	return -E2BIG;
}

static bool field_offset(const struct pw_layout *layout, enum pw_field field, uint32_t *ret_offset)
{
	if (layout->offset[field] < 0 || layout->trust[field] == PW_TRUST_NONE ||
	    layout->trust[field] == PW_TRUST_CONFLICT)
		return false;
	*ret_offset = (uint32_t)layout->offset[field];
	return true;
}

static int configure(struct pw_collect_entry *entry, const struct pw_collect *collect, const struct pw_target *target,
		     struct pw_why *reterr_why)
{
	const struct pw_build_facts *facts = &target->build->facts;
	const struct pw_site *spawn = &facts->sites[PW_EVENT_SPAWN], *exit = &facts->sites[PW_EVENT_EXIT];
	struct pw_bpf_target *config = &entry->config;

	config->id = (uint32_t)target->id;
	config->stacks_first = collect->options.creation_stacks_first;
	config->stacks_every = collect->options.creation_stacks_every;
	if (!field_offset(&facts->layout, PW_FIELD_G_GOPC, &config->gopc_offset))
		return pw_why_set(reterr_why, -EOPNOTSUPP,
				  "where a goroutine keeps its go statement (g.gopc) is not known for this Go version");
	if (!field_offset(&facts->layout, PW_FIELD_G_WAITREASON, &config->waitreason_offset) &&
	    facts->sites[PW_EVENT_PARK].found && facts->sites[PW_EVENT_PARK].arg_reg == PW_SITE_REG_NONE)
		return pw_why_set(reterr_why, -EOPNOTSUPP,
				  "where a goroutine keeps its wait reason is not known for this Go version");
	/* Coroutines are to be counted at both ends or at neither. */
	if (spawn->found && exit->found && spawn->counts_coroutines != exit->counts_coroutines && target->bias_known &&
	    facts->runtime_corostart && field_offset(&facts->layout, PW_FIELD_G_STARTPC, &config->startpc_offset)) {
		config->skip_startpc = facts->runtime_corostart + target->bias;
		config->skip_event = spawn->counts_coroutines ? PW_BPF_SPAWN : PW_BPF_EXIT;
	}
	return 0;
}

static void add_remark(struct pw_collect_entry *entry, enum pw_event event, const struct pw_site *site)
{
	size_t used = strlen(entry->remark);

	if (site->found && !site->emulated)
		snprintf(entry->remark + used, sizeof(entry->remark) - used, "%s%s: single-stepped, at a higher price",
			 used ? "; " : "", pw_event_name(event));
	else if (!site->found)
		snprintf(entry->remark + used, sizeof(entry->remark) - used, "%snot counted: %s (%s)", used ? "; " : "",
			 pw_event_name(event), site->note[0] ? site->note : "no place for a probe");
}

static int add_sites(struct pw_collect_entry *entry, const struct pw_collect *collect, const struct pw_target *target)
{
	struct pw_attachment *attachment = entry->attachment;

	for (int i = 0; i < _PW_EVENT_MAX; i++) {
		enum pw_event event = (enum pw_event)i;
		enum pw_attach_group group = pw_attach_group_of(event);
		const struct pw_site *site = &target->build->facts.sites[i];

		if ((event == PW_EVENT_RUN && !collect->options.runs) || group == PW_GROUP_ALLOC ||
		    (group != PW_GROUP_GC && collect->options.gc_only))
			continue;
		add_remark(entry, event, site);
		if (!site->found)
			continue;
		attachment->sites[attachment->site_count++] = (struct pw_attach_site){
			.event = event,
			.offset = site->file_offset,
			.cookie = pw_attach_cookie((uint32_t)entry->id, entry->slot, event, site->g_reg, site->arg_reg),
		};
		attachment->program[group] = pw_skeleton_program(collect->skeleton, group);
		entry->groups |= PW_GROUP_BIT(group);
		entry->has_site[i] = true;
		entry->emulated[i] = site->emulated;
		entry->cost_ns[i] = site->emulated ? collect->cost.emulated_ns : collect->cost.stepped_ns;
		entry->counts.cost_per_hit_ns[i] = entry->cost_ns[i];
		entry->address[i] = site->addr + target->bias;
	}
	if (collect->options.gc_only)
		return entry->groups ? 0 : -EOPNOTSUPP;
	return entry->groups & (PW_GROUP_BIT(PW_GROUP_PARK) | PW_GROUP_BIT(PW_GROUP_LIFECYCLE)) ? 0 : -EOPNOTSUPP;
}

static int clear_stats(const struct pw_collect *collect, uint32_t slot)
{
	size_t words = (size_t)collect->stats_shape.counters * (size_t)collect->reader.cpus;
	_cleanup_free_ uint64_t *zeros = calloc(words, sizeof(*zeros));

	if (!zeros)
		return -ENOMEM;
	return bpf_map_update_elem(collect->stats_shape.fd, &slot, zeros, BPF_ANY) < 0 ? -errno : 0;
}

static int write_addresses(const struct pw_collect *collect, const struct pw_collect_entry *entry)
{
	int map = pw_skeleton_map(collect->skeleton, PW_MAP_ADDRESSES);

	for (size_t i = 0; !collect->cookies && i < entry->attachment->site_count; i++) {
		const struct pw_attach_site *site = &entry->attachment->sites[i];
		struct pw_bpf_address_key key = {.address = entry->address[site->event],
						 .process = (uint32_t)entry->pid};
		__u64 cookie = site->cookie;

		if (bpf_map_update_elem(map, &key, &cookie, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int write_maps(const struct pw_collect *collect, const struct pw_collect_entry *entry)
{
	const struct pw_skeleton *skeleton = collect->skeleton;
	struct pw_bpf_process process = {.target = (uint32_t)entry->id, .slot = entry->slot};
	struct pw_bpf_share nothing = {0};
	struct pw_bpf_account account = {0};
	uint32_t pid = (uint32_t)entry->pid, gates = 0;
	int r = clear_stats(collect, entry->slot);

	if (!r && bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_GATES), &entry->slot, &gates, BPF_ANY) < 0)
		r = -errno;
	if (!r && bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_ACCOUNTS), &entry->slot, &account, BPF_ANY) < 0)
		r = -errno;
	if (!r && bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_SHARES), &entry->slot, &nothing, BPF_ANY) < 0)
		r = -errno;
	if (!r &&
	    bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_TARGETS), &entry->slot, &entry->config, BPF_ANY) < 0)
		r = -errno;
	if (!r && bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_GCS), &entry->slot, &entry->gc, BPF_ANY) < 0)
		r = -errno;
	if (!r && bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_PROCESSES), &pid, &process, BPF_ANY) < 0)
		r = -errno;
	return r ? r : write_addresses(collect, entry);
}

/* A pid or an address may be a newer target's by now (exec): only what is still ours is deleted. */
void pw_collect_forget(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	const struct pw_skeleton *skeleton = collect->skeleton;
	int processes = pw_skeleton_map(skeleton, PW_MAP_PROCESSES),
	    addresses = pw_skeleton_map(skeleton, PW_MAP_ADDRESSES);
	struct pw_bpf_target nobody = {0};
	struct pw_bpf_gc nothing = {0};
	struct pw_bpf_process process;
	uint32_t pid = (uint32_t)entry->pid;

	(void)bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_TARGETS), &entry->slot, &nobody, BPF_ANY);
	(void)bpf_map_update_elem(pw_skeleton_map(skeleton, PW_MAP_GCS), &entry->slot, &nothing, BPF_ANY);
	if (!bpf_map_lookup_elem(processes, &pid, &process) && process.target == entry->id)
		(void)bpf_map_delete_elem(processes, &pid);
	for (size_t i = 0; !collect->cookies && i < entry->attachment->site_count; i++) {
		struct pw_bpf_address_key key = {.address = entry->address[entry->attachment->sites[i].event],
						 .process = pid};
		__u64 cookie;

		if (!bpf_map_lookup_elem(addresses, &key, &cookie) && (uint32_t)cookie == entry->id)
			(void)bpf_map_delete_elem(addresses, &key);
	}
}

/* What can be said before anything is tried. */
static int check_target(const struct pw_collect *collect, struct pw_target *target, struct pw_why *reterr_why)
{
	if (target->opted_out)
		return pw_why_set(reterr_why, -EOPNOTSUPP, "left alone as asked (PARKWATCH=off, or excluded)");
	if (!target->build || !target->build->facts.is_go)
		return pw_why_set(reterr_why, -EOPNOTSUPP, "not recognised as a Go program");
	if (!target->id || target->id >= PW_COST_TARGET)
		return pw_why_set(reterr_why, -EOPNOTSUPP, "target ids are used up: restart parkwatch");
	if (!collect->cookies && !target->bias_known)
		return pw_why_set(
			reterr_why, -EOPNOTSUPP,
			"where its code is loaded is not known, and this kernel tells probes apart by address only");
	if (!collect->cookies && collect->pidns_foreign && !target->same_pid_namespace)
		return pw_why_set(
			reterr_why, -EOPNOTSUPP,
			"it is in another pid namespace, and this kernel names processes of ours only: run parkwatch "
			"in the host's pid namespace");
	int r = pw_target_check_sites(target, reterr_why);
	return r == -EBUSY || r == -ESRCH ? r : 0; /* memory that is closed to us tells nothing: go on */
}

static void note_file(struct pw_collect_entry *entry, int exe_fd)
{
	struct stat file;

	if (fstat(exe_fd, &file) < 0)
		return;
	entry->file_device = file.st_dev;
	entry->file_inode = file.st_ino;
}

int pw_collect_entry_new(struct pw_collect_entry **ret_entry, struct pw_collect *collect, struct pw_target *target,
			 struct pw_why *reterr_why)
{
	int r = check_target(collect, target, reterr_why);
	uint64_t words[_PW_GC_WORD_MAX];

	if (r < 0)
		return r;
	_cleanup_(pw_collect_entry_freep) struct pw_collect_entry *entry = calloc(1, sizeof(*entry));
	if (entry)
		entry->attachment = pw_attachment_new();
	if (!entry || !entry->attachment)
		return pw_why_set(reterr_why, -ENOMEM, "out of memory");
	entry->gc_events.max = entry->gc_incoming.max = PW_COLLECT_GC_EVENTS_MAX;
	entry->gc_cycles.max = entry->gc_cycles_incoming.max = PW_COLLECT_GC_EVENTS_MAX;
	if (!pw_gc_addresses(target, words)) {
		entry->gc.target = (uint32_t)target->id;
		memcpy(entry->gc.address, words, sizeof(entry->gc.address));
	}
	entry->id = target->id;
	entry->target = target;
	entry->pid = target->pid;
	entry->added_ns = pw_now_ns();
	entry->counts.drops = entry->drops;
	entry->counts.drop_count = _PW_DROP_MAX;
	r = take_slot(collect, &entry->slot);
	if (r < 0)
		return pw_why_set(reterr_why, r, "%u processes are being counted already, which is the limit",
				  collect->slots - 1);
	r = configure(entry, collect, target, reterr_why);
	if (r < 0)
		return r;
	r = add_sites(entry, collect, target);
	if (r < 0)
		return pw_why_set(reterr_why, r, "no place for probes was found in this binary: %.180s",
				  target->build->facts.why_no_events[0] ? target->build->facts.why_no_events
									: entry->remark);
	entry->attachment->target_id = entry->id;
	entry->attachment->pid = target->pid;
	entry->attachment->method = collect->method;
	entry->attachment->cookies = collect->cookies;
	entry->attachment->slot = entry->slot;
	entry->attachment->cpus = collect->cpus;
	entry->attachment->gate_map = pw_skeleton_map(collect->skeleton, PW_MAP_GATES);
	entry->attachment->stats_map = pw_skeleton_map(collect->skeleton, PW_MAP_STATS);
	note_file(entry, target->exe_fd);
	entry->attachment->exe_fd = fcntl(target->exe_fd, F_DUPFD_CLOEXEC, 3);
	if (entry->attachment->exe_fd < 0)
		return pw_why_set(reterr_why, -errno, "its program file cannot be used: %m");
	r = write_maps(collect, entry);
	if (r < 0) {
		pw_collect_forget(collect, entry);
		return pw_why_set(reterr_why, r, "cannot write the BPF maps: %s", strerror(-r));
	}
	pw_govern_start(collect, entry);
	*ret_entry = TAKE_PTR(entry);
	return 0;
}
