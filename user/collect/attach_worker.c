/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "collect/attach_worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/time.h"
#include "collect/attach.h"

struct node {
	struct node *next;
	struct pw_attach_job job;
};

struct queue {
	struct node *first, **end;
};

/* lock guards both queues and stop; thread and event_fd are set once by new. */
struct pw_attach_worker {
	pthread_t thread;
	bool started;
	int event_fd;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct queue jobs, detaches, results;
	bool stop;
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void queue_put(struct queue *queue, struct node *node)
{
	node->next = NULL;
	*queue->end = node;
	queue->end = &node->next;
}

static struct node *queue_take(struct queue *queue)
{
	struct node *node = queue->first;

	if (!node)
		return NULL;
	queue->first = node->next;
	if (!queue->first)
		queue->end = &queue->first;
	return node;
}

static void *run(void *argument)
{
	struct pw_attach_worker *worker = argument;

	pthread_mutex_lock(&worker->lock);
	for (;;) {
		struct node *node = queue_take(&worker->jobs);

		if (!node)
			node = queue_take(&worker->detaches);
		if (!node) {
			if (worker->stop)
				break;
			pthread_cond_wait(&worker->wake, &worker->lock);
			continue;
		}
		pthread_mutex_unlock(&worker->lock);
		uint64_t start_ns = pw_now_ns();
		node->job.result = pw_attachment_apply(node->job.attachment, node->job.wanted, &node->job.why);
		node->job.took_ns = pw_now_ns() - start_ns;
		pthread_mutex_lock(&worker->lock);
		queue_put(&worker->results, node);
		eventfd_write(worker->event_fd, 1);
	}
	pthread_mutex_unlock(&worker->lock);
	return NULL;
}

/* The thread takes no signals: they belong to the loop's signalfd. */
static int start(struct pw_attach_worker *worker)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	worker->started = !r;
	return -r;
}

int pw_attach_worker_new(struct pw_attach_worker **ret_worker)
{
	struct pw_attach_worker *worker = calloc(1, sizeof(*worker));

	if (!worker)
		return -ENOMEM;
	queue_init(&worker->jobs);
	queue_init(&worker->detaches);
	queue_init(&worker->results);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->wake, NULL);
	worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = worker->event_fd < 0 ? -errno : start(worker);
	if (r < 0) {
		pw_attach_worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

void pw_attach_worker_free(struct pw_attach_worker *worker)
{
	struct node *node;

	if (!worker)
		return;
	if (worker->started) {
		pthread_mutex_lock(&worker->lock);
		worker->stop = true;
		pthread_cond_signal(&worker->wake);
		pthread_mutex_unlock(&worker->lock);
		pthread_join(worker->thread, NULL);
	}
	while ((node = queue_take(&worker->results)))
		free(node);
	pw_closep(&worker->event_fd);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

int pw_attach_worker_fd(const struct pw_attach_worker *worker)
{
	return worker->event_fd;
}

int pw_attach_worker_submit(struct pw_attach_worker *worker, struct pw_attachment *attachment, unsigned int wanted)
{
	struct node *node = calloc(1, sizeof(*node));

	if (!node)
		return -ENOMEM;
	node->job.attachment = attachment;
	node->job.wanted = wanted;
	pthread_mutex_lock(&worker->lock);
	queue_put(wanted & ~attachment->attached ? &worker->jobs : &worker->detaches, node);
	pthread_cond_signal(&worker->wake);
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

bool pw_attach_worker_take(struct pw_attach_worker *worker, struct pw_attach_job *ret_job)
{
	eventfd_t count;

	pthread_mutex_lock(&worker->lock);
	struct node *node = queue_take(&worker->results);
	if (!worker->results.first)
		(void)eventfd_read(worker->event_fd, &count);
	pthread_mutex_unlock(&worker->lock);
	if (!node)
		return false;
	*ret_job = node->job;
	free(node);
	return true;
}
