/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lockdown.h"
#include "phone.h"

/* What a real phone (iOS 14) lets a trusted host read besides: a stranger gets GetProhibited. */
static const char *const trusted_only[] = {
	"ActivationState", "ActivationStateAcknowledged",
	"BasebandVersion", "BluetoothAddress",
	"BrickState",      "FirmwareVersion",
	"HostAttached",    "InternationalMobileEquipmentIdentity",
	"MLBSerialNumber", "ModelNumber",
	"NonVolatileRAM",  "PasswordProtected",
	"PhoneNumber",     "RegionInfo",
	"SerialNumber",    "TimeIntervalSince1970",
	"TimeZone",        "TrustedHostAttached",
	"UseRaptorCerts",  "ApNonce",
	"SEPNonce",
};

/*
 * RSA-2048, PKCS#1. Its private half was thrown away: a host makes its certificate with it, and no
 * session is ever opened with that.
 */
static const char public_key[] =
#include "public_key.inc"
    ;

static const char *arch_of(const struct model *m)
{
	return m->cpid >= 0x8020 ? "arm64e" : "arm64";
}

static void wifi_address(const struct phone *p, char *to, size_t room)
{
	uint64_t e = p->identity.ecid;

	snprintf(to, room, "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(e >> 40 & 0xff),
		 (unsigned)(e >> 24 & 0xff), (unsigned)(e >> 16 & 0xff), (unsigned)(e >> 8 & 0xff),
		 (unsigned)(e & 0xff));
}

/* With the hyphen of the short form, as every layer above USB writes it. */
static void udid_with_hyphen(const struct phone *p, char *to, size_t room)
{
	const char *udid = p->identity.udid;

	if (strlen(udid) == 24)
		snprintf(to, room, "%.8s-%s", udid, udid + 8);
	else
		snprintf(to, room, "%s", udid);
}

static void add_text(plist_t dict, const char *key, const char *text)
{
	plist_dict_set_item(dict, key, plist_new_string(text));
}

static void add_number(plist_t dict, const char *key, uint64_t number)
{
	plist_dict_set_item(dict, key, plist_new_uint(number));
}

plist_t lockdown_hardware_model(const struct phone *p)
{
	char text[16];

	snprintf(text, sizeof(text), "%s", p->identity.model->board);
	text[0] = (char)(text[0] >= 'a' ? text[0] - 'a' + 'A' : text[0]);
	text[strlen(text) - 2] = 'A';
	text[strlen(text) - 1] = 'P';
	return plist_new_string(text);
}

plist_t lockdown_values(const struct phone *p)
{
	const struct model *m = p->identity.model;
	const struct scenario *s = &p->scenario;
	plist_t values = plist_new_dict(), families = plist_new_array();
	char text[64];

	add_number(values, "BoardId", m->bdid);
	add_text(values, "BuildVersion", *s->build ? s->build : m->build);
	add_text(values, "CPUArchitecture", arch_of(m));
	add_number(values, "ChipID", m->cpid);
	add_text(values, "DeviceClass", m->kind);
	add_text(values, "DeviceColor", "1");
	add_text(values, "DeviceName", s->name);
	add_number(values, "DieID", p->identity.ecid);
	plist_dict_set_item(values, "HardwareModel", lockdown_hardware_model(p));
	plist_dict_set_item(values, "HasSiDP", plist_new_bool(1));
	add_text(values, "PartitionType", "GUID_partition_scheme");
	add_text(values, "ProductName", strcmp(m->kind, "iPad") ? "iPhone OS" : "iPad OS");
	add_text(values, "ProductType", m->product);
	add_text(values, "ProductVersion", *s->version ? s->version : m->version);
	plist_dict_set_item(values, "ProductionSOC", plist_new_bool(1));
	add_text(values, "ProtocolVersion", "2");
	plist_array_append_item(families, plist_new_uint(strcmp(m->kind, "iPad") ? 1 : 2));
	plist_dict_set_item(values, "SupportedDeviceFamilies", families);
	plist_dict_set_item(values, "TelephonyCapability",
			    plist_new_bool(!strcmp(m->kind, "iPhone")));
	add_number(values, "UniqueChipID", p->identity.ecid);
	udid_with_hyphen(p, text, sizeof(text));
	add_text(values, "UniqueDeviceID", text);
	wifi_address(p, text, sizeof(text));
	add_text(values, "WiFiAddress", text);
	return values;
}

plist_t lockdown_value(const struct phone *p, const char *key, bool *ret_prohibited)
{
	plist_t values, value;

	*ret_prohibited = false;
	if (!strcmp(key, "DevicePublicKey")) /* by name only */
		return plist_new_data(public_key, strlen(public_key));
	values = lockdown_values(p);
	value = plist_copy(plist_dict_get_item(values, key));
	plist_free(values);
	for (size_t i = 0; i < sizeof(trusted_only) / sizeof(trusted_only[0]); i++)
		*ret_prohibited |= !strcmp(trusted_only[i], key);
	return value;
}
