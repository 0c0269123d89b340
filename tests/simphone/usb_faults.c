/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "usb_faults.h"

#include <string.h>

#include "phone.h"

/* ---- names ---- */

static const char *conversation_of(const struct phone *p)
{
	switch (p->mode) {
	case MODE_NORMAL:
		return "normal";
	case MODE_RESTORE:
		return "restore";
	case MODE_RECOVERY:
		return "recovery";
	case MODE_DFU:
	case MODE_WTF:
	case MODE_PORT_DFU:
		return "dfu";
	case MODE_DEBUG_USB:
		return "debug-usb";
	}
	return "normal";
}

/* The first word of an iBoot command. */
static void command_name(const uint8_t *out, size_t len, struct buf *to)
{
	size_t end = 0;

	while (end < len && end < 32 && out[end] > ' ' && out[end] < 0x7f)
		end++;
	buf_add(to, out, end);
	if (end == 0)
		buf_add_text(to, "command");
}

static void request_name(const struct phone *p, const struct usb_setup *setup, const uint8_t *out,
			 struct buf *to)
{
	static const struct {
		const char *conversation;
		unsigned request;
		const char *name;
	} names[] = {
		{ "recovery", 0x4100, "upload-start" },
		{ "recovery", 0xc000, "answer" },
		{ "recovery", 0x2101, "finish" },
		{ "dfu", 0x2101, "DNLOAD" },
		{ "dfu", 0xa102, "UPLOAD" },
		{ "dfu", 0xa103, "GETSTATUS" },
		{ "dfu", 0x2104, "CLRSTATUS" },
		{ "dfu", 0xa105, "GETSTATE" },
		{ "dfu", 0x2106, "ABORT" },
	};
	const char *conversation = conversation_of(p);
	unsigned request = usb_request(setup);

	if (p->mode == MODE_RECOVERY && (request == 0x4000 || request == 0x4001)) {
		command_name(out, setup->length, to);
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].request != request || strcmp(names[i].conversation, conversation) != 0)
			continue;
		buf_add_text(to, names[i].name);
		return;
	}
	buf_addf(to, "%04X", request);
}

/* ---- what becomes of a transfer ---- */

/*
 * @bytes passes through, spoilt in place if need be; @pass is how many of them the other side gets.
 * @reply is USB_OK for a transfer that goes on as if nothing had been.
 */
struct fate {
	enum usb_reply reply;
	size_t pass;
	bool hit; /* the other side gets `pass` bytes and nothing more of it */
};

static struct fate fate_of(struct phone *p, const struct fault_rule *rule, uint8_t *bytes,
			   size_t at, size_t len)
{
	const struct fate go_on = { USB_OK, len, false };

	switch (rule->action) {
	case FAULT_DELAY:
		usbdev_later(&p->usb, rule->ms);
		return go_on;
	case FAULT_GARBAGE:
		fault_garbage(&p->faults, bytes + at, len - at);
		return go_on;
	case FAULT_CUT:
		return (struct fate){ USB_STALL, rule->place == FAULT_AT_BYTE ? at : len / 2,
				      true };
	case FAULT_STALL:
	case FAULT_ERROR:
		return (struct fate){ USB_STALL, at, true };
	case FAULT_RESET:
		usb_link_blink(&p->link, 0, "fault");
		return (struct fate){ USB_SILENT, at, true };
	case FAULT_UNPLUG:
	case FAULT_REBOOT:
	case FAULT_SILENCE:
	case FAULT_DROP:
		return (struct fate){ USB_SILENT, at, true };
	}
	return go_on;
}

/* Asks the rules about a transfer: first as a message, then byte for byte. */
static struct fate transfer_judge(struct phone *p, enum fault_way way, const char *name,
				  struct buf *bytes)
{
	const char *conversation = conversation_of(p);
	const struct fault_rule *rule = fault_message(&p->faults, conversation, way, name);
	struct fate fate = { USB_OK, bytes->len, false };
	size_t at = 0;

	EVLOG(&p->log, "message", LOG_TEXT("conversation", conversation),
	      LOG_TEXT("way", way == FAULT_GOT ? "got" : "sent"), LOG_TEXT("name", name));
	if (rule)
		fate = fate_of(p, rule, bytes->bytes, 0, bytes->len);
	while (!fate.hit && at < bytes->len) {
		size_t pass = 0;

		rule = fault_bytes(&p->faults, conversation, way, bytes->len - at, &pass);
		if (rule)
			fate = fate_of(p, rule, bytes->bytes, at, bytes->len);
		else
			at += pass;
	}
	return fate;
}

enum usb_reply usb_faults_control(struct phone *p, const struct usb_setup *setup,
				  const uint8_t *out, struct buf *in, usb_control_fn engine)
{
	bool reads = setup->type & 0x80;
	struct usb_setup given = *setup;
	enum usb_reply reply;
	struct fate fate;
	BUF_AUTO name = {};
	BUF_AUTO bytes = {};

	request_name(p, setup, out, &name);
	if (!reads)
		buf_add(&bytes, out, setup->length);
	/* engines may look at the bytes of a request without any */
	buf_text(&bytes);
	fate = transfer_judge(p, FAULT_GOT, buf_text(&name), &bytes);
	if (fate.hit && fate.pass == 0)
		return fate.reply;
	if (!reads)
		given.length = (uint16_t)fate.pass;
	reply = engine(p, &given, bytes.bytes, in);
	if (fate.hit)
		return fate.reply;
	if (!reads || reply != USB_OK)
		return reply;
	if (in->len > setup->length)
		in->len = setup->length;
	fate = transfer_judge(p, FAULT_SENT, buf_text(&name), in);
	in->len = fate.pass;
	/* a short answer is what a cut is to the host that reads */
	return fate.hit && fate.pass > 0 && fate.reply == USB_STALL ? USB_OK : fate.reply;
}

enum usb_reply usb_faults_bulk_out(struct phone *p, uint8_t ep, const uint8_t *bytes, size_t len,
				   usb_bulk_fn engine)
{
	enum usb_reply reply;
	struct fate fate;
	BUF_AUTO copy = {};

	buf_add(&copy, bytes, len);
	buf_text(&copy);
	fate = transfer_judge(p, FAULT_GOT, "data", &copy);
	if (fate.hit && fate.pass == 0)
		return fate.reply;
	reply = engine(p, ep, copy.bytes, fate.pass);
	return fate.hit ? fate.reply : reply;
}
