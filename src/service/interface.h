/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The varlink interface, as everybody sees it: names here, text in
 * tests/unit/golden/service.varlink. Changes are additive only. A face holds two links: one for
 * events, one for calls (a link carries one call at a time).
 *
 *   List() -> (snapshot: Snapshot)
 *   Show(phone: string, ask: ?bool) -> (phone: Phone, problem: ?Problem)
 *     ask: a worker asks the phone first (nonces, name); the answer takes up to
 *     TIMING_PROBE_TOTAL. Without ask, problem says why the last question was not answered.
 *   Watch() more -> (event: Event)
 *     first an event of kind "snapshot" with all phones, then each change with the next seq
 *   errors: NoSuchPhone(wanted), AmbiguousPhone(wanted, matches[]),
 *     NotAnswered(wanted, kind, origin, code, text)
 *
 * Words with hyphens ("port-dfu", "mux-up") are strings, because varlink's enums cannot hold them;
 * the comments of the interface list them.
 */
#include <systemd/sd-varlink-idl.h>

#define INTERFACE_NAME           "org.idevicerescue"
#define INTERFACE_SOCKET_DEFAULT "/run/idevicerescue/socket"
/* Environment variable and command-line option that name another socket. */
#define INTERFACE_SOCKET_ENV "IDEVICERESCUE_SOCKET"

#define INTERFACE_METHOD_LIST  INTERFACE_NAME ".List"
#define INTERFACE_METHOD_SHOW  INTERFACE_NAME ".Show"
#define INTERFACE_METHOD_WATCH INTERFACE_NAME ".Watch"

#define INTERFACE_ERROR_NO_SUCH_PHONE   INTERFACE_NAME ".NoSuchPhone"
#define INTERFACE_ERROR_AMBIGUOUS_PHONE INTERFACE_NAME ".AmbiguousPhone"
#define INTERFACE_ERROR_NOT_ANSWERED    INTERFACE_NAME ".NotAnswered"

extern const sd_varlink_interface vl_interface_org_idevicerescue;
