/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/*
 * A configuration file of somebody who means it badly: refused with one sentence that says where, and nothing changed;
 * or taken, and then the same text gives the same configuration again, which can be copied, shown and asked.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "base/why.h"
#include "cmd/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(const struct pw_config *config, struct pw_buf *out)
{
	pw_buf_reset(out);
	pw_config_print(config, out);
	pw_config_print_json(config, out);
	if (pw_buf_error(out))
		abort();
}

static int read_text(struct pw_config *config, const uint8_t *data, size_t size)
{
	struct pw_why why = {};
	int r = pw_config_read_text(config, "fuzz", (const char *)data, size, &why);

	if (r < 0 && (!why.text[0] || strlen(why.text) >= sizeof(why.text)))
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"/usr/bin/service", "checkout.service", "checkout"};
	_cleanup_buf_ struct pw_buf before = PW_BUF_INIT(16U << 20), after = PW_BUF_INIT(16U << 20);
	struct pw_config config, copy;
	int r;

	if (size > 4096) /* aliases may make more of it, but not length alone */
		return 0;
	pw_config_init(&config);
	print(&config, &before);
	r = read_text(&config, data, size);
	print(&config, &after);
	if (r < 0 && strcmp(pw_buf_text(&before), pw_buf_text(&after)) != 0)
		abort();
	if (r >= 0) {
		if (pw_config_copy(&copy, &config) < 0)
			abort();
		pw_config_done(&config);
		pw_config_init(&config);
		if (read_text(&config, data, size) < 0)
			abort();
		print(&copy, &before);
		print(&config, &after);
		if (strcmp(pw_buf_text(&before), pw_buf_text(&after)) != 0)
			abort();
		(void)pw_config_service(&copy, names, ARRAY_SIZE(names));
		pw_config_done(&copy);
	}
	pw_config_done(&config);
	return 0;
}
