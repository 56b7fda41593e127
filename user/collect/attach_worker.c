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

#define STACK_BYTES (128U << 10)

struct queue {
	struct pw_attach_job *first, **end;
	size_t count;
};

/* lock guards the queues, busy and stop; the rest is the owner's, and set before a thread sees it. */
struct pw_attach_worker {
	pthread_t attacher, detachers[PW_DETACHERS_MAX];
	bool started;
	unsigned int detacher_count;
	int event_fd;
	pthread_mutex_t lock;
	pthread_cond_t attach, detach;
	struct queue attaches, detaches, results;
	unsigned int detaching; /* threads that are at it */
	bool stop;
};

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){.end = &queue->first};
}

static void queue_put(struct queue *queue, struct pw_attach_job *job)
{
	job->next = NULL;
	*queue->end = job;
	queue->end = &job->next;
	queue->count++;
}

static struct pw_attach_job *queue_take(struct queue *queue)
{
	struct pw_attach_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	queue->count--;
	if (!queue->first)
		queue->end = &queue->first;
	return job;
}

static void finish(struct pw_attach_worker *worker, struct pw_attach_job *job)
{
	queue_put(&worker->results, job);
	eventfd_write(worker->event_fd, 1);
}

/* The body of both kinds of threads; lock is held but while the job is done. */
static void work(struct pw_attach_worker *worker, struct queue *queue, pthread_cond_t *wake, unsigned int *busy)
{
	pthread_mutex_lock(&worker->lock);
	for (;;) {
		struct pw_attach_job *job = queue_take(queue);

		if (!job) {
			if (worker->stop)
				break;
			pthread_cond_wait(wake, &worker->lock);
			continue;
		}
		++*busy;
		pthread_mutex_unlock(&worker->lock);
		uint64_t start_ns = pw_now_ns();
		job->result = job->work ? job->work(job->context, &job->why)
					: pw_attachment_apply(job->attachment, job->wanted, &job->why);
		job->took_ns = pw_now_ns() - start_ns;
		pthread_mutex_lock(&worker->lock);
		--*busy;
		finish(worker, job);
	}
	pthread_mutex_unlock(&worker->lock);
}

static void *run_attacher(void *argument)
{
	struct pw_attach_worker *worker = argument;
	unsigned int busy = 0;

	work(worker, &worker->attaches, &worker->attach, &busy);
	return NULL;
}

static void *run_detacher(void *argument)
{
	struct pw_attach_worker *worker = argument;

	work(worker, &worker->detaches, &worker->detach, &worker->detaching);
	return NULL;
}

/* The threads take no signals: they belong to the loop's signalfd. */
static int start(pthread_t *thread, void *(*body)(void *), struct pw_attach_worker *worker)
{
	pthread_attr_t attributes;
	sigset_t all, before;

	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(thread, &attributes, body, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return -r;
}

static int start_detacher(struct pw_attach_worker *worker)
{
	int r = start(&worker->detachers[worker->detacher_count], run_detacher, worker);

	worker->detacher_count += !r;
	return r;
}

int pw_attach_worker_new(struct pw_attach_worker **ret_worker)
{
	struct pw_attach_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return -ENOMEM;
	queue_init(&worker->attaches);
	queue_init(&worker->detaches);
	queue_init(&worker->results);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->attach, NULL);
	pthread_cond_init(&worker->detach, NULL);
	worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = worker->event_fd < 0 ? -errno : start(&worker->attacher, run_attacher, worker);
	worker->started = !r;
	if (!r)
		r = start_detacher(worker);
	if (r < 0) {
		pw_attach_worker_free(worker);
		return r;
	}
	*ret_worker = worker;
	return 0;
}

void pw_attach_worker_free(struct pw_attach_worker *worker)
{
	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stop = true;
	pthread_cond_broadcast(&worker->attach);
	pthread_cond_broadcast(&worker->detach);
	pthread_mutex_unlock(&worker->lock);
	if (worker->started)
		pthread_join(worker->attacher, NULL);
	for (unsigned int i = 0; i < worker->detacher_count; i++)
		pthread_join(worker->detachers[i], NULL);
	pw_closep(&worker->event_fd);
	pthread_cond_destroy(&worker->attach);
	pthread_cond_destroy(&worker->detach);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

int pw_attach_worker_fd(const struct pw_attach_worker *worker)
{
	return worker->event_fd;
}

static void put(struct pw_attach_worker *worker, struct pw_attach_job *job, bool attaches)
{
	bool more;

	pthread_mutex_lock(&worker->lock);
	queue_put(attaches ? &worker->attaches : &worker->detaches, job);
	pthread_cond_signal(attaches ? &worker->attach : &worker->detach);
	more = worker->detaches.count + worker->detaching > worker->detacher_count;
	pthread_mutex_unlock(&worker->lock);
	if (more && worker->detacher_count < PW_DETACHERS_MAX)
		(void)start_detacher(worker); /* else those that are there take longer */
}

void pw_attach_worker_submit(struct pw_attach_worker *worker, struct pw_attachment *attachment, unsigned int wanted)
{
	attachment->job = (struct pw_attach_job){.attachment = attachment, .wanted = wanted};
	put(worker, &attachment->job, wanted & ~attachment->attached);
}

void pw_attach_worker_submit_work(struct pw_attach_worker *worker, struct pw_attachment *attachment,
				  int (*action)(void *context, struct pw_why *reterr_why), void *context)
{
	attachment->job = (struct pw_attach_job){.attachment = attachment, .work = action, .context = context};
	put(worker, &attachment->job, false);
}

void pw_attach_worker_cancel_attaches(struct pw_attach_worker *worker)
{
	struct pw_attach_job *job;

	pthread_mutex_lock(&worker->lock);
	while ((job = queue_take(&worker->attaches))) {
		job->result = pw_why_set(&job->why, -ECANCELED, "parkwatch is ending");
		finish(worker, job);
	}
	pthread_mutex_unlock(&worker->lock);
}

bool pw_attach_worker_take(struct pw_attach_worker *worker, struct pw_attach_job *ret_job)
{
	eventfd_t count;

	pthread_mutex_lock(&worker->lock);
	struct pw_attach_job *job = queue_take(&worker->results);
	if (!worker->results.first)
		(void)eventfd_read(worker->event_fd, &count);
	if (job)
		*ret_job = *job;
	pthread_mutex_unlock(&worker->lock);
	return job != NULL;
}
