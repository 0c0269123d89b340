/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lockdown.h"
#include "normal.h"
#include "restore/restored.h"
#include "stranger.h"
#include "text.h"
#include "usb_faults.h"

/* ---- strings and engines of a mode ---- */

void phone_usb_serial(const struct phone *p, struct buf *to)
{
	struct identity shown = p->identity;

	if (p->mode == MODE_RECOVERY && p->scenario.recovery_ecid)
		shown.ecid = p->scenario.recovery_ecid;
	if (p->scenario.usb_knobs.serial_empty)
		return;
	if (p->scenario.usb_serial_set)
		buf_add_text(to, p->scenario.usb_serial);
	else
		identity_iboot_string(&shown, p->mode, to);
}

static void serial_tell(struct phone *p, struct buf *to)
{
	usbdev_later(&p->usb, p->scenario.usb_knobs.serial_timeout);
	phone_usb_serial(p, to);
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
		serial_tell(p, to);
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

static enum usb_reply body_control(struct phone *p, const struct usb_setup *setup,
				   const uint8_t *out, struct buf *in)
{
	switch (p->scenario.body) {
	case BODY_PHONE:
		return mode_control(p, setup, out, in);
	case BODY_KEYBOARD:
		return keyboard_control(setup, in);
	case BODY_DISK:
		return disk_control(setup, in);
	}
	return USB_STALL;
}

static enum usb_reply phone_control(void *user, const struct usb_setup *setup, const uint8_t *out,
				    struct buf *in)
{
	struct phone *p = user;
	enum usb_reply reply = usb_faults_control(p, setup, out, in, body_control);

	EVLOG(&p->log, "request", LOG_INT("type", setup->type), LOG_INT("request", setup->request),
	      LOG_INT("value", setup->value), LOG_INT("index", setup->index),
	      LOG_INT("length", setup->length),
	      LOG_TEXT("reply", reply == USB_OK      ? "ok"
				: reply == USB_STALL ? "stall"
						     : "silent"));
	return reply;
}

static enum usb_reply body_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len)
{
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

static enum usb_reply phone_bulk_out(void *user, uint8_t ep, const uint8_t *bytes, size_t len)
{
	return usb_faults_bulk_out(user, ep, bytes, len, body_bulk_out);
}

static void phone_moved(void *user, size_t len)
{
	struct phone *p = user;

	usb_link_moved(&p->link, len);
}

/* ---- presence and modes ---- */

void phone_show(struct phone *p)
{
	const struct shape *shape = usb_link_shape(&p->link);
	const struct usb_engine engine = { phone_control,    phone_bulk_out, phone_bus_reset,
					   phone_configured, phone_string,   p,
					   phone_moved };
	bool wanted =
	    p->plugged && !p->link.away && (p->power == POWER_RUNNING || p->power == POWER_LEAVING);
	uint16_t product = shape->product ? shape->product : p->identity.model->usb_pid;

	if (wanted == !!p->usb.shape)
		return;
	if (p->scenario.usb_product_id)
		product = (uint16_t)p->scenario.usb_product_id;
	EVLOG(&p->log, wanted ? "attach" : "detach", LOG_TEXT("mode", mode_name(p->mode)),
	      LOG_INT("product", product));
	if (wanted) {
		usbdev_attach(&p->usb, shape, product, p->scenario.speed, &engine);
		usb_link_attached(&p->link);
	} else {
		mux_reset(&p->mux);
		usbdev_detach(&p->usb);
		trust_detached(&p->trust);
	}
	for (struct presence *pr = p->presences; pr; pr = pr->next)
		pr->changed(pr->user, wanted);
}

/* The IPSW of the scenario; another one given meanwhile counts from the next boot. */
static void firmware_refresh(struct phone *p)
{
	const char *path = p->scenario.ipsw;
	char why[640] = "";

	if (strcmp(path, p->firmware ? firmware_path(p->firmware) : "") == 0)
		return;
	p->firmware = firmware_free(p->firmware);
	if (*path)
		p->firmware = firmware_open(path, p->identity.model, why, sizeof(why));
	if (*path && !p->firmware && p->boots == 1)
		die("ipsw: %s", why);
	EVLOG(&p->log, "ipsw", LOG_TEXT("path", path), LOG_TEXT("why", why),
	      LOG_TEXT("version", p->firmware ? firmware_version(p->firmware) : ""),
	      LOG_TEXT("build", p->firmware ? firmware_build(p->firmware) : ""));
}

/* What comes up with the mode: boot ROM, iBoot or the system. */
static void phone_boot(struct phone *p)
{
	p->boots++;
	firmware_refresh(p);
	if (p->mode != MODE_NORMAL && p->mode != MODE_RESTORE)
		identity_boot(&p->identity, p->mode, p->scenario.nonce);
	if (p->mode != MODE_RESTORE)
		p->install = INSTALL_NONE;
	recovery_boot(&p->recovery);
	dfu_boot(&p->dfu);
	kis_boot(&p->kis);
	mux_reset(&p->mux);
	faults_boot(&p->faults);
	usb_link_boot(&p->link);
	restored_reset(p->restored);
	ports_reset(&p->ports);
	if (p->mode == MODE_NORMAL && p->boots > 1)
		trust_boot(&p->trust);
	if (p->mode == MODE_NORMAL)
		lockdown_listen(p);
	else if (p->mode == MODE_RESTORE)
		restored_listen(p->restored);
}

static void boot_again(void *user)
{
	phone_leave(user, MODE_NORMAL, 0, "recovery_again_ms");
}

/* iBoot that gave up on the system tries it once more. */
static void loop_arm(struct phone *p)
{
	const struct scenario *s = &p->scenario;

	if (p->mode == MODE_RECOVERY && s->recovery_loop && s->recovery_again_ms)
		timer_arm(p->timers, &p->again, s->recovery_again_ms, boot_again, p);
}

static void phone_booted(void *user)
{
	struct phone *p = user;

	p->power = POWER_RUNNING;
	phone_boot(p);
	phone_show(p);
	loop_arm(p);
}

/* The only assignment of the mode. */
static void phone_enter(void *user)
{
	struct phone *p = user;
	const struct usb_knobs *knobs = &p->scenario.usb_knobs;
	enum mode mode = knobs->wrong_mode ? (enum mode)(knobs->wrong_mode - 1) : p->next_mode;
	bool bootable = mode != MODE_NORMAL || (!p->system.partial && !p->scenario.recovery_loop);
	bool system = mode == MODE_NORMAL || mode == MODE_RESTORE;
	uint64_t gap_ms =
	    (system ? p->scenario.boot_ms : p->scenario.gap_ms) + knobs->reenum_delay_ms;
	uint64_t scaled_ms = gap_ms * p->scenario.time_scale_percent / 100;
	uint64_t floor_ms = gap_ms < PHONE_GAP_FLOOR_MS ? gap_ms : PHONE_GAP_FLOOR_MS;

	p->power = p->going_off ? POWER_OFF : POWER_BOOTING;
	p->going_off = false;
	timer_disarm(p->timers, &p->again);
	phone_show(p);
	/* iBoot finds no whole system and stays */
	p->mode = bootable ? mode : MODE_RECOVERY;
	if (p->power == POWER_OFF || knobs->no_reenum)
		return;
	timer_arm(p->timers, &p->timer, scaled_ms < floor_ms ? floor_ms : scaled_ms, phone_booted,
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

void phone_restart_after(struct phone *p, unsigned linger_ms, const char *why)
{
	phone_leave(p, recovery_auto_boot(&p->recovery) ? MODE_NORMAL : MODE_RECOVERY, linger_ms,
		    why);
}

void phone_restart(struct phone *p, const char *why)
{
	phone_restart_after(p, 0, why);
}

void phone_power_off(struct phone *p, unsigned linger_ms, const char *why)
{
	if (p->power == POWER_OFF)
		return;
	phone_restart_after(p, linger_ms, why);
	p->going_off = true;
}

bool version_at_least(const char *version, unsigned major, unsigned minor)
{
	unsigned has[2] = {};

	if (sscanf(version, "%u.%u", &has[0], &has[1]) < 1)
		return false;
	return has[0] > major || (has[0] == major && has[1] >= minor);
}

void phone_watch(struct phone *p, struct presence *pr)
{
	pr->next = p->presences;
	p->presences = pr;
}

void phone_unwatch(struct phone *p, struct presence *pr)
{
	for (struct presence **at = &p->presences; *at; at = &(*at)->next) {
		if (*at != pr)
			continue;
		*at = pr->next;
		return;
	}
}

int phone_press(struct phone *p, const char *gesture)
{
	if (!strcmp(gesture, "recovery"))
		phone_leave(p, MODE_RECOVERY, 0, "buttons");
	else if (!strcmp(gesture, "dfu"))
		phone_leave(p, MODE_DFU, 0, "buttons");
	else if (!strcmp(gesture, "restart"))
		phone_restart(p, "buttons");
	else
		return -EINVAL;
	return 0;
}

void phone_erase(struct phone *p)
{
	EVLOG(&p->log, "erase");
	files_erase(&p->files);
	trust_erase(&p->trust);
	*p->backup.password = '\0';
	p->backup.cloud = false;
}

unsigned phone_major(const struct phone *p)
{
	return (unsigned)strtoul(p->system.version, nullptr, 10);
}

void phone_plug(struct phone *p)
{
	EVLOG(&p->log, "plug");
	p->plugged = true;
	if (p->power == POWER_OFF)
		phone_restart(p, "charger");
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
	p->usb.timers = timers;
	p->usb.knobs = &p->scenario.usb_knobs;
	usb_link_init(&p->link, p);
	identity_init(&p->identity, s);
	recovery_init(&p->recovery, p);
	/* a phone found in recovery is there because it was told to stay */
	recovery_set_auto_boot(&p->recovery, s->mode != MODE_RECOVERY);
	dfu_init(&p->dfu, p);
	kis_init(&p->kis, p);
	mux_init(&p->mux, p);
	ports_init(&p->ports, p);
	files_init(&p->files, s->seed + s->unit, s->disk_bytes);
	if (s->disk_free_bytes && s->disk_free_bytes < p->files.capacity - p->files.used)
		p->files.capacity = p->files.used + s->disk_free_bytes;
	faults_init(&p->faults, p);
	text_copy(p->system.version, sizeof(p->system.version),
		  *s->version ? s->version : s->model->version);
	text_copy(p->system.build, sizeof(p->system.build), *s->build ? s->build : s->model->build);
	settings_init(&p->settings, p);
	trust_init(&p->trust, p);
	p->restored = restored_new(p);
	if (s->mode == MODE_RESTORE)
		p->install = (enum install_kind)s->restore.ramdisk;
}

void phone_start(struct phone *p)
{
	EVLOG(&p->log, "start", LOG_TEXT("model", p->identity.model->product),
	      LOG_TEXT("mode", mode_name(p->mode)), LOG_TEXT("udid", p->identity.udid),
	      LOG_INT("seed", p->scenario.seed));
	phone_boot(p);
	phone_show(p);
	loop_arm(p);
}

void phone_done(struct phone *p)
{
	timer_disarm(p->timers, &p->timer);
	timer_disarm(p->timers, &p->again);
	faults_done(&p->faults);
	usb_link_done(&p->link);
	restored_reset(p->restored);
	trust_done(&p->trust);
	p->plugged = false;
	phone_show(p);
	mux_done(&p->mux);
	ports_done(&p->ports);
	lockdown_services_drop(p);
	settings_done(&p->settings);
	kis_done(&p->kis);
	dfu_done(&p->dfu);
	recovery_done(&p->recovery);
	p->firmware = firmware_free(p->firmware);
	files_done(&p->files);
	p->restored = restored_free(p->restored);
}
