/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <stdio.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"
#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/oneshot.h"
#include "collect/features.h"
#include "output/views.h"

struct values {
	enum pw_format format;
};

static const struct pw_option options[] = {
	{"json", 0, NULL, "as JSON", PW_OPTION_JSON, offsetof(struct values, format), NULL},
	{"format", 0, "FORMAT", "text or json", PW_OPTION_FORMAT, offsetof(struct values, format), NULL},
};

static bool memory_possible(const struct pw_features *features)
{
	return features->feature[PW_FEATURE_MEMORY_READ].ok;
}

static const char *verdict(const struct pw_features *features)
{
	if (features->events_possible && memory_possible(features))
		return "Everything works here: events and memory of Go processes can be observed.";
	if (memory_possible(features))
		return "Memory only: goroutines and their ages are seen, but starts, ends and parks are not counted.";
	if (features->events_possible)
		return "Events only: starts, ends and parks are counted, but nobody can say who is parked now.";
	return "Nothing can be observed here; the first 'no' below says what to do.";
}

static void print_text(const struct pw_features *features, struct pw_buf *out)
{
	pw_buf_printf(out, "%s\n\nkernel %s\n", verdict(features), features->kernel);
	for (int i = 0; i < _PW_FEATURE_MAX; i++) {
		const struct pw_feature_state *state = &features->feature[i];

		pw_buf_printf(out, "  %-4s %-22s %s\n",
			      !state->tried ? "?"
			      : state->ok   ? "yes"
					    : "no",
			      pw_feature_name((enum pw_feature)i), state->means);
		if (state->reason[0])
			pw_buf_printf(out, "       %-22s %s %s\n", "", state->ok ? "note:" : "because:", state->reason);
		if (state->remedy[0] && !state->ok)
			pw_buf_printf(out, "       %-22s do: %s\n", "", state->remedy);
	}
}

static void print_json(const struct pw_features *features, struct pw_buf *out)
{
	struct pw_json json = pw_json_init(out, true);
	int r;

	pw_json_object(&json);
	pw_json_key_u64(&json, "schema_version", PW_SCHEMA_VERSION);
	pw_json_key_str(&json, "kernel", features->kernel);
	pw_json_key_bool(&json, "events_possible", features->events_possible);
	pw_json_key_bool(&json, "memory_possible", memory_possible(features));
	pw_json_key_str(&json, "verdict", verdict(features));
	pw_json_key_array(&json, "features");
	for (int i = 0; i < _PW_FEATURE_MAX; i++) {
		const struct pw_feature_state *state = &features->feature[i];

		pw_json_object(&json);
		pw_json_key_str(&json, "name", pw_feature_name((enum pw_feature)i));
		pw_json_key_bool(&json, "tried", state->tried);
		pw_json_key_bool(&json, "ok", state->ok);
		pw_json_key_str(&json, "means", state->means);
		pw_json_key_str(&json, "reason", state->reason);
		pw_json_key_str(&json, "remedy", state->remedy);
		pw_json_end(&json);
	}
	pw_json_end(&json);
	pw_json_end(&json);
	r = pw_json_finish(&json);
	if (r < 0 && !out->error)
		out->error = r;
}

static int run(const struct pw_command *command, int argc, char **argv)
{
	_cleanup_buf_ struct pw_buf out = PW_BUF_INIT(1U << 20);
	struct pw_options_result parsed;
	struct pw_features features = {0};
	struct values values = {0};
	enum pw_exit printed;
	int r;

	if (pw_options_parse(command, argc, argv, &values, NULL, &parsed) < 0)
		return PW_EXIT_USAGE;
	if (parsed.help)
		return PW_EXIT_OK;
	r = pw_features_probe(&features);
	if (r < 0) {
		pw_log_usage(r, "cannot try what this host allows: error %d", -r);
		return PW_EXIT_USAGE;
	}
	if (values.format == PW_FORMAT_JSON)
		print_json(&features, &out);
	else
		print_text(&features, &out);
	printed = pw_oneshot_print(&out);
	if (printed != PW_EXIT_OK)
		return printed;
	return features.events_possible || memory_possible(&features) ? PW_EXIT_OK : PW_EXIT_USAGE;
}

const struct pw_command pw_cmd_doctor = {
	.name = "doctor",
	.operands = "",
	.summary = "What this host allows, what that means, and what to do",
	.details = "Tries everything on a child of its own; touches no other process. Exit status 3 if nothing works.",
	.options = options,
	.option_count = ARRAY_SIZE(options),
	.run = run,
};
