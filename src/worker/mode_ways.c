/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/mode_ways.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "worker/library_error.h"
#include "worker/session.h"
#include "worker/usb_place.h"
#include <libimobiledevice/diagnostics_relay.h>
#include <libimobiledevice/restore.h>
#include <string.h>

/* device-protocols.md §2.9 */
enum {
	COMMAND_REQUEST_TYPE = 0x40,
	COMMAND_REQUEST = 0,
	COMMAND_TIMEOUT_MS = 5000,
};

DEFINE_CLEANUP(lockdownd_service_descriptor_t, lockdownd_service_descriptor_free)
DEFINE_CLEANUP(diagnostics_relay_client_t, diagnostics_relay_client_free)
DEFINE_CLEANUP(restored_client_t, restored_client_free)

/* A phone that is gone has taken the command, whatever became of its answer. */
static bool has_left(const struct mode_phone *phone)
{
	struct error err = {};

	return handset_find(phone->udid, &err) < 0 && err.kind == ERROR_NO_PHONE;
}

/* *ret_code is what lockdownd said, for want of a better reason. 0 when it took the command. */
static int enter_plainly(const struct mode_phone *phone, lockdownd_error_t *ret_code,
			 struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	int r = handset_open(phone->udid, NULL, &handset, err);

	if (r < 0)
		return r;
	*ret_code = lockdownd_enter_recovery(handset.client);
	return 0;
}

static int enter_in_session(const struct mode_phone *phone, lockdownd_error_t plain,
			    struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	lockdownd_error_t e;
	int r = session_open(phone->udid, NULL, &session, err);

	if (r < 0)
		return r;
	if (!session.record)
		return lockdownd_error_set(err, plain);
	if (session.trust != TRUST_WORD_TRUSTED)
		return session_refused(&session, err);
	e = lockdownd_enter_recovery(session.handset.client);
	if (e == LOCKDOWN_E_SUCCESS || has_left(phone))
		return 0;
	return handset_failed(phone->udid, e, err);
}

int mode_enter_recovery(const struct mode_phone *phone, struct error *err)
{
	lockdownd_error_t plain = LOCKDOWN_E_UNKNOWN_ERROR;
	int r = enter_plainly(phone, &plain, err);

	if (r < 0)
		return r;
	if (plain == LOCKDOWN_E_SUCCESS || has_left(phone))
		return 0;
	return enter_in_session(phone, plain, err);
}

static int relay_failed(const struct mode_phone *phone, diagnostics_relay_error_t code,
			struct error *err)
{
	int r = handset_left(phone->udid, "diagnostics_relay", code, err);

	if (r < 0)
		return r;
	if (code == DIAGNOSTICS_RELAY_E_UNKNOWN_REQUEST)
		return error_set(err, ERROR_UNSUPPORTED, "diagnostics_relay", code,
				 "The phone does not know how to restart");
	return error_set(err, ERROR_PROTOCOL, "diagnostics_relay", code,
			 "The phone did not take the command to restart");
}

int mode_restart_normal(const struct mode_phone *phone, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	_cleanup_(lockdownd_service_descriptor_freep) lockdownd_service_descriptor_t service = NULL;
	_cleanup_(diagnostics_relay_client_freep) diagnostics_relay_client_t relay = NULL;
	diagnostics_relay_error_t d;
	lockdownd_error_t e;
	int r = session_open(phone->udid, NULL, &session, err);

	if (r < 0)
		return r;
	if (session.trust != TRUST_WORD_TRUSTED)
		return session_refused(&session, err);
	e = lockdownd_start_service(session.handset.client, DIAGNOSTICS_RELAY_SERVICE_NAME,
				    &service);
	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(phone->udid, e, err);
	d = diagnostics_relay_client_new(session.handset.device, service, &relay);
	if (d == DIAGNOSTICS_RELAY_E_SUCCESS)
		d = diagnostics_relay_restart(relay, (diagnostics_relay_action_t)0);
	if (d == DIAGNOSTICS_RELAY_E_SUCCESS || has_left(phone))
		return 0;
	return relay_failed(phone, d, err);
}

int mode_restart_restore(const struct mode_phone *phone, struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	_cleanup_(restored_client_freep) restored_client_t restored = NULL;
	restored_error_t e;
	int r = handset_open(phone->udid, NULL, &handset, err);

	if (r < 0)
		return r;
	e = restored_client_new(handset.device, &restored, HANDSET_LABEL);
	if (e == RESTORE_E_SUCCESS)
		e = restored_reboot(restored);
	if (e == RESTORE_E_SUCCESS || has_left(phone))
		return 0;
	r = handset_left(phone->udid, "restored", e, err);
	return r < 0 ? r
		     : error_set(err, ERROR_PROTOCOL, "restored", e,
				 "The phone did not take the command to restart");
}

/*
 * One line to iBoot, with its NUL. A stall is not taken for a refusal: libirecovery looks at no
 * outcome at all, so nobody knows which commands a real iBoot stalls. What came of it shows in the
 * mode that the phone comes back in.
 */
static int command(const struct usb_place *place, const char *line, bool leaves, struct error *err)
{
	unsigned char bytes[64];
	size_t n = strlen(line) + 1;
	int r;

	memcpy(bytes, line, n);
	r = libusb_control_transfer(place->handle, COMMAND_REQUEST_TYPE, COMMAND_REQUEST, 0, 0,
				    bytes, (uint16_t)n, COMMAND_TIMEOUT_MS);
	if (r == LIBUSB_ERROR_PIPE)
		log_info("iBoot stalled \"%s\"", line);
	/* who reboots may be gone before the transfer ends */
	if (r >= 0 || r == LIBUSB_ERROR_PIPE ||
	    (leaves && (r == LIBUSB_ERROR_NO_DEVICE || r == LIBUSB_ERROR_IO)))
		return 0;
	return libusb_error_set(err, r);
}

int mode_iboot(const struct mode_phone *phone, bool to_system, struct error *err)
{
	_cleanup_(usb_place_done) struct usb_place place = {};
	struct iboot_strings strings;
	int r = usb_place_open(phone->mode, phone->bus, phone->address, &place, err);

	/* who is it? only then it is told to do anything */
	if (r == 0)
		r = usb_place_strings(&place, phone->ecid, &strings, err);
	if (r == 0 && to_system)
		r = command(&place, "setenv auto-boot true", false, err);
	if (r == 0 && to_system)
		r = command(&place, "saveenv", false, err);
	if (r == 0)
		r = command(&place, "reboot", true, err);
	return r;
}
