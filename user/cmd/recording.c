/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/recording.h"

#include <string.h>

#include "analysis/analysis.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "model/stream.h"
#include "output/store.h"

#define ENTRY_BYTES_MAX (64U << 20) /* one whole record of a target with 10^6 goroutines in rows is 20 MB */

#define RULES_BYTES_MAX (16U << 20) /* what a configuration file of its largest size may become, written out */

struct pw_recording {
	struct pw_encoder *encoder;
	struct pw_buf buf;
	int fd;
	uint64_t bytes, failures;
	bool broken; /* an entry was written in part: what follows could not be read */
};

static void write_out(struct pw_recording *recording, int r)
{
	const char *data = pw_buf_text(&recording->buf);
	size_t left = recording->buf.size;

	if (!r)
		r = pw_buf_error(&recording->buf);
	if (recording->broken)
		r = -EIO;
	while (!r && left) {
		ssize_t n = write(recording->fd, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			recording->broken = left != recording->buf.size;
			r = -errno;
			break;
		}
		data += n;
		left -= (size_t)n;
		recording->bytes += (uint64_t)n;
	}
	if (r < 0 && !recording->failures++)
		pw_log_warn(r, "cannot write the recording: %s; observing goes on without it", strerror(-r));
	pw_buf_reset(&recording->buf);
}

int pw_recording_open(struct pw_recording **ret_recording, const char *path, struct pw_why *reterr_why)
{
	struct pw_recording *recording = calloc(1, sizeof(*recording));
	bool existing = false;
	int r;

	if (!recording)
		return -ENOMEM;
	pw_buf_init(&recording->buf, ENTRY_BYTES_MAX);
	r = recording->fd = pw_store_open_recording(path, &existing, reterr_why);
	if (r >= 0)
		r = pw_encoder_new(&recording->encoder);
	if (r < 0) {
		pw_recording_close(recording);
		return r;
	}
	write_out(recording, existing ? pw_encoder_session(recording->encoder, &recording->buf)
				      : pw_encoder_header(recording->encoder, &recording->buf));
	*ret_recording = recording;
	return 0;
}

void pw_recording_close(struct pw_recording *recording)
{
	if (!recording)
		return;
	if (recording->encoder)
		pw_encoder_free(recording->encoder);
	pw_closep(&recording->fd);
	pw_buf_done(&recording->buf);
	free(recording);
}

void pw_recording_rules(struct pw_recording *recording, const struct pw_rules_config *rules,
			const struct pw_policy *policy)
{
	_cleanup_buf_ struct pw_buf yaml = PW_BUF_INIT(RULES_BYTES_MAX);
	int r;

	if (!recording)
		return;
	r = pw_policy_to_yaml(rules, policy, &yaml);
	if (!r)
		r = pw_encoder_rules(recording->encoder, pw_buf_text(&yaml), yaml.size, &recording->buf);
	write_out(recording, r);
}

void pw_recording_record(struct pw_recording *recording, const struct pw_record *record)
{
	if (recording)
		write_out(recording, pw_encoder_record(recording->encoder, record, &recording->buf));
}

void pw_recording_gone(struct pw_recording *recording, const struct pw_death *death)
{
	if (recording)
		write_out(recording, pw_encoder_gone(recording->encoder, death, &recording->buf));
}

uint64_t pw_recording_bytes(const struct pw_recording *recording)
{
	return recording ? recording->bytes : 0;
}

uint64_t pw_recording_failures(const struct pw_recording *recording)
{
	return recording ? recording->failures : 0;
}
