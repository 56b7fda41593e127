/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "harness.h"

#include "bpf/spawn.bpf.c"

static struct goroutine g = {.start = 0x1000, .gopc = GOPC};

static int hit(uint64_t event, const struct goroutine *goroutine)
{
	pw_regs regs = {0};

	SET_G(&regs, (uintptr_t)goroutine);
	host.cookie = cookie_of(TARGET, SLOT, event, G_REG, PW_COOKIE_NO_REG);
	return pw_lifecycle(&regs);
}

static uint64_t creations(size_t *ret_stacks)
{
	uint64_t sum = 0;

	*ret_stacks = 0;
	for (struct host_map *map = host.maps; map; map = map->next)
		for (struct host_entry *entry = map->definition == &pw_creations ? map->entries : NULL; entry;
		     entry = entry->next) {
			struct pw_bpf_creation *creation = (void *)entry->value;
			struct pw_bpf_creation_key *key = (void *)entry->key;

			assert_int_equal(key->hash, pw_bpf_stack_hash(creation->frames));
			assert_int_equal(key->target, TARGET);
			sum += creation->count;
			++*ret_stacks;
		}
	return sum;
}

static void spawns_and_exits_are_counted_by_go_statement(void **state)
{
	struct goroutine other = {.gopc = GOPC + 64};

	(void)state;
	for (int i = 0; i < 5; i++)
		hit(PW_BPF_SPAWN, &g);
	hit(PW_BPF_SPAWN, &other);
	hit(PW_BPF_EXIT, &g);
	assert_int_equal(site_counts(GOPC).spawned, 5);
	assert_int_equal(site_counts(GOPC).exited, 1);
	assert_int_equal(site_counts(GOPC + 64).spawned, 1);
	assert_int_equal(site_counts(GOPC + 64).exited, 0);
	assert_int_equal(unplaced_hits(PW_BPF_SPAWN), 0);
}

static void nothing_is_counted_before_arming(void **state)
{
	(void)state;
	target()->armed = 0;
	hit(PW_BPF_SPAWN, &g);
	assert_int_equal(site_counts(GOPC).spawned, 0);
	assert_int_equal(unplaced_hits(PW_BPF_SPAWN), 0);
}

static void a_hit_for_a_slot_given_to_another_target_is_a_drop(void **state)
{
	uint32_t nobody = 0;

	(void)state;
	target()->id = TARGET + 1;
	hit(PW_BPF_SPAWN, &g);
	assert_int_equal(site_counts(GOPC).spawned, 0);
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &nobody);
	assert_int_equal(stats->drops[PW_DROP_UNKNOWN_TARGET], 1);
}

static void unreadable_goroutines_stay_in_the_total(void **state)
{
	(void)state;
	host.memory_closed = true;
	hit(PW_BPF_SPAWN, &g);
	hit(PW_BPF_EXIT, &g);
	hit(PW_BPF_EXIT, NULL);
	assert_int_equal(drops(PW_DROP_G_UNREADABLE), 3);
	assert_int_equal(unplaced_hits(PW_BPF_SPAWN), 1);
	assert_int_equal(unplaced_hits(PW_BPF_EXIT), 2);
}

static void a_full_site_map_is_counted_and_the_hit_stays_in_the_total(void **state)
{
	struct goroutine many = {.gopc = 1};

	(void)state;
	host_reset();
	host.map_max = 4;
	begin(NULL);
	host.map_max = 4;
	for (; many.gopc <= 6; many.gopc++)
		hit(PW_BPF_SPAWN, &many);
	assert_int_equal(drops(PW_DROP_SITE_MAP_FULL), 2);
	assert_int_equal(unplaced_hits(PW_BPF_SPAWN), 2);
	assert_int_equal(site_counts(4).spawned, 1);
	assert_int_equal(site_counts(5).spawned, 0);
}

static void one_target_fills_its_share_of_the_map_and_no_more(void **state)
{
	struct goroutine many = {.gopc = 1};
	uint32_t slot = SLOT + 1;
	size_t stacks;

	(void)state;
	host_set_option(pw_share_sites, 4);
	host_set_option(pw_share_creations, 2);
	target()->stacks_first = 1;
	for (; many.gopc <= 6; many.gopc++) {
		hit(PW_BPF_SPAWN, &many);
		hit(PW_BPF_EXIT, &many); /* the same key: counted once in the share */
	}
	assert_int_equal(site_counts(4).spawned, 1);
	assert_int_equal(site_counts(5).spawned, 0);
	assert_int_equal(drops(PW_DROP_TARGET_SHARE), 2 * 2 + 2); /* two statements, spawn and exit; two stacks */
	assert_int_equal(drops(PW_DROP_SITE_MAP_FULL), 0);
	assert_int_equal(unplaced_hits(PW_BPF_SPAWN), 2);
	assert_int_equal(unplaced_hits(PW_BPF_EXIT), 2);
	creations(&stacks);
	assert_int_equal(stacks, 2);
	/* another target is not touched by it */
	struct pw_bpf_target *other = bpf_map_lookup_elem(&pw_targets, &slot);
	*other = *target();
	other->id = TARGET + 1;
	other->stacks_first = 0;
	*(__u32 *)bpf_map_lookup_elem(&pw_gates, &slot) = ~0U;
	pw_regs regs = {0};
	SET_G(&regs, (uintptr_t)&g);
	host.cookie = cookie_of(TARGET + 1, slot, PW_BPF_SPAWN, G_REG, PW_COOKIE_NO_REG);
	pw_lifecycle(&regs);
	struct pw_bpf_site_key key = {.target = TARGET + 1, .gopc = GOPC};
	struct pw_bpf_site *site = bpf_map_lookup_elem(&pw_sites, &key);
	assert_non_null(site);
	assert_int_equal(site->spawned, 1);
	host_set_option(pw_share_sites, PW_BPF_SITES_MAX / PW_BPF_SHARES);
	host_set_option(pw_share_creations, PW_BPF_CREATIONS_MAX / PW_BPF_SHARES);
}

static void creation_stacks_are_kept_for_the_first_and_then_sampled(void **state)
{
	size_t stacks;

	(void)state;
	target()->stacks_first = 4;
	target()->stacks_every = 10;
	host.stack[0] = 0x401000;
	host.stack[1] = GOPC;
	for (int i = 1; i <= 40; i++)
		hit(PW_BPF_SPAWN, &g);
	assert_int_equal(creations(&stacks), 4 + 4); /* 1 to 4; 10, 20, 30, 40 */
	assert_int_equal(stacks, 1);
	host.stack[2] = 0x402000;
	for (int i = 41; i <= 50; i++)
		hit(PW_BPF_SPAWN, &g);
	assert_int_equal(creations(&stacks), 9);
	assert_int_equal(stacks, 2);
	hit(PW_BPF_EXIT, &g);
	assert_int_equal(creations(&stacks), 9);
}

static void without_a_sampling_rate_only_the_first_are_kept(void **state)
{
	size_t stacks;

	(void)state;
	target()->stacks_first = 2;
	for (int i = 1; i <= 600; i++)
		hit(PW_BPF_SPAWN, &g);
	assert_int_equal(creations(&stacks), 2);
}

static void a_stack_that_cannot_be_walked_is_a_drop_of_the_stack_only(void **state)
{
	size_t stacks;

	(void)state;
	target()->stacks_first = 2;
	host.stack_result = -EFAULT;
	hit(PW_BPF_SPAWN, &g);
	assert_int_equal(creations(&stacks), 0);
	assert_int_equal(drops(PW_DROP_STACK_UNREADABLE), 1);
	assert_int_equal(site_counts(GOPC).spawned, 1);
}

static void coroutines_are_left_out_of_the_one_event_that_sees_them(void **state)
{
	(void)state;
	target()->skip_startpc = g.start;
	target()->skip_event = PW_BPF_EXIT;
	hit(PW_BPF_SPAWN, &g);
	hit(PW_BPF_EXIT, &g);
	assert_int_equal(site_counts(GOPC).spawned, 1);
	assert_int_equal(site_counts(GOPC).exited, 0);
	struct goroutine ordinary = {.start = 0x2000, .gopc = GOPC};
	hit(PW_BPF_EXIT, &ordinary);
	assert_int_equal(site_counts(GOPC).exited, 1);
}

static void without_cookies_process_and_address_say_what_a_hit_is(void **state)
{
	struct pw_bpf_address_key key = {.address = 0x401234, .process = 500};
	__u64 cookie = cookie_of(TARGET, SLOT, PW_BPF_SPAWN, G_REG, PW_COOKIE_NO_REG);
	pw_regs regs = {0};
	uint32_t nobody = 0;

	(void)state;
	host_set_option(pw_have_cookie, 0);
	host.cookie = 0xdead;
	bpf_map_update_elem(&pw_addresses, &key, &cookie, BPF_ANY);
	SET_G(&regs, (uintptr_t)&g);
	PW_REGS_IP(&regs) = 0x401234;
	host.pid_tgid = 500ULL << 32 | 501;
	pw_lifecycle(&regs);
	assert_int_equal(site_counts(GOPC).spawned, 1);
	host.pid_tgid = 600ULL << 32 | 601;
	pw_lifecycle(&regs);
	assert_int_equal(site_counts(GOPC).spawned, 1);
	struct pw_bpf_stats *stats = bpf_map_lookup_elem(&pw_stats, &nobody);
	assert_int_equal(stats->drops[PW_DROP_UNKNOWN_TARGET], 1);
	host_set_option(pw_have_cookie, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(spawns_and_exits_are_counted_by_go_statement, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_counted_before_arming, begin, end),
		cmocka_unit_test_setup_teardown(a_hit_for_a_slot_given_to_another_target_is_a_drop, begin, end),
		cmocka_unit_test_setup_teardown(unreadable_goroutines_stay_in_the_total, begin, end),
		cmocka_unit_test_setup_teardown(a_full_site_map_is_counted_and_the_hit_stays_in_the_total, begin, end),
		cmocka_unit_test_setup_teardown(one_target_fills_its_share_of_the_map_and_no_more, begin, end),
		cmocka_unit_test_setup_teardown(creation_stacks_are_kept_for_the_first_and_then_sampled, begin, end),
		cmocka_unit_test_setup_teardown(without_a_sampling_rate_only_the_first_are_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_stack_that_cannot_be_walked_is_a_drop_of_the_stack_only, begin, end),
		cmocka_unit_test_setup_teardown(coroutines_are_left_out_of_the_one_event_that_sees_them, begin, end),
		cmocka_unit_test_setup_teardown(without_cookies_process_and_address_say_what_a_hit_is, begin, end),
	};

	return cmocka_run_group_tests_name("bpf/spawn", tests, NULL, NULL);
}
