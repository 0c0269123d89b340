/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/notices.h"
#include "base/cleanup.h"
#include <errno.h>
#include <libimobiledevice/property_list_service.h>
#include <libimobiledevice/service.h>
#include <poll.h>
#include <string.h>

/* A message that has begun is there within it, or never. */
enum { RECEIVE_TIMEOUT_MS = 2000 };
static const char service_name[] = "com.apple.mobile.insecure_notification_proxy";
static const char request_pair[] = "com.apple.mobile.lockdown.request_pair";

struct notices {
	struct handset handset;
	property_list_service_client_t client; /* owned */
	int fd;                                /* the client's */
};

static int observe(property_list_service_client_t client)
{
	_cleanup_(plist_freep) plist_t message = plist_new_dict();

	plist_dict_set_item(message, "Command", plist_new_string("ObserveNotification"));
	plist_dict_set_item(message, "Name", plist_new_string(request_pair));
	return property_list_service_send_xml_plist(client, message) ==
		       PROPERTY_LIST_SERVICE_E_SUCCESS
		   ? 0
		   : -EPIPE;
}

static int client_fd(property_list_service_client_t client, int *ret)
{
	service_client_t service = NULL;
	idevice_connection_t connection = NULL;

	if (property_list_service_get_service_client(client, &service) !=
		PROPERTY_LIST_SERVICE_E_SUCCESS ||
	    service_get_connection(service, &connection) != SERVICE_E_SUCCESS ||
	    idevice_connection_get_fd(connection, ret) != IDEVICE_E_SUCCESS)
		return -ENOTSUP;
	return 0;
}

static int service_open(struct notices *notices)
{
	lockdownd_service_descriptor_t service = NULL;
	property_list_service_error_t e;
	int r;

	if (lockdownd_start_service(notices->handset.client, service_name, &service) !=
	    LOCKDOWN_E_SUCCESS)
		return -EACCES;
	e = property_list_service_client_new(notices->handset.device, service, &notices->client);
	lockdownd_service_descriptor_free(service);
	if (e != PROPERTY_LIST_SERVICE_E_SUCCESS)
		return -EACCES;
	r = client_fd(notices->client, &notices->fd);
	return r < 0 ? r : observe(notices->client);
}

int notices_new(const char *udid, struct notices **ret)
{
	_cleanup_(notices_freep) struct notices *notices = calloc(1, sizeof(*notices));
	int r;

	if (!notices)
		return -ENOMEM;
	r = handset_open(udid, NULL, &notices->handset, NULL);
	if (r < 0)
		return r;
	r = service_open(notices);
	if (r < 0)
		return r;
	*ret = TAKE(notices);
	return 0;
}

struct notices *notices_free(struct notices *notices)
{
	if (notices) {
		if (notices->client)
			property_list_service_client_free(notices->client);
		handset_done(&notices->handset);
		free(notices);
	}
	return NULL;
}

int notices_fd(const struct notices *notices)
{
	return notices->fd;
}

static bool has_input(const struct notices *notices)
{
	struct pollfd poll_fd = { .fd = notices->fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) > 0;
}

int notices_take(struct notices *notices)
{
	bool tapped = false;

	/* the connection is plain, so nothing of it hides in a buffer of the library */
	while (has_input(notices)) {
		_cleanup_(plist_freep) plist_t message = NULL;
		const char *name = NULL;

		if (property_list_service_receive_plist_with_timeout(notices->client, &message,
								     RECEIVE_TIMEOUT_MS) !=
		    PROPERTY_LIST_SERVICE_E_SUCCESS)
			return tapped ? 1 : -EPIPE;
		if (value_is_dict(message))
			name = value_text(message, "Name");
		tapped |= name && strcmp(name, request_pair) == 0;
	}
	return tapped ? 1 : 0;
}
