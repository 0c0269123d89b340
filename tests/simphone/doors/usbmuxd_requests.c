/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The messages of usbmuxd's socket, both forms. All numbers of the header are little endian:
 *
 *   u32 length with the header · u32 version (0 binary, 1 property lists) · u32 message · u32 tag
 *
 * Source: usbmuxd 1.1.1, src/client.c and src/usbmuxd-proto.h. The keys of property lists are
 * sorted, as in the recorded answers of Apple's (tests/data/recorded).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "doors/usbmuxd.h"
#include "doors/usbmuxd_records.h"
#include "plist_stream.h"
#include "text.h"

enum {
	MESSAGE_RESULT = 1,
	MESSAGE_CONNECT = 2,
	MESSAGE_LISTEN = 3,
	MESSAGE_ATTACHED = 4,
	MESSAGE_DETACHED = 5,
	MESSAGE_PAIRED = 6,
	MESSAGE_PLIST = 8,

	CONNECT_BYTES = 8,  /* u32 device, u16 port in network order, u16 zero */
	RECORD_BYTES = 268, /* u32 device, u16 product, char serial[256], u16 zero, u32 location */

	BUS = 1,
};

/* What a request is answered: a property list, or NULL and the number of a Result. */
struct reply {
	plist_t list;
	unsigned number;
	bool none; /* nothing now: Connect answers later */
};

/* ---- out ---- */

static void message_send(struct mux_client *c, uint32_t message, uint32_t tag, const void *body,
			 size_t len)
{
	uint8_t header[HEADER_BYTES];

	put_le32(header, (uint32_t)(sizeof(header) + len));
	put_le32(header + 4, c->version);
	put_le32(header + 8, message);
	put_le32(header + 12, tag);
	mux_client_send(c, header, sizeof(header));
	mux_client_send(c, body, len);
}

/* Frees @list. */
static void plist_send(struct mux_client *c, uint32_t tag, plist_t list)
{
	char *xml = nullptr;
	uint32_t len = 0;

	plist_sort(list);
	plist_to_xml(list, &xml, &len);
	plist_free(list);
	message_send(c, MESSAGE_PLIST, tag, xml, len);
	plist_mem_free(xml);
}

void mux_result_send(struct mux_client *c, uint32_t tag, unsigned number)
{
	uint8_t body[4];
	plist_t list;

	EVLOG(&c->door->phone->log, "usbmuxd-result", LOG_INT("client", c->number),
	      LOG_INT("number", number));
	if (c->version == 0) {
		put_le32(body, number);
		message_send(c, MESSAGE_RESULT, tag, body, sizeof(body));
		return;
	}
	list = plist_new_dict();
	plist_dict_set_item(list, "MessageType", plist_new_string("Result"));
	plist_dict_set_item(list, "Number", plist_new_uint(number));
	plist_send(c, tag, list);
}

/* Where it hangs: the bus, and the address, which Linux counts up at each attach. */
static uint32_t location(const struct door_usbmuxd *d)
{
	if (d->libusb)
		return door_libusb_location(d->libusb);
	return BUS << 16 | ((d->device_id + 1) & 0x7f);
}

static uint64_t bits_per_second(const struct door_usbmuxd *d)
{
	switch (d->phone->scenario.speed) {
	case SPEED_FULL:
		return 12000000;
	case SPEED_HIGH:
		return 480000000;
	}
	return 0;
}

/* Caller frees. */
static plist_t attached_list(const struct door_usbmuxd *d)
{
	plist_t list = plist_new_dict(), properties = plist_new_dict();
	char serial[SERIAL_BYTES];

	mux_door_serial(d, serial);
	plist_dict_set_item(properties, "ConnectionSpeed", plist_new_uint(bits_per_second(d)));
	plist_dict_set_item(properties, "ConnectionType", plist_new_string("USB"));
	plist_dict_set_item(properties, "DeviceID", plist_new_uint(d->device_id));
	plist_dict_set_item(properties, "LocationID", plist_new_uint(location(d)));
	plist_dict_set_item(properties, "ProductID", plist_new_uint(d->phone->usb.product));
	plist_dict_set_item(properties, "SerialNumber", plist_new_string(serial));
	plist_dict_set_item(list, "DeviceID", plist_new_uint(d->device_id));
	plist_dict_set_item(list, "MessageType", plist_new_string("Attached"));
	plist_dict_set_item(list, "Properties", properties);
	return list;
}

static void event_send_binary(struct mux_client *c, enum mux_event event)
{
	static const uint32_t messages[] = { MESSAGE_ATTACHED, MESSAGE_DETACHED, MESSAGE_PAIRED };
	const struct door_usbmuxd *d = c->door;
	uint8_t body[RECORD_BYTES] = {};

	put_le32(body, d->device_id);
	if (event == EVENT_ATTACHED) {
		put_le16(body + 4, d->phone->usb.product);
		mux_door_serial(d, (char *)body + 6);
		put_le32(body + 264, location(d));
	}
	message_send(c, messages[event], 0, body, event == EVENT_ATTACHED ? sizeof(body) : 4);
}

void mux_event_send(struct mux_client *c, enum mux_event event)
{
	plist_t list;

	if (c->version == 0) {
		event_send_binary(c, event);
		return;
	}
	if (event == EVENT_ATTACHED) {
		list = attached_list(c->door);
	} else {
		list = plist_new_dict();
		plist_dict_set_item(list, "DeviceID", plist_new_uint(c->door->device_id));
		plist_dict_set_item(
		    list, "MessageType",
		    plist_new_string(event == EVENT_PAIRED ? "Paired" : "Detached"));
	}
	plist_send(c, 0, list);
}

/* ---- requests ---- */

static uint64_t number_of(plist_t request, const char *key)
{
	plist_t node = plist_dict_get_item(request, key);
	uint64_t number = 0;

	if (node && plist_get_node_type(node) == PLIST_INT)
		plist_get_uint_val(node, &number);
	return number;
}

static void listen_begin(struct mux_client *c, uint32_t tag)
{
	mux_result_send(c, tag, RESULT_OK);
	c->state = CLIENT_LISTENING;
	if (c->door->visible)
		mux_event_send(c, EVENT_ATTACHED);
}

static struct reply listen_run(struct mux_client *c, plist_t request, uint32_t tag)
{
	listen_begin(c, tag);
	return (struct reply){ .none = true };
}

static struct reply connect_run(struct mux_client *c, plist_t request, uint32_t tag)
{
	if (!plist_dict_get_item(request, "DeviceID"))
		return (struct reply){ .number = RESULT_BAD_DEVICE };
	if (!plist_dict_get_item(request, "PortNumber"))
		return (struct reply){ .number = RESULT_BAD_COMMAND };
	mux_client_connect(c, tag, (uint32_t)number_of(request, "DeviceID"),
			   ntohs((uint16_t)number_of(request, "PortNumber")));
	return (struct reply){ .none = true };
}

static struct reply list_devices(struct mux_client *c, plist_t request, uint32_t tag)
{
	plist_t list = plist_new_dict(), devices = plist_new_array();

	if (c->door->visible)
		plist_array_append_item(devices, attached_list(c->door));
	plist_dict_set_item(list, "DeviceList", devices);
	return (struct reply){ .list = list };
}

static plist_t listener_list(const struct mux_client *c)
{
	const char *name = c->about ? plist_text(c->about, "ProgName") : nullptr;
	plist_t bundle = c->about ? plist_dict_get_item(c->about, "BundleID") : nullptr;
	uint64_t version = c->about ? number_of(c->about, "kLibUSBMuxVersion") : 0;
	plist_t list = plist_new_dict();
	BUF_AUTO id = {};

	buf_addf(&id, "%u-%s", c->number, name ? name : "unknown");
	plist_dict_set_item(list, "Blacklisted", plist_new_bool(0));
	if (bundle)
		plist_dict_set_item(list, "BundleID", plist_copy(bundle));
	plist_dict_set_item(list, "ConnType", plist_new_uint(0));
	plist_dict_set_item(list, "ID String", plist_new_string(buf_text(&id)));
	plist_dict_set_item(list, "ProgName", plist_new_string(name ? name : "unknown"));
	plist_dict_set_item(list, "kLibUSBMuxVersion", plist_new_uint(version));
	return list;
}

static struct reply list_listeners(struct mux_client *c, plist_t request, uint32_t tag)
{
	plist_t list = plist_new_dict(), listeners = plist_new_array();

	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (c->door->clients[i].state == CLIENT_LISTENING)
			plist_array_append_item(listeners, listener_list(&c->door->clients[i]));
	plist_dict_set_item(list, "ListenerList", listeners);
	return (struct reply){ .list = list };
}

static struct reply read_buid(struct mux_client *c, plist_t request, uint32_t tag)
{
	plist_t list = plist_new_dict();
	BUF_AUTO buid = {};

	records_buid(c->door->records, &buid);
	plist_dict_set_item(list, "BUID", plist_new_string(buf_text(&buid)));
	return (struct reply){ .list = list };
}

static struct reply read_record(struct mux_client *c, plist_t request, uint32_t tag)
{
	const char *id = plist_text(request, "PairRecordID");
	int r = -EINVAL;
	BUF_AUTO record = {};
	plist_t list;

	if (id)
		r = record_read(c->door->records, id, &record);
	if (r < 0)
		return (struct reply){ .number = (unsigned)-r };
	list = plist_new_dict();
	plist_dict_set_item(list, "PairRecordData", plist_new_data(buf_text(&record), record.len));
	return (struct reply){ .list = list };
}

static struct reply save_record(struct mux_client *c, plist_t request, uint32_t tag)
{
	struct door_usbmuxd *d = c->door;
	const char *id = plist_text(request, "PairRecordID");
	plist_t node = plist_dict_get_item(request, "PairRecordData");
	const char *bytes = nullptr;
	char serial[SERIAL_BYTES];
	uint64_t len = 0;
	int r = -EINVAL;

	if (d->phone->scenario.mux_save_result)
		return (struct reply){ .number = (unsigned)d->phone->scenario.mux_save_result };
	if (node && plist_get_node_type(node) == PLIST_DATA)
		bytes = plist_get_data_ptr(node, &len);
	if (id && bytes)
		r = record_save(d->records, id, bytes, len);
	if (r < 0)
		return (struct reply){ .number = (unsigned)-r };
	mux_door_serial(d, serial);
	if (d->attached && number_of(request, "DeviceID") == d->device_id && !strcmp(id, serial))
		mux_door_tell(d, EVENT_PAIRED);
	return (struct reply){ .number = RESULT_OK };
}

static struct reply delete_record(struct mux_client *c, plist_t request, uint32_t tag)
{
	const char *id = plist_text(request, "PairRecordID");
	int r = id ? record_delete(c->door->records, id) : -EINVAL;

	return (struct reply){ .number = (unsigned)-r };
}

static const struct mux_request {
	const char *name;
	const char *detail; /* key of the text that the log shows */
	struct reply (*run)(struct mux_client *c, plist_t request, uint32_t tag);
} requests[] = {
	{ "Listen", "ProgName", listen_run },
	{ "Connect", nullptr, connect_run },
	{ "ListDevices", "ProgName", list_devices },
	{ "ListListeners", "ProgName", list_listeners },
	{ "ReadBUID", "ProgName", read_buid },
	{ "ReadPairRecord", "PairRecordID", read_record },
	{ "SavePairRecord", "PairRecordID", save_record },
	{ "DeletePairRecord", "PairRecordID", delete_record },
};

static void request_log(struct mux_client *c, const char *name, const char *detail)
{
	EVLOG(&c->door->phone->log, "usbmuxd", LOG_INT("client", c->number),
	      LOG_INT("version", c->version), LOG_TEXT("request", name),
	      LOG_TEXT("detail", detail ? detail : ""));
}

/* What the client says of itself, for ListListeners. */
static void about_keep(struct mux_client *c, plist_t request)
{
	static const char *const keys[] = { "BundleID", "ProgName", "kLibUSBMuxVersion" };

	plist_free(c->about);
	c->about = plist_new_dict();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		plist_t node = plist_dict_get_item(request, keys[i]);

		if (node && plist_get_node_type(node) == (i < 2 ? PLIST_STRING : PLIST_INT))
			plist_dict_set_item(c->about, keys[i], plist_copy(node));
	}
}

static void plist_take(struct mux_client *c, plist_t request, uint32_t tag)
{
	const char *name = plist_text(request, "MessageType");
	struct reply reply = { .number = RESULT_BAD_COMMAND };

	if (!name)
		return; /* usbmuxd says nothing to it */
	about_keep(c, request);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct mux_request *r = &requests[i];

		if (strcmp(r->name, name) != 0)
			continue;
		request_log(c, name, r->detail ? plist_text(request, r->detail) : nullptr);
		reply = r->run(c, request, tag);
		break;
	}
	if (reply.list)
		plist_send(c, tag, reply.list);
	else if (!reply.none)
		mux_result_send(c, tag, reply.number);
}

/* Only XML, as usbmuxd. What is none is passed over in silence. */
static void xml_take(struct mux_client *c, const uint8_t *bytes, size_t len, uint32_t tag)
{
	plist_t parsed = nullptr, request;

	c->version = 1;
	plist_from_xml((const char *)bytes, (uint32_t)len, &parsed);
	if (!parsed)
		return;
	request = plist_washed(parsed);
	plist_free(parsed);
	if (plist_get_node_type(request) == PLIST_DICT)
		plist_take(c, request, tag);
	plist_free(request);
}

void mux_request_take(struct mux_client *c, const uint8_t *message, size_t len)
{
	uint32_t version = get_le32(message + 4);
	uint32_t tag = get_le32(message + 12);
	const uint8_t *body = message + HEADER_BYTES;

	if (c->state != CLIENT_COMMAND) {
		mux_client_kill(c, "a request to a connection that listens");
		return;
	}
	if (version > 1) {
		mux_result_send(c, tag, RESULT_BAD_VERSION);
		return;
	}
	len -= HEADER_BYTES;
	switch (get_le32(message + 8)) {
	case MESSAGE_PLIST:
		xml_take(c, body, len, tag);
		return;
	case MESSAGE_LISTEN:
		request_log(c, "Listen", nullptr);
		listen_begin(c, tag);
		return;
	case MESSAGE_CONNECT:
		if (len < CONNECT_BYTES)
			break;
		request_log(c, "Connect", nullptr);
		mux_client_connect(c, tag, get_le32(body), get_be16(body + 4));
		return;
	}
	mux_result_send(c, tag, RESULT_BAD_COMMAND);
}
