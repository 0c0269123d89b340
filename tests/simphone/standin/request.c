/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests under way: sent, waited for, cancelled, done. All is called with the context locked. */
#include <stdlib.h>

#include "standin.h"

enum { ASK_MS = 10000, CANCEL_MS = 5000 };

void request_start(struct libusb_device_handle *handle, struct request *request,
		   struct wire_head head, const void *a, size_t a_len, const void *b, size_t b_len,
		   unsigned timeout_ms)
{
	struct libusb_context *ctx = handle->device->ctx;
	struct request **tail = &handle->requests;

	while (*tail)
		tail = &(*tail)->next;
	*tail = request;
	head.id = request->id = handle->next_id++;
	if (timeout_ms > 0) {
		request->deadline = time_after_ms(timeout_ms);
		reader_schedule(ctx);
	}
	if (!link_send(handle->link, head, a, a_len, b, b_len))
		request_done(ctx, handle, request, WIRE_GONE);
}

void request_cancel(struct libusb_device_handle *handle, struct request *request, bool timed_out)
{
	if (request->cancelled)
		return;
	request->cancelled = true;
	request->timed_out = timed_out;
	request->deadline = time_after_ms(CANCEL_MS);
	reader_schedule(handle->device->ctx);
	/* if the phone is gone, the reader ends the request */
	link_send(handle->link, (struct wire_head){ .word = WIRE_CANCEL, .id = request->id },
		  nullptr, 0, nullptr, 0);
}

void request_done(struct libusb_context *ctx, struct libusb_device_handle *handle,
		  struct request *request, enum wire_result result)
{
	struct request **at = &handle->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	request->result = result;
	request->done = true;
	if (request->transfer) {
		struct transfer **tail = &ctx->completed;

		while (*tail)
			tail = &(*tail)->queued;
		request->transfer->queued = nullptr;
		*tail = request->transfer;
		context_ring(ctx);
	}
	pthread_cond_broadcast(&ctx->changed);
}

void request_wait(struct libusb_context *ctx, struct request *request)
{
	while (!request->done)
		pthread_cond_wait(&ctx->changed, &ctx->lock);
}

int handle_ask(struct libusb_device_handle *handle, struct wire_head head, uint32_t *ret_number)
{
	struct request request = {};

	request_start(handle, &request, head, nullptr, 0, nullptr, 0, ASK_MS);
	request_wait(handle->device->ctx, &request);
	switch (request.result) {
	case WIRE_OK:
		if (ret_number)
			*ret_number = request.number;
		return LIBUSB_SUCCESS;
	case WIRE_STALLED:
		return LIBUSB_ERROR_OTHER;
	case WIRE_CANCELLED:
		return LIBUSB_ERROR_TIMEOUT;
	case WIRE_GONE:
		return LIBUSB_ERROR_NO_DEVICE;
	case WIRE_BUSY:
		return LIBUSB_ERROR_BUSY;
	case WIRE_UNKNOWN:
		return LIBUSB_ERROR_NOT_FOUND;
	}
	return LIBUSB_ERROR_OTHER;
}

void handle_lost(struct libusb_context *ctx, struct libusb_device_handle *handle)
{
	while (handle->requests)
		request_done(ctx, handle, handle->requests, WIRE_GONE);
}
