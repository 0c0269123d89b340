/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "usb_link.h"

#include "phone.h"

/* A host has begun to enumerate by then. */
enum { AGAIN_MS = 120 };

void usb_link_init(struct usb_link *l, struct phone *phone)
{
	*l = (struct usb_link){ .phone = phone, .mode = USB_MODE_INITIAL };
}

void usb_link_done(struct usb_link *l)
{
	timer_disarm(l->phone->timers, &l->timer);
}

void usb_link_boot(struct usb_link *l)
{
	timer_disarm(l->phone->timers, &l->timer);
	l->away = false;
	l->mode = USB_MODE_INITIAL;
	l->blinks = 0;
	l->leaves_again = l->phone->boots > 1 && l->phone->scenario.usb_knobs.reenum_twice;
}

static void link_back(void *user)
{
	struct usb_link *l = user;

	l->away = false;
	phone_show(l->phone);
}

static void link_gone(void *user)
{
	struct usb_link *l = user;

	l->away = true;
	phone_show(l->phone);
	timer_arm(l->phone->timers, &l->timer, USB_LINK_AWAY_MS, link_back, l);
}

void usb_link_blink(struct usb_link *l, unsigned linger_ms, const char *why)
{
	EVLOG(&l->phone->log, "blink", LOG_TEXT("why", why));
	timer_arm(l->phone->timers, &l->timer, linger_ms, link_gone, l);
}

void usb_link_attached(struct usb_link *l)
{
	const struct usb_knobs *k = &l->phone->scenario.usb_knobs;

	l->moved = 0;
	if (l->leaves_again) {
		l->leaves_again = false;
		usb_link_blink(l, AGAIN_MS, "reenum_twice");
	} else if (k->blink_every_ms && (!k->blink_times || l->blinks < k->blink_times)) {
		l->blinks++;
		usb_link_blink(l, (unsigned)k->blink_every_ms, "blink_every_ms");
	}
}

void usb_link_moved(struct usb_link *l, size_t len)
{
	uint64_t limit = l->phone->scenario.usb_knobs.drop_after_bytes;

	l->moved += len;
	if (!limit || l->moved < limit || l->moved - len >= limit)
		return;
	EVLOG(&l->phone->log, "drop", LOG_INT("bytes", l->moved));
	faults_unplug(&l->phone->faults, 0);
}

bool usb_link_set_mode(struct usb_link *l, unsigned mode)
{
	if (mode < USB_MODE_INITIAL || mode > USB_MODE_LAST)
		return false;
	EVLOG(&l->phone->log, "usb-mode", LOG_INT("mode", mode));
	l->mode = mode;
	usb_link_blink(l, PHONE_LINGER_MS, "usb-mode");
	return true;
}

const struct shape *usb_link_shape(const struct usb_link *l)
{
	const struct phone *p = l->phone;
	const struct usb_knobs *k = &p->scenario.usb_knobs;

	if (p->scenario.body != BODY_PHONE || (p->mode != MODE_NORMAL && p->mode != MODE_RESTORE))
		return shape_of(p->scenario.body, p->mode);
	if (k->one_config)
		return shape_normal(SHAPE_CAMERA);
	if (l->mode == 2)
		return shape_normal(SHAPE_PICTURE);
	if (l->mode == 3)
		return shape_normal(SHAPE_NCM);
	return shape_normal(k->mode_switch_needed ? SHAPE_NO_MUX : SHAPE_INITIAL);
}
