/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a simulated phone is and how it behaves at the start: `key = value` lines of a file, the
 * command line
 * (--set KEY=VALUE) and the control socket (set KEY VALUE) write the same struct through the same
 * table of keys. The file format is described in README.md.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "model.h"

enum mode {
	MODE_NORMAL,
	MODE_RECOVERY,
	MODE_DFU,
	MODE_WTF,
	MODE_RESTORE,
	MODE_PORT_DFU,
	MODE_DEBUG_USB,
};

enum trust {
	TRUST_ASKING, /* the dialog stands on the screen */
	TRUST_DENIED, /* "Don't trust" was tapped */
	TRUST_LOCKED, /* a passcode must be typed first */
};

enum dfu_image { DFU_IMAGE_ACCEPT, DFU_IMAGE_REJECT };
enum nonce_rule { NONCE_FRESH, NONCE_FIXED };
enum getenv_rule { GETENV_ANSWER, GETENV_STALL };
enum enter_recovery { ENTER_RECOVERY_PLAIN, ENTER_RECOVERY_SESSION };
enum usb_speed { SPEED_HIGH, SPEED_FULL };

struct scenario {
	const struct model *model;
	enum body body;
	enum mode mode;
	bool plugged;
	uint64_t seed;
	uint64_t unit; /* tells phones of one scenario apart: moves ECID, serial and UDID */

	/* identity; an empty text means: made from the model and the unit */
	uint64_t ecid;
	char serial[32];
	char udid[48];
	char imei[24];
	char name[64];  /* the user's name for it */
	char pwned[32]; /* PWND:[…] of exploit tools, in DFU */
	char version[16];
	char build[16];

	/* USB */
	enum usb_speed speed;
	bool usb_serial_set;
	char usb_serial[512];    /* instead of the serial string of any mode, if usb_serial_set */
	uint64_t usb_product_id; /* instead of the mode's, if not 0 */

	/* time, in ms before scaling */
	uint64_t gap_ms;             /* between leaving the bus and boot ROM or iBoot coming up */
	uint64_t boot_ms;            /* same for the whole system */
	uint64_t time_scale_percent; /* 100: as a real phone */

	/* knobs */
	enum trust trust;
	enum dfu_image dfu_image;
	enum nonce_rule nonce;
	enum getenv_rule getenv;
	enum enter_recovery enter_recovery;
};

void scenario_init(struct scenario *s);

/*
 * Sets one key. On failure returns -EINVAL and writes why into @why (of @why_bytes). `include` is
 * not a key here.
 */
int scenario_set(struct scenario *s, const char *key, const char *value, char *why,
		 size_t why_bytes);

/* Reads a file; `include = NAME` reads another of the same folder first. Errors as scenario_set().
 */
int scenario_read(struct scenario *s, const char *path, char *why, size_t why_bytes);

/* One line for each key, for --help. */
void scenario_print_keys(FILE *out);

const char *body_name(enum body body);
const char *mode_name(enum mode mode);
/* -EINVAL if there is no such mode. */
int mode_parse(const char *name, enum mode *ret_mode);
