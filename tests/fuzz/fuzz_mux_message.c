/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A message of usbmuxd: what is taken for an attached phone can be told of. */
#include "worker/mux_client.h"
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-json.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mux_message message;
	sd_json_variant *text = NULL;

	if (size > MUX_MESSAGE_BYTES_MAX ||
	    mux_message_parse((const char *)data, size, &message) < 0 ||
	    message.type != MUX_ATTACHED)
		return 0;
	if (message.phone.mux_id == 0 || message.phone.udid[0] == '\0')
		abort();
	if (sd_json_variant_new_string(&text, message.phone.udid) < 0)
		abort(); /* no valid UTF-8 */
	sd_json_variant_unref(text);
	return 0;
}
