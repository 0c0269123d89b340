/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/plan_mode.h"

static int refuse(struct error *err, enum error_kind kind, const char *text)
{
	return error_set(err, kind, "planner", 0, "%s", text);
}

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

int plan_check_mode(enum goal goal, const struct phone *phone, struct error *err)
{
	switch (goal) {
	case GOAL_TRUST:
	case GOAL_TRUST_STORE:
	case GOAL_REPAIR:
	case GOAL_FORGET:
	case GOAL_PROVE:
	case GOAL_LINK_TEST:
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
