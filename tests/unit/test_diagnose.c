/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Each finding from both sides: what makes it hold, and what next to it does not; the lights from
 * the same circumstances; and that no circumstances at all break either.
 */
#include "doctor/lights.h"
#include "doctor_fixture.h"

/* A phone with which nothing is wrong, to be changed by the test. */
struct bed {
	struct phone phone;
	struct error problem, mux_problem, store_problem;
	struct circumstances seen;
	struct troubles *troubles;
	const char *ports[1];
	struct finding findings[FINDINGS_MAX];
	size_t count;
};

static void bed_done(struct bed *bed)
{
	troubles_free(bed->troubles);
}

static struct bed *bed_init(struct bed *bed, enum mode mode)
{
	troubles_free(bed->troubles);
	*bed = (struct bed){ .phone = doctor_phone(mode) };
	bed->phone.trust = mode == MODE_NORMAL ? TRUST_TRUSTED : TRUST_UNKNOWN;
	bed->phone.trust_known = bed->phone.has_record = mode == MODE_NORMAL;
	bed->phone.reach = mode == MODE_NORMAL ? REACH_SERVICE : REACH_NONE;
	bed->phone.sighting.speed_mbps = 480;
	assert_int_equal(troubles_new(&bed->troubles), 0);
	bed->ports[0] = bed->phone.sighting.port;
	bed->seen = (struct circumstances){
		.phone = &bed->phone,
		.problem = &bed->problem,
		.mux_up = true,
		.mux_problem = &bed->mux_problem,
		.troubles = bed->troubles,
		.kernel_read = true,
		.ports = bed->ports,
		.ports_count = 1,
		.store_problem = &bed->store_problem,
	};
	return bed;
}

/* What must hold of every diagnosis. */
static void check_diagnosis(struct bed *bed)
{
	bed->count = diagnose(&bed->seen, bed->findings);
	if (bed->seen.phone || bed->seen.others == 0)
		assert_true(bed->count > 0);
	assert_true(bed->count <= FINDINGS_MAX);
	for (size_t i = 0; i < bed->count; i++) {
		const struct finding *finding = &bed->findings[i];

		assert_true(finding->evidence[0] != '\0');
		if (i > 0)
			assert_true(finding[-1].fact->severity >= finding->fact->severity);
		for (size_t k = 0; k < i; k++)
			assert_ptr_not_equal(bed->findings[k].fact, finding->fact);
	}
}

/* Exactly these ids, by spaces, in this order. */
static void expect(struct bed *bed, const char *wanted, int line)
{
	char ids[1024] = "";

	check_diagnosis(bed);
	for (size_t i = 0; i < bed->count; i++) {
		if (i > 0)
			strcat(ids, " ");
		strcat(ids, bed->findings[i].fact->id);
		if (strchr(bed->findings[i].evidence, '{'))
			fail_msg("line %d: %s", line, bed->findings[i].evidence);
	}
	if (strcmp(ids, wanted) != 0)
		fail_msg("line %d: found '%s' instead of '%s'", line, ids, wanted);
}

/* A row of the table: a healthy phone, changed by the statements, has exactly these findings. */
#define ROW(wanted, ...) ROW_OF(MODE_NORMAL, wanted, __VA_ARGS__)
#define ROW_OF(mode, wanted, ...)                                                                  \
	do {                                                                                       \
		struct phone *phone = &bed_init(&bed, mode)->phone;                                \
                                                                                                   \
		(void)phone;                                                                       \
		__VA_ARGS__;                                                                       \
		expect(&bed, wanted, __LINE__);                                                    \
	} while (0)
#define BED(name) _cleanup_(bed_done) struct bed name = { 0 }

#define HEALTHY "all-well host-works-here"

/* The last question ended so. */
static void problem(struct bed *bed, enum error_kind kind, const char *origin, int code,
		    enum reach reach)
{
	(void)error_set(&bed->problem, kind, origin, code, "so it is");
	bed->phone.reach = reach;
}

/* A check of trust ended so. */
static void trust(struct bed *bed, enum trust word, enum trust_detail detail, int code)
{
	bed->phone.trust = word;
	bed->phone.detail = detail;
	bed->phone.reach = REACH_RECORD;
	if (code != 0)
		(void)error_set(&bed->phone.trust_reason, ERROR_REFUSED, "lockdownd", code, "no");
}

static void kernel(struct bed *bed, const char *port, enum trouble_kind kind, unsigned count)
{
	(void)troubles_note(bed->troubles, port, kind, count, "usb: it says so", 0, 1000);
}

static void test_computer(void **state)
{
	BED(bed);

	ROW("no-phone charge-only", bed.seen.phone = NULL);
	ROW("no-phone", bed.seen.phone = NULL; bed.seen.kernel_read = false);
	ROW("no-phone", bed.seen.phone = NULL; bed.seen.kernel_read = false;
	    bed.seen.troubles = NULL);
	ROW("mux-down no-phone charge-only", bed.seen.phone = NULL; bed.seen.mux_up = false);
	ROW("clock-wrong no-phone charge-only", bed.seen.phone = NULL; bed.seen.clock_wrong = true);
	ROW("port-over-current no-phone", bed.seen.phone = NULL;
	    kernel(&bed, "1-4", TROUBLE_OVER_CURRENT, 1));
	ROW("port-trouble no-phone", bed.seen.phone = NULL;
	    kernel(&bed, "1-4", TROUBLE_NO_DESCRIPTOR, 1));
	ROW("port-trouble no-phone", bed.seen.phone = NULL; kernel(&bed, "", TROUBLE_HOST, 1));
	/* phones are here: what holds for them is told with them */
	ROW("", bed.seen.phone = NULL; bed.seen.others = 1; bed.seen.mux_up = false);
	ROW("port-trouble", bed.seen.phone = NULL; bed.seen.others = 1;
	    kernel(&bed, "1-4", TROUBLE_NO_ADDRESS, 1));
	ROW("", bed.seen.phone = NULL; bed.seen.others = 1;
	    kernel(&bed, "1-2", TROUBLE_NO_ADDRESS, 9)); /* its port is a phone's */
	ROW("no-phone", phone->on_bus = phone->in_mux = false);
}

static void test_usb(void **state)
{
	BED(bed);

	ROW(HEALTHY, kernel(&bed, "1-4", TROUBLE_OVER_CURRENT, 9)); /* at another port */
	ROW("port-over-current", kernel(&bed, "1-2", TROUBLE_OVER_CURRENT, 1));
	ROW(HEALTHY, kernel(&bed, "1-2", TROUBLE_NO_DESCRIPTOR, 1)); /* the second try did it */
	ROW("port-trouble", kernel(&bed, "1-2", TROUBLE_NO_DESCRIPTOR, 2));
	ROW("port-trouble", kernel(&bed, "1-2", TROUBLE_EMI, 2));
	ROW("port-trouble", kernel(&bed, "1-2", TROUBLE_POWER, 1));
	ROW(HEALTHY, kernel(&bed, "1-2", TROUBLE_RESET, 2));
	ROW("resets", kernel(&bed, "1-2", TROUBLE_RESET, 3));
	ROW(HEALTHY, phone->flaps = PHONE_FLAPS_MANY - 1);
	ROW("resets", phone->flaps = PHONE_FLAPS_MANY);
	ROW("slow-link", phone->sighting.speed_mbps = 12);
	ROW(HEALTHY, phone->sighting.speed_mbps = 13);
	ROW(HEALTHY, phone->sighting.speed_mbps = 0);
	ROW("slower-than-able " HEALTHY, phone->identity.model = model_by_product("iPhone15,3");
	    struct model fast = *phone->identity.model; fast.usb_mbps = 10000;
	    phone->identity.model = &fast);
	ROW(HEALTHY, phone->sighting.speed_mbps = 5000);
	ROW(HEALTHY, phone->sighting.hub_depth = 1);
	ROW("behind-hubs", phone->sighting.hub_depth = 2);
	assert_non_null(strstr(bed.findings[0].evidence, "2 hubs"));
}

static void test_mux(void **state)
{
	BED(bed);

	ROW("mux-down", bed.seen.mux_up = phone->in_mux = false; phone->trust_known = false;
	    phone->trust = TRUST_UNKNOWN);
	ROW("mux-hung", bed.seen.mux_up = phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false;
	    (void)error_set(&bed.mux_problem, ERROR_SILENT, "usbmuxd", 0, "no answer"));
	ROW("mux-refuses", bed.seen.mux_up = phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false;
	    (void)error_set(&bed.mux_problem, ERROR_PROTOCOL, "usbmuxd", 6, "refused"));
	/* it lists the phone, and nothing comes of it */
	ROW("mux-hung", problem(&bed, ERROR_SILENT, "usbmuxd", 0, REACH_NONE));
	ROW("mux-refuses", problem(&bed, ERROR_REFUSED, "lockdownd", -8, REACH_NONE));
	ROW("mux-down", problem(&bed, ERROR_NO_SERVICE, "usbmuxd", 0, REACH_NONE));
	ROW("not-in-mux", problem(&bed, ERROR_NO_PHONE, "usbmuxd", 0, REACH_NONE));
	/* a worker of ours that hangs says nothing about usbmuxd */
	ROW("no-answer", problem(&bed, ERROR_SILENT, "service", 0, REACH_NONE));
	ROW("not-in-mux", phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false);
	ROW("trust-unknown", phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false; phone->presence = PRESENCE_SETTLING);
	ROW("camera-only", phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false; strcpy(phone->sighting.interfaces, "06/01/01"));
	ROW("not-in-mux", phone->in_mux = false; phone->trust = TRUST_UNKNOWN;
	    phone->trust_known = false; strcpy(phone->sighting.interfaces, "06/01/01 ff/fe/02"));
	ROW(HEALTHY, strcpy(phone->sighting.interfaces, "06/01/01"));
	ROW("trust-unknown", bed.seen.mux_up = phone->in_mux = false; bed.seen.mux_unknown = true;
	    phone->trust = TRUST_UNKNOWN; phone->trust_known = false);
	/* recovery needs no usbmuxd */
	ROW_OF(MODE_RECOVERY, "in-recovery", bed.seen.mux_up = false);
}

static void test_no_answer(void **state)
{
	BED(bed);

	ROW("no-answer", problem(&bed, ERROR_SILENT, "lockdownd", -7, REACH_PORT));
	assert_string_equal(bed.findings[0].evidence, "lockdownd says: so it is");
	ROW("no-answer", bed.seen.problem = NULL;
	    (void)error_set(&phone->reach_problem, ERROR_PROTOCOL, "lockdownd", -3, "junk");
	    phone->reach = REACH_PORT);
	ROW("phone-locked", problem(&bed, ERROR_LOCKED, "lockdownd", -17, REACH_LOCKDOWN));
	ROW("phone-escrow", problem(&bed, ERROR_LOCKED, "lockdownd", -35, REACH_LOCKDOWN));
	ROW("tls-fails", problem(&bed, ERROR_SILENT, "lockdownd", -5, REACH_RECORD));
	ROW("no-answer", problem(&bed, ERROR_SILENT, "lockdownd", -7, REACH_RECORD));
	ROW(HEALTHY, bed.seen.problem = NULL);
	/* a job had it */
	ROW(HEALTHY, problem(&bed, ERROR_BUSY, "service", 0, REACH_SERVICE));
	/* the word of trust says it all */
	ROW("trust-asking", problem(&bed, ERROR_REFUSED, "lockdownd", -19, REACH_LOCKDOWN);
	    trust(&bed, TRUST_ASKING, DETAIL_NONE, -19));
}

static void test_trust(void **state)
{
	BED(bed);

	ROW("phone-locked", trust(&bed, TRUST_LOCKED, DETAIL_PASSCODE, -17));
	ROW("phone-locked", trust(&bed, TRUST_LOCKED, DETAIL_NONE, 0));
	ROW("phone-escrow", trust(&bed, TRUST_LOCKED, DETAIL_ESCROW, 0));
	ROW("phone-escrow", trust(&bed, TRUST_LOCKED, DETAIL_NONE, -35));
	ROW("trust-asking", trust(&bed, TRUST_ASKING, DETAIL_NONE, -19));
	ROW("trust-denied", trust(&bed, TRUST_DENIED, DETAIL_NONE, -18));
	ROW("trust-stale", trust(&bed, TRUST_STALE, DETAIL_NONE, -21));
	ROW("record-broken", trust(&bed, TRUST_STALE, DETAIL_NONE, 0); phone->record_broken = true);
	ROW("record-broken", trust(&bed, TRUST_UNKNOWN, DETAIL_NONE, 0);
	    phone->record_broken = true);
	ROW("tls-fails trust-stale", trust(&bed, TRUST_STALE, DETAIL_TLS_REFUSED, -5));
	ROW("tls-fails trust-stale", trust(&bed, TRUST_STALE, DETAIL_NONE, -10));
	ROW("tls-fails", trust(&bed, TRUST_STALE, DETAIL_TLS_PROTOCOL, -5));
	ROW("tls-fails", trust(&bed, TRUST_STALE, DETAIL_NO_HANDSHAKE, -5));
	ROW("tls-fails", trust(&bed, TRUST_UNKNOWN, DETAIL_NO_HANDSHAKE, -5));
	ROW("tls-fails phone-too-old", trust(&bed, TRUST_STALE, DETAIL_TLS_PROTOCOL, -5);
	    strcpy(phone->identity.version, "9.3.5"));
	ROW("trust-stale clock-wrong", trust(&bed, TRUST_STALE, DETAIL_CLOCK, 0));
	ROW("trust-none", trust(&bed, TRUST_UNKNOWN, DETAIL_NONE, 0); phone->has_record = false);
	ROW("trust-no-dialog", trust(&bed, TRUST_UNKNOWN, DETAIL_SILENT_DIALOG, 0);
	    phone->has_record = false);
	ROW("record-store-bad trust-none", trust(&bed, TRUST_UNKNOWN, DETAIL_RECORD_UNWRITABLE, 0);
	    phone->has_record = false);
	ROW("record-fight trust-none", trust(&bed, TRUST_UNKNOWN, DETAIL_RECORD_FIGHT, 0);
	    phone->has_record = false);
	ROW("trust-refused-by-policy",
	    trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_OVER_NETWORK, -36));
	ROW("supervised", trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_MC, 0));
	ROW("supervised", trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_MC_CHALLENGE, 0));
	ROW("supervised", trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_NONE, -39));
	ROW("lost-mode", trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_FMIP, 0));
	ROW("lost-mode", trust(&bed, TRUST_REFUSED_BY_POLICY, DETAIL_NONE, -37));
	ROW("trust-unknown", trust(&bed, TRUST_UNKNOWN, DETAIL_NONE, 0); phone->has_record = false;
	    phone->trust_known = false; phone->reach = REACH_LOCKDOWN);
}

/* More major versions than that row says. */
static void version_is(struct phone *phone, enum threshold threshold, unsigned more)
{
	snprintf(phone->identity.version, sizeof(phone->identity.version), "%u.1",
		 threshold_fact(threshold)->value + more);
}

/* The phone trusts us, and something else is wrong. */
static void test_condition(void **state)
{
	BED(bed);

	ROW(HEALTHY, (void)0);
	ROW("record-store-bad", bed.seen.record_store_bad = true;
	    (void)error_set(&bed.store_problem, ERROR_NO_SPACE, "kernel", 28, "disk full"));
	assert_string_equal(bed.findings[0].evidence, "kernel says: disk full");
	ROW("clock-wrong", bed.seen.clock_wrong = true);
	ROW(HEALTHY, phone->trust_losses = 1);
	ROW("record-fight", phone->trust_losses = 2);
	ROW("not-activated", strcpy(phone->identity.activation, "Unactivated"));
	ROW("not-activated", phone->detail = DETAIL_NOT_ACTIVATED);
	ROW(HEALTHY, strcpy(phone->identity.activation, "Activated"));
	ROW(HEALTHY, strcpy(phone->identity.activation, "FactoryActivated"));
	ROW("setup-unfinished", phone->identity.setup_done = TOLD_NO);
	ROW("setup-unfinished", phone->detail = DETAIL_SETUP);
	ROW(HEALTHY, phone->identity.setup_done = TOLD_YES);
	ROW("lost-mode", phone->identity.lost_mode = TOLD_YES);
	ROW(HEALTHY, phone->identity.supervised = TOLD_YES); /* it may be paired */
	ROW(HEALTHY, phone->identity.battery = 1 + 20);
	ROW("battery-low", phone->identity.battery = 1 + 19);
	assert_non_null(strstr(bed.findings[0].evidence, "19 percent"));
	ROW("battery-low", phone->identity.battery = 1; phone->identity.battery_charging = true);
	assert_non_null(strstr(bed.findings[0].evidence, "it is charging"));
	ROW("storage-full", phone->identity.free_known = true);
	ROW("storage-full", phone->identity.free_known = true;
	    phone->identity.free_bytes = 999999999);
	assert_non_null(strstr(bed.findings[0].evidence, "999 MB"));
	/* the text says: under one gigabyte; how large the whole is does not matter */
	ROW(HEALTHY, phone->identity.free_known = true; phone->identity.free_bytes = 1000000000;
	    phone->identity.capacity_bytes = UINT64_C(1) << 40);
	ROW(HEALTHY, strcpy(phone->identity.version, "99.0")); /* works all the same */
	ROW("trust-none phone-too-new", version_is(phone, THRESHOLD_IOS_NEWEST, 1);
	    phone->trust = TRUST_UNKNOWN; phone->has_record = false);
	ROW("trust-none", version_is(phone, THRESHOLD_IOS_NEWEST, 0); phone->trust = TRUST_UNKNOWN;
	    phone->has_record = false);
	ROW("model-unknown", phone->identity.model = NULL;
	    strcpy(phone->identity.product, "iPhone99,9"));
	assert_non_null(strstr(bed.findings[0].evidence, "iPhone99,9"));
	ROW("model-unknown", phone->identity.model = NULL;
	    phone->identity.iboot.has = IBOOT_HAS_CPID | IBOOT_HAS_BDID;
	    phone->identity.iboot.cpid = 0x9999);
	assert_non_null(strstr(bed.findings[0].evidence, "0x9999"));
}

static void test_modes(void **state)
{
	BED(bed);

	ROW_OF(MODE_RECOVERY, "in-recovery", phone->recoveries = PHONE_RECOVERIES_MANY - 1);
	ROW_OF(MODE_RECOVERY, "recovery-loop in-recovery",
	       phone->recoveries = PHONE_RECOVERIES_MANY);
	ROW_OF(MODE_RECOVERY, "recovery-loop in-recovery",
	       phone->recoveries = phone->flaps = PHONE_FLAPS_MANY);
	ROW(HEALTHY, phone->recoveries = PHONE_RECOVERIES_MANY); /* it has come out of it */
	ROW_OF(MODE_DFU, "in-dfu", (void)0);
	ROW_OF(MODE_WTF, "in-wtf", (void)0);
	ROW_OF(MODE_RESTORE, "in-restore", phone->in_mux = true);
	ROW_OF(MODE_PORT_DFU, "in-port-dfu", (void)0);
	ROW_OF(MODE_DEBUG_USB, "in-debug-usb", (void)0);
	ROW_OF(MODE_UNKNOWN, "mode-unknown", (void)0);
}

static void test_person(void **state)
{
	BED(bed);

	for (int said = SAID_NOTHING + 1; said < SAID_MAX; said++) {
		assert_int_equal(said_from_name(said_name((enum said)said)), said);
		ROW(said_name((enum said)said), bed.seen.said = (enum said)said);
	}
	ROW("disabled no-phone charge-only", bed.seen.phone = NULL; bed.seen.said = SAID_DISABLED);
	assert_int_equal(said_from_name(""), SAID_MAX);
	assert_int_equal(said_from_name(NULL), SAID_MAX);
}

/* A job's phone is the job's: no advice that would be wrong in a minute. */
static void test_job(void **state)
{
	BED(bed);

	ROW_OF(MODE_RECOVERY, "job-running", strcpy(phone->job, "20261122-0612-x4k7"));
	ROW("job-running", strcpy(phone->job, "x"); phone->on_bus = phone->in_mux = false);
	ROW("job-running", strcpy(phone->job, "x"); trust(&bed, TRUST_STALE, DETAIL_NONE, -21));
	ROW("slow-link job-running", strcpy(phone->job, "x"); phone->sighting.speed_mbps = 12);
}

/* Of one severity those of the layer that failed first. */
static void test_order(void **state)
{
	BED(bed);

	ROW("phone-locked slow-link behind-hubs battery-low",
	    trust(&bed, TRUST_LOCKED, DETAIL_NONE, -17);
	    phone->identity.battery = 1; phone->sighting.speed_mbps = 1;
	    phone->sighting.hub_depth = 5);
	ROW("trust-none slow-link", trust(&bed, TRUST_UNKNOWN, DETAIL_NONE, 0);
	    phone->has_record = false; phone->sighting.speed_mbps = 12);
	ROW("resets trust-stale", trust(&bed, TRUST_STALE, DETAIL_NONE, -21);
	    phone->flaps = PHONE_FLAPS_MANY);
}

/* --- lights ---------------------------------------------------------------------------------- */

/* The lights as three letters, w f -, of the circumstances of the row. */
static void lights(struct bed *bed, const char *wanted, int line)
{
	struct light_seen seen[LIGHT_MAX];
	char found[LIGHT_MAX + 1] = "";

	lights_see(&bed->seen, seen);
	for (int i = 0; i < LIGHT_MAX; i++) {
		found[i] = "-wf"[seen[i].state];
		assert_true(seen[i].evidence[0] != '\0');
		if (strchr(seen[i].evidence, '{'))
			fail_msg("line %d: %s", line, seen[i].evidence);
	}
	if (strcmp(found, wanted) != 0)
		fail_msg("line %d: lights %s instead of %s", line, found, wanted);
	if (strchr(wanted, 'f'))
		assert_int_equal(lights_failed(seen), strchr(wanted, 'f') - wanted);
	else
		assert_int_equal(lights_failed(seen), LIGHT_MAX);
}

#define LIGHTS(wanted, ...) LIGHTS_OF(MODE_NORMAL, wanted, __VA_ARGS__)
#define LIGHTS_OF(mode, wanted, ...)                                                               \
	do {                                                                                       \
		struct phone *phone = &bed_init(&bed, mode)->phone;                                \
                                                                                                   \
		(void)phone;                                                                       \
		__VA_ARGS__;                                                                       \
		lights(&bed, wanted, __LINE__);                                                    \
	} while (0)

static void test_lights(void **state)
{
	BED(bed);

	LIGHTS("www", (void)0);
	LIGHTS("www", bed.seen.problem = NULL; bed.seen.troubles = NULL);
	LIGHTS("---", phone->on_bus = phone->in_mux = false);
	LIGHTS("fww", phone->flaps = PHONE_FLAPS_MANY);
	LIGHTS("fww", kernel(&bed, "1-2", TROUBLE_OVER_CURRENT, 1));
	LIGHTS("fww", kernel(&bed, "1-2", TROUBLE_RESET, 3));
	LIGHTS("www", kernel(&bed, "1-2", TROUBLE_NO_DESCRIPTOR, 3)); /* it is here now */
	LIGHTS("wf-", bed.seen.mux_up = phone->in_mux = false);
	LIGHTS("wf-", phone->in_mux = false);
	LIGHTS("w--", phone->in_mux = false; phone->presence = PRESENCE_SETTLING);
	LIGHTS("wf-", problem(&bed, ERROR_REFUSED, "usbmuxd", 3, REACH_NONE));
	LIGHTS("wf-", phone->in_mux = false; strcpy(phone->sighting.interfaces, "06/01/01"));
	LIGHTS("wwf", problem(&bed, ERROR_SILENT, "lockdownd", -7, REACH_PORT));
	LIGHTS("wwf", trust(&bed, TRUST_STALE, DETAIL_NONE, -21));
	LIGHTS("wwf", trust(&bed, TRUST_UNKNOWN, DETAIL_NONE, 0); phone->has_record = false);
	LIGHTS("ww-", phone->trust = TRUST_UNKNOWN; phone->trust_known = false);
	LIGHTS("www", problem(&bed, ERROR_BUSY, "service", 0, REACH_SERVICE));
	LIGHTS_OF(MODE_RECOVERY, "w--", (void)0);
	LIGHTS_OF(MODE_RECOVERY, "w--", bed.seen.mux_up = false);
	LIGHTS_OF(MODE_RESTORE, "ww-", phone->in_mux = true);
}

static void test_lights_json(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	struct light_seen seen[LIGHT_MAX];
	BED(bed);

	bed_init(&bed, MODE_NORMAL)->phone.in_mux = false;
	lights_see(&bed.seen, seen);
	assert_int_equal(lights_to_json(seen, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_string_equal(
	    text, "{\"lights\":[{\"light\":\"usb\",\"state\":\"working\",\"evidence\":"
		  "\"port 1-2, 480 Mbit/s, no hub\"},{\"light\":\"mux\",\"state\":"
		  "\"failed\",\"evidence\":\"usbmuxd does not list it\"},{\"light\":"
		  "\"link\",\"state\":\"off\",\"evidence\":\"Nothing leads to it yet.\"}],"
		  "\"failed_light\":\"mux\"}");
}

/* --- whatever the circumstances -------------------------------------------------------------- */

static unsigned roll(uint64_t *seed, unsigned below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % below;
}

static void roll_error(uint64_t *seed, struct error *ret)
{
	static const char *const origins[] = { "lockdownd", "usbmuxd", "service", "\xff{phone}" };

	ret->kind = (enum error_kind)roll(seed, ERROR_KIND_MAX);
	ret->code = -(int)roll(seed, 45);
	strcpy(ret->origin, origins[roll(seed, ARRAY_LEN(origins))]);
	memset(ret->text, 'a' + (int)roll(seed, 26), roll(seed, ERROR_TEXT_BYTES));
}

static void roll_phone(uint64_t *seed, struct phone *phone)
{
	static const char *const interfaces[] = { "", "06/01/01", "06/01/01 06/01/01", "06", "x" };
	static const char *const versions[] = { "", "9.3", "17.5", "99", "-1", "x" };

	phone->presence = (enum presence)roll(seed, PRESENCE_MAX);
	phone->trust = (enum trust)roll(seed, TRUST_MAX);
	phone->detail = (enum trust_detail)roll(seed, DETAIL_MAX);
	phone->reach = (enum reach)roll(seed, REACH_MAX);
	phone->on_bus = roll(seed, 4) != 0;
	phone->in_mux = phone->on_bus && roll(seed, 2);
	phone->trust_known = roll(seed, 2);
	phone->has_record = roll(seed, 2);
	phone->record_broken = roll(seed, 2);
	phone->flaps = roll(seed, 9);
	phone->recoveries = roll(seed, 9);
	phone->trust_losses = roll(seed, 9);
	phone->identity.battery = roll(seed, 102);
	phone->identity.free_known = roll(seed, 2);
	phone->identity.free_bytes = UINT64_C(1) << roll(seed, 64);
	phone->identity.setup_done = (enum told)roll(seed, 3);
	phone->identity.lost_mode = (enum told)roll(seed, 3);
	phone->sighting.speed_mbps = roll(seed, 1000);
	phone->sighting.hub_depth = roll(seed, 7);
	strcpy(phone->sighting.interfaces, interfaces[roll(seed, ARRAY_LEN(interfaces))]);
	strcpy(phone->identity.version, versions[roll(seed, ARRAY_LEN(versions))]);
	strcpy(phone->job, roll(seed, 4) ? "" : "x");
	if (roll(seed, 4) == 0)
		phone->identity.model = NULL;
	roll_error(seed, &phone->trust_reason);
	roll_error(seed, &phone->reach_problem);
}

static void test_random(void **state)
{
	uint64_t seed = 20261122;
	BED(bed);

	for (unsigned i = 0; i < 20000; i++) {
		struct light_seen seen[LIGHT_MAX];

		bed_init(&bed, (enum mode)roll(&seed, MODE_MAX));
		roll_phone(&seed, &bed.phone);
		roll_error(&seed, &bed.problem);
		roll_error(&seed, &bed.mux_problem);
		bed.seen.mux_up = roll(&seed, 2);
		bed.seen.kernel_read = roll(&seed, 2);
		bed.seen.said = (enum said)roll(&seed, SAID_MAX);
		bed.seen.clock_wrong = roll(&seed, 2);
		bed.seen.record_store_bad = roll(&seed, 2);
		bed.seen.others = roll(&seed, 3);
		if (roll(&seed, 8) == 0)
			bed.seen.troubles = NULL;
		kernel(&bed, roll(&seed, 2) ? "1-2" : "1-4",
		       (enum trouble_kind)roll(&seed, TROUBLE_MAX), 1 + roll(&seed, 4));
		lights_see(&bed.seen, seen);
		for (int light = 0; light < LIGHT_MAX; light++)
			assert_true(seen[light].evidence[0] != '\0');
		if (roll(&seed, 8) == 0)
			bed.seen.phone = NULL;
		check_diagnosis(&bed);
	}
}

/* --- objects --------------------------------------------------------------------------------- */

static void test_json(void **state)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	_cleanup_free_ char *text = NULL;
	BED(bed);

	ROW("trust-stale", trust(&bed, TRUST_STALE, DETAIL_NONE, -21));
	assert_int_equal(finding_to_json(&bed.findings[0], &bed.phone, &object), 0);
	assert_true(sd_json_variant_format(object, 0, &text) >= 0);
	assert_non_null(strstr(text, "\"title\":\"Anna does not accept"));
	assert_non_null(strstr(text, "\"command\":\"trust repair ecid:0x001c20223e29401e\""));
	assert_non_null(strstr(text, "\"codes\":[\"0xe800001b\",\"0xe800001c\""));
	assert_non_null(strstr(text, "\"iTunes 0xe800001c kAMDInvalidHostIDError\""));
	assert_non_null(strstr(text, "\"lockdownd -21 InvalidHostID\""));
	assert_non_null(strstr(text, "\"doubt\":\""));
	assert_non_null(strstr(text, "\"hints\":[{\"id\":\""));
}

/* Every row of the table can be told, with and without a phone. */
static void test_json_of_all(void **state)
{
	const struct finding_fact *facts;
	size_t count;
	BED(bed);

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
			assert_int_equal(!!sd_json_variant_by_key(object, "doubt"),
					 strcmp(facts[i].doubt, "-") != 0);
			/* every code that is named has its name */
			assert_int_equal(
			    sd_json_variant_elements(sd_json_variant_by_key(object, "code_names")),
			    sd_json_variant_elements(sd_json_variant_by_key(object, "codes")));
			assert_true(
			    sd_json_variant_elements(sd_json_variant_by_key(object, "hints")) > 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_computer),    cmocka_unit_test(test_usb),
		cmocka_unit_test(test_mux),         cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_trust),       cmocka_unit_test(test_condition),
		cmocka_unit_test(test_modes),       cmocka_unit_test(test_person),
		cmocka_unit_test(test_job),         cmocka_unit_test(test_order),
		cmocka_unit_test(test_lights),      cmocka_unit_test(test_lights_json),
		cmocka_unit_test(test_random),      cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
