/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pair_record.h"
#include "phone.h"
#include "plist_stream.h"
#include "text.h"

/* Off the bus after a Pair, where a phone re-enumerates: not measured. */
enum { RECONNECT_GAP_MS = 500 };

static const char request_pair[] = "com.apple.mobile.lockdown.request_pair";
static const char request_host_buid[] = "com.apple.mobile.lockdown.request_host_buid";

const char *dialog_name(enum dialog dialog)
{
	static const char *const names[] = {
		[DIALOG_NONE] = "none",       [DIALOG_COMING] = "coming",
		[DIALOG_ASKING] = "asking",   [DIALOG_PASSCODE] = "passcode",
		[DIALOG_TRUSTED] = "trusted", [DIALOG_DENIED] = "denied",
	};

	return names[dialog];
}

/* @len bytes from the phone's seed: splitmix64, apart from the one behind the nonces, as asking for
 * a UUID changes no nonce. */
static void trust_random(struct trust *t, void *to, size_t len)
{
	uint8_t *bytes = to;

	for (size_t i = 0; i < len; i++) {
		uint64_t z = t->random += 0x9e3779b97f4a7c15;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		bytes[i] = (uint8_t)(z ^ z >> 31);
	}
}

void trust_uuid(struct trust *t, char to[static 37])
{
	uint8_t b[16];

	trust_random(t, b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40; /* version 4, the usual variant */
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(to, 37, "%02X%02X%02X%02X-%02X%02X-%02X%02X-%02X%02X-%02X%02X%02X%02X%02X%02X",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12],
		 b[13], b[14], b[15]);
}

/* ---- the dialog ---- */

static void dialog_set(struct trust *t, enum dialog dialog)
{
	if (t->dialog == dialog)
		return;
	t->dialog = dialog;
	EVLOG(&t->phone->log, "dialog", LOG_TEXT("state", dialog_name(dialog)),
	      LOG_TEXT("asker", t->asker));
}

static void dialog_clear(struct trust *t)
{
	timer_disarm(t->phone->timers, &t->timer);
	dialog_set(t, DIALOG_NONE);
	*t->asker = '\0';
}

/* The user of trust_after_ms: taps, and types the passcode where one is asked. */
static void user_trusts(void *user)
{
	struct trust *t = user;
	const char *why;

	if (trust_tap(t, true, &why) == 0 && t->dialog == DIALOG_PASSCODE)
		trust_type(t, &why);
}

static void dialog_shown(void *user)
{
	struct trust *t = user;
	const struct lockdown_knobs *k = &t->phone->scenario.lockdown;

	dialog_set(t, t->rule == TRUST_DENIED ? DIALOG_DENIED : DIALOG_ASKING);
	if (t->dialog == DIALOG_ASKING && t->rule != TRUST_NEVER && k->trust_after_ms > 0)
		timer_arm(t->phone->timers, &t->timer, k->trust_after_ms, user_trusts, t);
}

/* trust = no_dialog: it stays on its way. */
static void dialog_ask(struct trust *t, const char *buid)
{
	const struct lockdown_knobs *k = &t->phone->scenario.lockdown;

	dialog_clear(t);
	text_copy(t->asker, sizeof(t->asker), buid);
	if (k->dialog_delay_ms == 0 && t->rule != TRUST_NO_DIALOG) {
		dialog_shown(t);
		return;
	}
	dialog_set(t, DIALOG_COMING);
	if (t->rule == TRUST_NO_DIALOG)
		return;
	timer_arm(t->phone->timers, &t->timer, k->dialog_delay_ms, dialog_shown, t);
}

static void dialog_trusted(struct trust *t)
{
	timer_disarm(t->phone->timers, &t->timer);
	dialog_set(t, DIALOG_TRUSTED);
	notice_post(t->phone, request_pair);
}

/* ---- hosts ---- */

static void host_free(struct host *host)
{
	plist_free(host->record);
	free(host);
}

struct host *trust_find(struct trust *t, const char *host_id)
{
	for (struct host *h = t->hosts; h; h = h->next)
		if (!strcmp(h->id, host_id))
			return h;
	return nullptr;
}

void trust_forget(struct trust *t, struct host *host)
{
	EVLOG(&t->phone->log, "forget-host", LOG_TEXT("host", host->id));
	for (struct host **p = &t->hosts; *p; p = &(*p)->next) {
		if (*p != host)
			continue;
		*p = host->next;
		break;
	}
	if (!strcmp(t->asker, host->buid))
		dialog_clear(t);
	host_free(host);
}

void trust_forget_all(struct trust *t)
{
	while (t->hosts)
		trust_forget(t, t->hosts);
	dialog_clear(t);
}

static struct host *host_remember(struct trust *t, plist_t record)
{
	const char *id = plist_text(record, "HostID");
	struct host *host = trust_find(t, id), *oldest = nullptr;
	unsigned count = 0;

	if (host) { /* the same host again: its record is replaced */
		plist_free(host->record);
		host->record = plist_copy(record);
		text_copy(host->buid, sizeof(host->buid), plist_text(record, "SystemBUID"));
		return host;
	}
	for (struct host *h = t->hosts; h; h = h->next, count++)
		oldest = h;
	if (count == HOSTS_MAX)
		trust_forget(t, oldest);
	host = calloc(1, sizeof(*host));
	if (!host)
		die("out of memory");
	*host = (struct host){ .next = t->hosts, .record = plist_copy(record) };
	text_copy(host->id, sizeof(host->id), id);
	text_copy(host->buid, sizeof(host->buid), plist_text(record, "SystemBUID"));
	trust_random(t, host->escrow_bag, sizeof(host->escrow_bag));
	t->hosts = host;
	return host;
}

/* ---- pairing ---- */

static void cable_back(void *user)
{
	phone_plug(user);
}

static void cable_blinks(void *user)
{
	struct trust *t = user;

	timer_arm(t->phone->timers, &t->cable, RECONNECT_GAP_MS, cable_back, t->phone);
	phone_unplug(t->phone);
}

/* What another computer does to the record of the one that paired: the phone has it no more. */
static void fight_lost(void *user)
{
	struct trust *t = user;
	struct host *host = trust_find(t, t->fought);

	if (host)
		trust_forget(t, host);
}

static const char *pair_succeeds(struct trust *t, plist_t record, struct host **ret_host)
{
	const struct lockdown_knobs *k = &t->phone->scenario.lockdown;

	if (k->record_save_fail)
		return "SavePairRecordFailed";
	*ret_host = host_remember(t, record);
	EVLOG(&t->phone->log, "paired", LOG_TEXT("host", (*ret_host)->id),
	      LOG_TEXT("buid", (*ret_host)->buid));
	if (k->forget_after_ms) {
		text_copy(t->fought, sizeof(t->fought), (*ret_host)->id);
		timer_arm(t->phone->timers, &t->fight, k->forget_after_ms, fight_lost, t);
	}
	if (k->reconnect_after_trust)
		timer_arm(t->phone->timers, &t->cable, PHONE_SHUTDOWN_MS, cable_blinks, t);
	return nullptr;
}

/* A host that is known already, with the same root, needs no dialog. */
static bool is_known(struct trust *t, plist_t record)
{
	const struct host *host = trust_find(t, plist_text(record, "HostID"));
	X509 *old, *new;
	bool known;

	if (!host)
		return false;
	old = pair_certificate(host->record, "RootCertificate");
	new = pair_certificate(record, "RootCertificate");
	known = old && new && X509_cmp(old, new) == 0;
	X509_free(old);
	X509_free(new);
	return known;
}

static const char *pair_by_challenge(struct trust *t, plist_t record, plist_t options,
				     struct host **ret_host, plist_t *extended)
{
	plist_t response = options && plist_get_node_type(options) == PLIST_DICT
			       ? plist_dict_get_item(options, "ChallengeResponse")
			       : nullptr;

	if (t->challenged && pair_challenge_answered(response, t->challenge, sizeof(t->challenge)))
		return pair_succeeds(t, record, ret_host);
	t->challenged = true;
	trust_random(t, t->challenge, sizeof(t->challenge));
	*extended = plist_new_dict();
	plist_dict_set_item(*extended, "PairingChallenge",
			    plist_new_data((const char *)t->challenge, sizeof(t->challenge)));
	return "MCChallengeRequired";
}

static const char *pair_by_dialog(struct trust *t, plist_t record, struct host **ret_host)
{
	const char *buid = plist_text(record, "SystemBUID");

	/* before iOS 7 an unlocked phone trusted whoever was plugged in */
	if (phone_major(t->phone) < 7 || is_known(t, record))
		return pair_succeeds(t, record, ret_host);
	if (t->dialog == DIALOG_NONE || strcmp(t->asker, buid) != 0)
		dialog_ask(t, buid);
	switch (t->dialog) {
	case DIALOG_NONE:
	case DIALOG_COMING:
	case DIALOG_ASKING:
	case DIALOG_PASSCODE:
		return "PairingDialogResponsePending";
	case DIALOG_DENIED:
		return "UserDeniedPairing";
	case DIALOG_TRUSTED:
		return pair_succeeds(t, record, ret_host);
	}
	return "InvalidResponse";
}

const char *trust_pair(struct trust *t, plist_t record, plist_t options, struct host **ret_host,
		       plist_t *extended)
{
	const char *wrong = pair_record_check(record);

	trust_sync(t);
	if (wrong)
		return wrong;
	if (t->rule == TRUST_FMIP)
		return "FMiPProtected";
	if (t->rule == TRUST_MC)
		return "MCProtected";
	if (!t->setup_done)
		return pair_succeeds(t, record, ret_host);
	if (t->locked) {
		/* the dialog comes with the unlock */
		text_copy(t->untrusted_buid, sizeof(t->untrusted_buid),
			  plist_text(record, "SystemBUID"));
		return "PasswordProtected";
	}
	if (t->rule == TRUST_MC_CHALLENGE)
		return pair_by_challenge(t, record, options, ret_host, extended);
	return pair_by_dialog(t, record, ret_host);
}

/* ---- sessions ---- */

struct host *trust_session(struct trust *t, const char *host_id, const char *buid,
			   const char **ret_error)
{
	const struct lockdown_knobs *k = &t->phone->scenario.lockdown;
	struct host *host = trust_find(t, host_id);

	trust_sync(t);
	*ret_error = nullptr;
	if (k->missing_pair_record)
		*ret_error = "MissingPairRecord";
	else if (!host || k->stale_record || k->buid_mismatch ||
		 (buid && strcmp(host->buid, buid) != 0))
		*ret_error = "InvalidHostID";
	if (*ret_error)
		return nullptr;
	if (k->forgets_host && host->sessions >= k->forgets_host) {
		trust_forget(t, host);
		*ret_error = "InvalidHostID";
		return nullptr;
	}
	host->sessions++;
	return host;
}

bool trust_escrow_locked(struct trust *t, const struct host *host, plist_t escrow_bag)
{
	uint64_t len = 0;
	const char *bytes;

	trust_sync(t);
	if (t->unlocked_once)
		return false;
	if (!host || !escrow_bag || plist_get_node_type(escrow_bag) != PLIST_DATA)
		return true;
	bytes = plist_get_data_ptr(escrow_bag, &len);
	return len != ESCROW_BAG_BYTES || memcmp(bytes, host->escrow_bag, ESCROW_BAG_BYTES) != 0;
}

void trust_set_untrusted(struct trust *t, const char *buid)
{
	text_copy(t->untrusted_buid, sizeof(t->untrusted_buid), buid);
}

/* ---- the hand ---- */

int trust_unlock(struct trust *t, const char **why)
{
	trust_sync(t);
	if (!t->locked) {
		*why = "the screen is not locked";
		return -EINVAL;
	}
	t->locked = false;
	t->unlocked_once = true;
	EVLOG(&t->phone->log, "unlock");
	if (!*t->untrusted_buid)
		notice_post(t->phone, request_host_buid);
	else if (t->dialog == DIALOG_NONE && t->setup_done && phone_major(t->phone) >= 7)
		dialog_ask(t, t->untrusted_buid);
	return 0;
}

int trust_lock(struct trust *t, const char **why)
{
	trust_sync(t);
	if (!t->passcode) {
		*why = "there is no passcode";
		return -EINVAL;
	}
	t->locked = true;
	EVLOG(&t->phone->log, "lock");
	return 0;
}

int trust_tap(struct trust *t, bool trust, const char **why)
{
	trust_sync(t);
	if (t->dialog != DIALOG_ASKING || t->locked) {
		*why = t->locked ? "the screen is locked" : "no dialog is on the screen";
		return -EINVAL;
	}
	if (t->rule == TRUST_NEVER) {
		*why = "the screen does not feel the tap";
		return -EINVAL;
	}
	timer_disarm(t->phone->timers, &t->timer);
	if (!trust)
		dialog_set(t, DIALOG_DENIED);
	else if (t->passcode && phone_major(t->phone) >= 11)
		dialog_set(t, DIALOG_PASSCODE);
	else
		dialog_trusted(t);
	return 0;
}

int trust_type(struct trust *t, const char **why)
{
	trust_sync(t);
	if (t->dialog != DIALOG_PASSCODE) {
		*why = "nothing asks for the passcode";
		return -EINVAL;
	}
	dialog_trusted(t);
	return 0;
}

void trust_set_passcode(struct trust *t, bool set)
{
	trust_sync(t);
	t->passcode = set;
	t->locked &= set;
	t->unlocked_once |= !t->locked;
}

void trust_finish_setup(struct trust *t)
{
	trust_sync(t);
	t->setup_done = true;
}

/* ---- life ---- */

/* A change of the scenario's rule puts the screen into the state that the rule names. */
static void rule_obey(struct trust *t)
{
	const struct scenario *s = &t->phone->scenario;
	bool locked = s->trust == TRUST_LOCKED || s->trust == TRUST_ESCROW;

	t->rule = s->trust;
	t->setup_done = t->rule != TRUST_SILENT;
	t->passcode = s->lockdown.passcode || locked;
	t->locked = locked;
	t->unlocked_once = t->rule != TRUST_ESCROW;
	dialog_clear(t);
}

void trust_sync(struct trust *t)
{
	if (t->rule != t->phone->scenario.trust)
		rule_obey(t);
}

void trust_init(struct trust *t, struct phone *phone)
{
	*t = (struct trust){ .phone = phone,
			     .random = ~phone->scenario.seed ^ phone->identity.ecid };
	rule_obey(t);
}

void trust_boot(struct trust *t)
{
	trust_sync(t);
	dialog_clear(t);
	t->locked = t->passcode;
	t->unlocked_once = !t->passcode;
}

void trust_detached(struct trust *t)
{
	dialog_clear(t);
	*t->untrusted_buid = '\0';
}

void trust_erase(struct trust *t)
{
	trust_forget_all(t);
	settings_erase(&t->phone->settings);
	t->setup_done = t->passcode = t->locked = false;
	t->unlocked_once = true;
}

void trust_done(struct trust *t)
{
	timer_disarm(t->phone->timers, &t->timer);
	timer_disarm(t->phone->timers, &t->cable);
	timer_disarm(t->phone->timers, &t->fight);
	trust_forget_all(t);
}
