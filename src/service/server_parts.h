/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the server share:
 *
 *   server.c       links, events; List, Show, Watch
 *   server_jobs.c  Diagnose, CheckTrust, Plan, Start, Jobs, Job, Cancel, Answer, Report
 */
#include "service/interface.h"
#include "service/server.h"
#include "service/watcher.h"
#include <systemd/sd-varlink.h>

enum { WANTED_BYTES_MAX = 256 }; /* a PHONE argument; longer ones fit no phone */

/* A call that waits for a worker. Lives until it is answered or its link goes. */
struct pending {
	struct pending *next;
	struct server *server;
	sd_varlink *link;
	char wanted[WANTED_BYTES_MAX]; /* the phone that was named */
	bool start;                    /* the plan is carried out */
	char *consent, *confirm;       /* of Start; NULL if they were not given */
};

struct server {
	struct server_options options; /* path is not used after server_new() */
	sd_varlink_server *varlink;
	char *path;
	struct peer *peers;
	struct watchers *watchers;
	struct pending *pending;
	uint64_t seq;
	bool mux_up;
};

/* A new pending call with a reference to the link; NULL without memory. */
struct pending *pending_new(struct server *server, sd_varlink *link, const char *wanted);
void pending_end(struct pending *pending);

/* Replies. They return what a varlink method must return. */
int reply_not_answered(sd_varlink *link, const char *wanted, const struct error *err);
int reply_not_found(const struct server *server, sd_varlink *link, const char *wanted,
		    const struct error *err);

/* Finds the phone of a call; 0, or a positive number when the call was answered already. */
int find_phone(const struct server *server, sd_varlink *link, const char *wanted,
	       const struct phone **ret);

int on_diagnose(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		void *user);
int on_check_trust(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user);
int on_plan(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	    void *user);
int on_start(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	     void *user);
int on_jobs(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	    void *user);
int on_job(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	   void *user);
int on_cancel(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
int on_answer(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
int on_report(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
