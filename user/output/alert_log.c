/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/time.h"
#include "model/alert.h"
#include "output/alert.h"
#include "output/alert_text.h"

static enum pw_log_level level_of(const struct pw_alert *alert)
{
	if (alert->state == PW_ALERT_RESOLVED || alert->state == PW_ALERT_GONE || alert->level == PW_LEVEL_INFO)
		return PW_LOG_INFO;
	return alert->level == PW_LEVEL_CRITICAL ? PW_LOG_ERR : PW_LOG_WARN;
}

int pw_alert_log(const struct pw_alert *alert)
{
	_cleanup_buf_ struct pw_buf statement = PW_BUF_INIT(1024), stack = PW_BUF_INIT(8192),
				    parked = PW_BUF_INIT(8192), wait = PW_BUF_INIT(512), growing = PW_BUF_INIT(8192);
	char pid[16], count[24], onset[24], baseline[32] = "unknown", growth[32], since[PW_RFC3339_SIZE] = "";

	pw_alert_put_stack(&statement, &alert->statement, 1, "");
	pw_alert_put_stack(&stack, alert->creation, alert->creation_count, " < ");
	pw_alert_put_stack(&parked, alert->parked_stack, alert->parked_stack_depth, " < ");
	pw_alert_put_wait(&wait, alert);
	pw_alert_put_growing(&growing, alert, "; ");
	snprintf(pid, sizeof(pid), "%d", alert->pid);
	snprintf(count, sizeof(count), "%" PRIu64, alert->parked);
	snprintf(onset, sizeof(onset), "%" PRIu64, alert->parked_onset);
	snprintf(growth, sizeof(growth), "%.0f", alert->growth_per_hour);
	if (alert->baseline >= 0)
		snprintf(baseline, sizeof(baseline), "%.1f", alert->baseline);
	if (alert->onset_wall_ns)
		pw_time_rfc3339(alert->onset_wall_ns, since);
	const struct pw_log_field fields[] = {
		{"PARKWATCH_RULE", alert->rule},
		{"PARKWATCH_STATE", pw_alert_state_name(alert->state)},
		{"PARKWATCH_LEVEL", pw_alert_level_name(alert->level)},
		{"PARKWATCH_CONFIDENCE", alert->confidence},
		{"PARKWATCH_ALERT_ID", alert->id},
		{"PARKWATCH_SERVICE", alert->service},
		{"PARKWATCH_PROCESS", alert->process},
		{"PARKWATCH_PID", pid},
		{"PARKWATCH_GO_STATEMENT", pw_buf_text(&statement)},
		{"PARKWATCH_WAIT_REASON", alert->wait_reason},
		{"PARKWATCH_COUNT", count},
		{"PARKWATCH_COUNT_AT_ONSET", onset},
		{"PARKWATCH_BASELINE", baseline},
		{"PARKWATCH_GROWTH_PER_HOUR", growth},
		{"PARKWATCH_SINCE", since},
		{"PARKWATCH_CREATION_STACK", pw_buf_text(&stack)},
		{"PARKWATCH_PARKED_STACK", pw_buf_text(&parked)},
		{"PARKWATCH_HELD", alert->hold == PW_HOLD_NONE ? "" : pw_alert_hold_name(alert->hold)},
		{"PARKWATCH_INHIBITED_BY", alert->held_by},
		{"PARKWATCH_WAITING_ON", pw_buf_text(&wait)},
		{"PARKWATCH_OWNER", alert->owner},
		{"PARKWATCH_RUNBOOK", alert->runbook},
		{"PARKWATCH_BENIGN", alert->benign},
		{"PARKWATCH_GROWING", pw_buf_text(&growing)},
	};

	return pw_log_event(level_of(alert), fields, ARRAY_SIZE(fields), alert->text);
}
