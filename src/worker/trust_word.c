/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/trust_word.h"
#include "base/cleanup.h"
#include <libimobiledevice/lockdown.h>

const char *trust_word_name(enum trust_word word)
{
	static const char *const names[TRUST_WORD_MAX] = {
		[TRUST_WORD_UNKNOWN] = "unknown",
		[TRUST_WORD_LOCKED] = "locked",
		[TRUST_WORD_ASKING] = "asking",
		[TRUST_WORD_DENIED] = "denied",
		[TRUST_WORD_STALE] = "stale",
		[TRUST_WORD_TRUSTED] = "trusted",
		[TRUST_WORD_POLICY] = "refused-by-policy",
	};

	return names[word];
}

static const struct {
	int code;
	enum trust_word word;
} words[] = {
	{ LOCKDOWN_E_SSL_ERROR, TRUST_WORD_STALE },
	{ LOCKDOWN_E_INVALID_HOST_ID, TRUST_WORD_STALE },
	{ LOCKDOWN_E_MISSING_PAIR_RECORD, TRUST_WORD_STALE },
	{ LOCKDOWN_E_INVALID_PAIR_RECORD, TRUST_WORD_STALE },
	/* seen right after a phone was unlocked and trusted: libimobiledevice issue 1254 */
	{ LOCKDOWN_E_GET_PROHIBITED, TRUST_WORD_LOCKED },
	{ LOCKDOWN_E_PASSWORD_PROTECTED, TRUST_WORD_LOCKED },
	{ LOCKDOWN_E_ESCROW_LOCKED, TRUST_WORD_LOCKED },
	{ LOCKDOWN_E_USER_DENIED_PAIRING, TRUST_WORD_DENIED },
	{ LOCKDOWN_E_PAIRING_DIALOG_RESPONSE_PENDING, TRUST_WORD_ASKING },
	{ LOCKDOWN_E_PAIRING_PROHIBITED_OVER_THIS_CONNECTION, TRUST_WORD_POLICY },
	{ LOCKDOWN_E_FMIP_PROTECTED, TRUST_WORD_POLICY },
	{ LOCKDOWN_E_MC_PROTECTED, TRUST_WORD_POLICY },
	{ LOCKDOWN_E_MC_CHALLENGE_REQUIRED, TRUST_WORD_POLICY },
};

bool trust_word_from_lockdownd(int code, enum trust_word *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].code != code)
			continue;
		*ret = words[i].word;
		return true;
	}
	return false;
}

const char *trust_detail_from_lockdownd(int code)
{
	switch (code) {
	case LOCKDOWN_E_PASSWORD_PROTECTED:
		return "passcode";
	case LOCKDOWN_E_ESCROW_LOCKED:
		return "escrow";
	case LOCKDOWN_E_PAIRING_PROHIBITED_OVER_THIS_CONNECTION:
		return "over-network";
	case LOCKDOWN_E_FMIP_PROTECTED:
		return "fmip";
	case LOCKDOWN_E_MC_PROTECTED:
		return "mc";
	case LOCKDOWN_E_MC_CHALLENGE_REQUIRED:
		return "mc-challenge";
	default:
		return NULL;
	}
}

bool trust_word_is_hang_up(int code)
{
	return code == LOCKDOWN_E_SSL_ERROR || code == LOCKDOWN_E_PLIST_ERROR ||
	       code == LOCKDOWN_E_MUX_ERROR || code == LOCKDOWN_E_UNKNOWN_ERROR;
}
