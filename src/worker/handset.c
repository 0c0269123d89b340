/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/handset.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/library_error.h"
#include "worker/probe.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <usbmuxd.h>

enum { LOCKDOWN_PORT = 62078 };

/* Keys of lockdownd's dictionary and their fields in the result. */
static const struct {
	const char *key, *field;
} texts[] = {
	{ "ProductType", "product" }, { "HardwareModel", "board" },
	{ "DeviceName", "name" },     { "ProductVersion", "version" },
	{ "BuildVersion", "build" },  { "SerialNumber", "serial_number" },
};

int handset_find(const char *udid, struct error *err)
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

int handset_left(const char *udid, const char *origin, int code, struct error *err)
{
	struct error missing = {};
	int r = handset_find(udid, &missing);

	if (r == 0)
		return 0;
	if (missing.kind == ERROR_NO_PHONE)
		return error_set(err, ERROR_UNPLUGGED, origin, code, "The phone was unplugged");
	if (err)
		*err = missing;
	return r;
}

/* lockdownd_client_new() has one code for every way not to connect, and asks at once: what the port
 * itself says is found out by a connection of its own. */
static int try_port(idevice_t device, const char *udid, struct error *err)
{
	idevice_connection_t connection = NULL;
	idevice_error_t e = idevice_connect(device, LOCKDOWN_PORT, &connection);
	int r;

	if (e == IDEVICE_E_SUCCESS) {
		idevice_disconnect(connection);
		return 0;
	}
	r = handset_left(udid, "usbmuxd", e, err);
	if (r < 0)
		return r;
	if (e == IDEVICE_E_NO_DEVICE)
		return error_set(err, ERROR_UNPLUGGED, "usbmuxd", e, "The phone left usbmuxd");
	if (e == IDEVICE_E_CONNREFUSED)
		return error_set(err, ERROR_REFUSED, "usbmuxd", e,
				 "The phone refuses the connection, it may still be starting");
	return error_set(err, ERROR_SILENT, "usbmuxd", e, "The phone does not take the connection");
}

/* The number that the next descriptor gets. */
static int next_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (fd >= 0)
		close(fd);
	return fd;
}

/* libimobiledevice does not tell the descriptor of a lockdown connection: it is the first that is
 * opened for it. Only one that is such a socket is ever touched. */
static bool is_connection(int fd)
{
	int domain = 0;
	socklen_t n = sizeof(domain);

	return fd > STDERR_FILENO && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &n) == 0 &&
	       (domain == AF_UNIX || domain == AF_INET || domain == AF_INET6);
}

int handset_open(const char *udid, struct inquiry *inquiry, struct handset *ret, struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	int r = handset_find(udid, err);

	if (r < 0)
		return r;
	text_copy(handset.udid, sizeof(handset.udid), udid);
	idevice_error_t e = idevice_new_with_options(&handset.device, udid, IDEVICE_LOOKUP_USBMUX);
	if (e != IDEVICE_E_SUCCESS) {
		r = handset_left(udid, "usbmuxd", e, err);
		return r < 0 ? r
			     : error_set(err, ERROR_UNPLUGGED, "usbmuxd", e,
					 "The phone left usbmuxd");
	}
	r = inquiry ? try_port(handset.device, udid, err) : 0;
	if (r < 0)
		return r;
	inquiry_reached(inquiry, REACHED_PORT);
	handset.fd = next_fd();
	/* asks QueryType by itself and keeps quiet about its outcome */
	if (lockdownd_client_new(handset.device, &handset.client, HANDSET_LABEL) !=
	    LOCKDOWN_E_SUCCESS) {
		r = try_port(handset.device, udid, err);
		return r < 0 ? r
			     : error_set(err, ERROR_SILENT, "usbmuxd", 0,
					 "The phone does not take the connection");
	}
	*ret = TAKE_STRUCT(handset);
	return 0;
}

int handset_type(const struct handset *handset, struct inquiry *inquiry, enum mode *ret,
		 struct error *err)
{
	_cleanup_free_ char *type = NULL;
	lockdownd_error_t e = lockdownd_query_type(handset->client, &type);

	if (e != LOCKDOWN_E_SUCCESS)
		return handset_failed(handset->udid, e, err);
	inquiry_reached(inquiry, REACHED_LOCKDOWN);
	if (strcmp(type, "com.apple.mobile.lockdown") == 0)
		*ret = MODE_NORMAL;
	else if (strcmp(type, "com.apple.mobile.restored") == 0)
		*ret = MODE_RESTORE;
	else
		return error_set(err, ERROR_PROTOCOL, "lockdownd", 0,
				 "The phone's lockdown port is of a kind that is not known");
	return 0;
}

void handset_done(struct handset *handset)
{
	if (handset->client && handset->broken && is_connection(handset->fd))
		(void)shutdown(handset->fd, SHUT_RDWR);
	/* in this order: the client goes before its device */
	if (handset->client)
		lockdownd_client_free(handset->client);
	if (handset->device)
		idevice_free(handset->device);
	*handset = (struct handset){};
}

int handset_failed(const char *udid, int code, struct error *err)
{
	/* a connection that broke has one of these: is it because somebody left? */
	bool broke = code == LOCKDOWN_E_MUX_ERROR || code == LOCKDOWN_E_UNKNOWN_ERROR ||
		     code == LOCKDOWN_E_PLIST_ERROR || code == LOCKDOWN_E_SSL_ERROR;
	int r = broke ? handset_left(udid, "lockdownd", code, err) : 0;

	return r < 0 ? r : lockdownd_error_set(err, code);
}

int handset_identity(plist_t values, const char *udid, sd_json_variant **identity,
		     struct error *err)
{
	const char *said = value_text(values, "UniqueDeviceID");
	int r;

	if (said && !text_equal_fold(said, udid))
		return error_set(err, ERROR_NO_PHONE, "lockdownd", 0, "Another phone answered");
	r = identity_add_text(identity, "udid", udid);
	if (r >= 0)
		r = identity_add_ecid(identity, value_number(values, "UniqueChipID"));
	for (size_t i = 0; r >= 0 && i < ARRAY_LEN(texts); i++)
		r = identity_add_text(identity, texts[i].field, value_text(values, texts[i].key));
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the identity");
	return 0;
}
