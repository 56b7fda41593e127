/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "binary/buildinfo.h"
#include "binary/elf.h"
#include "binary/pclntab.h"

/*
 * Real Go programs for tests: scripts/targets builds targets/BEHAVIOUR-VERSION-FLAVOUR, scripts/servers unpacks
 * servers. A program that is missing fails the test where CI is set, and is a named skip elsewhere.
 */
struct test_binary {
	char path[512];
	int fd;
	struct pw_elf *elf;
	struct pw_pclntab *table;
	struct pw_buildinfo info;
	uint8_t *symbols; /* .symtab and .strtab, if there are any */
	char *strings;
	uint64_t symbols_size, strings_size;
};

/* name: "counts-1.24-plain", or "servers/NAME/PATH" below the cache, or an absolute path. False: there is no such file
 * (said, with the command that makes it; fails in CI). A file that is there and cannot be read fails the test. */
bool test_binary_open(struct test_binary *binary, const char *name);
void test_binary_close(struct test_binary *binary);

/* The address of a symbol in .symtab, 0 if there is none. */
uint64_t test_binary_symbol(const struct test_binary *binary, const char *name);
