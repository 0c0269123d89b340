/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One phone of the varlink interface (an object of type Phone) in words for the command line. All
 * texts are cleaned for this terminal and allocated; never NULL.
 */
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

/* The field's text, "" if absent. */
char *phone_text_field(sd_json_variant *phone, const char *field);

/* Best name, or a word for some phone. */
char *phone_text_label(sd_json_variant *phone);

/* The mode's label, and what its presence adds: "Recovery (just plugged in)". */
char *phone_text_mode(sd_json_variant *phone);

/* "480 Mbit/s", "" if the kernel does not know it. */
char *phone_text_speed(sd_json_variant *phone);

/* "no hub", "behind 2 hubs"; "" if it is not on the bus. */
char *phone_text_hubs(sd_json_variant *phone);

/* "14:03:22" in the local zone of ms since the epoch; with_day: "2026-03-01 14:03:22". */
char *phone_text_time(uint64_t time_ms, bool with_day);

/* "USB ok  mux ok  link failed": its three lights; "" of a service that tells none. */
char *phone_text_lights(sd_json_variant *phone);

/* The line of one of its lights (enum light's name), "works: port 1-2, 480 Mbit/s"; "" if it is not
 * told. */
char *phone_text_light(sd_json_variant *phone, const char *light);

/* What its trust is, as id of a message; NULL where that means nothing or is not known. */
const char *phone_text_trust(sd_json_variant *phone);
