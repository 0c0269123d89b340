/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A stand-in for libusb-1.0: the same names and binary interface, but the bus is a folder of
 * simulated phones (SIMPHONE_BUS), reached by the words of doors/libusb_wire.h. It keeps the
 * behaviour that libusb 1.0.30 documents for Linux, as far as programs for phones ask for it.
 *
 *      program's threads                          reader, one thread a context
 *      submit, open, claim … ──frames──▶ phone
 *      wait for `changed`    ◀──────────── requests ◀──DONE──── sockets of handles
 *      handle_events: callbacks ◀──queue── devices  ◀──PRESENCE── sockets of watchers
 *                                          deadlines ◀── timer, folder ◀── inotify
 *
 * Only the reader reads sockets; only threads in handle_events run callbacks. One lock a context
 * guards all that it owns; no callback runs under it. The list of devices holds a reference to each
 * that is on the bus, a handle one to its device. Memory exhaustion ends the program.
 */
#pragma once

#include <libusb-1.0/libusb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "doors/libusb_wire.h"

struct libusb_device {
	atomic_uint refs;
	struct libusb_context *ctx;
	char socket[108]; /* of its phone */
	uint8_t bus, address;
	bool high_speed;
	struct libusb_device_descriptor descriptor;
	uint8_t config;    /* active, 0: none */
	uint32_t presence; /* number of the word that said so last */
	uint8_t config_count;
	struct {
		uint8_t *bytes;
		uint16_t len;
	} configs[WIRE_CONFIGS_MAX];
};

/* What waits for one DONE. Owned by its transfer, or by the thread that waits. */
struct request {
	struct request *next; /* in its handle, while under way */
	uint32_t id;
	uint8_t *in; /* room for bytes from the phone, borrowed */
	uint32_t room;
	uint32_t got; /* bytes there */
	uint32_t number;
	enum wire_result result;
	bool done;
	bool cancelled, timed_out; /* CANCEL went out, and why */
	struct timespec deadline;  /* monotonic; 0: none */
	struct transfer *transfer; /* NULL: a thread waits */
};

/* What lies in front of a program's struct libusb_transfer. */
struct transfer {
	struct request request;
	bool under_way;          /* from submit until its callback */
	struct transfer *queued; /* next in the queue of completed ones */
	struct libusb_transfer *public;
};

/* A connection to a phone. */
struct link {
	struct link *next;
	uint64_t key; /* in epoll; never used twice */
	int fd;       /* -1: the phone is gone, or the device */
	uint8_t *in;
	size_t len, room;
	/* of a watcher */
	char socket[108];
	bool greeted; /* the first PRESENCE came */
	struct libusb_device *device;
	/* of a handle; NULL: a watcher */
	struct libusb_device_handle *handle;
};

struct libusb_device_handle {
	struct libusb_device_handle *next;
	struct libusb_device *device;
	struct link *link; /* owned */
	uint32_t next_id;
	uint32_t claimed; /* a bit an interface */
	struct request *requests;
};

struct hotplug_callback {
	struct hotplug_callback *next;
	libusb_hotplug_callback_handle id;
	int events, vendor, product, class;
	libusb_hotplug_callback_fn fn;
	void *user;
	uint64_t since; /* messages older than it are not for it */
};

struct hotplug_message {
	struct hotplug_message *next;
	uint64_t number;
	struct libusb_device *device; /* a reference */
	libusb_hotplug_event event;
};

struct libusb_context {
	unsigned users; /* of the default context */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* something came: wakes all who wait */
	pthread_t reader;
	int epoll, inotify, timer, stop;
	int ready;    /* readable while callbacks wait to be run */
	char *folder; /* NULL: no bus */
	uint64_t next_key;
	struct link *links; /* watchers, by socket's name */
	struct libusb_device_handle *handles;
	struct transfer *completed; /* oldest first */
	struct hotplug_message *messages;
	struct hotplug_callback *callbacks;
	uint64_t next_message;
	int next_callback;
	bool handling; /* a thread runs callbacks */
	pthread_t handler;
};

/* The context that is meant by @ctx: NULL stands for the default one. */
struct libusb_context *context_of(struct libusb_context *ctx);
/* Callbacks wait: wakes whoever should run them. Locked. */
void context_ring(struct libusb_context *ctx);
/* Whether the calling thread is inside a callback, where libusb refuses to block. Locked. */
bool context_is_handler(const struct libusb_context *ctx);

void *memory(size_t bytes); /* zeroed */
struct timespec time_after_ms(unsigned ms);
int time_compare(const struct timespec *a, const struct timespec *b);

/* The reader: starts it, waiting until every phone that is there said what it is. */
int reader_start(struct libusb_context *ctx);
void reader_stop(struct libusb_context *ctx);
/* Sets the timer to the nearest deadline. Locked. */
void reader_schedule(struct libusb_context *ctx);

/* Connects; NULL with errno. The reader begins to read it. Locked. */
struct link *link_open(struct libusb_context *ctx, const char *socket);
void link_hang_up(struct link *link);
void link_close(struct libusb_context *ctx, struct link *link);
/* Sends a frame in two parts; false if the phone is gone. Locked. */
bool link_send(struct link *link, struct wire_head head, const void *a, size_t a_len, const void *b,
	       size_t b_len);
/* Reads what is there and calls link_frame() for each frame. False: the other end has closed. */
bool link_read(struct libusb_context *ctx, struct link *link);
/* What a frame means: bus.c. */
void link_frame(struct libusb_context *ctx, struct link *link, const struct wire_head *head,
		const uint8_t *body);

/* Sends a request of a handle. Locked. */
void request_start(struct libusb_device_handle *handle, struct request *request,
		   struct wire_head head, const void *a, size_t a_len, const void *b, size_t b_len,
		   unsigned timeout_ms);
void request_cancel(struct libusb_device_handle *handle, struct request *request, bool timed_out);
/* Its DONE, or the end of its connection. Locked. */
void request_done(struct libusb_context *ctx, struct libusb_device_handle *handle,
		  struct request *request, enum wire_result result);
/* Waits for it; it gets done at the latest when the connection ends. Locked. */
void request_wait(struct libusb_context *ctx, struct request *request);
/* Asks and waits, 10 s at most. Returns 0 or a LIBUSB_ERROR. Locked. */
int handle_ask(struct libusb_device_handle *handle, struct wire_head head, uint32_t *ret_number);
/* The connection of a handle ended. Locked. */
void handle_lost(struct libusb_context *ctx, struct libusb_device_handle *handle);

struct libusb_device *device_new(struct libusb_context *ctx, const char *socket,
				 const struct wire_presence *presence, const uint8_t *configs,
				 size_t len);
/* Tells of @device's coming or going. Locked. */
void hotplug_tell(struct libusb_context *ctx, struct libusb_device *device,
		  libusb_hotplug_event event);
/* Runs the oldest message, if there is one. Locked, but not while callbacks run. */
bool hotplug_run(struct libusb_context *ctx);
/* Runs the oldest completed transfer's callback, if there is one. */
bool transfer_run(struct libusb_context *ctx);
