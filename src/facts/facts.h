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
	unsigned year;     /* first sold */
	unsigned usb_mbps; /* the most its port does in normal mode: 480, 5000, 10000 */
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
	TIMING_TRUST_CHECK,   /* a check of trust may take so long */
	TIMING_TRUST_AGAIN,   /* a check is repeated so long after the phone said that it is locked
				 or asks; then ever more slowly … */
	TIMING_TRUST_AGAIN_MOST, /* … up to this */
	TIMING_DIALOG,           /* what a phone asks on its screen is asked anew after so long */
	TIMING_PLAN,             /* finding a firmware and reading its manifest may take so long */
	TIMING_CONSENT,          /* a consent is valid for so long */
	TIMING_PHONE_BACK,       /* a job waits so long for a phone that was pulled out */
	TIMING_PROGRESS,         /* at most one report of progress in so long */
	TIMING_HOST_LOOK,        /* looking at this computer's own disks may take so long */
	TIMING_HOST_MOVE,        /* and moving records on one of them */
	TIMING_DATA,             /* making the data partition may take so long */
	TIMING_DISK,             /* looking at the disks and mounting or unmounting one */
	TIMING_MAX,
};
unsigned timing_ms(enum timing timing);

/* Versions of iOS at which something changes for us; rows of thresholds.tsv. */
enum threshold {
	THRESHOLD_IOS_NEWEST,  /* what our libraries were made for */
	THRESHOLD_IOS_TLS_OLD, /* before it, a phone speaks no TLS that is of today */
	THRESHOLD_MAX,
};
struct threshold_fact {
	enum threshold threshold;
	const char *id;
	unsigned value; /* the major version */
	const char *reason;
	enum tried tried;
	const char *source;
};
const struct threshold_fact *threshold_fact(enum threshold threshold);

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
/* All rows, *ret_count of them, sorted by id. */
const struct message *message_all(size_t *ret_count);

/* What happened and what to do next, for any kind but ERROR_NONE (which gives NULL): the row
 * "error-" + error_kind_name(). */
const struct message *message_for_error(enum error_kind kind);

/*
 * The message's text with every {key} replaced by its value. keys_values: key, value, …, NULL.
 * Result is allocated (the caller frees), NULL only without memory. A place without a value stays
 * visible as it is.
 */
char *message_format(const char *id, ...) __attribute__((sentinel));

/* --- what is wrong, what can be done, what it costs (the doctor's tables) ----------------------
 */

/* What becomes of the data on the phone. */
enum data {
	DATA_KEPT,    /* nothing is touched */
	DATA_AT_RISK, /* is to stay, but what goes wrong half-way may cost it */
	DATA_ERASED,  /* gone for good */
	DATA_MAX,
};
const char *data_name(enum data data); /* "kept", "at-risk", "erased" */

/* What a person wants; rows of goals.tsv. */
enum goal {
	GOAL_TRUST,       /* forget this computer's record of the phone and pair anew */
	GOAL_TRUST_STORE, /* the same with all records of this computer */
	GOAL_REPAIR,      /* the ladder: mildest rung first, until the phone trusts this computer */
	GOAL_FORGET,      /* phone and computer forget each other */
	GOAL_PROVE,       /* change nothing, prove that the phone can be used from here */
	GOAL_LINK_TEST,   /* other cable, other port: what changes */
	GOAL_RESTART,
	GOAL_ENTER_RECOVERY,
	GOAL_EXIT_RECOVERY,
	GOAL_FIRMWARE, /* download the newest firmware for this phone, change nothing on it */
	GOAL_UPDATE,   /* install iOS anew, keep the data */
	GOAL_ERASE,    /* install iOS anew, erase everything */
	GOAL_MAX,
};
struct goal_fact {
	enum goal goal;
	const char *id;    /* "update", as in JSON and on the command line */
	const char *label; /* "Install iOS again, keeping the data" */
	const char *lost;  /* what is lost, one sentence; "Nothing is lost." if so */
	enum data data;    /* worst of its steps */
	bool firmware;     /* it needs a firmware file */
	enum tried tried;
	const char *source;
};
const struct goal_fact *goal_fact(enum goal goal);
const char *goal_name(enum goal goal);
enum goal goal_from_name(const char *name); /* GOAL_MAX if it is none of ours */

/* What a job is made of; rows of steps.tsv. */
enum step_kind {
	STEP_FORGET_RECORD, /* this computer's record of the phone is deleted */
	STEP_FORGET_STORE,  /* all records of this computer and its identity */
	STEP_PAIR, /* wait until the phone trusts this computer; the person unlocks, taps Trust */
	STEP_VERIFY_TRUST, /* a second connection without a dialog; name, capacity, serial, media
			      folder */
	STEP_RESTART,
	STEP_ENTER_RECOVERY, /* by the phone's own service, else by its buttons */
	STEP_EXIT_RECOVERY,
	STEP_AWAIT_NORMAL,  /* wait until it runs iOS and usbmuxd lists it */
	STEP_CATALOGUE,     /* find the firmware */
	STEP_NETWORK,       /* the servers that this plan needs can be reached, and are Apple's */
	STEP_MAKE_ROOM,     /* the files that the plan names leave the cache */
	STEP_FETCH,         /* download it, or find it whole in the cache */
	STEP_SIGN,          /* Apple is asked whether it signs it for this very phone */
	STEP_CHECK,         /* it is whole, for this board, and has this variant */
	STEP_UPDATE,        /* the engine, variant that keeps the data */
	STEP_ERASE,         /* the engine, variant that erases */
	STEP_VERIFY_SYSTEM, /* the phone runs the build that was installed */
	STEP_LOOK,          /* trust as it is now, without a dialog */
	STEP_RESTART_MUX,   /* usbmuxd starts anew; all phones of this computer leave it for that */
	STEP_UNPAIR,        /* in a session: the phone forgets this computer, and we it */
	STEP_RESET_PRIVACY, /* the three resets are done by the person, in the phone's settings */
	STEP_RESET_NETWORK,
	STEP_RESET_SETTINGS,
	STEP_SWAP_CABLE,    /* the person takes another cable; the link is measured before and after
			     */
	STEP_SWAP_PORT,     /* the same with another port */
	STEP_REPLUG,        /* the person unplugs the phone and plugs it in again */
	STEP_VERIFY_BACKUP, /* a small real backup comes from the phone */
	STEP_KIND_MAX,
};
struct step_fact {
	enum step_kind step_kind;
	const char *id;       /* "verify-trust" */
	const char *label;    /* "Check that the phone trusts this computer" */
	const char *guidance; /* what the person is to do meanwhile; "-" nothing */
	enum data data;
	bool cancel;        /* the person may cancel while it runs (update and erase: only until
			       the engine touches the phone, the worker says when) */
	bool phone;         /* needs the phone on the bus when it begins */
	unsigned attempts;  /* how often at most, when it fails in a way that may pass */
	unsigned silence_s; /* no news from it for so long: it failed */
	unsigned total_s;   /* and so long in all */
	enum tried tried;
	const char *source;
};
const struct step_fact *step_fact(enum step_kind kind);
const char *step_name(enum step_kind kind);
enum step_kind step_from_name(const char *name); /* STEP_KIND_MAX if it is none of ours */

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_PROBLEM, SEVERITY_MAX };
const char *severity_name(enum severity severity);

/* Something wrong with a phone or worth knowing; rows of findings.tsv, condition in doctor/. */
struct finding_fact {
	const char *id; /* "trust-stale" */
	enum severity severity;
	const char *title;   /* "The phone does not know this computer any more" */
	const char *meaning; /* why, and what it means; one paragraph */
	const char *next;    /* what to do next; one paragraph, may hold {phone} */
	const char *cost;    /* what that costs: "Nothing is lost." */
	const char *doubt;   /* what else looks the same, and what would tell them apart; "-" none
			      */
	const char *command; /* the command that does it: "trust reset {phone}", "-" none */
	const char *codes;   /* codes that it corresponds to: "0xe800001c InvalidHostID", "-" none;
				numbers or names of codes.tsv */
	enum tried tried;
	const char *source;
};
const struct finding_fact *finding_find(const char *id); /* NULL if none */
const struct finding_fact *finding_all(size_t *ret_count);

/* How far a hint goes, in ladder order: the mildest first. */
enum rung {
	RUNG_LINK,     /* cable, port, power, what the phone's screen asks */
	RUNG_TRUST,    /* records of trust: on this computer, then on the phone */
	RUNG_RESTART,  /* of the phone, of programs, of a computer */
	RUNG_COMPUTER, /* another computer's driver, service, security software, clock */
	RUNG_BACKUP,   /* save what there is, before anything that may cost it */
	RUNG_RECOVERY, /* into recovery: nothing is erased by that itself */
	RUNG_UPDATE,   /* other software on the phone, the data is meant to stay */
	RUNG_ERASE,    /* the data is gone for good */
	RUNG_PROVE,    /* is it healthy now? */
	RUNG_PREVENTION,
	RUNG_MAX,
};
const char *rung_name(enum rung rung); /* "link", "trust", ... */

/* Where a hint is followed. */
enum place {
	PLACE_ANY, /* on whatever computer the phone is plugged into */
	PLACE_PHONE,
	PLACE_THIS, /* the rescue stick */
	PLACE_WINDOWS,
	PLACE_MACOS,
	PLACE_LINUX,
	PLACE_MAX,
};
const char *place_name(enum place place);     /* "any", "phone", "this", "windows", ... */
enum place place_from_name(const char *name); /* PLACE_MAX if it is none of ours */

/* One thing a person can do, and what it costs; rows of hints.tsv. */
struct hint_fact {
	const char *id; /* "reset-location-privacy" */
	enum rung rung;
	const char *finds; /* ids of the findings that lead to it, by spaces; "-" none */
	const char *text;  /* what to do and why */
	const char *keeps; /* what stays: "Photos, apps, accounts and settings stay." */
	const char *loses; /* what is lost: "Nothing is lost." */
	const char *since; /* least versions that it needs: "iOS 15", "Windows 10"; "-" none */
	enum place system; /* where it is done */
	const char *menu;  /* the way there by version, see hint_menu(); "-" none */
	bool prevention;   /* it also keeps the trouble from coming back */
	enum tried tried;
	const char *source;
};
const struct hint_fact *hint_find(const char *id); /* NULL if none */
/* All rows, *ret_count of them, in ladder order (rungs; within one as the table has them). */
const struct hint_fact *hint_all(size_t *ret_count);
/* The hints of a finding or of a kind of computer (its own rows only, not those of "any"), in
 * ladder order: at counts from 0; NULL behind the last one. */
const struct hint_fact *hint_of_finding(const char *finding, size_t at);
const struct hint_fact *hint_of_place(enum place place, size_t at);
/* The way through the menus for this major version of the system ("iOS 15 and later: ... | before
 * iOS 15: ..."), without the words about versions; major 0: the whole text. False and "" if the
 * hint has no menu for it. A text that does not fit is cut. */
bool hint_menu(const struct hint_fact *hint, unsigned major, char *ret_path, size_t size);

/* How sure a mapping from a code to its cause is. */
enum confidence { CONFIDENCE_CERTAIN, CONFIDENCE_LIKELY, CONFIDENCE_POSSIBLE, CONFIDENCE_MAX };
const char *confidence_name(enum confidence confidence);

/* A number or name that a person met somewhere; rows of codes.tsv. One number may have several. */
struct code_fact {
	const char
	    *scheme; /* "itunes", "mobile-device" (0xe80000..), "lockdownd", "tss", "engine" … */
	int64_t value, last; /* as the scheme writes it: 4013, -18, 0xe8000013 (positive); last is
				the same, but for a row of a range that has no row for each number
			      */
	const char *name;    /* "kAMDInvalidResponseError", "UserDeniedPairing"; "-" none */
	const char *layer;   /* usb, usbmuxd, pairing, network, tss, ipsw, recovery, dfu, restore,
				baseband, hardware, disk, activation, tool */
	enum confidence confidence;
	const char *cause; /* rows of one cause share it: "invalid-host-id" */
	const char *same; /* codes that say the same in another world, "lockdownd:-5 lockdownd:-10";
			     goes both ways; "-" none */
	const char *meaning; /* what it means in own words */
	const char *next;    /* what to do */
	enum tried tried;
	const char *source;
};
const struct code_fact *code_all(size_t *ret_count);
/* The first row that a word of finding_fact.codes names, by its name or as its scheme writes its
 * value; NULL if none. */
const struct code_fact *code_of_word(const char *word);

/* How far the engine has come; rows of engine_steps.tsv. */
struct engine_step {
	unsigned number;   /* N of "progress: N fraction" */
	const char *id;    /* "upload-system" */
	const char *label; /* "Sending iOS to the phone" */
	enum tried tried;
	const char *source;
};
const struct engine_step *engine_step(unsigned number); /* NULL beyond the table */
const struct engine_step *engine_step_all(size_t *ret_count);

/* What a line of the engine means; rows of engine_rules.tsv, the first that fits is the verdict. */
struct engine_rule {
	const char *id;      /* "engine-no-device" */
	const char *pattern; /* a part of the line, as it stands there; case counts */
	enum error_kind kind;
	bool again;        /* the same again may work (cable, timing) */
	const char *layer; /* as of code_fact */
	const char *text;  /* what happened, one line for people */
	const char *next;  /* what to do */
	enum tried tried;
	const char *source;
};
const struct engine_rule *engine_rule_all(size_t *ret_count);

/* What a line of a log says that came from anywhere; the later the stronger. */
enum log_kind {
	LOG_NOISE,   /* it looks bad and is not: no other rule sees the line */
	LOG_SIGN,    /* nothing alone; other rules ask for it */
	LOG_HINT,    /* it speaks of something and of failure: told if there is nothing else */
	LOG_SYMPTOM, /* something failed, why is elsewhere */
	LOG_CAUSE,   /* why it failed */
	LOG_ROOT,    /* why the causes are there */
	LOG_KIND_MAX,
};
/* Rows of log_rules.tsv, whose head says what pattern and needs may hold. */
struct log_rule {
	const char *id; /* "mux-not-running" */
	enum log_kind kind;
	const char *pattern;
	const char *needs; /* of other lines: "with:ID unless-later:ID", "-" none */
	const char *layer; /* as of code_fact; "-" for noise and signs, and for a rule that finds a
			      code in the line: then the code's */
	enum confidence confidence;
	const char *cause, *next; /* "-" as for layer */
	enum tried tried;
	const char *source;
};
const struct log_rule *log_rule_all(size_t *ret_count);

const char *family_name(enum family family);    /* "iphone", "ipad", "ipod", "other" */
const char *buttons_name(enum buttons buttons); /* id of its row */
const char *tried_name(enum tried tried);       /* "real", "simulated", "untried" */
