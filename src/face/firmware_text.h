/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What `firmware info` and `firmware check` have found out about a file, for people and programs.
 */
#include "base/error.h"
#include "face/command.h"
#include <systemd/sd-json.h>

struct firmware_file {
	const struct command_call *call;
	char *path;              /* absolute; or the address */
	bool is_remote;          /* path is an address */
	sd_json_variant *result; /* of the worker, about the whole: firmware, products, members */
	sd_json_variant *boards; /* {"product","board","model","variants"|"problem"} each */
	sd_json_variant *proof;  /* of the worker, with the field proof; NULL: not asked for */
	struct error problem;    /* the first board's that cannot be installed on */
};

/* The last paragraph is verdict (NULL: none). Returns 0 or a negative errno. */
int firmware_text_write(const struct firmware_file *file, const char *verdict);
/* The fields of the result's line. Returns 0 or a negative errno. */
int firmware_text_json(const struct firmware_file *file, sd_json_variant **ret);
