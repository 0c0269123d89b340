/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The methods that look for what is wrong, and the lights of every phone that is told of. Findings
 * and lights are made anew from the same circumstances each time; only what the watchers were told
 * of the lights is remembered, so that a change is told whatever brought it about: the phone,
 * usbmuxd, the kernel, or an answer.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "doctor/lights.h"
#include "service/server_parts.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 2025-01-01: this program is younger, so a clock before that is wrong (1970, 2000 … are what a
 * computer without a clock battery starts with). */
static const uint64_t CLOCK_FLOOR_MS = UINT64_C(1735689600000);

struct told_lights {
	unsigned phone_id;
	struct light_seen lights[LIGHT_MAX];
};

/* --- circumstances --------------------------------------------------------------------------- */

/* All phones that are here, and what follows from all of them together. */
struct around {
	const struct phone *phones[FLEET_PHONES_MAX];
	size_t count;
	const char *ports[FLEET_PHONES_MAX]; /* of those on the bus */
	size_t ports_count;
	const struct error *store_problem; /* why a record could not be stored, NULL none */
	unsigned well;                     /* phones on the bus that trust this computer */
};

static void around_look(const struct server *server, struct around *ret)
{
	ret->count = fleet_all(server->options.fleet, ret->phones);
	ret->ports_count = ret->well = 0;
	ret->store_problem = NULL;
	for (size_t i = 0; i < ret->count; i++) {
		const struct phone *phone = ret->phones[i];

		if (phone->detail == DETAIL_RECORD_UNWRITABLE)
			ret->store_problem = &phone->trust_reason;
		if (!phone->on_bus)
			continue;
		ret->ports[ret->ports_count++] = phone->sighting.port;
		ret->well += phone->trust == TRUST_TRUSTED;
	}
}

/* What is known beside the phone itself (NULL: of the computer). `around` must outlive *ret. */
static void circumstances_see(const struct server *server, const struct phone *phone,
			      const struct around *around, struct circumstances *ret)
{
	bool here = phone && phone->on_bus;

	*ret = (struct circumstances){
		.phone = phone,
		.problem = phone ? asker_problem(server->options.asker, phone) : NULL,
		.mux_up = server->mux_up,
		.mux_unknown = !server->mux_known,
		.mux_problem = server->mux_problem.kind != ERROR_NONE ? &server->mux_problem : NULL,
		.troubles = server->troubles,
		.kernel_read = server->kernel_read,
		.clock_wrong = clock_wall_ms() < CLOCK_FLOOR_MS,
		.others = (unsigned)around->ports_count - here,
		.others_well = around->well - (here && phone->trust == TRUST_TRUSTED),
		.ports = around->ports,
		.ports_count = around->ports_count,
		.record_store_bad = around->store_problem != NULL,
		.store_problem = around->store_problem,
	};
}

static void lights_look(const struct server *server, const struct phone *phone,
			const struct around *around, struct light_seen ret[static LIGHT_MAX])
{
	struct circumstances seen;

	circumstances_see(server, phone, around, &seen);
	lights_see(&seen, ret);
}

/* --- lights ---------------------------------------------------------------------------------- */

static int build(const struct phone *phone, const struct light_seen *lights, sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	int r = phone_to_json(phone, &object);

	if (r >= 0)
		r = lights_to_json(lights, &object);
	if (r < 0)
		return r;
	*ret = TAKE(object);
	return 0;
}

int phone_build(const struct server *server, const struct phone *phone, sd_json_variant **ret)
{
	struct light_seen lights[LIGHT_MAX];
	struct around around;

	around_look(server, &around);
	lights_look(server, phone, &around, lights);
	return build(phone, lights, ret);
}

static struct told_lights *told_find(const struct server *server, unsigned phone_id)
{
	for (size_t i = 0; i < server->told_count; i++)
		if (server->told[i].phone_id == phone_id)
			return &server->told[i];
	return NULL;
}

/* NULL without memory: then the phone is told of once too often. */
static struct told_lights *told_add(struct server *server, unsigned phone_id)
{
	struct told_lights *grown =
	    reallocarray(server->told, server->told_count + 1, sizeof(*grown));

	if (!grown)
		return NULL;
	server->told = grown;
	grown += server->told_count++;
	*grown = (struct told_lights){ .phone_id = phone_id };
	return grown;
}

int phone_tell(struct server *server, const struct phone *phone, bool gone, sd_json_variant **ret)
{
	struct told_lights *told = told_find(server, phone->id);
	struct around around;

	if (!told && !gone)
		told = told_add(server, phone->id);
	if (gone && told)
		*told = server->told[--server->told_count];
	if (gone || !told)
		return phone_build(server, phone, ret);
	around_look(server, &around);
	lights_look(server, phone, &around, told->lights);
	return build(phone, told->lights, ret);
}

static bool lights_differ(const struct light_seen *a, const struct light_seen *b)
{
	for (int light = 0; light < LIGHT_MAX; light++)
		if (a[light].state != b[light].state ||
		    strcmp(a[light].evidence, b[light].evidence) != 0)
			return true;
	return false;
}

void server_review(struct server *server)
{
	struct around around;

	around_look(server, &around);
	for (size_t i = 0; i < around.count; i++) {
		const struct phone *phone = around.phones[i];
		const struct told_lights *told = told_find(server, phone->id);
		struct light_seen lights[LIGHT_MAX];

		if (!told)
			continue;
		lights_look(server, phone, &around, lights);
		if (lights_differ(lights, told->lights))
			server_fleet_event(server, FLEET_CHANGED, phone);
	}
}

void server_kernel(struct server *server, const struct troubles *troubles, bool read)
{
	server->troubles = troubles;
	server->kernel_read = read;
}

/* --- findings -------------------------------------------------------------------------------- */

static int findings_build(const struct server *server, const struct phone *phone, enum said said,
			  sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	struct finding findings[FINDINGS_MAX];
	struct circumstances seen;
	struct around around;
	size_t count;
	int r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);

	around_look(server, &around);
	circumstances_see(server, phone, &around, &seen);
	seen.said = said;
	count = diagnose(&seen, findings);
	for (size_t i = 0; r >= 0 && i < count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

		r = finding_to_json(&findings[i], phone, &object);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, object);
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r;
}

static int diagnosis_add(const struct server *server, const struct phone *phone, enum said said,
			 sd_json_variant **array)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *findings = NULL, *object = NULL;
	int r = findings_build(server, phone, said, &findings);

	if (r >= 0 && phone)
		r = phone_build(server, phone, &object);
	if (r < 0)
		return r;
	/* of the computer itself there may be nothing to say */
	if (!phone && sd_json_variant_elements(findings) == 0)
		return 0;
	return sd_json_variant_append_arraybo(
	    array,
	    SD_JSON_BUILD_PAIR_CONDITION(object != NULL, "phone", SD_JSON_BUILD_VARIANT(object)),
	    SD_JSON_BUILD_PAIR_VARIANT("findings", findings));
}

/* The computer last: what is wrong at a port without a phone is not any phone's. */
static int diagnose_all(const struct server *server, enum said said, sd_json_variant **array)
{
	const struct fleet *fleet = server->options.fleet;
	size_t count = fleet_count(fleet);
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = diagnosis_add(server, fleet_at(fleet, i), said, array);
	/* what the person says of a phone is no matter of the computer while phones are here */
	return r < 0 ? r : diagnosis_add(server, NULL, count == 0 ? said : SAID_NOTHING, array);
}

struct diagnose_parameters {
	const char *phone, *says;
};

int on_diagnose(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(diagnose_parameters, phone, SD_JSON_NULLABLE),
		TEXT_FIELD(diagnose_parameters, says, SD_JSON_NULLABLE),
		{},
	};
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	struct diagnose_parameters p = { 0 };
	const struct server *server = user;
	const struct phone *phone = NULL;
	enum said said = SAID_NOTHING;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	if (p.says)
		said = said_from_name(p.says);
	if (said == SAID_MAX)
		return sd_varlink_error_invalid_parameter_name(link, "says");
	if (p.phone) {
		r = find_phone(server, link, p.phone, &phone);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);
	if (r >= 0)
		r = phone ? diagnosis_add(server, phone, said, &array)
			  : diagnose_all(server, said, &array);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("diagnoses", array));
}

/* --- CheckTrust ------------------------------------------------------------------------------ */

static int reply_trust(const struct server *server, sd_varlink *link, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *findings = NULL;
	int r = phone_build(server, phone, &object);

	if (r >= 0)
		r = findings_build(server, phone, SAID_NOTHING, &findings);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("phone", object),
				  SD_JSON_BUILD_PAIR_VARIANT("findings", findings));
}

static void on_trust_asked(const struct phone *phone, const struct error *err, void *user)
{
	struct pending *pending = user;

	if (err)
		(void)reply_not_answered(pending->link, pending->wanted, err);
	else
		(void)reply_trust(pending->server, pending->link, phone);
	pending_end(pending);
}

struct phone_parameters {
	const char *phone;
};

int on_check_trust(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(phone_parameters, phone, MUST),
		{},
	};
	struct phone_parameters p = { 0 };
	struct server *server = user;
	const struct phone *phone;
	struct pending *pending;
	struct error err;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	r = find_phone(server, link, p.phone, &phone);
	if (r != 0)
		return r < 0 ? r : 0;
	pending = pending_new(server, link, p.phone);
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	if (asker_ask(server->options.asker, phone, ASK_TRUST, on_trust_asked, pending, &err) < 0) {
		pending_end(pending);
		return reply_not_answered(link, p.phone, &err);
	}
	return 0;
}
