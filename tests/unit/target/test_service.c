/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/fake_mem.h"
#include "target/service.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void cgroup_paths_name_unit_container_and_pod(void **state)
{
	static const struct {
		const char *path, *unit, *container, *pod;
	} cases[] = {
		{"/system.slice/prometheus.service", "prometheus.service", "", ""},
		{"/system.slice/system-foo.slice/foo@bar.service/sub", "foo@bar.service", "", ""},
		{"/user.slice/user-1000.slice/session-3.scope", "", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/x.service", "x.service", "", ""},
		{"/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", ""},
		{"/system.slice/docker-" ID ".scope", "", ID, ""},
		{"/docker/" ID, "", ID, ""},
		{"/machine.slice/libpod-" ID ".scope/container", "", ID, ""},
		{"/system.slice/containerd.service/kubepods-burstable-pod1234abcd_12ab_34cd_56ef_1234567890ab.slice:"
		 "cri-containerd:" ID,
		 "containerd.service", "", ""}, /* an old form that is not taken apart: the unit at least */
		{"/kubepods.slice/kubepods-burstable.slice/"
		 "kubepods-burstable-pod1234abcd_12ab_34cd_56ef_1234567890ab.slice/cri-containerd-" ID ".scope",
		 "", ID, "1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"/kubepods/burstable/pod1234abcd-12ab-34cd-56ef-1234567890ab/" ID, "", ID,
		 "1234abcd-12ab-34cd-56ef-1234567890ab"},
		{"/lxc.payload.web1/init.scope", "", "web1", ""},
		{"/", "", "", ""},
		{"", "", "", ""},
		{"//.service/.scope/-.scope/pod/", "", "", ""},
		{"/kubepods/pod../" ID, "", ID, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pw_cgroup_names names;

		pw_cgroup_names_parse(&names, cases[i].path);
		assert_string_equal(names.unit, cases[i].unit);
		assert_string_equal(names.container, cases[i].container);
		assert_string_equal(names.pod, cases[i].pod);
	}
}

static void long_names_are_cut(void **state)
{
	char path[1000];
	struct pw_cgroup_names names;

	(void)state;
	memset(path, 'a', sizeof(path));
	memcpy(path, "/", 1);
	memcpy(path + sizeof(path) - sizeof(".service"), ".service", sizeof(".service"));
	pw_cgroup_names_parse(&names, path);
	assert_int_equal(strlen(names.unit), sizeof(names.unit) - 1);
}

static void the_service_is_the_most_telling_name(void **state)
{
	struct fake_go *go = fake_go_new(24, 1, 1);
	struct pw_target *target = &go->target;
	struct pw_buildinfo *info = &go->build.facts.info;

	(void)state;
	snprintf(target->process, sizeof(target->process), "server");
	snprintf(target->exe, sizeof(target->exe), "/usr/bin/server (deleted)");
	pw_target_name_service(target);
	assert_string_equal(target->service, "server");
	snprintf(info->module, sizeof(info->module), "example.org/things/server");
	pw_target_name_service(target);
	assert_string_equal(target->service, "example.org/things/server");
	snprintf(info->module, sizeof(info->module), "example.org/things");
	pw_target_name_service(target);
	assert_string_equal(target->service, "example.org/things/server");
	snprintf(target->container, sizeof(target->container), ID);
	pw_target_name_service(target);
	assert_string_equal(target->service, "0123456789ab");
	snprintf(target->unit, sizeof(target->unit), "thing.service");
	pw_target_name_service(target);
	assert_string_equal(target->service, "thing");
	fake_go_free(go);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cgroup_paths_name_unit_container_and_pod),
		cmocka_unit_test(long_names_are_cut),
		cmocka_unit_test(the_service_is_the_most_telling_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
