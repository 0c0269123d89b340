/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's values without a domain. Key sets: a stranger's of iOS 13 and 14, a trusted host's of
 * an iPhone 7 with iOS 13.3 (ideviceinfo's output in public). Numbers of single parts (baseband,
 * main board, Bluetooth) are made up from the ECID.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lockdown.h"
#include "lockdown_evil.h"
#include "lockdown_verbs.h"
#include "pair_record.h"
#include "text.h"

static bool is_ipad(const struct model *m)
{
	return !strcmp(m->kind, "iPad");
}

/* Every iPhone, and iPads that say so in their name. */
static bool has_baseband(const struct model *m)
{
	return !strcmp(m->kind, "iPhone") || strstr(m->name, "Cellular");
}

static const char *arch_of(const struct model *m)
{
	return m->cpid >= 0x8020 ? "arm64e" : "arm64";
}

static void dict_mac(plist_t dict, const char *key, const struct phone *p, unsigned last)
{
	uint64_t e = p->identity.ecid;
	char text[32];

	snprintf(text, sizeof(text), "02:%02x:%02x:%02x:%02x:%02x", (unsigned)(e >> 40 & 0xff),
		 (unsigned)(e >> 24 & 0xff), (unsigned)(e >> 16 & 0xff), (unsigned)(e >> 8 & 0xff),
		 (unsigned)((e + last) & 0xff));
	dict_text(dict, key, text);
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

plist_t lockdown_hardware_model(const struct phone *p)
{
	char text[16];

	snprintf(text, sizeof(text), "%s", p->identity.model->board);
	text[0] = (char)(text[0] >= 'a' ? text[0] - 'a' + 'A' : text[0]);
	text[strlen(text) - 2] = 'A';
	text[strlen(text) - 1] = 'P';
	return plist_new_string(text);
}

/* ---- the baseband ---- */

enum { BASEBAND_CERT_ID = 2315222105, BASEBAND_CHIP_ID = 9781473 };

static void dict_baseband_serial(plist_t dict, const char *key, const struct phone *p)
{
	uint8_t serial[4];

	put_le32(serial, (uint32_t)p->identity.ecid);
	dict_data(dict, key, serial, sizeof(serial));
}

static void baseband_for_strangers(plist_t values, const struct phone *p)
{
	static const uint8_t hash[32];
	plist_t keys = plist_new_dict();

	dict_number(values, "BasebandCertId", BASEBAND_CERT_ID);
	dict_number(keys, "AKeyStatus", 2);
	dict_data(keys, "SKeyHash", hash, sizeof(hash));
	dict_number(keys, "SKeyStatus", 0);
	plist_dict_set_item(values, "BasebandKeyHashInformation", keys);
	dict_baseband_serial(values, "BasebandSerialNumber", p);
	dict_text(values, "BasebandVersion", "7.60.01");
}

static void baseband_for_trusted(plist_t values, const struct phone *p)
{
	plist_t bundles = plist_new_array(), bundle = plist_new_dict();

	dict_text(values, "BasebandActivationTicketVersion", "V2");
	dict_number(values, "BasebandChipID", BASEBAND_CHIP_ID);
	dict_text(values, "BasebandStatus", "BBInfoAvailable");
	dict_text(bundle, "CFBundleIdentifier", "com.apple.Example_xx");
	dict_text(bundle, "CFBundleVersion", "40.0.1");
	dict_text(bundle, "MCC", "001");
	dict_text(bundle, "MNC", "01");
	dict_text(bundle, "Slot", "kOne");
	dict_text(bundle, "kCTPostponementInfoAvailable", "SIMCarrierInfo");
	plist_array_append_item(bundles, bundle);
	plist_dict_set_item(values, "CarrierBundleInfoArray", bundles);
	dict_number(values, "CertID", BASEBAND_CERT_ID);
	dict_text(values, "InternationalMobileEquipmentIdentity",
		  *p->identity.imei ? p->identity.imei : "000000000000000");
	dict_text(values, "SIMStatus", "kCTSIMSupportSIMStatusReady");
}

/* What a host sends on to Apple for the baseband's ticket. */
static plist_t baseband_preflight(const struct phone *p)
{
	plist_t info = plist_new_dict();
	uint8_t nonce[20];

	if (!has_baseband(p->identity.model)) {
		plist_free(info);
		return nullptr;
	}
	for (unsigned i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(p->identity.ecid >> i % 8 * 8) ^ (uint8_t)(i * 37);
	dict_number(info, "CertID", BASEBAND_CERT_ID);
	dict_number(info, "ChipID", BASEBAND_CHIP_ID);
	dict_baseband_serial(info, "ChipSerialNo", p);
	dict_number(info, "FusingStatus", 3);
	dict_data(info, "Nonce", nonce, sizeof(nonce));
	return info;
}

/* ---- lists ---- */

plist_t root_stranger_values(struct phone *p)
{
	const struct model *m = p->identity.model;
	plist_t values = plist_new_dict(), families = plist_new_array();
	char udid[64];

	if (has_baseband(m))
		baseband_for_strangers(values, p);
	dict_number(values, "BoardId", m->bdid);
	dict_text(values, "BuildVersion", p->system.build);
	dict_text(values, "CPUArchitecture", arch_of(m));
	dict_number(values, "ChipID", m->cpid);
	dict_text(values, "DeviceClass", m->kind);
	dict_text(values, "DeviceColor", "1");
	plist_dict_set_item(values, "DeviceName", evil_name(p));
	dict_number(values, "DieID", p->identity.ecid);
	plist_dict_set_item(values, "HardwareModel", lockdown_hardware_model(p));
	dict_bool(values, "HasSiDP", p->scenario.lockdown.has_sidp);
	dict_text(values, "PartitionType", "GUID_partition_scheme");
	/* iPads too call their system so here */
	dict_text(values, "ProductName", "iPhone OS");
	dict_text(values, "ProductType", m->product);
	dict_text(values, "ProductVersion", p->system.version);
	dict_bool(values, "ProductionSOC", true);
	dict_text(values, "ProtocolVersion", "2");
	plist_array_append_item(families, plist_new_uint(1));
	if (is_ipad(m))
		plist_array_append_item(families, plist_new_uint(2));
	plist_dict_set_item(values, "SupportedDeviceFamilies", families);
	dict_bool(values, "TelephonyCapability", has_baseband(m));
	dict_number(values, "UniqueChipID", p->identity.ecid);
	udid_with_hyphen(p, udid, sizeof(udid));
	dict_text(values, "UniqueDeviceID", udid);
	if (*p->trust.untrusted_buid)
		dict_text(values, "UntrustedHostBUID", p->trust.untrusted_buid);
	dict_mac(values, "WiFiAddress", p, 0);
	return values;
}

static void numbers_of_parts(plist_t values, const struct phone *p)
{
	char text[32];

	dict_mac(values, "BluetoothAddress", p, 1);
	dict_mac(values, "EthernetAddress", p, 2);
	dict_text(values, "FirmwareVersion", p->identity.model->iboot);
	dict_number(values, "FusingStatus", 3);
	snprintf(text, sizeof(text), "t%04x", p->identity.model->cpid);
	dict_text(values, "HardwarePlatform", text);
	snprintf(text, sizeof(text), "F%016" PRIX64, p->identity.ecid);
	dict_text(values, "MLBSerialNumber", text);
	snprintf(text, sizeof(text), "M%04X", (unsigned)(p->identity.ecid & 0xffff));
	dict_text(values, "ModelNumber", text);
	dict_text(values, "RegionInfo", "LL/A");
	dict_text(values, "SerialNumber", p->identity.serial);
	dict_text(values, "SoftwareBundleVersion", "");
	dict_bool(values, "UseRaptorCerts", true);
}

static void state_of_system(plist_t values, struct phone *p)
{
	const struct settings *s = &p->settings;
	bool activated = !p->scenario.lockdown.unactivated && !s->deactivated;
	const char *activation = p->scenario.lockdown.activation;
	const char *auto_boot = recovery_auto_boot(&p->recovery) ? "true" : "false";
	plist_t nvram = plist_new_dict();

	if (!*activation)
		activation = activated ? "Activated" : "Unactivated";
	dict_text(values, "ActivationState", activation);
	dict_bool(values, "ActivationStateAcknowledged", activated);
	dict_bool(values, "BrickState", !activated);
	dict_bool(values, "HostAttached", true);
	dict_data(nvram, "auto-boot", auto_boot, strlen(auto_boot));
	dict_data(nvram, "boot-args", "", 0);
	plist_dict_set_item(values, "NonVolatileRAM", nvram);
	dict_bool(values, "PasswordProtected", p->trust.locked);
	plist_dict_set_item(values, "TimeIntervalSince1970", plist_new_real(settings_now(s)));
	dict_text(values, "TimeZone", "Europe/Berlin");
	plist_dict_set_item(values, "TimeZoneOffsetFromUTC", plist_new_real(3600));
	dict_bool(values, "TrustedHostAttached", true);
	dict_bool(values, "Uses24HourClock", true);
}

plist_t root_trusted_values(struct phone *p)
{
	plist_t values = root_stranger_values(p);

	if (has_baseband(p->identity.model))
		baseband_for_trusted(values, p);
	else
		dict_text(values, "BasebandStatus", "NoTelephonyCapabilty"); /* Apple's spelling */
	numbers_of_parts(values, p);
	state_of_system(values, p);
	return values;
}

/* ---- by name only ---- */

/* The nonce that a host reads now is the one that iBoot shows at the next boot: the host's ticket
 * is made for it. */
static plist_t ap_nonce(struct phone *p)
{
	identity_keep_nonces(&p->identity);
	return plist_new_data((const char *)p->identity.ap_nonce,
			      identity_nonce_bytes(&p->identity));
}

static plist_t sep_nonce(struct phone *p)
{
	uint8_t none[SEP_NONCE_BYTES];

	/* from the iPhone 16 on only ApParameters knows it (idevicerestore issue 683) */
	if (p->identity.model->cpid >= 0x8140) {
		memset(none, 0xff, sizeof(none));
		return plist_new_data((const char *)none, sizeof(none));
	}
	identity_keep_nonces(&p->identity);
	return plist_new_data((const char *)p->identity.sep_nonce, SEP_NONCE_BYTES);
}

static plist_t ap_parameters(struct phone *p)
{
	plist_t parameters = plist_new_dict();

	plist_dict_set_item(parameters, "ApNonce", ap_nonce(p));
	plist_dict_set_item(parameters, "SepNonce",
			    plist_new_data((const char *)p->identity.sep_nonce, SEP_NONCE_BYTES));
	return parameters;
}

static plist_t public_key(struct phone *p)
{
	return evil_public_key(p);
}

static plist_t image4_supported(struct phone *p)
{
	return plist_new_bool(true); /* since A7 */
}

static plist_t preflight_info(struct phone *p)
{
	return baseband_preflight(p);
}

/* For strangers too: idevicerestore asks without a session, and its logs of real phones hold the
 * answers. */
static const struct named_value {
	const char *key;
	plist_t (*make)(struct phone *p);
} named_values[] = {
	{ "DevicePublicKey", public_key },
	{ "Image4Supported", image4_supported },
	{ "ApNonce", ap_nonce },
	{ "SEPNonce", sep_nonce },
	{ "ApParameters", ap_parameters },
	{ "FirmwarePreflightInfo", preflight_info },
	{ "PreflightInfo", preflight_info },
};

plist_t root_named_value(struct phone *p, const char *key)
{
	for (size_t i = 0; i < sizeof(named_values) / sizeof(named_values[0]); i++) {
		if (strcmp(named_values[i].key, key) != 0)
			continue;
		return named_values[i].make(p);
	}
	return nullptr;
}
