/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the loop, the terminal, the link to the service, and what ties them together:
 *
 *      service ──▶ client_watch ──▶ model ─┐
 *                                          ├─▶ layout ──▶ page ──▶ screen
 *      keys, SIGWINCH ──▶ screen ──▶ view ─┘
 *
 * Everything is drawn at most once per turn of the loop, after all that was ready has been taken
 * in. Without events the process sleeps: no timer, no polling.
 */
#include "face/console.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "face/console_layout.h"
#include "service/client.h"
#include "version.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

struct console {
	sd_event *event;             /* owned */
	sd_event_source *draw;       /* owned; on while something waits to be drawn */
	struct client_watch *watch;  /* owned */
	struct screen *screen;       /* owned */
	struct console_model *model; /* owned */
	struct console_view view;
	bool repaint; /* the next drawing sends everything */
};

static void console_done(struct console *console)
{
	client_watch_free(console->watch);
	sd_event_source_unref(console->draw);
	sd_event_unref(console->event);
	screen_free(console->screen);
	console_model_free(console->model);
}

static void console_changed(struct console *console)
{
	if (sd_event_source_set_enabled(console->draw, SD_EVENT_ONESHOT) < 0)
		sd_event_exit(console->event, -EIO);
}

static int console_draw(sd_event_source *source, void *user)
{
	struct console *console = user;
	_cleanup_(screen_page_freep) struct screen_page *page = NULL;
	int r = screen_page(console->screen, &page);

	if (r == 0)
		r = console_layout(console->model, &console->view, IDR_VERSION, page);
	if (r < 0)
		return sd_event_exit(console->event, r);
	screen_show(console->screen, page, console->repaint);
	console->repaint = false;
	return 0;
}

static void console_event(sd_json_variant *event, const struct error *err, void *user)
{
	struct console *console = user;
	bool keep;

	if (event) {
		int r = console_model_event(console->model, event);

		if (r == -ENOMEM)
			sd_event_exit(console->event, r);
	} else {
		console_model_lost(console->model, err);
	}
	console_view_follow(&console->view, console->model);
	keep = console->view.details || console_model_link(console->model) != CONSOLE_LINK_UP;
	console_model_forget(console->model, keep ? console->view.chosen : 0);
	console_changed(console);
}

static int console_keys(sd_event_source *source, int fd, uint32_t revents, void *user)
{
	struct console *console = user;
	struct screen_input input;

	if (revents & (EPOLLHUP | EPOLLERR))
		return sd_event_exit(console->event, 0);
	while ((input = screen_read(console->screen)).key != SCREEN_KEY_NONE) {
		switch (console_view_input(&console->view, console->model, input)) {
		case CONSOLE_NOTHING:
			break;
		case CONSOLE_REPAINT:
			console->repaint = true;
			console_changed(console);
			break;
		case CONSOLE_CHANGED:
			console_changed(console);
			break;
		case CONSOLE_LEAVE:
			return sd_event_exit(console->event, 0);
		}
	}
	return 0;
}

static int console_resized(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct console *console = user;

	screen_resize(console->screen);
	console_changed(console);
	return 0;
}

static int console_ended(sd_event_source *source, const struct signalfd_siginfo *info, void *user)
{
	struct console *console = user;

	return sd_event_exit(console->event, 0);
}

static int console_listen(struct console *console)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT };
	int r = sd_event_new(&console->event);

	if (r >= 0)
		r = sd_event_add_defer(console->event, &console->draw, console_draw, console);
	if (r >= 0) /* keys and events that are ready come first: then one drawing shows them all */
		r = sd_event_source_set_priority(console->draw, SD_EVENT_PRIORITY_IDLE);
	if (r >= 0)
		r = sd_event_add_io(console->event, NULL, STDIN_FILENO, EPOLLIN, console_keys,
				    console);
	if (r >= 0)
		r = sd_event_add_signal(console->event, NULL, SIGWINCH | SD_EVENT_SIGNAL_PROCMASK,
					console_resized, console);
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(ends); i++)
		r = sd_event_add_signal(console->event, NULL, ends[i] | SD_EVENT_SIGNAL_PROCMASK,
					console_ended, console);
	return r < 0 ? r : 0;
}

/* Fills console as far as it gets; console_done() releases it in any case. */
static int console_start(struct console *console, const char *socket, struct error *err)
{
	int r = console_model_new(&console->model);

	if (r == 0)
		r = screen_new(&console->screen, err);
	if (r == 0)
		r = console_listen(console);
	if (r == 0)
		r = client_watch_new(console->event, socket, console_event, console,
				     &console->watch);
	return r;
}

int console_run(const struct command_call *call)
{
	struct console console = { 0 };
	struct error err = { 0 };
	int r;

	/* started by the system itself: it starts the console again, there is no shell to leave to
	 */
	console.view.resident = getppid() == 1;
	r = console_start(&console, call->socket, &err);
	if (r == 0)
		r = sd_event_loop(console.event);
	console_done(&console);
	if (r == 0)
		return 0;
	if (err.kind == ERROR_NONE)
		error_set_errno(&err, ERROR_BUG, "console", -r, "the console ended");
	log_error("%s", err.text);
	return error_exit_status(err.kind);
}
