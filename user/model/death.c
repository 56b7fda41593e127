/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "model/death.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/macros.h"

#define GO_FATAL_STATUS 2   /* of a panic or a fatal error: src/runtime/panic.go:fatalpanic, dopanic_m exit(2) */
#define BY_SIGNAL	128 /* a shell's way to show a signal as a status */

static const char *const how_names[] = {"unknown", "exit", "exec", "unobserved"};
_Static_assert(ARRAY_SIZE(how_names) == _PW_DEATH_HOW_MAX, "a word for each way to end");

bool pw_death_is_end(const struct pw_death *death)
{
	return death->how == PW_DEATH_EXIT || death->how == PW_DEATH_EXEC;
}

int pw_death_signal(const struct pw_death *death)
{
	return death->status_known && WIFSIGNALED(death->status) ? WTERMSIG(death->status) : 0;
}

bool pw_death_by_oom(const struct pw_death *death)
{
	return death->how == PW_DEATH_EXIT && death->oom_kills && death->oom_kills != PW_DEATH_OOM_UNKNOWN &&
	       death->status_known && pw_death_signal(death) == SIGKILL;
}

bool pw_death_is_clean(const struct pw_death *death)
{
	static const int asked[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};

	if (death->how == PW_DEATH_EXEC)
		return true;
	if (death->how != PW_DEATH_EXIT || !death->status_known)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		if (pw_death_signal(death) == asked[i])
			return true;
	return WIFEXITED(death->status) && WEXITSTATUS(death->status) == 0;
}

bool pw_death_is_faulty(const struct pw_death *death)
{
	return death->how == PW_DEATH_EXIT && death->status_known && !pw_death_is_clean(death);
}

static void put_status(const struct pw_death *death, char *text, size_t size)
{
	int signal_number = pw_death_signal(death);
	const char *name = signal_number ? sigabbrev_np(signal_number) : NULL;

	if (!death->status_known)
		snprintf(text, size, "exit status not known");
	else if (name)
		snprintf(text, size, "exit %d (killed by SIG%s%s)", BY_SIGNAL + signal_number, name,
			 WCOREDUMP(death->status) ? ", core dumped" : "");
	else if (signal_number)
		snprintf(text, size, "exit %d (killed by signal %d)", BY_SIGNAL + signal_number, signal_number);
	else
		snprintf(text, size, "exit %d%s", WEXITSTATUS(death->status),
			 WEXITSTATUS(death->status) == GO_FATAL_STATUS ? " (as after a panic or fatal error)" : "");
}

const char *pw_death_text(const struct pw_death *death, char text[PW_DEATH_TEXT_SIZE])
{
	size_t length;

	switch (death->how) {
	case PW_DEATH_EXIT:
		put_status(death, text, PW_DEATH_TEXT_SIZE);
		break;
	case PW_DEATH_EXEC:
		snprintf(text, PW_DEATH_TEXT_SIZE, "exec of another program");
		break;
	case PW_DEATH_UNOBSERVED:
		snprintf(text, PW_DEATH_TEXT_SIZE, "no longer observed");
		break;
	default:
		snprintf(text, PW_DEATH_TEXT_SIZE, "how is not known");
		break;
	}
	length = strlen(text);
	if (pw_death_by_oom(death))
		snprintf(text + length, PW_DEATH_TEXT_SIZE - length, ", OOM kill in its cgroup");
	else if (death->how == PW_DEATH_EXIT && !death->status_known && death->oom_kills &&
		 death->oom_kills != PW_DEATH_OOM_UNKNOWN)
		snprintf(text + length, PW_DEATH_TEXT_SIZE - length, "; the OOM killer was at work in its cgroup");
	return text;
}

const char *pw_death_how_name(uint8_t how)
{
	return how < ARRAY_SIZE(how_names) ? how_names[how] : how_names[PW_DEATH_UNKNOWN];
}
