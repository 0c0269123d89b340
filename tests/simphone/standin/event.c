/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Event handling: one thread at a time runs the callbacks that wait; others that call meanwhile
 * wait for it, as libusb's do.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "standin.h"

enum { DEFAULT_SECONDS = 60, ROUND = 64 };

/*
 * One round; callbacks that resubmit must not keep it going for ever. Who left is told of in the
 * round after its transfers, as udev is slower than they are. True if any was run.
 */
static bool callbacks_run(struct libusb_context *ctx)
{
	eventfd_t times;
	bool any = false;

	if (ctx->handling)
		return false;
	ctx->handling = true;
	ctx->handler = pthread_self();
	for (unsigned i = 0; i < ROUND && transfer_run(ctx); i++)
		any = true;
	for (unsigned i = 0; !any && i < ROUND && hotplug_run(ctx); i++)
		any = true;
	ctx->handling = false;
	/* whoever rang during the round was served by it: without callbacks nothing is readable */
	if (!ctx->completed && !ctx->messages)
		eventfd_read(ctx->ready, &times);
	if (any)
		pthread_cond_broadcast(&ctx->changed);
	return any;
}

int libusb_handle_events_timeout_completed(libusb_context *ctx, struct timeval *tv, int *completed)
{
	struct timespec deadline;

	if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
		return LIBUSB_ERROR_INVALID_PARAM;
	ctx = context_of(ctx);
	deadline = time_after_ms((unsigned)(tv->tv_usec + 999) / 1000);
	deadline.tv_sec += tv->tv_sec;
	pthread_mutex_lock(&ctx->lock);
	if (context_is_handler(ctx)) { /* called from a callback */
		pthread_mutex_unlock(&ctx->lock);
		return LIBUSB_ERROR_BUSY;
	}
	while (!(completed && *completed) && !callbacks_run(ctx)) {
		if (pthread_cond_timedwait(&ctx->changed, &ctx->lock, &deadline) == ETIMEDOUT)
			break;
	}
	pthread_mutex_unlock(&ctx->lock);
	return LIBUSB_SUCCESS;
}

int libusb_handle_events_timeout(libusb_context *ctx, struct timeval *tv)
{
	return libusb_handle_events_timeout_completed(ctx, tv, nullptr);
}

int libusb_handle_events_completed(libusb_context *ctx, int *completed)
{
	struct timeval tv = { .tv_sec = DEFAULT_SECONDS };

	return libusb_handle_events_timeout_completed(ctx, &tv, completed);
}

int libusb_handle_events(libusb_context *ctx)
{
	return libusb_handle_events_completed(ctx, nullptr);
}

void libusb_interrupt_event_handler(libusb_context *ctx)
{
	ctx = context_of(ctx);
	pthread_mutex_lock(&ctx->lock);
	context_ring(ctx);
	pthread_mutex_unlock(&ctx->lock);
}

/* The reader watches the deadlines, as libusb's timer descriptor does on Linux. */
int libusb_get_next_timeout(libusb_context *ctx, struct timeval *tv)
{
	return 0;
}

int libusb_pollfds_handle_timeouts(libusb_context *ctx)
{
	return 1;
}

const struct libusb_pollfd **libusb_get_pollfds(libusb_context *ctx)
{
	struct {
		const struct libusb_pollfd *list[2];
		struct libusb_pollfd ready;
	} *block = memory(sizeof(*block));

	block->ready = (struct libusb_pollfd){ context_of(ctx)->ready, POLLIN };
	block->list[0] = &block->ready;
	return block->list;
}

void libusb_free_pollfds(const struct libusb_pollfd **pollfds)
{
	free((void *)pollfds);
}

/* The set of descriptors never changes, so nobody is ever notified. */
void libusb_set_pollfd_notifiers(libusb_context *ctx, libusb_pollfd_added_cb added_cb,
				 libusb_pollfd_removed_cb removed_cb, void *user_data)
{
}
