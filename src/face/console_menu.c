/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/console_menu.h"
#include "base/cleanup.h"
#include "face/console_text.h"
#include <string.h>

enum {
	IN_NORMAL = 1 << MODE_NORMAL,
	IN_RECOVERY = 1 << MODE_RECOVERY,
	IN_DFU = 1 << MODE_DFU,
	IN_RESTORE = 1 << MODE_RESTORE,
	IN_ANY = ~0,
};

/* What must be so before an action makes sense. */
enum need {
	NEED_NOTHING,
	NEED_MUX,   /* usbmuxd lists it */
	NEED_TRUST, /* it trusts this computer, if it runs iOS */
	NEED_DOUBT, /* it runs iOS and is not known to trust this computer */
	NEED_MODEL, /* we know which firmware is its own */
	NEED_CHIP,  /* that, and its ECID */
};

/* In the order of what they cost. */
static const struct {
	enum console_deed deed;
	enum goal goal;
	unsigned modes;
	enum need need;
} rows[] = {
	{ CONSOLE_DEED_TRUST, GOAL_MAX, IN_NORMAL, NEED_MUX },
	{ CONSOLE_DEED_GOAL, GOAL_REPAIR, IN_NORMAL, NEED_DOUBT },
	{ CONSOLE_DEED_GOAL, GOAL_PROVE, IN_NORMAL, NEED_TRUST },
	{ CONSOLE_DEED_GOAL, GOAL_LINK_TEST, IN_NORMAL, NEED_NOTHING },
	{ CONSOLE_DEED_GOAL, GOAL_TRUST, IN_NORMAL, NEED_NOTHING },
	{ CONSOLE_DEED_GOAL, GOAL_FORGET, IN_NORMAL, NEED_TRUST },
	{ CONSOLE_DEED_GOAL, GOAL_RESTART, IN_NORMAL | IN_RECOVERY | IN_RESTORE, NEED_NOTHING },
	{ CONSOLE_DEED_GOAL, GOAL_ENTER_RECOVERY, IN_NORMAL, NEED_NOTHING },
	{ CONSOLE_DEED_GOAL, GOAL_EXIT_RECOVERY, IN_RECOVERY, NEED_NOTHING },
	{ CONSOLE_DEED_GOAL, GOAL_FIRMWARE, IN_ANY, NEED_MODEL },
	{ CONSOLE_DEED_GOAL, GOAL_UPDATE, IN_NORMAL | IN_RECOVERY | IN_DFU, NEED_CHIP },
	{ CONSOLE_DEED_GOAL, GOAL_ERASE, IN_NORMAL | IN_RECOVERY | IN_DFU, NEED_CHIP },
};

static bool need_is_met(const struct console_phone *phone, enum need need)
{
	bool model = console_phone_model(phone) || *console_phone_text(phone, "product");
	bool trusts = strcmp(console_phone_text(phone, "trust"), trust_name(TRUST_TRUSTED)) == 0;

	switch (need) {
	case NEED_NOTHING:
		return true;
	case NEED_MUX:
		return console_phone_is(phone, "in_mux");
	case NEED_TRUST:
		return console_phone_mode(phone) != MODE_NORMAL || trusts;
	case NEED_DOUBT:
		return !trusts;
	case NEED_MODEL:
		return model;
	case NEED_CHIP:
		return model && *console_phone_text(phone, "ecid");
	}
	return false;
}

/* Keys of the items, the tenth as on a keyboard; what comes after that is chosen with the arrows.
 */
static const char digits[] = "1234567890";

static struct console_item item_make(enum console_deed deed, enum goal goal, size_t number)
{
	static const struct {
		const char *cost, *brief;
	} costs[DATA_MAX] = {
		[DATA_KEPT] = { "console-cost-kept", "console-cost-kept-brief" },
		[DATA_AT_RISK] = { "console-cost-at-risk", "console-cost-at-risk-brief" },
		[DATA_ERASED] = { "console-cost-erased", "console-cost-erased-brief" },
	};
	const struct goal_fact *fact = deed == CONSOLE_DEED_GOAL ? goal_fact(goal) : NULL;
	enum data data = fact ? fact->data : DATA_KEPT;

	return (struct console_item){
		.deed = deed,
		.goal = goal,
		.key = number <= strlen(digits) ? digits[number - 1] : ' ',
		.label = fact ? fact->label : console_text("console-item-trust"),
		.cost = costs[data].cost,
		.brief = costs[data].brief,
		.data = data,
	};
}

/* The phone can be asked for something now: it is here, knows what it is, and nobody has it. */
static bool phone_is_free(const struct console_phone *phone)
{
	return !phone->left && console_phone_presence(phone) == PRESENCE_PRESENT &&
	       !*console_phone_text(phone, "job");
}

size_t console_menu(const struct console_model *model, const struct console_phone *phone,
		    struct console_item ret[static CONSOLE_MENU_MAX])
{
	sd_json_variant *job = console_model_job_of(model, phone);
	bool busy = job && !console_job_ended(job);
	unsigned mode = 1U << console_phone_mode(phone);
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows) && !busy && phone_is_free(phone); i++)
		if (rows[i].modes & mode && need_is_met(phone, rows[i].need)) {
			ret[count] = item_make(rows[i].deed, rows[i].goal, count + 1);
			count++;
		}
	if (job)
		ret[count++] = (struct console_item){
			.deed = CONSOLE_DEED_JOB,
			.goal = GOAL_MAX,
			.key = 'j',
			.label = console_text(busy ? "console-item-job" : "console-item-last-job"),
		};
	ret[count++] = (struct console_item){ .deed = CONSOLE_DEED_FACTS,
					      .goal = GOAL_MAX,
					      .key = 'i',
					      .label = console_text("console-item-facts") };
	return count;
}
