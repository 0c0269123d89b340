/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A lockdownd that means harm: what its frames say and hold. */
#include "bed.h"
#include "bed_host.h"

/* What comes back for one QueryType, whole; the link's text is emptied. */
static void raw_reply(struct link *l, struct buf *to)
{
	BUF_AUTO message = {};

	message_add(&message, REQUEST("QueryType"));
	link_send(l, message.bytes, message.len);
	buf_add(to, l->text.bytes, l->text.len);
	buf_clear(&l->text);
}

static plist_t parsed(const struct buf *reply)
{
	plist_t list = nullptr;

	assert_true(reply->len >= 4);
	plist_from_memory((const char *)reply->bytes + 4, (uint32_t)reply->len - 4, &list, nullptr);
	return list;
}

static void test_lengths(void **state)
{
	static const struct {
		const char *setting;
		uint32_t announced; /* 0: what follows */
	} cases[] = {
		{ "lockdown_reply=oversize", UINT32_MAX },
		{ "lockdown_reply=promise", 16 * 1024 * 1024 - 1 },
		{ "lockdown_reply=truncated", 0 },
		{ "lockdown_reply=not_plist", 0 },
		{ "lockdown_reply=deep", 0 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED(cases[i].setting);
		struct link *l = link_new(b, LOCKDOWN_PORT);
		BUF_AUTO reply = {};

		raw_reply(l, &reply);
		assert_true(reply.len > 4);
		assert_int_equal(get_be32(reply.bytes),
				 cases[i].announced ? cases[i].announced : reply.len - 4);
		assert_false(l->closed);
		link_free(l);
		bed_free(b);
	}
}

static void test_no_list(void **state)
{
	static const char *const settings[] = { "lockdown_reply=truncated",
						"lockdown_reply=not_plist" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct bed *b = BED(settings[i]);
		struct link *l = link_new(b, LOCKDOWN_PORT);
		BUF_AUTO reply = {};

		raw_reply(l, &reply);
		assert_null(parsed(&reply));
		link_free(l);
		bed_free(b);
	}
}

static void test_empty(void **state)
{
	struct bed *b = BED("lockdown_reply=empty");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	BUF_AUTO reply = {};

	raw_reply(l, &reply);
	assert_int_equal(reply.len, 4);
	assert_int_equal(get_be32(reply.bytes), 0);
	link_free(l);
	bed_free(b);
}

static void test_endless(void **state)
{
	struct bed *b = BED("lockdown_reply=endless");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	BUF_AUTO reply = {};
	size_t before;

	raw_reply(l, &reply);
	bed_wait(b, 1000);
	before = l->raw.len;
	assert_true(before > 10);
	bed_wait(b, 60000);
	assert_true(l->raw.len > before * 50);
	link_free(l); /* and its timer */
	bed_free(b);
}

static void test_wrong_types(void **state)
{
	struct bed *b = BED("lockdown_reply=wrong_types");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	BUF_AUTO reply = {};
	plist_t list;

	raw_reply(l, &reply);
	list = parsed(&reply);
	assert_int_equal(plist_get_node_type(plist_dict_get_item(list, "Request")), PLIST_INT);
	plist_free(list);
	link_free(l);
	bed_free(b);
}

static void test_array(void **state)
{
	struct bed *b = BED("lockdown_reply=array");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	BUF_AUTO reply = {};
	plist_t list;

	raw_reply(l, &reply);
	list = parsed(&reply);
	assert_int_equal(plist_get_node_type(list), PLIST_ARRAY);
	plist_free(list);
	link_free(l);
	bed_free(b);
}

/* Only one request, or one key of it, is answered badly. */
static void test_reply_to(void **state)
{
	struct bed *b =
	    BED("lockdown_reply=wrong_request", "lockdown_reply_to=GetValue/ProductType");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	static const struct {
		const char *key, *request;
	} cases[] = { { "ProductType", "Dance" }, { "DeviceName", "GetValue" } };

	for (size_t i = 0; i < 2; i++) {
		plist_t reply = link_ask(l, REQUEST("GetValue", "Key", cases[i].key));

		assert_string_equal(
		    plist_get_string_ptr(plist_dict_get_item(reply, "Request"), nullptr),
		    cases[i].request);
		plist_free(reply);
	}
	link_free(l);
	bed_free(b);
}

static void test_name(void **state)
{
	struct bed *b = BED("name=abc", "name_bytes=10240");
	struct link *l = link_new(b, LOCKDOWN_PORT);
	plist_t reply = link_ask(l, REQUEST("GetValue", "Key", "DeviceName"));
	const char *name = plist_get_string_ptr(plist_dict_get_item(reply, "Value"), nullptr);

	assert_int_equal(strlen(name), 10240);
	assert_memory_equal(name + 10236, "abca", 4);
	plist_free(reply);
	link_free(l);
	bed_free(b);
}

static void test_device_key(void **state)
{
	static const struct {
		const char *setting;
		plist_type type;
		uint64_t len; /* at least */
	} cases[] = {
		{ "device_key=garbage", PLIST_DATA, 40 },
		{ "device_key=empty", PLIST_DATA, 0 },
		{ "device_key=wrong_type", PLIST_DICT, 0 },
		{ "device_key=huge", PLIST_DATA, 1000000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED(cases[i].setting);
		struct link *l = link_new(b, LOCKDOWN_PORT);
		plist_t reply = link_ask(l, REQUEST("GetValue", "Key", "DevicePublicKey"));
		plist_t value = plist_dict_get_item(reply, "Value");
		uint64_t len = 0;

		assert_int_equal(plist_get_node_type(value), cases[i].type);
		if (cases[i].type == PLIST_DATA)
			plist_get_data_ptr(value, &len);
		assert_true(len >= cases[i].len);
		plist_free(reply);
		link_free(l);
		bed_free(b);
	}
}

static void test_escrow_bag(void **state)
{
	static const struct {
		const char *setting;
		plist_type type;
	} cases[] = {
		{ "escrow_bag=missing", PLIST_NONE },
		{ "escrow_bag=wrong_type", PLIST_INT },
		{ "escrow_bag=huge", PLIST_DATA },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bed *b = BED(cases[i].setting, "trust=silent");
		struct link *l = link_new(b, LOCKDOWN_PORT);
		struct computer *c = computer_new("HOST-1", "BUID-1");
		plist_t request = REQUEST("Pair"), reply;

		computer_meet(c, l);
		plist_dict_set_item(request, "PairRecord", computer_record(c));
		reply = link_ask(l, request);
		assert_null(plist_dict_get_item(reply, "Error"));
		assert_int_equal(plist_get_node_type(plist_dict_get_item(reply, "EscrowBag")),
				 cases[i].type);
		plist_free(reply);
		computer_free(c);
		link_free(l);
		bed_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),     cmocka_unit_test(test_no_list),
		cmocka_unit_test(test_empty),       cmocka_unit_test(test_endless),
		cmocka_unit_test(test_wrong_types), cmocka_unit_test(test_array),
		cmocka_unit_test(test_reply_to),    cmocka_unit_test(test_name),
		cmocka_unit_test(test_device_key),  cmocka_unit_test(test_escrow_bag),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
