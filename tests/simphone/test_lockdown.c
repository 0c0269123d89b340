/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd with a session: TLS, values, and the verbs that need one. */
#include "bed.h"
#include "bed_session.h"
#include "text.h"

/* ---- sessions and TLS ---- */

static void test_session(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	char other[37];

	assert_true(bed_logged(d.bed, "\"event\":\"tls\",\"version\":\"TLSv1.3\""));
	assert_int_equal(strlen(d.session), 36);
	assert_string_equal(session_ask(d.computer, d.link, other), "SessionActive");
	assert_string_equal(link_error(d.link, REQUEST("StopSession")), "MissingSessionID");
	assert_string_equal(link_error(d.link, REQUEST("StopSession", "SessionID", "x")),
			    "InvalidSessionID");
	assert_int_equal(d.bed->phone.trust.sessions, 1);
}

/* StopSession, close_notify, then the same connection in the clear; and again a session. */
static void test_session_ends(void **state)
{
	DESK d = desk_new(nullptr, nullptr);

	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(
		    link_error(d.link, REQUEST("StopSession", "SessionID", d.session)), "");
		link_stop_tls(d.link);
		assert_int_equal(d.bed->phone.trust.sessions, 0);
		assert_false(d.link->closed);
		assert_string_equal(link_error(d.link, REQUEST("GetValue", "Key", "SerialNumber")),
				    "GetProhibited");
		assert_string_equal(session_ask(d.computer, d.link, d.session), "");
		assert_true(link_start_tls(d.link, d.computer->root, d.computer->root_key, 0));
	}
}

/* A host that stops the session and speaks plainly without close_notify. */
static void test_session_ends_silently(void **state)
{
	DESK d = desk_new(nullptr, nullptr);

	assert_string_equal(link_error(d.link, REQUEST("StopSession", "SessionID", d.session)), "");
	SSL_free(d.link->ssl);
	d.link->ssl = nullptr;
	assert_string_equal(link_error(d.link, REQUEST("QueryType")), "");
}

/* A host that says close_notify in the middle of a session hangs up. */
static void test_session_hangs_up(void **state)
{
	DESK d = desk_new(nullptr, nullptr);

	SSL_shutdown(d.link->ssl);
	link_pump(d.link);
	assert_true(d.link->closed);
}

/* A host that does not wait for the reply to StartSession before it says hello. */
static void test_tls_early(void **state)
{
	DESK d = desk_plain(nullptr, nullptr);
	struct link *l = d.link = link_new(d.bed, LOCKDOWN_PORT);
	BUF_AUTO bytes = {};
	uint8_t hello[4096];
	int len;

	link_make_tls(l, d.computer->root, d.computer->root_key, 0);
	SSL_do_handshake(l->ssl);
	len = BIO_read(SSL_get_wbio(l->ssl), hello, sizeof(hello));
	assert_true(len > 0);
	message_add(&bytes, REQUEST("StartSession", "HostID", d.computer->id, "SystemBUID",
				    d.computer->buid));
	buf_add(&bytes, hello, (size_t)len);
	l->service->class->feed(l->service, bytes.bytes, bytes.len);
	assert_true(l->raw.len > 4);
	buf_drop(&l->raw, 4 + get_be32(l->raw.bytes)); /* the reply, in the clear */
	link_pump(l);
	assert_true(SSL_is_init_finished(l->ssl) && !l->closed);
	assert_string_equal(link_error(l, REQUEST("GetValue", "Key", "SerialNumber")), "");
}

/* Records in pieces of one byte. */
static void test_tls_pieces(void **state)
{
	DESK d = desk_plain(nullptr, nullptr);
	struct link *l = d.link = link_new(d.bed, LOCKDOWN_PORT);
	uint8_t byte;

	assert_string_equal(session_ask(d.computer, l, d.session), "");
	l->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_use_certificate(l->context, d.computer->root);
	SSL_CTX_use_PrivateKey(l->context, d.computer->root_key);
	l->ssl = SSL_new(l->context);
	SSL_set_bio(l->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(l->ssl);
	for (unsigned round = 0; round < 3; round++) {
		SSL_do_handshake(l->ssl);
		while (BIO_read(SSL_get_wbio(l->ssl), &byte, 1) == 1)
			l->service->class->feed(l->service, &byte, 1);
		BIO_write(SSL_get_rbio(l->ssl), l->raw.bytes, (int)l->raw.len);
		buf_clear(&l->raw);
	}
	assert_true(SSL_is_init_finished(l->ssl));
	assert_string_equal(link_error(l, REQUEST("GetValue", "Key", "SerialNumber")), "");
}

/* Which versions meet, and which certificate of the record the host shows. */
static void test_tls_versions(void **state)
{
	static const struct {
		const char *knob, *system, *logged;
		int host_max;
		bool host_certificate;
	} cases[] = {
		{ "tls=normal", "version=17.6.1", "TLSv1.3", 0, false },
		{ "tls=normal", "version=17.6.1", "TLSv1.2", TLS1_2_VERSION, true },
		{ "tls=max_1.2", "version=17.6.1", "TLSv1.2", 0, true },
		{ "tls=normal", "version=12.5.7", "TLSv1.2", 0, false },
		{ "tls=max_1.0", "version=17.6.1", "TLSv1", 0, false },
		{ "tls=normal", "version=9.3.5", "TLSv1", 0, true },
		{ "tls=wrong_cert", "version=17.6.1", "TLSv1.3", 0, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DESK d = desk_plain(cases[i].knob, cases[i].system);
		struct computer *c = d.computer;
		char line[64];

		d.link = link_new(d.bed, LOCKDOWN_PORT);
		assert_string_equal(session_ask(c, d.link, d.session), "");
		assert_true(link_start_tls(d.link, cases[i].host_certificate ? c->host : c->root,
					   cases[i].host_certificate ? c->host_key : c->root_key,
					   cases[i].host_max));
		snprintf(line, sizeof(line), "\"version\":\"%s\"", cases[i].logged);
		assert_true(bed_logged(d.bed, line));
		assert_string_equal(link_error(d.link, REQUEST("QueryType")), "");
	}
}

/* No certificate, a stranger's, and the knobs that end TLS. */
static void test_tls_refuses(void **state)
{
	static const struct {
		const char *knob;
		bool right_certificate, closes;
	} cases[] = {
		{ "tls=normal", false, true },       { "tls=close", true, true },
		{ "tls=alert", true, true },         { "tls=other_ca", true, true },
		{ "tls=no_handshake", true, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned shown = 0; shown < 2; shown++) {
			DESK d = desk_plain(cases[i].knob, nullptr);
			struct computer *stranger = computer_new("X", "X");
			struct computer *c = cases[i].right_certificate ? d.computer : stranger;
			bool done;

			d.link = link_new(d.bed, LOCKDOWN_PORT);
			assert_string_equal(session_ask(d.computer, d.link, d.session), "");
			done = link_start_tls(d.link, shown ? c->root : nullptr, c->root_key, 0);
			assert_false(done);
			assert_true(d.link->closed == cases[i].closes);
			computer_free(stranger);
		}
	}
}

/* ---- values ---- */

static plist_t value(struct desk *d, const char *domain, const char *key)
{
	plist_t request = REQUEST("GetValue"), reply, copy;

	if (domain)
		plist_dict_set_item(request, "Domain", plist_new_string(domain));
	if (key)
		plist_dict_set_item(request, "Key", plist_new_string(key));
	reply = link_ask(d->link, request);
	copy = plist_copy(plist_dict_get_item(reply, "Value"));
	plist_free(reply);
	return copy;
}

static void expect_data(struct desk *d, const char *key, const void *bytes, size_t len)
{
	plist_t data = value(d, nullptr, key);
	uint64_t got = 0;

	assert_non_null(data);
	assert_memory_equal(plist_get_data_ptr(data, &got), bytes, len);
	assert_int_equal(got, len);
	plist_free(data);
}

static void test_values(void **state)
{
	static const char *const there[] = {
		"SerialNumber",          "ActivationState", "ApParameters",
		"PasswordProtected",     "TimeZone",        "NonVolatileRAM",
		"FirmwarePreflightInfo", "Image4Supported", "DevicePublicKey"
	};
	DESK d = desk_new(nullptr, nullptr);

	for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++) {
		plist_t v = value(&d, nullptr, there[i]);

		assert_non_null(v);
		plist_free(v);
	}
	assert_string_equal(link_error(d.link, REQUEST("GetValue", "Key", "Nonsense")),
			    "MissingValue");
	assert_string_equal(
	    link_error(d.link, REQUEST("GetValue", "Domain", "com.apple.fmip", "Key", "No")),
	    "MissingValue");
	{ /* an unknown domain is empty, not an error */
		plist_t v = value(&d, "com.example.nothing", nullptr);

		assert_int_equal(plist_dict_get_size(v), 0);
		plist_free(v);
	}
}

/* The nonce that a host reads is the one that recovery shows, once. */
static void test_nonce(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	struct identity *id = &d.bed->phone.identity;
	uint8_t ap[AP_NONCE_MAX], sep[SEP_NONCE_BYTES];

	memcpy(ap, id->ap_nonce, sizeof(ap));
	memcpy(sep, id->sep_nonce, sizeof(sep));
	expect_data(&d, "ApNonce", ap, identity_nonce_bytes(id));
	expect_data(&d, "SEPNonce", sep, sizeof(sep));
	assert_string_equal(link_error(d.link, REQUEST("EnterRecovery")), "");
	bed_wait(d.bed, 60000);
	assert_int_equal(d.bed->phone.mode, MODE_RECOVERY);
	assert_memory_equal(id->ap_nonce, ap, sizeof(ap));
	assert_memory_equal(id->sep_nonce, sep, sizeof(sep));
	phone_leave(&d.bed->phone, MODE_RECOVERY, 0, "test");
	bed_wait(d.bed, 60000);
	assert_memory_not_equal(id->ap_nonce, ap, sizeof(ap));
}

static plist_t set_request(const char *domain, const char *key, plist_t v)
{
	plist_t request = REQUEST("SetValue");

	if (domain)
		plist_dict_set_item(request, "Domain", plist_new_string(domain));
	if (key)
		plist_dict_set_item(request, "Key", plist_new_string(key));
	if (v)
		plist_dict_set_item(request, "Value", v);
	return request;
}

static void test_set_value(void **state)
{
	static const struct {
		const char *domain, *key, *error;
	} cases[] = {
		{ nullptr, "DeviceName", "" },
		{ nullptr, "TimeZone", "" },
		{ nullptr, "SerialNumber", "ImmutableValue" },
		{ nullptr, "Nonsense", "SetProhibited" },
		{ nullptr, nullptr, "MissingKey" },
		{ nullptr, "UntrustedHostBUID", "" },
		{ "com.apple.international", "Language", "" },
		{ "com.apple.fmip", "IsAssociated", "ImmutableValue" },
	};
	DESK d = desk_new(nullptr, nullptr);
	plist_t v, clock;
	double seconds = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = plist_new_string("Ü");
		assert_string_equal(
		    link_error(d.link, set_request(cases[i].domain, cases[i].key, v)),
		    cases[i].error);
		if (*cases[i].error)
			continue;
		v = value(&d, cases[i].domain, cases[i].key);
		assert_string_equal(plist_get_string_ptr(v, nullptr), "Ü");
		plist_free(v);
	}
	assert_string_equal(d.bed->phone.scenario.name, "Ü");
	assert_string_equal(link_error(d.link, set_request(nullptr, "TimeZone", nullptr)),
			    "MissingValue");
	assert_string_equal(
	    link_error(d.link, set_request(nullptr, "TimeIntervalSince1970", plist_new_uint(1e9))),
	    "");
	bed_wait(d.bed, 1500);
	clock = value(&d, nullptr, "TimeIntervalSince1970");
	plist_get_real_val(clock, &seconds);
	plist_free(clock);
	assert_true(seconds > 999999999 && seconds < 1000000600);
	assert_string_equal(link_error(d.link, REQUEST("RemoveValue", "Key", "TimeZone")), "");
	assert_string_equal(link_error(d.link, REQUEST("RemoveValue", "Key", "TimeZone")),
			    "RemoveProhibited");
	assert_string_equal(link_error(d.link, REQUEST("RemoveValue", "Key", "SerialNumber")),
			    "ImmutableValue");
	assert_string_equal(link_error(d.link, REQUEST("RemoveValue")), "MissingKey");
}

/* A made-up clock runs with the phone's own time. */
static void test_clock(void **state)
{
	DESK d = desk_new("clock_s=1700000000", nullptr);
	plist_t clock;
	double seconds = 0;

	bed_wait(d.bed, 2500);
	clock = value(&d, nullptr, "TimeIntervalSince1970");
	plist_get_real_val(clock, &seconds);
	plist_free(clock);
	assert_true(seconds > 1700000002.4 && seconds < 1700000002.6);
}

/* ---- verbs that need a session ---- */

static void test_strangers(void **state)
{
	static const struct {
		const char *verb, *error;
	} cases[] = {
		{ "StopSession", "SessionInactive" },  { "RemoveValue", "SessionInactive" },
		{ "ResetPairing", "SessionInactive" }, { "Activate", "SessionInactive" },
		{ "Deactivate", "SessionInactive" },   { "StartSession", "MissingHostID" },
		{ "StartService", "MissingService" },  { "Dance", "InvalidRequest" },
	};
	DESK d = desk_plain("enter_recovery=session", nullptr);

	d.link = link_new(d.bed, LOCKDOWN_PORT);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(link_error(d.link, REQUEST(cases[i].verb)), cases[i].error);
	assert_string_equal(link_error(d.link, REQUEST("EnterRecovery")), "SessionInactive");
	d.bed->phone.scenario.enter_recovery = ENTER_RECOVERY_RELEASE; /* of iOS 17 */
	assert_string_equal(link_error(d.link, REQUEST("EnterRecovery")), "SessionInactive");
	text_copy(d.bed->phone.system.version, sizeof(d.bed->phone.system.version), "14.4.2");
	assert_string_equal(link_error(d.link, REQUEST("EnterRecovery")), "");
	assert_string_equal(
	    link_error(d.link, set_request(nullptr, "DeviceName", plist_new_string("x"))),
	    "SetProhibited");
	assert_string_equal(link_error(d.link, REQUEST("GetValue", "Key", "ApNonce")), "");
	assert_string_equal(link_error(d.link, REQUEST("GetValue", "Key", "SerialNumber")),
			    "GetProhibited");
	assert_string_equal(link_error(d.link, REQUEST("GetValue", "Key", "Image4Supported")), "");
}

static void test_activation(void **state)
{
	DESK d = desk_new("unactivated=yes", nullptr);
	plist_t request = REQUEST("Activate"), v;

	assert_string_equal(link_error(d.link, REQUEST("Activate")), "MissingActivationRecord");
	assert_string_equal(link_error(d.link, REQUEST("Activate", "ActivationRecord", "x")),
			    "InvalidActivationRecord");
	plist_dict_set_item(request, "ActivationRecord", plist_new_dict());
	assert_string_equal(link_error(d.link, request), "");
	v = value(&d, nullptr, "ActivationState");
	assert_string_equal(plist_get_string_ptr(v, nullptr), "Activated");
	plist_free(v);
	assert_string_equal(link_error(d.link, REQUEST("Deactivate")), "");
	v = value(&d, nullptr, "BrickState");
	assert_true(plist_bool_val_is_true(v));
	plist_free(v);
}

static void test_reset_pairing(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	plist_t request;

	computer_free(computer_trusted(d.bed, "HOST-2"));
	assert_string_equal(link_error(d.link, REQUEST("ResetPairing")), "");
	assert_null(trust_find(&d.bed->phone.trust, "HOST-1"));
	assert_non_null(trust_find(&d.bed->phone.trust, "HOST-2"));
	request = REQUEST("ResetPairing");
	plist_dict_set_item(request, "FullReset", plist_new_bool(1));
	assert_string_equal(link_error(d.link, request), "");
	assert_null(d.bed->phone.trust.hosts);
}

/* ---- a garbage host ---- */

static uint64_t random_step(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random >> 32;
}

/* A value of any type where lockdownd expects another. */
static plist_t garbage_node(uint64_t *random)
{
	switch (random_step(random) & 7) {
	case 0:
		return plist_new_string("HOST-1");
	case 1:
		return plist_new_uint(*random);
	case 2:
		return plist_new_data((const char *)random, 8);
	case 3:
		return plist_new_array();
	case 4:
		return plist_new_dict();
	case 5:
		return plist_new_real(-1e300);
	default:
		return plist_new_bool(1);
	}
}

/* Every verb with arguments of every type, inside a session and outside: an answer each time. */
static void test_garbage_arguments(void **state)
{
	static const char *const verbs[] = { "GetValue",     "SetValue",     "RemoveValue",
					     "Pair",         "ValidatePair", "Unpair",
					     "StartSession", "StopSession",  "StartService",
					     "Activate",     "ResetPairing" };
	static const char *const keys[] = {
		"Key",        "Domain",    "Value",           "PairRecord", "HostID",
		"SystemBUID", "SessionID", "Service",         "EscrowBag",  "PairingOptions",
		"FullReset",  "Label",     "ActivationRecord"
	};
	DESK d = desk_new(nullptr, nullptr);
	struct link *plain = link_new(d.bed, LOCKDOWN_PORT);
	uint64_t random = 88172645463325252;

	for (unsigned i = 0; i < 4000; i++) {
		plist_t request = REQUEST(verbs[i % (sizeof(verbs) / sizeof(verbs[0]))]), reply;

		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
			if (random_step(&random) & 1)
				plist_dict_set_item(request, keys[k], garbage_node(&random));
		reply = link_ask(i & 1 ? plain : d.link, request);
		assert_non_null(reply);
		plist_free(reply);
	}
	assert_false(plain->closed || d.link->closed);
	link_free(plain);
}

/* Bytes without sense, before TLS and within: the connection ends or waits, nothing else happens.
 */
static void test_garbage_bytes(void **state)
{
	uint64_t random = 1;
	uint8_t bytes[600];

	for (unsigned i = 0; i < 200; i++) {
		DESK d = desk_plain(nullptr, nullptr);

		d.link = link_new(d.bed, LOCKDOWN_PORT);
		if (i & 1)
			assert_string_equal(session_ask(d.computer, d.link, d.session), "");
		for (size_t k = 0; k < sizeof(bytes); k++)
			bytes[k] = (uint8_t)(random_step(&random) >> 24);
		if (i & 2) /* looks like a record, and like a length */
			memcpy(bytes, i & 1 ? "\x16\x03\x01\x00\x80\x01" : "\x00\x00\x00\x40<", 6);
		d.link->service->class->feed(d.link->service, bytes, sizeof(bytes));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session),
		cmocka_unit_test(test_session_ends),
		cmocka_unit_test(test_session_ends_silently),
		cmocka_unit_test(test_session_hangs_up),
		cmocka_unit_test(test_tls_early),
		cmocka_unit_test(test_tls_pieces),
		cmocka_unit_test(test_tls_versions),
		cmocka_unit_test(test_tls_refuses),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_nonce),
		cmocka_unit_test(test_set_value),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_reset_pairing),
		cmocka_unit_test(test_garbage_arguments),
		cmocka_unit_test(test_garbage_bytes),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
