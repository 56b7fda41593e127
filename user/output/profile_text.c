/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "output/profile.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/profile.h"
#include "model/record.h"
#include "output/place.h"

#define DATE_SIZE 10 /* "2026-11-26" */

static const char *state_of(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	if (group->mixed_status)
		return "various";
	return group->wait_reason ? pw_profile_string(profile, group->wait_reason) : pw_status_name(group->status);
}

/* Where a person looks first: the innermost frame outside of the runtime. */
static const struct pw_profile_frame *telling_frame(const struct pw_profile *profile,
						    const struct pw_profile_group *group)
{
	uint32_t shown = pw_profile_shown_frames(profile, group);

	for (uint32_t i = 0; i < shown; i++) {
		const struct pw_profile_frame *frame = &profile->frames[group->first_frame + i];

		if (!pw_is_runtime_name(pw_profile_string(profile, frame->function)))
			return frame;
	}
	return shown ? &profile->frames[group->first_frame] : NULL;
}

/* --- the top ----------------------------------------------------------------------------------------------------- */

/* "14:02:07 UTC", with the date unless that is the day of the profile. */
static const char *since(const struct pw_profile *profile, char text[PW_RFC3339_SIZE + 4])
{
	char then[PW_RFC3339_SIZE], now[PW_RFC3339_SIZE];
	bool same_day;

	pw_time_rfc3339(profile->ages_wall_ns, then);
	pw_time_rfc3339(profile->taken_wall_ns, now);
	same_day = !strncmp(then, now, DATE_SIZE);
	snprintf(text, PW_RFC3339_SIZE + 4, "%.*s%s%.8s UTC", same_day ? 0 : DATE_SIZE, then, same_day ? "" : " ",
		 then + DATE_SIZE + 1);
	return text;
}
/* " (pid 12, go1.24.4)", or when and of whom the core was left. */
static void put_whose(struct pw_buf *out, const struct pw_profile *profile)
{
	char when[PW_RFC3339_SIZE];

	pw_buf_printf(out, " (%spid %d, ", profile->from_core ? "core of " : "", profile->pid);
	pw_put_foreign(out, profile->go_version);
	if (profile->from_core)
		pw_buf_printf(out, ", written %s", pw_time_rfc3339(profile->taken_wall_ns, when));
	pw_buf_putc(out, ')');
}

/* "; 12 skipped (9 swapped out, 3 over the time budget)" */
static void put_skipped(struct pw_buf *out, const struct pw_profile *profile)
{
	uint64_t told = profile->skipped_swapped + profile->skipped_time + profile->skipped_memory;
	uint64_t rest = profile->skipped > told ? profile->skipped - told : 0;
	const struct {
		uint64_t count;
		const char *why;
	} reasons[] = {
		{profile->skipped_swapped, "swapped out"},
		{profile->skipped_time, "over the time budget"},
		{profile->skipped_memory, "over the memory budget"},
		{rest, "unreadable"},
	};
	char number[PW_GROUPED_SIZE];
	const char *before = " (";

	if (profile->waits_cut)
		pw_buf_puts(out, "; what they wait on not read: over the time budget");
	if (profile->labels_cut)
		pw_buf_puts(out, "; labels not read: over the time budget");
	if (!profile->skipped)
		return;
	pw_buf_printf(out, "; %s skipped", pw_grouped(profile->skipped, number));
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		if (!reasons[i].count)
			continue;
		pw_buf_printf(out, "%s%s %s", before, pw_grouped(reasons[i].count, number), reasons[i].why);
		before = ", ";
	}
	pw_buf_puts(out, ")");
}

static void put_head(struct pw_buf *out, const struct pw_profile *profile)
{
	char number[PW_GROUPED_SIZE], duration[PW_DURATION_SIZE], clock[PW_RFC3339_SIZE + 4];

	pw_put_foreign(out, profile->process);
	put_whose(out, profile);
	pw_buf_printf(out, ": %s goroutine%s in %zu group%s", pw_grouped(profile->total, number),
		      profile->total == 1 ? "" : "s", profile->group_count, profile->group_count == 1 ? "" : "s");
	if (profile->over_ns)
		pw_buf_printf(out, "; %" PRIu64 " looks in %s", profile->looks,
			      pw_time_duration(profile->over_ns, duration));
	else if (profile->elapsed_ns)
		pw_buf_printf(out, "; two looks %s apart", pw_time_duration(profile->elapsed_ns, duration));
	else if (!profile->from_core)
		pw_buf_puts(out, "; one look");
	if (profile->duration_ns && !profile->from_core)
		pw_buf_printf(out, ", %s took %s", profile->over_ns || profile->elapsed_ns ? "the first" : "which",
			      pw_time_duration(profile->duration_ns, duration));
	if (profile->ages_wall_ns)
		pw_buf_printf(out, "; ages since %s from the daemon", since(profile, clock));
	if (profile->missing_bytes)
		pw_buf_printf(out, "; the core is cut: %s bytes of memory are missing",
			      pw_grouped(profile->missing_bytes, number));
	put_skipped(out, profile);
	if (profile->torn)
		pw_buf_printf(out, "; %s left out: they changed while they were read",
			      pw_grouped(profile->torn, number));
	pw_buf_putc(out, '\n');
	if (!profile->compared)
		return;
	pw_buf_printf(out, "%+" PRId64 " against the older profile", (int64_t)(profile->total - profile->old_total));
	if (profile->gone_groups)
		pw_buf_printf(out, "; of %" PRIu64 " group%s nothing is left (%s goroutine%s)", profile->gone_groups,
			      profile->gone_groups == 1 ? "" : "s", pw_grouped(profile->gone_goroutines, number),
			      profile->gone_goroutines == 1 ? "" : "s");
	pw_buf_putc(out, '\n');
}

static void put_leader(struct pw_buf *out, const struct pw_profile *profile, const char *title, const char *figure,
		       const struct pw_profile_group *group)
{
	const struct pw_profile_frame *frame = telling_frame(profile, group);

	pw_buf_printf(out, "%-9s %10s  ", title, figure);
	pw_put_foreign(out, state_of(profile, group));
	if (frame) {
		pw_buf_puts(out, " in ");
		pw_put_place(out, profile, frame, false);
	}
	if (group->diagnosis.rule[0])
		pw_buf_printf(out, " [%s %s]", group->diagnosis.rule, pw_verdict_name(group->diagnosis.verdict));
	pw_buf_putc(out, '\n');
}

/* Without a daemon nobody knows of anything that was there before the first look: then many are the oldest. */
static void put_oldest(struct pw_buf *out, const struct pw_profile *profile, const char *figure,
		       const struct pw_profile_group *oldest)
{
	size_t equals = 0;

	for (size_t i = 0; i < profile->group_count; i++)
		equals += !profile->groups[i].system && pw_status_parked(profile->groups[i].status) &&
			  profile->groups[i].age_max_ns == oldest->age_max_ns;
	if (equals == 1 || !oldest->age_at_least || profile->ages_wall_ns)
		put_leader(out, profile, "oldest", figure, oldest);
	else
		pw_buf_printf(out, "%-9s %10s  %zu groups, from before the first look (a running daemon knows more)\n",
			      "oldest", figure, equals);
}

#define STATES_MAX 24 /* wait reasons and states of one program; Go has about 40 */

/* How many of the program's own are in each state, the most first. */
static void put_states(struct pw_buf *out, const struct pw_profile *profile)
{
	struct {
		const char *name;
		uint64_t count;
	} states[STATES_MAX];
	size_t count = 0;
	uint64_t total = 0;
	char number[PW_GROUPED_SIZE];

	for (size_t i = 0; i < profile->group_count; i++) {
		const struct pw_profile_group *group = &profile->groups[i];
		size_t at = 0;

		if (group->system)
			continue;
		total += group->count;
		while (at < count && strcmp(states[at].name, state_of(profile, group)) != 0)
			at++;
		if (at == STATES_MAX)
			continue;
		if (at == count) {
			states[count].name = state_of(profile, group);
			states[count++].count = 0;
		}
		states[at].count += group->count;
	}
	if (count < 2)
		return;
	pw_buf_printf(out, "%-9s %10s  ", total < profile->total ? "its own" : "in all", pw_grouped(total, number));
	for (size_t shown = 0; shown < count; shown++) {
		size_t most = shown;

		for (size_t i = shown + 1; i < count; i++)
			most = states[i].count > states[most].count ? i : most;
		pw_buf_printf(out, "%s%s ", shown ? ", " : "", pw_grouped(states[most].count, number));
		pw_put_foreign(out, states[most].name);
		states[most] = states[shown];
	}
	pw_buf_putc(out, '\n');
}

/* Mostly why there is a core file. */
static bool is_panicking(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	for (uint32_t i = 0; group->status == PW_GOROUTINE_RUNNING && i < group->frame_count; i++)
		if (!strcmp(pw_profile_string(profile, profile->frames[group->first_frame + i].function),
			    "runtime.gopanic"))
			return true;
	return false;
}

/* Of the program's own groups; those of the runtime lead nothing. */
static void put_leaders(struct pw_buf *out, const struct pw_profile *profile)
{
	const struct pw_profile_group *biggest = NULL, *oldest = NULL, *fastest = NULL, *panicking = NULL;
	char number[PW_GROUPED_SIZE], age[PW_DURATION_SIZE], text[48];

	for (size_t i = 0; i < profile->group_count; i++) {
		const struct pw_profile_group *group = &profile->groups[i];

		if (group->system)
			continue;
		if (!biggest || group->count > biggest->count)
			biggest = group;
		if (pw_status_parked(group->status) && (!oldest || group->age_max_ns > oldest->age_max_ns))
			oldest = group;
		if (group->growth > 0 && (!fastest || group->growth > fastest->growth))
			fastest = group;
		if (profile->from_core && is_panicking(profile, group))
			panicking = group;
	}
	pw_buf_putc(out, '\n');
	if (biggest)
		put_leader(out, profile, "biggest", pw_grouped(biggest->count, number), biggest);
	if (oldest && oldest->age_max_ns) {
		snprintf(text, sizeof(text), "%s%s", oldest->age_at_least ? ">=" : "",
			 pw_time_duration(oldest->age_max_ns, age));
		put_oldest(out, profile, text, oldest);
	}
	if (fastest) {
		snprintf(text, sizeof(text), "+%s", pw_grouped((uint64_t)fastest->growth, number));
		put_leader(out, profile, "growing", text, fastest);
	}
	if (panicking)
		put_leader(out, profile, "panicking", pw_grouped(panicking->count, number), panicking);
	put_states(out, profile);
}

/* --- groups ------------------------------------------------------------------------------------------------------ */

/* Since a look that only began is since nothing: one look by itself knows no age that it does not share with all. */
static bool age_is_known(const struct pw_profile *profile, const struct pw_profile_group *group)
{
	bool alone = !profile->elapsed_ns && !profile->over_ns && !profile->ages_wall_ns;

	return group->age_max_ns && !(alone && group->age_at_least);
}

static void put_ages(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	char low[PW_DURATION_SIZE], middle[PW_DURATION_SIZE], high[PW_DURATION_SIZE];
	const char *least = group->age_at_least ? "at least " : "";
	const char *what = pw_status_parked(group->status) && !group->mixed_status ? "for" : "alive for";

	if (!age_is_known(profile, group))
		return;
	pw_time_duration(group->age_max_ns, high);
	if (group->age_min_ns == group->age_max_ns) {
		pw_buf_printf(out, ", %s %s%s", what, least, high);
		return;
	}
	pw_buf_printf(out, ", %s %s to %s%s (median %s)", what,
		      group->age_min_ns ? pw_time_duration(group->age_min_ns, low) : "moments", least, high,
		      group->age_median_ns ? pw_time_duration(group->age_median_ns, middle) : "moments");
}

static void put_runs(struct pw_buf *out, const struct pw_profile_group *group)
{
	char number[PW_GROUPED_SIZE];

	if (group->runs_per_second < 0)
		return;
	if (group->never_ran == group->count) {
		pw_buf_puts(out, ", never ran between the looks");
		return;
	}
	if (group->runs_per_second == 0) {
		pw_buf_printf(out, ", never ran between the looks, %s came since the first",
			      pw_grouped(group->count - group->never_ran, number));
		return;
	}
	pw_buf_printf(out, ", %.3g runs/s", group->runs_per_second);
	if (group->never_ran)
		pw_buf_printf(out, " (%s never ran)", pw_grouped(group->never_ran, number));
}

static void put_times(struct pw_buf *out, const struct pw_profile_group *group)
{
	const struct {
		const char *name;
		uint64_t ns;
	} states[] = {{"waiting", group->waiting_ns},
		      {"running", group->running_ns},
		      {"runnable", group->runnable_ns},
		      {"in system calls", group->syscall_ns}};
	const char *separator = "    time: ";
	char text[PW_DURATION_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (!states[i].ns)
			continue;
		pw_buf_printf(out, "%s%s %s", separator, states[i].name, pw_time_duration(states[i].ns, text));
		separator = ", ";
	}
	pw_buf_putc(out, '\n');
}

static void put_queue(struct pw_buf *out, const char *name, uint64_t count)
{
	char number[PW_GROUPED_SIZE];

	if (count != UINT64_MAX)
		pw_buf_printf(out, ", %s %s%s", pw_grouped(count, number), name, count == 1 ? "" : "s");
}

/* "sync.Mutex (locked)", "sync.WaitGroup (2 still to be done)" */
static void put_sync(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_wait *wait)
{
	const char *sync = pw_profile_string(profile, wait->sync);

	pw_buf_puts(out, *sync ? sync : "semaphore");
	if (!*sync || !wait->state_known)
		return;
	if (!strcmp(sync, "sync.WaitGroup"))
		pw_buf_printf(out, " (%" PRId64 " still to be done)", wait->counter);
	else if (!strcmp(sync, "sync.Mutex"))
		pw_buf_printf(out, " (%s%s%s)", wait->locked ? "locked" : "not locked",
			      wait->woken ? ", one woken" : "", wait->starving ? ", starving" : "");
	else if (!strcmp(sync, "sync.RWMutex") && wait->locked)
		pw_buf_puts(out, " (locked by a writer)");
	else if (!strcmp(sync, "sync.RWMutex"))
		pw_buf_printf(out, " (%" PRId64 " reader%s hold%s it%s)", wait->counter, wait->counter == 1 ? "" : "s",
			      wait->counter == 1 ? "s" : "", wait->writer ? ", a writer waits" : "");
}

/* When a timer wakes them. */
static void put_firing(struct pw_buf *out, const struct pw_profile_wait *wait, bool sleeps)
{
	char left[PW_DURATION_SIZE], period[PW_DURATION_SIZE];

	if (wait->deadline_ns <= 0)
		return;
	pw_buf_printf(out, "%s in %s", sleeps ? ", wakes" : ", a timer fires",
		      pw_time_duration((uint64_t)wait->deadline_ns, left));
	if (wait->period_ns > 0)
		pw_buf_printf(out, ", every %s", pw_time_duration((uint64_t)wait->period_ns, period));
}

static void put_object(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_wait *wait)
{
	const char *kind = pw_profile_string(profile, wait->kind);
	char duration[PW_DURATION_SIZE];

	if (!strcmp(kind, "channel") || !strcmp(kind, "select")) {
		pw_buf_puts(out, wait->nil ? !strcmp(kind, "select") ? "no channel at all" : "nil channel" : "channel");
		if (wait->capacity != UINT64_MAX && !wait->nil)
			pw_buf_printf(out, " with %" PRIu64 " of %" PRIu64 " buffered", wait->length, wait->capacity);
		if (wait->closed)
			pw_buf_puts(out, ", closed");
		if (!wait->nil) {
			put_queue(out, "receiver", wait->receivers);
			put_queue(out, "sender", wait->senders);
		}
	} else if (!strcmp(kind, "network")) {
		pw_buf_puts(out, "descriptor");
		if (wait->fd >= 0)
			pw_buf_printf(out, " %d", wait->fd);
		if (wait->deadline_ns == 0)
			pw_buf_puts(out, " without deadline");
		else if (wait->deadline_ns > 0)
			pw_buf_printf(out, ", deadline in %s", pw_time_duration((uint64_t)wait->deadline_ns, duration));
	} else if (!strcmp(kind, "timer")) {
		pw_buf_puts(out, "timer");
	} else {
		put_sync(out, profile, wait);
		put_queue(out, "waiter", wait->receivers);
	}
	if (wait->cases > 1)
		pw_buf_printf(out, ", and %u more of that select", wait->cases - 1);
	if (wait->owner_goid)
		pw_buf_printf(out, ", probably held by goroutine %" PRIu64, wait->owner_goid);
	if (strcmp(kind, "network") != 0)
		put_firing(out, wait, !strcmp(kind, "timer"));
	pw_buf_putc(out, '\n');
}

static void put_wait(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_wait *wait,
		     uint32_t distinct)
{
	char number[PW_GROUPED_SIZE];

	if (!wait->kind || (!wait->present && !wait->nil))
		return;
	pw_buf_puts(out, "    on ");
	if (distinct > 1)
		pw_buf_printf(out, "%s different objects; for example a ", pw_grouped(distinct, number));
	put_object(out, profile, wait);
}

/* Of a select: each by itself. A case that sends is one of the senders, one that receives one of the receivers. */
static void put_cases(struct pw_buf *out, const struct pw_profile *profile)
{
	for (size_t i = 0; i < profile->case_count; i++) {
		pw_buf_puts(out, "    case ");
		put_object(out, profile, &profile->cases[i]);
	}
}

static void put_labels(struct pw_buf *out, const struct pw_profile *profile, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct pw_profile_label *label = &profile->labels[first + i];

		pw_buf_puts(out, i ? ", " : "    labels: ");
		pw_put_string(out, profile, label->key);
		pw_buf_putc(out, '=');
		pw_put_string(out, profile, label->value);
	}
	if (count)
		pw_buf_putc(out, '\n');
}

/* What the program did, without how the runtime does it: from the telling frame on, and not runtime.main. */
static void put_stack(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group,
		      bool whole)
{
	uint32_t shown = pw_profile_shown_frames(profile, group), first = 0;
	const struct pw_profile_frame *telling = telling_frame(profile, group);

	if (telling && !whole)
		first = (uint32_t)(telling - &profile->frames[group->first_frame]);
	if (shown > first + 1 && !whole &&
	    !strcmp(pw_profile_string(profile, profile->frames[group->first_frame + shown - 1].function),
		    "runtime.main"))
		shown--;
	for (uint32_t i = first; i < shown; i++) {
		const struct pw_profile_frame *frame = &profile->frames[group->first_frame + i];

		pw_buf_puts(out, "      ");
		pw_put_place(out, profile, frame, true);
		pw_buf_puts(out, frame->inlined ? " (inlined)\n" : "\n");
	}
	if (group->truncated)
		pw_buf_puts(out, "      ... (the rest of the stack was not read)\n");
	if (!group->frame_count && !group->mixed_status && group->status == PW_GOROUTINE_RUNNING)
		pw_buf_puts(out, "      (running: it has no stack that could be read)\n");
	if (group->created_by.function) {
		pw_buf_puts(out, "    created by ");
		pw_put_place(out, profile, &group->created_by, true);
		pw_buf_putc(out, '\n');
	}
}

static void put_diagnosis(struct pw_buf *out, const struct pw_profile_group *group)
{
	if (!group->diagnosis.rule[0])
		return;
	pw_buf_printf(out, "    %s, %s: ", group->diagnosis.rule, pw_verdict_name(group->diagnosis.verdict));
	pw_put_foreign(out, group->diagnosis.text);
	pw_buf_putc(out, '\n');
}

static void put_group(struct pw_buf *out, const struct pw_profile *profile, const struct pw_profile_group *group)
{
	char number[PW_GROUPED_SIZE];

	pw_buf_printf(out, "\n%s", pw_grouped(group->count, number));
	if (profile->compared && group->growth)
		pw_buf_printf(out, " (%+" PRId64 ")", group->growth);
	pw_buf_putc(out, ' ');
	pw_put_foreign(out, state_of(profile, group));
	put_ages(out, profile, group);
	put_runs(out, group);
	pw_buf_putc(out, '\n');
	if (profile->over_ns)
		put_times(out, group);
	put_wait(out, profile, &group->waiting_on, group->distinct_objects);
	put_labels(out, profile, group->first_label, group->label_count);
	put_stack(out, profile, group, false);
	put_diagnosis(out, group);
}

int pw_profile_write_text(struct pw_buf *out, const struct pw_profile *profile, size_t top)
{
	size_t shown = 0, groups = 0;
	uint64_t rest = 0, system = 0;
	char number[PW_GROUPED_SIZE];

	put_head(out, profile);
	put_leaders(out, profile);
	for (size_t i = 0; i < profile->group_count; i++) {
		const struct pw_profile_group *group = &profile->groups[i];

		if (group->system) {
			system += group->count;
		} else if (shown < top) {
			put_group(out, profile, group);
			shown++;
		} else {
			rest += group->count;
			groups++;
		}
	}
	if (groups || system)
		pw_buf_putc(out, '\n');
	if (groups)
		pw_buf_printf(out, "and %s goroutine%s in %zu more group%s (--top)\n", pw_grouped(rest, number),
			      rest == 1 ? "" : "s", groups, groups == 1 ? "" : "s");
	if (system)
		pw_buf_printf(out, "and %s of the runtime itself\n", pw_grouped(system, number));
	return pw_buf_error(out);
}

/* Born when, by whom; how often it ran; whose it is. A core file knows little of it. */
static void put_life(struct pw_buf *out, const struct pw_profile_goroutine *row, const struct pw_profile_group *group)
{
	const char *separator = "    ";
	char age[PW_DURATION_SIZE];

	if (row->age_ns || row->parent_goid) {
		pw_buf_printf(out, "%sborn", separator);
		separator = "; ";
	}
	if (row->age_ns)
		pw_buf_printf(out, " %s%s ago", row->age_at_least ? "at least " : "",
			      pw_time_duration(row->age_ns, age));
	if (row->parent_goid)
		pw_buf_printf(out, " by goroutine %" PRIu64, row->parent_goid);
	if (row->runs != UINT32_MAX) {
		pw_buf_printf(out, "%sran %u times between the looks", separator, row->runs);
		separator = "; ";
	}
	if (row->locked_to_thread) {
		pw_buf_printf(out, "%slocked to its thread", separator);
		separator = "; ";
	}
	if (group->system) {
		pw_buf_printf(out, "%sthe runtime's own", separator);
		separator = "; ";
	}
	if (separator[0] == ';')
		pw_buf_putc(out, '\n');
}

int pw_profile_write_goroutine(struct pw_buf *out, const struct pw_profile *profile)
{
	const struct pw_profile_goroutine *row = profile->goroutines;
	const struct pw_profile_group *group;

	if (profile->goroutine_count != 1 || row->group >= profile->group_count)
		return -ENODATA;
	group = &profile->groups[row->group];
	pw_buf_printf(out, "goroutine %" PRIu64 " of ", row->goid);
	pw_put_foreign(out, profile->process);
	put_whose(out, profile);
	pw_buf_puts(out, ": ");
	pw_put_foreign(out, state_of(profile, group));
	put_ages(out, profile, group);
	pw_buf_putc(out, '\n');
	put_life(out, row, group);
	if (profile->case_count)
		put_cases(out, profile);
	else
		put_wait(out, profile, &row->wait, 1);
	put_labels(out, profile, row->first_label, row->label_count);
	put_stack(out, profile, group, true);
	put_diagnosis(out, group);
	return pw_buf_error(out);
}
