/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/cleanup.h"
#include "base/text.h"
#include "phone/fleet.h"
#include <stdio.h>
#include <string.h>

/* What a person wrote, read in every way that its form allows. */
struct wanted {
	bool as_ecid, as_udid, as_port, as_name;
	uint64_t ecid;
	char udid[UDID_BYTES];
	const char *text; /* port or name */
};

static bool read_ecid(const char *text, uint64_t *ret)
{
	if (strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0)
		text += 2;
	return text_parse_hex(text, strlen(text), ret) == 0 && *ret != 0;
}

static bool is_port(const char *text)
{
	unsigned depth;

	return sighting_hub_depth(text, &depth) == 0;
}

/* Returns false if the text has a prefix of ours and not the form that belongs to it. */
static bool read_wanted(const char *text, struct wanted *ret)
{
	struct wanted out = { 0 };
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	const char *value = colon ? colon + 1 : text;
	bool well_formed = true;

	if (n == 4 && strncmp(text, "ecid", n) == 0)
		well_formed = out.as_ecid = read_ecid(value, &out.ecid);
	else if (n == 4 && strncmp(text, "udid", n) == 0)
		well_formed = out.as_udid = udid_from_serial(value, out.udid) == 0;
	else if (n == 4 && strncmp(text, "port", n) == 0)
		well_formed = out.as_port = is_port(value);
	else if (n == 4 && strncmp(text, "name", n) == 0)
		well_formed = out.as_name = *value != '\0';
	else {
		value = text;
		out.as_ecid = read_ecid(text, &out.ecid);
		out.as_udid = udid_from_serial(text, out.udid) == 0;
		out.as_port = is_port(text);
		out.as_name = true;
		well_formed = *text != '\0';
	}
	out.text = value;
	*ret = out;
	return well_formed;
}

static bool fits_id(const struct phone *phone, const struct wanted *wanted)
{
	return (wanted->as_ecid && phone->identity.ecid == wanted->ecid) ||
	       (wanted->as_udid && strcmp(phone->identity.udid, wanted->udid) == 0) ||
	       (wanted->as_port && phone->on_bus &&
		strcmp(phone->sighting.port, wanted->text) == 0);
}

/* A phone that is not on the bus but expected back at its port. */
static bool fits_empty_port(const struct phone *phone, const struct wanted *wanted)
{
	return wanted->as_port && strcmp(phone->sighting.port, wanted->text) == 0;
}

static bool fits_name(const struct phone *phone, const struct wanted *wanted)
{
	const char *label = identity_label(&phone->identity);

	return wanted->as_name && label && text_equal_fold(label, wanted->text);
}

typedef bool (*fits_fn)(const struct phone *phone, const struct wanted *wanted);

static size_t find_fitting(const struct fleet *fleet, fits_fn fits, const struct wanted *wanted,
			   const struct phone *ret[FLEET_PHONES_MAX])
{
	const struct phone *phone;
	size_t count = 0;

	for (size_t i = 0; (phone = fleet_at(fleet, i)); i++)
		if (fits(phone, wanted))
			ret[count++] = phone;
	return count;
}

static int set_ambiguous(struct error *err, const char *wanted, const struct phone *const *phones,
			 size_t count)
{
	char keys[ERROR_TEXT_BYTES] = "", key[PHONE_KEY_BYTES];
	size_t used = 0;

	for (size_t i = 0; i < count && used + PHONE_KEY_BYTES < sizeof(keys); i++) {
		phone_key(phones[i], key);
		used += (size_t)snprintf(keys + used, sizeof(keys) - used, "%s%s",
					 i > 0 ? ", " : "", key);
	}
	return error_set(err, ERROR_AMBIGUOUS, "service", 0, "%zu phones fit \"%.40s\": %s", count,
			 wanted, keys);
}

/* The strongest reading that fits any phone is taken. ret holds FLEET_PHONES_MAX. */
static size_t find_strongest(const struct fleet *fleet, const struct wanted *wanted,
			     const struct phone **ret)
{
	static const fits_fn readings[] = { fits_id, fits_empty_port, fits_name };
	size_t count = 0;

	for (size_t i = 0; count == 0 && i < ARRAY_LEN(readings); i++)
		count = find_fitting(fleet, readings[i], wanted, ret);
	return count;
}

size_t fleet_match(const struct fleet *fleet, const char *wanted, const struct phone **ret,
		   size_t max)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	struct wanted read;
	size_t count;

	if (!read_wanted(wanted, &read))
		return 0;
	count = find_strongest(fleet, &read, phones);
	for (size_t i = 0; i < count && i < max; i++)
		ret[i] = phones[i];
	return count;
}

int fleet_find(const struct fleet *fleet, const char *wanted, const struct phone **ret,
	       struct error *err)
{
	const struct phone *phones[FLEET_PHONES_MAX];
	struct wanted read;
	size_t count;

	if (!read_wanted(wanted, &read))
		return error_set(
		    err, ERROR_USAGE, "service", 0,
		    "\"%.80s\" names no phone: write ecid:0x…, udid:…, port:1-2 or name:…", wanted);
	count = find_strongest(fleet, &read, phones);
	if (count > 1)
		return set_ambiguous(err, wanted, phones, count);
	if (count == 0)
		return error_set(err, ERROR_NO_PHONE, "service", 0, "no phone fits \"%.80s\"",
				 wanted);
	*ret = phones[0];
	return 0;
}
