/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The knobs of trust, lockdownd, TLS and the start of services: part of the scenario. Zeroed memory
 * is a polite modern phone without a passcode that asks its user before it trusts a computer. (A
 * lockdownd that answers late, or with another error, is a fault: fault.h's delay and error.)
 */
#pragma once

#include <stdint.h>

enum trust_rule {
	TRUST_ASKING,       /* the dialog comes with the first Pair and waits for the hand */
	TRUST_NEVER,        /* the same, but the screen takes no tap */
	TRUST_DENIED,       /* "Don't Trust" was tapped, whoever asks */
	TRUST_LOCKED,       /* a passcode must be typed first */
	TRUST_ESCROW,       /* and was never typed since the boot */
	TRUST_FMIP,         /* lost mode */
	TRUST_MC,           /* supervised: pairing is forbidden */
	TRUST_MC_CHALLENGE, /* supervised: the supervisor's signature is wanted */
	TRUST_SILENT,       /* Setup Assistant: trusts everybody */
	TRUST_NO_DIALOG,    /* as asking, but the dialog never comes to the screen */
};

enum tls_rule {
	TLS_NORMAL,
	TLS_CLOSE,        /* the connection ends at the host's hello */
	TLS_ALERT,        /* fatal alert instead of a handshake */
	TLS_NO_HANDSHAKE, /* the hello is swallowed */
	TLS_OTHER_CA,     /* no certificate of the host is good enough */
	TLS_WRONG_CERT,   /* the phone shows an expired certificate of another key */
	TLS_MAX_1_0,
	TLS_MAX_1_2,
	TLS_NEWER,   /* the alert of a phone that speaks none of the versions offered */
	TLS_GARBAGE, /* random bytes instead of its hello */
};

enum reply_rule {
	REPLY_NORMAL,
	REPLY_NONE,          /* requests are read and not answered */
	REPLY_WRONG_REQUEST, /* the reply names another request */
	REPLY_BINARY,        /* binary property lists */
	REPLY_SPLIT,         /* byte by byte */
	REPLY_LONG,          /* more than 64 KiB */
	/* a phone that means harm, lockdown_evil.c */
	REPLY_OVERSIZE,    /* the length says 4 GiB */
	REPLY_PROMISE,     /* the length says 16 MiB - 1; only the reply follows */
	REPLY_EMPTY,       /* the length says 0 */
	REPLY_TRUNCATED,   /* half a property list, and the length of that half */
	REPLY_NOT_PLIST,   /* random bytes */
	REPLY_ARRAY,       /* the dictionary inside an array */
	REPLY_WRONG_TYPES, /* texts are numbers, numbers texts, booleans arrays */
	REPLY_ENDLESS,     /* 16 MiB - 1 are promised, and come byte by byte */
	REPLY_DEEP,        /* arrays inside arrays, some ten thousand */
};

/* What GetValue DevicePublicKey tells: hosts make certificates for it. */
enum device_key_rule {
	DEVICE_KEY_NORMAL,
	DEVICE_KEY_GARBAGE,    /* PEM's first and last line, and no key between them */
	DEVICE_KEY_EMPTY,      /* no bytes */
	DEVICE_KEY_WRONG_TYPE, /* a dictionary */
	DEVICE_KEY_HUGE,       /* a million bytes */
};

/* The EscrowBag of a Pair that succeeds. */
enum escrow_bag_rule {
	ESCROW_BAG_NORMAL,
	ESCROW_BAG_MISSING,
	ESCROW_BAG_WRONG_TYPE, /* a number */
	ESCROW_BAG_HUGE,       /* a million bytes */
};

enum service_rule {
	SERVICE_NORMAL,
	SERVICE_SSL_MISSING, /* the reply does not say that the service wants TLS */
	SERVICE_WRONG_PORT,  /* nobody listens on the port of the reply */
	SERVICE_CLOSE,       /* the connection is closed at once */
	SERVICE_TLS_FAILS,   /* the service's TLS ends in an alert */
};

struct lockdown_knobs {
	/* trust */
	bool passcode;           /* set, and typed already */
	uint64_t trust_after_ms; /* the user taps Trust that long after the dialog came; 0: never */
	uint64_t dialog_delay_ms;   /* from Pair to the dialog */
	bool reconnect_after_trust; /* leaves the bus and comes back after a Pair that succeeded */
	uint64_t forgets_host;      /* after that many sessions; 0: never */
	uint64_t forget_after_ms;   /* after each Pair that succeeded; 0: never */
	bool stale_record;          /* knows no HostID, whoever comes */
	bool buid_mismatch;         /* believes in another SystemBUID */
	bool record_save_fail;      /* its disk takes no pair record */
	bool missing_pair_record;   /* StartSession: MissingPairRecord */

	enum tls_rule tls;
	enum reply_rule reply;
	char reply_to[64]; /* only to this "Request" or "Request/Key"; empty: to all */
	enum device_key_rule device_key;
	enum escrow_bag_rule escrow_bag;

	/* services */
	enum service_rule service;
	char service_fail[96];  /* "NAME ERROR": the answer to StartService of that name */
	uint64_t service_limit; /* connections at once; 0: no limit */

	/* values */
	bool has_sidp;       /* then idevicerestore wants the preboard service for an update */
	bool unactivated;    /* ActivationState */
	char activation[32]; /* the same in its own words, if not empty */
	bool supervised;     /* DeviceIsChaperoned, although it trusts */
	uint64_t name_bytes; /* DeviceName, repeated to that length; 0: once */
	uint64_t clock_s;    /* seconds since 1970 at the start; 0: the real clock */
};
