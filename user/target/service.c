/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * Names from cgroup paths. What the usual managers make of them:
 *
 *	systemd		/system.slice/prometheus.service
 *			/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service
 *			/user.slice/user-1000.slice/session-3.scope		no service: a login
 *	docker		/system.slice/docker-<64 hex>.scope	/docker/<64 hex>
 *	podman		/machine.slice/libpod-<64 hex>.scope	.../libpod-<64 hex>.scope/container
 *	Kubernetes	/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid with
 *_>.slice/cri-containerd-<id>.scope /kubepods/burstable/pod<uid>/<64 hex> lxc		/lxc.payload.NAME
 */
#include "target/service.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "target/target.h"

struct word { /* one component of a path, or a part of it; not terminated */
	const char *text;
	size_t size;
};

static bool ends_with(struct word word, const char *suffix)
{
	size_t size = strlen(suffix);

	return word.size > size && memcmp(word.text + word.size - size, suffix, size) == 0;
}

static bool starts_with(struct word word, const char *prefix)
{
	size_t size = strlen(prefix);

	return word.size > size && memcmp(word.text, prefix, size) == 0;
}

static void copy(char *buffer, size_t size, struct word word)
{
	snprintf(buffer, size, "%.*s", (int)PW_MIN(word.size, size - 1), word.text);
}

static bool is_hex_id(struct word word)
{
	if (word.size < 32 || word.size > 64)
		return false;
	for (size_t i = 0; i < word.size; i++)
		if (!isxdigit((unsigned char)word.text[i]))
			return false;
	return true;
}

/* "docker-<id>.scope", "<id>": the part behind the last dash, without the suffix. */
static bool container_of(struct word word, struct word *ret_id)
{
	if (ends_with(word, ".scope"))
		word.size -= strlen(".scope");
	if (starts_with(word, "lxc.payload.")) {
		*ret_id = (struct word){word.text + strlen("lxc.payload."), word.size - strlen("lxc.payload.")};
		return true;
	}
	for (size_t i = word.size; i > 0; i--) {
		if (word.text[i - 1] == '-') {
			word = (struct word){word.text + i, word.size - i};
			break;
		}
	}
	*ret_id = word;
	return is_hex_id(word);
}

/* "pod<uid>" or "...-pod<uid>.slice"; systemd wrote the dashes as underscores. */
static bool pod_of(struct word word, char *buffer, size_t size)
{
	if (ends_with(word, ".slice")) {
		size_t i = 0;

		word.size -= strlen(".slice");
		while (i + 4 < word.size && memcmp(word.text + i, "-pod", 4) != 0)
			i++;
		if (i + 4 >= word.size)
			return false;
		word = (struct word){word.text + i + 4, word.size - i - 4};
	} else if (starts_with(word, "pod")) {
		word = (struct word){word.text + 3, word.size - 3};
	} else {
		return false;
	}
	for (size_t i = 0; i < word.size; i++)
		if (!isxdigit((unsigned char)word.text[i]) && word.text[i] != '-' && word.text[i] != '_')
			return false;
	copy(buffer, size, word);
	for (char *c = buffer; *c; c++)
		if (*c == '_')
			*c = '-';
	return true;
}

void pw_cgroup_names_parse(struct pw_cgroup_names *ret_names, const char *path)
{
	struct pw_cgroup_names names = {};
	bool kubernetes = strstr(path, "kubepods") != NULL;

	while (*path) {
		struct word word = {path, strcspn(path, "/")}, id;

		path += word.size + (path[word.size] == '/');
		if (ends_with(word, ".service") && !starts_with(word, "user@"))
			copy(names.unit, sizeof(names.unit), word);
		else if (kubernetes && !names.container[0] && pod_of(word, names.pod, sizeof(names.pod)))
			continue;
		else if (container_of(word, &id))
			copy(names.container, sizeof(names.container), id);
	}
	/* What runs in a container belongs to it, not to the unit of the daemon that made it. */
	if (names.container[0])
		names.unit[0] = '\0';
	*ret_names = names;
}

void pw_target_name_service(struct pw_target *target)
{
	const struct pw_buildinfo *info = &target->build->facts.info;
	const char *base = strrchr(target->exe, '/'), *module = info->module[0] ? info->module : info->main_path;
	const char *last = strrchr(module, '/');
	struct word unit = {target->unit, strlen(target->unit)};
	char name[64];

	snprintf(name, sizeof(name), "%.63s", base && base[1] ? base + 1 : target->process);
	name[strcspn(name, " ")] = '\0'; /* "NAME (deleted)" */
	if (ends_with(unit, ".service"))
		copy(target->service, sizeof(target->service),
		     (struct word){unit.text, unit.size - strlen(".service")});
	else if (target->container[0])
		snprintf(target->service, sizeof(target->service), "%.12s", target->container);
	else if (!module[0] || strcmp(module, "command-line-arguments") == 0)
		snprintf(target->service, sizeof(target->service), "%s", name);
	else if (strcmp(last ? last + 1 : module, name) == 0)
		snprintf(target->service, sizeof(target->service), "%.127s", module);
	else
		snprintf(target->service, sizeof(target->service), "%.60s/%s", module, name);
}
