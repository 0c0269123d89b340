/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Plans and findings in words. */
#include "base/cleanup.h"
#include "face/finding_text.h"
#include "face/plan_text.h"
#include "prose_print.h"
#include <locale.h>

#define JSON  _cleanup_(sd_json_variant_unrefp) sd_json_variant
#define PROSE _cleanup_(screen_prose_freep) struct screen_prose

#define ERASE                                                                                      \
	"{'goal':'erase','label_goal':'Install iOS again, erasing everything','lost':'All of "     \
	"it.',"                                                                                    \
	"'data':'erased','phone':'ecid:0x001c20223e29401e','label':'Anna\u2019s phone',"           \
	"'ecid':'0x001c20223e29401e','product':'iPhone14,5','board':'d17ap','mode':'recovery',"    \
	"'firmware':{'version':'17.5.1','build':'21F90','name':'x_Restore.ipsw','size':"           \
	"7400000000},"                                                                             \
	"'variant':'Customer Erase Install (IPSW)','erases':true,'need_bytes':14800000000,"        \
	"'room':{'folder':'/data','lasting':false,'free_bytes':30000000000},"                      \
	"'warnings':[{'id':'w','text':'The battery is low.'}],"                                    \
	"'steps':[{'kind':'fetch','label':'Download the "                                          \
	"firmware','data':'kept','optional':false},"                                               \
	"{'kind':'erase','label':'Erase the phone and install iOS','data':'erased'},"              \
	"{'kind':'pair','label':'Pair','data':'kept','optional':true}],'network':true,"            \
	"'confirm_hint':'the last four characters of the serial number','token':'TOKEN-1',"        \
	"'token_seconds':900}"

static void test_card(void **state)
{
	JSON *plan = json_of(ERASE);
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL;

	plan_text_add(plan, prose);
	text = prose_print(prose);
	assert_string_equal(
	    text,
	    "Install iOS again, erasing everything\n"
	    "EVERYTHING ON THIS PHONE WILL BE ERASED: photos, messages, apps and settings. Only a "
	    "backup made earlier brings them back.\n"
	    "The battery is low.\n"
	    "\n"
	    "Phone           Anna\u2019s phone, iPhone 13 (iPhone14,5), ecid:0x001c20223e29401e\n"
	    "ECID            0x001c20223e29401e\n"
	    "Mode now        Recovery\n"
	    "Firmware        iOS 17.5.1, build 21F90\n"
	    "File            x_Restore.ipsw, 7.4 GB, must be downloaded\n"
	    "Installs        Customer Erase Install (IPSW) for the board d17ap, which erases\n"
	    "Space           14.8 GB needed, 30 GB free in memory (/data), lost when this computer "
	    "is switched off\n"
	    "Internet        needed: a network cable with a way to Apple's servers\n"
	    "What is done    1. Download the firmware\n"
	    "                2. Erase the phone and install iOS (erases everything)\n"
	    "                3. Pair (if it is possible)\n");
	assert_int_equal(prose_role(prose, 1), SCREEN_ROLE_ALERT);
	assert_int_equal(prose_role(prose, 2), SCREEN_ROLE_WARN);
	assert_true(plan_text_erases(plan));
}

/* Who knows the firmware, what Apple said, what goes to make room, and two places. */
static void test_firmware_card(void **state)
{
	JSON *plan = json_of(
	    "{'goal':'firmware','label_goal':'Download','lost':'Nothing.','data':'kept',"
	    "'phone':'product:iPhone14,5','label':'iPhone "
	    "13','product':'iPhone14,5','mode':'unknown','firmware':{"
	    "'version':'18.2','build':'22C152','name':'x.ipsw','size':7400000000,"
	    "'sources':'refreshed apple odd','confirmed':true},"
	    "'signed':{'verdict':'unknown','text':'Nobody answers.'},"
	    "'drops':[{'file':'a','label':'iOS 17','bytes':1000},{'file':'b','label':'iOS 16',"
	    "'bytes':2000}],'need_bytes':8000000000,'room':{'folder':'/data','lasting':true,"
	    "'free_bytes':3000000000,'cache':'/disk','cache_free_bytes':9000000000}}");
	JSON *bare = json_of("{'firmware':{'version':'18.2','build':'22C152','sources':''},"
			     "'signed':{'verdict':'nonsense'}}");
	PROSE *prose = prose_make(), *without = prose_make();
	_cleanup_free_ char *text = NULL, *other = NULL;

	plan_text_add(plan, prose);
	text = prose_print(prose);
	assert_string_equal(
	    text,
	    "Download\n"
	    "Nothing.\n"
	    "To make room, what is named here is deleted from the firmware cache. It would have to "
	    "be downloaded again.\n"
	    "Deleted first   iOS 17, 1 kB\n"
	    "                iOS 16, 2 kB\n"
	    "\n"
	    "Phone           iPhone 13 (iPhone14,5), product:iPhone14,5\n"
	    "Firmware        iOS 18.2, build 22C152\n"
	    "Known from      the catalogue that was refreshed here, Apple's list, odd; two of them "
	    "tell the same hash\n"
	    "Signed          not known: Nobody answers.\n"
	    "File            x.ipsw, 7.4 GB, must be downloaded\n"
	    "Space           8 GB needed, 9 GB free in /disk for firmware and 3 GB in /data\n"
	    "Internet        not needed\n");
	plan_text_add(bare, without);
	other = prose_print(without);
	assert_null(strstr(other, "Known from"));
	assert_null(strstr(other, "Signed"));
}

static void test_consent(void **state)
{
	JSON *plan = json_of(ERASE), *none = json_of("{'data':'erased'}");
	PROSE *prose = prose_make(), *without = prose_make();
	_cleanup_free_ char *line = plan_text_consent_line(plan, "restore ecid:0x1 --erase");
	_cleanup_free_ char *no_line = plan_text_consent_line(none, "x"), *text = NULL, *why = NULL;

	assert_string_equal(line, "idevicerescue restore ecid:0x1 --erase --consent TOKEN-1 "
				  "--confirm LAST4");
	plan_text_consent_add(plan, prose);
	text = prose_print(prose);
	assert_string_equal(
	    text, "Write instead of LAST4: the last four characters of the serial number.\n"
		  "The token is good once, for this phone and this firmware only, for about 15 "
		  "minutes.\n");
	assert_null(no_line);
	plan_text_consent_add(none, without);
	why = prose_print(without);
	assert_non_null(strstr(why, "cannot be started"));
}

static void test_card_of_what_keeps_the_data(void **state)
{
	JSON *plan = json_of(
	    "{'goal':'update','label_goal':'Install iOS','lost':'Nothing should be lost.','data':"
	    "'at-risk','phone':'ecid:0x2','label':'iPhone 13','product':'iPhone14,5','firmware':{"
	    "'version':'1','build':'2A','name':'x.ipsw','size':1000,'path':'/f/x.ipsw','verified':"
	    "true},'variant':'U','board':'d17ap','network':false}");
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL;

	plan_text_add(plan, prose);
	text = prose_print(prose);
	assert_string_equal(text, "Install iOS\n"
				  "Nothing should be lost.\n"
				  "\n"
				  "Phone           iPhone 13 (iPhone14,5), ecid:0x2\n"
				  "Firmware        iOS 1, build 2A\n"
				  "File            x.ipsw, 1 kB, lies at /f/x.ipsw, checked\n"
				  "Installs        U for the board d17ap, which keeps the data\n"
				  "Internet        not needed\n");
	assert_int_equal(prose_role(prose, 1), SCREEN_ROLE_WARN);
	assert_false(plan_text_erases(plan));
}

/* The card of a ladder names each rung by its remedy. */
static void test_card_of_a_ladder(void **state)
{
	JSON *plan = json_of(
	    "{'label_goal':'Repair','lost':'Nothing is lost.','data':'kept','phone':'ecid:0x2',"
	    "'label':'A','network':false,'steps':[{'label':'Look','optional':true},"
	    "{'label':'Mux','optional':true,'rung':1},{'label':'Prove','optional':true,'rung':1},"
	    "{'label':'Pair','optional':true,'rung':2},{'label':'Prove'},{'label':'Replug',"
	    "'optional':true}]}");
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL;

	plan_text_add(plan, prose);
	text = prose_print(prose);
	assert_non_null(strstr(text,
			       "What is done    1. Look (if it is possible)\n"
			       "                2. Mux (only if what comes before it did not "
			       "help)\n"
			       "                4. Pair (only if what comes before it did not "
			       "help)\n"
			       "                5. Prove\n"
			       "                6. Replug (if it is possible)\n"));
}

#define STALE                                                                                      \
	"{'id':'trust-stale','severity':'problem','title':'It forgot this computer','meaning':"    \
	"'The pairing is gone.','next':'Pair anew.','cost':'Nothing is lost.','evidence':'code "   \
	"-21','command':'trust reset ecid:0x1','codes':['0xe800001c InvalidHostID','-21']}"

static void test_finding(void **state)
{
	JSON *finding = json_of(STALE);
	PROSE *prose = prose_make();
	_cleanup_free_ char *text = NULL;

	finding_text_add(finding, true, prose);
	text = prose_print(prose);
	assert_string_equal(text, "Problem: It forgot this computer\n"
				  "What was seen   code -21\n"
				  "What it means   The pairing is gone.\n"
				  "What to do      Pair anew.\n"
				  "What it costs   Nothing is lost.\n"
				  "Command         idevicerescue trust reset ecid:0x1\n"
				  "Known as        0xe800001c InvalidHostID, -21\n");
	assert_int_equal(prose_role(prose, 0), SCREEN_ROLE_ALERT);
}

static void test_severities(void **state)
{
	JSON *none = json_of("[]"), *notes = json_of("[{'severity':'info'},{'severity':'new'}]");
	JSON *mixed = json_of("[{'severity':'info'},{'severity':'warning'},{'severity':'info'}]");
	JSON *bad = json_of("[" STALE ",{'severity':'warning'}]");

	assert_int_equal(finding_text_worst(none), SEVERITY_INFO);
	assert_int_equal(finding_text_worst(notes), SEVERITY_INFO);
	assert_int_equal(finding_text_worst(mixed), SEVERITY_WARNING);
	assert_int_equal(finding_text_worst(bad), SEVERITY_PROBLEM);
}

static void test_poor_objects(void **state)
{
	static const char *const poor[] = {
		"{}",
		"{'firmware':{},'room':[],'steps':[1,{}],'warnings':[{}],'need_bytes':1,'mode':'x'"
		"}",
		"{'codes':[1,null],'severity':3,'title':[],'board':'nonsense','product':'nonsense'"
		"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(poor); i++) {
		JSON *object = json_of(poor[i]);
		PROSE *prose = prose_make();

		plan_text_add(object, prose);
		plan_text_consent_add(object, prose);
		finding_text_add(object, true, prose);
		assert_int_equal(screen_prose_error(prose), 0);
		assert_false(plan_text_erases(object));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_card),
		cmocka_unit_test(test_firmware_card),
		cmocka_unit_test(test_consent),
		cmocka_unit_test(test_card_of_what_keeps_the_data),
		cmocka_unit_test(test_card_of_a_ladder),
		cmocka_unit_test(test_finding),
		cmocka_unit_test(test_severities),
		cmocka_unit_test(test_poor_objects),
	};

	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
