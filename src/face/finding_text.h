/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A finding of the varlink interface (an object of type Finding) in words, shared by the command
 * line and the console. Pure: nothing is printed.
 */
#include "face/screen_prose.h"
#include "facts/facts.h"
#include <systemd/sd-json.h>

/* SEVERITY_INFO for a word that we do not know. */
enum severity finding_text_severity(sd_json_variant *finding);

/* The worst of an array of findings; SEVERITY_INFO of an empty one. */
enum severity finding_text_worst(sd_json_variant *findings);

/* How loud its title is. */
enum screen_role finding_text_role(sd_json_variant *finding);

/* "Problem: The phone does not know this computer any more". Not cleaned for a terminal. The caller
 * frees; NULL only without memory. */
char *finding_text_title(sd_json_variant *finding);

/* All of it: title, what was seen, what it means, what to do next, what that costs, the command;
 * hints: also how many steps there are to try, and the command that tells them. */
void finding_text_add(sd_json_variant *finding, bool hints, struct screen_prose *prose);
