/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/plan.h"
#include "base/text.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room beside firmware and system: logs, journal, report, and what the engine unpacks besides. */
#define PLAN_SPARE_BYTES (UINT64_C(64) << 20)

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

	plan->steps[plan->step_count++] = (struct plan_step){ kind, optional };
	if (data > plan->data)
		plan->data = data;
}

static void add_warning(struct plan *plan, const char *id)
{
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
}

/* --- may it */

/* Modes in which a goal begins; the text says what to do instead. */
static int check_restart(const struct phone *phone, struct error *err)
{
	enum buttons buttons =
	    phone->identity.model ? phone->identity.model->buttons : BUTTONS_UNKNOWN;

	switch (phone->mode) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		return 0;
	case MODE_RECOVERY:
		return refuse(err, ERROR_UNSUPPORTED,
			      "the phone is in recovery: leaving recovery restarts it");
	case MODE_DFU:
	case MODE_DEBUG_USB:
	case MODE_WTF:
		return error_set(err, ERROR_UNSUPPORTED, "planner", 0,
				 "only its buttons lead out of this mode. %s",
				 button_fact(buttons)->restart);
	case MODE_PORT_DFU:
	case MODE_UNKNOWN:
	case MODE_MAX:
		break;
	}
	return refuse(err, ERROR_UNSUPPORTED, "this mode has no restart from here");
}

static int check_exit_recovery(const struct phone *phone, struct error *err)
{
	switch (phone->mode) {
	case MODE_RECOVERY:
		return 0;
	case MODE_NORMAL:
	case MODE_RESTORE:
		return refuse(err, ERROR_UNSUPPORTED, "the phone is not in recovery");
	case MODE_DFU:
	case MODE_DEBUG_USB:
	case MODE_WTF:
	case MODE_PORT_DFU:
	case MODE_UNKNOWN:
	case MODE_MAX:
		break;
	}
	return check_restart(phone, err);
}

static int check_install_mode(const struct phone *phone, struct error *err)
{
	switch (phone->mode) {
	case MODE_NORMAL:
	case MODE_RECOVERY:
	case MODE_DFU:
	case MODE_RESTORE:
	case MODE_DEBUG_USB:
		return 0;
	case MODE_WTF:
	case MODE_PORT_DFU:
	case MODE_UNKNOWN:
	case MODE_MAX:
		break;
	}
	return error_set(err, ERROR_UNSUPPORTED, "planner", 0,
			 "iOS cannot be installed from here in this mode (%s); bring the phone "
			 "into recovery or DFU with its buttons first",
			 mode_fact(phone->mode)->label);
}

static int check_normal(const struct phone *phone, struct error *err)
{
	if (phone->mode == MODE_NORMAL)
		return 0;
	if (phone->mode == MODE_RECOVERY)
		return refuse(
		    err, ERROR_UNSUPPORTED,
		    "the phone is in recovery; this needs it started: leave recovery first");
	return error_set(err, ERROR_UNSUPPORTED, "planner", 0,
			 "this needs the phone started, and it is in another mode (%s)",
			 mode_fact(phone->mode)->label);
}

static int check_mode(enum goal goal, const struct phone *phone, struct error *err)
{
	switch (goal) {
	case GOAL_TRUST:
	case GOAL_TRUST_STORE:
		return check_normal(phone, err);
	case GOAL_ENTER_RECOVERY:
		if (phone->mode == MODE_RECOVERY)
			return refuse(err, ERROR_UNSUPPORTED, "the phone is in recovery already");
		return check_normal(phone, err);
	case GOAL_RESTART:
		return check_restart(phone, err);
	case GOAL_EXIT_RECOVERY:
		return check_exit_recovery(phone, err);
	case GOAL_UPDATE:
	case GOAL_ERASE:
		return check_install_mode(phone, err);
	case GOAL_FIRMWARE:
		return 0;
	case GOAL_MAX:
		break;
	}
	return refuse(err, ERROR_USAGE, "there is no such goal");
}

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
	return check_mode(request->goal, phone, err);
}

/* Numbers of two versions like "17.5.1", compared one by one; a missing one is 0. */
static int compare_versions(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		char *a_end, *b_end;
		unsigned long a_part = strtoul(a, &a_end, 10);
		unsigned long b_part = strtoul(b, &b_end, 10);

		if (a_part != b_part)
			return a_part < b_part ? -1 : 1;
		if ((a_end == a && *a != '\0') || (b_end == b && *b != '\0'))
			return 0; /* no number: cannot be told */
		a = *a_end == '.' ? a_end + 1 : a_end;
		b = *b_end == '.' ? b_end + 1 : b_end;
	}
	return 0;
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
	if (!erases && identity->version[0] != '\0' && firmware->version[0] != '\0' &&
	    compare_versions(identity->version, firmware->version) > 0)
		return error_set(err, ERROR_REFUSED, "planner", 0,
				 "the phone has iOS %s, which is newer than %s: an update does not "
				 "go back",
				 identity->version, firmware->version);
	return check_variant(erases ? request->erase : request->update, erases, err);
}

/* --- what is needed */

static int check_room(const struct plan *plan, struct error *err)
{
	double mib = 1 << 20;

	if (plan->room.folder[0] == '\0')
		return refuse(err, ERROR_NO_SPACE,
			      "there is no place for the firmware: neither a data partition nor "
			      "memory can be written");
	if (plan->need_bytes > plan->room.free_bytes)
		return error_set(err, ERROR_NO_SPACE, "planner", 0,
				 "%.0f MiB of room are needed and %.0f MiB are free %s",
				 (double)plan->need_bytes / mib,
				 (double)plan->room.free_bytes / mib,
				 plan->room.lasting ? "on the data partition" : "in memory");
	return 0;
}

static uint64_t need_of(const struct firmware *firmware, const struct variant *variant)
{
	uint64_t parts[] = {
		firmware->path[0] == '\0' ? firmware->size : 0,
		variant->os_packed ? variant->os_bytes : 0,
		PLAN_SPARE_BYTES,
	};
	uint64_t sum = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (__builtin_add_overflow(sum, parts[i], &sum))
			return UINT64_MAX; /* a manifest that lies: no room is enough */
	return sum;
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

static void warn(const struct plan_request *request, struct plan *plan)
{
	if (goal_fact(plan->goal)->firmware && !plan->room.lasting)
		add_warning(plan, "plan-warning-ram");
	if (!goal_installs(plan->goal))
		return;
	warn_of_link(request->phone, plan);
	if (strtoul(plan->firmware.version, NULL, 10) >= ONLINE_MAJOR)
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
	if (plan->firmware.url[0] != '\0')
		add_step(plan, STEP_FETCH, false);
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

static void add_steps(const struct plan_request *request, struct plan *plan)
{
	switch (plan->goal) {
	case GOAL_TRUST:
	case GOAL_TRUST_STORE:
		add_steps_of_trust(request, plan);
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

static int fill_firmware(const struct plan_request *request, struct plan *plan, struct error *err)
{
	const struct variant *erase = request->erase;
	int r;

	if (!goal_fact(request->goal)->firmware)
		return 0;
	if (!request->firmware || !request->room)
		return refuse(err, ERROR_BUG, "this goal was planned without a firmware");
	plan->firmware = *request->firmware;
	if (goal_installs(request->goal)) {
		r = check_install(request, err);
		if (r < 0)
			return r;
		plan->variant = request->goal == GOAL_ERASE ? *request->erase : *request->update;
		if (request->goal == GOAL_UPDATE && erase && erase->erases &&
		    variant_is_honest(erase))
			plan->erase_variant = *erase;
	}
	plan->need_bytes = need_of(&plan->firmware, &plan->variant);
	return check_room(plan, err);
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
	plan.need_bytes = plan.variant.os_packed ? plan.variant.os_bytes : 0;
	if (__builtin_add_overflow(plan.need_bytes, PLAN_SPARE_BYTES, &plan.need_bytes))
		plan.need_bytes = UINT64_MAX;
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
