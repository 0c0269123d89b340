/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * iBoot in recovery mode: commands on EP0, the environment in RAM and in NVRAM, uploads on pipe 4.
 *
 *   NVRAM ──boot──▶ RAM environment ──saveenv──▶ NVRAM        setenv changes RAM only
 *
 * Invariants: NVRAM lives as long as the phone; RAM, upload and stage only until iBoot is left.
 */
#pragma once

#include <openssl/evp.h>

#include "usbdev.h"

struct phone;

enum {
	ENV_VARIABLES = 64,
	ENV_NAME_BYTES = 64,
	ENV_VALUE_BYTES = 256,
};

struct env {
	unsigned count;
	struct {
		char name[ENV_NAME_BYTES];
		char value[ENV_VALUE_BYTES];
	} variables[ENV_VARIABLES];
};

/* NULL if unset. */
const char *env_get(const struct env *env, const char *name);
/* -ENOSPC if it does not fit; an empty value unsets. */
int env_set(struct env *env, const char *name, const char *value);

struct recovery {
	struct phone *phone; /* owner */
	struct env nvram;
	struct env ram;
	char answer[ENV_VALUE_BYTES]; /* what the next C0 00 reads */
	EVP_MD_CTX *hash;             /* of the upload under way */
	uint64_t uploaded;            /* its bytes; 0: none */
	unsigned stage;               /* 1: iBoot or iBSS, 2: iBEC */
	unsigned next_stage;          /* of the recovery that `go` starts */
};

void recovery_init(struct recovery *r, struct phone *phone);
void recovery_done(struct recovery *r);

/* iBoot comes up. */
void recovery_boot(struct recovery *r);

/* Whether a boot of the phone goes on into the system (NVRAM auto-boot). */
bool recovery_auto_boot(const struct recovery *r);
/* What EnterRecovery and a restore write. */
void recovery_set_auto_boot(struct recovery *r, bool on);

enum usb_reply recovery_control(void *user, const struct usb_setup *setup, const uint8_t *out,
				struct buf *in);
enum usb_reply recovery_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len);
