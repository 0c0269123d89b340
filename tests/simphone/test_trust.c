/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Trust: the dialog, the lock, pair records and what makes a phone forget them. */
#include "bed.h"
#include "bed_host.h"

#include <openssl/cms.h>

#include "control.h"
#include "pair_record.h"

/* A line of the control socket; returns whether it was done. */
static bool hand(struct bed *b, const char *line)
{
	char copy[128];
	struct loop loop = {};
	BUF_AUTO answer = {};

	snprintf(copy, sizeof(copy), "%s", line);
	control_run(&loop, &b->phone, copy, &answer);
	return !strncmp(buf_text(&answer), "{\"ok\":true", 10);
}

static unsigned host_count(struct bed *b)
{
	unsigned count = 0;

	for (struct host *h = b->phone.trust.hosts; h; h = h->next)
		count++;
	return count;
}

/* Bed, computer and a plain connection. */
struct desk {
	struct bed *bed;
	struct computer *computer;
	struct link *link;
};

static struct desk desk_new(const char *a, const char *b)
{
	struct desk d = { .bed = BED(a ? a : "seed=1", b ? b : "seed=1") };

	d.computer = computer_new("HOST-1", "BUID-1");
	d.link = link_new(d.bed, LOCKDOWN_PORT);
	return d;
}

static void desk_free(struct desk *d)
{
	link_free(d->link);
	computer_free(d->computer);
	bed_free(d->bed);
}

#define DESK [[gnu::cleanup(desk_free)]] struct desk

static void test_refusals(void **state)
{
	static const struct {
		const char *setting, *pair;
	} cases[] = {
		{ "trust=asking", "PairingDialogResponsePending" },
		{ "trust=never", "PairingDialogResponsePending" },
		{ "trust=denied", "UserDeniedPairing" },
		{ "trust=locked", "PasswordProtected" },
		{ "trust=escrow", "PasswordProtected" },
		{ "trust=fmip", "FMiPProtected" },
		{ "trust=mc", "MCProtected" },
		{ "trust=mc_challenge", "MCChallengeRequired" },
		{ "trust=silent", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DESK d = desk_new(cases[i].setting, nullptr);
		char session[37];

		assert_string_equal(computer_pair(d.computer, d.link), cases[i].pair);
		assert_int_equal(host_count(d.bed), *cases[i].pair ? 0 : 1);
		assert_string_equal(session_ask(d.computer, d.link, session),
				    *cases[i].pair ? "InvalidHostID" : "");
	}
}

/* The dialog as a person sees it, with the notification that usbmuxd waits for. */
static void test_dialog(void **state)
{
	DESK d = desk_new("dialog_delay_ms=2000", nullptr);

	assert_false(hand(d.bed, "trust"));
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	assert_int_equal(d.bed->phone.trust.dialog, DIALOG_COMING);
	assert_false(hand(d.bed, "trust"));
	bed_wait(d.bed, 2000);
	assert_int_equal(d.bed->phone.trust.dialog, DIALOG_ASKING);
	/* a host that polls makes new certificates: the first attempt is not the one that counts */
	computer_free(d.computer);
	d.computer = computer_new("HOST-2", "BUID-1");
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	assert_false(bed_logged(d.bed, "request_pair"));
	assert_true(hand(d.bed, "trust"));
	assert_true(bed_logged(d.bed, "request_pair"));
	assert_int_equal(host_count(d.bed), 0);
	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_int_equal(host_count(d.bed), 1);
	assert_non_null(trust_find(&d.bed->phone.trust, "HOST-2"));
}

static void test_denied(void **state)
{
	DESK d = desk_new(nullptr, nullptr);

	computer_pair(d.computer, d.link);
	assert_true(hand(d.bed, "deny"));
	assert_string_equal(computer_pair(d.computer, d.link), "UserDeniedPairing");
	assert_false(hand(d.bed, "trust"));
	/* another cable, another question */
	link_free(d.link);
	assert_true(hand(d.bed, "unplug"));
	assert_true(hand(d.bed, "plug"));
	d.link = link_new(d.bed, LOCKDOWN_PORT);
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
}

/* Since iOS 11 Trust wants the passcode. */
static void test_passcode(void **state)
{
	DESK d = desk_new("passcode=yes", nullptr);

	computer_pair(d.computer, d.link);
	assert_true(hand(d.bed, "trust tap-only"));
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	assert_true(hand(d.bed, "type"));
	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_true(hand(d.bed, "lock"));
	assert_true(hand(d.bed, "passcode none"));
	assert_false(d.bed->phone.trust.locked);
	assert_false(hand(d.bed, "lock"));
	assert_false(hand(d.bed, "passcode"));
}

static void test_locked(void **state)
{
	DESK d = desk_new("trust=locked", nullptr);

	assert_string_equal(computer_pair(d.computer, d.link), "PasswordProtected");
	assert_string_equal(
	    link_error(d.link, REQUEST("StartService", "Service",
				       "com.apple.mobile.insecure_notification_proxy")),
	    "PasswordProtected");
	assert_true(hand(d.bed, "unlock"));
	assert_int_equal(d.bed->phone.trust.dialog, DIALOG_ASKING); /* for who tried before */
	assert_true(hand(d.bed, "trust"));
	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_false(hand(d.bed, "unlock"));
}

static void test_timed_tap(void **state)
{
	DESK d = desk_new("trust_after_ms=3000", "passcode=yes");

	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	bed_wait(d.bed, 2999);
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	bed_wait(d.bed, 1);
	assert_string_equal(computer_pair(d.computer, d.link), "");
}

static void test_never(void **state)
{
	DESK d = desk_new("trust=never", "trust_after_ms=10");

	computer_pair(d.computer, d.link);
	bed_wait(d.bed, 100000);
	assert_false(hand(d.bed, "trust"));
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
	assert_true(hand(d.bed, "set trust silent"));
	assert_string_equal(computer_pair(d.computer, d.link), "");
}

static void test_setup_assistant(void **state)
{
	DESK d = desk_new("trust=silent", nullptr);
	struct computer *other = computer_new("HOST-9", "BUID-9");

	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_true(hand(d.bed, "setup done"));
	assert_string_equal(computer_pair(other, d.link), "PairingDialogResponsePending");
	/* who is known stays known */
	assert_string_equal(computer_pair(d.computer, d.link), "");
	computer_free(other);
}

/* The supervisor's computer signs what the phone asks; a wrong signature gets a new question. */
static void test_challenge(void **state)
{
	DESK d = desk_new("trust=mc_challenge", nullptr);
	const struct trust *t = &d.bed->phone.trust;

	assert_string_equal(computer_pair(d.computer, d.link), "MCChallengeRequired");
	for (unsigned right = 0; right < 2; right++) {
		plist_t options = plist_new_dict();
		BIO *content = BIO_new_mem_buf(right ? (const void *)t->challenge : "no",
					       right ? CHALLENGE_BYTES : 2);
		CMS_ContentInfo *cms =
		    CMS_sign(d.computer->root, d.computer->root_key, nullptr, content, CMS_BINARY);
		unsigned char *der = nullptr;
		int len = i2d_CMS_ContentInfo(cms, &der);

		assert_true(len > 0);
		plist_dict_set_item(options, "ChallengeResponse",
				    plist_new_data((char *)der, (uint64_t)len));
		assert_string_equal(computer_pair_with(d.computer, d.link, options),
				    right ? "" : "MCChallengeRequired");
		OPENSSL_free(der);
		CMS_ContentInfo_free(cms);
		BIO_free(content);
	}
}

/* Records that no phone would keep. */
static void test_bad_records(void **state)
{
	static const struct {
		const char *removed, *error;
	} cases[] = {
		{ "HostID", "MissingHostID" },
		{ "SystemBUID", "InvalidPairRecord" },
		{ "RootCertificate", "InvalidPairRecord" },
		{ "HostCertificate", "InvalidPairRecord" },
		{ "DeviceCertificate", "InvalidPairRecord" },
	};
	DESK d = desk_new("trust=silent", nullptr);
	plist_t request;

	computer_meet(d.computer, d.link);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		plist_t record = computer_record(d.computer);

		request = REQUEST("Pair");
		plist_dict_remove_item(record, cases[i].removed);
		plist_dict_set_item(request, "PairRecord", record);
		assert_string_equal(link_error(d.link, request), cases[i].error);
	}
	assert_string_equal(link_error(d.link, REQUEST("Pair")), "MissingPairRecord");
	assert_string_equal(link_error(d.link, REQUEST("Pair", "PairRecord", "x")),
			    "MissingPairRecord");
	/* a certificate for another key, and one that the root has not signed */
	X509_free(d.computer->device);
	d.computer->device =
	    certificate_new(d.computer->host_key, d.computer->root, d.computer->root_key);
	assert_string_equal(computer_pair(d.computer, d.link), "InvalidPairRecord");
	computer_meet(d.computer, d.link);
	X509_free(d.computer->root);
	d.computer->root = certificate_new(d.computer->host_key, nullptr, d.computer->host_key);
	assert_string_equal(computer_pair(d.computer, d.link), "InvalidPairRecord");
	assert_int_equal(host_count(d.bed), 0);
}

static const char *pair_verb(struct desk *d, const char *verb)
{
	plist_t request = REQUEST(verb);

	plist_dict_set_item(request, "PairRecord", computer_record(d->computer));
	return link_error(d->link, request);
}

static void test_unpair(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	char session[37];

	computer_pair(d.computer, d.link);
	hand(d.bed, "trust");
	assert_string_equal(pair_verb(&d, "ValidatePair"), "InvalidHostID");
	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_string_equal(pair_verb(&d, "ValidatePair"), "");
	assert_string_equal(pair_verb(&d, "Unpair"), "");
	assert_string_equal(pair_verb(&d, "Unpair"), "InvalidHostID");
	assert_string_equal(link_error(d.link, REQUEST("Unpair")), "MissingPairRecord");
	assert_string_equal(session_ask(d.computer, d.link, session), "InvalidHostID");
	assert_string_equal(computer_pair(d.computer, d.link), "PairingDialogResponsePending");
}

static void test_forget(void **state)
{
	DESK d = desk_new("trust=silent", "forgets_host=2");
	char session[37];

	computer_pair(d.computer, d.link);
	for (unsigned i = 0; i < 2; i++)
		link_free(session_new(d.bed, d.computer, nullptr));
	assert_string_equal(session_ask(d.computer, d.link, session), "InvalidHostID");
	assert_int_equal(host_count(d.bed), 0);
	computer_pair(d.computer, d.link);
	assert_true(hand(d.bed, "forget"));
	assert_int_equal(host_count(d.bed), 0);
}

static void test_knobs(void **state)
{
	static const struct {
		const char *knob, *pair, *session;
	} cases[] = {
		{ "record_save_fail=yes", "SavePairRecordFailed", "InvalidHostID" },
		{ "stale_record=yes", "", "InvalidHostID" },
		{ "buid_mismatch=yes", "", "InvalidHostID" },
		{ "missing_pair_record=yes", "", "MissingPairRecord" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DESK d = desk_new("trust=silent", cases[i].knob);
		char session[37];

		assert_string_equal(computer_pair(d.computer, d.link), cases[i].pair);
		assert_string_equal(session_ask(d.computer, d.link, session), cases[i].session);
	}
}

static void test_reconnect(void **state)
{
	DESK d = desk_new("trust=silent", "reconnect_after_trust=yes");

	assert_string_equal(computer_pair(d.computer, d.link), "");
	assert_int_equal(d.bed->detaches, 0);
	bed_wait(d.bed, 5000);
	assert_int_equal(d.bed->detaches, 1);
	assert_int_equal(d.bed->attaches, 1);
	assert_int_equal(host_count(d.bed), 1);
}

/* Every mode keeps the records; a phone with a passcode comes back locked; an erase destroys all.
 */
static void test_boots_and_erase(void **state)
{
	struct bed *b = BED("passcode=yes", "name=Anna");
	struct computer *c = computer_new("HOST-1", "BUID-1");
	struct link *l = link_new(b, LOCKDOWN_PORT);

	computer_pair(c, l);
	hand(b, "trust");
	assert_string_equal(computer_pair(c, l), "");
	link_free(l);
	assert_false(b->phone.trust.locked);
	for (unsigned i = 0; i < 2; i++) {
		hand(b, i ? "mode normal" : "mode recovery");
		bed_wait(b, 60000);
	}
	assert_int_equal(b->phone.mode, MODE_NORMAL);
	assert_int_equal(host_count(b), 1);
	assert_true(b->phone.trust.locked);
	assert_false(b->phone.trust.unlocked_once);
	trust_erase(&b->phone.trust);
	assert_int_equal(host_count(b), 0);
	assert_false(b->phone.trust.passcode || b->phone.trust.locked || b->phone.trust.setup_done);
	assert_string_equal(b->phone.scenario.name, "iPhone");
	computer_free(c);
	bed_free(b);
}

/* A host without end of names is bounded, and the oldest makes room. */
static void test_many_hosts(void **state)
{
	DESK d = desk_new("trust=silent", nullptr);

	for (unsigned i = 0; i < HOSTS_MAX + 3; i++) {
		snprintf(d.computer->id, sizeof(d.computer->id), "HOST-%u", i);
		assert_string_equal(computer_pair(d.computer, d.link), "");
	}
	assert_int_equal(host_count(d.bed), HOSTS_MAX);
	assert_null(trust_find(&d.bed->phone.trust, "HOST-2"));
	assert_non_null(trust_find(&d.bed->phone.trust, "HOST-3"));
}

/* `state` tells what the tests of whole runs ask for. */
static void test_state(void **state)
{
	DESK d = desk_new("trust=silent", nullptr);
	struct loop loop = {};
	struct link *session;
	char line[] = "state";
	BUF_AUTO answer = {};

	computer_pair(d.computer, d.link);
	session = session_new(d.bed, d.computer, nullptr);
	control_run(&loop, &d.bed->phone, line, &answer);
	assert_non_null(
	    strstr(buf_text(&answer), "\"host_ids\":[\"HOST-1\"],\"hosts\":1,\"sessions\":1"));
	assert_non_null(strstr(buf_text(&answer), "\"dialog\":\"none\""));
	assert_non_null(strstr(buf_text(&answer), "\"locked\":false"));
	link_free(session);
	assert_int_equal(d.bed->phone.trust.sessions, 0);
	assert_false(hand(d.bed, "dance"));
	assert_false(hand(d.bed, ""));
	assert_false(hand(d.bed, "button"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),        cmocka_unit_test(test_dialog),
		cmocka_unit_test(test_denied),          cmocka_unit_test(test_passcode),
		cmocka_unit_test(test_locked),          cmocka_unit_test(test_timed_tap),
		cmocka_unit_test(test_never),           cmocka_unit_test(test_setup_assistant),
		cmocka_unit_test(test_challenge),       cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_unpair),          cmocka_unit_test(test_forget),
		cmocka_unit_test(test_knobs),           cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_boots_and_erase), cmocka_unit_test(test_many_hosts),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
