/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Contexts, and what libusb says of itself. The default context and its count of users are the one
 * thing that outlives a call without an owner: the interface wants it so.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "standin.h"

static pthread_mutex_t default_lock = PTHREAD_MUTEX_INITIALIZER;
static struct libusb_context *default_context;

struct libusb_context *context_of(struct libusb_context *ctx)
{
	return ctx ? ctx : default_context;
}

void *memory(size_t bytes)
{
	void *p = calloc(1, bytes ? bytes : 1);

	if (!p)
		abort();
	return p;
}

struct timespec time_after_ms(unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

int time_compare(const struct timespec *a, const struct timespec *b)
{
	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return a->tv_nsec < b->tv_nsec ? -1 : a->tv_nsec > b->tv_nsec;
}

void context_ring(struct libusb_context *ctx)
{
	eventfd_write(ctx->ready, 1);
	pthread_cond_broadcast(&ctx->changed);
}

bool context_is_handler(const struct libusb_context *ctx)
{
	return ctx->handling && pthread_equal(ctx->handler, pthread_self());
}

static void context_free(struct libusb_context *ctx)
{
	while (ctx->messages) {
		struct hotplug_message *m = ctx->messages;

		ctx->messages = m->next;
		libusb_unref_device(m->device);
		free(m);
	}
	while (ctx->callbacks) {
		struct hotplug_callback *c = ctx->callbacks;

		ctx->callbacks = c->next;
		free(c);
	}
	close(ctx->ready);
	pthread_cond_destroy(&ctx->changed);
	pthread_mutex_destroy(&ctx->lock);
	free(ctx->folder);
	free(ctx);
}

static int context_new(struct libusb_context **ret_ctx)
{
	struct libusb_context *ctx = memory(sizeof(*ctx));
	const char *folder = getenv("SIMPHONE_BUS");
	pthread_condattr_t monotonic;
	int r;

	pthread_mutex_init(&ctx->lock, nullptr);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&ctx->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	ctx->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ctx->next_callback = 1;
	if (folder)
		ctx->folder = strdup(folder);
	r = reader_start(ctx);
	if (r < 0) {
		context_free(ctx);
		return r;
	}
	*ret_ctx = ctx;
	return 0;
}

int libusb_init_context(libusb_context **ctx, const struct libusb_init_option options[],
			int num_options)
{
	int r = 0;

	if (ctx)
		return context_new(ctx);
	pthread_mutex_lock(&default_lock);
	if (!default_context)
		r = context_new(&default_context);
	if (r == 0)
		default_context->users++;
	pthread_mutex_unlock(&default_lock);
	return r;
}

int libusb_init(libusb_context **ctx)
{
	return libusb_init_context(ctx, nullptr, 0);
}

void libusb_exit(libusb_context *ctx)
{
	pthread_mutex_lock(&default_lock);
	if (!ctx || ctx == default_context) {
		ctx = default_context && --default_context->users == 0 ? default_context : nullptr;
		if (ctx)
			default_context = nullptr;
	}
	pthread_mutex_unlock(&default_lock);
	if (!ctx)
		return;
	reader_stop(ctx);
	context_free(ctx);
}

/* Log levels and the like: the stand-in does not log. */
int libusb_set_option(libusb_context *ctx, enum libusb_option option, ...)
{
	return option < LIBUSB_OPTION_MAX ? LIBUSB_SUCCESS : LIBUSB_ERROR_INVALID_PARAM;
}

void libusb_set_debug(libusb_context *ctx, int level)
{
}

void libusb_set_log_cb(libusb_context *ctx, libusb_log_cb cb, int mode)
{
}

const struct libusb_version *libusb_get_version(void)
{
	static const struct libusb_version version = { 1, 0,           30,
						       0, "-simphone", "https://libusb.info" };

	return &version;
}

int libusb_has_capability(uint32_t capability)
{
	return capability == LIBUSB_CAP_HAS_CAPABILITY || capability == LIBUSB_CAP_HAS_HOTPLUG ||
	       capability == LIBUSB_CAP_SUPPORTS_DETACH_KERNEL_DRIVER;
}

static const struct {
	int code;
	const char *name, *text;
} errors[] = {
	{ LIBUSB_SUCCESS, "LIBUSB_SUCCESS", "Success" },
	{ LIBUSB_ERROR_IO, "LIBUSB_ERROR_IO", "Input/Output Error" },
	{ LIBUSB_ERROR_INVALID_PARAM, "LIBUSB_ERROR_INVALID_PARAM", "Invalid parameter" },
	{ LIBUSB_ERROR_ACCESS, "LIBUSB_ERROR_ACCESS", "Access denied (insufficient permissions)" },
	{ LIBUSB_ERROR_NO_DEVICE, "LIBUSB_ERROR_NO_DEVICE",
	  "No such device (it may have been disconnected)" },
	{ LIBUSB_ERROR_NOT_FOUND, "LIBUSB_ERROR_NOT_FOUND", "Entity not found" },
	{ LIBUSB_ERROR_BUSY, "LIBUSB_ERROR_BUSY", "Resource busy" },
	{ LIBUSB_ERROR_TIMEOUT, "LIBUSB_ERROR_TIMEOUT", "Operation timed out" },
	{ LIBUSB_ERROR_OVERFLOW, "LIBUSB_ERROR_OVERFLOW", "Overflow" },
	{ LIBUSB_ERROR_PIPE, "LIBUSB_ERROR_PIPE", "Pipe error" },
	{ LIBUSB_ERROR_INTERRUPTED, "LIBUSB_ERROR_INTERRUPTED",
	  "System call interrupted (perhaps due to signal)" },
	{ LIBUSB_ERROR_NO_MEM, "LIBUSB_ERROR_NO_MEM", "Insufficient memory" },
	{ LIBUSB_ERROR_NOT_SUPPORTED, "LIBUSB_ERROR_NOT_SUPPORTED",
	  "Operation not supported or unimplemented on this platform" },
	{ LIBUSB_ERROR_OTHER, "LIBUSB_ERROR_OTHER", "Other error" },
};

const char *libusb_error_name(int code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].name;
	return "**UNKNOWN**";
}

const char *libusb_strerror(int code)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].code == code)
			return errors[i].text;
	return "Unknown error";
}

int libusb_setlocale(const char *locale)
{
	return locale ? LIBUSB_SUCCESS : LIBUSB_ERROR_INVALID_PARAM;
}
