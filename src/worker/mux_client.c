/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A client owns its socket and a buffer with what has come:
 *
 *   buffer   | header | property list | header | pro…  |  free  |
 *            0                                        filled    MUX_MESSAGE_BYTES_MAX
 *
 * Invariant: the buffer begins at a message's header.
 */
#include "worker/mux_client.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <plist/plist.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static const char usual_path[] = "/var/run/usbmuxd";

/* All numbers little endian; length counts the header. */
struct header {
	uint32_t length, version, message, tag;
};
enum { VERSION_PLIST = 1, MESSAGE_PLIST = 8 };

struct mux_client {
	int fd;
	size_t filled;
	char buffer[MUX_MESSAGE_BYTES_MAX];
};

DEFINE_CLEANUP(plist_t, plist_free)

const char *mux_socket_path(void)
{
	static const char unix_prefix[] = "UNIX:";
	const char *address = getenv("USBMUXD_SOCKET_ADDRESS");

	if (!address)
		return usual_path;
	if (strncmp(address, unix_prefix, sizeof(unix_prefix) - 1) != 0)
		return NULL;
	return address + sizeof(unix_prefix) - 1;
}

static uint32_t dict_number(plist_t dict, const char *key, uint32_t max)
{
	plist_t node = plist_dict_get_item(dict, key);
	uint64_t value = 0;

	if (node && plist_get_node_type(node) == PLIST_INT && !plist_int_val_is_negative(node))
		plist_get_uint_val(node, &value);
	return value <= max ? (uint32_t)value : 0;
}

/* "" for anything but a string. */
static const char *dict_text(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);
	const char *text = NULL;

	if (node && plist_get_node_type(node) == PLIST_STRING)
		text = plist_get_string_ptr(node, NULL);
	return text ? text : "";
}

/* usbmuxd gives newer phones the hyphen already; an older one did not. */
static void udid_copy(char *dst, const char *src)
{
	enum { NEW_UDID_DIGITS = 24, CHIP_DIGITS = 8 };

	if (strlen(src) == NEW_UDID_DIGITS) {
		char udid[NEW_UDID_DIGITS + 2];

		snprintf(udid, sizeof(udid), "%.*s-%s", CHIP_DIGITS, src, src + CHIP_DIGITS);
		text_copy(dst, MUX_UDID_BYTES, udid);
		return;
	}
	text_copy(dst, MUX_UDID_BYTES, src);
}

static void attached_parse(plist_t dict, struct mux_message *message)
{
	plist_t properties = plist_dict_get_item(dict, "Properties");
	struct mux_phone *phone = &message->phone;
	const char *connection;

	message->type = MUX_OTHER;
	if (!properties || plist_get_node_type(properties) != PLIST_DICT)
		return;
	connection = dict_text(properties, "ConnectionType");
	phone->mux_id = dict_number(properties, "DeviceID", UINT32_MAX);
	phone->location = dict_number(properties, "LocationID", UINT32_MAX);
	phone->product_id = (uint16_t)dict_number(properties, "ProductID", UINT16_MAX);
	phone->connection = strcmp(connection, "Network") == 0 ? MUX_NETWORK : MUX_USB;
	udid_copy(phone->udid, dict_text(properties, "SerialNumber"));
	if (phone->mux_id == 0 || phone->udid[0] == '\0')
		return; /* nobody could be asked for by it */
	message->type = MUX_ATTACHED;
}

int mux_message_parse(const char *bytes, size_t n, struct mux_message *ret)
{
	_cleanup_(plist_freep) plist_t dict = NULL;
	struct mux_message message = { .type = MUX_OTHER };
	const char *type;

	if (plist_from_memory(bytes, (uint32_t)n, &dict, NULL) != PLIST_ERR_SUCCESS || !dict ||
	    plist_get_node_type(dict) != PLIST_DICT)
		return -EBADMSG;
	type = dict_text(dict, "MessageType");
	if (strcmp(type, "Result") == 0) {
		message.type = MUX_RESULT;
		message.number = dict_number(dict, "Number", UINT32_MAX);
	} else if (strcmp(type, "Attached") == 0) {
		attached_parse(dict, &message);
	} else if (strcmp(type, "Detached") == 0) {
		message.type = MUX_DETACHED;
		message.mux_id = dict_number(dict, "DeviceID", UINT32_MAX);
	} else if (strcmp(type, "Paired") == 0) {
		message.type = MUX_PAIRED;
		message.mux_id = dict_number(dict, "DeviceID", UINT32_MAX);
	}
	*ret = message;
	return 0;
}

static int send_listen(int fd)
{
	_cleanup_(plist_freep) plist_t dict = plist_new_dict();
	struct {
		struct header header;
		char text[2048];
	} packet;
	char *text = NULL;
	uint32_t n = 0;
	size_t size;

	plist_dict_set_item(dict, "ClientVersionString", plist_new_string("idevicerescue"));
	plist_dict_set_item(dict, "MessageType", plist_new_string("Listen"));
	plist_dict_set_item(dict, "ProgName", plist_new_string("idevicerescue-worker"));
	plist_dict_set_item(dict, "kLibUSBMuxVersion", plist_new_uint(3));
	if (plist_to_xml(dict, &text, &n) != PLIST_ERR_SUCCESS)
		return -ENOMEM;
	if (n > sizeof(packet.text)) {
		plist_mem_free(text);
		return -EMSGSIZE;
	}
	size = sizeof(packet.header) + n;
	packet.header = (struct header){ htole32((uint32_t)size), htole32(VERSION_PLIST),
					 htole32(MESSAGE_PLIST), htole32(1) };
	memcpy(packet.text, text, n);
	plist_mem_free(text);
	/* less than any socket buffer: it goes whole or not at all */
	return send(fd, &packet, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EPIPE;
}

/* The kernel counts for each call: one that a signal ended begins anew, and ours come rarely. */
static int connect_waiting(int fd, const struct sockaddr_un *address, unsigned wait_ms)
{
	const struct timeval limit = {
		.tv_sec = wait_ms / 1000,
		/* nothing at all is for ever to the kernel */
		.tv_usec = wait_ms == 0 ? 1000 : wait_ms % 1000 * 1000,
	};
	int r;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	do
		r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	while (r < 0 && errno == EINTR);
	if (r < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int mux_client_new(const char *path, unsigned wait_ms, struct mux_client **ret)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct mux_client *client;
	int r;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect_waiting(fd, &address, wait_ms);
	if (r < 0)
		return r;
	r = send_listen(fd);
	if (r < 0)
		return r;
	client = malloc(sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->fd = TAKE_FD(fd);
	client->filled = 0;
	*ret = client;
	return 0;
}

struct mux_client *mux_client_free(struct mux_client *client)
{
	if (client) {
		close(client->fd);
		free(client);
	}
	return NULL;
}

int mux_client_fd(const struct mux_client *client)
{
	return client->fd;
}

int mux_client_fill(struct mux_client *client)
{
	ssize_t n;

	do
		n = read(client->fd, client->buffer + client->filled,
			 sizeof(client->buffer) - client->filled);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	client->filled += (size_t)n;
	return (int)n;
}

int mux_client_next(struct mux_client *client, struct mux_message *ret)
{
	struct header header;
	size_t length;
	int r;

	if (client->filled < sizeof(header))
		return 0;
	memcpy(&header, client->buffer, sizeof(header));
	length = le32toh(header.length);
	if (length < sizeof(header) || length > sizeof(client->buffer) ||
	    le32toh(header.message) != MESSAGE_PLIST)
		return -EBADMSG;
	if (client->filled < length)
		return 0;
	r = mux_message_parse(client->buffer + sizeof(header), length - sizeof(header), ret);
	if (r < 0)
		return r;
	client->filled -= length;
	memmove(client->buffer, client->buffer + length, client->filled);
	return 1;
}
