/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The varlink side of the service: answers the methods, numbers the events and sends them to the
 * watchers. It reads the fleet and never changes it; what a person wants goes to asker, planner and
 * jobs.
 */
#include "bus/trouble.h"
#include "doctor/consent.h"
#include "phone/fleet.h"
#include "service/ask.h"
#include "service/disks.h"
#include "service/host.h"
#include "service/jobs.h"
#include "service/keeper.h"
#include "service/planner.h"
#include <systemd/sd-event.h>
#include <systemd/sd-varlink.h>

struct server;

struct server_options {
	sd_event *event;
	const char *path;    /* absolute path of the socket; must be claimed (service/socket.h) */
	struct fleet *fleet; /* borrowed, like asker */
	struct asker *asker;
	struct planner *planner; /* borrowed; NULL in tests that plan nothing, like the next two */
	struct jobs *jobs;
	struct consents *consents;
	struct host *host;             /* borrowed; NULL in tests that look at no disks */
	struct keeper *keeper;         /* borrowed; NULL in tests that keep nothing */
	const struct storage *storage; /* the same */
	struct disks *disks;           /* borrowed; NULL in tests that mount nothing */
	bool test;                     /* what is shown may not be real */
};

/* Binds the methods and listens. */
int server_new(const struct server_options *options, struct server **ret, struct error *err);
/* Closes all links and removes the socket. Before asker, planner, jobs and fleet. Returns NULL. */
struct server *server_free(struct server *server);

/* Tells all watchers. */
void server_fleet_event(struct server *server, enum fleet_event event, const struct phone *phone);
void server_job(struct server *server, sd_json_variant *job);
/* why: what stood in the way of usbmuxd, NULL if nothing is known. */
void server_mux(struct server *server, bool up, const struct error *why);
/* What the kernel complained of: the table is borrowed until the next call (NULL none); `read`: its
 * messages are being read. To be called at each change of the table too. */
void server_kernel(struct server *server, const struct troubles *troubles, bool read);

/* Tells the watchers of every phone whose lights have changed since they were told of it last, for
 * whatever reason. To be called when the loop is idle. */
void server_review(struct server *server);

bool server_mux_is_up(const struct server *server);

/* What each method of the interface calls; a row without a name at the end. */
struct server_method {
	const char *name; /* INTERFACE_METHOD_… */
	sd_varlink_method_t call;
};
extern const struct server_method server_methods[];
