/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Everything we know, from the tables *.tsv of this folder, compiled in by facts/compile.py. Each
 * row names its source and how far it was tried. All pointers are to constants that live as long as
 * the program.
 */
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tried { TRIED_REAL, TRIED_SIMULATED, TRIED_UNTRIED, TRIED_MAX };

/* What a phone runs, as far as USB shows it. */
enum mode {
	MODE_UNKNOWN, /* an Apple device that is no phone we know, or cannot be told */
	MODE_NORMAL,
	MODE_RECOVERY,
	MODE_DFU,
	MODE_WTF,
	MODE_RESTORE, /* same USB id as normal; told apart by its lockdown port */
	MODE_PORT_DFU,
	MODE_DEBUG_USB,
	MODE_MAX,
};

enum family { FAMILY_IPHONE, FAMILY_IPAD, FAMILY_IPOD, FAMILY_OTHER, FAMILY_MAX };

/* Which buttons force a restart, recovery or DFU; rows of buttons.tsv. */
enum buttons {
	BUTTONS_UNKNOWN,
	BUTTONS_HOME_TOP,     /* home button and a top button: old iPhones, iPods and iPads */
	BUTTONS_HOME_SIDE,    /* home button and a side button: iPhone 6, 6s */
	BUTTONS_VOLUME_DOWN,  /* iPhone 7, iPod touch 7 */
	BUTTONS_VOLUME_SIDE,  /* iPhone 8 and later, SE 2 and 3 */
	BUTTONS_IPAD_HOME,    /* iPads with a home button */
	BUTTONS_IPAD_NO_HOME, /* iPads without one */
	BUTTONS_MAX,
};

struct model {
	const char *product; /* "iPhone14,5" */
	const char *board;   /* "d17ap" */
	uint32_t cpid, bdid; /* chip and board id */
	const char *name;    /* "iPhone 13" */
	enum family family;
	enum buttons buttons;
	unsigned year; /* first sold */
	enum tried tried;
	const char *source;
};

/* The model with this chip and board, NULL if none. (CPID, BDID) is unique in the table. */
const struct model *model_by_chip(uint32_t cpid, uint32_t bdid);
/* The first row with this ProductType, exact case; NULL if none. Two boards may share a product
 * (iPhone8,1). */
const struct model *model_by_product(const char *product);
/* The row with this HardwareModel, in any case; NULL if none. */
const struct model *model_by_board(const char *board);
/* All rows, *ret_count of them. */
const struct model *model_all(size_t *ret_count);

struct usb_id {
	uint16_t vid, pid;
	enum mode mode;
	bool phone;       /* false: an Apple accessory or computer; we show nothing of it */
	bool ask;         /* its USB strings do not carry the identity: a worker must ask */
	const char *name; /* for logs: "Recovery mode (iBoot)" */
	enum tried tried;
	const char *source;
};

/* NULL for an id that is not in the table. */
const struct usb_id *usb_id_find(uint16_t vid, uint16_t pid);

struct mode_fact {
	enum mode mode;
	const char *id;    /* "recovery", as in JSON */
	const char *label; /* "Recovery", for the screen */
	const char *text;  /* one sentence of what the person sees and what it means */
	enum tried tried;
	const char *source;
};
const struct mode_fact *mode_fact(enum mode mode); /* never NULL for a valid mode */
const char *mode_name(enum mode mode);             /* mode_fact()->id */
enum mode mode_from_name(const char *name);        /* MODE_UNKNOWN if it is none of ours */

struct iboot_flag {
	uint32_t mask;
	const char *id;
	const char *text;
	enum tried tried;
	const char *source;
};
/* Meanings of IBFL's bits, *ret_count rows. */
const struct iboot_flag *iboot_flag_all(size_t *ret_count);

struct button_fact {
	enum buttons buttons;
	const char *id;
	const char *restart, *recovery, *dfu; /* what the person does, one paragraph each */
	enum tried tried;
	const char *source;
};
const struct button_fact *button_fact(enum buttons buttons);

/* Timings of rows in timings.tsv, in milliseconds. */
enum timing {
	TIMING_SETTLE,        /* no new enumeration for so long: what the phone is, is certain */
	TIMING_FORGET,        /* a phone that left is remembered so long */
	TIMING_PROBE_SILENCE, /* a probe may say nothing for so long */
	TIMING_PROBE_TOTAL,   /* and take so long in all */
	TIMING_MUX_RETRY,     /* after mux-watch ended, start it again in so long */
	TIMING_WORKER_KILL,   /* between asking a worker to end and killing it */
	TIMING_CALL,          /* a face waits so long for the service's answer */
	TIMING_ASK_AGAIN,     /* between two questions to a phone that did not answer */
	TIMING_MAX,
};
unsigned timing_ms(enum timing timing);

/*
 * Texts for people, by stable id (rows of messages.tsv). A message may hold {name} places;
 * message_format() fills them. An id that is not in the table is a bug that lint finds; it is shown
 * itself then.
 */
struct message {
	const char *id;
	const char *text;
	const char *source;
};
const struct message *message_find(const char *id); /* NULL if none */

/* What happened and what to do next, for any kind but ERROR_NONE (which gives NULL): the row
 * "error-" + error_kind_name(). */
const struct message *message_for_error(enum error_kind kind);

/*
 * The message's text with every {key} replaced by its value. keys_values: key, value, …, NULL.
 * Result is allocated (the caller frees), NULL only without memory. A place without a value stays
 * visible as it is.
 */
char *message_format(const char *id, ...) __attribute__((sentinel));

const char *family_name(enum family family);    /* "iphone", "ipad", "ipod", "other" */
const char *buttons_name(enum buttons buttons); /* id of its row */
const char *tried_name(enum tried tried);       /* "real", "simulated", "untried" */
