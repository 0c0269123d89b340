/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "unit.h"
#include "worker/mux_client.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLIST(body)        "<plist version=\"1.0\"><dict>" body "</dict></plist>"
#define STRING(key, value) "<key>" key "</key><string>" value "</string>"
#define NUMBER(key, value) "<key>" key "</key><integer>" value "</integer>"
#define ATTACHED(properties)                                                                       \
	PLIST(STRING("MessageType", "Attached")                                                    \
		  NUMBER("DeviceID", "7") "<key>Properties</key><dict>" properties "</dict>")
#define USB STRING("ConnectionType", "USB") NUMBER("DeviceID", "7")

static struct mux_message parse(const char *text)
{
	struct mux_message message;

	if (mux_message_parse(text, strlen(text), &message) != 0)
		fail_msg("not taken: %s", text);
	return message;
}

/* Fields of usbmuxd 1.1.1 (device-protocols.md §3.3). */
static void test_attached(void **state)
{
	struct mux_message message = parse(ATTACHED(
	    USB NUMBER("ConnectionSpeed", "480000000") NUMBER("LocationID", "65538")
		NUMBER("ProductID", "4776") STRING("SerialNumber", "00008110-001C20223E29401E")));

	assert_int_equal(message.type, MUX_ATTACHED);
	assert_int_equal(message.phone.mux_id, 7);
	assert_int_equal(message.phone.location, 0x10002);
	assert_int_equal(message.phone.product_id, 0x12a8);
	assert_int_equal(message.phone.connection, MUX_USB);
	assert_string_equal(message.phone.udid, "00008110-001C20223E29401E");
}

static void test_attached_forms(void **state)
{
	struct mux_message message;

	message = parse(ATTACHED(USB STRING("SerialNumber", "00008110001C20223E29401E")));
	assert_string_equal(message.phone.udid, "00008110-001C20223E29401E");
	assert_int_equal(message.phone.location, 0);
	message = parse(ATTACHED(STRING("ConnectionType", "Network") NUMBER("DeviceID", "8")
				     STRING("SerialNumber", "a")));
	assert_int_equal(message.type, MUX_ATTACHED);
	assert_int_equal(message.phone.connection, MUX_NETWORK);
	/* numbers out of range are not known */
	message = parse(ATTACHED(USB STRING("SerialNumber", "a") NUMBER("ProductID", "65536")
				     NUMBER("LocationID", "-1")));
	assert_int_equal(message.phone.product_id, 0);
	assert_int_equal(message.phone.location, 0);
	/* too long a name is cut, bad UTF-8 replaced */
	message = parse(ATTACHED(
	    USB STRING("SerialNumber", "00000000000000000000000000000000000000000000000000")));
	assert_int_equal(strlen(message.phone.udid), MUX_UDID_BYTES - 1);
	message = parse(ATTACHED(USB STRING("SerialNumber", "a\xff")));
	assert_string_equal(message.phone.udid, "a\xef\xbf\xbd");
}

static void test_entries_of_no_use(void **state)
{
	static const char *const texts[] = {
		PLIST(""),
		PLIST(STRING("MessageType", "Attached")),
		PLIST(NUMBER("MessageType", "3")),
		ATTACHED(USB),
		ATTACHED(USB NUMBER("SerialNumber", "5")),
		ATTACHED(STRING("ConnectionType", "USB") STRING("SerialNumber", "a")),
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(parse(texts[i]).type, MUX_OTHER);
}

static void test_result_and_detached(void **state)
{
	struct mux_message message =
	    parse(PLIST(STRING("MessageType", "Result") NUMBER("Number", "0")));

	assert_int_equal(message.type, MUX_RESULT);
	assert_int_equal(message.number, 0);
	message = parse(PLIST(STRING("MessageType", "Result") NUMBER("Number", "6")));
	assert_int_equal(message.number, 6);
	message = parse(PLIST(STRING("MessageType", "Detached") NUMBER("DeviceID", "7")));
	assert_int_equal(message.type, MUX_DETACHED);
	assert_int_equal(message.mux_id, 7);
	message = parse(PLIST(STRING("MessageType", "Paired") NUMBER("DeviceID", "7")));
	assert_int_equal(message.type, MUX_PAIRED);
	assert_int_equal(message.mux_id, 7);
}

static void test_no_message(void **state)
{
	static const char *const texts[] = { "", "x", "<plist", "<plist><array/></plist>",
					     "bplist00" };
	struct mux_message message;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (mux_message_parse(texts[i], strlen(texts[i]), &message) != -EBADMSG)
			fail_msg("taken: %s", texts[i]);
}

static void test_socket_path(void **state)
{
	unsetenv("USBMUXD_SOCKET_ADDRESS");
	assert_string_equal(mux_socket_path(), "/var/run/usbmuxd");
	setenv("USBMUXD_SOCKET_ADDRESS", "UNIX:/tmp/mux", 1);
	assert_string_equal(mux_socket_path(), "/tmp/mux");
	setenv("USBMUXD_SOCKET_ADDRESS", "127.0.0.1:27015", 1);
	assert_null(mux_socket_path());
	unsetenv("USBMUXD_SOCKET_ADDRESS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attached),
		cmocka_unit_test(test_attached_forms),
		cmocka_unit_test(test_entries_of_no_use),
		cmocka_unit_test(test_result_and_detached),
		cmocka_unit_test(test_no_message),
		cmocka_unit_test(test_socket_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
