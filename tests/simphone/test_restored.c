/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restored without a mux: questions, who may start, how a restore ends badly, the table of steps.
 */
#include <plist/plist.h>

#include "bed.h"
#include "lockdown.h"
#include "plist_stream.h"
#include "restore/restored.h"

/* A host's connection: what the phone sent on it, and whether it closed it. */
struct talk {
	struct bed *bed;
	struct service *service;
	struct buf got;
	bool closed;
};

static void talk_got(void *user, const void *bytes, size_t len)
{
	buf_add(&((struct talk *)user)->got, bytes, len);
}

static void talk_closed(void *user)
{
	((struct talk *)user)->closed = true;
}

static void talk_open(struct talk *t, struct bed *b, uint16_t port)
{
	const struct stream stream = { talk_got, talk_closed, t, nullptr };

	*t = (struct talk){ .bed = b };
	t->service = ports_open(&b->phone.ports, port, &stream);
	assert_non_null(t->service);
}

static void talk_done(struct talk *t)
{
	t->service->class->free(t->service);
	buf_done(&t->got);
}

static void talk_say(struct talk *t, plist_t message)
{
	char *xml = nullptr;
	uint32_t len = 0;
	uint8_t prefix[4];

	plist_to_xml(message, &xml, &len);
	plist_free(message);
	put_be32(prefix, len);
	t->service->class->feed(t->service, prefix, sizeof(prefix));
	t->service->class->feed(t->service, (const uint8_t *)xml, len);
	plist_mem_free(xml);
}

/* The next message of the phone, or NULL. Caller frees. */
static plist_t talk_hear(struct talk *t)
{
	plist_t message = nullptr;
	uint32_t len;

	if (t->got.len < 4)
		return nullptr;
	len = get_be32(t->got.bytes);
	assert_true(t->got.len >= 4 + len);
	plist_from_memory((const char *)t->got.bytes + 4, len, &message, nullptr);
	assert_non_null(message);
	buf_drop(&t->got, 4 + len);
	return message;
}

static plist_t request_new(const char *name)
{
	plist_t request = plist_new_dict();

	plist_dict_set_item(request, "Request", plist_new_string(name));
	return request;
}

static void test_questions(void **state)
{
	struct bed *b = BED("mode=restore");
	struct talk probe, second;
	uint64_t number = 0;
	plist_t reply;

	talk_open(&probe, b, LOCKDOWN_PORT);
	talk_open(&second, b, LOCKDOWN_PORT);
	talk_say(&probe, request_new("QueryType"));
	reply = talk_hear(&probe);
	assert_string_equal(plist_text(reply, "Type"), "com.apple.mobile.restored");
	assert_string_equal(plist_text(reply, "HardwareModel"), "D17AP");
	plist_get_uint_val(plist_dict_get_item(reply, "RestoreProtocolVersion"), &number);
	assert_int_equal(number, 15);
	plist_free(reply);
	reply = request_new("QueryValue");
	plist_dict_set_item(reply, "QueryKey", plist_new_string("HardwareInfo"));
	talk_say(&second, reply);
	reply = talk_hear(&second);
	plist_get_uint_val(plist_access_path(reply, 2, "HardwareInfo", "UniqueChipID"), &number);
	assert_int_equal(number, b->phone.identity.ecid);
	plist_free(reply);
	/* a probe that goes away changes nothing for the other */
	talk_done(&probe);
	talk_say(&second, request_new("Goodbye"));
	reply = talk_hear(&second);
	assert_string_equal(plist_text(reply, "Result"), "Success");
	plist_free(reply);
	talk_done(&second);
	assert_int_equal(b->phone.mode, MODE_RESTORE);
	bed_free(b);
}

/* Nothing to install: the phone says so, and goes back to recovery. */
static void test_nothing_to_install(void **state)
{
	struct bed *b = BED("mode=restore", "gap_ms=10");
	struct talk t;
	plist_t message;

	talk_open(&t, b, LOCKDOWN_PORT);
	talk_say(&t, request_new("StartRestore"));
	message = talk_hear(&t);
	assert_string_equal(plist_text(message, "MsgType"), "StatusMsg");
	assert_non_null(plist_dict_get_item(message, "AMRError"));
	plist_free(message);
	bed_wait(b, 400);
	assert_int_equal(b->phone.next_mode, MODE_RECOVERY);
	talk_done(&t);
	bed_wait(b, 100);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	bed_free(b);
}

/* A ramdisk that no host uses gives up after two minutes. */
static void test_no_host(void **state)
{
	struct bed *b = BED("mode=restore", "ramdisk=erase", "gap_ms=10");

	bed_wait(b, 119000);
	assert_int_equal(b->phone.mode, MODE_RESTORE);
	bed_wait(b, 2000);
	bed_wait(b, 100);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	bed_free(b);
}

static void test_reboot(void **state)
{
	struct bed *b = BED("mode=restore", "boot_ms=10");
	struct talk t;

	talk_open(&t, b, LOCKDOWN_PORT);
	talk_say(&t, request_new("Reboot"));
	plist_free(talk_hear(&t));
	talk_done(&t);
	bed_wait(b, PHONE_SHUTDOWN_MS);
	bed_wait(b, 100);
	assert_int_equal(b->phone.mode, MODE_NORMAL);
	bed_free(b);
}

/* Half a restored system does not boot. */
static void test_partial(void **state)
{
	struct bed *b = BED("mode=recovery", "boot_ms=10", "gap_ms=10");

	b->phone.system.partial = true;
	phone_leave(&b->phone, MODE_NORMAL, 0, "test");
	bed_wait(b, 1);
	bed_wait(b, 100);
	assert_int_equal(b->phone.mode, MODE_RECOVERY);
	bed_free(b);
}

static void test_never_ready(void **state)
{
	struct bed *b = BED("mode=restore", "restore_never_ready=yes");
	const struct stream stream = {};

	assert_null(ports_open(&b->phone.ports, LOCKDOWN_PORT, &stream));
	bed_free(b);
}

/* The table: checkpoints have names, what is asked comes with a type, and it ends. */
static void test_steps(void **state)
{
	unsigned count;
	const struct step *steps = steps_all(&count);
	const struct step_choice minimum = { INSTALL_ERASE, 17, nullptr, true, false };
	unsigned asked = 0;

	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(steps[i].checkpoint != 0, steps[i].name != nullptr);
		assert_int_equal(steps[i].act == ACT_ASK, steps[i].asked != ASKED_NOTHING);
		assert_false(steps[i].percent && !steps[i].operation);
		if (step_applies(&steps[i], &minimum))
			asked += steps[i].act == ACT_ASK;
	}
	assert_int_equal(steps[0].checkpoint != 0, 1);
	assert_int_equal(steps[count - 1].act, ACT_FINISH);
	assert_int_equal(asked, 2); /* the ticket and the system image */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions), cmocka_unit_test(test_nothing_to_install),
		cmocka_unit_test(test_no_host),   cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_partial),   cmocka_unit_test(test_never_ready),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
