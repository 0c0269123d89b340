/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/services.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/afc_names.h"
#include "worker/library_error.h"
#include <errno.h>
#include <libimobiledevice/property_list_service.h>
#include <libimobiledevice/service.h>
#include <string.h>

enum { ANSWER_MS = 10000, PACKET = 1 };
/* afc's words for "not allowed" and "took too long" */
enum { AFC_PERMISSION_DENIED = 10, AFC_TIMED_OUT = 12 };

DEFINE_CLEANUP(lockdownd_service_descriptor_t, lockdownd_service_descriptor_free)
DEFINE_CLEANUP(property_list_service_client_t, property_list_service_client_free)
DEFINE_CLEANUP(service_client_t, service_client_free)

/* --- the notification proxy */

static int say(property_list_service_client_t client, const char *command)
{
	_cleanup_(plist_freep) plist_t message = plist_new_dict();

	plist_dict_set_item(message, "Command", plist_new_string(command));
	return property_list_service_send_xml_plist(client, message);
}

static int farewell(const struct handset *handset, lockdownd_service_descriptor_t service)
{
	_cleanup_(property_list_service_client_freep) property_list_service_client_t client = NULL;
	_cleanup_(plist_freep) plist_t reply = NULL;
	const char *command = NULL;
	int e = property_list_service_client_new(handset->device, service, &client);

	if (e == PROPERTY_LIST_SERVICE_E_SUCCESS)
		e = say(client, "Shutdown");
	if (e == PROPERTY_LIST_SERVICE_E_SUCCESS)
		e = property_list_service_receive_plist_with_timeout(client, &reply, ANSWER_MS);
	if (e != PROPERTY_LIST_SERVICE_E_SUCCESS)
		return e;
	if (value_is_dict(reply))
		command = value_text(reply, "Command");
	return command && strcmp(command, "ProxyDeath") == 0 ? PROPERTY_LIST_SERVICE_E_SUCCESS
							     : PROPERTY_LIST_SERVICE_E_PLIST_ERROR;
}

int services_try(const struct handset *handset, int *ret_code, struct error *err)
{
	static const char name[] = "com.apple.mobile.notification_proxy";
	_cleanup_(lockdownd_service_descriptor_freep) lockdownd_service_descriptor_t service = NULL;
	lockdownd_error_t e = lockdownd_start_service(handset->client, name, &service);
	int answer, r;

	if (ret_code)
		*ret_code = e;
	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(handset->udid, e, err);
	answer = farewell(handset, service);
	if (answer == PROPERTY_LIST_SERVICE_E_SUCCESS)
		return 0;
	r = handset_left(handset->udid, "usbmuxd", answer, err);
	if (r < 0)
		return r;
	return error_set(
	    err, answer == PROPERTY_LIST_SERVICE_E_RECEIVE_TIMEOUT ? ERROR_SILENT : ERROR_PROTOCOL,
	    "notification_proxy", answer,
	    "The phone starts a service, but the service does not answer");
}

/* Started, and left alone. */
static int start_only(const struct handset *handset, const char *name)
{
	_cleanup_(lockdownd_service_descriptor_freep) lockdownd_service_descriptor_t service = NULL;
	idevice_connection_t connection = NULL;
	lockdownd_error_t e = lockdownd_start_service(handset->client, name, &service);

	/* what was started waits for somebody */
	if (e == LOCKDOWN_E_SUCCESS && service->port != 0 &&
	    idevice_connect(handset->device, service->port, &connection) == IDEVICE_E_SUCCESS)
		idevice_disconnect(connection);
	return e;
}

int services_try_files(const struct handset *handset)
{
	return start_only(handset, "com.apple.afc");
}

int services_try_stranger(const struct handset *handset)
{
	return start_only(handset, "com.apple.mobile.insecure_notification_proxy");
}

/* --- afc */

/* Exactly n bytes. */
static service_error_t receive(service_client_t client, char *to, size_t n)
{
	uint64_t end_ms = clock_now_ms() + ANSWER_MS;

	while (n > 0) {
		uint64_t now_ms = clock_now_ms();
		uint32_t got = 0;
		service_error_t e;

		if (now_ms >= end_ms)
			return SERVICE_E_TIMEOUT;
		e = service_receive_with_timeout(client, to, (uint32_t)n, &got,
						 (unsigned)(end_ms - now_ms));
		if (e != SERVICE_E_SUCCESS)
			return e;
		if (got == 0)
			return clock_now_ms() >= end_ms ? SERVICE_E_TIMEOUT : SERVICE_E_MUX_ERROR;
		to += got;
		n -= got;
	}
	return SERVICE_E_SUCCESS;
}

static int media_failed(const struct handset *handset, service_error_t e, struct error *err)
{
	int r = handset_left(handset->udid, "afc", e, err);

	if (r < 0)
		return r;
	if (e == SERVICE_E_TIMEOUT)
		return error_set(err, ERROR_SILENT, "afc", e,
				 "The phone does not list its media folder");
	return error_set(err, ERROR_PROTOCOL, "afc", e, "The phone's media folder cannot be read");
}

static int status_failed(uint64_t status, struct error *err)
{
	switch (status) {
	case AFC_TIMED_OUT:
		return error_set(err, ERROR_SILENT, "afc", AFC_TIMED_OUT,
				 "The phone does not list its media folder");
	case AFC_PERMISSION_DENIED:
		return error_set(err, ERROR_REFUSED, "afc", AFC_PERMISSION_DENIED,
				 "The phone does not let its media folder be read");
	default:
		return error_set(err, ERROR_PROTOCOL, "afc", (int64_t)(status & INT64_MAX),
				 "The phone's media folder cannot be read");
	}
}

static int list(const struct handset *handset, service_client_t client, uint64_t *ret,
		struct error *err)
{
	char request[AFC_REQUEST_BYTES_MAX], head[AFC_HEADER_BYTES];
	size_t n = afc_list_request("/", PACKET, request);
	_cleanup_free_ char *payload = NULL;
	struct afc_header header;
	uint32_t sent = 0;
	service_error_t e = service_send(client, request, (uint32_t)n, &sent);

	if (e == SERVICE_E_SUCCESS)
		e = sent == n ? receive(client, head, sizeof(head)) : SERVICE_E_MUX_ERROR;
	if (e != SERVICE_E_SUCCESS)
		return media_failed(handset, e, err);
	if (afc_header_parse(head, PACKET, &header) < 0)
		return error_set(err, ERROR_PROTOCOL, "afc", 0,
				 "The phone's answer is none of a media folder");
	payload = malloc(header.payload + 1);
	if (!payload)
		return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "Cannot list the folder");
	e = receive(client, payload, header.payload);
	if (e != SERVICE_E_SUCCESS)
		return media_failed(handset, e, err);
	if (header.kind == AFC_STATUS)
		return status_failed(afc_status(payload, header.payload), err);
	if (header.kind != AFC_DATA)
		return status_failed(0, err);
	*ret = afc_count_names(payload, header.payload);
	return 0;
}

int services_count_media(const struct handset *handset, uint64_t *ret, struct error *err)
{
	_cleanup_(lockdownd_service_descriptor_freep) lockdownd_service_descriptor_t service = NULL;
	_cleanup_(service_client_freep) service_client_t client = NULL;
	lockdownd_error_t e = lockdownd_start_service(handset->client, "com.apple.afc", &service);
	service_error_t s;

	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(handset->udid, e, err);
	s = service_client_new(handset->device, service, &client);
	if (s != SERVICE_E_SUCCESS)
		return media_failed(handset, s, err);
	return list(handset, client, ret, err);
}
