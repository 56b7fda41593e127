/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this host allows, each found by doing it: programs, maps and links made for the purpose and closed again, probes
 * on a child of ours. A kernel version says little: distributions backport, and a security module or a container may
 * forbid what the version has.
 */
#include "collect/features.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "base/macros.h"
#include "base/why.h"
#include "collect/attach.h"
#include "collect/child.h"

#define INITIAL_PID_NAMESPACE 4026531836UL /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define TRY_CALLS	      50U
#define TRY_COOKIE	      0x70617277ULL

struct feature_text {
	const char *name, *means;
};

static const struct feature_text texts[_PW_FEATURE_MAX] = {
	[PW_FEATURE_PRIVILEGE] = {"privilege", "root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"},
	[PW_FEATURE_BTF] = {"kernel type information", "not needed: parkwatch reads no kernel structure"},
	[PW_FEATURE_BPF] = {"BPF programs", "counting goroutine events at all"},
	[PW_FEATURE_UPROBE_MULTI] = {"uprobe_multi", "attach and detach in milliseconds, without CAP_SYS_ADMIN"},
	[PW_FEATURE_UPROBE_PERF] = {"perf-event uprobes", "the way to attach on kernels without uprobe_multi"},
	[PW_FEATURE_COOKIE] = {"attach cookies",
			       "one program for all targets; without them a map of addresses does it"},
	[PW_FEATURE_BATCH_LOOKUP] = {"batch map reads", "cheap polls; without them entries are read one by one"},
	[PW_FEATURE_RING_BUFFER] = {"ring buffer", "times of GC cycles and stop-the-world"},
	[PW_FEATURE_INITIAL_PID_NAMESPACE] = {"initial pid namespace", "processes of all containers can be told apart"},
	[PW_FEATURE_MEMORY_READ] = {"memory of processes",
				    "goroutines, heap and stacks, read without stopping anything"},
	[PW_FEATURE_LOCKDOWN_NONE] = {"no kernel lockdown", "not needed: nothing of the kernel's memory is read"},
	[PW_FEATURE_MEMLOCK] = {"locked memory", "about 8 MB of BPF maps, charged to RLIMIT_MEMLOCK before linux 5.11"},
};

const char *pw_feature_name(enum pw_feature feature)
{
	return (unsigned int)feature < _PW_FEATURE_MAX ? texts[feature].name : "?";
}

static void say_yes(struct pw_features *features, enum pw_feature feature)
{
	features->feature[feature].tried = features->feature[feature].ok = true;
	features->feature[feature].reason[0] = '\0';
}

static void say_no(struct pw_features *features, enum pw_feature feature, const char *remedy, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
static void say_no(struct pw_features *features, enum pw_feature feature, const char *remedy, const char *format, ...)
{
	struct pw_feature_state *state = &features->feature[feature];
	va_list arguments;

	state->tried = true;
	state->ok = false;
	va_start(arguments, format);
	vsnprintf(state->reason, sizeof(state->reason), format, arguments);
	va_end(arguments);
	snprintf(state->remedy, sizeof(state->remedy), "%s", remedy);
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* ---- what /proc and /sys say ---- */

static uint64_t effective_capabilities(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t mask = 0;

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &mask) == 1)
			break;
	fclose(file);
	return mask;
}

static void try_privilege(struct pw_features *features)
{
	static const struct {
		int bit;
		const char *name;
	} wanted[] = {{39, "CAP_BPF"}, {38, "CAP_PERFMON"}, {19, "CAP_SYS_PTRACE"}, {2, "CAP_DAC_READ_SEARCH"}};
	uint64_t mask = effective_capabilities();
	char missing[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		size_t used = strlen(missing);

		/* CAP_SYS_ADMIN stands for the first two, and did so alone before linux 5.8. */
		if (mask & (1ULL << wanted[i].bit) || (i < 2 && mask & (1ULL << 21)))
			continue;
		snprintf(missing + used, sizeof(missing) - used, "%s%s", used ? ", " : "", wanted[i].name);
	}
	if (!missing[0])
		say_yes(features, PW_FEATURE_PRIVILEGE);
	else
		say_no(features, PW_FEATURE_PRIVILEGE, "run as root, or give parkwatch these capabilities",
		       "missing: %s", missing);
}

static void try_pid_namespace(struct pw_features *features)
{
	struct stat status;

	if (stat("/proc/self/ns/pid", &status) < 0)
		say_no(features, PW_FEATURE_INITIAL_PID_NAMESPACE, "mount /proc", "/proc/self/ns/pid: %s",
		       strerror(errno));
	else if (status.st_ino == INITIAL_PID_NAMESPACE)
		say_yes(features, PW_FEATURE_INITIAL_PID_NAMESPACE);
	else
		say_no(features, PW_FEATURE_INITIAL_PID_NAMESPACE,
		       "to see the whole host run with the host's pid namespace (docker --pid=host, hostPID: true)",
		       "parkwatch runs in a container's pid namespace and sees only its processes");
}

static void try_lockdown(struct pw_features *features)
{
	FILE *file = fopen("/sys/kernel/security/lockdown", "re");
	char line[128] = "";

	if (file && !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	const char *start = strchr(line, '['), *end = start ? strchr(start, ']') : NULL;
	if (!end || !strncmp(start, "[none]", 6))
		say_yes(features, PW_FEATURE_LOCKDOWN_NONE);
	else
		say_no(features, PW_FEATURE_LOCKDOWN_NONE, "nothing to do", "the kernel is locked down (%.*s)",
		       (int)(end - start - 1), start + 1);
}

static void try_btf(struct pw_features *features)
{
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		say_yes(features, PW_FEATURE_BTF);
	else
		say_no(features, PW_FEATURE_BTF, "nothing to do", "/sys/kernel/btf/vmlinux: %s", strerror(errno));
}

/* Address 0 is never mapped, so EFAULT says that we may read, EPERM that we may not. */
static bool may_read_memory(pid_t pid)
{
	char byte;
	struct iovec local = {.iov_base = &byte, .iov_len = 1}, remote = {.iov_base = NULL, .iov_len = 1};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1 || errno == EFAULT;
}

static int yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

/* The child comes to be as closed to us as a process of another user: last of all that is tried on it. */
static void try_memory(struct pw_features *features, struct pw_child *child)
{
	int scope = yama_scope();
	bool own = child && may_read_memory(pw_child_pid(child));

	if (own && !pw_child_hide(child) && may_read_memory(pw_child_pid(child)))
		say_yes(features, PW_FEATURE_MEMORY_READ);
	else if (scope == 3)
		say_no(features, PW_FEATURE_MEMORY_READ, "lower kernel.yama.ptrace_scope, which takes a reboot",
		       "kernel.yama.ptrace_scope is 3: nobody reads the memory of a process");
	else if (own)
		say_no(features, PW_FEATURE_MEMORY_READ, "run as root, or give parkwatch CAP_SYS_PTRACE",
		       "only processes of this user can be read%s",
		       scope ? ", and kernel.yama.ptrace_scope forbids most of these" : "");
	else
		say_no(features, PW_FEATURE_MEMORY_READ,
		       "run as root or with CAP_SYS_PTRACE; in a container allow process_vm_readv (seccomp)",
		       "process_vm_readv is refused");
}

/* ---- BPF ---- */

static const char remedy_bpf[] = "run as root, or with CAP_BPF and CAP_PERFMON";

/* return 0; or, with a map, count the hit; or, with the cookie, count it by TRY_COOKIE only. */
static int load_counter(int map, bool cookie, enum bpf_attach_type type)
{
	const struct bpf_insn program[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = TRY_COOKIE},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie},
		{.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_0, .off = 9, .imm = TRY_COOKIE},
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_LD | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map},
		{0},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	size_t skip = cookie ? 1 : 3;
	struct bpf_prog_load_opts options = {.sz = sizeof(options), .expected_attach_type = type};
	int fd = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "pw_try", "Dual BSD/GPL", program + skip,
			       ARRAY_SIZE(program) - skip, &options);

	return fd < 0 ? -errno : fd;
}

static uint64_t count_in(int map)
{
	uint32_t key = 0;
	uint64_t count = 0;

	(void)bpf_map_lookup_elem(map, &key, &count);
	return count;
}

/* TRY_CALLS by the main and as many by a second thread: "" if each counted once, else what happened. */
static void count_hits(struct pw_child *child, int map, char *ret_reason, size_t size)
{
	uint64_t ns, start = count_in(map), main_hits, thread_hits;

	if (pw_child_run(child, PW_CHILD_EMULATED, TRY_CALLS, false, &ns) < 0)
		ns = 0;
	main_hits = count_in(map) - start;
	if (pw_child_run(child, PW_CHILD_EMULATED, TRY_CALLS, true, &ns) < 0)
		ns = 0;
	thread_hits = count_in(map) - start - main_hits;
	ret_reason[0] = '\0';
	if (main_hits != TRY_CALLS || thread_hits != TRY_CALLS)
		snprintf(ret_reason, size,
			 "of %u calls each, %" PRIu64 " of the main and %" PRIu64 " of a second thread were seen",
			 TRY_CALLS, main_hits, thread_hits);
}

static void child_path(const struct pw_child *child, char *path, size_t size)
{
	snprintf(path, size, "/proc/self/fd/%d", pw_child_exe_fd(child));
}

static void try_multi(struct pw_features *features, struct pw_child *child, int map)
{
	static const char remedy[] = "linux 6.6 or later has it, 6.10 without the fault; perf events are used instead";
	uint64_t offset = pw_child_file_offset(child, PW_CHILD_EMULATED), cookie = TRY_COOKIE;
	_cleanup_fd_ int program = load_counter(map, true, (enum bpf_attach_type)PW_ATTACH_TYPE_UPROBE_MULTI);
	_cleanup_fd_ int link = -1;
	char path[64], reason[160];

	child_path(child, path, sizeof(path));
	if (program >= 0)
		link = pw_attach_multi(program, pw_child_pid(child), path, &offset, &cookie, 1);
	if (program < 0 || link < 0) {
		int r = program < 0 ? program : link;

		say_no(features, PW_FEATURE_UPROBE_MULTI, r == -EPERM || r == -EACCES ? remedy_bpf : remedy, "%s: %s",
		       program < 0 ? "the program does not load" : "the link is refused", strerror(-r));
		return;
	}
	count_hits(child, map, reason, sizeof(reason));
	if (reason[0])
		say_no(features, PW_FEATURE_UPROBE_MULTI, remedy, "%s", reason);
	else
		say_yes(features, PW_FEATURE_UPROBE_MULTI);
}

static void try_cookie(struct pw_features *features, const char *path, struct pw_child *child, int map)
{
	static const char remedy[] = "linux 5.15 or later has them; nothing to do";
	_cleanup_fd_ int program = load_counter(map, true, (enum bpf_attach_type)0);
	_cleanup_fd_ int event = -1, link = -1;
	char reason[160];

	if (program < 0) {
		say_no(features, PW_FEATURE_COOKIE, remedy, "the program does not load: %s", strerror(-program));
		return;
	}
	event = pw_attach_perf_open(pw_child_pid(child), path, pw_child_file_offset(child, PW_CHILD_EMULATED));
	link = event < 0 ? event : pw_attach_perf_link(program, event, TRY_COOKIE);
	if (link < 0 || ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		say_no(features, PW_FEATURE_COOKIE, remedy, "the link is refused: %s",
		       strerror(link < 0 ? -link : errno));
		return;
	}
	count_hits(child, map, reason, sizeof(reason));
	if (reason[0])
		say_no(features, PW_FEATURE_COOKIE, remedy, "%s", reason);
	else
		say_yes(features, PW_FEATURE_COOKIE);
}

static void try_perf(struct pw_features *features, struct pw_child *child, int map)
{
	static const char remedy[] = "run as root or with CAP_SYS_ADMIN; nothing to do where uprobe_multi works";
	_cleanup_fd_ int program = load_counter(map, false, (enum bpf_attach_type)0);
	_cleanup_fd_ int event = -1;
	char path[64], reason[160];

	child_path(child, path, sizeof(path));
	if (program < 0) {
		say_no(features, PW_FEATURE_UPROBE_PERF, remedy_bpf, "the program does not load: %s",
		       strerror(-program));
		return;
	}
	event = pw_attach_perf_open(pw_child_pid(child), path, pw_child_file_offset(child, PW_CHILD_EMULATED));
	if (event < 0) {
		say_no(features, PW_FEATURE_UPROBE_PERF, remedy, "perf_event_open: %s", strerror(-event));
		return;
	}
	if (ioctl(event, PERF_EVENT_IOC_SET_BPF, program) < 0 || ioctl(event, PERF_EVENT_IOC_ENABLE, 0) < 0) {
		say_no(features, PW_FEATURE_UPROBE_PERF, remedy, "the perf event takes no program: %s",
		       strerror(errno));
		return;
	}
	count_hits(child, map, reason, sizeof(reason));
	pw_closep(&event);
	if (reason[0]) {
		say_no(features, PW_FEATURE_UPROBE_PERF, "report it", "%s", reason);
		return;
	}
	say_yes(features, PW_FEATURE_UPROBE_PERF);
	try_cookie(features, path, child, map);
}

static int make_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries)
{
	int fd = bpf_map_create(type, "pw_try", key, value, entries, NULL);

	return fd < 0 ? -errno : fd;
}

static void try_batch(struct pw_features *features)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_PERCPU_HASH, 4, 8, 16);
	uint32_t key, position, count = 1;
	static uint64_t values[8192]; /* one entry for each possible CPU (CONFIG_NR_CPUS_RANGE_END) */

	if (map >= 0 && (!bpf_map_lookup_batch(map, NULL, &position, &key, values, &count, NULL) || errno == ENOENT))
		say_yes(features, PW_FEATURE_BATCH_LOOKUP);
	else
		say_no(features, PW_FEATURE_BATCH_LOOKUP, "linux 5.6 or later has it; nothing to do", "%s",
		       strerror(map < 0 ? -map : errno));
}

static void try_maps(struct pw_features *features)
{
	_cleanup_fd_ int ring = make_map(BPF_MAP_TYPE_RINGBUF, 0, 0, 4096 * 4);
	_cleanup_fd_ int large = make_map(BPF_MAP_TYPE_ARRAY, 4, 4096, 2048);

	try_batch(features);
	if (ring >= 0)
		say_yes(features, PW_FEATURE_RING_BUFFER);
	else
		say_no(features, PW_FEATURE_RING_BUFFER,
		       ring == -EINVAL ? "linux 5.8 or later is needed" : "see BPF programs and locked memory", "%s",
		       strerror(-ring));
	if (large >= 0)
		say_yes(features, PW_FEATURE_MEMLOCK);
	else
		say_no(features, PW_FEATURE_MEMLOCK,
		       "give parkwatch CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity (ulimit -l unlimited)",
		       "a map of 8 MB is refused: %s", strerror(-large));
}

struct wanted {
	bool multi, perf, all;
};

static void try_bpf(struct pw_features *features, struct pw_child *child, const struct wanted *wanted)
{
	_cleanup_fd_ int map = make_map(BPF_MAP_TYPE_ARRAY, 4, 8, 1);
	_cleanup_fd_ int program = map < 0 ? map : load_counter(map, false, (enum bpf_attach_type)0);

	if (program < 0) {
		say_no(features, PW_FEATURE_BPF,
		       program == -ENOSYS ? "a kernel with CONFIG_BPF_SYSCALL is needed" : remedy_bpf, "bpf(2): %s%s",
		       strerror(-program),
		       program == -EPERM ? " (no privilege, a security module, or seccomp in a container)" : "");
		return;
	}
	say_yes(features, PW_FEATURE_BPF);
	try_maps(features);
	if (!child)
		return;
	if (wanted->multi)
		try_multi(features, child, map);
	if (wanted->all || (wanted->perf && !features->feature[PW_FEATURE_UPROBE_MULTI].ok))
		try_perf(features, child, map);
}

static int probe(struct pw_features *ret_features, const struct wanted *wanted)
{
	struct pw_child *child = NULL;
	struct pw_why why = {0};
	struct utsname name;

	memset(ret_features, 0, sizeof(*ret_features));
	for (int i = 0; i < _PW_FEATURE_MAX; i++) {
		struct pw_feature_state *state = &ret_features->feature[i];

		snprintf(state->means, sizeof(state->means), "%s", texts[i].means);
		snprintf(state->reason, sizeof(state->reason), "not tried, since BPF programs do not load");
	}
	if (!uname(&name))
		snprintf(ret_features->kernel, sizeof(ret_features->kernel), "%.70s", name.release);
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	int r = pw_child_start(&child, &why);
	try_privilege(ret_features);
	try_pid_namespace(ret_features);
	try_lockdown(ret_features);
	try_btf(ret_features);
	try_bpf(ret_features, r < 0 ? NULL : child, wanted);
	try_memory(ret_features, r < 0 ? NULL : child);
	pw_child_stop(child);
	libbpf_set_print(before);
	ret_features->events_possible =
		ret_features->feature[PW_FEATURE_UPROBE_MULTI].ok || ret_features->feature[PW_FEATURE_UPROBE_PERF].ok;
	return 0;
}

int pw_features_probe(struct pw_features *ret_features)
{
	return probe(ret_features, &(struct wanted){.multi = true, .perf = true, .all = true});
}

int pw_features_probe_needed(struct pw_features *ret_features, bool multi, bool perf)
{
	int r = probe(ret_features, &(struct wanted){.multi = multi, .perf = perf});

	for (int i = 0; !r && i < _PW_FEATURE_MAX; i++) {
		struct pw_feature_state *state = &ret_features->feature[i];

		if (!state->tried && ret_features->feature[PW_FEATURE_BPF].ok)
			snprintf(state->reason, sizeof(state->reason), "not tried, since it is not needed");
	}
	return r;
}
