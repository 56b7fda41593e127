/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "support/go_target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const go_target_versions[] = {"1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", NULL};
const char *const go_target_flavours[] = {
	"plain", "stripped", "external-stripped", "pie-stripped", "pie-external-stripped", NULL};

static const char *cache_dir(char *buffer, size_t size)
{
	const char *cache = getenv("PARKWATCH_CACHE"), *home = getenv("HOME");

	if (cache && cache[0])
		snprintf(buffer, size, "%s", cache);
	else
		snprintf(buffer, size, "%s/.cache/parkwatch", home ? home : "/root");
	return buffer;
}

static void run(const char *path, int input, int output)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* a failed test leaves nothing behind */
	dup2(input, 0);
	dup2(output, 1);
	execl(path, path, (char *)NULL);
	_exit(127);
}

bool go_target_start(struct go_target *target, const char *behaviour, const char *version, const char *flavour)
{
	char cache[256];
	int to[2], from[2];

	memset(target, 0, sizeof(*target));
	snprintf(target->path, sizeof(target->path), "%s/targets/%s-%s-%s", cache_dir(cache, sizeof(cache)), behaviour,
		 version, flavour);
	if (access(target->path, X_OK) != 0)
		return false;
	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	target->pid = fork();
	assert_true(target->pid >= 0);
	if (!target->pid)
		run(target->path, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	target->input = to[1];
	target->output = fdopen(from[0], "r");
	assert_non_null(target->output);
	if (getline(&target->line, &target->line_size, target->output) <= 0 || !strstr(target->line, "\"ready\":true"))
		fail_msg("%s does not start", target->path);
	return true;
}

const char *go_target_ask(struct go_target *target, const char *command)
{
	if (dprintf(target->input, "%s\n", command) <= 0 ||
	    getline(&target->line, &target->line_size, target->output) <= 0)
		fail_msg("%s does not answer '%s'", target->path, command);
	if (!strstr(target->line, "\"ok\":true"))
		fail_msg("%s: '%s': %s", target->path, command, target->line);
	return target->line;
}

void go_target_stop(struct go_target *target)
{
	kill(target->pid, SIGKILL);
	waitpid(target->pid, NULL, 0);
	close(target->input);
	fclose(target->output);
	free(target->line);
}

long long go_target_number(const char *answer, const char *key)
{
	char pattern[64];
	const char *at;

	snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	at = strstr(answer, pattern);
	return at ? strtoll(at + strlen(pattern), NULL, 10) : -1;
}
