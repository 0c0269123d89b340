/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a phone says of itself in its USB serial string: iBoot and SecureROM write "CPID:8110 …
 * ECID:… SRNM:[…]", a booted phone its UDID (reference: device-protocols.md §2.1, §2.6). The
 * strings are foreign bytes: each field is read whole or not at all.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IBOOT_TEXT_BYTES = 64, UDID_BYTES = 41 };

/* Which fields were there. */
enum {
	IBOOT_HAS_CPID = 1U << 0,
	IBOOT_HAS_CPRV = 1U << 1,
	IBOOT_HAS_CPFM = 1U << 2,
	IBOOT_HAS_SCEP = 1U << 3,
	IBOOT_HAS_BDID = 1U << 4,
	IBOOT_HAS_ECID = 1U << 5,
	IBOOT_HAS_IBFL = 1U << 6,
	IBOOT_HAS_SDOM = 1U << 7,
	IBOOT_HAS_SIKA = 1U << 8,
};

struct iboot_serial {
	unsigned has;
	uint64_t ecid;
	uint32_t cpid, bdid; /* chip and board: together they name the model */
	uint32_t cprv, cpfm, scep, ibfl, sdom, sika;
	char srnm[IBOOT_TEXT_BYTES]; /* Apple serial number, recovery only; "" if absent */
	char srtg[IBOOT_TEXT_BYTES]; /* SecureROM tag, DFU only */
	char imei[IBOOT_TEXT_BYTES];
	char pwnd[IBOOT_TEXT_BYTES]; /* name of an exploit that is active */
};

/*
 * Parses n bytes (a NUL ends them early): words "KEY:hex" and "KEY:[text]" with spaces between.
 * Unknown fields are skipped; a field that is too wide (CPID over 16 bits, ECID over 64, IBFL over
 * 32, the other numbers over 8; text over 63 bytes or not printable ASCII), not hexadecimal,
 * repeated or without its closing bracket counts as absent. On whole strings the result is that of
 * libirecovery 1.3.1. Returns 0 if at least one field was understood, else -EBADMSG.
 */
int iboot_serial_parse(const char *s, size_t n, struct iboot_serial *ret);

/* Adds the fields that `news` has to `known`. Returns true if something changed. */
bool iboot_serial_learn(struct iboot_serial *known, const struct iboot_serial *news);

/*
 * As iboot_serial_parse() for the string of Port DFU, where CPID and ECID are those of the USB-C
 * port controller and BDID is a wide number that holds the phone's own ids. Only what is the
 * phone's is returned: cpid and bdid. Returns 0, or -EBADMSG without a BDID.
 */
int port_dfu_serial_parse(const char *s, size_t n, struct iboot_serial *ret);

/* The phone's chip and board in a Port DFU's BDID (libirecovery 1.3.1, src/libirecovery.c,
 * irecv_devices_get_device_by_client). */
void port_dfu_ids(uint64_t wide_bdid, uint32_t *ret_cpid, uint32_t *ret_bdid);

/*
 * A booted phone's serial string as its UDID in the form people and usbmuxd use: 40 lower-case hex
 * digits, or 24 digits "00008110001C20223E29401E" as "00008110-001C20223E29401E" (a hyphen already
 * there is accepted). ret must hold UDID_BYTES. Returns 0 or -EINVAL.
 */
int udid_from_serial(const char *s, char *ret);

/* The ECID inside a 25-character UDID. Returns 0, or -ENODATA for the 40-digit form, which carries
 * none, for an ECID of 0 and for text that is no UDID. */
int udid_ecid(const char *udid, uint64_t *ret);
