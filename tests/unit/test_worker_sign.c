/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the signing server is asked, and what its answers mean; real data where it lies beside the
 * tree. */
#include "base/cleanup.h"
#include "base/file.h"
#include "unit.h"
#include "worker/manifest_identity.h"
#include "worker/sign.h"
#include "worker/tss.h"
#include "worker/tss_request.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { DATA_BYTES_MAX = 32 * 1024 * 1024, TEXT_BYTES = 512 };

#define ERASE   "Customer Erase Install (IPSW)"
#define UPGRADE "Customer Upgrade Install (IPSW)"

/* The whole file of real data with a NUL behind it; skips the test if it is not there. */
static char *data_load(const char *name, size_t *ret_bytes)
{
	const char *folder = getenv("IDR_DATA");
	_cleanup_close_ int fd = -1;
	char path[TEXT_BYTES], *text = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/data", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		print_message("no real data at %s: skipped\n", path);
		skip();
	}
	assert_int_equal(file_read_whole(fd, DATA_BYTES_MAX, &text, ret_bytes), 0);
	return text;
}

/* --- answers */

static struct tss_reply parsed(const char *text)
{
	struct tss_reply reply;

	tss_reply_parse(text, strlen(text), &reply);
	return reply;
}

static void test_status(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *message;
	} rows[] = {
		{ "STATUS=94&MESSAGE=This device isn't", 94, "This device isn't" },
		{ "\r\n STATUS=94&MESSAGE=x\n", 94, "x\xef\xbf\xbd" },
		{ "STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING=<", 0, "SUCCESS" },
		{ "MESSAGE=SUCCESS&STATUS=0", 0, "SUCCESS" },
		{ "STATUS=0&MESSAGE=FAILURE&REQUEST_STRING=<", TSS_STATUS_NONE, "FAILURE" },
		{ "STATUS=0", TSS_STATUS_NONE, "" },
		{ "MESSAGE=SUCCESS", TSS_STATUS_NONE, "SUCCESS" },
		{ "<html>captive</html>", TSS_STATUS_NONE, "" },
		{ "<html>?STATUS=0&MESSAGE=SUCCESS</html>", TSS_STATUS_NONE, "SUCCESS</html>" },
		{ "STATUS=&MESSAGE=x", TSS_STATUS_NONE, "x" },
		{ "STATUS=-5&", TSS_STATUS_NONE, "" },
		{ "XSTATUS=5&", TSS_STATUS_NONE, "" },
		{ "", TSS_STATUS_NONE, "" },
		{ "&&&", TSS_STATUS_NONE, "" },
		/* what stands behind REQUEST_STRING is no field */
		{ "STATUS=94&REQUEST_STRING=&STATUS=0&MESSAGE=SUCCESS", 94, "" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tss_reply reply = parsed(rows[i].text);

		if (reply.status != rows[i].status || strcmp(reply.message, rows[i].message) != 0)
			fail_msg("%s: %d, %s", rows[i].text, reply.status, reply.message);
	}
	assert_true(parsed("STATUS=99999999999999999999999&").status > 0);
}

#define GRANTED  "STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING="
#define LIST(in) "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>" in "</dict></plist>"

static void test_tickets(void **state)
{
	static const struct {
		const char *text;
		bool has;
	} rows[] = {
		{ GRANTED LIST("<key>ApImg4Ticket</key><data>AAAA</data>"), true },
		{ GRANTED LIST("<key>APTicket</key><data>AAAA</data>"), true },
		{ GRANTED LIST("<key>BBTicket</key><data>AAAA</data>"), false },
		{ GRANTED LIST("<key>ApImg4Ticket</key><data></data>"), false },
		{ GRANTED LIST("<key>ApImg4Ticket</key><string>AAAA</string>"), false },
		{ GRANTED LIST(""), false },
		{ GRANTED "<plist", false },
		{ GRANTED, false },
		{ "STATUS=0&MESSAGE=SUCCESS", false },
		{ "STATUS=94&MESSAGE=SUCCESS&REQUEST_STRING=" LIST(
		      "<key>ApImg4Ticket</key><data>AAAA</data>"),
		  false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tss_reply reply = parsed(rows[i].text);

		if (tss_reply_has_ticket(&reply) != rows[i].has)
			fail_msg("%s", rows[i].text);
	}
}

static void test_answers_of_others(void **state)
{
	static const struct {
		const char *file;
		int status;
		enum tss_verdict verdict;
	} rows[] = {
		{ "reply_0_success_real_ticket.txt", 0, TSS_SIGNED },
		{ "reply_0_success_synthetic.txt", 0, TSS_SIGNED },
		{ "reply_0_no_ticket.txt", 0, TSS_UNKNOWN },
		{ "reply_69.txt", 69, TSS_NOT_SIGNED },
		{ "reply_94.txt", 94, TSS_NOT_SIGNED },
		{ "reply_100.txt", 100, TSS_UNKNOWN },
		{ "reply_128.txt", 128, TSS_UNKNOWN },
		{ "reply_168.txt", 168, TSS_UNKNOWN },
		{ "reply_551.txt", 551, TSS_UNKNOWN },
		{ "reply_403_shield.html", TSS_STATUS_NONE, TSS_UNKNOWN },
		{ "reply_captive_portal.html", TSS_STATUS_NONE, TSS_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		_cleanup_free_ char *text = NULL;
		struct tss_reply reply;
		char name[TEXT_BYTES];
		size_t n = 0;

		snprintf(name, sizeof(name), "tss/%s", rows[i].file);
		text = data_load(name, &n);
		tss_reply_parse(text, n, &reply);
		if (reply.status != rows[i].status || tss_reply_verdict(&reply) != rows[i].verdict)
			fail_msg("%s: %d", rows[i].file, reply.status);
	}
}

static void test_verdicts(void **state)
{
	static const struct {
		const char *text;
		bool current;
		const char *word;
		enum error_kind kind;
		const char *says;
	} rows[] = {
		{ GRANTED LIST("<key>ApImg4Ticket</key><data>AAAA</data>"), false, "signed",
		  ERROR_NONE, "" },
		{ GRANTED LIST(""), false, "unknown", ERROR_PROTOCOL, "no ticket" },
		{ "STATUS=94&MESSAGE=x", false, "not-signed", ERROR_NOT_SIGNED, "status 94" },
		{ "STATUS=69&MESSAGE=x", false, "not-signed", ERROR_NOT_SIGNED, "status 69" },
		{ "STATUS=94&MESSAGE=x", true, "unknown", ERROR_NOT_SIGNED, "disagree" },
		{ "STATUS=69&MESSAGE=x", true, "unknown", ERROR_NOT_SIGNED, "disagree" },
		{ "STATUS=8&MESSAGE=x", false, "unknown", ERROR_PROTOCOL, "our question" },
		{ "STATUS=49&MESSAGE=x", false, "unknown", ERROR_PROTOCOL, "our question" },
		{ "STATUS=100&MESSAGE=x", false, "unknown", ERROR_PROTOCOL, "status 100" },
		{ "STATUS=126&MESSAGE=x", true, "unknown", ERROR_PROTOCOL, "status 126" },
		{ "STATUS=551&MESSAGE=x", false, "unknown", ERROR_PROTOCOL, "status 551" },
		{ "STATUS=1&MESSAGE=SUCCESS", false, "unknown", ERROR_PROTOCOL, "status 1" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tss_reply reply = parsed(rows[i].text);
		struct error why = {};
		enum tss_verdict verdict =
		    sign_judge(&reply, rows[i].current, "18.2", "22C152", &why);

		assert_string_equal(sign_word(verdict), rows[i].word);
		assert_int_equal(why.kind, rows[i].kind);
		if (!strstr(why.text, rows[i].says) || strcasestr(why.text, "no longer") ||
		    strchr(why.text, '{'))
			fail_msg("%s: %s", rows[i].text, why.text);
	}
}

static void test_certificates(void **state)
{
	struct error err = {};

	(void)error_set(&err, ERROR_NETWORK, "openssl", 10, "dates");
	assert_true(tss_error_is_certificate(&err));
	(void)error_set(&err, ERROR_NETWORK, "curl", 60, "unknown");
	assert_true(tss_error_is_certificate(&err));
	(void)error_set(&err, ERROR_NETWORK, "curl", 28, "silent");
	assert_false(tss_error_is_certificate(&err));
	(void)error_set(&err, ERROR_NETWORK, "tss", 60, "not a certificate's number");
	assert_false(tss_error_is_certificate(&err));
}

/* --- identities */

#define NUMBERS                                                                                    \
	LIST("<key>hex</key><string>0x8101</string><key>upper</key><string>0X0E</string>"          \
	     "<key>decimal</key><string>12</string><key>integer</key><integer>33025</integer>"     \
	     "<key>negative</key><integer>-1</integer><key>sign</key><string>-1</string>"          \
	     "<key>space</key><string> 1</string><key>empty</key><string></string>"                \
	     "<key>bare</key><string>0x</string><key>rest</key><string>12 </string>"               \
	     "<key>large</key><string>99999999999999999999999</string>"                            \
	     "<key>true</key><true/><key>real</key><real>1.0</real>")

static void test_numbers(void **state)
{
	static const char *const bad[] = { "negative", "sign",  "space", "empty", "bare",
					   "rest",     "large", "true",  "real" };
	static const struct {
		const char *key;
		uint64_t value;
	} good[] = {
		{ "hex", 0x8101 }, { "upper", 0x0e }, { "decimal", 12 }, { "integer", 33025 }
	};
	_cleanup_(plist_freep) plist_t list = property_list_parse(NUMBERS, sizeof(NUMBERS) - 1);
	uint64_t value = 0;

	assert_non_null(list);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(manifest_number(list, good[i].key, &value), 0);
		assert_int_equal(value, good[i].value);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (manifest_number(list, bad[i], &value) != -EINVAL)
			fail_msg("%s is a number", bad[i]);
	assert_int_equal(manifest_number(list, "absent", &value), -ENOENT);
	assert_int_equal(manifest_number(NULL, "hex", &value), -ENOENT);
}

#define IDENTITY(chip, board, class, variant, mark)                                                \
	"<dict><key>ApChipID</key>" chip "<key>ApBoardID</key>" board                              \
	"<key>Mark</key><string>" mark                                                             \
	"</string><key>Info</key><dict><key>DeviceClass</key><string>" class                       \
	"</string><key>Variant</key><string>" variant "</string></dict></dict>"
#define A9S "<string>0x8003</string>"
#define A9T "<string>0x8000</string>"
#define B4  "<string>0x04</string>"
#define TWINS                                                                                      \
	LIST("<key>BuildIdentities</key><array><string>no dictionary</string><dict/>" IDENTITY(    \
	    A9S, B4, "n71map", "Research " ERASE, "research")                                      \
		 IDENTITY(A9T, B4, "n71ap", ERASE, "a") IDENTITY(A9S, B4, "n71map", ERASE, "b")    \
		     IDENTITY("<integer>32771</integer>", "<integer>4</integer>", "N71mAP",        \
			      UPGRADE, "c") IDENTITY(A9T, B4, "n71map", "Mixed", "d") "</array>")

/* Two boards of one product share a board number: neither number nor name decides alone. */
static void test_twins(void **state)
{
	static const struct {
		const char *board, *variant, *mark;
	} rows[] = {
		{ "n71ap", ERASE, "a" },     { "n71map", ERASE, "b" },
		{ "n71map", UPGRADE, "c" },  { "n71ap", UPGRADE, NULL },
		{ "n71map", "Mixed", NULL }, { "n71ap", "Mixed", NULL },
		{ "n66ap", ERASE, NULL },    { "n71map", "Customer Erase", NULL },
	};
	_cleanup_(plist_freep) plist_t list = property_list_parse(TWINS, sizeof(TWINS) - 1);
	plist_t identities = property_list_array(list, "BuildIdentities");

	assert_non_null(identities);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct model *model = model_by_board(rows[i].board);
		plist_t identity = NULL;
		struct error err = {};
		int r;

		assert_non_null(model);
		r = manifest_identity_find(identities, model, rows[i].variant, &identity, &err);
		if ((r == 0) != (rows[i].mark != NULL))
			fail_msg("%s %s: %d", rows[i].board, rows[i].variant, r);
		if (r == 0)
			assert_string_equal(property_list_text(identity, "Mark"), rows[i].mark);
		else
			assert_int_equal(err.kind, ERROR_BAD_FILE);
	}
}

/* --- requests */

static void test_chips(void **state)
{
	static const struct {
		uint32_t chip;
		bool img3;
		size_t nonce;
	} rows[] = {
		{ 0x8720, true, 20 },  { 0x8900, true, 20 },  { 0x8940, true, 20 },
		{ 0x8950, true, 20 },  { 0x8955, true, 20 },  { 0x8960, false, 20 },
		{ 0x7000, false, 20 }, { 0x7001, false, 20 }, { 0x8000, false, 20 },
		{ 0x8001, false, 20 }, { 0x8003, false, 20 }, { 0x8010, false, 32 },
		{ 0x8011, false, 32 }, { 0x8015, false, 32 }, { 0x8020, false, 32 },
		{ 0x8101, false, 32 }, { 0x8103, false, 32 }, { 0x8150, false, 32 },
		{ 0x6000, false, 32 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (tss_chip_is_img3(rows[i].chip) != rows[i].img3 ||
		    tss_chip_nonce_bytes(rows[i].chip) != rows[i].nonce)
			fail_msg("chip %x", rows[i].chip);
}

static void test_chance(void **state)
{
	struct tss_chance one, two;

	assert_int_equal(tss_chance_make(&one), 0);
	assert_int_equal(tss_chance_make(&two), 0);
	assert_int_equal(strlen(one.uuid), TSS_UUID_BYTES - 1);
	assert_true(one.uuid[8] == '-' && one.uuid[13] == '-' && one.uuid[23] == '-');
	assert_int_equal(strspn(one.uuid, "0123456789ABCDEF-"), TSS_UUID_BYTES - 1);
	assert_memory_not_equal(one.nonce, two.nonce, sizeof(one.nonce));
	assert_memory_not_equal(one.sep_nonce, two.sep_nonce, sizeof(one.sep_nonce));
}

static uint64_t bytes_of(plist_t dict, const char *key)
{
	plist_t node = plist_dict_get_item(dict, key);
	uint64_t n = 0;

	assert_non_null(node);
	assert_int_equal(plist_get_node_type(node), PLIST_DATA);
	(void)plist_get_data_ptr(node, &n);
	return n;
}

static plist_t request_of(plist_t identity)
{
	struct tss_chance chance = { .uuid = "00000000-0000-0000-0000-000000000000" };
	struct error err = {};
	char *xml = NULL;
	plist_t request;
	uint32_t n = 0;

	if (tss_request_build(identity, 0x1122, &chance, &xml, &n, &err) < 0)
		fail_msg("%s", err.text);
	request = property_list_parse(xml, n);
	assert_non_null(request);
	plist_mem_free(xml);
	return request;
}

/* Every identity of a real manifest gives a request that its era takes. */
static void manifest_requests(const char *name, bool img3, uint64_t nonce, unsigned at_least)
{
	size_t n = 0;
	_cleanup_free_ char *text = data_load(name, &n);
	_cleanup_(plist_freep) plist_t list = property_list_parse(text, n);
	plist_t identities = property_list_array(list, "BuildIdentities");

	for (uint32_t i = 0; i < plist_array_get_size(identities); i++) {
		_cleanup_(plist_freep) plist_t request =
		    request_of(plist_array_get_item(identities, i));

		assert_non_null(plist_dict_get_item(request, img3 ? "@APTicket" : "@ApImg4Ticket"));
		assert_true(!plist_dict_get_item(request, "SepNonce") == img3);
		assert_true(!plist_dict_get_item(request, "ApSecurityMode") == img3);
		assert_int_equal(bytes_of(request, "ApNonce"), nonce);
		assert_int_equal(bytes_of(request, "UniqueBuildID"), 20);
		assert_null(plist_dict_get_item(request, "BasebandFirmware"));
		assert_null(plist_dict_get_item(request, "SE,UpdatePayload"));
		assert_null(property_list_dict(property_list_dict(request, "KernelCache"), "Info"));
		assert_non_null(property_list_dict(request, "KernelCache"));
		assert_true(plist_dict_get_size(request) > at_least);
	}
}

static void test_real_manifests(void **state)
{
	manifest_requests("buildmanifest/OTA_iPad2,1_6.1.3.plist", true, 20, 20);
	manifest_requests("buildmanifest/OTA_iPhone5,2_8.4.1.plist", true, 20, 20);
	manifest_requests("buildmanifest/OTA_iPhone6,1_10.3.3.plist", false, 20, 25);
	manifest_requests("buildmanifest/iPhone7,2_8.4.1_12H321.plist", false, 20, 30);
	manifest_requests("buildmanifest/iPhone10,3_iPhone10,6_11.2_15C114.plist", false, 32, 30);
	manifest_requests("buildmanifest/iPhone9,x_iPhone10,x_15.4_19E241.plist", false, 32, 40);
	manifest_requests("buildmanifest/iPhone13,2_iPhone13,3_26.2.1_23C71.plist", false, 32, 60);
}

/* Key by key what the reference has, made from the same manifest. */
static void test_reference(void **state)
{
	static const char id_key[] = "UniqueBuildID";
	size_t n = 0, ref_bytes = 0;
	_cleanup_free_ char *text =
	    data_load("buildmanifest/iPhone13,2_iPhone13,3_26.2.1_23C71.plist", &n);
	_cleanup_free_ char *ref_text =
	    data_load("tss/request_reference_iPhone13,2_23C71_erase.plist", &ref_bytes);
	_cleanup_(plist_freep) plist_t list = property_list_parse(text, n);
	_cleanup_(plist_freep) plist_t reference = property_list_parse(ref_text, ref_bytes);
	struct tss_chance chance = { .uuid = "00000000-0000-0000-0000-000000000000" };
	_cleanup_(plist_freep) plist_t request = NULL;
	char *xml = NULL, *wanted = NULL, *got = NULL;
	uint32_t bytes = 0;
	plist_t identity;

	for (size_t i = 0; i < sizeof(chance.nonce); i++)
		chance.nonce[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(chance.sep_nonce); i++)
		chance.sep_nonce[i] = (uint8_t)i;
	assert_int_equal(manifest_identity_find(property_list_array(list, "BuildIdentities"),
						model_by_board("d53gap"), ERASE, &identity, NULL),
			 0);
	assert_int_equal(plist_compare_node_value(plist_dict_get_item(identity, id_key),
						  plist_dict_get_item(reference, id_key)),
			 1);
	assert_int_equal(
	    tss_request_build(identity, 18838586676582ULL, &chance, &xml, &bytes, NULL), 0);
	request = property_list_parse(xml, bytes);
	plist_mem_free(xml);
	/* as text, sorted: the first difference is what a failure shows */
	plist_sort(request);
	plist_sort(reference);
	(void)plist_to_xml(request, &got, &bytes);
	(void)plist_to_xml(reference, &wanted, &bytes);
	assert_string_equal(got, wanted);
	plist_mem_free(got);
	plist_mem_free(wanted);
}

#define HEAD "<key>ApChipID</key><string>0x8101</string><key>ApBoardID</key><string>0x0C</string>"
#define REST "<key>ApSecurityDomain</key><string>0x01</string>"
#define ID   "<key>UniqueBuildID</key><data>AAAA</data>"

/* libplist's own copy of a text with a NUL in it leads a writer behind its end. */
static void test_texts_with_a_nul(void **state)
{
	static const char hostile[] =
	    "<?xml version=\"1.0\"?><plist version=\"1.0\"><dict>" HEAD REST ID
	    "<key>Ap,Target</key><string>a\0bcdefghijklmnop</string><key>Manifest</key><dict>"
	    "<key>A</key><dict><key>Trusted</key><true/><key>Info</key><dict/><key>List</key>"
	    "<array><string>c\0defghijklmnopqrst</string></array></dict></dict></dict></plist>";
	_cleanup_(plist_freep) plist_t identity = NULL, request = NULL;

	identity = property_list_parse(hostile, sizeof(hostile) - 1);
	if (!identity)
		return; /* refused before it comes to that is just as well */
	request = request_of(identity);
	assert_string_equal(property_list_text(request, "Ap,Target"), "a");
}

/* Types that are not what they should be: refused or left out, never believed. */
static void test_hostile_identities(void **state)
{
	static const char *const refused[] = {
		LIST(""),
		LIST(HEAD ID "<key>Manifest</key><dict/>"),
		LIST(HEAD REST "<key>Manifest</key><dict/>"),
		LIST(HEAD REST
		     "<key>UniqueBuildID</key><string>x</string><key>Manifest</key><dict/>"),
		LIST(HEAD REST ID),
		LIST(HEAD REST ID "<key>Manifest</key><array/>"),
	};
	static const char taken[] = LIST(
	    HEAD REST ID
	    "<key>Ap,List</key><array/><key>Manifest</key><dict><key>A</key><string>x</string>"
	    "<key>B</key><dict><key>Info</key><string>x</string></dict>"
	    "<key>C</key><dict><key>Info</key><dict><key>RestoreRequestRules</key><array>"
	    "<string>x</string><dict><key>Conditions</key><string>x</string></dict>"
	    "<dict><key>Conditions</key><dict><key>ApRawProductionMode</key><string>true</string>"
	    "</dict><key>Actions</key><dict><key>EPRO</key><true/></dict></dict>"
	    "<dict><key>Conditions</key><dict><key>ApUnheardOf</key><true/></dict>"
	    "<key>Actions</key><dict><key>EPRO</key><true/></dict></dict>"
	    "<dict><key>Conditions</key><dict><key>ApRawSecurityMode</key><true/></dict>"
	    "<key>Actions</key><dict><key>ESEC</key><true/><key>X</key><string>x</string></dict>"
	    "</dict></array></dict></dict></dict>");
	_cleanup_(plist_freep) plist_t identity = NULL, request = NULL;

	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		_cleanup_(plist_freep) plist_t one =
		    property_list_parse(refused[i], strlen(refused[i]));
		struct tss_chance chance = {};
		struct error err = {};
		char *xml = NULL;
		uint32_t n;

		assert_non_null(one);
		assert_true(tss_request_build(one, 1, &chance, &xml, &n, &err) < 0);
		assert_int_equal(err.kind, ERROR_BAD_FILE);
	}
	identity = property_list_parse(taken, sizeof(taken) - 1);
	request = request_of(identity);
	assert_null(plist_dict_get_item(request, "A"));
	assert_null(plist_dict_get_item(request, "B"));
	assert_null(plist_dict_get_item(request, "Ap,List"));
	assert_null(plist_dict_get_item(property_list_dict(request, "C"), "EPRO"));
	assert_null(plist_dict_get_item(property_list_dict(request, "C"), "X"));
	assert_non_null(plist_dict_get_item(property_list_dict(request, "C"), "ESEC"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_answers_of_others),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_chips),
		cmocka_unit_test(test_chance),
		cmocka_unit_test(test_real_manifests),
		cmocka_unit_test(test_reference),
		cmocka_unit_test(test_texts_with_a_nul),
		cmocka_unit_test(test_hostile_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
