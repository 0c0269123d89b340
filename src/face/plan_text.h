/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A plan of the varlink interface (an object of type Plan) as the card that a person reads before
 * it is started; shared by the command line and the console. Pure: nothing is printed.
 */
#include "face/screen_prose.h"
#include <systemd/sd-json.h>

/* "Anna's iPhone, iPhone 13 (iPhone14,5)". Not cleaned for a terminal. The caller frees; NULL only
 * without memory. */
char *plan_text_phone(sd_json_variant *plan);

/* True if something of the phone is erased by what the plan itself does. */
bool plan_text_erases(sd_json_variant *plan);

/*
 * The card: what is done to which phone, what is lost (loud), firmware and variant, space, network,
 * warnings, steps. The consent is not part of it: the command line and the console ask for it each
 * in its own way, with the fields confirm_hint, token and token_seconds.
 */
void plan_text_add(sd_json_variant *plan, struct screen_prose *prose);

/* The command line that agrees: "idevicerescue restore … --consent TOKEN --confirm LAST4", from
 * `command` without those two. NULL if the plan carries no token, or without memory; the caller
 * frees. Not to be broken into lines: it is copied. */
char *plan_text_consent_line(sd_json_variant *plan, const char *command);

/* What that command line needs to be known: what LAST4 is, and how long the token is valid; or why
 * there is none. */
void plan_text_consent_add(sd_json_variant *plan, struct screen_prose *prose);
