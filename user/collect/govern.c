/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <bpf/bpf.h>
#include <string.h>
#include <sys/timerfd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "collect/collect_internal.h"
#include "target/target.h"

/*
 * The governor at work. Judging is overhead.c's, estimating sampling.c's; here is the order of things:
 *
 *	continuous --step down--> gates close, maps are read (all up to here is exact), then, again and again:
 *	pause --due--> attach, gates open -- window --due, or BPF says so--> gates close, detach -- pause ...
 *	windows --step up--> attach, gates open; what was counted first speaks for the pause before it; continuous
 *
 * A window is what lies between the marks that the worker took when the gates opened and closed, however late anybody
 * woke up. Maps are read by the polls only, while gates are closed, so what they have gained is what the windows saw.
 */
#define WINDOW_MULTI_NS (10 * PW_NS_PER_MS)
#define WINDOW_PERF_NS	(50 * PW_NS_PER_MS)  /* closing takes 0.1 s a site */
#define ENDING_NS	(300 * PW_NS_PER_MS) /* of counting again speak for the last pause */
#define CAPACITY_NS	PW_NS_PER_SEC	     /* of the budget: what may be spent at once */
#define QUANTA		16

static void group_costs(const struct pw_collect_entry *entry, const uint64_t from[_PW_EVENT_MAX],
			const uint64_t to[_PW_EVENT_MAX], uint64_t cost_ns[_PW_GROUP_MAX])
{
	memset(cost_ns, 0, sizeof(*cost_ns) * _PW_GROUP_MAX);
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		if (to[event] > from[event])
			cost_ns[pw_attach_group_of((enum pw_event)event)] +=
				(to[event] - from[event]) * entry->cost_ns[event];
}

static uint64_t total_cost(const struct pw_collect_entry *entry, const uint64_t from[_PW_EVENT_MAX],
			   const uint64_t to[_PW_EVENT_MAX])
{
	uint64_t cost_ns[_PW_GROUP_MAX], sum = 0;

	group_costs(entry, from, to, cost_ns);
	for (int group = 0; group < _PW_GROUP_MAX; group++)
		sum += cost_ns[group];
	return sum;
}

/* Events with a site in these groups, as bits. */
static unsigned int events_of(const struct pw_collect_entry *entry, unsigned int groups)
{
	unsigned int events = 0;

	for (int event = 0; event < _PW_EVENT_MAX; event++)
		if (entry->has_site[event] && groups & PW_GROUP_BIT(pw_attach_group_of((enum pw_event)event)))
			events |= 1U << event;
	return events;
}

static unsigned int windowed(const struct pw_collect_entry *entry)
{
	return pw_governor_groups(&entry->govern.governor, PW_PROBES_WINDOWS);
}

unsigned int pw_govern_groups(const struct pw_collect_entry *entry)
{
	unsigned int groups = pw_governor_groups(&entry->govern.governor, PW_PROBES_CONTINUOUS);

	return entry->govern.window_wanted ? groups | windowed(entry) : groups;
}

/* ---- the budget in BPF ------------------------------------------------------------------------------------------ */

/* In windows one of the shortest may cost a whole CPU for its time, on top of the budget. */
static uint64_t capacity_ns(const struct pw_governing *govern, bool windows)
{
	double capacity = govern->budget * (double)CAPACITY_NS;

	return windows ? (uint64_t)(2 * capacity) + govern->governor.window_min_ns : (uint64_t)PW_MAX(capacity, 1.0);
}

/* anew: forgets what was spent, and may be reported again. */
static void write_budget(struct pw_collect *collect, struct pw_collect_entry *entry, bool anew)
{
	struct pw_governing *govern = &entry->govern;
	struct pw_bpf_budget budget = {.round = govern->written.round + anew};
	struct pw_bpf_account nothing = {0};

	if (govern->budget > 0) {
		budget.capacity_ns = capacity_ns(govern, windowed(entry) != 0);
		budget.quantum_ns = PW_MAX(budget.capacity_ns / QUANTA, 1U);
		budget.rate = (uint32_t)(PW_MIN(govern->budget, 1.0) * PW_BPF_RATE_ONE);
	}
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		budget.cost_ns[event] = (uint32_t)entry->cost_ns[event];
	if (!memcmp(&budget, &govern->written, sizeof(budget)))
		return;
	govern->written = budget;
	if (anew)
		(void)bpf_map_update_elem(pw_skeleton_map(collect->skeleton, PW_MAP_ACCOUNTS), &entry->slot, &nothing,
					  BPF_ANY);
	(void)bpf_map_update_elem(pw_skeleton_map(collect->skeleton, PW_MAP_BUDGETS), &entry->slot, &budget, BPF_ANY);
}

void pw_govern_prices(struct pw_collect *collect)
{
	const struct pw_cost *cost = &collect->cost;

	collect->prices_due = false;
	for (size_t i = 0; i < collect->entries.count; i++) {
		struct pw_collect_entry *entry = collect->entries.items[i];
		uint64_t others = 0;

		for (size_t j = 0; cost->further_ns && j < collect->entries.count; j++)
			others += j != i && collect->entries.items[j]->attachment->attached &&
				  collect->entries.items[j]->file_inode == entry->file_inode &&
				  collect->entries.items[j]->file_device == entry->file_device;
		for (int event = 0; event < _PW_EVENT_MAX; event++) {
			if (!entry->has_site[event])
				continue;
			entry->cost_ns[event] = (entry->emulated[event] ? cost->emulated_ns : cost->stepped_ns) +
						others * cost->further_ns;
			if (event == PW_EVENT_SPAWN && collect->options.creation_stacks_every)
				entry->cost_ns[event] += cost->stack_ns / collect->options.creation_stacks_every;
			entry->counts.cost_per_hit_ns[event] = entry->cost_ns[event];
		}
		write_budget(collect, entry, false);
	}
}

/* The state of the governor, for the counts. */
static void show(struct pw_collect_entry *entry)
{
	const struct pw_governing *govern = &entry->govern;
	struct pw_target_counts *counts = &entry->counts;

	counts->cpu_percent = 100 * govern->governor.share;
	counts->budget_percent = govern->budget < 0 ? -1 : 100 * govern->budget;
	counts->governor_state = pw_governor_state(&govern->governor);
	counts->governor_since_ns = govern->governor.since_ns;
	counts->governor_until_ns = govern->governor.until_ns;
	counts->governor_percent = 100 * pw_governor_demand(&govern->governor);
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		counts->mode[event] = entry->has_site[event]
					      ? govern->governor.group[pw_attach_group_of((enum pw_event)event)].mode
					      : PW_PROBES_OFF;
}

void pw_govern_start(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	const uint64_t nothing[_PW_GROUP_MAX] = {0};
	struct pw_governing *govern = &entry->govern;

	pw_governor_init(&govern->governor, entry->groups,
			 collect->method == PW_ATTACH_PERF ? WINDOW_PERF_NS : WINDOW_MULTI_NS);
	govern->budget = collect->options.budget_percent < 0 ? -1 : collect->options.budget_percent / 100;
	(void)pw_governor_update(&govern->governor, pw_boot_ns(), nothing, govern->budget);
	write_budget(collect, entry, true);
	show(entry);
}

/* ---- windows ---------------------------------------------------------------------------------------------------- */

static double random_share(struct pw_collect *collect)
{
	/* xorshift64 */
	collect->random ^= collect->random << 13;
	collect->random ^= collect->random >> 7;
	collect->random ^= collect->random << 17;
	return (double)(collect->random >> 11) / (double)(1ULL << 53);
}

static uint64_t since(uint64_t earlier, uint64_t later)
{
	return later > earlier ? later - earlier : 0;
}

/* What lies between two marks of opening and closing, and between the closing before and this opening. */
static void add_window(struct pw_collect_entry *entry, const struct pw_mark *closed)
{
	struct pw_governing *govern = &entry->govern;
	const struct pw_mark *before = &govern->closed;
	const struct pw_mark *opened = &govern->opened;
	struct pw_window window = {0};

	window.cpu_ns = since(opened->cpu_ns, closed->cpu_ns);
	window.probe_ns = total_cost(entry, opened->probed, closed->probed);
	window.pause_cpu_ns = since(before->cpu_ns, opened->cpu_ns);
	window.pause_probe_ns = total_cost(entry, before->probed, opened->probed);
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		window.counted[event] =
			(closed->probed[event] - closed->muted[event]) - (opened->probed[event] - opened->muted[event]);
	pw_sampling_add(&govern->sampling, &window);
	pw_log_debug(
		0,
		"pid %d: window of %.1f ms: %.2f ms of CPU, of it probes %.2f; %.1f ms before it: %.2f ms of CPU, of "
		"it probes %.2f",
		entry->pid, (double)(closed->boot_ns - opened->boot_ns) / 1e6, (double)window.cpu_ns / 1e6,
		(double)window.probe_ns / 1e6, (double)(opened->boot_ns - before->boot_ns) / 1e6,
		(double)window.pause_cpu_ns / 1e6, (double)window.pause_probe_ns / 1e6);
}

/* The window was closed: what it cost decides when the next one is. */
static void on_closed(struct pw_collect *collect, struct pw_collect_entry *entry, const struct pw_mark *closed)
{
	struct pw_governing *govern = &entry->govern;
	uint64_t cost_ns[_PW_GROUP_MAX], sum = 0, open_ns, took_ns;

	if (govern->open && govern->sampled && govern->closed.boot_ns) {
		add_window(entry, closed);
		group_costs(entry, govern->opened.probed, closed->probed, cost_ns);
		open_ns = closed->boot_ns - govern->opened.boot_ns;
		pw_governor_window(&govern->governor, cost_ns, open_ns);
		group_costs(entry, govern->closed.probed, closed->probed, cost_ns);
		for (int group = 0; group < _PW_GROUP_MAX; group++)
			if (windowed(entry) & PW_GROUP_BIT(group))
				sum += cost_ns[group];
		took_ns = pw_boot_ns() - govern->opened.boot_ns;
		govern->due_ns = pw_now_ns() + pw_governor_pause_ns(&govern->governor, govern->budget, sum, took_ns,
								    random_share(collect));
	} else { /* the end of counting everything: what has been spent is paid off first */
		sum = govern->budget > 0 ? capacity_ns(govern, false) : 0;
		govern->due_ns = pw_now_ns() +
				 pw_governor_pause_ns(&govern->governor, govern->budget, sum, 0, random_share(collect));
	}
	govern->closed = *closed;
	govern->open = false;
}

/* What the windows since the last time saw speaks for the pauses before them. */
static void settle(struct pw_collect_entry *entry, const struct pw_statement_counts *statements, size_t count)
{
	struct pw_governing *govern = &entry->govern;
	double factors[_PW_EVENT_MAX] = {0}, factor;

	if (!pw_sampling_settle(&govern->sampling, govern->sampled, &factor))
		return;
	for (int event = 0; event < _PW_EVENT_MAX; event++)
		if (govern->sampled & 1U << event)
			factors[event] = factor;
	if (pw_scale_settle(&govern->scale, statements, count, factors) < 0)
		pw_log_debug(-ENOMEM, "a window of pid %d is not scaled by statement", entry->pid);
	govern->settled_ns = govern->closed.boot_ns;
}

/* The maps were read when gates had closed: from here on the events in windows are estimates. */
static void begin_sampling(struct pw_collect_entry *entry, const struct pw_statement_counts *statements, size_t count)
{
	const double nothing[_PW_EVENT_MAX] = {0};
	struct pw_governing *govern = &entry->govern;

	if (pw_scale_settle(&govern->scale, statements, count, nothing) < 0)
		return; /* again at the next poll */
	govern->counts_due = false;
	govern->sampled |= events_of(entry, windowed(entry));
	govern->settled_ns = govern->closed.boot_ns;
}

/* All that is wanted is open again for a while: what was counted since then speaks for the pause before. */
static void end_sampling(struct pw_collect_entry *entry, const struct pw_statement_counts *statements, size_t count)
{
	struct pw_governing *govern = &entry->govern;
	struct pw_mark now;

	if (pw_attachment_mark(entry->attachment, &now) < 0)
		return;
	add_window(entry, &now);
	govern->closed = govern->opened = now;
	settle(entry, statements, count);
	if (govern->sampling.pending)
		return; /* it did next to nothing yet */
	govern->ending = false;
	govern->sampled &= events_of(entry, windowed(entry));
}

void pw_govern_result(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	struct pw_governing *govern = &entry->govern;
	const struct pw_attachment *attachment = entry->attachment;

	if (attachment->closed.boot_ns > govern->closed.boot_ns && attachment->closed.boot_ns)
		on_closed(collect, entry, &attachment->closed);
	if (attachment->opened.boot_ns > govern->opened.boot_ns) {
		govern->opened = attachment->opened;
		govern->open = true;
		govern->due_ns = pw_now_ns() + pw_governor_window_ns(&govern->governor, govern->budget);
		write_budget(collect, entry, true);
	}
}

/* ---- judging ---------------------------------------------------------------------------------------------------- */

static void on_modes(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	struct pw_governing *govern = &entry->govern;
	unsigned int events = events_of(entry, windowed(entry));

	govern->due_ns = 0;
	if (events & ~govern->sampled) {
		govern->counts_due = true;
		govern->window_wanted = false;
	} else if (govern->sampled & ~events && govern->budget != 0) {
		govern->ending = true;
		govern->window_wanted = true;
	}
	pw_log_debug(0, "pid %d: probes %s: they cost %.2f%% of a CPU now, the budget is %.2f%%", entry->pid,
		     pw_governor_state(&govern->governor), 100 * govern->governor.stepped_share, 100 * govern->budget);
	write_budget(collect, entry, true);
}

static void judge(struct pw_collect *collect, struct pw_collect_entry *entry, const uint64_t probed[_PW_EVENT_MAX],
		  uint64_t now_ns, bool burst)
{
	struct pw_governing *govern = &entry->govern;
	struct pw_target_counts *counts = &entry->counts;
	uint64_t cost_ns[_PW_GROUP_MAX];

	group_costs(entry, govern->probed, probed, cost_ns);
	counts->cost_ns += total_cost(entry, govern->probed, probed);
	memcpy(govern->probed, probed, sizeof(govern->probed));
	if (burst ? pw_governor_burst(&govern->governor, now_ns, cost_ns, govern->budget)
		  : pw_governor_update(&govern->governor, now_ns, cost_ns, govern->budget))
		on_modes(collect, entry);
	show(entry);
}

void pw_govern_judge(struct pw_collect *collect, struct pw_collect_entry *entry, uint64_t now_ns)
{
	judge(collect, entry, entry->counts.site_hits, now_ns, false);
}

void pw_govern_counts(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	struct pw_governing *govern = &entry->govern;
	struct pw_target_counts *counts = &entry->counts;
	struct pw_statement_counts *statements = (struct pw_statement_counts *)counts->statements;
	size_t count = counts->statement_count;

	if (govern->counts_due && !govern->open && !entry->in_flight)
		begin_sampling(entry, statements, count);
	else if (govern->ending && !entry->in_flight && govern->open &&
		 pw_boot_ns() - govern->opened.boot_ns >= ENDING_NS)
		end_sampling(entry, statements, count);
	else if (govern->sampled && !govern->open && !entry->in_flight)
		settle(entry, statements, count);
	pw_scale_apply(&govern->scale, statements, count, collect->counts.reason_counts.items);
	counts->sampled_ns = govern->sampled ? govern->settled_ns : 0;
	counts->windows = govern->sampling.settled;
	for (int event = 0; event < _PW_EVENT_MAX; event++) {
		counts->error_square[event] = govern->sampling.total[event].square;
		counts->error_linear[event] = govern->sampling.total[event].linear;
	}
}

void pw_govern_share(struct pw_collect *collect)
{
	if (collect->prices_due)
		pw_govern_prices(collect);

	const struct pw_collect_options *options = &collect->options;
	double each = options->budget_percent < 0 ? -1 : options->budget_percent / 100;
	/* Who sets no limit for one wants none for all. */
	double host = each < 0 || options->host_budget_percent < 0 ? -1 : options->host_budget_percent / 100;

	pw_vec_reset(&collect->demands);
	pw_vec_foreach (&collect->entries, entry)
		if (pw_vec_push(&collect->demands, pw_governor_demand(&(*entry)->govern.governor)) < 0)
			return;
	double share = pw_budget_share(collect->demands.items, collect->demands.count, each, host);
	collect->stats.target_budget_percent = share < 0 ? -1 : 100 * share;
	pw_vec_foreach (&collect->entries, entry) {
		(*entry)->govern.budget = share;
		write_budget(collect, *entry, false);
	}
}

/* BPF has said that the account is over its capacity. */
static void on_over_budget(struct pw_collect *collect, struct pw_collect_entry *entry)
{
	struct pw_governing *govern = &entry->govern;
	struct pw_mark now;

	govern->over_budget = false;
	if (entry->removing || !entry->counts.armed || pw_attachment_mark(entry->attachment, &now) < 0)
		return;
	entry->counts.bursts++;
	if (windowed(entry) && govern->window_wanted)
		govern->window_wanted = false; /* this window has cost enough */
	judge(collect, entry, now.probed, now.boot_ns, true);
	if (!windowed(entry))
		write_budget(collect, entry, true);
	pw_collect_pump(collect, entry);
}

static void dispatch_entry(struct pw_collect *collect, struct pw_collect_entry *entry, uint64_t now_ns)
{
	struct pw_governing *govern = &entry->govern;

	if (govern->over_budget)
		on_over_budget(collect, entry);
	if (!windowed(entry) || entry->in_flight || govern->counts_due || !govern->due_ns || now_ns < govern->due_ns)
		return;
	govern->due_ns = 0;
	govern->window_wanted = !govern->open;
	pw_collect_pump(collect, entry);
}

void pw_govern_dispatch(struct pw_collect *collect)
{
	uint64_t now_ns = pw_now_ns(), next_ns = UINT64_MAX;

	for (size_t i = 0; i < collect->entries.count; i++) {
		struct pw_collect_entry *entry = collect->entries.items[i];

		dispatch_entry(collect, entry, now_ns);
		if (!entry->in_flight && windowed(entry) && entry->govern.due_ns)
			next_ns = PW_MIN(next_ns, entry->govern.due_ns);
	}
	struct itimerspec when = {0};
	if (next_ns != UINT64_MAX) {
		next_ns = PW_MAX(next_ns, now_ns + 1);
		when.it_value = (struct timespec){(time_t)(next_ns / PW_NS_PER_SEC), (long)(next_ns % PW_NS_PER_SEC)};
	}
	(void)timerfd_settime(collect->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}
