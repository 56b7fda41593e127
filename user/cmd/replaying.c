/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "cmd/replaying.h"

#include <fcntl.h>
#include <string.h>

#include "analysis/detector.h"
#include "analysis/policy.h"
#include "base/buf.h"
#include "base/gzip.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/answer.h"
#include "cmd/config.h"
#include "model/record.h"
#include "model/stream.h"

#define GZIPPED_BYTES_MAX  (64U << 20)
#define UNZIPPED_BYTES_MAX (512U << 20)

struct source {
	int fd;
	struct pw_buf text; /* of a gzipped file, and how much of it has been read */
	size_t at;
	bool gzipped;
};

static void source_done(struct source *source)
{
	pw_closep(&source->fd);
	pw_buf_done(&source->text);
}

static int read_source(void *context, void *buffer, size_t size)
{
	struct source *source = context;
	ssize_t n;

	if (!source->gzipped) {
		n = read(source->fd, buffer, size);
		return n < 0 ? -errno : (int)n;
	}
	size = PW_MIN(size, source->text.size - source->at);
	memcpy(buffer, pw_buf_text(&source->text) + source->at, size);
	source->at += size;
	return (int)size;
}

static int open_source(struct source *source, const char *path)
{
	static const char magic[] = {0x1f, (char)0x8b};
	_cleanup_buf_ struct pw_buf zipped = PW_BUF_INIT(GZIPPED_BYTES_MAX);
	char start[sizeof(magic)];
	int r;

	source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (source->fd < 0)
		return -errno;
	if (pread(source->fd, start, sizeof(start), 0) != (ssize_t)sizeof(start) ||
	    memcmp(start, magic, sizeof(magic)) != 0)
		return 0; /* what it is, the decoder says */
	source->gzipped = true;
	pw_buf_init(&source->text, UNZIPPED_BYTES_MAX);
	r = pw_answer_read_file(path, &zipped);
	return r < 0 ? r : pw_gzip_decompress(pw_buf_text(&zipped), zipped.size, &source->text);
}

/* Recorded rules name every rule there was: one that they do not name did not judge. */
static void switch_all_off(struct pw_rules_config *rules)
{
	size_t count;
	const struct pw_rule *const *all = pw_rules(&count);

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < all[i]->parameter_count; j++)
			if (!strcmp(all[i]->parameters[j].name, "enabled"))
				*(bool *)(void *)((char *)rules + all[i]->parameters[j].offset) = false;
}

static int on_rules(struct pw_analysis *analysis, const struct pw_entry *entry)
{
	_cleanup_(pw_config_done) struct pw_config config;
	struct pw_why why = {0};
	int r;

	pw_config_init(&config);
	switch_all_off(&config.rules);
	r = pw_config_read_text(&config, "recorded rules", entry->rules, entry->rules_size, &why);
	if (r < 0)
		return pw_log_usage(r, "%s", pw_why_text(&why, r));
	return pw_analysis_judge_by(analysis, &config.rules, config.policy);
}

static int on_entry(struct pw_replaying *replaying, struct pw_analysis *analysis, const struct pw_entry *entry)
{
	int r = 0;

	switch (entry->kind) {
	case PW_ENTRY_RECORD:
		if (!replaying->records++)
			replaying->first_wall_ns = entry->record->wall_ns;
		replaying->last_wall_ns = entry->record->wall_ns;
		r = pw_analysis_step(analysis, entry->record);
		pw_record_unref(entry->record);
		break;
	case PW_ENTRY_RULES:
		r = replaying->rules ? 0 : on_rules(analysis, entry);
		break;
	case PW_ENTRY_GONE:
		pw_analysis_forget(analysis, &entry->death);
		break;
	case _PW_ENTRY_MAX:
		break;
	}
	return r;
}

static enum pw_exit judge(struct pw_replaying *replaying, struct pw_analysis *analysis, struct source *source,
			  const char *path)
{
	struct pw_decoder *decoder = NULL;
	struct pw_entry entry = {0};
	struct pw_why why = {0};
	int r = pw_decoder_new(&decoder, read_source, source);

	if (r < 0) {
		pw_log_usage(r, "out of memory");
		return PW_EXIT_USAGE;
	}
	while ((r = pw_decoder_next(decoder, &entry, &why)) > 0) {
		r = on_entry(replaying, analysis, &entry);
		if (r < 0)
			break;
	}
	pw_decoder_free(decoder);
	if (r == -EBADMSG && replaying->records) {
		pw_log_usage(r, "'%s' is cut off: %s; judged up to there", path, pw_why_text(&why, r));
		return PW_EXIT_OK;
	}
	if (r < 0) {
		pw_log_usage(r, "cannot replay '%s': %s", path, pw_why_text(&why, r));
		return PW_EXIT_UNKNOWN;
	}
	return PW_EXIT_OK;
}

enum pw_exit pw_replaying_run(struct pw_replaying *replaying, const char *path)
{
	_cleanup_(source_done) struct source source = {.fd = -1};
	struct pw_analysis *analysis = NULL;
	const struct pw_config *config;
	struct pw_config defaults;
	enum pw_exit status = PW_EXIT_USAGE;
	int r = open_source(&source, path);

	if (r < 0) {
		pw_log_usage(r, "cannot read '%s': %s", path, strerror(-r));
		return PW_EXIT_USAGE;
	}
	pw_config_init(&defaults);
	config = replaying->rules ? replaying->rules : &defaults;
	if (pw_analysis_new(&analysis, &config->rules, replaying->on_transition, replaying->context) < 0 ||
	    pw_analysis_judge_by(analysis, &config->rules, config->policy) < 0)
		pw_log_usage(-ENOMEM, "out of memory");
	else
		status = judge(replaying, analysis, &source, path);
	if (analysis)
		pw_analysis_free(analysis);
	pw_config_done(&defaults);
	return status;
}
