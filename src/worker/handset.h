/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A phone that is asked through usbmuxd: the connection to its lockdown port. Nothing here pairs,
 * starts a session or raises a dialog (reference: device-protocols.md §4.2, §4.3).
 */
#include "base/error.h"
#include "worker/inquiry.h"
#include "worker/request.h"
#include "worker/value.h"
#include <libimobiledevice/libimobiledevice.h>
#include <libimobiledevice/lockdown.h>

/* What we call ourselves in every question to a phone. */
#define HANDSET_LABEL "idevicerescue"

struct handset {
	char udid[REQUEST_UDID_BYTES];
	idevice_t device;          /* owned */
	lockdownd_client_t client; /* owned; plain, until a session is started on it */
	int fd;                    /* the client's connection, its own; 0 unknown */
	bool broken; /* what began on it has failed: no farewell, for whose answer the library
			would wait 30 s */
};

/*
 * Is the phone on the mux, by cable? 0, or why not: ERROR_NO_SERVICE (usbmuxd is not there or does
 * not answer), ERROR_NO_PHONE.
 */
int handset_find(const char *udid, struct error *err);

/*
 * A connection broke: did the phone leave, or usbmuxd? Returns 0 if both are there; else a negative
 * errno with err (may be NULL) set: ERROR_UNPLUGGED with origin and code, or ERROR_NO_SERVICE.
 */
int handset_left(const char *udid, const char *origin, int code, struct error *err);

/*
 * Connects. inquiry (may be NULL) learns when the port was reached. Returns 0 (the caller ends it
 * with handset_done()), or a negative errno with err set: as handset_find(), ERROR_UNPLUGGED,
 * ERROR_REFUSED (also while it boots), ERROR_SILENT.
 */
int handset_open(const char *udid, struct inquiry *inquiry, struct handset *ret, struct error *err);
void handset_done(struct handset *handset);

/*
 * What answers at the phone's lockdown port: MODE_NORMAL (lockdownd) or MODE_RESTORE (restored).
 * inquiry (may be NULL) learns that it answered. Returns 0, or a negative errno with err set.
 */
int handset_type(const struct handset *handset, struct inquiry *inquiry, enum mode *ret,
		 struct error *err);

/* What lockdownd's code (never success) means here: a connection that broke may mean that the phone
 * left, or usbmuxd. Returns the negative errno of error_set(). */
int handset_failed(const char *udid, int code, struct error *err);

/*
 * Adds what lockdownd's dictionary of values says of the phone to the identity (README.md), after a
 * look at whose it is. Returns 0, or a negative errno with err set.
 */
int handset_identity(plist_t values, const char *udid, sd_json_variant **identity,
		     struct error *err);
