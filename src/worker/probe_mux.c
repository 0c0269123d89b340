/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Normal and restore mode, through usbmuxd and the phone's lockdown port. What is asked is what
 * lockdownd tells anybody: no pairing, no session, and so no trust dialog
 * (reference: device-protocols.md §4.2, §4.3).
 */
#include "base/cleanup.h"
#include "worker/handset.h"
#include "worker/library_error.h"
#include "worker/probe.h"

/* Without a key lockdownd sends everything that it tells an unpaired host, in one dictionary. */
static int ask_normal(lockdownd_client_t client, const char *udid, sd_json_variant **identity,
		      struct error *err)
{
	_cleanup_(plist_freep) plist_t values = NULL;
	lockdownd_error_t e = lockdownd_get_value(client, NULL, NULL, &values);

	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(udid, e, err);
	if (!value_is_dict(values))
		return lockdownd_error_set(err, LOCKDOWN_E_DICT_ERROR);
	return handset_identity(values, udid, identity, err);
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

	plist_dict_set_item(question, "Label", plist_new_string(HANDSET_LABEL));
	if (key)
		plist_dict_set_item(question, "QueryKey", plist_new_string(key));
	plist_dict_set_item(question, "Request", plist_new_string(request));
	e = lockdownd_send(client, question);
	if (e == LOCKDOWN_E_SUCCESS)
		e = lockdownd_receive(client, ret);
	return e == LOCKDOWN_E_SUCCESS ? 0 : handset_failed(udid, e, err);
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
	hardware = value_is_dict(answer) ? plist_dict_get_item(answer, "HardwareInfo") : NULL;
	r = identity_add_text(identity, "udid", udid);
	if (r >= 0 && value_is_dict(type))
		r = identity_add_text(identity, "board", value_text(type, "HardwareModel"));
	if (r >= 0 && value_is_dict(type))
		r = identity_add_text(identity, "serial_number", value_text(type, "SerialNumber"));
	if (r >= 0 && value_is_dict(hardware))
		r = identity_add_ecid(identity, value_number(hardware, "UniqueChipID"));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}

int probe_mux(const struct request *request, struct inquiry *inquiry, struct handset *ret,
	      enum mode *ret_mode, sd_json_variant **ret_identity, struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *identity = NULL;
	enum mode mode = MODE_NORMAL;
	int r;

	r = handset_open(request->udid, inquiry, &handset, err);
	/* which of the two answers at the port decides the mode: on the bus they look the same */
	if (r == 0)
		r = handset_type(&handset, inquiry, &mode, err);
	if (r < 0)
		return r;
	r = mode == MODE_NORMAL ? ask_normal(handset.client, request->udid, &identity, err)
				: ask_restored(handset.client, request->udid, &identity, err);
	if (r < 0)
		return r;
	*ret = TAKE_STRUCT(handset);
	*ret_mode = mode;
	*ret_identity = TAKE(identity);
	return 0;
}
