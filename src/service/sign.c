/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "service/sign.h"
#include "doctor/signing.h"
#include <inttypes.h>
#include <stdio.h>

int sign_build(const struct sign_question *question, sd_json_variant **ret)
{
	const struct firmware *firmware = question->firmware;
	char ecid[sizeof("0x0123456789abcdef")];

	snprintf(ecid, sizeof(ecid), "0x%016" PRIx64, question->ecid);
	return sd_json_buildo(
	    ret, SD_JSON_BUILD_PAIR_STRING("product", question->product),
	    SD_JSON_BUILD_PAIR_STRING("board", question->board),
	    SD_JSON_BUILD_PAIR_STRING("ecid", ecid),
	    SD_JSON_BUILD_PAIR_STRING("variant", question->variant),
	    SD_JSON_BUILD_PAIR_STRING(question->path ? "path" : "url",
				      question->path ? question->path : firmware->url),
	    SD_JSON_BUILD_PAIR_CONDITION(firmware_is_called_current(firmware), "current",
					 SD_JSON_BUILD_BOOLEAN(true)));
}
