/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the loop, the terminal, the link to the service, and what ties them together:
 *
 *      service ──▶ client_watch ──▶ model ─┐
 *         ▲ └───── client_call ───▶ ─┤     ├─▶ layout ──▶ page ──▶ screen
 *         └─ what is asked ◀─────── view ──┘
 *      keys, SIGWINCH ──▶ screen ──▶ ┘
 *
 * Everything is drawn at most once per turn of the loop, after all that was ready has been taken
 * in. Nothing waits for the service: at most two calls are under way, one for the person
 * (view.ask), one that asks what is wrong with the chosen phone. Without events the process sleeps;
 * the only timers are that of a consent that runs out, and the countdown of a guided step.
 */
#include "face/console.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "face/console_ask.h"
#include "face/console_layout.h"
#include "face/job_text.h"
#include "face/output.h"
#include "service/client.h"
#include "service/client_call.h"
#include "version.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

struct console {
	sd_event *event;              /* owned */
	sd_event_source *draw;        /* owned; on while something waits to be drawn */
	sd_event_source *expiry;      /* owned; on while the card's consent can run out */
	sd_event_source *countdown;   /* owned; on while the person's time is shown */
	const char *socket;           /* borrowed; NULL the default */
	struct client_watch *watch;   /* owned */
	struct client_call *call;     /* owned; what view.ask says, NULL if that is nothing */
	struct client_call *diagnose; /* owned; NULL none */
	unsigned diagnosed;           /* tag of the phone that it is about */
	struct screen *screen;        /* owned */
	struct console_model *model;  /* owned */
	struct console_view view;
	bool repaint; /* the next drawing sends everything */
};

static void console_done(struct console *console)
{
	client_call_free(console->call);
	client_call_free(console->diagnose);
	client_watch_free(console->watch);
	sd_event_source_unref(console->draw);
	sd_event_source_unref(console->expiry);
	sd_event_source_unref(console->countdown);
	sd_event_unref(console->event);
	screen_free(console->screen);
	console_view_done(&console->view);
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

/* --- what is asked of the service */

static void console_diagnose(struct console *console);

static void console_diagnosed(sd_json_variant *reply, const struct error *err, void *user)
{
	struct console *console = user;
	sd_json_variant *findings = err ? NULL : console_ask_findings(reply);

	console->diagnose = client_call_free(console->diagnose);
	if (console_model_findings(console->model, console->diagnosed, findings) == 1)
		console_changed(console);
	console_diagnose(console);
}

/* Asks what is wrong with the chosen phone, if something was reported of it since. A failure is
 * not repeated before the next report. */
static void console_diagnose(struct console *console)
{
	const struct console_phone *phone =
	    console_model_find(console->model, console->view.chosen);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;
	enum said said;

	if (console->diagnose || !phone || phone->left || !phone->due)
		return;
	console->diagnosed = phone->tag;
	console_model_asked(console->model, phone->tag);
	said = console_view_said(&console->view, phone->tag);
	if (sd_json_variant_set_field_string(&parameters, "phone",
					     console_phone_text(phone, "key")) < 0)
		return;
	if (said != SAID_NOTHING &&
	    sd_json_variant_set_field_string(&parameters, "says", said_name(said)) < 0)
		return;
	(void)client_call_start(console->event, console->socket, "Diagnose", parameters,
				console_diagnosed, console, &console->diagnose, NULL);
}

static void console_taken_in(struct console *console);

static void console_answered(sd_json_variant *reply, const struct error *err, void *user)
{
	struct console *console = user;
	int r;

	console->call = client_call_free(console->call);
	r = console_ask_answered(&console->view, console->model, reply, err, clock_now_ms());
	if (r < 0)
		sd_event_exit(console->event, r);
	console_taken_in(console);
}

static void console_ask_begin(struct console *console)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *parameters = NULL;
	const char *method;
	struct error err = { 0 };
	int r;

	console->call = client_call_free(console->call);
	if (console->view.ask == CONSOLE_ASK_SAYS) /* an answer without it would come too late */
		console->diagnose = client_call_free(console->diagnose);
	r = console_ask_make(&console->view, console->model, &method, &parameters);
	if (r < 0)
		error_set_errno(&err, r == -ENODEV ? ERROR_UNPLUGGED : ERROR_BUG, "console", -r,
				"the service was not asked");
	else
		r = client_call_start(console->event, console->socket, method, parameters,
				      console_answered, console, &console->call, &err);
	if (r < 0)
		(void)console_ask_answered(&console->view, console->model, NULL, &err,
					   clock_now_ms());
}

/* The card's consent runs out at its time, whatever else happens or does not. */
static void console_expiry_set(struct console *console)
{
	const struct console_card *card = &console->view.card;
	uint64_t now = clock_now_ms();
	int r;

	if (card->until_ms == 0 || card->expired) {
		(void)sd_event_source_set_enabled(console->expiry, SD_EVENT_OFF);
		return;
	}
	r = sd_event_source_set_time_relative(
	    console->expiry, (card->until_ms > now ? card->until_ms - now : 0) * 1000);
	if (r >= 0)
		r = sd_event_source_set_enabled(console->expiry, SD_EVENT_ONESHOT);
	if (r < 0)
		sd_event_exit(console->event, r);
}

static int console_expired(sd_event_source *source, uint64_t usec, void *user)
{
	struct console *console = user;

	if (console_ask_tick(&console->view, clock_now_ms()))
		console_changed(console);
	return 0;
}

/* The time that is left for what the person is to do is drawn each second, while it is shown. */
static void console_countdown_set(struct console *console)
{
	enum { SECOND_USEC = 1000 * 1000 };
	_cleanup_free_ char *left = NULL;
	sd_json_variant *job = NULL;
	int r = 0;

	if (console->view.page == CONSOLE_PAGE_JOB)
		job = console_jobs_find(console_model_jobs(console->model), console->view.job);
	left = job ? job_text_time_left(job, clock_wall_ms()) : NULL;
	if (!left || !*left) {
		(void)sd_event_source_set_enabled(console->countdown, SD_EVENT_OFF);
		return;
	}
	r = sd_event_source_set_time_relative(console->countdown, SECOND_USEC);
	if (r >= 0)
		r = sd_event_source_set_enabled(console->countdown, SD_EVENT_ONESHOT);
	if (r < 0)
		sd_event_exit(console->event, r);
}

static int console_counted(sd_event_source *source, uint64_t usec, void *user)
{
	struct console *console = user;

	console_countdown_set(console);
	console_changed(console);
	return 0;
}

/* After anything that may have changed model or view. */
static void console_taken_in(struct console *console)
{
	bool keep;

	console_view_follow(&console->view, console->model);
	keep = console_view_needs_phone(&console->view) ||
	       console_model_link(console->model) != CONSOLE_LINK_UP;
	console_model_forget(console->model, keep ? console->view.chosen : 0);
	if (console->view.ask == CONSOLE_ASK_NONE)
		console->call = client_call_free(console->call);
	console_expiry_set(console);
	console_countdown_set(console);
	console_diagnose(console);
	console_changed(console);
}

/* --- events and keys */

static void console_event(sd_json_variant *event, const struct error *err, void *user)
{
	struct console *console = user;

	if (event) {
		int r = console_model_event(console->model, event);

		if (r == -ENOMEM)
			sd_event_exit(console->event, r);
	} else {
		console_model_lost(console->model, err);
	}
	console_taken_in(console);
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
			console_taken_in(console);
			break;
		case CONSOLE_ASK:
			console_ask_begin(console);
			console_taken_in(console);
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
		r = sd_event_add_time_relative(console->event, &console->expiry, CLOCK_BOOTTIME, 0,
					       0, console_expired, console);
	if (r >= 0)
		r = sd_event_source_set_enabled(console->expiry, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(console->event, &console->countdown, CLOCK_BOOTTIME,
					       0, 0, console_counted, console);
	if (r >= 0)
		r = sd_event_source_set_enabled(console->countdown, SD_EVENT_OFF);
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
	struct console console = { .socket = call->socket,
				   .view = { .card = { .goal = GOAL_MAX } } };
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
	return output_end(call, &err);
}
