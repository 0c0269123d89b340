/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Each finding from both sides: what makes it hold, and what next to it does not. */
#include "doctor/diagnose.h"
#include "doctor_fixture.h"

/* A phone with which nothing is wrong, to be changed by the test. */
struct bed {
	struct phone phone;
	struct error problem;
	struct circumstances seen;
	struct finding findings[FINDINGS_MAX];
	size_t count;
};

static struct bed *bed_init(struct bed *bed, enum mode mode)
{
	*bed = (struct bed){ .phone = doctor_phone(mode) };
	bed->phone.trust = mode == MODE_NORMAL ? TRUST_TRUSTED : TRUST_UNKNOWN;
	bed->phone.trust_known = bed->phone.has_record = mode == MODE_NORMAL;
	bed->seen = (struct circumstances){ &bed->phone, &bed->problem, true };
	return bed;
}

static const struct finding *find(struct bed *bed, const char *id)
{
	bed->count = diagnose(&bed->seen, bed->findings);
	assert_uint_in_range(bed->count, 1, FINDINGS_MAX);
	assert_non_null(finding_find(id));
	for (size_t i = 1; i < bed->count; i++)
		assert_true(bed->findings[i - 1].fact->severity >= bed->findings[i].fact->severity);
	for (size_t i = 0; i < bed->count; i++) {
		assert_true(bed->findings[i].evidence[0] != '\0');
		assert_null(strchr(bed->findings[i].evidence, '{'));
		if (strcmp(bed->findings[i].fact->id, id) == 0)
			return &bed->findings[i];
	}
	return NULL;
}

#define assert_found(bed, id)  assert_non_null(find(bed, id))
#define assert_absent(bed, id) assert_null(find(bed, id))

static void test_all_well(void **state)
{
	struct bed bed;

	assert_found(bed_init(&bed, MODE_NORMAL), "all-well");
	assert_int_equal(bed.count, 1);
	bed.seen.problem = NULL;
	assert_found(&bed, "all-well");
	bed.phone.sighting.hub_depth = 2;
	assert_absent(&bed, "all-well");
	bed_init(&bed, MODE_NORMAL)->phone.trust = TRUST_STALE;
	assert_absent(&bed, "all-well");
	assert_absent(bed_init(&bed, MODE_RECOVERY), "all-well");
}

static void test_computer(void **state)
{
	struct bed bed;

	bed_init(&bed, MODE_NORMAL)->seen.phone = NULL;
	assert_found(&bed, "no-phone");
	assert_int_equal(bed.count, 1);
	bed.seen.mux_up = false;
	assert_found(&bed, "mux-down");
	assert_int_equal(bed.count, 2);
	bed_init(&bed, MODE_NORMAL)->phone.on_bus = false;
	assert_found(&bed, "no-phone");
	assert_absent(bed_init(&bed, MODE_NORMAL), "no-phone");
}

static void test_mux(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_NORMAL), "mux-down");
	bed.phone.in_mux = false;
	assert_found(&bed, "not-in-mux");
	bed.phone.presence = PRESENCE_SETTLING;
	assert_absent(&bed, "not-in-mux");
	bed.phone.presence = PRESENCE_PRESENT;
	bed.seen.mux_up = false;
	assert_absent(&bed, "not-in-mux");
	assert_found(&bed, "mux-down");
	/* recovery needs no usbmuxd */
	bed_init(&bed, MODE_RECOVERY)->seen.mux_up = false;
	assert_absent(&bed, "mux-down");
	assert_absent(&bed, "not-in-mux");
}

static void test_no_answer(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_NORMAL), "no-answer");
	error_set(&bed.problem, ERROR_SILENT, "lockdownd", -7, "no answer in time");
	assert_string_equal(find(&bed, "no-answer")->evidence, "lockdownd says: no answer in time");
	bed.problem.kind = ERROR_LOCKED;
	assert_found(&bed, "phone-locked");
	assert_absent(&bed, "no-answer");
	bed.problem.kind = ERROR_NO_SERVICE;
	bed.seen.mux_up = false;
	assert_absent(&bed, "no-answer");
	bed.seen.mux_up = true;
	assert_found(&bed, "no-answer");
	bed.problem.kind = ERROR_NO_PHONE;
	bed.phone.in_mux = false;
	assert_absent(&bed, "no-answer");
}

static void test_trust(void **state)
{
	static const struct {
		enum trust trust;
		const char *id;
	} rows[] = {
		{ TRUST_LOCKED, "phone-locked" },
		{ TRUST_ASKING, "trust-asking" },
		{ TRUST_DENIED, "trust-denied" },
		{ TRUST_STALE, "trust-stale" },
		{ TRUST_REFUSED_BY_POLICY, "trust-refused-by-policy" },
	};
	struct bed bed;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_absent(bed_init(&bed, MODE_NORMAL), rows[i].id);
		bed.phone.trust = rows[i].trust;
		assert_found(&bed, rows[i].id);
		assert_int_equal(bed.count, 1);
		error_set(&bed.phone.trust_reason, ERROR_REFUSED, "lockdownd", -21,
			  "InvalidHostID");
		assert_string_equal(find(&bed, rows[i].id)->evidence,
				    "lockdownd says: InvalidHostID");
		bed.phone.mode = MODE_RECOVERY;
		assert_absent(&bed, rows[i].id);
	}
}

static void test_trust_not_known(void **state)
{
	struct bed bed;

	bed_init(&bed, MODE_NORMAL)->phone.trust = TRUST_UNKNOWN;
	bed.phone.has_record = false;
	assert_found(&bed, "trust-none");
	assert_absent(&bed, "trust-unknown");
	bed.phone.trust_known = false;
	assert_absent(&bed, "trust-none");
	assert_found(&bed, "trust-unknown");
	assert_int_equal(bed.count, 1);
	bed.phone.in_mux = false; /* says enough */
	assert_absent(&bed, "trust-unknown");
}

static void test_modes(void **state)
{
	static const char *const ids[MODE_MAX] = {
		[MODE_UNKNOWN] = "mode-unknown", [MODE_NORMAL] = NULL,
		[MODE_RECOVERY] = "in-recovery", [MODE_DFU] = "in-dfu",
		[MODE_WTF] = "in-wtf",           [MODE_RESTORE] = "in-restore",
		[MODE_PORT_DFU] = "in-port-dfu", [MODE_DEBUG_USB] = "in-debug-usb",
	};
	struct bed bed;

	for (int mode = 0; mode < MODE_MAX; mode++)
		for (int other = 0; other < MODE_MAX; other++) {
			if (!ids[other])
				continue;
			bed_init(&bed, (enum mode)mode);
			if (mode == other)
				assert_found(&bed, ids[other]);
			else
				assert_absent(&bed, ids[other]);
		}
}

static void test_model(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_NORMAL), "model-unknown");
	bed.phone.identity.model = NULL;
	strcpy(bed.phone.identity.product, "iPhone99,9");
	assert_non_null(strstr(find(&bed, "model-unknown")->evidence, "iPhone99,9"));
	bed.phone.identity.product[0] = '\0';
	assert_absent(&bed, "model-unknown");
	bed.phone.identity.iboot.has = IBOOT_HAS_CPID | IBOOT_HAS_BDID;
	bed.phone.identity.iboot.cpid = 0x9999;
	assert_non_null(strstr(find(&bed, "model-unknown")->evidence, "0x9999"));
}

static void test_link(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_RECOVERY), "slow-link");
	bed.phone.sighting.speed_mbps = 12;
	assert_found(&bed, "slow-link");
	bed.phone.sighting.speed_mbps = 13;
	assert_absent(&bed, "slow-link");
	bed.phone.sighting.speed_mbps = 0;
	assert_absent(&bed, "slow-link");
	bed.phone.sighting.hub_depth = 1;
	assert_absent(&bed, "behind-hubs");
	bed.phone.sighting.hub_depth = 2;
	assert_non_null(strstr(find(&bed, "behind-hubs")->evidence, "2 hubs"));
}

static void test_battery(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_NORMAL), "battery-low");
	bed.phone.identity.battery = 1 + 20;
	assert_absent(&bed, "battery-low");
	bed.phone.identity.battery = 1 + 19;
	assert_non_null(strstr(find(&bed, "battery-low")->evidence, "19 percent"));
	bed.phone.identity.battery = 1;
	bed.phone.identity.battery_charging = true;
	assert_non_null(strstr(find(&bed, "battery-low")->evidence, "it is charging"));
}

/* A job's phone is the job's: no advice that would be wrong in a minute. */
static void test_job(void **state)
{
	struct bed bed;

	assert_absent(bed_init(&bed, MODE_RECOVERY), "job-running");
	strcpy(bed.phone.job, "20261122-0612-x4k7");
	assert_found(&bed, "job-running");
	assert_int_equal(bed.count, 1);
	bed.phone.on_bus = false;
	assert_found(&bed, "job-running");
}

static void test_everything_at_once(void **state)
{
	struct bed bed;

	bed_init(&bed, MODE_NORMAL)->phone.trust = TRUST_LOCKED;
	bed.phone.in_mux = false;
	bed.phone.identity.model = NULL;
	bed.phone.identity.battery = 1;
	bed.phone.sighting.speed_mbps = 1;
	bed.phone.sighting.hub_depth = 5;
	memset(bed.problem.text, 'x', sizeof(bed.problem.text) - 1);
	bed.problem.kind = ERROR_PROTOCOL;
	assert_found(&bed, "phone-locked");
	assert_int_equal(bed.count, 7);
}

static void test_json(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	struct bed bed;

	bed_init(&bed, MODE_NORMAL)->phone.trust = TRUST_STALE;
	assert_found(&bed, "trust-stale");
	assert_int_equal(finding_to_json(&bed.findings[0], &bed.phone, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_non_null(strstr(text, "\"title\":\"Anna does not accept"));
	assert_non_null(strstr(text, "\"command\":\"trust reset ecid:0x001c20223e29401e\""));
	assert_non_null(strstr(text, "\"codes\":[\"0xe8000012\",\"0xe8000013\""));
	assert_null(strchr(text + 1, '{'));
}

/* Every row of the table can be told, with and without a phone. */
static void test_json_of_all(void **state)
{
	const struct finding_fact *facts;
	struct bed bed;
	size_t count;

	bed_init(&bed, MODE_NORMAL);
	facts = finding_all(&count);
	for (size_t i = 0; i < count; i++)
		for (int with = 0; with < 2; with++) {
			_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
			_cleanup_free_ char *text = NULL;
			struct finding finding = { .fact = &facts[i], .evidence = "seen" };

			assert_int_equal(
			    finding_to_json(&finding, with ? &bed.phone : NULL, &object), 0);
			assert_true(sd_json_variant_format(object, 0, &text) >= 0);
			assert_null(strstr(text, "{phone}"));
			assert_int_equal(!!sd_json_variant_by_key(object, "command"),
					 strcmp(facts[i].command, "-") != 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well), cmocka_unit_test(test_computer),
		cmocka_unit_test(test_mux),      cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_trust),    cmocka_unit_test(test_trust_not_known),
		cmocka_unit_test(test_modes),    cmocka_unit_test(test_model),
		cmocka_unit_test(test_link),     cmocka_unit_test(test_battery),
		cmocka_unit_test(test_job),      cmocka_unit_test(test_everything_at_once),
		cmocka_unit_test(test_json),     cmocka_unit_test(test_json_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
