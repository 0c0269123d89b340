/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An answer of the signing server: it is a "yes" only with a ticket, and a "no" only by its number.
 */
#include "base/cleanup.h"
#include "worker/sign.h"
#include "worker/tss.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct tss_reply *reply, bool current)
{
	struct error why = {};
	enum tss_verdict verdict = sign_judge(reply, current, "18.2", "22C152", &why);

	if ((verdict == TSS_SIGNED) != tss_reply_has_ticket(reply))
		abort();
	if (verdict == TSS_SIGNED && reply->status != TSS_STATUS_OK)
		abort();
	if (verdict == TSS_NOT_SIGNED &&
	    (current || (reply->status != TSS_STATUS_NOT_ELIGIBLE &&
			 reply->status != TSS_STATUS_NOT_ELIGIBLE_OLD)))
		abort();
	if ((why.kind == ERROR_NONE) != (verdict == TSS_SIGNED))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *text = malloc(size + 1);
	struct tss_reply reply;

	memcpy(text, data, size);
	text[size] = '\0';
	tss_reply_parse(text, size, &reply);
	if (reply.status < TSS_STATUS_NONE || strlen(reply.message) >= TSS_MESSAGE_BYTES)
		abort();
	if (reply.tickets &&
	    (reply.tickets < text || reply.tickets + reply.tickets_bytes != text + size))
		abort();
	judge(&reply, false);
	judge(&reply, true);
	return 0;
}
