/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "analysis/benign.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "analysis/policy.h"
#include "base/macros.h"
#include "base/time.h"
#include "base/why.h"

/* --- building ------------------------------------------------------------------------------------------------------
 */

int pw_benign_parse_day(const char *text, uint64_t *ret_wall_ns)
{
	char moment[40];

	if (strlen(text) != 10)
		return -EINVAL;
	snprintf(moment, sizeof(moment), "%sT00:00:00Z", text);
	return pw_time_parse_rfc3339(moment, ret_wall_ns);
}

/* What makes an expression large or slow is refused: {n,m} and \1. */
static int check_expression(const char *what, const char *text, struct pw_why *reterr_why)
{
	bool bracket = false;

	for (const char *c = text; *c; c++) {
		if (bracket) {
			bracket = *c != ']';
			continue;
		}
		if (*c == '[') {
			bracket = true;
			c += c[1] == '^';
			c += c[1] == ']';
		} else if (*c == '{') {
			return pw_why_set(reterr_why, -EINVAL, "%s: repetitions {n} are not supported", what);
		} else if (*c == '\\' && c[1] >= '1' && c[1] <= '9') {
			return pw_why_set(reterr_why, -EINVAL, "%s: back references are not supported", what);
		} else if (*c == '\\' && c[1]) {
			c++;
		}
	}
	return 0;
}

static int compile(const char *what, const char *text, regex_t *regex, struct pw_why *reterr_why)
{
	char message[128];
	int r = check_expression(what, text, reterr_why);

	if (r < 0)
		return r;
	r = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);
	if (!r)
		return 0;
	regerror(r, regex, message, sizeof(message));
	return pw_why_set(reterr_why, -EINVAL, "%s: '%s' is no regular expression: %s", what, text, message);
}

void pw_benign_done(struct pw_benign *entry)
{
	regfree(&entry->created_regex);
	if (*entry->blocked)
		regfree(&entry->blocked_regex);
}

int pw_policy_add_benign(struct pw_policy *policy, const struct pw_benign *entry, struct pw_why *reterr_why)
{
	struct pw_benign *grown, *added;
	int r;

	if (policy->benign_count == PW_BENIGN_MAX)
		return -E2BIG;
	grown = reallocarray(policy->benign, policy->benign_count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	policy->benign = grown;
	added = &grown[policy->benign_count];
	*added = *entry;
	r = pw_benign_parse_day(added->expires, &added->expires_wall_ns);
	if (r < 0)
		return pw_why_set(reterr_why, r, "expires: '%s' is not a day like 2027-03-01", added->expires);
	r = compile("created", added->created, &added->created_regex, reterr_why);
	if (r < 0)
		return r;
	r = *added->blocked ? compile("blocked", added->blocked, &added->blocked_regex, reterr_why) : 0;
	if (r < 0) {
		regfree(&added->created_regex);
		return r;
	}
	policy->benign_count++;
	return 0;
}

/* --- judging -------------------------------------------------------------------------------------------------------
 */

static bool is_in(const regex_t *regex, const struct pw_alert_frame *frames, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (frames[i].function[0] && !regexec(regex, frames[i].function, 0, NULL, 0))
			return true;
	return false;
}

static bool matches(const struct pw_benign *entry, const struct pw_alert *alert)
{
	if (*alert->unit) /* it is about the process */
		return false;
	if (!is_in(&entry->created_regex, &alert->statement, 1) &&
	    !is_in(&entry->created_regex, alert->creation, alert->creation_count))
		return false;
	return !*entry->blocked || is_in(&entry->blocked_regex, alert->parked_stack, alert->parked_stack_depth);
}

static bool is_proof(const struct pw_alert *alert)
{
	return !strcmp(alert->confidence, "proven") || !strcmp(alert->confidence, "certain");
}

/* Does an entry that matches hold? Says in the alert why it does, or why not. */
static bool holds(const struct pw_benign *entry, bool over, uint64_t wall_ns, struct pw_alert *alert)
{
	bool proof = is_proof(alert);
	bool shipped = *entry->shipped != '\0';
	int used = snprintf(alert->benign, sizeof(alert->benign), "%s%s%s%s, ", entry->reason,
			    shipped ? " (shipped list " : "", entry->shipped, shipped ? ")" : "");
	char *rest = alert->benign + used;
	size_t size = sizeof(alert->benign) - (size_t)used;

	if (proof)
		snprintf(rest, size, "but a proof is never lowered");
	else if (wall_ns >= entry->expires_wall_ns)
		snprintf(rest, size, "but only until %s", entry->expires);
	else if (over)
		snprintf(rest, size, "but there have been more than the %" PRIu64 " it allows", entry->max);
	else
		snprintf(rest, size, "%" PRIu64 " of at most %" PRIu64 ", until %s", alert->parked, entry->max,
			 entry->expires);
	return !proof && !over && wall_ns < entry->expires_wall_ns;
}

void pw_benign_judge(const struct pw_policy *policy, uint64_t generation, struct pw_benign_memory *memory,
		     uint64_t wall_ns, struct pw_alert *alert)
{
	alert->lowered = false;
	alert->benign[0] = '\0';
	if (memory->generation != generation)
		*memory = (struct pw_benign_memory){.generation = generation};
	for (size_t i = 0; policy && i < policy->benign_count && !alert->lowered; i++) {
		const struct pw_benign *entry = &policy->benign[i];

		if (!matches(entry, alert))
			continue;
		if (alert->parked > entry->max)
			memory->over = i + 1;
		alert->lowered = holds(entry, memory->over == i + 1, wall_ns, alert);
	}
	if (alert->lowered)
		alert->level = PW_LEVEL_INFO;
}
