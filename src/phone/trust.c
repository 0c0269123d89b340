/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "phone/trust.h"
#include <string.h>

const char *trust_name(enum trust trust)
{
	static const char *const names[TRUST_MAX] = {
		[TRUST_UNKNOWN] = "unknown",
		[TRUST_LOCKED] = "locked",
		[TRUST_ASKING] = "asking",
		[TRUST_DENIED] = "denied",
		[TRUST_STALE] = "stale",
		[TRUST_TRUSTED] = "trusted",
		[TRUST_REFUSED_BY_POLICY] = "refused-by-policy",
	};

	return names[trust];
}

enum trust trust_from_name(const char *name)
{
	for (int trust = 0; name && trust < TRUST_MAX; trust++)
		if (strcmp(name, trust_name((enum trust)trust)) == 0)
			return (enum trust)trust;
	return TRUST_MAX;
}

const char *reach_name(enum reach reach)
{
	static const char *const names[REACH_MAX] = {
		[REACH_NONE] = "none",         [REACH_PORT] = "port",
		[REACH_LOCKDOWN] = "lockdown", [REACH_RECORD] = "record",
		[REACH_SESSION] = "session",   [REACH_SERVICE] = "service",
	};

	return names[reach];
}

enum reach reach_from_name(const char *name)
{
	for (int reach = 0; name && reach < REACH_MAX; reach++)
		if (strcmp(name, reach_name((enum reach)reach)) == 0)
			return (enum reach)reach;
	return REACH_MAX;
}

const char *trust_detail_name(enum trust_detail detail)
{
	static const char *const names[DETAIL_MAX] = {
		[DETAIL_NONE] = "",
		[DETAIL_ESCROW] = "escrow",
		[DETAIL_PASSCODE] = "passcode",
		[DETAIL_NO_HANDSHAKE] = "no-handshake",
		[DETAIL_TLS_REFUSED] = "tls-refused",
		[DETAIL_TLS_PROTOCOL] = "tls-protocol",
		[DETAIL_FMIP] = "fmip",
		[DETAIL_MC] = "mc",
		[DETAIL_MC_CHALLENGE] = "mc-challenge",
		[DETAIL_OVER_NETWORK] = "over-network",
		[DETAIL_NOT_ACTIVATED] = "not-activated",
		[DETAIL_SETUP] = "setup",
		[DETAIL_SILENT_DIALOG] = "silent-dialog",
		[DETAIL_RECORD_UNWRITABLE] = "record-unwritable",
		[DETAIL_RECORD_FIGHT] = "record-fight",
		[DETAIL_CLOCK] = "clock",
	};

	return names[detail];
}

enum trust_detail trust_detail_from_name(const char *name)
{
	for (int detail = 0; name && detail < DETAIL_MAX; detail++)
		if (strcmp(name, trust_detail_name((enum trust_detail)detail)) == 0)
			return (enum trust_detail)detail;
	return DETAIL_NONE;
}
