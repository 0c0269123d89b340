/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone.h"

#include <errno.h>
#include <string.h>

#include "normal.h"
#include "stranger.h"

/* ---- strings and engines of a mode ---- */

void phone_usb_serial(const struct phone *p, struct buf *to)
{
	if (p->scenario.usb_serial_set)
		buf_add_text(to, p->scenario.usb_serial);
	else
		identity_iboot_string(&p->identity, p->mode, to);
}

static bool phone_string(void *user, uint8_t index, struct buf *to)
{
	struct phone *p = user;
	const struct shape *shape = shape_of(p->scenario.body, p->mode);
	const char *fixed = shape_string(p->scenario.body, p->mode, index);
	bool tells_nonces =
	    p->mode == MODE_RECOVERY || p->mode == MODE_DFU || p->mode == MODE_PORT_DFU;

	if (fixed)
		buf_add_text(to, fixed);
	else if (index == shape->i_serial)
		phone_usb_serial(p, to);
	else if (p->scenario.body != BODY_PHONE)
		return false;
	else if (index == 1 && tells_nonces)
		identity_nonce_string(&p->identity, to);
	else if (index == shape->i_product)
		buf_add_text(to, p->identity.model->kind);
	else
		return false;
	return true;
}

static void phone_configured(void *user, uint8_t value)
{
	struct phone *p = user;

	EVLOG(&p->log, "set-configuration", LOG_INT("value", value));
	if (p->scenario.body == BODY_PHONE && (p->mode == MODE_NORMAL || p->mode == MODE_RESTORE))
		mux_reset(&p->mux);
}

static void phone_bus_reset(void *user)
{
	struct phone *p = user;

	EVLOG(&p->log, "bus-reset", LOG_TEXT("mode", mode_name(p->mode)));
	if (p->scenario.body != BODY_PHONE)
		return;
	switch (p->mode) {
	case MODE_DFU:
	case MODE_WTF:
	case MODE_PORT_DFU:
		dfu_reset(&p->dfu);
		return;
	case MODE_NORMAL:
	case MODE_RESTORE:
		mux_reset(&p->mux);
		return;
	case MODE_RECOVERY:
	case MODE_DEBUG_USB:
		return;
	}
}

static enum usb_reply mode_control(struct phone *p, const struct usb_setup *setup,
				   const uint8_t *out, struct buf *in)
{
	switch (p->mode) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		return normal_control(p, setup, out, in);
	case MODE_RECOVERY:
		return recovery_control(&p->recovery, setup, out, in);
	case MODE_DFU:
	case MODE_WTF:
	case MODE_PORT_DFU:
		return dfu_control(&p->dfu, setup, out, in);
	case MODE_DEBUG_USB:
		return USB_STALL;
	}
	return USB_STALL;
}

static enum usb_reply phone_control(void *user, const struct usb_setup *setup, const uint8_t *out,
				    struct buf *in)
{
	struct phone *p = user;
	enum usb_reply reply = USB_STALL;

	switch (p->scenario.body) {
	case BODY_PHONE:
		reply = mode_control(p, setup, out, in);
		break;
	case BODY_KEYBOARD:
		reply = keyboard_control(setup, in);
		break;
	case BODY_DISK:
		reply = disk_control(setup, in);
		break;
	}
	EVLOG(&p->log, "request", LOG_INT("type", setup->type), LOG_INT("request", setup->request),
	      LOG_INT("value", setup->value), LOG_INT("index", setup->index),
	      LOG_INT("length", setup->length),
	      LOG_TEXT("reply", reply == USB_OK      ? "ok"
				: reply == USB_STALL ? "stall"
						     : "silent"));
	return reply;
}

static enum usb_reply phone_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len)
{
	struct phone *p = user;

	if (p->scenario.body == BODY_DISK)
		return disk_bulk_out(&p->usb, bytes, len);
	switch (p->mode) {
	case MODE_NORMAL:
	case MODE_RESTORE:
		return normal_bulk_out(p, ep, bytes, len);
	case MODE_RECOVERY:
		return recovery_bulk_out(&p->recovery, ep, bytes, len);
	case MODE_DEBUG_USB:
		return kis_bulk_out(&p->kis, ep, bytes, len);
	case MODE_DFU:
	case MODE_WTF:
	case MODE_PORT_DFU:
		return USB_STALL;
	}
	return USB_STALL;
}

/* ---- presence and modes ---- */

/* Puts the phone on the bus, or takes it off, as its state says. */
static void phone_show(struct phone *p)
{
	const struct shape *shape = shape_of(p->scenario.body, p->mode);
	const struct usb_engine engine = { phone_control,    phone_bulk_out, phone_bus_reset,
					   phone_configured, phone_string,   p };
	bool wanted = p->plugged && p->power != POWER_BOOTING;
	uint16_t product = shape->product ? shape->product : p->identity.model->usb_pid;

	if (wanted == !!p->usb.shape)
		return;
	if (p->scenario.usb_product_id)
		product = (uint16_t)p->scenario.usb_product_id;
	EVLOG(&p->log, wanted ? "attach" : "detach", LOG_TEXT("mode", mode_name(p->mode)),
	      LOG_INT("product", product));
	if (wanted) {
		usbdev_attach(&p->usb, shape, product, p->scenario.speed, &engine);
	} else {
		mux_reset(&p->mux);
		usbdev_detach(&p->usb);
	}
}

/* What comes up with the mode: boot ROM, iBoot or the system. */
static void phone_boot(struct phone *p)
{
	p->boots++;
	if (p->mode != MODE_NORMAL && p->mode != MODE_RESTORE)
		identity_boot(&p->identity, p->scenario.nonce);
	recovery_boot(&p->recovery);
	dfu_boot(&p->dfu);
	kis_boot(&p->kis);
	mux_reset(&p->mux);
}

static void phone_booted(void *user)
{
	struct phone *p = user;

	p->power = POWER_RUNNING;
	phone_boot(p);
	phone_show(p);
}

/* The only assignment of the mode. */
static void phone_enter(void *user)
{
	struct phone *p = user;
	bool system = p->next_mode == MODE_NORMAL || p->next_mode == MODE_RESTORE;
	uint64_t gap_ms = system ? p->scenario.boot_ms : p->scenario.gap_ms;

	p->power = POWER_BOOTING;
	phone_show(p);
	p->mode = p->next_mode;
	timer_arm(p->timers, &p->timer, gap_ms * p->scenario.time_scale_percent / 100, phone_booted,
		  p);
}

void phone_leave(struct phone *p, enum mode next, unsigned linger_ms, const char *why)
{
	if (p->power == POWER_LEAVING)
		return;
	EVLOG(&p->log, "leave", LOG_TEXT("from", mode_name(p->mode)),
	      LOG_TEXT("to", mode_name(next)), LOG_TEXT("why", why));
	p->next_mode = next;
	/* while booting the phone is off the bus and simply boots elsewhere */
	if (p->power == POWER_RUNNING)
		p->power = POWER_LEAVING;
	timer_arm(p->timers, &p->timer, linger_ms, phone_enter, p);
}

int phone_press(struct phone *p, const char *gesture)
{
	enum mode restarted = recovery_auto_boot(&p->recovery) ? MODE_NORMAL : MODE_RECOVERY;

	if (!strcmp(gesture, "recovery"))
		phone_leave(p, MODE_RECOVERY, 0, "buttons");
	else if (!strcmp(gesture, "dfu"))
		phone_leave(p, MODE_DFU, 0, "buttons");
	else if (!strcmp(gesture, "restart"))
		phone_leave(p, restarted, 0, "buttons");
	else
		return -EINVAL;
	return 0;
}

void phone_plug(struct phone *p)
{
	EVLOG(&p->log, "plug");
	p->plugged = true;
	phone_show(p);
}

void phone_unplug(struct phone *p)
{
	EVLOG(&p->log, "unplug");
	p->plugged = false;
	phone_show(p);
}

void phone_init(struct phone *p, const struct scenario *s, struct timers *timers, FILE *log)
{
	*p = (struct phone){
		.scenario = *s, .timers = timers, .mode = s->mode, .plugged = s->plugged
	};
	p->log = (struct evlog){ .out = log, .clock = timers };
	identity_init(&p->identity, s);
	recovery_init(&p->recovery, p);
	/* a phone found in recovery is there because it was told to stay */
	recovery_set_auto_boot(&p->recovery, s->mode != MODE_RECOVERY);
	dfu_init(&p->dfu, p);
	kis_init(&p->kis, p);
	mux_init(&p->mux, p);
}

void phone_start(struct phone *p)
{
	EVLOG(&p->log, "start", LOG_TEXT("model", p->identity.model->product),
	      LOG_TEXT("mode", mode_name(p->mode)), LOG_TEXT("udid", p->identity.udid),
	      LOG_INT("seed", p->scenario.seed));
	phone_boot(p);
	phone_show(p);
}

void phone_done(struct phone *p)
{
	timer_disarm(p->timers, &p->timer);
	p->plugged = false;
	phone_show(p);
	mux_done(&p->mux);
	kis_done(&p->kis);
	dfu_done(&p->dfu);
	recovery_done(&p->recovery);
}
