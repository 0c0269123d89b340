/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the two kinds of calls (client.c waits, client_call.c does not) have in common. */
#include "base/error.h"
#include <systemd/sd-json.h>

/* Nobody answers at the socket `path`. Returns -errno_value. */
int client_no_service(struct error *err, const char *path, int errno_value);

/* An error reply of the service (its id and parameters) as an error of ours; its negative errno. */
int client_reply_error(const char *path, const char *id, sd_json_variant *reply, struct error *err);

/* How long the answer to this call may take. */
uint64_t client_limit_ms(const char *method, sd_json_variant *parameters);
