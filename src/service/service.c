/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns the loop and all that hangs in it, and wires it up:
 *
 *   bus monitor ──┐ sightings                        ┌─▶ server ─▶ watchers
 *   (or tape) ────┼────────▶ fleet ── fleet events ──┤
 *   mux ──────────┘            ▲                     └─▶ review (once, when the loop is idle)
 *   kernel ── troubles ────────│────────────────────────▶ server
 *                              ├── answers ── asker ◀──────┘        ├─▶ deadline timer, STATUS=
 *                              └── answers ── jobs ◀─────────────────┘
 *                                              └── changes ─▶ server ─▶ watchers
 *
 * Invariants: whoever changed the fleet calls service_touch(), so the review runs after it; inside
 * a fleet event nobody changes the fleet. There is no other timer than the common deadline and
 * the limits of jobs and running workers: without news and without phones in motion the loop
 * sleeps.
 */
#include "service/service.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "bus/monitor.h"
#include "bus/record.h"
#include "phone/fleet.h"
#include "service/ask.h"
#include "service/dialog.h"
#include "service/fields.h"
#include "service/keeper.h"
#include "service/kernel.h"
#include "service/mux.h"
#include "service/server.h"
#include "service/socket.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

/* Credentials with this prefix are test hooks (DESIGN §10). */
static const char test_credential_prefix[] = "idevicerescue.";

struct service {
	sd_event *event;
	sd_event_source *review;   /* one-shot, on while a review is owed */
	sd_event_source *deadline; /* fleet_deadline(), asker_deadline(), jobs_deadline() */
	struct fleet *fleet;
	struct bus_monitor *monitor;   /* or … */
	struct bus_tape *tape;         /* … this */
	struct bus_recorder *recorder; /* NULL if nothing is recorded */
	struct worker_pool *pool; /* NULL if nothing may be asked; then the next two are, too */
	struct mux *mux;
	struct kernel *kernel;
	struct asker *asker;
	struct storage *storage;
	struct consents *consents;
	struct keeper *keeper;
	struct disks *disks;
	struct host *host;
	struct planner *planner;
	struct jobs *jobs;
	struct dialogs *dialogs;
	struct server *server;
	char *socket;
	int lock_fd;
	size_t told_phones; /* what systemd was told last */
	bool told_mux;
};

static void service_touch(void *user)
{
	struct service *service = user;

	(void)sd_event_source_set_enabled(service->review, SD_EVENT_ONESHOT);
}

static void on_fleet_event(enum fleet_event event, const struct phone *phone, void *user)
{
	struct service *service = user;
	char key[PHONE_KEY_BYTES];

	phone_key(phone, key);
	log_write(event == FLEET_CHANGED ? LOG_INFO : LOG_NOTICE, "%s: %s, %s", key,
		  presence_name(phone->presence), mode_name(phone->mode));
	if (service->server)
		server_fleet_event(service->server, event, phone);
	service_touch(service);
}

static void on_sighting(enum sighting_change change, const struct sighting *sighting, void *user)
{
	struct service *service = user;
	int r;

	if (service->recorder) {
		r = bus_recorder_write(service->recorder, change, sighting);
		if (r < 0) {
			log_error("the tape ends here: %s", strerror(-r));
			service->recorder = bus_recorder_free(service->recorder);
		}
	}
	fleet_sighting(service->fleet, change, sighting, clock_now_ms());
	service_touch(service);
}

static void on_mux(enum mux_news news, const char *udid, unsigned location, const struct error *why,
		   void *user)
{
	struct service *service = user;
	uint64_t now_ms = clock_now_ms();

	switch (news) {
	case MUX_UP:
		log_notice("usbmuxd answers");
		server_mux(service->server, true, NULL);
		break;
	case MUX_DOWN:
		log_notice("usbmuxd does not answer");
		fleet_mux_reset(service->fleet, now_ms);
		server_mux(service->server, false, why);
		break;
	case MUX_ATTACHED:
	case MUX_DETACHED:
		fleet_mux(service->fleet, udid, location, news == MUX_ATTACHED, now_ms);
		if (news == MUX_ATTACHED)
			asker_ask_anew(service->asker, udid);
		break;
	case MUX_PAIRED:
		asker_ask_anew(service->asker, udid);
		keeper_touch(service->keeper);
		break;
	case MUX_NEWS_MAX:
		break;
	}
	service_touch(service);
}

static void on_kernel(void *user)
{
	struct service *service = user;

	server_kernel(service->server, kernel_troubles(service->kernel),
		      kernel_is_read(service->kernel));
	jobs_troubles(service->jobs,
		      kernel_is_read(service->kernel) ? kernel_troubles(service->kernel) : NULL);
	service_touch(service);
}

static bool job_is_over(sd_json_variant *job)
{
	return field_is(job, "state", job_state_name(JOB_DONE)) ||
	       field_is(job, "state", job_state_name(JOB_FAILED)) ||
	       field_is(job, "state", job_state_name(JOB_CANCELLED));
}

static void on_job(sd_json_variant *job, void *user)
{
	struct service *service = user;

	if (service->server)
		server_job(service->server, job);
	if (job_is_over(job))
		keeper_touch(service->keeper); /* it may have paired, or forgotten */
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* One timer for all: the next moment at which the fleet, the asker or a job has work. */
static void deadline_arm(struct service *service)
{
	uint64_t deadline_ms = fleet_deadline(service->fleet);
	int r;

	deadline_ms = earlier(deadline_ms, asker_deadline(service->asker));
	deadline_ms = earlier(deadline_ms, jobs_deadline(service->jobs));
	deadline_ms = earlier(deadline_ms, planner_deadline(service->planner));
	deadline_ms = earlier(deadline_ms, dialogs_deadline(service->dialogs));
	if (deadline_ms == UINT64_MAX) {
		(void)sd_event_source_set_enabled(service->deadline, SD_EVENT_OFF);
		return;
	}
	r = sd_event_source_set_time(service->deadline, deadline_ms * 1000);
	if (r >= 0)
		r = sd_event_source_set_enabled(service->deadline, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("time stands still for the phones: %s", strerror(-r));
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *user)
{
	struct service *service = user;

	fleet_tick(service->fleet, clock_now_ms());
	service_touch(service);
	return 0;
}

static void tell_systemd(struct service *service)
{
	size_t phones = fleet_count(service->fleet);
	bool mux = server_mux_is_up(service->server);

	if (phones == service->told_phones && mux == service->told_mux)
		return;
	service->told_phones = phones;
	service->told_mux = mux;
	(void)sd_notifyf(false, "STATUS=%zu %s here, usbmuxd %s", phones,
			 phones == 1 ? "phone is" : "phones are",
			 mux ? "answers" : "does not answer");
}

static int on_review(sd_event_source *source, void *user)
{
	struct service *service = user;

	dialogs_review(service->dialogs); /* first: a job never works beside a watch */
	jobs_review(service->jobs);       /* then: what a job has taken is not asked */
	asker_review(service->asker);
	planner_review(service->planner);
	server_review(service->server);
	deadline_arm(service);
	tell_systemd(service);
	return 0;
}

/* --- start and end --------------------------------------------------------------------------- */

/* True if a virtual machine passed us a test hook: everything that is shown says so. */
static bool test_hooks_are_here(void)
{
	const char *path = getenv("CREDENTIALS_DIRECTORY");
	DIR *folder = path ? opendir(path) : NULL;
	struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	while (!found && (entry = readdir(folder)))
		found = strncmp(entry->d_name, test_credential_prefix,
				sizeof(test_credential_prefix) - 1) == 0;
	closedir(folder);
	return found;
}

static int start_loop(struct service *service)
{
	int r;

	r = sd_event_new(&service->event);
	if (r >= 0)
		r = sd_event_set_signal_exit(service->event, true);
	if (r >= 0)
		r = sd_event_set_watchdog(service->event, true);
	if (r >= 0)
		r = sd_event_add_time(service->event, &service->deadline, CLOCK_BOOTTIME, 0, 1,
				      on_deadline, service);
	if (r >= 0)
		r = sd_event_source_set_enabled(service->deadline, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_defer(service->event, &service->review, on_review, service);
	if (r >= 0) /* after all that has news now, so that a burst is reviewed once */
		r = sd_event_source_set_priority(service->review, SD_EVENT_PRIORITY_IDLE);
	return r;
}

static bool job_needs(const char *path, void *user)
{
	const struct service *service = user;

	return jobs_need_file(service->jobs, path, NULL);
}

static int start_planner(struct service *service)
{
	const struct planner_options options = {
		.fleet = service->fleet,
		.asker = service->asker,
		.pool = service->pool,
		.storage = service->storage,
		.needed_fn = job_needs,
		.touched_fn = service_touch,
		.touched_user = service,
	};

	return planner_new(&options, &service->planner);
}

static int start_host(struct service *service)
{
	const struct host_options options = { .fleet = service->fleet, .pool = service->pool };

	return host_new(&options, &service->host);
}

static int start_phones(struct service *service, const struct service_options *options)
{
	int r = fleet_new(on_fleet_event, service, &service->fleet);

	if (r >= 0 && (!options->replay || options->worker))
		r = worker_pool_new(service->event, options->worker, NULL, &service->pool);
	if (r >= 0)
		r = asker_new(service->fleet, service->pool, service_touch, service,
			      &service->asker);
	if (r >= 0)
		r = dialogs_new(service->fleet, service->asker, service->pool, service_touch,
				service, &service->dialogs);
	return r;
}

/* Jobs of a former service go on with the first review, when the phones have been seen. */
static int start_jobs(struct service *service, const struct service_options *options)
{
	struct storage_options storage = { .folder = options->storage, .cache = options->cache };
	struct jobs_options jobs = {
		.fleet = service->fleet,
		.pool = service->pool,
		.event = service->event,
		.changed_fn = on_job,
		.touched_fn = service_touch,
		.user = service,
	};
	int r = storage_new(&storage, &service->storage);

	if (r >= 0)
		r = consents_new(&service->consents);
	if (r >= 0)
		r = start_host(service);
	if (r >= 0)
		r = start_planner(service);
	if (r >= 0)
		r = keeper_new(service->pool, service->storage, &service->keeper);
	if (r >= 0)
		r = disks_new(service->pool, &service->disks);
	if (r < 0)
		return r;
	jobs.storage = service->storage;
	return jobs_new(&jobs, &service->jobs);
}

/* Two services must never carry out one job: the socket is claimed before jobs are loaded. */
static int start_claim(struct service *service, const struct service_options *options,
		       struct error *err)
{
	int r = socket_path(options->socket, &service->socket, err);

	return r < 0 ? r : socket_claim(service->socket, &service->lock_fd, err);
}

static int start_server(struct service *service, const struct service_options *options,
			struct error *err)
{
	struct server_options server = {
		.event = service->event,
		.fleet = service->fleet,
		.asker = service->asker,
		.planner = service->planner,
		.jobs = service->jobs,
		.consents = service->consents,
		.keeper = service->keeper,
		.storage = service->storage,
		.disks = service->disks,
		.host = service->host,
		.test = options->replay || test_hooks_are_here(),
	};

	server.path = service->socket;
	return server_new(&server, &service->server, err);
}

static int start_recorder(struct service *service, const char *path, struct error *err)
{
	int r = bus_recorder_new(path, &service->recorder);

	if (r < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "service", -r,
				       "cannot write the tape '%s'", path);
	return 0;
}

static int start_tape(struct service *service, const char *path, struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct stat file;
	int r;

	if (stat(path, &file) < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "service", errno,
				       "cannot read the tape '%s'", path);
	/* read and write keeps a FIFO open between two writers */
	fd = open(path, (S_ISFIFO(file.st_mode) ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "service", errno,
				       "cannot read the tape '%s'", path);
	r = bus_tape_new(service->event, fd, on_sighting, service, &service->tape);
	if (r < 0)
		return error_set_errno(err, ERROR_BAD_FILE, "service", -r,
				       "cannot play the tape '%s'", path);
	(void)TAKE_FD(fd);
	return 0;
}

static int start_bus(struct service *service, const struct service_options *options,
		     struct error *err)
{
	int r;

	if (options->record) {
		r = start_recorder(service, options->record, err);
		if (r < 0)
			return r;
	}
	if (options->replay)
		return start_tape(service, options->replay, err);
	r = bus_monitor_new(service->event, on_sighting, service, &service->monitor);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "kernel", -r, "cannot watch the USB bus");
	return 0;
}

static void service_done(struct service *service)
{
	server_free(service->server);
	jobs_free(service->jobs);
	planner_free(service->planner);
	keeper_free(service->keeper);
	disks_free(service->disks);
	consents_free(service->consents);
	host_free(service->host);
	if (service->storage)
		storage_close(service->storage);
	storage_free(service->storage);
	mux_free(service->mux);
	kernel_free(service->kernel);
	dialogs_free(service->dialogs);
	asker_free(service->asker);
	worker_pool_free(service->pool);
	bus_monitor_free(service->monitor);
	bus_tape_free(service->tape);
	bus_recorder_free(service->recorder);
	fleet_free(service->fleet);
	sd_event_source_disable_unref(service->review);
	sd_event_source_disable_unref(service->deadline);
	sd_event_unref(service->event);
	free(service->socket);
	closep(&service->lock_fd);
}

static int service_start(struct service *service, const struct service_options *options,
			 struct error *err)
{
	int r;

	r = start_claim(service, options, err);
	if (r < 0)
		return r;
	r = start_loop(service);
	if (r >= 0)
		r = start_phones(service, options);
	if (r >= 0)
		r = start_jobs(service, options);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "cannot start");
	r = start_server(service, options, err);
	if (r >= 0)
		r = start_bus(service, options, err);
	if (r < 0)
		return r;
	if (service->pool)
		r = mux_new(service->pool, on_mux, service, &service->mux);
	else
		server_mux(service->server, false, NULL); /* nobody will ever ask it */
	if (r >= 0 && service->pool)
		r = kernel_new(service->pool, on_kernel, service, &service->kernel);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "cannot start");
	return 0;
}

int service_run(const struct service_options *options, struct error *err)
{
	_cleanup_(service_done) struct service service = { .lock_fd = -1, .told_phones = SIZE_MAX };
	int r;

	r = service_start(&service, options, err);
	if (r < 0)
		return r;
	log_notice("listening at %s", service.socket);
	(void)sd_notify(false, "READY=1");
	r = sd_event_loop(service.event);
	(void)sd_notify(false, "STOPPING=1");
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "service", -r, "the loop broke");
	log_notice("ended");
	return 0;
}
