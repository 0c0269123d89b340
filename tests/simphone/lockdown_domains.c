/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's values by domain: those of `ideviceinfo --help`. Key names are from general knowledge
 * of that program's output; domains that only hosts write to begin empty.
 */
#include <stdio.h>
#include <string.h>

#include "lockdown_verbs.h"

enum { SYSTEM_GB = 11, RESERVED_MB = 200 };

static void disk_usage(plist_t v, struct phone *p)
{
	const uint64_t total = p->scenario.disk_bytes, system = SYSTEM_GB * 1000000000ull;
	uint64_t data = total > system ? total - system : total;
	uint64_t free_bytes = p->files.capacity - p->files.used;

	if (free_bytes > data)
		free_bytes = data;
	dict_number(v, "AmountDataAvailable", free_bytes);
	dict_number(v, "AmountDataReserved", RESERVED_MB * 1000000ull);
	dict_number(v, "AmountRestoreAvailable", free_bytes);
	dict_number(v, "CalculateDiskUsage", 0);
	dict_text(v, "NANDInfo", "");
	dict_number(v, "TotalDataAvailable", free_bytes);
	dict_number(v, "TotalDataCapacity", data);
	dict_number(v, "TotalDiskCapacity", total);
	dict_number(v, "TotalSystemAvailable", 0);
	dict_number(v, "TotalSystemCapacity", total - data);
}

static void disk_usage_factory(plist_t v, struct phone *p)
{
	disk_usage(v, p);
	dict_number(v, "CameraUsage", 0);
	dict_number(v, "MobileApplicationUsage", 0);
	dict_number(v, "PhotoUsage", 0);
}

static void battery(plist_t v, struct phone *p)
{
	const uint64_t percent = p->scenario.battery_percent;

	dict_number(v, "BatteryCurrentCapacity", percent);
	dict_bool(v, "BatteryIsCharging", percent < 100);
	dict_bool(v, "ExternalChargeCapable", true);
	dict_bool(v, "ExternalConnected", true);
	dict_bool(v, "FullyCharged", percent >= 100);
	dict_bool(v, "GasGaugeCapability", true);
	dict_bool(v, "HasBattery", true);
}

static void setup(plist_t v, struct phone *p)
{
	dict_bool(v, "SetupDone", p->trust.setup_done);
	dict_text(v, "SetupState", p->trust.setup_done ? "SetupUsingAssistant" : "NotStarted");
	dict_number(v, "SetupVersion", p->trust.setup_done ? 11 : 0);
}

static bool is_supervised(const struct phone *p)
{
	return p->trust.rule == TRUST_MC || p->trust.rule == TRUST_MC_CHALLENGE ||
	       p->scenario.lockdown.supervised;
}

static void chaperone(plist_t v, struct phone *p)
{
	dict_bool(v, "DeviceIsChaperoned", is_supervised(p));
}

static void international(plist_t v, struct phone *p)
{
	dict_text(v, "Keyboard", "de_DE");
	dict_text(v, "Language", "en");
	dict_text(v, "Locale", "de_DE");
}

static void data_sync(plist_t v, struct phone *p)
{
	dict_bool(v, "DeviceHandlesDefaultCalendar", true);
	dict_bool(v, "DeviceSupportsClearingData", true);
}

static void tethered_sync(plist_t v, struct phone *p)
{
	static const char *const kinds[] = { "Bookmarks", "Calendars", "Contacts" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		plist_t kind = plist_new_dict();

		dict_bool(kind, "DisableTethered", false);
		dict_text(kind, "SyncingOS", "");
		plist_dict_set_item(v, kinds[i], kind);
	}
}

static void backup(plist_t v, struct phone *p)
{
	dict_bool(v, "CloudBackupEnabled", p->backup.cloud);
	dict_number(v, "LastCloudBackupTZ", 0);
	dict_bool(v, "WillEncrypt", *p->backup.password);
	dict_number(v, "Version", 4);
}

static void restriction(plist_t v, struct phone *p)
{
	dict_bool(v, "ProhibitAppDelete", false);
	dict_bool(v, "ProhibitAppInstall", false);
}

static void sync_data_class(plist_t v, struct phone *p)
{
	plist_dict_set_item(v, "SyncDataClasses", plist_new_array());
}

static void wireless(plist_t v, struct phone *p)
{
	dict_text(v, "BonjourFullServiceName", p->identity.udid);
	dict_bool(v, "EnableWifiConnections", false);
	dict_bool(v, "EnableWifiDebugging", false);
	dict_bool(v, "EnableWifiPairing", false);
	dict_bool(v, "SupportsWifi", true);
	dict_bool(v, "SupportsWifiSyncing", true);
}

static void fairplay(plist_t v, struct phone *p)
{
	dict_number(v, "FairPlayDeviceType", 0x6000);
	dict_number(v, "KeyTypeSupportVersion", 0x1cb);
}

static void itunes(plist_t v, struct phone *p)
{
	static const char *const classes[] = { "Contacts", "Calendars", "Bookmarks", "Photos" };
	plist_t list = plist_new_array(), libraries = plist_new_array();

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		plist_array_append_item(list, plist_new_string(classes[i]));
	plist_dict_set_item(v, "SyncDataClasses", list);
	plist_dict_set_item(v, "LibraryApplications", libraries);
	dict_number(v, "DBVersion", 5);
	dict_number(v, "FamilyID", 10114);
	dict_text(v, "MinITunesVersion", "12.9");
	dict_bool(v, "PodcastsSupported", true);
	dict_bool(v, "SupportsAntiPhishing", true);
	dict_bool(v, "iTunesStoreCapable", true);
}

static void fmip(plist_t v, struct phone *p)
{
	dict_bool(v, "IsAssociated", p->trust.rule == TRUST_FMIP || p->scenario.backup.find_my);
}

static void accessibility(plist_t v, struct phone *p)
{
	dict_number(v, "InvertDisplayEnabledByiTunes", 0);
	dict_number(v, "MonoAudioEnabledByiTunes", 0);
	dict_number(v, "SpeakAutoCorrectionsEnabledByiTunes", 0);
	dict_number(v, "VoiceOverTouchEnabledByiTunes", 0);
	dict_number(v, "ZoomTouchEnabledByiTunes", 0);
}

static const struct domain {
	const char *name;
	void (*fill)(plist_t values, struct phone *p); /* NULL: begins empty */
} domains[] = {
	{ "com.apple.disk_usage", disk_usage },
	{ "com.apple.disk_usage.factory", disk_usage_factory },
	{ "com.apple.mobile.battery", battery },
	{ "com.apple.iqagent", nullptr },
	{ "com.apple.purplebuddy", setup },
	{ "com.apple.PurpleBuddy", setup },
	{ "com.apple.mobile.chaperone", chaperone },
	{ "com.apple.mobile.third_party_termination", nullptr },
	{ "com.apple.mobile.lockdownd", nullptr },
	{ "com.apple.mobile.lockdown_cache", nullptr },
	{ "com.apple.xcode.developerdomain", nullptr },
	{ "com.apple.international", international },
	{ "com.apple.mobile.data_sync", data_sync },
	{ "com.apple.mobile.tethered_sync", tethered_sync },
	{ "com.apple.mobile.mobile_application_usage", nullptr },
	{ "com.apple.mobile.backup", backup },
	{ "com.apple.mobile.nikita", nullptr },
	{ "com.apple.mobile.restriction", restriction },
	{ "com.apple.mobile.user_preferences", nullptr },
	{ "com.apple.mobile.sync_data_class", sync_data_class },
	{ "com.apple.mobile.software_behavior", nullptr },
	{ "com.apple.mobile.iTunes.SQLMusicLibraryPostProcessCommands", nullptr },
	{ "com.apple.mobile.iTunes.accessories", nullptr },
	{ "com.apple.mobile.internal", nullptr },
	{ "com.apple.mobile.wireless_lockdown", wireless },
	{ "com.apple.fairplay", fairplay },
	{ "com.apple.iTunes", itunes },
	{ "com.apple.mobile.iTunes.store", nullptr },
	{ "com.apple.mobile.iTunes", itunes },
	{ "com.apple.fmip", fmip },
	{ "com.apple.Accessibility", accessibility },
};

plist_t domain_values(struct phone *p, const char *domain)
{
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		plist_t values;

		if (strcmp(domains[i].name, domain) != 0)
			continue;
		values = plist_new_dict();
		if (domains[i].fill)
			domains[i].fill(values, p);
		return values;
	}
	return nullptr;
}
