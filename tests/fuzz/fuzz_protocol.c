/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */

/* Whatever comes over the reader's socket: refused, or every byte of it can be read. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "base/why.h"
#include "reader/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

static void touch(const char *text)
{
	sink += strlen(text);
}

static void read_symbols(const uint8_t *data, size_t size)
{
	uint64_t pcs[4];
	struct pw_symbols symbols;

	if (size < sizeof(pcs))
		return;
	memcpy(pcs, data, sizeof(pcs));
	for (size_t count = 0; count <= 4; count++) {
		if (pw_symbols_read(&symbols, data + sizeof(pcs), size - sizeof(pcs), pcs, count))
			continue;
		for (size_t i = 0; i < symbols.count; i++) {
			for (uint32_t k = 0; k < symbols.symbols[i].frame_count; k++) {
				touch(symbols.symbols[i].frames[k].function);
				touch(symbols.symbols[i].frames[k].file);
			}
		}
		pw_symbols_done(&symbols);
	}
}

static void read_facts(const uint8_t *data, size_t size)
{
	static struct pw_build_facts facts, blank;
	struct pw_why why = {};

	/* The size is fixed: what is missing is zero, or no input would ever get past the first check. */
	memcpy(&blank, data, size < sizeof(blank) ? size : sizeof(blank));
	if (!pw_facts_read(&facts, &blank, sizeof(blank), &why)) {
		touch(facts.build_id);
		touch(facts.info.go_version);
		touch(facts.notes);
		for (size_t i = 0; i < facts.wait_reasons.count; i++)
			touch(facts.wait_reasons.name[i]);
		for (size_t i = 0; i < _PW_EVENT_MAX; i++)
			touch(facts.sites[i].note);
	} else {
		touch(why.text);
	}
	memset(&blank, 0, sizeof(blank));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t pcs[PW_READER_PCS_MAX];
	struct pw_message message;
	char text[96];
	size_t count;

	if (!size)
		return 0;
	switch (*data++ % 4) {
	case 0:
		if (!pw_message_read(&message, data, size - 1, PW_READER_ANSWER_MAX))
			sink += message.size;
		break;
	case 1:
		if (!pw_symbols_request_read(data, size - 1, text, sizeof(text), pcs, &count)) {
			touch(text);
			for (size_t i = 0; i < count; i++)
				sink += (size_t)pcs[i];
		}
		pw_refusal_read(data, size - 1, text, sizeof(text));
		touch(text);
		break;
	case 2:
		read_symbols(data, size - 1);
		break;
	case 3:
		read_facts(data, size - 1);
		break;
	}
	return 0;
}
