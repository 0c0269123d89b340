/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Transfers of programs.
 *
 *   idle ──submit──▶ under way ──DONE, time-out, cancel──▶ completed, queued
 *     ▲                                                        │
 *     └───────────── callback ◀──────handle_events─────────────┘
 *
 * The synchronous calls wait for their request alone and run no callbacks of others.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

/* A transfer's own memory: ours, then what the program sees with its packets. */
struct whole {
	struct transfer ours;
	alignas(max_align_t) struct libusb_transfer public;
};

static struct transfer *transfer_of(struct libusb_transfer *public)
{
	struct whole *w = (struct whole *)((char *)public - offsetof(struct whole, public));

	return &w->ours;
}

struct libusb_transfer *libusb_alloc_transfer(int iso_packets)
{
	struct whole *w;

	if (iso_packets < 0)
		return nullptr;
	w = memory(sizeof(*w) + (size_t)iso_packets * sizeof(struct libusb_iso_packet_descriptor));
	w->ours.public = &w->public;
	w->public.num_iso_packets = iso_packets;
	return &w->public;
}

void libusb_free_transfer(struct libusb_transfer *public)
{
	if (!public)
		return;
	if (public->flags & LIBUSB_TRANSFER_FREE_BUFFER)
		free(public->buffer);
	free(transfer_of(public));
}

/* ---- starting ---- */

static int control_start(struct libusb_device_handle *handle, struct request *r, uint8_t *buffer,
			 size_t length, unsigned timeout_ms)
{
	size_t wanted = length < WIRE_SETUP ? 0 : (size_t)(buffer[6] | buffer[7] << 8);
	bool in = length >= WIRE_SETUP && buffer[0] & LIBUSB_ENDPOINT_IN;

	if (length < WIRE_SETUP || length - WIRE_SETUP < wanted || wanted > WIRE_CONTROL_MAX)
		return LIBUSB_ERROR_INVALID_PARAM;
	r->in = buffer + WIRE_SETUP;
	r->room = in ? (uint32_t)wanted : 0;
	request_start(handle, r, (struct wire_head){ .word = WIRE_CONTROL }, buffer, WIRE_SETUP,
		      buffer + WIRE_SETUP, in ? 0 : wanted, timeout_ms);
	return 0;
}

static int pipe_start(struct libusb_device_handle *handle, struct request *r, uint8_t endpoint,
		      uint8_t *buffer, size_t length, unsigned timeout_ms)
{
	struct wire_head head = { .word = WIRE_OUT, .a = endpoint };

	if (length > WIRE_TRANSFER_MAX)
		return LIBUSB_ERROR_NO_MEM;
	if (endpoint & LIBUSB_ENDPOINT_IN) {
		head.word = WIRE_IN;
		head.number = r->room = (uint32_t)length;
		r->in = buffer;
	}
	request_start(handle, r, head, buffer, head.word == WIRE_OUT ? length : 0, nullptr, 0,
		      timeout_ms);
	return 0;
}

static int request_begin(struct libusb_device_handle *handle, struct request *r,
			 const struct libusb_transfer *t)
{
	if (t->length < 0)
		return LIBUSB_ERROR_INVALID_PARAM;
	if (handle->link->fd < 0)
		return LIBUSB_ERROR_NO_DEVICE;
	switch (t->type) {
	case LIBUSB_TRANSFER_TYPE_CONTROL:
		return control_start(handle, r, t->buffer, (size_t)t->length, t->timeout);
	case LIBUSB_TRANSFER_TYPE_BULK:
	case LIBUSB_TRANSFER_TYPE_INTERRUPT:
		return pipe_start(handle, r, t->endpoint, t->buffer, (size_t)t->length, t->timeout);
	default:
		return LIBUSB_ERROR_NOT_SUPPORTED;
	}
}

/* ---- ending ---- */

/* Who cancelled in time is told so, even if the answer was under way already; bytes count. */
static enum libusb_transfer_status request_status(const struct request *r)
{
	if (r->cancelled && r->result != WIRE_GONE)
		return r->timed_out ? LIBUSB_TRANSFER_TIMED_OUT : LIBUSB_TRANSFER_CANCELLED;
	switch (r->result) {
	case WIRE_OK:
		return LIBUSB_TRANSFER_COMPLETED;
	case WIRE_STALLED:
		return LIBUSB_TRANSFER_STALL;
	case WIRE_CANCELLED:
		return LIBUSB_TRANSFER_CANCELLED;
	case WIRE_GONE:
		return LIBUSB_TRANSFER_NO_DEVICE;
	case WIRE_BUSY:
	case WIRE_UNKNOWN:
		return LIBUSB_TRANSFER_ERROR;
	}
	return LIBUSB_TRANSFER_ERROR;
}

/* Bytes moved: an OUT transfer's answer has none, only their number. */
static int request_moved(const struct request *r)
{
	return r->result != WIRE_OK ? 0 : (int)(r->room > 0 ? r->got : r->number);
}

static void transfer_complete(struct transfer *t)
{
	struct libusb_transfer *public = t->public;
	size_t setup = public->type == LIBUSB_TRANSFER_TYPE_CONTROL ? WIRE_SETUP : 0;

	public->status = request_status(&t->request);
	public->actual_length = request_moved(&t->request);
	if (public->status == LIBUSB_TRANSFER_COMPLETED &&
	    public->flags & LIBUSB_TRANSFER_SHORT_NOT_OK &&
	    (size_t)public->actual_length < (size_t)public->length - setup)
		public->status = LIBUSB_TRANSFER_ERROR;
}

bool transfer_run(struct libusb_context *ctx)
{
	struct transfer *t = ctx->completed;
	struct libusb_transfer *public;
	uint8_t flags;

	if (!t)
		return false;
	ctx->completed = t->queued;
	t->under_way = false;
	transfer_complete(t);
	public = t->public;
	pthread_mutex_unlock(&ctx->lock);
	flags = public->flags; /* the callback may free it */
	if (public->callback)
		public->callback(public);
	if (flags & LIBUSB_TRANSFER_FREE_TRANSFER)
		libusb_free_transfer(public);
	pthread_mutex_lock(&ctx->lock);
	return true;
}

int libusb_submit_transfer(struct libusb_transfer *public)
{
	struct libusb_device_handle *handle = public->dev_handle;
	struct transfer *t = transfer_of(public);
	struct libusb_context *ctx;
	int r = LIBUSB_ERROR_BUSY;

	if (!handle)
		return LIBUSB_ERROR_INVALID_PARAM;
	ctx = handle->device->ctx;
	pthread_mutex_lock(&ctx->lock);
	if (!t->under_way) {
		t->request = (struct request){ .transfer = t };
		r = request_begin(handle, &t->request, public);
		t->under_way = r == 0;
	}
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

int libusb_cancel_transfer(struct libusb_transfer *public)
{
	struct libusb_device_handle *handle = public->dev_handle;
	struct transfer *t = transfer_of(public);
	int r = LIBUSB_ERROR_NOT_FOUND;

	if (!handle)
		return r;
	pthread_mutex_lock(&handle->device->ctx->lock);
	if (t->under_way && !t->request.cancelled) {
		/* until its callback runs, it is not over: a program that cancels does not want the
		 * callback to submit it again */
		if (t->request.done)
			t->request.cancelled = true;
		else
			request_cancel(handle, &t->request, false);
		r = LIBUSB_SUCCESS;
	}
	pthread_mutex_unlock(&handle->device->ctx->lock);
	return r;
}

/* ---- the synchronous calls ---- */

static int request_error(const struct request *r)
{
	switch (request_status(r)) {
	case LIBUSB_TRANSFER_COMPLETED:
		return LIBUSB_SUCCESS;
	case LIBUSB_TRANSFER_TIMED_OUT:
		return LIBUSB_ERROR_TIMEOUT;
	case LIBUSB_TRANSFER_STALL:
		return LIBUSB_ERROR_PIPE;
	case LIBUSB_TRANSFER_NO_DEVICE:
		return LIBUSB_ERROR_NO_DEVICE;
	case LIBUSB_TRANSFER_OVERFLOW:
		return LIBUSB_ERROR_OVERFLOW;
	case LIBUSB_TRANSFER_ERROR:
	case LIBUSB_TRANSFER_CANCELLED:
		return LIBUSB_ERROR_IO;
	}
	return LIBUSB_ERROR_OTHER;
}

static int transfer_sync(const struct libusb_transfer *t, int *ret_moved)
{
	struct libusb_device_handle *handle = t->dev_handle;
	struct libusb_context *ctx = handle->device->ctx;
	struct request request = {};
	int r = LIBUSB_ERROR_BUSY;

	pthread_mutex_lock(&ctx->lock);
	if (!context_is_handler(ctx))
		r = request_begin(handle, &request, t);
	if (r == 0) {
		request_wait(ctx, &request);
		*ret_moved = request_moved(&request);
		r = request_error(&request);
	}
	pthread_mutex_unlock(&ctx->lock);
	return r;
}

int libusb_control_transfer(libusb_device_handle *handle, uint8_t request_type, uint8_t bRequest,
			    uint16_t wValue, uint16_t wIndex, unsigned char *data, uint16_t wLength,
			    unsigned int timeout)
{
	uint8_t buffer[WIRE_SETUP + WIRE_CONTROL_MAX];
	struct libusb_transfer t = { .dev_handle = handle,
				     .type = LIBUSB_TRANSFER_TYPE_CONTROL,
				     .timeout = timeout,
				     .buffer = buffer,
				     .length = WIRE_SETUP + wLength };
	bool in = request_type & LIBUSB_ENDPOINT_IN;
	int moved = 0, r;

	if (wLength > WIRE_CONTROL_MAX)
		return LIBUSB_ERROR_INVALID_PARAM;
	libusb_fill_control_setup(buffer, request_type, bRequest, wValue, wIndex, wLength);
	if (!in && wLength > 0)
		memcpy(buffer + WIRE_SETUP, data, wLength);
	r = transfer_sync(&t, &moved);
	if (r < 0)
		return r;
	if (in && moved > 0)
		memcpy(data, buffer + WIRE_SETUP, (size_t)moved);
	return moved;
}

int libusb_bulk_transfer(libusb_device_handle *handle, unsigned char endpoint, unsigned char *data,
			 int length, int *actual_length, unsigned int timeout)
{
	const struct libusb_transfer t = { .dev_handle = handle,
					   .type = LIBUSB_TRANSFER_TYPE_BULK,
					   .endpoint = endpoint,
					   .timeout = timeout,
					   .buffer = data,
					   .length = length };
	int moved = 0;
	int r = transfer_sync(&t, &moved);

	if (actual_length)
		*actual_length = moved;
	return r;
}

/* The pipe's descriptor says which kind it is. */
int libusb_interrupt_transfer(libusb_device_handle *handle, unsigned char endpoint,
			      unsigned char *data, int length, int *actual_length,
			      unsigned int timeout)
{
	return libusb_bulk_transfer(handle, endpoint, data, length, actual_length, timeout);
}
