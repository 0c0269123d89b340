/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The table of phones. Ids and names of boards: libirecovery's device list. Boot ROM tags and
 * flags: serial strings of real phones as published in issue trackers; rows whose tag was never
 * seen on a real phone say so (srtg_seen).
 */
#pragma once

#include <stdint.h>

enum body { BODY_PHONE, BODY_KEYBOARD, BODY_DISK };

struct model {
	const char *product; /* iPhone14,5 */
	const char *board;   /* d17ap */
	const char *kind;    /* USB product string and DeviceClass: iPhone, iPad, iPod */
	const char *name;    /* as libirecovery names it */
	uint16_t usb_pid;    /* normal mode */
	uint16_t cpid;
	uint8_t bdid;
	uint8_t cprv;
	const char *srtg;    /* boot ROM */
	bool srtg_seen;      /* on a real phone, in public */
	const char *version; /* a system it runs, and its build */
	const char *build;
	const char *iboot; /* that system's iBoot */
};

const struct model *model_find(const char *product);
const struct model *models_all(unsigned *ret_count);

/* A12 and later: the 24-character UDID made of chip id and ECID. */
bool model_has_short_udid(const struct model *m);

/* Bytes of the ApNonce: 20 up to A9, 32 from A10. */
unsigned model_nonce_bytes(const struct model *m);

/* A14 and later tell their security domain in the boot ROM too; iBoot tells it on every phone from
 * A10 on. */
bool model_has_sdom(const struct model *m, bool in_rom);

/* A16 and later carry a SIKA field. */
bool model_has_sika(const struct model *m);

/* IBFL as boot ROM or iBoot tells it. */
uint8_t model_ibfl(const struct model *m, bool in_rom);
