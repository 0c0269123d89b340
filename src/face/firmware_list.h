/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * `firmware list`: which firmware there is for a phone or a product. What was asked of whom, and
 * how it is told; command_firmware_list.c asks, firmware_list_text.c tells.
 */
#include "doctor/firmware.h"
#include "doctor/signing.h"
#include "face/command.h"
#include <systemd/sd-json.h>

struct firmware_row {
	struct firmware firmware; /* as the catalogue tells it; path: where it lies here, "" not */
	struct signing signing;   /* SIGN_NOT_ASKED: Apple was not */
};

struct firmware_list {
	const struct command_call *call;
	char product[FIRMWARE_TEXT_BYTES], board[FIRMWARE_TEXT_BYTES], ecid[FIRMWARE_TEXT_BYTES];
	char phone[FIRMWARE_TEXT_BYTES]; /* its key; "" a product was asked for */
	sd_json_variant *result;         /* of the worker catalogue; owned */
	sd_json_variant *cache;          /* of the service: what is kept; NULL not known; owned */
	struct firmware_row *rows;       /* newest first; owned */
	size_t count;
};

/* Without --all: the newest, what is signed or said to be, and what lies here. */
bool firmware_row_counts(const struct firmware_list *list, size_t row);

/* Both write to standard output. Return 0 or a negative errno. */
int firmware_list_write(const struct firmware_list *list);
int firmware_list_json(const struct firmware_list *list, sd_json_variant **ret);
