/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What only a trusted computer is told, beyond the name: storage, battery, activation, setup,
 * supervision (device-protocols.md §4.3, backup-and-logs.md §5.6). Absent is unknown: a phone that
 * does not tell one of them is trusted nevertheless.
 */
#include <plist/plist.h>
#include <systemd/sd-json.h>

/* From lockdownd's values without a domain. Returns 0 or a negative errno. */
int session_values_root(plist_t values, sd_json_variant **identity);

/* Domains that are asked by name. Pure reading of one answer (any plist, NULL none). */
enum session_domain {
	SESSION_DOMAIN_DISK,
	SESSION_DOMAIN_BATTERY,
	SESSION_DOMAIN_SETUP,
	SESSION_DOMAIN_CHAPERONE,
	SESSION_DOMAIN_MAX,
};
const char *session_domain_name(enum session_domain domain);
int session_values_domain(enum session_domain domain, plist_t values, sd_json_variant **identity);
