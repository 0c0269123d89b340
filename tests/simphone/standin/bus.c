/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The reader thread and what it learns: phones that come and go, answers, deadlines.
 *
 *   socket in the folder ──connect──▶ watcher ──PRESENCE──▶ device on the bus
 *                                        ▲                     │
 *                                        └──PRESENCE, or end───┘
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "standin.h"

enum { KEY_STOP, KEY_FOLDER, KEY_TIMER, KEY_LINKS, GREETING_MS = 5000, EVENTS = 16 };

/* ---- devices ---- */

/* Linux ends the transfers of a device before udev tells that it left; programs rely on it. */
static void watcher_forget(struct libusb_context *ctx, struct link *link)
{
	struct libusb_device *device = link->device;

	if (!device)
		return;
	link->device = nullptr;
	for (struct libusb_device_handle *h = ctx->handles; h; h = h->next) {
		if (h->device != device)
			continue;
		if (link_read(ctx, h->link)) /* the last answers */
			link_hang_up(h->link);
		handle_lost(ctx, h);
	}
	hotplug_tell(ctx, device, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
	libusb_unref_device(device);
}

/* The same enumeration as before may have another configuration; else it is another device. */
static void on_presence(struct libusb_context *ctx, struct link *link, const struct wire_head *head,
			const uint8_t *body)
{
	struct wire_presence p;

	if (head->length < sizeof(p))
		return;
	memcpy(&p, body, sizeof(p));
	link->greeted = true;
	if (link->device && (!p.attached || link->device->address != p.address))
		watcher_forget(ctx, link);
	if (link->device && (int32_t)(head->number - link->device->presence) > 0) {
		link->device->presence = head->number;
		link->device->config = p.config;
	}
	if (!link->device && p.attached) {
		link->device =
		    device_new(ctx, link->socket, &p, body + sizeof(p), head->length - sizeof(p));
		link->device->presence = head->number;
		hotplug_tell(ctx, link->device, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
	}
	pthread_cond_broadcast(&ctx->changed);
}

static void on_done(struct libusb_context *ctx, struct libusb_device_handle *handle,
		    const struct wire_head *head, const uint8_t *body)
{
	struct request *r = handle->requests;

	while (r && r->id != head->id)
		r = r->next;
	if (!r) /* it was cancelled as it was answered */
		return;
	r->number = head->number;
	r->got = head->length < r->room ? head->length : r->room;
	if (r->got > 0)
		memcpy(r->in, body, r->got);
	request_done(ctx, handle, r, head->a);
}

void link_frame(struct libusb_context *ctx, struct link *link, const struct wire_head *head,
		const uint8_t *body)
{
	if (link->handle && head->word == WIRE_DONE)
		on_done(ctx, link->handle, head, body);
	else if (!link->handle && head->word == WIRE_PRESENCE)
		on_presence(ctx, link, head, body);
}

/* ---- the folder ---- */

static bool is_socket(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".sock");
}

static void watcher_end(struct libusb_context *ctx, struct link *link)
{
	struct link **at = &ctx->links;

	watcher_forget(ctx, link);
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	link_close(ctx, link);
	pthread_cond_broadcast(&ctx->changed);
}

/* A phone's socket is there. It may be known already, or be the next phone of a bus whose first one
 * has just ended. */
static void watcher_begin(struct libusb_context *ctx, const char *name)
{
	char path[sizeof(((struct link *)nullptr)->socket)];
	struct link **at = &ctx->links;
	struct link *link;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", ctx->folder, name) >= sizeof(path))
		return;
	while (*at && strcmp((*at)->socket, path) < 0)
		at = &(*at)->next;
	if (*at && !strcmp((*at)->socket, path)) {
		if (link_read(ctx, *at))
			return;
		link = *at;
		*at = link->next;
		watcher_forget(ctx, link);
		link_close(ctx, link);
	}
	link = link_open(ctx, path);
	if (!link) /* what a killed phone left behind */
		return;
	link->next = *at;
	*at = link;
}

static void folder_changed(struct libusb_context *ctx)
{
	alignas(struct inotify_event) char bytes[4096];
	ssize_t got;

	while ((got = read(ctx->inotify, bytes, sizeof(bytes))) > 0) {
		const struct inotify_event *event;

		for (char *at = bytes; at < bytes + got; at += sizeof(*event) + event->len) {
			event = (const struct inotify_event *)at;
			if (event->len > 0 && is_socket(event->name))
				watcher_begin(ctx, event->name);
		}
	}
}

static void folder_scan(struct libusb_context *ctx, DIR *folder)
{
	const struct dirent *entry;

	while ((entry = readdir(folder)))
		if (is_socket(entry->d_name))
			watcher_begin(ctx, entry->d_name);
}

/* ---- deadlines ---- */

void reader_schedule(struct libusb_context *ctx)
{
	struct itimerspec next = {};

	for (struct libusb_device_handle *h = ctx->handles; h; h = h->next) {
		for (struct request *r = h->requests; r; r = r->next) {
			if (!r->deadline.tv_sec)
				continue;
			if (!next.it_value.tv_sec || time_compare(&r->deadline, &next.it_value) < 0)
				next.it_value = r->deadline;
		}
	}
	timerfd_settime(ctx->timer, TFD_TIMER_ABSTIME, &next, nullptr);
}

/* Cancels what took too long. A phone that does not even answer that is as good as gone. */
static void deadlines_pass(struct libusb_context *ctx)
{
	const struct timespec now = time_after_ms(0);
	uint64_t times;

	if (read(ctx->timer, &times, sizeof(times)) < 0)
		return; /* set anew meanwhile */
	for (struct libusb_device_handle *h = ctx->handles; h; h = h->next) {
		for (struct request *r = h->requests; r; r = r->next) {
			if (!r->deadline.tv_sec || time_compare(&r->deadline, &now) > 0)
				continue;
			if (r->cancelled && h->link->fd >= 0)
				shutdown(h->link->fd, SHUT_RDWR);
			r->deadline = (struct timespec){};
			request_cancel(h, r, true);
		}
	}
	reader_schedule(ctx);
}

/* ---- the thread ---- */

/* The link of a key; it may have been closed since epoll_wait() named it. */
static struct link *link_find(struct libusb_context *ctx, uint64_t key)
{
	for (struct link *l = ctx->links; l; l = l->next)
		if (l->key == key)
			return l;
	for (struct libusb_device_handle *h = ctx->handles; h; h = h->next)
		if (h->link->key == key)
			return h->link;
	return nullptr;
}

static void link_ready(struct libusb_context *ctx, uint64_t key)
{
	struct link *link = link_find(ctx, key);

	if (!link || link_read(ctx, link))
		return;
	if (link->handle)
		handle_lost(ctx, link->handle);
	else
		watcher_end(ctx, link);
}

static void *reader_run(void *user)
{
	struct libusb_context *ctx = user;

	for (;;) {
		struct epoll_event events[EVENTS];
		int count = epoll_wait(ctx->epoll, events, EVENTS, -1);

		for (int i = 0; i < count; i++) {
			uint64_t key = events[i].data.u64;

			if (key == KEY_STOP)
				return nullptr;
			pthread_mutex_lock(&ctx->lock);
			if (key == KEY_FOLDER)
				folder_changed(ctx);
			else if (key == KEY_TIMER)
				deadlines_pass(ctx);
			else
				link_ready(ctx, key);
			pthread_mutex_unlock(&ctx->lock);
		}
	}
}

static void reader_add(struct libusb_context *ctx, int fd, uint64_t key)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = key };

	epoll_ctl(ctx->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Opens the folder and connects to who is there. A folder that is named must exist. */
static int folder_open(struct libusb_context *ctx)
{
	DIR *folder;

	if (!ctx->folder)
		return 0;
	folder = opendir(ctx->folder);
	if (!folder || inotify_add_watch(ctx->inotify, ctx->folder, IN_MOVED_TO) < 0) {
		fprintf(stderr, "libusb stand-in: SIMPHONE_BUS=%s: %s\n", ctx->folder,
			strerror(errno));
		if (folder)
			closedir(folder);
		return LIBUSB_ERROR_OTHER;
	}
	folder_scan(ctx, folder);
	closedir(folder);
	return 0;
}

static bool all_greeted(const struct libusb_context *ctx)
{
	for (const struct link *l = ctx->links; l; l = l->next)
		if (!l->greeted)
			return false;
	return true;
}

static void reader_close(struct libusb_context *ctx)
{
	while (ctx->links)
		watcher_end(ctx, ctx->links);
	close(ctx->epoll);
	close(ctx->inotify);
	close(ctx->timer);
	close(ctx->stop);
}

/* Signals are for the program's own threads. */
static int thread_start(struct libusb_context *ctx)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&ctx->reader, nullptr, reader_run, ctx);
	pthread_sigmask(SIG_SETMASK, &before, nullptr);
	return r == 0 ? 0 : LIBUSB_ERROR_OTHER;
}

int reader_start(struct libusb_context *ctx)
{
	const struct timespec deadline = time_after_ms(GREETING_MS);
	int r;

	ctx->next_key = KEY_LINKS;
	ctx->epoll = epoll_create1(EPOLL_CLOEXEC);
	ctx->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	ctx->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	ctx->stop = eventfd(0, EFD_CLOEXEC);
	reader_add(ctx, ctx->stop, KEY_STOP);
	reader_add(ctx, ctx->inotify, KEY_FOLDER);
	reader_add(ctx, ctx->timer, KEY_TIMER);
	r = folder_open(ctx);
	if (r == 0)
		r = thread_start(ctx);
	if (r < 0) {
		reader_close(ctx);
		return r;
	}
	pthread_mutex_lock(&ctx->lock);
	while (!all_greeted(ctx) &&
	       pthread_cond_timedwait(&ctx->changed, &ctx->lock, &deadline) != ETIMEDOUT)
		;
	pthread_mutex_unlock(&ctx->lock);
	return 0;
}

void reader_stop(struct libusb_context *ctx)
{
	eventfd_write(ctx->stop, 1);
	pthread_join(ctx->reader, nullptr);
	reader_close(ctx);
}
