/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What a simulated phone is and how it behaves at the start: `key = value` lines of a file, the
 * command line (--set KEY=VALUE) and the control socket (set KEY VALUE) write the same struct
 * through the same table of keys. The file format is described in README.md.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "env.h"
#include "fault.h"
#include "lockdown_knobs.h"
#include "model.h"
#include "mux_knobs.h"
#include "restore/restore_knobs.h"
#include "services/mobilebackup2.h"
#include "usb_knobs.h"

enum mode {
	MODE_NORMAL,
	MODE_RECOVERY,
	MODE_DFU,
	MODE_WTF,
	MODE_RESTORE,
	MODE_PORT_DFU,
	MODE_DEBUG_USB,
};

enum dfu_image { DFU_IMAGE_ACCEPT, DFU_IMAGE_REJECT };
enum nonce_rule { NONCE_FRESH, NONCE_FIXED, NONCE_ZERO };
/* Real phones keep it (logs in idevicerestore issues 103 and 148). */
enum ibss_nonce { IBSS_NONCE_KEPT, IBSS_NONCE_FRESH };
enum firmware_check { FIRMWARE_CHECK_STRICT, FIRMWARE_CHECK_NONE };

/* What is wrong with the boot ROM. */
enum dfu_trouble {
	DFU_TROUBLE_NONE,
	DFU_STATE_IS_ERROR,   /* in ERROR from the start, until CLRSTATUS */
	DFU_STATE_IS_WRONG,   /* never IDLE: reports DNLOAD-SYNC for it */
	DFU_NEVER_STATE_5,    /* blocks are never done: reports DNBUSY for DNLOAD-IDLE */
	DFU_NO_RESET,         /* does not notice the bus reset */
	DFU_IGNORES_MANIFEST, /* forgets the image when it is complete */
	DFU_STAYS,            /* takes the image, and is a boot ROM in DFU again */
};

enum upload_rule {
	UPLOAD_TAKE,
	UPLOAD_SHORT,   /* the last piece is lost */
	UPLOAD_IGNORED, /* nothing arrives */
};

enum reboot_rule { REBOOT_LEAVES, REBOOT_IGNORED };
enum getenv_rule { GETENV_ANSWER, GETENV_STALL };
/* Without a session: refused since iOS 14.5 (libimobiledevice issues 1121 and 1175). */
enum enter_recovery { ENTER_RECOVERY_PLAIN, ENTER_RECOVERY_SESSION, ENTER_RECOVERY_RELEASE };
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

	/* the truth about the file the host is to restore: components and system image are
	 * compared with it. Empty: nothing can be restored. */
	char ipsw[512];
	char ticket_key[512]; /* PEM: public key of the signing server */

	struct fault_rules faults;
	struct usb_knobs usb_knobs;
	struct mux_knobs mux_knobs;

	/* what is in it */
	uint64_t disk_bytes;      /* the user may fill */
	uint64_t disk_free_bytes; /* of them, at the start; 0: what the files leave */
	uint64_t battery_percent, battery_health_percent, battery_cycles;
	char afc_unreadable[256]; /* a file whose second half cannot be read */
	bool afc_locked;          /* another host holds the lock of a sync */
	uint64_t afc_busy;        /* so often it is asked for in vain */

	/* knobs */
	enum trust_rule trust;
	struct lockdown_knobs lockdown;
	struct restore_knobs restore;
	struct backup_knobs backup;
	enum dfu_image dfu_image;
	enum dfu_trouble dfu_trouble;
	uint64_t dfu_poll_ms; /* pollTimeout after each block */
	enum firmware_check firmware_check;
	enum nonce_rule nonce;
	uint64_t nonce_bytes; /* of the ApNonce, 20 or 32; 0: the model's */
	enum ibss_nonce ibss_nonce;
	enum upload_rule upload;
	enum reboot_rule reboot;
	bool recovery_loop;         /* no boot of the system comes to its end, until a restore */
	uint64_t recovery_again_ms; /* then iBoot tries again by itself; 0: never */
	uint64_t recovery_ecid;     /* shown by recovery instead, if not 0 */
	struct env env;             /* changes to iBoot's environment at each of its boots */
	enum getenv_rule getenv;
	enum enter_recovery enter_recovery;

	/* what only usbmuxd's socket can say (0: nothing of it) */
	uint64_t mux_connect_delay_ms, visible_delay_ms;
	uint64_t mux_result;      /* of every Connect */
	uint64_t mux_save_result; /* of every SavePairRecord, an errno */
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
