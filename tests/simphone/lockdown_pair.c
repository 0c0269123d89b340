/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd: the verbs of pairing. The decisions are trust.c's. */
#include "lockdown_evil.h"
#include "lockdown_verbs.h"

struct answer verb_pair(struct lockdown *l, plist_t request)
{
	struct answer answer = {};
	struct host *host = nullptr;
	plist_t extended = nullptr;

	answer.error = trust_pair(&l->phone->trust, plist_dict_get_item(request, "PairRecord"),
				  plist_dict_get_item(request, "PairingOptions"), &host, &extended);
	answer.reply = plist_new_dict();
	if (host)
		evil_escrow_bag(l->phone, host, answer.reply);
	if (extended)
		plist_dict_set_item(answer.reply, "ExtendedResponse", extended);
	return answer;
}

/* The known host that a PairRecord names, or NULL and an error. */
static struct host *host_named(struct lockdown *l, plist_t request, const char **ret_error)
{
	plist_t record = plist_dict_get_item(request, "PairRecord");
	const char *id = record && plist_get_node_type(record) == PLIST_DICT
			     ? plist_text(record, "HostID")
			     : nullptr;
	struct host *host = id ? trust_find(&l->phone->trust, id) : nullptr;

	*ret_error = !record ? "MissingPairRecord" : !id ? "MissingHostID" : "InvalidHostID";
	if (l->phone->scenario.lockdown.stale_record)
		return nullptr;
	if (host)
		*ret_error = nullptr;
	return host;
}

struct answer verb_validate_pair(struct lockdown *l, plist_t request)
{
	const char *error;

	host_named(l, request, &error);
	return answer_done(error);
}

struct answer verb_unpair(struct lockdown *l, plist_t request)
{
	const char *error;
	struct host *host = host_named(l, request, &error);

	if (host)
		trust_forget(&l->phone->trust, host);
	return answer_done(error);
}

/* FullReset: every host; else the one that asks. */
struct answer verb_reset_pairing(struct lockdown *l, plist_t request)
{
	plist_t full = plist_dict_get_item(request, "FullReset");
	struct host *host = lockdown_host(l);

	if (!lockdown_trusted(l))
		return answer_error("SessionInactive");
	if (full && plist_get_node_type(full) == PLIST_BOOLEAN && plist_bool_val_is_true(full))
		trust_forget_all(&l->phone->trust);
	else if (host)
		trust_forget(&l->phone->trust, host);
	return answer_done(nullptr);
}
