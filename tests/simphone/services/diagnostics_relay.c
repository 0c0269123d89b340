/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "services/diagnostics_relay.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "plist_stream.h"
#include "text.h"

enum { DESIGN_MAH = 3227, VOLTAGE_MV = 3987, TEMPERATURE_CENTI = 2810 };

struct diagnostics {
	struct plist_stream plist; /* first */
	struct phone *phone;
};

/* An answer: its Status, and what is under Diagnostics (NULL: nothing). */
struct result {
	const char *status;
	plist_t found;
};

static void add_number(plist_t dict, const char *key, uint64_t number)
{
	plist_dict_set_item(dict, key, plist_new_uint(number));
}

static unsigned full_charge(const struct phone *p)
{
	return DESIGN_MAH * (unsigned)p->scenario.battery_health_percent / 100;
}

/* ---- power ---- */

/* With WaitForDisconnect the phone goes when the host has closed the connection or said Goodbye;
 * both come at once, so the time for the answer is enough. */
static struct result restart(struct diagnostics *d, plist_t request)
{
	phone_restart_after(d->phone, PHONE_SHUTDOWN_MS, "diagnostics_relay");
	return (struct result){ "Success", nullptr };
}

static struct result power_off(struct diagnostics *d, plist_t request)
{
	phone_power_off(d->phone, PHONE_SHUTDOWN_MS, "diagnostics_relay");
	return (struct result){ "Success", nullptr };
}

static struct result sleep_screen(struct diagnostics *d, plist_t request)
{
	return (struct result){ "Success", nullptr };
}

/* ---- figures ---- */

static plist_t gas_gauge(const struct phone *p)
{
	plist_t gauge = plist_new_dict();

	add_number(gauge, "CycleCount", p->scenario.battery_cycles);
	add_number(gauge, "DesignCapacity", DESIGN_MAH);
	add_number(gauge, "FullChargeCapacity", full_charge(p));
	plist_dict_set_item(gauge, "Status", plist_new_string("Success"));
	return gauge;
}

static plist_t wifi(const struct phone *p)
{
	plist_t dict = plist_new_dict();

	plist_dict_set_item(dict, "Active", plist_new_bool(1));
	plist_dict_set_item(dict, "Status", plist_new_string("Success"));
	return dict;
}

static plist_t nand(const struct phone *p)
{
	plist_t dict = plist_new_dict();

	add_number(dict, "TotalBytes", p->scenario.disk_bytes);
	plist_dict_set_item(dict, "Status", plist_new_string("Success"));
	return dict;
}

static struct result figures(struct diagnostics *d, plist_t request)
{
	static const struct {
		const char *name;
		plist_t (*make)(const struct phone *p);
	} kinds[] = { { "GasGauge", gas_gauge }, { "WiFi", wifi }, { "NAND", nand } };
	const char *wanted = plist_text(request, "Request");
	plist_t found = plist_new_dict();

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(wanted, "All") || !strcmp(wanted, kinds[i].name))
			plist_dict_set_item(found, kinds[i].name, kinds[i].make(d->phone));
	return (struct result){ "Success", found };
}

static plist_t battery_entry(const struct phone *p)
{
	unsigned full = full_charge(p);
	plist_t dict = plist_new_dict();

	add_number(dict, "AppleRawCurrentCapacity",
		   full * (unsigned)p->scenario.battery_percent / 100);
	add_number(dict, "AppleRawMaxCapacity", full);
	add_number(dict, "CurrentCapacity", p->scenario.battery_percent);
	add_number(dict, "CycleCount", p->scenario.battery_cycles);
	add_number(dict, "DesignCapacity", DESIGN_MAH);
	plist_dict_set_item(dict, "ExternalConnected", plist_new_bool(1));
	plist_dict_set_item(dict, "FullyCharged",
			    plist_new_bool(p->scenario.battery_percent >= 100));
	plist_dict_set_item(dict, "InstantAmperage", plist_new_int(420));
	plist_dict_set_item(dict, "IsCharging", plist_new_bool(p->scenario.battery_percent < 100));
	add_number(dict, "MaxCapacity", 100);
	plist_dict_set_item(dict, "Serial", plist_new_string("F8Y1234500QP0XXAA"));
	add_number(dict, "Temperature", TEMPERATURE_CENTI);
	add_number(dict, "Voltage", VOLTAGE_MV);
	return dict;
}

static plist_t platform_entry(const struct phone *p)
{
	plist_t dict = plist_new_dict();

	plist_dict_set_item(dict, "IOPlatformSerialNumber", plist_new_string(p->identity.serial));
	plist_dict_set_item(dict, "model", plist_new_string(p->identity.model->product));
	plist_dict_set_item(dict, "target-type", plist_new_string(p->identity.model->board));
	return dict;
}

static struct result registry(struct diagnostics *d, plist_t request)
{
	static const struct {
		const char *name, *class;
		plist_t (*make)(const struct phone *p);
	} entries[] = {
		{ "AppleSmartBattery", "AppleSmartBattery", battery_entry },
		{ "AppleARMPMUCharger", "IOPMPowerSource", battery_entry },
		{ "IOPlatformExpertDevice", "IOPlatformExpertDevice", platform_entry },
	};
	const char *name = plist_text(request, "EntryName");
	const char *class = plist_text(request, "EntryClass");
	const char *plane = plist_text(request, "CurrentPlane");
	plist_t found = plist_new_dict();
	bool any = false;

	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (!plane && (!name || strcmp(name, entries[i].name)) &&
		    (!class || strcmp(class, entries[i].class)))
			continue;
		any = true;
		/* a plane is a tree of entries, one entry is itself */
		if (plane) {
			plist_dict_set_item(found, entries[i].name, entries[i].make(d->phone));
			continue;
		}
		plist_dict_set_item(found, "IORegistry", entries[i].make(d->phone));
		break;
	}
	if (plane) {
		plist_t tree = plist_new_dict();

		plist_dict_set_item(tree, "IORegistry", found);
		found = tree;
	}
	if (any)
		return (struct result){ "Success", found };
	plist_free(found);
	return (struct result){ "Failure", nullptr };
}

/* From iOS 17.4 on the phone tells nobody: every key says MobileGestaltDeprecated. */
static struct result gestalt(struct diagnostics *d, plist_t request)
{
	bool deprecated = version_at_least(d->phone->system.version, 17, 4);
	plist_t keys = plist_dict_get_item(request, "MobileGestaltKeys");
	plist_t inner = plist_new_dict(), found = plist_new_dict();
	uint32_t count =
	    keys && plist_get_node_type(keys) == PLIST_ARRAY ? plist_array_get_size(keys) : 0;

	plist_dict_set_item(inner, "Status",
			    plist_new_string(deprecated ? "MobileGestaltDeprecated" : "Success"));
	for (uint32_t i = 0; i < count && !deprecated; i++) {
		plist_t key = plist_array_get_item(keys, i);
		const char *name = plist_get_node_type(key) == PLIST_STRING
				       ? plist_get_string_ptr(key, nullptr)
				       : "";

		if (!strcmp(name, "ProductType"))
			plist_dict_set_item(inner, name,
					    plist_new_string(d->phone->identity.model->product));
		else if (!strcmp(name, "SerialNumber"))
			plist_dict_set_item(inner, name,
					    plist_new_string(d->phone->identity.serial));
		else if (!strcmp(name, "ProductVersion"))
			plist_dict_set_item(inner, name,
					    plist_new_string(d->phone->system.version));
	}
	plist_dict_set_item(found, "MobileGestalt", inner);
	return (struct result){ "Success", found };
}

/* ---- requests ---- */

static const struct {
	const char *name;
	struct result (*run)(struct diagnostics *d, plist_t request);
} requests[] = {
	{ "Restart", restart }, { "Shutdown", power_off },    { "Sleep", sleep_screen },
	{ "All", figures },     { "GasGauge", figures },      { "WiFi", figures },
	{ "NAND", figures },    { "MobileGestalt", gestalt }, { "IORegistry", registry },
};

static void diagnostics_take(struct plist_stream *s, plist_t request)
{
	struct diagnostics *d = (struct diagnostics *)s;
	const char *name = plist_text(request, "Request");
	struct result result = { "UnknownRequest", nullptr };
	plist_t reply;

	if (name && !strcmp(name, "Goodbye")) {
		reply = plist_new_dict();
		plist_dict_set_item(reply, "Status", plist_new_string("Success"));
		plist_stream_send(s, reply);
		plist_stream_close(s);
		return;
	}
	for (size_t i = 0; name && i < sizeof(requests) / sizeof(requests[0]); i++)
		if (!strcmp(requests[i].name, name))
			result = requests[i].run(d, request);
	reply = plist_new_dict();
	plist_dict_set_item(reply, "Status", plist_new_string(result.status));
	if (result.found)
		plist_dict_set_item(reply, "Diagnostics", result.found);
	plist_stream_send(s, reply);
}

static void diagnostics_free(struct service *service)
{
	struct diagnostics *d = (struct diagnostics *)service;

	plist_stream_done(&d->plist);
	free(d);
}

struct service *diagnostics_relay_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { plist_stream_feed, diagnostics_free };
	struct diagnostics *d = calloc(1, sizeof(*d));

	if (!d)
		die("out of memory");
	*d = (struct diagnostics){ .plist = { .service = { &class, *stream },
					      .take = diagnostics_take },
				   .phone = phone };
	return &d->plist.service;
}
