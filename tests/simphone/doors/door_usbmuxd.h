/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * usbmuxd in the place of usbmuxd: its unix socket, for hosts that have neither USB nor the real
 * one (USBMUXD_SOCKET_ADDRESS=UNIX:PATH). Serves the one phone of this process in the modes in
 * which usbmuxd would take it: normal and restore. Behaves as usbmuxd 1.1.1 does (its source, and
 * runs beside it: test_native_judges_mux.py), with one difference that is wanted: there is no
 * preflight, so it neither pairs by itself nor hides a phone that does not answer.
 *
 * Knobs of the scenario: visible_delay_ms, mux_connect_delay_ms, mux_refuse_port, mux_result,
 * mux_save_result.
 */
#pragma once

#include "doors/door_libusb.h"
#include "loop.h"
#include "phone.h"

struct door_usbmuxd;

/*
 * Listens on @path (an old socket there is removed). @records is the folder of the host's pair
 * records and its BUID, made if it is not there; every request reads the files anew, so a test may
 * exchange them. NULL: @path with ".records" behind it. Ends the program if it cannot.
 */
struct door_usbmuxd *door_usbmuxd_new(struct loop *loop, struct phone *phone, const char *path,
				      const char *records);
/* Where the phone hangs is told by its other door, so that both tell the same. Borrowed. */
void door_usbmuxd_hangs_at(struct door_usbmuxd *d, const struct door_libusb *libusb);
/* Before phone_done(). */
struct door_usbmuxd *door_usbmuxd_free(struct door_usbmuxd *d);
