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

/* Meanings: device-protocols.md §4.5. Only what an unpaired question can meet. */
static const struct row lockdownd_rows[] = {
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
	{ LOCKDOWN_E_ESCROW_LOCKED, ERROR_LOCKED, "The phone was not unlocked since it started" },
	{ LOCKDOWN_E_FMIP_PROTECTED, ERROR_REFUSED, "The phone is in lost mode" },
	/* also when the phone hangs up while it is being asked */
	{ LOCKDOWN_E_UNKNOWN_ERROR, ERROR_PROTOCOL,
	  "The phone closed the connection or answered something unknown" },
	{ LOCKDOWN_E_MC_PROTECTED, ERROR_REFUSED, "The phone is supervised and forbids it" },
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
