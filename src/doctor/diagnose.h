/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * From what is known of a phone to what is wrong with it. Pure: no I/O, no clock, cannot fail.
 * Findings are not errors. Texts stand in facts/findings.tsv; here is only when each holds.
 */
#include "bus/trouble.h"
#include "facts/facts.h"
#include "phone/phone.h"
#include <systemd/sd-json.h>

/* More than one phone can have at once. */
enum { FINDINGS_MAX = 32, FINDING_EVIDENCE_BYTES = 256 };

struct finding {
	const struct finding_fact *fact;
	char evidence[FINDING_EVIDENCE_BYTES]; /* what was seen that says so, one line; valid UTF-8
						*/
};

/* What the person says that the phone's screen shows; no computer can see it. */
enum said {
	SAID_NOTHING,
	SAID_FORGOTTEN_PASSCODE,
	SAID_DISABLED,
	SAID_SCREEN_TIME,
	SAID_MAX,
};
const char *said_name(enum said said);      /* "forgotten-passcode" …, "" for SAID_NOTHING */
enum said said_from_name(const char *name); /* SAID_MAX if it is none of ours, or NULL */

/* All that a diagnosis and the lights look at. All pointers are borrowed. */
struct circumstances {
	const struct phone
	    *phone; /* NULL: nothing is plugged in, the computer itself is asked about */
	const struct error
	    *problem;     /* why its last question was not answered; NULL or kind none: it was */
	bool mux_up;      /* usbmuxd answers */
	bool mux_unknown; /* nobody has looked yet whether it does; mux_up is false then */
	const struct error *mux_problem; /* why it does not; NULL or kind none: not known */
	const struct troubles *troubles; /* the kernel's complaints by port; NULL none */
	bool kernel_read;                /* the kernel's messages are being read */
	enum said said;
	bool clock_wrong;         /* this computer's clock is before its own software was made */
	unsigned others;          /* other phones that are plugged in */
	unsigned others_well;     /* of these, phones that trust this computer */
	const char *const *ports; /* of all phones on the bus: the kernel's complaints of other
				     ports are nobody's; ports_count of them */
	size_t ports_count;
	bool record_store_bad;             /* this computer could not store a record */
	const struct error *store_problem; /* why, NULL or kind none: not known */
};

/*
 * Writes the findings that hold, worst first, of one severity in the order of the lights' layers;
 * at most FINDINGS_MAX, none twice; returns how many. At least one: a phone with which nothing is
 * wrong has the finding "all-well" (trusted) or what is not known. Only the computer itself (phone
 * NULL) may have none, while phones are here (others).
 */
size_t diagnose(const struct circumstances *circumstances, struct finding ret[static FINDINGS_MAX]);

/*
 * {"id","severity","title","meaning","next","cost","evidence"} and, if it has them, "doubt",
 * "command", "codes" and "code_names" (arrays), "hints" (array of {"id","text","keeps","loses"}, in
 * the order in which to try them). {phone} in the texts becomes the phone's label, in the command
 * its key. phone may be NULL. Returns 0 or a negative errno; the caller unrefs.
 */
int finding_to_json(const struct finding *finding, const struct phone *phone,
		    sd_json_variant **ret);
