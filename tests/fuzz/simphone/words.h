/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Property lists as hosts send them to the phone's services, of the input's choice: words that the
 * phone knows in places where they may or may not make sense.
 */
#pragma once

#include "buf.h"
#include "input.h"

enum { WORDS_DEPTH = 4 };

static const char *const list_keys[] = {
	"Request",
	"MsgType",
	"MessageType",
	"Command",
	"Key",
	"Domain",
	"Value",
	"Service",
	"HostID",
	"SystemBUID",
	"PairRecord",
	"PairingOptions",
	"SessionID",
	"EscrowBag",
	"QueryKey",
	"DeviceCertificate",
	"HostCertificate",
	"RootCertificate",
	"ExtendedPairingErrors",
	"ChallengeResponse",
	"ActivationRecord",
	"Label",
	"DeviceID",
	"PortNumber",
	"PairRecordID",
	"PairRecordData",
	"BundleID",
	"ProgName",
	"kLibUSBMuxVersion",
	"Name",
	"WaitForDisconnect",
	"DisplayPass",
	"MobileGestaltKeys",
	"EntryName",
	"EntryClass",
	"CurrentPlane",
	"RestoreOptions",
	"SupportedDataTypes",
	"RestoreShouldAttest",
	"RootTicketData",
	"LlbImageData",
	"NorImageData",
	"SEPImageData",
	"RestoreSEPImageData",
	"KernelCacheFile",
	"DeviceTreeFile",
	"SystemImageRootHashFile",
	"FUDImageList",
	"FUDImageData",
	"EANImageList",
	"ImageList",
	"ImageName",
	"ImageData",
	"BuildIdentityDict",
	"ReceiptManifest",
	"FileData",
	"FileDataDone",
	"ResponseStatus",
	"ResponseBody",
	"FirmwareResponseData",
	"BasebandData",
	"Payload",
	"Size",
	"Checksum Chunk Size",
	"Pong",
	"CtrlProtoVersion",
};

static const char *const list_words[] = {
	"QueryType",
	"GetValue",
	"SetValue",
	"RemoveValue",
	"Pair",
	"ValidatePair",
	"Unpair",
	"ResetPairing",
	"StartSession",
	"StopSession",
	"StartService",
	"EnterRecovery",
	"Goodbye",
	"Activate",
	"Deactivate",
	"QueryValue",
	"StartRestore",
	"Reboot",
	"Listen",
	"Connect",
	"ListDevices",
	"ListListeners",
	"ReadBUID",
	"ReadPairRecord",
	"SavePairRecord",
	"DeletePairRecord",
	"DeviceName",
	"DevicePublicKey",
	"TimeZone",
	"UntrustedHostBUID",
	"com.apple.disk_usage",
	"com.apple.mobile.battery",
	"com.apple.mobile.wireless_lockdown",
	"com.apple.mobile.insecure_notification_proxy",
	"com.apple.mobile.notification_proxy",
	"com.apple.mobile.diagnostics_relay",
	"com.apple.mobile.heartbeat",
	"com.apple.afc",
	"com.apple.mobilebackup2",
	"HardwareInfo",
	"SavedDebugInfo",
	"ObserveNotification",
	"PostNotification",
	"Shutdown",
	"com.apple.mobile.lockdown.request_pair",
	"All",
	"GasGauge",
	"WiFi",
	"NAND",
	"Restart",
	"Sleep",
	"MobileGestalt",
	"IORegistry",
	"IOPMPowerSource",
	"AppleSmartBattery",
	"IOService",
	"Polo",
	"ReceivedFinalStatusMsg",
	"Pong",
	"HOST-1",
	"SESSION",
	"BUID-1",
	"",
	"\xc3\xbc&lt;",
};

static inline void add_escaped(struct buf *to, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '<' || bytes[i] == '&')
			buf_addf(to, "&#%d;", bytes[i]);
		else
			buf_add(to, bytes + i, 1);
	}
}

static inline void add_base64(struct buf *to, const uint8_t *bytes, size_t len)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t three = (uint32_t)bytes[i] << 16 |
				 (uint32_t)(i + 1 < len ? bytes[i + 1] : 0) << 8 |
				 (i + 2 < len ? bytes[i + 2] : 0);

		buf_addf(to, "%c%c%c%c", digits[three >> 18], digits[three >> 12 & 63],
			 i + 1 < len ? digits[three >> 6 & 63] : '=',
			 i + 2 < len ? digits[three & 63] : '=');
	}
}

static inline void add_node(struct input *in, struct buf *to, unsigned depth);

static inline void add_entries(struct input *in, struct buf *to, unsigned count, unsigned depth)
{
	for (unsigned i = 0; i < count && in->at < in->end; i++) {
		buf_addf(to, "<key>%s</key>",
			 list_keys[take8(in) % (sizeof(list_keys) / sizeof(list_keys[0]))]);
		add_node(in, to, depth);
	}
}

static inline void add_data_node(struct buf *to, const uint8_t *bytes, size_t len)
{
	buf_add_text(to, "<data>");
	add_base64(to, bytes, len);
	buf_add_text(to, "</data>");
}

static inline void add_list_node(struct input *in, struct buf *to, bool dict, unsigned depth)
{
	unsigned count = take8(in) % 4;

	if (depth >= WORDS_DEPTH)
		count = 0;
	buf_add_text(to, dict ? "<dict>" : "<array>");
	if (dict)
		add_entries(in, to, count, depth + 1);
	else
		for (unsigned i = 0; i < count && in->at < in->end; i++)
			add_node(in, to, depth + 1);
	buf_add_text(to, dict ? "</dict>" : "</array>");
}

static inline void add_node(struct input *in, struct buf *to, unsigned depth)
{
	uint8_t kind = take8(in) % 12;
	const uint8_t *bytes;
	size_t len;

	switch (kind) {
	case 0:
		len = take(in, &bytes, take8(in) % 80);
		buf_add_text(to, "<string>");
		add_escaped(to, bytes, len);
		buf_add_text(to, "</string>");
		return;
	case 1:
		len = take(in, &bytes, take8(in));
		add_data_node(to, bytes, len);
		return;
	case 2:
		buf_addf(to, "<integer>%u</integer>", take8(in));
		return;
	case 3:
		buf_addf(to, "<integer>%d</integer>", (int)take32(in));
		return;
	case 4:
		buf_add_text(to, take8(in) & 1 ? "<true/>" : "<false/>");
		return;
	case 5:
	case 6:
		add_list_node(in, to, kind == 5, depth);
		return;
	case 7:
		buf_add_text(to, "<real>0.5</real>");
		return;
	default:
		buf_addf(to, "<string>%s</string>",
			 list_words[take8(in) % (sizeof(list_words) / sizeof(list_words[0]))]);
		return;
	}
}

/* A dictionary whose first entry says under @verb what the message is; no verb if it is NULL. */
static inline void add_list(struct input *in, struct buf *to, const char *verb)
{
	unsigned count = take8(in) % 6;

	buf_add_text(to, "<plist><dict>");
	if (verb)
		buf_addf(to, "<key>%s</key><string>%s</string>", verb,
			 list_words[take8(in) % (sizeof(list_words) / sizeof(list_words[0]))]);
	add_entries(in, to, count, 0);
	buf_add_text(to, "</dict></plist>");
}

/* Behind its length, as lockdownd and its services frame it; now and then the length is wrong. */
static inline void add_framed(struct buf *to, const struct buf *body, bool wrong)
{
	uint8_t prefix[4];

	put_be32(prefix, (uint32_t)body->len + wrong);
	buf_add(to, prefix, sizeof(prefix));
	buf_add(to, body->bytes, body->len);
}

static inline void add_request(struct input *in, struct buf *to)
{
	uint8_t flags = take8(in);
	BUF_AUTO body = {};

	add_list(in, &body, flags & 1 ? "Command" : "Request");
	add_framed(to, &body, flags >= 0xf0);
}
