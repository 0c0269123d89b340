/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The varlink side of the service: answers the methods, numbers the events and sends them to the
 * watchers. It reads the fleet and never changes it; what a person wants goes to asker, planner and
 * jobs.
 */
#include "doctor/consent.h"
#include "phone/fleet.h"
#include "service/ask.h"
#include "service/jobs.h"
#include "service/planner.h"
#include <systemd/sd-event.h>

struct server;

struct server_options {
	sd_event *event;
	const char *path;    /* absolute path of the socket; must be claimed (service/socket.h) */
	struct fleet *fleet; /* borrowed, like asker */
	struct asker *asker;
	struct planner *planner; /* borrowed; NULL in tests that plan nothing, like the next two */
	struct jobs *jobs;
	struct consents *consents;
	bool test; /* what is shown may not be real */
};

/* Binds the methods and listens. */
int server_new(const struct server_options *options, struct server **ret, struct error *err);
/* Closes all links and removes the socket. Before asker, planner, jobs and fleet. Returns NULL. */
struct server *server_free(struct server *server);

/* Tells all watchers. */
void server_fleet_event(struct server *server, enum fleet_event event, const struct phone *phone);
void server_job(struct server *server, sd_json_variant *job);
void server_mux(struct server *server, bool up);

bool server_mux_is_up(const struct server *server);

/* Names of the methods that are bound, NULL at the end: for the test that compares them with the
 * interface. */
extern const char *const server_method_names[];
