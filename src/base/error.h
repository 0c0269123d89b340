/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Why a call failed, for a person. Functions return 0 or a negative errno; where somebody must
 * understand the failure, the last parameter `struct error *err` (may be NULL) says more. A finding
 * (something wrong with a phone) is not an error.
 */
#include <stdint.h>

/* What can be done about it. The list is closed: faces and exit codes switch over it. */
enum error_kind {
	ERROR_NONE,
	ERROR_USAGE,       /* the command line or the request is wrong */
	ERROR_NO_PHONE,    /* nothing matches the phone that was named */
	ERROR_AMBIGUOUS,   /* more than one phone matches */
	ERROR_REFUSED,     /* the phone says no */
	ERROR_LOCKED,      /* the phone must be unlocked first */
	ERROR_SILENT,      /* no answer within the limit */
	ERROR_BUSY,        /* somebody else is using it */
	ERROR_UNPLUGGED,   /* the phone left the bus */
	ERROR_NO_CONSENT,  /* data would be erased and nobody typed that it may */
	ERROR_BAD_FILE,    /* a file is damaged or of another kind */
	ERROR_NOT_SIGNED,  /* Apple does not sign this firmware any more */
	ERROR_NO_SPACE,    /* disk full */
	ERROR_NETWORK,     /* a server cannot be reached or does not answer */
	ERROR_NO_SERVICE,  /* the idevicerescue service is not running */
	ERROR_ENGINE,      /* idevicerestore failed */
	ERROR_CANCELLED,   /* stopped by the person */
	ERROR_UNSUPPORTED, /* this model, mode or system cannot do it */
	ERROR_PROTOCOL,    /* the other side sent something that is not allowed */
	ERROR_BUG,         /* our fault */
	ERROR_KIND_MAX,
};

/* Sizes that hold any origin and any line of text we write; longer text is cut at a character. */
enum { ERROR_ORIGIN_BYTES = 32, ERROR_TEXT_BYTES = 256 };

struct error {
	enum error_kind kind;
	char origin[ERROR_ORIGIN_BYTES]; /* who said so: "usbmuxd", "lockdownd", "libirecovery",
					    "kernel", "service" */
	int64_t code;                    /* the origin's own number, 0 if it has none */
	char text[ERROR_TEXT_BYTES];     /* one line, valid UTF-8 */
};

/*
 * Fills err (if not NULL) and returns the negative errno that belongs to kind, for `return
 * error_set(err, …)`. format: one line without full stop.
 */
int error_set(struct error *err, enum error_kind kind, const char *origin, int64_t code,
	      const char *format, ...) __attribute__((format(printf, 5, 6)));

/* As error_set(), but returns -errno_value, which must be positive; its text is added to the line.
 */
int error_set_errno(struct error *err, enum error_kind kind, const char *origin, int errno_value,
		    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Kebab-case name, as in JSON: ERROR_NO_PHONE is "no-phone". Never NULL. */
const char *error_kind_name(enum error_kind kind);

/* The reverse; ERROR_BUG for a name that is not ours. */
enum error_kind error_kind_from_name(const char *name);

/* Exit status that DESIGN §12 documents for the kind. */
int error_exit_status(enum error_kind kind);
