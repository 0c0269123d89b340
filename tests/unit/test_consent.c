/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "doctor/consent.h"
#include "doctor_fixture.h"
#include <errno.h>

enum { NOW = 1000000 };

struct bed {
	struct consents *consents;
	struct plan plan;
	char token[CONSENT_TOKEN_BYTES];
};

static int setup(void **state)
{
	struct bed *bed = calloc(1, sizeof(*bed));

	assert_int_equal(consents_new(&bed->consents), 0);
	bed->plan = doctor_plan(GOAL_ERASE, MODE_RECOVERY);
	assert_int_equal(consent_mint(bed->consents, &bed->plan, "", NOW, bed->token), 0);
	assert_int_equal(strlen(bed->token), CONSENT_TOKEN_BYTES - 1);
	*state = bed;
	return 0;
}

static int teardown(void **state)
{
	struct bed *bed = *state;

	consents_free(bed->consents);
	free(bed);
	return 0;
}

static int use(struct bed *bed, const char *confirm, const struct plan *plan, const char *job,
	       uint64_t now_ms)
{
	struct error err = { 0 };
	int r = consent_use(bed->consents, bed->token, confirm, plan, job, now_ms, &err);

	if (r < 0) {
		assert_int_equal(r, -EPERM);
		assert_int_equal(err.kind, ERROR_NO_CONSENT);
		assert_true(err.text[0] != '\0');
	}
	return r;
}

static void test_once(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(use(bed, "jc67", &bed->plan, "", NOW), 0);
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), -EPERM);
}

static void test_time(void **state)
{
	struct bed *bed = *state;
	uint64_t limit = timing_ms(TIMING_CONSENT);

	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW + limit), -EPERM);
	/* and it is gone then, whatever the clock says */
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), -EPERM);
	assert_int_equal(consent_mint(bed->consents, &bed->plan, "", NOW, bed->token), 0);
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW + limit - 1), 0);
}

static void test_wrong_last4(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(use(bed, "0000", &bed->plan, "", NOW), -EPERM);
	assert_int_equal(use(bed, NULL, &bed->plan, "", NOW), -EPERM);
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), 0);
	assert_int_equal(consent_mint(bed->consents, &bed->plan, "", NOW, bed->token), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(use(bed, "JC6", &bed->plan, "", NOW), -EPERM);
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), -EPERM);
}

static void test_bound(void **state)
{
	struct bed *bed = *state;
	struct plan other = bed->plan;

	other.ecid = ECID_B;
	assert_int_equal(use(bed, "JC67", &other, "", NOW), -EPERM);
	other = bed->plan;
	strcpy(other.firmware.build, "21F91");
	assert_int_equal(use(bed, "JC67", &other, "", NOW), -EPERM);
	other = bed->plan;
	strcpy(other.variant.name, "Developer Erase Install (IPSW)");
	assert_int_equal(use(bed, "JC67", &other, "", NOW), -EPERM);
	other = bed->plan;
	other.goal = GOAL_UPDATE;
	assert_int_equal(use(bed, "JC67", &other, "", NOW), -EPERM);
	other = bed->plan;
	strcpy(other.confirm, "0726");
	assert_int_equal(use(bed, "0726", &other, "", NOW), -EPERM);
	assert_int_equal(use(bed, "JC67", &bed->plan, "20261122-0612-x4k7", NOW), -EPERM);
	/* none of these used it up */
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), 0);
}

static void test_only_what_erases(void **state)
{
	struct bed *bed = *state;
	struct plan update = doctor_plan(GOAL_UPDATE, MODE_RECOVERY);

	assert_int_equal(consent_mint(bed->consents, &update, "", NOW, bed->token), -EINVAL);
	bed->plan.confirm[0] = '\0';
	assert_int_equal(consent_mint(bed->consents, &bed->plan, "", NOW, bed->token), -EINVAL);
}

static void test_unknown(void **state)
{
	struct bed *bed = *state;

	strcpy(bed->token, "");
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), -EPERM);
	strcpy(bed->token, "nobodygavethis");
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW), -EPERM);
	assert_int_equal(consent_use(bed->consents, NULL, "JC67", &bed->plan, "", NOW, NULL),
			 -EPERM);
}

/* The oldest makes room; the newest is always good. */
static void test_many(void **state)
{
	struct bed *bed = *state;
	char newest[CONSENT_TOKEN_BYTES], first[CONSENT_TOKEN_BYTES];

	memcpy(first, bed->token, sizeof(first));
	for (unsigned i = 1; i <= 200; i++) {
		assert_int_equal(consent_mint(bed->consents, &bed->plan, "", NOW + i, newest), 0);
		assert_string_not_equal(newest, first);
	}
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW + 300), -EPERM);
	memcpy(bed->token, newest, sizeof(newest));
	assert_int_equal(use(bed, "JC67", &bed->plan, "", NOW + 300), 0);
}

int main(void)
{
#define BED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		BED(test_once),  BED(test_time),    BED(test_wrong_last4),
		BED(test_bound), BED(test_unknown), BED(test_only_what_erases),
		BED(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
