/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/procfs.h"
#include "base/time.h"

/* A /proc of files in a directory of our own. */
struct fake {
	char root[64];
	struct pw_procfs procfs;
};

static void put(const struct fake *fake, const char *name, const void *content, size_t size)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", fake->root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(content, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void puts_(const struct fake *fake, const char *name, const char *text)
{
	put(fake, name, text, strlen(text));
}

static int make_fake(void **state)
{
	static struct fake fake;
	char path[256];

	fake = (struct fake){.root = "/tmp/test_procfs.XXXXXX", .procfs = PW_PROCFS_INIT};
	assert_non_null(mkdtemp(fake.root));
	for (const char *const *dir =
		     (const char *const[]){"42", "42/ns", "42/task", "42/task/42", "42/task/43", "self", "7x", NULL};
	     *dir; dir++) {
		snprintf(path, sizeof(path), "%s/%s", fake.root, *dir);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	assert_int_equal(pw_procfs_open(&fake.procfs, fake.root), 0);
	*state = &fake;
	return 0;
}

static int remove_fake(void **state)
{
	struct fake *fake = *state;
	char command[128];
	pid_t child;

	pw_procfs_done(&fake->procfs);
	snprintf(command, sizeof(command), "%s", fake->root);
	child = fork();
	if (child == 0) {
		execlp("rm", "rm", "-rf", command, (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	return 0;
}

#define STAT_TAIL                                                                                               \
	" S 1 42 42 0 -1 4194560 1234 0 56 0 700 800 0 0 20 0 9 0 987654 1300000000 2048 18446744073709551615 " \
	"4194304 "                                                                                              \
	"5000000 140700000000000 0 0 0 0 0 2143420159 0 0 0 17 3 0 0 0 0 0"

static void stat_is_read_behind_the_last_bracket(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_stat stat;
	struct pw_proc_id id, other;

	puts_(fake, "42/stat", "42 (evil) R 1 (name)" STAT_TAIL "\n");
	assert_int_equal(pw_procfs_stat(&fake->procfs, 42, &stat), 0);
	assert_string_equal(stat.comm, "evil) R 1 (name");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.ppid, 1);
	assert_int_equal(stat.id.start_ticks, 987654);
	assert_int_equal(stat.threads, 9);
	assert_int_equal(stat.minor_faults, 1234);
	assert_int_equal(stat.major_faults, 56);
	assert_int_equal(stat.user_ticks, 700);
	assert_int_equal(stat.system_ticks, 800);
	assert_int_equal(stat.rss_pages, 2048);
	assert_int_equal(stat.start_code, 4194304);
	assert_int_equal(stat.processor, 3);
	assert_int_equal(pw_procfs_id(&fake->procfs, 42, &id), 0);
	assert_int_equal(pw_procfs_check_id(&fake->procfs, &id), 0);
	other = id;
	other.start_ticks++;
	assert_false(pw_proc_id_equal(&id, &other));
	assert_int_equal(pw_procfs_check_id(&fake->procfs, &other), -ESTALE);
	other.pid = 99;
	assert_int_equal(pw_procfs_check_id(&fake->procfs, &other), -ESRCH);
}

static void broken_stat_is_malformed(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_stat stat;

	for (const char *const *text = (const char *const[]){"", "42", "42 (x", "42 (x)", "42 (x) ", "42 x) (S 1",
							     "42 (x) S 1 2 3", "42 (x) S a b c", NULL};
	     *text; text++) {
		puts_(fake, "42/stat", *text);
		assert_int_equal(pw_procfs_stat(&fake->procfs, 42, &stat), -EBADMSG);
	}
}

static void only_numbers_are_processes(void **state)
{
	const struct fake *fake = *state;
	struct pw_pid_vec pids = {};

	puts_(fake, "1", "not a directory, but a number");
	assert_int_equal(pw_procfs_pids(&fake->procfs, &pids), 0);
	assert_int_equal(pids.count, 2);
	assert_int_equal(pids.items[0] + pids.items[1], 43);
	assert_int_equal(pw_procfs_threads(&fake->procfs, 42, &pids), 0);
	assert_int_equal(pids.count, 2);
	assert_int_equal(pids.items[0] + pids.items[1], 85);
	assert_int_equal(pw_procfs_threads(&fake->procfs, 4711, &pids), -ESRCH);
	pids.max = 1;
	assert_int_equal(pw_procfs_pids(&fake->procfs, &pids), -E2BIG);
	pw_vec_done(&pids);
}

static void maps_are_parsed_and_found_by_address(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_maps maps;

	puts_(fake, "42/maps",
	      "00400000-00600000 r-xp 00001000 fd:01 1234567                            /usr/bin/a b (deleted)\n"
	      "00600000-00700000 rw-p 00000000 00:00 0 \n"
	      "7ffc0000-7ffd0000 rw-s 00000000 00:05 99   /memfd:x\\012y\n"
	      "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");
	assert_int_equal(pw_procfs_maps(&fake->procfs, 42, &maps), 0);
	assert_int_equal(maps.count, 4);
	assert_string_equal(maps.items[0].path, "/usr/bin/a b (deleted)");
	assert_int_equal(maps.items[0].offset, 0x1000);
	assert_int_equal(maps.items[0].dev_major, 0xfd);
	assert_int_equal(maps.items[0].dev_minor, 1);
	assert_int_equal(maps.items[0].inode, 1234567);
	assert_true(maps.items[0].readable && !maps.items[0].writable && maps.items[0].executable);
	assert_string_equal(maps.items[1].path, "");
	assert_true(maps.items[2].shared && !maps.items[1].shared);
	assert_string_equal(maps.items[2].path, "/memfd:x\\012y");
	assert_true(maps.items[3].start == 0xffffffffff600000ULL);
	assert_ptr_equal(pw_proc_maps_find(&maps, 0x600000), &maps.items[1]);
	assert_ptr_equal(pw_proc_maps_find(&maps, 0x5fffff), &maps.items[0]);
	assert_null(pw_proc_maps_find(&maps, 0x700000));
	assert_null(pw_proc_maps_find(&maps, 0));
	assert_null(pw_proc_maps_find(&maps, UINT64_MAX));
	pw_proc_maps_done(&maps);
	puts_(fake, "42/maps", "");
	assert_int_equal(pw_procfs_maps(&fake->procfs, 42, &maps), 0);
	assert_int_equal(maps.count, 0);
	pw_proc_maps_done(&maps);
}

static void broken_maps_are_malformed(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_maps maps;

	for (const char *const *text =
		     (const char *const[]){"x\n", "1000-2000 r-xp\n", "2000-1000 r-xp 0 00:00 0 \n",
					   "1000-2000 r-x 0 00:00 0 \n", "\n", "1000-2000 r-xp 0 00:00 0 a\n\nz", NULL};
	     *text; text++) {
		puts_(fake, "42/maps", *text);
		assert_int_equal(pw_procfs_maps(&fake->procfs, 42, &maps), -EBADMSG);
	}
}

static void status_keeps_units_and_namespaces(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_status status;

	puts_(fake, "42/status",
	      "Name:\tserver\nUmask:\t0022\nState:\tS "
	      "(sleeping)\nTgid:\t42\nTracerPid:\t7\nUid:\t1000\t1001\t1002\t1003\n"
	      "Gid:\t5\t6\t7\t8\nNSpid:\t42\t17\t1\nVmSize:\t 2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t 1000 "
	      "kB\nThreads:\t11\n"
	      "CapEff:\t000001ffffffffff\nSeccomp:\t2\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n");
	assert_int_equal(pw_procfs_status(&fake->procfs, 42, &status), 0);
	assert_string_equal(status.name, "server");
	assert_int_equal(status.state, 'S');
	assert_int_equal(status.tracer_pid, 7);
	assert_int_equal(status.uid_real, 1000);
	assert_int_equal(status.uid, 1001);
	assert_int_equal(status.gid, 6);
	assert_int_equal(status.ns_pid_count, 3);
	assert_int_equal(status.ns_pids[2], 1);
	assert_int_equal(status.vm_rss_bytes, 1 << 20);
	assert_int_equal(status.rss_anon_bytes, 1024000);
	assert_int_equal(status.vm_swap_bytes, 0);
	assert_int_equal(status.threads, 11);
	assert_true(status.cap_effective == 0x1ffffffffffULL);
	assert_int_equal(status.seccomp, 2);
	assert_int_equal(status.voluntary_switches, 12);
	assert_int_equal(status.involuntary_switches, 3);
	puts_(fake, "42/status", "garbage\n");
	assert_int_equal(pw_procfs_status(&fake->procfs, 42, &status), -EBADMSG);
}

static void cgroups_of_both_versions_are_told_apart(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_cgroup cgroup;

	puts_(fake, "42/cgroup",
	      "12:cpu,cpuacct:/kube/a:b\n5:memory:/mem\n3:cpuset:/no\n1:name=systemd:/system.slice/x.service\n0::/"
	      "v2\n");
	assert_int_equal(pw_procfs_cgroup(&fake->procfs, 42, &cgroup), 0);
	assert_string_equal(cgroup.v1_cpu, "/kube/a:b");
	assert_string_equal(cgroup.v1_memory, "/mem");
	assert_string_equal(cgroup.v1_systemd, "/system.slice/x.service");
	assert_string_equal(cgroup.v2, "/v2");
	puts_(fake, "42/cgroup", "nonsense\n0:\n\n::\n");
	assert_int_equal(pw_procfs_cgroup(&fake->procfs, 42, &cgroup), 0);
	assert_string_equal(cgroup.v2, "");
}

static void the_environment_is_searched_by_whole_names(void **state)
{
	static const char environ_[] = "XPARKWATCH=no\0PARKWATCH_X=no\0PARKWATCH=off\0EMPTY=\0UNENDED=y";
	const struct fake *fake = *state;
	char value[8];

	put(fake, "42/environ", environ_, sizeof(environ_) - 1);
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "PARKWATCH", value, sizeof(value)), 0);
	assert_string_equal(value, "off");
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "EMPTY", value, sizeof(value)), 0);
	assert_string_equal(value, "");
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "UNENDED", value, sizeof(value)), 0);
	assert_string_equal(value, "y");
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "PARK", value, sizeof(value)), -ENODATA);
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "PARKWATCH", value, 3), -E2BIG);
	assert_int_equal(pw_procfs_environ(&fake->procfs, 43, "PARKWATCH", value, sizeof(value)), -ESRCH);
}

/* Two variables of 300 kB before it, and so that it lies over the edge of a read of 16 kB in one place or another. */
static void a_variable_behind_a_huge_environment_is_found(void **state)
{
	static const char wanted[] = "PARKWATCH=off";
	enum { BEFORE = 600000, BEYOND = PW_PROC_ENVIRON_MAX + 100 };
	const struct fake *fake = *state;
	char *text = malloc(BEYOND), value[8];

	assert_non_null(text);
	for (size_t shift = 0; shift < sizeof(wanted) + 2; shift++) {
		size_t before = BEFORE / 16384 * 16384 - shift;

		memset(text, 'x', BEYOND);
		text[before / 2] = '\0';
		text[before - 1] = '\0';
		memcpy(text + before, wanted, sizeof(wanted));
		put(fake, "42/environ", text, before + sizeof(wanted));
		value[0] = '\0';
		assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "PARKWATCH", value, sizeof(value)), 0);
		assert_string_equal(value, "off");
	}
	memset(text, 'x', BEYOND);
	memcpy(text + BEYOND - sizeof(wanted), wanted, sizeof(wanted));
	text[BEYOND - sizeof(wanted) - 1] = '\0';
	put(fake, "42/environ", text, BEYOND);
	assert_int_equal(pw_procfs_environ(&fake->procfs, 42, "PARKWATCH", value, sizeof(value)), -EFBIG);
	free(text);
}

static void a_process_without_an_executable_is_not_a_vanished_one(void **state)
{
	const struct fake *fake = *state;
	struct pw_proc_file_id id;
	char path[64];

	assert_int_equal(pw_procfs_exe_id(&fake->procfs, 42, &id), -ENOENT);
	assert_int_equal(pw_procfs_open_exe(&fake->procfs, 42), -ENOENT);
	assert_int_equal(pw_procfs_exe(&fake->procfs, 42, path, sizeof(path)), -ENOENT);
	assert_int_equal(pw_procfs_exe_id(&fake->procfs, 43, &id), -ESRCH);
	assert_int_equal(pw_procfs_open_exe(&fake->procfs, 43), -ESRCH);
	assert_int_equal(pw_procfs_exe(&fake->procfs, 43, path, sizeof(path)), -ESRCH);
}

static void the_small_files_are_read(void **state)
{
	static const char cmdline[] = "/bin/server\0--flag\0a b\0";
	const uint64_t auxv[] = {3, 0x400040, 4, 56, 5, 11, 6, 4096, 9, 0x401000, 33, 0x7fff0000, 0, 0};
	const struct fake *fake = *state;
	struct pw_proc_statm statm;
	struct pw_proc_auxv aux;
	char text[64], path[256];
	uint64_t inode = 0;

	puts_(fake, "42/comm", "serv\ner\n");
	put(fake, "42/cmdline", cmdline, sizeof(cmdline));
	put(fake, "42/auxv", auxv, sizeof(auxv));
	puts_(fake, "42/statm", "500 200 100 50 0 150 0\n");
	assert_int_equal(pw_procfs_comm(&fake->procfs, 42, text, sizeof(text)), 0);
	assert_string_equal(text, "serv\ner");
	assert_int_equal(pw_procfs_cmdline(&fake->procfs, 42, text, sizeof(text)), 0);
	assert_string_equal(text, "/bin/server --flag a b");
	assert_int_equal(pw_procfs_cmdline(&fake->procfs, 42, text, 8), 0);
	assert_string_equal(text, "/bin/se");
	assert_int_equal(pw_procfs_statm(&fake->procfs, 42, &statm), 0);
	assert_int_equal(statm.resident_pages, 200);
	assert_int_equal(statm.data_pages, 150);
	assert_int_equal(pw_procfs_auxv(&fake->procfs, 42, &aux), 0);
	assert_int_equal(aux.entry, 0x401000);
	assert_int_equal(aux.phdr, 0x400040);
	assert_int_equal(aux.phnum, 11);
	assert_int_equal(aux.base, 0);
	snprintf(path, sizeof(path), "%s/42/ns/pid", fake->root);
	assert_int_equal(symlink("pid:[4026531836]", path), 0);
	assert_int_equal(pw_procfs_ns(&fake->procfs, 42, "pid", &inode), 0);
	assert_int_equal(inode, 4026531836U);
	snprintf(path, sizeof(path), "%s/42/ns/net", fake->root);
	assert_int_equal(symlink("net]1[", path), 0);
	assert_int_equal(pw_procfs_ns(&fake->procfs, 42, "net", &inode), -EBADMSG);
	assert_int_equal(pw_procfs_ns(&fake->procfs, 42, "mnt", &inode), -ESRCH);
	puts_(fake, "42/statm", "500 x\n");
	assert_int_equal(pw_procfs_statm(&fake->procfs, 42, &statm), -EBADMSG);
}

static void a_file_over_its_cap_is_too_big(void **state)
{
	const struct fake *fake = *state;
	_cleanup_buf_ struct pw_buf buf = PW_BUF_INIT(10);
	static char big[PW_PROC_FILE_MAX + 10];
	struct pw_proc_stat stat;

	memset(big, '(', sizeof(big));
	put(fake, "42/stat", big, sizeof(big));
	assert_int_equal(pw_procfs_stat(&fake->procfs, 42, &stat), -E2BIG);
	puts_(fake, "uptime", "more than ten bytes");
	assert_int_equal(pw_procfs_read(&fake->procfs, 0, "uptime", &buf), -E2BIG);
}

static void our_own_process_is_what_the_kernel_says(void **state)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_proc_status status;
	struct pw_proc_file_id exe = {};
	struct pw_proc_maps maps;
	struct pw_proc_auxv auxv;
	struct pw_proc_id id;
	struct stat self;
	uint64_t start;

	(void)state;
	assert_int_equal(pw_procfs_open(&procfs, "/proc"), 0);
	assert_int_equal(pw_procfs_id(&procfs, getpid(), &id), 0);
	start = pw_proc_start_boot_ns(&id);
	assert_true(start <= pw_boot_ns() && pw_boot_ns() - start < 600 * PW_NS_PER_SEC);
	assert_int_equal(pw_procfs_status(&procfs, getpid(), &status), 0);
	assert_int_equal(status.tgid, getpid());
	assert_int_equal(status.uid, geteuid());
	assert_true(status.vm_rss_bytes > 100000);
	assert_int_equal(stat("/proc/self/exe", &self), 0);
	assert_int_equal(pw_procfs_exe_id(&procfs, getpid(), &exe), 0);
	assert_int_equal(exe.inode, self.st_ino);
	assert_int_equal(exe.dev, self.st_dev);
	assert_int_equal(exe.size_bytes, self.st_size);
	assert_int_equal(pw_procfs_maps(&procfs, getpid(), &maps), 0);
	assert_int_equal(pw_procfs_auxv(&procfs, getpid(), &auxv), 0);
	assert_true(pw_proc_maps_find(&maps, auxv.entry)->executable);
	pw_proc_maps_done(&maps);
	pw_procfs_done(&procfs);
	assert_int_equal(procfs.root_fd, -1);
	assert_int_equal(pw_procfs_open(&procfs, "/proc/version"), -ENOTDIR);
}

static void a_dead_child_is_no_process_any_more(void **state)
{
	struct pw_procfs procfs = PW_PROCFS_INIT;
	struct pw_proc_id id;
	pid_t child = fork();
	int pidfd;

	(void)state;
	if (child == 0) {
		pause();
		_exit(0);
	}
	assert_int_equal(pw_procfs_open(&procfs, "/proc"), 0);
	assert_int_equal(pw_procfs_id(&procfs, child, &id), 0);
	pidfd = pw_pidfd_open(child);
	assert_true(pidfd >= 0);
	assert_true(fcntl(pidfd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(pw_pidfd_kill(pidfd, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(pw_pidfd_kill(pidfd, SIGKILL), -ESRCH);
	assert_int_equal(pw_procfs_check_id(&procfs, &id), -ESRCH);
	assert_int_equal(pw_pidfd_open(child), -ESRCH);
	close(pidfd);
	pw_procfs_done(&procfs);
}

#define on_fake(test) cmocka_unit_test_setup_teardown(test, make_fake, remove_fake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_fake(stat_is_read_behind_the_last_bracket),
		on_fake(broken_stat_is_malformed),
		on_fake(only_numbers_are_processes),
		on_fake(maps_are_parsed_and_found_by_address),
		on_fake(broken_maps_are_malformed),
		on_fake(status_keeps_units_and_namespaces),
		on_fake(cgroups_of_both_versions_are_told_apart),
		on_fake(the_environment_is_searched_by_whole_names),
		on_fake(a_variable_behind_a_huge_environment_is_found),
		on_fake(a_process_without_an_executable_is_not_a_vanished_one),
		on_fake(the_small_files_are_read),
		on_fake(a_file_over_its_cap_is_too_big),
		cmocka_unit_test(our_own_process_is_what_the_kernel_says),
		cmocka_unit_test(a_dead_child_is_no_process_any_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
