/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The order of a restore as data: what restored does, says and asks for, from StartRestore to the
 * final status.
 *
 * Ids and names of checkpoints and the operations' numbers: logs of real restores in public issue
 * threads (iOS 11 to 26). The order of the late steps differs between releases; times are short.
 */
#pragma once

#include <plist/plist.h>
#include <stdint.h>

#include "firmware.h"

/* What a step does once its time is over. */
enum step_act {
	ACT_NOTHING,
	ACT_CHECK_HOST,  /* the data types that the host must know */
	ACT_ASK,         /* a data request; the restore goes on when the answer is good */
	ACT_PROXY,       /* something from the network, through the host */
	ACT_OLD_LOG,     /* tells of a restore before that failed */
	ACT_ATTEST,      /* RestoreAttestation; the host answers */
	ACT_FORMAT,      /* from here the system is gone; an erase destroys the user's data */
	ACT_BASEBAND,    /* what came of the baseband's update */
	ACT_CRASH,       /* scenario key restored_crash */
	ACT_CLAIM_PARTS, /* the parts' pairing data, over the proxy */
	ACT_FINISH,      /* boots the new system from now on; the final status */
};

enum asked {
	ASKED_NOTHING,
	ASKED_ROOT_TICKET,
	ASKED_NOR,
	ASKED_KERNEL_CACHE,
	ASKED_DEVICE_TREE,
	ASKED_ROOT_HASH,
	ASKED_METADATA,
	ASKED_SYSTEM_IMAGE,
	ASKED_FDR_TRUST,
	ASKED_PREFLIGHT,
	ASKED_FUD,
	ASKED_EAN,
	ASKED_PERSONALIZED,
	ASKED_IDENTITY,
	ASKED_RECEIPT,
	ASKED_UPDATER,
	ASKED_SOURCE_OBJECT,
	ASKED_BOOT_OBJECT,
	ASKED_BASEBAND,
	ASKED_URL,
	ASKED_UNKNOWN, /* a type that hosts of today do not know: nothing is waited for */
};

/* Restores a step belongs to; 0: any. */
enum { ONLY_ERASE = 1, ONLY_UPDATE = 2, ONLY_URL = 4, ALSO_MINIMUM = 8 };

struct step {
	uint16_t checkpoint; /* 0: a further part of the checkpoint before */
	const char *name;
	enum step_act act;
	enum asked asked;
	const char *about;   /* of the request: updater, component or flag */
	uint8_t operation;   /* of ProgressMsg; 0: none */
	bool percent;        /* it tells percentages; else only that it is there */
	uint8_t only;        /* ONLY_… */
	uint8_t ios, ios_to; /* from and up to this major version; 0: any */
	const char *needs;   /* component, or flag (IsFUDFirmware), that the identity must have */
	const char *lacks;   /* and must not have */
	uint8_t port_ios;    /* answered on a DataPort from this major version on; 0: never */
	uint16_t status;     /* StatusMsg's if it fails; 0: 14 */
	uint16_t ms;         /* time it takes, before scaling */
};

/* What decides which steps apply. */
struct step_choice {
	enum install_kind kind;
	unsigned ios;     /* major version that is installed */
	plist_t identity; /* borrowed; NULL: no IPSW */
	bool minimum;     /* only what no host can do without */
	bool url;         /* a URL to ask for was given */
};

const struct step *steps_all(unsigned *ret_count);
bool step_applies(const struct step *s, const struct step_choice *choice);

/* Whether @entry of a manifest has Info/@flag. */
bool manifest_flag(plist_t entry, const char *flag);
