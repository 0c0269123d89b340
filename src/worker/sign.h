/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The worker kind `sign` (README.md): does Apple sign this firmware, for this phone? */
#include "worker/request.h"
#include "worker/tss.h"

int sign_run(const struct request *request, sd_json_variant **ret_fields, struct error *err);

/*
 * The control (reference: firmware.md §2): a "no" to a build that others call current is no "no",
 * and a server that cannot read our question says nothing about the firmware. `why` (written unless
 * the verdict is TSS_SIGNED) says it for people. Pure.
 */
enum tss_verdict sign_judge(const struct tss_reply *reply, bool current, const char *version,
			    const char *build, struct error *why);
/* "signed", "not-signed", "unknown". */
const char *sign_word(enum tss_verdict verdict);
