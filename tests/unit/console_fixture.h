/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Events and phones of the interface, as JSON text, for the tests of the console. */
#include "face/console_model.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The three lights, with what was seen. */
#define LIGHTS(usb, mux, link)                                                                     \
	"\"lights\":[{\"light\":\"usb\",\"state\":\"" usb "\",\"evidence\":\"480 Mbit/s, no "      \
	"hub\"},{\"light\":\"mux\",\"state\":\"" mux "\",\"evidence\":\"usbmuxd lists it\"},"      \
	"{\"light\":\"link\",\"state\":\"" link "\",\"evidence\":\"lockdownd answered -21\"}]"

#define PHONE_ZOE                                                                                  \
	"{\"key\":\"ecid:0x001c1d0e3a91002e\",\"presence\":\"present\",\"mode\":\"normal\","       \
	"\"trust\":\"unknown\",\"ecid\":\"0x001c1d0e3a91002e\","                                   \
	"\"udid\":\"00008110-001C1D0E3A91002E\",\"name\":\"Zoë’s iPhone\","                        \
	"\"label\":\"Zoë’s iPhone\",\"product\":\"iPhone14,5\",\"board\":\"d17ap\","               \
	"\"model\":\"iPhone 13\",\"family\":\"iphone\",\"version\":\"17.5.1\",\"build\":"          \
	"\"21F90\",\"serial_number\":\"F2LMQDXYZ1\",\"port\":\"1-2\",\"bus\":1,\"address\":7,"     \
	"\"usb_id\":\"05ac:12a8\",\"speed_mbps\":480,\"hub_depth\":0,\"in_mux\":true,"             \
	"\"enumerations\":1," LIGHTS("working", "working", "failed") ",\"failed_light\":\"link\"}"

#define PHONE_RECOVERY                                                                             \
	"{\"key\":\"ecid:0x000a2d1c08f1002e\",\"presence\":\"present\",\"mode\":\"recovery\","     \
	"\"trust\":\"unknown\",\"ecid\":\"0x000a2d1c08f1002e\",\"product\":\"iPhone10,4\","        \
	"\"board\":\"d201ap\",\"model\":\"iPhone 8 "                                               \
	"(GSM)\",\"family\":\"iphone\",\"cpid\":\"0x8015\","                                       \
	"\"bdid\":\"0x0a\",\"ibfl\":\"0x3d\",\"iboot_flags\":[\"image4-aware\",\"effective-"       \
	"security\"],"                                                                             \
	"\"srtg\":\"iBoot-3332.0.0.1.23\",\"srnm\":\"C39VJ4XAJC68\",\"ap_nonce\":"                 \
	"\"0011223344556677889900112233445566778899001122334455667788990011\","                    \
	"\"port\":\"1-10.2.4\",\"usb_id\":\"05ac:1281\",\"speed_mbps\":12,\"hub_depth\":2,"        \
	"\"in_mux\":false,\"enumerations\":3," LIGHTS("working", "off", "off") "}"

#define PHONE_DEBUG_USB                                                                            \
	"{\"key\":\"port:1-3\",\"presence\":\"settling\",\"mode\":\"debug-usb\",\"trust\":"        \
	"\"unknown\",\"port\":\"1-3\",\"usb_id\":\"05ac:1881\",\"speed_mbps\":480,"                \
	"\"hub_depth\":0,\"in_mux\":false,\"enumerations\":1}"

#define EVENT_SNAPSHOT(test, mux, phones)                                                          \
	"{\"seq\":1,\"time_ms\":0,\"kind\":\"snapshot\",\"snapshot\":{\"seq\":1,\"time_ms\":0,"    \
	"\"version\":\"1\",\"test\":" test ",\"mux_up\":" mux ",\"phones\":[" phones "]}}"
#define EVENT_PHONE(kind, phone)                                                                   \
	"{\"seq\":2,\"time_ms\":0,\"kind\":\"" kind "\",\"phone\":" phone "}"

/* Gives the event to the model, which must return `expected`. */
static inline void model_feed(struct console_model *model, const char *json, int expected)
{
	sd_json_variant *event = NULL;
	unsigned line = 0, column = 0;

	if (sd_json_parse(json, 0, &event, &line, &column) < 0)
		fail_msg("test's own JSON is bad at %u:%u: %s", line, column, json);
	assert_int_equal(console_model_event(model, event), expected);
	sd_json_variant_unref(event);
}

static inline struct console_model *model_of(const char *json)
{
	struct console_model *model = NULL;

	assert_int_equal(console_model_new(&model), 0);
	model_feed(model, json, 1);
	return model;
}

/* A plain phone with this ECID and port. *ret must hold 512 bytes. */
static inline void phone_json(char *ret, unsigned ecid, const char *port, const char *mode)
{
	snprintf(ret, 512,
		 "{\"key\":\"ecid:0x%016x\",\"presence\":\"present\",\"mode\":\"%s\",\"trust\":"
		 "\"unknown\",\"ecid\":\"0x%016x\",\"product\":\"iPhone14,5\",\"board\":\"d17ap\","
		 "\"model\":\"iPhone 13\",\"port\":\"%s\",\"speed_mbps\":480,\"hub_depth\":0,"
		 "\"in_mux\":false,\"enumerations\":1}",
		 ecid, mode, ecid, port);
}
