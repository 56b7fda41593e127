/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "threads.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "_cgo_export.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int thread_count, round_number, calls, unfinished;

static void *serve(void *unused)
{
	int seen = 0;

	(void)unused;
	pthread_mutex_lock(&lock);
	for (;;) {
		while (round_number == seen)
			pthread_cond_wait(&changed, &lock);
		seen = round_number;
		int n = calls;
		pthread_mutex_unlock(&lock);
		for (int i = 0; i < n; i++)
			goCallback();
		pthread_mutex_lock(&lock);
		if (--unfinished == 0)
			pthread_cond_broadcast(&changed);
	}
	return NULL;
}

void start_threads(int count)
{
	pthread_t thread;

	for (int i = 0; i < count; i++)
		if (!pthread_create(&thread, NULL, serve, NULL))
			thread_count++;
}

void call_back(int n)
{
	pthread_mutex_lock(&lock);
	calls = n;
	unfinished = thread_count;
	round_number++;
	pthread_cond_broadcast(&changed);
	while (unfinished)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

void sleep_long(void)
{
	sleep(24 * 3600);
}

static char *volatile held; /* else the compiler sees that nobody reads what is allocated */

void hold_memory(size_t bytes)
{
	held = malloc(bytes);
	if (held)
		memset(held, 1, bytes);
}
