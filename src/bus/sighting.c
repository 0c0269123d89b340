/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/sighting.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * USB allows five hubs in a row; more in a tape is nonsense. Speeds are of the order of 20000 for
 * USB4; the ceilings only keep a tape from bringing numbers that no kernel writes.
 */
enum {
	HUB_DEPTH_MAX = 5,
	BUS_MAX = 65535,
	ADDRESS_MAX = 127,
	SPEED_MAX = 1000 * 1000,
	POWER_MAX = 10 * 1000, /* mA; the descriptor's byte reaches 2040 */
	TRIPLE_CHARS = 8,      /* "06/01/01" */
};

static const char *const change_names[SIGHTING_CHANGE_MAX] = {
	[SIGHTING_APPEARED] = "appeared",
	[SIGHTING_CHANGED] = "changed",
	[SIGHTING_GONE] = "gone",
};

const char *sighting_change_name(enum sighting_change change)
{
	return change_names[change];
}

/* Digits that start with 1…9. Returns what follows them, NULL if there are none. */
static const char *skip_number(const char *s)
{
	if (*s < '1' || *s > '9')
		return NULL;
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

int sighting_hub_depth(const char *port, unsigned *ret)
{
	const char *s = skip_number(port);
	unsigned depth = 0;

	if (!s || *s != '-' || strlen(port) >= SIGHTING_PORT_BYTES)
		return -EINVAL;
	s = skip_number(s + 1);
	while (s && *s == '.') {
		depth++;
		s = skip_number(s + 1);
	}
	if (!s || *s != '\0' || depth > HUB_DEPTH_MAX)
		return -EINVAL;
	*ret = depth;
	return 0;
}

int sighting_to_json(enum sighting_change change, const struct sighting *sighting,
		     sd_json_variant **ret)
{
	char vid[8], pid[8], version[8];

	snprintf(vid, sizeof(vid), "0x%04x", sighting->vid);
	snprintf(pid, sizeof(pid), "0x%04x", sighting->pid);
	snprintf(version, sizeof(version), "0x%04x", sighting->usb_version);
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_UNSIGNED("v", 1), SD_JSON_BUILD_PAIR_STRING("type", "sighting"),
	    SD_JSON_BUILD_PAIR_STRING("change", sighting_change_name(change)),
	    SD_JSON_BUILD_PAIR_STRING("syspath", sighting->syspath),
	    SD_JSON_BUILD_PAIR_STRING("port", sighting->port),
	    SD_JSON_BUILD_PAIR_UNSIGNED("bus", sighting->bus),
	    SD_JSON_BUILD_PAIR_UNSIGNED("address", sighting->address),
	    SD_JSON_BUILD_PAIR_STRING("vid", vid), SD_JSON_BUILD_PAIR_STRING("pid", pid),
	    SD_JSON_BUILD_PAIR_UNSIGNED("speed_mbps", sighting->speed_mbps),
	    SD_JSON_BUILD_PAIR_UNSIGNED("hub_depth", sighting->hub_depth),
	    SD_JSON_BUILD_PAIR_UNSIGNED("configuration", sighting->configuration),
	    SD_JSON_BUILD_PAIR_UNSIGNED("max_power_ma", sighting->max_power_ma),
	    SD_JSON_BUILD_PAIR_STRING("usb_version", version),
	    SD_JSON_BUILD_PAIR_STRING("interfaces", sighting->interfaces),
	    SD_JSON_BUILD_PAIR_STRING("serial", sighting->serial),
	    SD_JSON_BUILD_PAIR_STRING("product", sighting->product),
	    SD_JSON_BUILD_PAIR_STRING("manufacturer", sighting->manufacturer));
}

/* A tape's line before it is judged: sd-json writes fields one by one, we only into this. */
struct tape_line {
	uint64_t v, bus, address, speed_mbps, configuration, max_power_ma;
	const char *type, *change, *syspath, *port, *vid, *pid, *serial, *product, *manufacturer;
	const char *usb_version, *interfaces;
};

static int dispatch_line(sd_json_variant *object, struct tape_line *ret)
{
	static constexpr sd_json_dispatch_flags_t NEEDED = SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL;
#define UNSIGNED(name, flags)                                                                      \
	{ #name, SD_JSON_VARIANT_UNSIGNED, sd_json_dispatch_uint64,                                \
	  offsetof(struct tape_line, name), (flags) }
#define STRING(name, flags)                                                                        \
	{                                                                                          \
		#name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                      \
		    offsetof(struct tape_line, name), (flags)                                      \
	}
	static const sd_json_dispatch_field fields[] = {
		UNSIGNED(v, NEEDED),
		STRING(type, NEEDED),
		STRING(change, NEEDED),
		STRING(syspath, NEEDED),
		STRING(port, NEEDED),
		UNSIGNED(bus, SD_JSON_REFUSE_NULL),
		UNSIGNED(address, SD_JSON_REFUSE_NULL),
		STRING(vid, SD_JSON_REFUSE_NULL),
		STRING(pid, SD_JSON_REFUSE_NULL),
		UNSIGNED(speed_mbps, SD_JSON_REFUSE_NULL),
		UNSIGNED(configuration, SD_JSON_REFUSE_NULL),
		UNSIGNED(max_power_ma, SD_JSON_REFUSE_NULL),
		STRING(usb_version, SD_JSON_REFUSE_NULL),
		STRING(interfaces, SD_JSON_REFUSE_NULL),
		STRING(serial, SD_JSON_REFUSE_NULL),
		STRING(product, SD_JSON_REFUSE_NULL),
		STRING(manufacturer, SD_JSON_REFUSE_NULL),
		{},
	};
#undef STRING
#undef UNSIGNED

	return sd_json_dispatch(object, fields, SD_JSON_ALLOW_EXTENSIONS, ret) < 0 ? -EBADMSG : 0;
}

/* Text that is taken as it stands or not at all. */
static bool take_text(const char *text, char *dst, size_t dst_bytes)
{
	if (!text)
		return true; /* stays "" */
	text_copy(dst, dst_bytes, text);
	return strcmp(dst, text) == 0;
}

static bool take_number(uint64_t value, uint64_t max, unsigned *ret)
{
	*ret = (unsigned)value;
	return value <= max;
}

/* "0x05ac" */
static bool take_id(const char *text, uint16_t *ret)
{
	uint64_t value;

	if (!text)
		return true;
	if (strlen(text) != 6 || strncmp(text, "0x", 2) != 0 ||
	    text_parse_hex(text + 2, 4, &value) < 0)
		return false;
	*ret = (uint16_t)value;
	return true;
}

/* "06/01/01 ff/fe/02", or nothing */
static bool take_interfaces(const char *text, char *dst, size_t dst_bytes)
{
	if (!take_text(text, dst, dst_bytes))
		return false;
	for (const char *s = dst; *s != '\0'; s += TRIPLE_CHARS + (s[TRIPLE_CHARS] == ' ')) {
		for (int i = 0; i < TRIPLE_CHARS; i++)
			if (i % 3 == 2
				? s[i] != '/'
				: !isxdigit((unsigned char)s[i]) || isupper((unsigned char)s[i]))
				return false;
		if (s[TRIPLE_CHARS] != '\0' &&
		    (s[TRIPLE_CHARS] != ' ' || s[TRIPLE_CHARS + 1] == '\0'))
			return false;
	}
	return true;
}

static bool take_change(const char *name, enum sighting_change *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(change_names); i++)
		if (strcmp(change_names[i], name) == 0) {
			*ret = (enum sighting_change)i;
			return true;
		}
	return false;
}

/* What a sighting must say when the device is there. */
static bool is_complete(const struct tape_line *line)
{
	return line->vid && line->pid && line->bus > 0 && line->address > 0;
}

int sighting_from_json(sd_json_variant *object, enum sighting_change *ret_change,
		       struct sighting *ret_sighting)
{
	struct tape_line line = { 0 };
	struct sighting out = { 0 };
	enum sighting_change change;

	if (dispatch_line(object, &line) < 0 || line.v != 1 || strcmp(line.type, "sighting") != 0 ||
	    !take_change(line.change, &change))
		return -EBADMSG;
	if (!take_text(line.syspath, out.syspath, sizeof(out.syspath)) || out.syspath[0] != '/' ||
	    !take_text(line.port, out.port, sizeof(out.port)) ||
	    sighting_hub_depth(out.port, &out.hub_depth) < 0)
		return -EBADMSG;
	if (!take_id(line.vid, &out.vid) || !take_id(line.pid, &out.pid) ||
	    !take_number(line.bus, BUS_MAX, &out.bus) ||
	    !take_number(line.address, ADDRESS_MAX, &out.address) ||
	    !take_number(line.speed_mbps, SPEED_MAX, &out.speed_mbps) ||
	    !take_number(line.configuration, UINT8_MAX, &out.configuration) ||
	    !take_number(line.max_power_ma, POWER_MAX, &out.max_power_ma) ||
	    !take_id(line.usb_version, &out.usb_version) ||
	    !take_interfaces(line.interfaces, out.interfaces, sizeof(out.interfaces)))
		return -EBADMSG;
	if (!take_text(line.serial, out.serial, sizeof(out.serial)) ||
	    !take_text(line.product, out.product, sizeof(out.product)) ||
	    !take_text(line.manufacturer, out.manufacturer, sizeof(out.manufacturer)))
		return -EBADMSG;
	if (change != SIGHTING_GONE && !is_complete(&line))
		return -EBADMSG;
	*ret_change = change;
	*ret_sighting = out;
	return 0;
}
