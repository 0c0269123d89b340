/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/plan.h"
#include "base/text.h"
#include "doctor/ladder.h"
#include "doctor/plan_mode.h"
#include "doctor/plan_room.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATTERY_LOW_PERCENT = 20, SLOW_LINK_MBPS = 12, MANY_HUBS = 2, ONLINE_MAJOR = 18 };

static int refuse(struct error *err, enum error_kind kind, const char *text)
{
	return error_set(err, kind, "planner", 0, "%s", text);
}

static bool goal_installs(enum goal goal)
{
	return goal == GOAL_UPDATE || goal == GOAL_ERASE;
}

static void add_step(struct plan *plan, enum step_kind kind, bool optional)
{
	enum data data = step_fact(kind)->data;

	plan->steps[plan->step_count++] = (struct plan_step){ kind, optional, 0 };
	if (data > plan->data)
		plan->data = data;
}

static void add_warning(struct plan *plan, const char *id)
{
	if (plan->warning_count == PLAN_WARNINGS_MAX)
		return;
	plan->warnings[plan->warning_count++] = id;
}

/* --- who */

/* LAST4: what a person can read from the phone's settings, box or from our screen. */
static void fill_confirm(const struct identity *identity, char ret[static PLAN_CONFIRM_BYTES])
{
	size_t n = strlen(identity->serial_number);

	if (n >= PLAN_CONFIRM_BYTES - 1)
		text_copy(ret, PLAN_CONFIRM_BYTES, identity->serial_number + n - 4);
	else if (identity->ecid != 0)
		snprintf(ret, PLAN_CONFIRM_BYTES, "%04X", (unsigned)(identity->ecid & 0xffff));
}

static void fill_phone(const struct phone *phone, struct plan *plan)
{
	const struct identity *identity = &phone->identity;
	const struct message *some = message_find("plan-some-phone");
	const char *label = identity_label(identity);

	if (!label && some)
		label = some->text;
	phone_key(phone, plan->phone);
	text_copy(plan->label, sizeof(plan->label), label);
	text_copy(plan->product, sizeof(plan->product), identity->product);
	if (identity->model)
		text_copy(plan->board, sizeof(plan->board), identity->model->board);
	plan->ecid = identity->ecid;
	text_copy(plan->udid, sizeof(plan->udid), identity->udid);
	plan->mode = phone->mode;
	fill_confirm(identity, plan->confirm);
}

static void fill_product(const char *product, struct plan *plan)
{
	const struct model *model = model_by_product(product);
	char clean[PHONE_KEY_BYTES + 1 - sizeof("product:")];

	text_copy(clean, sizeof(clean), product);
	snprintf(plan->phone, sizeof(plan->phone), "product:%s", clean);
	text_copy(plan->label, sizeof(plan->label), model ? model->name : clean);
	text_copy(plan->product, sizeof(plan->product), clean);
	text_copy(plan->board, sizeof(plan->board), model ? model->board : "");
}

/* --- may it */

static int check_phone(const struct plan_request *request, struct error *err)
{
	const struct phone *phone = request->phone;

	if (!phone) {
		if (request->goal != GOAL_FIRMWARE)
			return refuse(err, ERROR_USAGE, "this goal needs a phone");
		if (!request->product || request->product[0] == '\0')
			return refuse(err, ERROR_USAGE, "neither a phone nor a product is named");
		return 0;
	}
	if (request->goal == GOAL_FIRMWARE)
		return phone->identity.product[0] != '\0'
			   ? 0
			   : refuse(err, ERROR_UNSUPPORTED,
				    "it is not known which model this is; ask the phone first, or "
				    "name the product");
	if (phone->job[0] != '\0')
		return error_set(err, ERROR_BUSY, "planner", 0, "the job %s has this phone",
				 phone->job);
	if (!phone->on_bus)
		return refuse(err, ERROR_UNPLUGGED, "the phone is not plugged in");
	return plan_check_mode(request->goal, phone, err);
}

/* Is the firmware older than what runs on the phone? Of one version the build decides. */
static bool is_older(const struct firmware *firmware, const struct identity *identity)
{
	int order = 0;

	if (identity->version[0] != '\0' && firmware->version[0] != '\0')
		order = version_compare(firmware->version, identity->version);
	if (order == 0 && identity->build[0] != '\0' && firmware->build[0] != '\0')
		order = build_compare(firmware->build, identity->build);
	return order < 0;
}

int plan_check_age(const struct firmware *firmware, const struct phone *phone, struct error *err)
{
	const struct identity *identity = &phone->identity;

	if (!is_older(firmware, identity))
		return 0;
	return error_set(err, ERROR_REFUSED, "planner", 0,
			 "the phone has iOS %s%s%s%s, which is newer than %s%s%s%s: an update does "
			 "not go back",
			 identity->version, identity->build[0] != '\0' ? " (" : "", identity->build,
			 identity->build[0] != '\0' ? ")" : "", firmware->version,
			 firmware->build[0] != '\0' ? " (" : "", firmware->build,
			 firmware->build[0] != '\0' ? ")" : "");
}

/* A variant's name and its behaviour must say the same. */
static bool variant_is_honest(const struct variant *variant)
{
	bool says_erase = strcasestr(variant->name, "erase");
	bool says_update =
	    strcasestr(variant->name, "update") || strcasestr(variant->name, "upgrade");

	return variant->name[0] != '\0' && !(variant->erases ? says_update : says_erase);
}

static int check_variant(const struct variant *variant, bool erases, struct error *err)
{
	if (!variant)
		return refuse(err, ERROR_BAD_FILE,
			      erases ? "the firmware has no variant for this board that erases"
				     : "the firmware has no variant for this board that keeps the "
				       "data");
	if (variant->erases != erases || !variant_is_honest(variant))
		return error_set(err, ERROR_BAD_FILE, "planner", 0,
				 "the firmware contradicts itself: its variant '%s' %s",
				 variant->name,
				 variant->erases ? "erases" : "does not say that it erases");
	return 0;
}

static int check_install(const struct plan_request *request, struct error *err)
{
	const struct identity *identity = &request->phone->identity;
	const struct firmware *firmware = request->firmware;
	bool erases = request->goal == GOAL_ERASE;
	int r;

	if (identity->ecid == 0)
		return refuse(err, ERROR_UNSUPPORTED,
			      "the phone's ECID is not known, so it cannot be told from another; "
			      "bring it into recovery first");
	if (!request->update && !request->erase)
		return error_set(
		    err, ERROR_BAD_FILE, "planner", 0,
		    "this firmware (%s) is not for this phone (%s)",
		    firmware->product[0] != '\0' ? firmware->product : "for other models",
		    identity->product[0] != '\0' ? identity->product : "model unknown");
	if (!erases) {
		r = plan_check_age(firmware, request->phone, err);
		if (r < 0)
			return r;
	}
	if (request->signing && request->signing->verdict == SIGN_NOT_SIGNED)
		return refuse(err, ERROR_NOT_SIGNED, request->signing->text);
	return check_variant(erases ? request->erase : request->update, erases, err);
}

/* --- what is needed */

bool plan_is_online_to_the_end(const struct plan *plan)
{
	return strtoul(plan->firmware.version, NULL, 10) >= ONLINE_MAJOR;
}

static void warn_of_link(const struct phone *phone, struct plan *plan)
{
	const struct identity *identity = &phone->identity;

	if (identity->battery > 0 && identity->battery - 1 < BATTERY_LOW_PERCENT)
		add_warning(plan, "plan-warning-battery");
	if (phone->sighting.hub_depth >= MANY_HUBS)
		add_warning(plan, "plan-warning-hubs");
	if (phone->sighting.speed_mbps > 0 && phone->sighting.speed_mbps <= SLOW_LINK_MBPS)
		add_warning(plan, "plan-warning-slow-link");
}

/* What is not known of the signature; for an installation that it is refused is no warning. */
static void warn_of_signing(const struct plan_request *request, struct plan *plan)
{
	switch (plan->signing.verdict) {
	case SIGN_NOT_ASKED:
		if (request->phone)
			add_warning(plan, "plan-sign-not-asked");
		break;
	case SIGN_NOT_SIGNED:
		add_warning(plan, "plan-sign-no");
		break;
	case SIGN_UNKNOWN:
		add_warning(plan, "plan-sign-unknown");
		break;
	case SIGN_SIGNED:
	case SIGN_VERDICT_MAX:
		break;
	}
}

static void warn(const struct plan_request *request, struct plan *plan)
{
	for (size_t i = 0; i < request->warning_count; i++)
		add_warning(plan, request->warnings[i]);
	if (goal_fact(plan->goal)->firmware)
		warn_of_signing(request, plan);
	if (goal_fact(plan->goal)->firmware && !plan->room.lasting) {
		add_warning(plan, "plan-warning-ram");
		if (plan->room.why)
			add_warning(plan, plan->room.why);
	}
	if (!goal_installs(plan->goal))
		return;
	warn_of_link(request->phone, plan);
	if (plan_is_online_to_the_end(plan))
		add_warning(plan, "plan-warning-internet");
	if (request->phone->trust != TRUST_TRUSTED)
		add_warning(plan, "plan-warning-trust");
}

/* --- steps */

static void add_steps_of_trust(const struct plan_request *request, struct plan *plan)
{
	bool no_record = request->phone->trust_known && !request->phone->has_record;

	if (plan->goal == GOAL_TRUST_STORE)
		add_step(plan, STEP_FORGET_STORE, false);
	else if (!no_record)
		add_step(plan, STEP_FORGET_RECORD, false);
	add_step(plan, STEP_PAIR, false);
	add_step(plan, STEP_VERIFY_TRUST, false);
}

/* What follows an installation: the phone starts, and what can be proven is. */
static void add_steps_after(struct plan *plan)
{
	add_step(plan, STEP_AWAIT_NORMAL, false);
	add_step(plan, STEP_VERIFY_SYSTEM, false);
	add_step(plan, STEP_PAIR, true);
	add_step(plan, STEP_VERIFY_TRUST, true);
}

static void add_steps_of_file(struct plan *plan)
{
	if (plan->goal == GOAL_FIRMWARE)
		add_step(plan, STEP_CATALOGUE, false);
	if (goal_installs(plan->goal))
		add_step(plan, STEP_NETWORK, false);
	if (plan->drop_count > 0)
		add_step(plan, STEP_MAKE_ROOM, false);
	if (plan->firmware.url[0] != '\0')
		add_step(plan, STEP_FETCH, false);
	if (goal_installs(plan->goal))
		add_step(plan, STEP_SIGN, false);
	add_step(plan, STEP_CHECK, false);
}

static void add_steps_of_install(struct plan *plan)
{
	add_steps_of_file(plan);
	if (plan->mode == MODE_NORMAL)
		add_step(plan, STEP_ENTER_RECOVERY, false);
	add_step(plan, plan->goal == GOAL_ERASE ? STEP_ERASE : STEP_UPDATE, false);
	add_steps_after(plan);
}

static void add_steps_of_ladder(struct plan *plan)
{
	size_t count;
	const struct plan_step *steps = ladder_steps(plan->goal, &count);

	for (size_t i = 0; i < count; i++) {
		add_step(plan, steps[i].kind, steps[i].optional);
		plan->steps[plan->step_count - 1].rung = steps[i].rung;
	}
}

static void add_steps(const struct plan_request *request, struct plan *plan)
{
	switch (plan->goal) {
	case GOAL_TRUST:
	case GOAL_TRUST_STORE:
		add_steps_of_trust(request, plan);
		break;
	case GOAL_REPAIR:
	case GOAL_FORGET:
	case GOAL_PROVE:
	case GOAL_LINK_TEST:
		add_steps_of_ladder(plan);
		break;
	case GOAL_RESTART:
		add_step(plan, STEP_RESTART, false);
		add_step(plan, STEP_AWAIT_NORMAL, false);
		break;
	case GOAL_ENTER_RECOVERY:
		add_step(plan, STEP_ENTER_RECOVERY, false);
		break;
	case GOAL_EXIT_RECOVERY:
		add_step(plan, STEP_EXIT_RECOVERY, false);
		add_step(plan, STEP_AWAIT_NORMAL, false);
		break;
	case GOAL_FIRMWARE:
		add_steps_of_file(plan);
		break;
	case GOAL_UPDATE:
	case GOAL_ERASE:
		add_steps_of_install(plan);
		break;
	case GOAL_MAX:
		break;
	}
}

int plan_refuse_conflict(const struct firmware *firmware, struct error *err)
{
	return error_set(err, ERROR_BAD_FILE, "planner", 0,
			 "the sources disagree about iOS %s (%s): its hash or size is told in two "
			 "ways, so it is not used. Name another build, or bring the file yourself",
			 firmware->version, firmware->build);
}

static int fill_firmware(const struct plan_request *request, struct plan *plan, struct error *err)
{
	const struct variant *erase = request->erase;
	int r;

	if (!goal_fact(request->goal)->firmware)
		return 0;
	if (!request->firmware || !request->room)
		return refuse(err, ERROR_BUG, "this goal was planned without a firmware");
	plan->firmware = *request->firmware;
	if (plan->firmware.conflict)
		return plan_refuse_conflict(&plan->firmware, err);
	if (request->signing)
		plan->signing = *request->signing;
	if (goal_installs(request->goal)) {
		r = check_install(request, err);
		if (r < 0)
			return r;
		plan->variant = request->goal == GOAL_ERASE ? *request->erase : *request->update;
		if (request->goal == GOAL_UPDATE && erase && erase->erases &&
		    variant_is_honest(erase))
			plan->erase_variant = *erase;
	}
	return plan_take_room(plan, request, err);
}

int plan_make(const struct plan_request *request, struct plan *ret, struct error *err)
{
	struct plan plan = { .goal = request->goal };
	int r;

	r = check_phone(request, err);
	if (r < 0)
		return r;
	if (request->phone)
		fill_phone(request->phone, &plan);
	else
		fill_product(request->product, &plan);
	if (request->room)
		plan.room = *request->room;
	r = fill_firmware(request, &plan, err);
	if (r < 0)
		return r;
	add_steps(request, &plan);
	warn(request, &plan);
	*ret = plan;
	return 0;
}

int plan_erase_after(const struct plan *update, struct plan *ret)
{
	struct plan plan = *update;

	if (update->goal != GOAL_UPDATE || update->erase_variant.name[0] == '\0' ||
	    !update->erase_variant.erases)
		return -EINVAL;
	plan.goal = GOAL_ERASE;
	plan.data = DATA_KEPT;
	plan.variant = update->erase_variant;
	plan.erase_variant = (struct variant){ 0 };
	plan.step_count = 0;
	memset(plan.steps, 0, sizeof(plan.steps));
	plan.drop_count = 0;
	plan.need_bytes = plan_need_here(&plan.firmware, &plan.variant);
	add_step(&plan, STEP_ERASE, false);
	add_steps_after(&plan);
	*ret = plan;
	return 0;
}

bool plan_erases(const struct plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (step_fact(plan->steps[i].kind)->data == DATA_ERASED)
			return true;
	return false;
}
