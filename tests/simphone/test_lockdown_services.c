/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd: StartService and what it opens, forms of replies, two computers at once. */
#include "bed.h"
#include "bed_session.h"

/* ---- services ---- */

/* StartService: the port, or 0 and @error. */
static uint16_t service_start(struct link *l, const char *name, bool *ret_ssl, const char **error)
{
	plist_t reply = link_ask(l, REQUEST("StartService", "Service", name));
	plist_t port = plist_dict_get_item(reply, "Port");
	plist_t ssl = plist_dict_get_item(reply, "EnableServiceSSL");
	uint64_t number = 0;

	if (port)
		plist_get_uint_val(port, &number);
	*ret_ssl = ssl && plist_bool_val_is_true(ssl);
	*error = error_of(reply);
	return (uint16_t)number;
}

static const char proxy[] = "com.apple.mobile.notification_proxy";
static const char insecure[] = "com.apple.mobile.insecure_notification_proxy";

static bool relays(struct link *l, const char *name)
{
	plist_t reply = nullptr, got;
	bool right;

	if (l->text.len < 4)
		return false;
	plist_from_memory((const char *)l->text.bytes + 4, (uint32_t)l->text.len - 4, &reply,
			  nullptr);
	got = plist_dict_get_item(reply, "Name");
	right = got && !strcmp(plist_get_string_ptr(got, nullptr), name);
	plist_free(reply);
	buf_clear(&l->text);
	return right;
}

/* A service behind TLS, and the news that it relays. */
static void test_service(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	const char *error;
	struct link *l;
	uint16_t port;
	bool ssl;

	port = service_start(d.link, proxy, &ssl, &error);
	assert_string_equal(error, "");
	assert_true(ssl);
	l = link_new(d.bed, port);
	assert_null(ports_open(&d.bed->phone.ports, port, &(struct stream){})); /* one connection */
	assert_true(link_start_tls(l, d.computer->root, d.computer->root_key, 0));
	assert_null(link_ask(l, REQUEST("x", "Command", "ObserveNotification", "Name", "a.b")));
	notice_post(&d.bed->phone, "a.c");
	link_pump(l);
	assert_false(relays(l, "a.c"));
	notice_post(&d.bed->phone, "a.b");
	link_pump(l);
	assert_true(relays(l, "a.b"));
	plist_free(link_ask(l, REQUEST("x", "Command", "PostNotification", "Name", "a.b")));
	plist_free(link_ask(l, REQUEST("x", "Command", "Shutdown")));
	assert_true(l->closed);
	link_free(l);
	assert_int_equal(d.bed->phone.services, 0);
}

static void test_service_rules(void **state)
{
	static const struct {
		const char *a, *b, *service, *error;
		bool session, ssl;
	} cases[] = {
		{ nullptr, nullptr, insecure, "", false, false },
		{ nullptr, nullptr, insecure, "", true, false },
		{ nullptr, nullptr, proxy, "SessionInactive", false, false },
		{ nullptr, nullptr, proxy, "", true, true },
		{ "version=12.5.7", nullptr, proxy, "", true, false },
		{ nullptr, nullptr, "com.example.none", "InvalidService", true, false },
		{ nullptr, nullptr, "com.apple.mobile.installation_proxy", "ServiceProhibited",
		  true, false },
		{ "service=ssl_missing", nullptr, proxy, "", true, false },
		{ "service_fail=com.apple.afc PasswordProtected", nullptr, "com.apple.afc",
		  "PasswordProtected", true, false },
		{ "service_fail=com.apple.afc PasswordProtected", nullptr, proxy, "", true, true },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		DESK d = cases[i].session ? desk_new(cases[i].a, cases[i].b)
					  : desk_plain(cases[i].a, cases[i].b);
		const char *error;
		bool ssl;

		if (!d.link)
			d.link = link_new(d.bed, LOCKDOWN_PORT);
		service_start(d.link, cases[i].service, &ssl, &error);
		assert_string_equal(error, cases[i].error);
		assert_true(ssl == cases[i].ssl);
	}
}

/* As many connections as the knob says, and room again when one ends. */
static void test_service_limit(void **state)
{
	DESK d = desk_new("service_limit=1", nullptr);
	const char *error;
	struct link *l;
	bool ssl;

	for (unsigned i = 0; i < 2; i++) {
		l = link_new(d.bed, service_start(d.link, proxy, &ssl, &error));
		service_start(d.link, proxy, &ssl, &error);
		assert_string_equal(error, "ServiceLimit");
		link_free(l);
	}
}

/* Before the first unlock only the record's escrow bag opens the user's files. */
static void test_escrow(void **state)
{
	DESK d = desk_new("passcode=yes", nullptr);
	plist_t request = REQUEST("StartService", "Service", "com.apple.afc");
	const char *error;
	bool ssl;

	link_free(d.link);
	phone_restart(&d.bed->phone, "test");
	bed_wait(d.bed, 60000);
	d.link = session_new(d.bed, d.computer, nullptr);
	service_start(d.link, "com.apple.afc", &ssl, &error);
	assert_string_equal(error, "EscrowLocked");
	service_start(d.link, proxy, &ssl, &error);
	assert_string_equal(error, "");
	plist_dict_set_item(request, "EscrowBag",
			    plist_new_data((const char *)d.computer->escrow_bag, 32));
	assert_string_equal(link_error(d.link, request), "");
	assert_int_equal(trust_unlock(&d.bed->phone.trust, &error), 0);
	service_start(d.link, "com.apple.afc", &ssl, &error);
	assert_string_equal(error, "");
}

static void test_service_troubles(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		static const char *const knobs[] = { "service=wrong_port", "service=close",
						     "service=tls_fails" };
		DESK d = desk_new(knobs[i], nullptr);
		const char *error;
		struct link *l;
		uint16_t port;
		bool ssl;

		port = service_start(d.link, proxy, &ssl, &error);
		if (i == 0) {
			assert_null(ports_open(&d.bed->phone.ports, port, &(struct stream){}));
			continue;
		}
		l = link_new(d.bed, port);
		assert_true(l->closed == (i == 1));
		assert_false(link_start_tls(l, d.computer->root, d.computer->root_key, 0));
		assert_true(l->closed);
		link_free(l);
	}
}

/* Services that nobody connects to are bounded. */
static void test_many_services(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	uint16_t first = 0, last = 0;
	const char *error;
	bool ssl;

	for (unsigned i = 0; i < 100; i++) {
		last = service_start(d.link, proxy, &ssl, &error);
		assert_string_equal(error, "");
		first = first ? first : last;
	}
	assert_null(ports_open(&d.bed->phone.ports, first, &(struct stream){}));
	link_free(link_new(d.bed, last));
	link_free(link_new(d.bed, LOCKDOWN_PORT));
}

/* ---- knobs of the replies ---- */

static void test_replies(void **state)
{
	static const struct {
		const char *knob, *request;
		size_t at_least;
	} cases[] = {
		{ "lockdown_reply=normal", "QueryType", 0 },
		{ "lockdown_reply=wrong_request", "Dance", 0 },
		{ "lockdown_reply=binary", "QueryType", 0 },
		{ "lockdown_reply=split", "QueryType", 0 },
		{ "lockdown_reply=long", "QueryType", 65536 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED(cases[i].knob);
		struct link *l = link_new(b, LOCKDOWN_PORT);
		plist_t reply = link_ask(l, REQUEST("QueryType")), padding;
		uint64_t len = 0;

		assert_string_equal(
		    plist_get_string_ptr(plist_dict_get_item(reply, "Request"), nullptr),
		    cases[i].request);
		padding = plist_dict_get_item(reply, "Padding");
		if (padding)
			plist_get_data_ptr(padding, &len);
		assert_true(len >= cases[i].at_least);
		plist_free(reply);
		link_free(l);
		bed_free(b);
	}
	{
		struct bed *b = BED("lockdown_reply=none");
		struct link *l = link_new(b, LOCKDOWN_PORT);

		assert_null(link_ask(l, REQUEST("QueryType")));
		assert_false(l->closed);
		link_free(l);
		bed_free(b);
	}
}

/* Two computers at one phone, each with its own TLS. */
static void test_two_hosts(void **state)
{
	DESK d = desk_new(nullptr, nullptr);
	struct computer *other = computer_trusted(d.bed, "HOST-2");
	struct link *l = session_new(d.bed, other, nullptr);

	assert_int_equal(d.bed->phone.trust.sessions, 2);
	assert_string_equal(link_error(l, REQUEST("QueryType")), "");
	assert_string_equal(link_error(d.link, REQUEST("QueryType")), "");
	/* the one's certificate is nothing in the other's session */
	link_free(l);
	l = link_new(d.bed, LOCKDOWN_PORT);
	assert_string_equal(session_ask(other, l, d.session), "");
	assert_false(link_start_tls(l, d.computer->root, d.computer->root_key, 0));
	assert_true(l->closed);
	link_free(l);
	computer_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_service),          cmocka_unit_test(test_service_rules),
		cmocka_unit_test(test_service_limit),    cmocka_unit_test(test_escrow),
		cmocka_unit_test(test_service_troubles), cmocka_unit_test(test_many_services),
		cmocka_unit_test(test_replies),          cmocka_unit_test(test_two_hosts),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
