/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Normal and restore mode, through usbmuxd and the phone's lockdown port. What is asked is what
 * lockdownd tells anybody: no pairing, no session, and so no trust dialog
 * (reference: device-protocols.md §4.2, §4.3).
 */
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/library_error.h"
#include "worker/probe.h"
#include <errno.h>
#include <libimobiledevice/libimobiledevice.h>
#include <libimobiledevice/lockdown.h>
#include <plist/plist.h>
#include <string.h>
#include <usbmuxd.h>

enum { LOCKDOWN_PORT = 62078 };
static const char label[] = "idevicerescue";

DEFINE_CLEANUP(idevice_t, idevice_free)
DEFINE_CLEANUP(lockdownd_client_t, lockdownd_client_free)
DEFINE_CLEANUP(plist_t, plist_free)

/* Keys of lockdownd's dictionary and their fields in the result. */
static const struct {
	const char *key, *field;
} normal_texts[] = {
	{ "ProductType", "product" }, { "HardwareModel", "board" },
	{ "DeviceName", "name" },     { "ProductVersion", "version" },
	{ "BuildVersion", "build" },  { "SerialNumber", "serial_number" },
};

/* The text of a string node, NULL for another. Borrowed. */
static const char *dict_text(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);

	if (!node || plist_get_node_type(node) != PLIST_STRING)
		return NULL;
	return plist_get_string_ptr(node, NULL);
}

/* 0 for another node than a positive integer. */
static uint64_t dict_number(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);
	uint64_t value = 0;

	if (node && plist_get_node_type(node) == PLIST_INT && !plist_int_val_is_negative(node))
		plist_get_uint_val(node, &value);
	return value;
}

static bool is_dict(plist_t node)
{
	return node && plist_get_node_type(node) == PLIST_DICT;
}

/* Is the phone on the mux? 0, or why not. */
static int mux_find(const char *udid, struct error *err)
{
	usbmuxd_device_info_t *phones = NULL;
	int count = usbmuxd_get_device_list(&phones);
	bool found = false;

	if (count == -ENOENT || count == -ECONNREFUSED)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", count, "usbmuxd is not running");
	if (count < 0 || !phones)
		return error_set(err, ERROR_NO_SERVICE, "usbmuxd", count,
				 "usbmuxd does not answer");
	for (int i = 0; i < count; i++)
		found |=
		    strcmp(phones[i].udid, udid) == 0 && phones[i].conn_type == CONNECTION_TYPE_USB;
	usbmuxd_device_list_free(&phones);
	if (!found)
		return error_set(err, ERROR_NO_PHONE, "usbmuxd", 0,
				 "usbmuxd does not know this phone");
	return 0;
}

/* lockdownd_client_new() has one code for every way not to connect: find out which it was. */
static int explain_no_connection(idevice_t device, const char *udid, struct error *err)
{
	idevice_connection_t connection = NULL;
	idevice_error_t e = idevice_connect(device, LOCKDOWN_PORT, &connection);

	if (e == IDEVICE_E_SUCCESS)
		idevice_disconnect(connection);
	if (e == IDEVICE_E_NO_DEVICE || mux_find(udid, NULL) < 0)
		return error_set(err, ERROR_UNPLUGGED, "usbmuxd", e, "The phone left usbmuxd");
	if (e == IDEVICE_E_CONNREFUSED)
		return error_set(err, ERROR_REFUSED, "usbmuxd", e,
				 "The phone refuses the connection, it may still be starting");
	return error_set(err, ERROR_SILENT, "usbmuxd", e, "The phone does not take the connection");
}

static int lockdownd_failed(int code, const char *udid, struct error *err)
{
	/* a connection that broke has one of these: is it because the phone left? */
	if ((code == LOCKDOWN_E_MUX_ERROR || code == LOCKDOWN_E_UNKNOWN_ERROR) &&
	    mux_find(udid, NULL) < 0)
		return error_set(err, ERROR_UNPLUGGED, "lockdownd", code,
				 "The phone was unplugged");
	return lockdownd_error_set(err, code);
}

static int normal_identity(plist_t values, const char *udid, sd_json_variant **identity,
			   struct error *err)
{
	const char *said = dict_text(values, "UniqueDeviceID");
	int r;

	if (said && !text_equal_fold(said, udid))
		return error_set(err, ERROR_NO_PHONE, "lockdownd", 0, "Another phone answered");
	r = identity_add_text(identity, "udid", udid);
	if (r >= 0)
		r = identity_add_ecid(identity, dict_number(values, "UniqueChipID"));
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(normal_texts); i++)
		r = identity_add_text(identity, normal_texts[i].field,
				      dict_text(values, normal_texts[i].key));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}

/* Without a key lockdownd sends everything that it tells an unpaired host, in one dictionary. */
static int ask_normal(lockdownd_client_t client, const char *udid, sd_json_variant **identity,
		      struct error *err)
{
	_cleanup_(plist_freep) plist_t values = NULL;
	lockdownd_error_t e = lockdownd_get_value(client, NULL, NULL, &values);

	if (e != LOCKDOWN_E_SUCCESS)
		return lockdownd_failed(e, udid, err);
	if (!is_dict(values))
		return lockdownd_error_set(err, LOCKDOWN_E_DICT_ERROR);
	return normal_identity(values, udid, identity, err);
}

/*
 * restored answers at lockdownd's port, with a question of its own (libimobiledevice 1.4.0
 * src/restore.c restored_query_value()).
 */
static int restored_ask(lockdownd_client_t client, const char *udid, const char *request,
			const char *key, plist_t *ret, struct error *err)
{
	_cleanup_(plist_freep) plist_t question = plist_new_dict();
	lockdownd_error_t e;

	plist_dict_set_item(question, "Label", plist_new_string(label));
	if (key)
		plist_dict_set_item(question, "QueryKey", plist_new_string(key));
	plist_dict_set_item(question, "Request", plist_new_string(request));
	e = lockdownd_send(client, question);
	if (e == LOCKDOWN_E_SUCCESS)
		e = lockdownd_receive(client, ret);
	return e == LOCKDOWN_E_SUCCESS ? 0 : lockdownd_failed(e, udid, err);
}

/* Board and serial number stand in the answer to QueryType, the ECID has a question of its own. */
static int ask_restored(lockdownd_client_t client, const char *udid, sd_json_variant **identity,
			struct error *err)
{
	_cleanup_(plist_freep) plist_t type = NULL;
	_cleanup_(plist_freep) plist_t answer = NULL;
	plist_t hardware;
	int r;

	r = restored_ask(client, udid, "QueryType", NULL, &type, err);
	if (r >= 0)
		r = restored_ask(client, udid, "QueryValue", "HardwareInfo", &answer, err);
	if (r < 0)
		return r;
	hardware = is_dict(answer) ? plist_dict_get_item(answer, "HardwareInfo") : NULL;
	r = identity_add_text(identity, "udid", udid);
	if (r >= 0 && is_dict(type))
		r = identity_add_text(identity, "board", dict_text(type, "HardwareModel"));
	if (r >= 0 && is_dict(type))
		r = identity_add_text(identity, "serial_number", dict_text(type, "SerialNumber"));
	if (r >= 0 && is_dict(hardware))
		r = identity_add_ecid(identity, dict_number(hardware, "UniqueChipID"));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}

/* Which of the two answers at the port decides the mode: on the bus they look the same. */
static int ask(lockdownd_client_t client, const char *udid, enum mode *ret_mode,
	       sd_json_variant **identity, struct error *err)
{
	_cleanup_free_ char *type = NULL;
	lockdownd_error_t e = lockdownd_query_type(client, &type);

	if (e != LOCKDOWN_E_SUCCESS)
		return lockdownd_failed(e, udid, err);
	if (strcmp(type, "com.apple.mobile.lockdown") == 0) {
		*ret_mode = MODE_NORMAL;
		return ask_normal(client, udid, identity, err);
	}
	if (strcmp(type, "com.apple.mobile.restored") == 0) {
		*ret_mode = MODE_RESTORE;
		return ask_restored(client, udid, identity, err);
	}
	return error_set(err, ERROR_PROTOCOL, "lockdownd", 0,
			 "The phone's lockdown port is of a kind that is not known");
}

int probe_mux(const struct request *request, enum mode *ret_mode, sd_json_variant **ret_identity,
	      struct error *err)
{
	/* in this order: the client goes before its device */
	_cleanup_(idevice_freep) idevice_t device = NULL;
	_cleanup_(lockdownd_client_freep) lockdownd_client_t client = NULL;
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	idevice_error_t e;
	int r;

	r = mux_find(request->udid, err);
	if (r < 0)
		return r;
	e = idevice_new_with_options(&device, request->udid, IDEVICE_LOOKUP_USBMUX);
	if (e != IDEVICE_E_SUCCESS)
		return error_set(err, ERROR_UNPLUGGED, "usbmuxd", e, "The phone left usbmuxd");
	/* asks QueryType by itself and keeps quiet about its outcome, so it is asked again */
	if (lockdownd_client_new(device, &client, label) != LOCKDOWN_E_SUCCESS)
		return explain_no_connection(device, request->udid, err);
	r = ask(client, request->udid, ret_mode, &identity, err);
	if (r < 0)
		return r;
	*ret_identity = TAKE(identity);
	return 0;
}
