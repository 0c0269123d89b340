/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What usbmuxd keeps in /var/lib/lockdown, in a folder of our own: SystemConfiguration.plist with
 * the host's SystemBUID, and for each phone ID.plist with its pair record, all as XML. The folder
 * is one simulated host.
 *
 * Functions return 0 or a negative errno, which usbmuxd hands to its client as the result's number.
 * Record ids are letters, digits and '-' (CVE-2025-66004). Reading or deleting any other: -ENOENT,
 * like a record that is not there; saving it, or what is no property list: -EINVAL; a record that
 * cannot be written: -ENOENT.
 */
#pragma once

#include "buf.h"

enum { RECORD_BYTES_MAX = 64 * 1024 };

/* The host's name for itself, made at the first question. An unwritable folder: a new one each
 * time, as usbmuxd does. */
void records_buid(const char *folder, struct buf *to);

int record_read(const char *folder, const char *id, struct buf *to);
int record_save(const char *folder, const char *id, const void *bytes, size_t len);
int record_delete(const char *folder, const char *id);
