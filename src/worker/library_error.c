/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/library_error.h"
#include "base/cleanup.h"
#include <libimobiledevice/lockdown.h>
#include <libusb.h>

struct row {
	int code;
	enum error_kind kind;
	const char *text;
};

/* Meanings: device-protocols.md §4.5. */
static const struct row lockdownd_rows[] = {
	{ LOCKDOWN_E_PAIRING_FAILED, ERROR_PROTOCOL,
	  "The phone's answer does not fit the question" },
	{ LOCKDOWN_E_SSL_ERROR, ERROR_REFUSED,
	  "The phone does not accept this computer's key or closed the encrypted connection" },
	{ LOCKDOWN_E_PLIST_ERROR, ERROR_PROTOCOL, "The phone's answer is no property list" },
	{ LOCKDOWN_E_DICT_ERROR, ERROR_PROTOCOL, "The phone's answer lacks its fields" },
	{ LOCKDOWN_E_RECEIVE_TIMEOUT, ERROR_SILENT, "The phone does not answer" },
	{ LOCKDOWN_E_MUX_ERROR, ERROR_REFUSED, "The phone closed the connection" },
	{ LOCKDOWN_E_INVALID_RESPONSE, ERROR_PROTOCOL,
	  "The phone did not understand the question" },
	{ LOCKDOWN_E_MISSING_VALUE, ERROR_REFUSED, "The phone has no such value" },
	{ LOCKDOWN_E_GET_PROHIBITED, ERROR_REFUSED,
	  "The phone tells this to nobody it does not trust" },
	{ LOCKDOWN_E_PASSWORD_PROTECTED, ERROR_LOCKED, "The phone is locked with a passcode" },
	{ LOCKDOWN_E_USER_DENIED_PAIRING, ERROR_REFUSED,
	  "\"Don't Trust\" was tapped on the phone" },
	{ LOCKDOWN_E_PAIRING_DIALOG_RESPONSE_PENDING, ERROR_REFUSED,
	  "The phone waits for somebody to tap Trust on its screen" },
	{ LOCKDOWN_E_INVALID_HOST_ID, ERROR_REFUSED,
	  "The phone does not know this computer any more" },
	{ LOCKDOWN_E_SESSION_INACTIVE, ERROR_REFUSED,
	  "The phone does this only for a computer that it trusts" },
	{ LOCKDOWN_E_INVALID_SERVICE, ERROR_UNSUPPORTED, "The phone does not offer this service" },
	{ LOCKDOWN_E_SERVICE_LIMIT, ERROR_BUSY,
	  "The phone runs too many services for computers at once" },
	{ LOCKDOWN_E_MISSING_PAIR_RECORD, ERROR_REFUSED,
	  "The phone has lost its record of this computer" },
	{ LOCKDOWN_E_SAVE_PAIR_RECORD_FAILED, ERROR_REFUSED,
	  "The phone cannot store a record of this computer, its storage may be full" },
	{ LOCKDOWN_E_INVALID_PAIR_RECORD, ERROR_REFUSED,
	  "The phone finds this computer's record wrong" },
	{ LOCKDOWN_E_SERVICE_PROHIBITED, ERROR_REFUSED, "The phone forbids this service" },
	{ LOCKDOWN_E_ESCROW_LOCKED, ERROR_LOCKED, "The phone was not unlocked since it started" },
	{ LOCKDOWN_E_PAIRING_PROHIBITED_OVER_THIS_CONNECTION, ERROR_REFUSED,
	  "The phone does not pair over this connection" },
	{ LOCKDOWN_E_FMIP_PROTECTED, ERROR_REFUSED, "The phone is in lost mode" },
	/* also when the phone hangs up while it is being asked */
	{ LOCKDOWN_E_UNKNOWN_ERROR, ERROR_PROTOCOL,
	  "The phone closed the connection or answered something unknown" },
	{ LOCKDOWN_E_MC_PROTECTED, ERROR_REFUSED, "The phone is supervised and forbids it" },
	{ LOCKDOWN_E_MC_CHALLENGE_REQUIRED, ERROR_REFUSED,
	  "The phone is supervised and wants its supervisor's signature" },
};

static const struct row libusb_rows[] = {
	{ LIBUSB_ERROR_IO, ERROR_PROTOCOL, "The USB transfer failed" },
	{ LIBUSB_ERROR_ACCESS, ERROR_REFUSED, "No right to use this USB device" },
	{ LIBUSB_ERROR_NO_DEVICE, ERROR_UNPLUGGED, "The phone left the USB bus" },
	{ LIBUSB_ERROR_NOT_FOUND, ERROR_NO_PHONE, "There is no such USB device or interface" },
	{ LIBUSB_ERROR_BUSY, ERROR_BUSY, "Another program uses the phone's USB interface" },
	{ LIBUSB_ERROR_TIMEOUT, ERROR_SILENT, "The phone does not answer" },
	{ LIBUSB_ERROR_OVERFLOW, ERROR_PROTOCOL, "The phone sent more than was asked for" },
	{ LIBUSB_ERROR_PIPE, ERROR_PROTOCOL, "The phone does not know this question" },
	{ LIBUSB_ERROR_NO_MEM, ERROR_BUG, "Out of memory" },
	{ LIBUSB_ERROR_NOT_SUPPORTED, ERROR_UNSUPPORTED, "This system cannot do it" },
};

static int row_set(struct error *err, const struct row rows[], size_t count, const char *origin,
		   int code)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i].code == code)
			return error_set(err, rows[i].kind, origin, code, "%s", rows[i].text);
	return error_set(err, ERROR_PROTOCOL, origin, code, "The phone could not be asked");
}

int lockdownd_error_set(struct error *err, int code)
{
	return row_set(err, lockdownd_rows, ARRAY_LEN(lockdownd_rows), "lockdownd", code);
}

int libusb_error_set(struct error *err, int code)
{
	return row_set(err, libusb_rows, ARRAY_LEN(libusb_rows), "libusb", code);
}
