/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The secure link: lockdownd, this computer's record, TLS, and what the phone says of trust. */
#include "base/cleanup.h"
#include "doctor/chart.h"
#include <stdio.h>
#include <string.h>

/* lockdownd's codes as libimobiledevice counts them (facts/codes.tsv). */
enum {
	LOCKDOWN_PLIST_ERROR = -3,
	LOCKDOWN_SSL_ERROR = -5,
	LOCKDOWN_INVALID_RESPONSE = -10,
	LOCKDOWN_ESCROW_LOCKED = -35,
	LOCKDOWN_FMIP_PROTECTED = -37,
	LOCKDOWN_MC_PROTECTED = -38,
	LOCKDOWN_MC_CHALLENGE = -39,
};

enum { MANY_LOSSES = 2 };

static bool said_code(const struct phone *phone, int64_t code)
{
	return phone->trust_reason.kind != ERROR_NONE && phone->trust_reason.code == code &&
	       strcmp(phone->trust_reason.origin, "lockdownd") == 0;
}

static bool is_escrow(const struct phone *phone)
{
	return phone->detail == DETAIL_ESCROW || said_code(phone, LOCKDOWN_ESCROW_LOCKED);
}

static bool tls_failed(const struct phone *phone)
{
	return phone->detail == DETAIL_NO_HANDSHAKE || phone->detail == DETAIL_TLS_REFUSED ||
	       phone->detail == DETAIL_TLS_PROTOCOL || said_code(phone, LOCKDOWN_SSL_ERROR) ||
	       said_code(phone, LOCKDOWN_INVALID_RESPONSE) ||
	       said_code(phone, LOCKDOWN_PLIST_ERROR);
}

/* A stale record is what most failures of TLS come from; not those of another protocol. */
static bool tls_may_be_stale(const struct phone *phone)
{
	return phone->detail != DETAIL_TLS_PROTOCOL && phone->detail != DETAIL_NO_HANDSHAKE;
}

static const char *finding_of_policy(const struct phone *phone)
{
	switch (phone->detail) {
	case DETAIL_FMIP:
		return "lost-mode";
	case DETAIL_MC:
	case DETAIL_MC_CHALLENGE:
		return "supervised";
	case DETAIL_NONE:
	case DETAIL_ESCROW:
	case DETAIL_PASSCODE:
	case DETAIL_NO_HANDSHAKE:
	case DETAIL_TLS_REFUSED:
	case DETAIL_TLS_PROTOCOL:
	case DETAIL_OVER_NETWORK:
	case DETAIL_NOT_ACTIVATED:
	case DETAIL_SETUP:
	case DETAIL_SILENT_DIALOG:
	case DETAIL_RECORD_UNWRITABLE:
	case DETAIL_RECORD_FIGHT:
	case DETAIL_CLOCK:
	case DETAIL_MAX:
		break;
	}
	if (said_code(phone, LOCKDOWN_FMIP_PROTECTED))
		return "lost-mode";
	if (said_code(phone, LOCKDOWN_MC_PROTECTED) || said_code(phone, LOCKDOWN_MC_CHALLENGE))
		return "supervised";
	return "trust-refused-by-policy";
}

static const char *finding_of_unknown(const struct phone *phone)
{
	if (!phone->trust_known)
		return NULL;
	if (phone->detail == DETAIL_SILENT_DIALOG)
		return "trust-no-dialog";
	if (tls_failed(phone))
		return "tls-fails";
	return phone->has_record ? NULL : "trust-none";
}

const char *chart_finding_of_trust(const struct phone *phone)
{
	if (phone->trust_known && phone->record_broken && phone->trust != TRUST_TRUSTED)
		return "record-broken";
	switch (phone->trust) {
	case TRUST_LOCKED:
		return is_escrow(phone) ? "phone-escrow" : "phone-locked";
	case TRUST_ASKING:
		return "trust-asking";
	case TRUST_DENIED:
		return "trust-denied";
	case TRUST_STALE:
		return tls_failed(phone) ? "tls-fails" : "trust-stale";
	case TRUST_REFUSED_BY_POLICY:
		return finding_of_policy(phone);
	case TRUST_UNKNOWN:
		return finding_of_unknown(phone);
	case TRUST_TRUSTED:
	case TRUST_MAX:
		break;
	}
	return NULL;
}

static char *evidence_of_trust(const struct phone *phone)
{
	if (phone->trust_reason.kind != ERROR_NONE)
		return evidence_of_error(&phone->trust_reason);
	if (phone->trust_known && phone->record_broken)
		return message_format("evidence-record-broken", NULL);
	if (phone->trust_known && !phone->has_record)
		return message_format("evidence-no-record", NULL);
	return message_format("evidence-trust", "trust", trust_name(phone->trust), NULL);
}

static void look_at_word(struct chart *chart)
{
	const struct phone *phone = chart->seen->phone;
	const char *id = chart_finding_of_trust(phone);

	if (!id)
		return;
	chart_add(chart, LIGHT_LINK, id, evidence_of_trust(phone));
	/* it says that it asks, and nobody answers: perhaps nobody can see the question */
	if (phone->trust == TRUST_ASKING && phone->detail == DETAIL_SILENT_DIALOG)
		chart_add(chart, LIGHT_LINK, "trust-no-dialog", evidence_of_trust(phone));
	if (strcmp(id, "tls-fails") == 0 && phone->trust == TRUST_STALE && tls_may_be_stale(phone))
		chart_add(chart, LIGHT_LINK, "trust-stale", evidence_of_trust(phone));
}

/* What makes pairing fail without the phone's doing. */
static void look_at_computer(struct chart *chart)
{
	const struct circumstances *seen = chart->seen;
	const struct phone *phone = seen->phone;
	const struct error *store = seen->store_problem;
	char losses[16];

	if (seen->record_store_bad || phone->detail == DETAIL_RECORD_UNWRITABLE)
		chart_add(chart, LIGHT_LINK, "record-store-bad",
			  store && store->kind != ERROR_NONE ? evidence_of_error(store)
							     : evidence_of_trust(phone));
	if (seen->clock_wrong)
		chart_add(chart, LIGHT_LINK, "clock-wrong", message_format("evidence-clock", NULL));
	else if (phone->detail == DETAIL_CLOCK)
		chart_add(chart, LIGHT_LINK, "clock-wrong", evidence_of_trust(phone));
	if (phone->trust_losses >= MANY_LOSSES) {
		snprintf(losses, sizeof(losses), "%u", phone->trust_losses);
		chart_add(chart, LIGHT_LINK, "record-fight",
			  message_format("evidence-losses", "count", losses, NULL));
	} else if (phone->detail == DETAIL_RECORD_FIGHT) {
		chart_add(chart, LIGHT_LINK, "record-fight", evidence_of_trust(phone));
	}
}

/* Has a finding of the mux or of trust said already why there was no answer? */
static bool is_told(const struct chart *chart, const struct error *problem)
{
	switch (mux_sight(chart->seen)) {
	case MUX_SIGHT_DOWN:
	case MUX_SIGHT_HANGS:
	case MUX_SIGHT_REFUSES:
		return true;
	case MUX_SIGHT_CAMERA:
	case MUX_SIGHT_MISSES:
		return problem->kind == ERROR_NO_PHONE;
	case MUX_SIGHT_NONE:
	case MUX_SIGHT_WELL:
	case MUX_SIGHT_MAX:
		break;
	}
	return false;
}

/* Of the handshake itself: before it and after it the phone can be silent, too. */
static bool is_of_tls(const struct error *problem)
{
	return strcmp(problem->origin, "lockdownd") == 0 &&
	       (problem->code == LOCKDOWN_SSL_ERROR || problem->code == LOCKDOWN_INVALID_RESPONSE);
}

/* The last question had no answer; what has a finding of its own already is not told twice. */
static void look_at_problem(struct chart *chart)
{
	const struct error *problem = question_problem(chart->seen);
	const struct phone *phone = chart->seen->phone;
	const char *id = "no-answer";

	if (!problem || is_told(chart, problem))
		return;
	if (problem->kind == ERROR_LOCKED && !chart_has(chart, "phone-escrow"))
		id = problem->code == LOCKDOWN_ESCROW_LOCKED ? "phone-escrow" : "phone-locked";
	/* a check of trust may tell both a word and what stood in its way: the word says it all */
	else if (chart_finding_of_trust(phone))
		return;
	else if (phone->reach == REACH_RECORD && is_of_tls(problem))
		id = "tls-fails";
	chart_add(chart, LIGHT_LINK, id, evidence_of_error(problem));
}

void chart_look_at_trust(struct chart *chart)
{
	if (chart->seen->phone->mode == MODE_NORMAL) {
		look_at_word(chart);
		look_at_computer(chart);
	}
	look_at_problem(chart);
}
