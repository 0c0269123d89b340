/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What hosts wrote with SetValue, by domain and key: it stands before what the phone would say by
 * itself. Survives boots and an update, not an erase.
 */
#pragma once

#include <plist/plist.h>
#include <stdint.h>

struct phone;

struct settings {
	struct phone *phone; /* owner */
	plist_t written;     /* domain ("" for none) → dict of values; owned */
	int64_t clock_ahead_ms;
	bool deactivated;
};

void settings_init(struct settings *s, struct phone *phone);
void settings_done(struct settings *s);
void settings_erase(struct settings *s);

/* Lays what was written in @domain (may be NULL) over @values, which are those of a trusted host.
 */
void settings_overlay(const struct settings *s, const char *domain, plist_t values);

/*
 * Writes, or removes if @value is NULL. Returns NULL, or lockdown's word for the refusal. @known:
 * whether the phone has such a value by itself.
 */
const char *settings_write(struct settings *s, const char *domain, const char *key, plist_t value,
			   bool known);

/* The phone's clock, seconds since 1970. */
double settings_now(const struct settings *s);
