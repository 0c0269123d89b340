/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the parts of the server share:
 *
 *   server.c       links, events; List, Show, Watch
 *   server_doctor.c  Diagnose, CheckTrust; lights
 *   server_keep.c  KeepRecords
 *   server_cache.c ListFirmware, DropFirmware
 *   server_disk.c  ListDisks, UseCache
 *   server_jobs.c  Plan, Start, Jobs, Job, Cancel, Pause, Resume, Answer, Report
 *   server_drops.c  what a plan may delete to make room
 *   server_host.c  LookAtComputer, MoveRecords
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
	char *use;                     /* of UseCache: the word; NULL for other calls */
	sd_json_variant *disk;         /* of UseCache: the disk that was mounted; NULL none */
};

enum { DROP_PATH_BYTES = PLAN_ROOM_BYTES + PLAN_DROP_FILE_BYTES };

/* A firmware file that a card has named as going. */
struct drop_shown {
	char path[DROP_PATH_BYTES]; /* "" none */
	uint64_t until_ms;          /* how long that counts as read */
};

enum { DROPS_SHOWN_MAX = 4 * PLAN_DROPS_MAX };

struct server {
	struct server_options options; /* path is not used after server_new() */
	sd_varlink_server *varlink;
	char *path;
	struct peer *peers;
	struct watchers *watchers;
	struct pending *pending;
	uint64_t seq;
	bool mux_known; /* somebody has said whether usbmuxd answers */
	bool mux_up;
	struct error mux_problem;        /* why usbmuxd is not up; kind none: not known */
	const struct troubles *troubles; /* borrowed; NULL none */
	bool kernel_read;                /* the kernel's messages are being read */
	struct told_lights *told;        /* what the watchers know; told_count of them */
	size_t told_count;
	struct drop_shown drops_shown[DROPS_SHOWN_MAX];
};

/* --- server_drops.c --- */

/* The card of this plan is shown. */
void drops_show(struct server *server, const struct plan *plan);
/* 0; or -EPERM (ERROR_NO_CONSENT): a file that no card has named lately would go. */
int drops_check(const struct server *server, const struct plan *plan, struct error *err);

/* Fields of a method's parameters. */
#define TEXT_FIELD(type, name, flags)                                                              \
	{ #name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                            \
	  offsetof(struct type, name), flags }
#define MUST (SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL)

/* The object Phone: the phone and its lights. */
int phone_build(const struct server *server, const struct phone *phone, sd_json_variant **ret);
/* The same for the watchers: what they are told of its lights is remembered, unless it is gone. */
int phone_tell(struct server *server, const struct phone *phone, bool gone, sd_json_variant **ret);
/* An event of this kind with the payload under `name`. */
void server_send(struct server *server, const char *kind, const char *name,
		 sd_json_variant *payload);

/* A new pending call with a reference to the link; NULL without memory. */
struct pending *pending_new(struct server *server, sd_varlink *link, const char *wanted);
void pending_end(struct pending *pending);

/* Replies. They return what a varlink method must return. */
int reply_not_answered(sd_varlink *link, const char *wanted, const struct error *err);
int reply_refused(sd_varlink *link, const struct error *err);
/* next: what to do about it; NULL: nothing is said. */
int reply_refused_next(sd_varlink *link, const struct error *err, const char *next);
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
int on_pause(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	     void *user);
int on_resume(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
int on_answer(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
int on_keep_records(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user);
int on_list_firmware(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		     void *user);
int on_drop_firmware(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		     void *user);
/* Answers with the object FirmwareCache as it is now, and `disk` (NULL none). */
int reply_cache(struct server *server, sd_varlink *link, sd_json_variant *disk);
/* Is firmware kept on the disk with this uuid, and a file there in use, or needed by an unfinished
 * job? */
bool cache_is_needed(struct server *server, const char *disk);
int on_list_disks(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		  void *user);
int on_use_cache(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		 void *user);
int on_report(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user);
int on_look_at_computer(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *user);
int on_move_records(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		    void *user);
