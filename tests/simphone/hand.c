/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "hand.h"

#include <errno.h>
#include <string.h>

#include "phone.h"

const char hand_gestures[] = "plug, unplug, button, unlock, lock, trust, type, deny, passcode, "
			     "forget, setup";

static int do_plug(struct phone *p, const char *rest, const char **why)
{
	phone_plug(p);
	return 0;
}

static int do_unplug(struct phone *p, const char *rest, const char **why)
{
	phone_unplug(p);
	return 0;
}

static int do_button(struct phone *p, const char *rest, const char **why)
{
	*why = "usage: button recovery|dfu|restart";
	return phone_press(p, rest);
}

static int do_unlock(struct phone *p, const char *rest, const char **why)
{
	return trust_unlock(&p->trust, why);
}

static int do_lock(struct phone *p, const char *rest, const char **why)
{
	return trust_lock(&p->trust, why);
}

static int do_trust(struct phone *p, const char *rest, const char **why)
{
	bool tap_only = !strcmp(rest, "tap-only");
	int r;

	if (*rest && !tap_only) {
		*why = "usage: trust [tap-only]";
		return -EINVAL;
	}
	r = trust_tap(&p->trust, true, why);
	if (r == 0 && !tap_only && p->trust.dialog == DIALOG_PASSCODE)
		r = trust_type(&p->trust, why);
	return r;
}

static int do_type(struct phone *p, const char *rest, const char **why)
{
	return p->backup.asker ? mobilebackup2_type(p, true, why) : trust_type(&p->trust, why);
}

static int do_deny(struct phone *p, const char *rest, const char **why)
{
	return p->backup.asker ? mobilebackup2_type(p, false, why)
			       : trust_tap(&p->trust, false, why);
}

static int do_passcode(struct phone *p, const char *rest, const char **why)
{
	if (strcmp(rest, "set") != 0 && strcmp(rest, "none") != 0) {
		*why = "usage: passcode set|none";
		return -EINVAL;
	}
	trust_set_passcode(&p->trust, !strcmp(rest, "set"));
	return 0;
}

static int do_forget(struct phone *p, const char *rest, const char **why)
{
	trust_forget_all(&p->trust);
	return 0;
}

static int do_setup(struct phone *p, const char *rest, const char **why)
{
	if (strcmp(rest, "done") != 0) {
		*why = "usage: setup done";
		return -EINVAL;
	}
	trust_finish_setup(&p->trust);
	return 0;
}

int hand_do(struct phone *phone, const char *gesture, const char *rest, const char **why)
{
	static const struct {
		const char *name;
		int (*run)(struct phone *p, const char *rest, const char **why);
	} gestures[] = {
		{ "plug", do_plug },     { "unplug", do_unplug }, { "button", do_button },
		{ "unlock", do_unlock }, { "lock", do_lock },     { "trust", do_trust },
		{ "type", do_type },     { "deny", do_deny },     { "passcode", do_passcode },
		{ "forget", do_forget }, { "setup", do_setup },
	};

	for (size_t i = 0; i < sizeof(gestures) / sizeof(gestures[0]); i++)
		if (!strcmp(gestures[i].name, gesture))
			return gestures[i].run(phone, rest, why);
	return -ENOENT;
}
