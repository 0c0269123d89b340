/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From what is known of a phone to what is wrong with it. Pure: no I/O, no clock, cannot fail.
 * Findings are not errors. Texts stand in facts/findings.tsv; here is only when each holds.
 */
#include "facts/facts.h"
#include "phone/phone.h"
#include <systemd/sd-json.h>

enum { FINDINGS_MAX = 16, FINDING_EVIDENCE_BYTES = 256 };

struct finding {
	const struct finding_fact *fact;
	char evidence[FINDING_EVIDENCE_BYTES]; /* what was seen that says so, one line; valid UTF-8
						*/
};

/* All that a diagnosis looks at. */
struct circumstances {
	const struct phone
	    *phone; /* NULL: nothing is plugged in, the computer itself is asked about */
	const struct error
	    *problem; /* why its last question was not answered; NULL or kind none: it was */
	bool mux_up;  /* usbmuxd answers */
};

/*
 * Writes the findings that hold, worst first, at most FINDINGS_MAX; returns how many. At least one:
 * a phone with which nothing is wrong has the finding "all-well" (trusted) or what is not known.
 */
size_t diagnose(const struct circumstances *circumstances, struct finding ret[static FINDINGS_MAX]);

/*
 * {"id","severity","title","meaning","next","cost","evidence"} and, if it has them, "command" and
 * "codes" (array). {phone} in the texts becomes the phone's label, in the command its key. phone
 * may be NULL. Returns 0 or a negative errno; the caller unrefs.
 */
int finding_to_json(const struct finding *finding, const struct phone *phone,
		    sd_json_variant **ret);
