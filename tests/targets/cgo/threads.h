/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef THREADS_H
#define THREADS_H

#include <stddef.h>

/* Threads that wait until call_back asks each of them for n calls of goCallback. */
void start_threads(int count);
/* Returns when all calls have returned. */
void call_back(int n);
void sleep_long(void);
/* malloc, written and never freed. */
void hold_memory(size_t bytes);

#endif
