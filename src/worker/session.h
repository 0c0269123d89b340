/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Does the phone trust this computer? Asked with the record that usbmuxd keeps of it: a session is
 * opened and read from. Never pairs, never raises a dialog (README.md, "trust").
 */
#include "worker/handset.h"
#include "worker/pair_record.h"
#include "worker/trust_word.h"

struct session {
	struct handset handset; /* in the session while trusted */
	enum trust_word trust;
	bool record;               /* this computer holds one */
	bool record_broken;        /* and it is none that a session can be tried with */
	const char *detail;        /* a word of README.md, static; NULL none */
	struct error reason;       /* why it is not trusted; kind none when it is */
	sd_json_variant *identity; /* owned; what the phone told */
};

/* A record as usbmuxd gave it. */
struct record_bytes {
	char *data; /* owned */
	uint32_t size;
	struct pair_record judged;
};

static inline void record_bytes_done(struct record_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct record_bytes){};
}

/* Is there a record? Returns 1; 0 for none; or a negative errno with err set. ret may be NULL;
 * record_bytes_done() ends it. */
int record_read(const char *udid, struct record_bytes *ret, struct error *err);

/*
 * Has usbmuxd delete the record and reads back that it is gone. Returns 1 if one was there, 0 if
 * none was, or a negative errno with err set.
 */
int record_forget(const char *udid, struct error *err);

/*
 * Asks. inquiry (may be NULL) learns how far it came. Returns 0 when there is an answer, also a
 * refusal (the caller ends it with session_done()); a negative errno with err set when there is
 * none: silence, the cable, usbmuxd.
 */
int session_open(const char *udid, struct inquiry *inquiry, struct session *ret, struct error *err);
/* As session_open(), on a connection on which lockdownd has answered. It is taken, whatever the
 * outcome. */
int session_open_on(struct handset *handset, struct inquiry *inquiry, struct session *ret,
		    struct error *err);
void session_done(struct session *session);

/* Makes an error of a session that is not trusted. Returns its negative errno. */
int session_refused(const struct session *session, struct error *err);
