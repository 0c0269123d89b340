/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iBoot's serial string, Port DFU's, a UDID, and the masking of tapes. */
#include "bus/mask.h"
#include "bus/serial.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct mask_key key = { 1, 2 };
	struct iboot_serial serial, masked, copy = { 0 };
	/* of exactly its size, so that one byte too far is seen */
	char *text = malloc(size + 1), udid[UDID_BYTES];
	uint64_t ecid;

	check(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (iboot_serial_parse((const char *)data, size, &serial) == 0) {
		check(serial.cpid <= 0xffff && serial.bdid <= 0xff);
		check(strnlen(serial.srnm, IBOOT_TEXT_BYTES) < IBOOT_TEXT_BYTES);
		check(iboot_serial_learn(&copy, &serial));
		check(!iboot_serial_learn(&copy, &serial));
	}
	if (port_dfu_serial_parse((const char *)data, size, &serial) == 0)
		check(serial.cpid <= 0xffff && serial.bdid <= 0xff && serial.ecid == 0);
	if (udid_from_serial(text, udid) == 0) {
		check(strlen(udid) == 25 || strlen(udid) == 40);
		(void)udid_ecid(udid, &ecid);
	}
	/* a masked string is as long as before, and an ECID is not readable any more */
	if (strlen(text) <= 512) {
		size_t before = strlen(text);
		bool understood = iboot_serial_parse(text, before, &serial) == 0;

		mask_serial(&key, text);
		check(strlen(text) == before);
		if (understood && serial.ecid >> 40 &&
		    iboot_serial_parse(text, before, &masked) == 0)
			check(masked.ecid != serial.ecid);
	}
	free(text);
	return 0;
}
