/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the console knows: the service's snapshot, kept up to date by its events. No terminal, no
 * clock, no I/O.
 */
#include "base/error.h"
#include "face/console_jobs.h"
#include "facts/facts.h"
#include "phone/phone.h"
#include <systemd/sd-json.h>

enum console_link {
	CONSOLE_LINK_WAITING, /* no answer yet */
	CONSOLE_LINK_UP,
	CONSOLE_LINK_LOST, /* the service cannot be reached: the watch tries again */
	CONSOLE_LINK_MAX,
};

struct console_phone {
	unsigned tag; /* the console's number of this handset, never reused; survives a change of
			 its key, unplugging, and a restart of the service */
	bool left;    /* not plugged in now; kept while somebody reads about it */
	bool due;     /* something was reported since its findings were asked for */
	sd_json_variant *object;   /* owned: the interface's type Phone, as it was last reported */
	sd_json_variant *findings; /* owned: array of Finding, worst first; NULL not known yet */
};

struct console_model;

int console_model_new(struct console_model **ret);
struct console_model *console_model_free(struct console_model *model); /* NULL is fine */
static inline void console_model_freep(struct console_model **p)
{
	console_model_free(*p);
}

/*
 * Takes in an event of the service (interface: type Event). Kinds that we do not know are skipped.
 * Returns 1 if something may look different now, 0 if not, -EBADMSG for an event that lacks what
 * its kind promises (nothing changed), -ENOMEM.
 */
int console_model_event(struct console_model *model, sd_json_variant *event);

/* The service cannot be reached: phones are not shown any more, but known when they come back. */
void console_model_lost(struct console_model *model, const struct error *err);

/* What a call was answered with: a job, and the findings of the phone with this tag (NULL: they
 * could not be asked for; the old ones stay). As console_model_event(). */
int console_model_job(struct console_model *model, sd_json_variant *job);
int console_model_findings(struct console_model *model, unsigned tag, sd_json_variant *findings);
/* They are being asked for. */
void console_model_asked(struct console_model *model, unsigned tag);

/* Forgets phones that left, except the one with the tag `keep`. */
void console_model_forget(struct console_model *model, unsigned keep);

enum console_link console_model_link(const struct console_model *model);
const char *console_model_reason(const struct console_model *model); /* of the loss, "" unknown */
bool console_model_is_test(const struct console_model *model);
bool console_model_has_mux(const struct console_model *model);

const struct console_jobs *console_model_jobs(const struct console_model *model);
/* The job that has the phone, else the last one that it had; NULL none. */
sd_json_variant *console_model_job_of(const struct console_model *model,
				      const struct console_phone *phone);

/* Phones that are plugged in, in the order of their ports; NULL beyond the end. Borrowed until the
 * model changes, here and below. */
size_t console_model_count(const struct console_model *model);
const struct console_phone *console_model_at(const struct console_model *model, size_t index);
/* Also one that left; NULL if none. */
const struct console_phone *console_model_find(const struct console_model *model, unsigned tag);
/* Index among the phones that are plugged in, SIZE_MAX if it is not. */
size_t console_model_index(const struct console_model *model, unsigned tag);

/* A field of the phone: its text or "", its number or 0, its truth or false. */
const char *console_phone_text(const struct console_phone *phone, const char *field);
int64_t console_phone_number(const struct console_phone *phone, const char *field);
bool console_phone_is(const struct console_phone *phone, const char *field);

enum mode console_phone_mode(const struct console_phone *phone);
enum presence console_phone_presence(const struct console_phone *phone);
/* Owner's name, else the model's, else ProductType, else a word for "some phone". */
const char *console_phone_label(const struct console_phone *phone);
/* Row of the facts, NULL unknown. */
const struct model *console_phone_model(const struct console_phone *phone);
/* Last four characters of the serial number, else of the ECID; "" if neither is known. */
const char *console_phone_last4(const struct console_phone *phone);
