/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Containers, tickets and the IPSW as the phone judges them. */
#include "bed.h"

#include "forge.h"
#include "restore/img4.h"
#include "restore/ticket.h"

static const char real_images[] = "../shared/data/img4";

/* ---- DER ---- */

static void expect_der(const char *bytes, size_t len, bool good)
{
	struct der reader = { { (const uint8_t *)bytes, len } };
	struct der_item item;

	if (der_next(&reader, &item) != good)
		fail_msg("an item of %zu bytes beginning %02x %02x is %s", len, (uint8_t)bytes[0],
			 (uint8_t)bytes[len > 1], good ? "refused" : "taken");
	assert_int_equal(reader.rest.len, good ? 0 : len);
}

#define EXPECT_DER(text, good) expect_der((text), sizeof(text) - 1, (good))

static void test_der_is_strict(void **state)
{
	EXPECT_DER("\x16\x01x", true);
	EXPECT_DER("\x30\x00", true);
	EXPECT_DER("", false);
	EXPECT_DER("\x16", false);
	EXPECT_DER("\x16\x02x", false);                /* reaches over the end */
	EXPECT_DER("\x16\x80x\0\0", false);            /* indefinite length */
	EXPECT_DER("\x16\x81\x01x", false);            /* long form of a short length */
	EXPECT_DER("\x16\x82\x00\x81", false);         /* leading zero */
	EXPECT_DER("\x16\x84\xff\xff\xff\xff", false); /* 4 GiB */
	EXPECT_DER("\x16\x85\x01\x00\x00\x00\x00", false);
	EXPECT_DER("\xff\x84\xea\x85\x9c\x42\x00", true);  /* 'MANB' */
	EXPECT_DER("\xff\x1e\x00", false);                 /* fits the short form */
	EXPECT_DER("\xff\x80\x84\x42\x00", false);         /* leading zero */
	EXPECT_DER("\xff\x84\xea\x85\x9c", false);         /* number without end */
	EXPECT_DER("\xff\x9f\xff\xff\xff\x7f\x00", false); /* more than 32 bits */
	EXPECT_DER("\xbf\x84\xea\x85\x9c\x42\x00", false); /* of another class */
}

static bool number_of(const char *bytes, size_t len, uint64_t *ret)
{
	struct der_item item = { .identifier = 0x02, .content = { (const uint8_t *)bytes, len } };

	return der_number(&item, ret);
}

static void test_der_numbers(void **state)
{
	uint64_t n = 7;

	assert_true(number_of("\0", 1, &n));
	assert_int_equal(n, 0);
	assert_true(number_of("\0\x81\x10", 3, &n));
	assert_int_equal(n, 0x8110);
	assert_true(number_of("\0\xff\xff\xff\xff\xff\xff\xff\xff", 9, &n));
	assert_true(n == UINT64_MAX);
	assert_false(number_of("", 0, &n));
	assert_false(number_of("\x81", 1, &n));   /* negative */
	assert_false(number_of("\0\x01", 2, &n)); /* not the shortest form */
	assert_false(number_of("\x01\0\0\0\0\0\0\0\0", 9, &n));
}

/* ---- containers and tickets ---- */

/* A copy of exactly @len bytes, so that the sanitizer sees a read beyond them. */
static uint8_t *exact(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	if (len)
		memcpy(copy, bytes, len);
	return copy;
}

static void make_whole(struct forge *f, const struct identity *id, enum forge_flaw flaw,
		       const char *component, struct buf *ticket, struct buf *image)
{
	forge_ticket(f, id, flaw, &forge_parts[2], ticket);
	forge_img4(forge_part(component), ticket, image);
}

static void test_truncated(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = BED("mode=recovery");
	BUF_AUTO ticket = {};
	BUF_AUTO image = {};
	struct img4 img4;
	struct ticket t;

	make_whole(f, &b->phone.identity, FORGE_GOOD, "iBEC", &ticket, &image);
	for (size_t len = 0; len <= image.len; len++) {
		uint8_t *copy = exact(image.bytes, len);

		assert_int_equal(!img4_read(copy, len, &img4), len == image.len);
		free(copy);
	}
	for (size_t len = 0; len <= ticket.len; len++) {
		uint8_t *copy = exact(ticket.bytes, len);

		assert_int_equal(!ticket_read(copy, len, &t), len == ticket.len);
		free(copy);
	}
	bed_free(b);
	forge_free(f);
}

/* Whatever a byte becomes, nothing is read that is not there. */
static void test_mutated(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0x81, 0x84, 0xff };
	struct forge *f = forge_new(false);
	struct bed *b = BED("mode=recovery");
	BUF_AUTO ticket = {};
	BUF_AUTO image = {};
	unsigned whole = 0;

	make_whole(f, &b->phone.identity, FORGE_GOOD, "iBEC", &ticket, &image);
	for (size_t at = 0; at < image.len; at++) {
		for (size_t v = 0; v < sizeof(values); v++) {
			uint8_t *copy = exact(image.bytes, image.len);
			struct img4 img4;
			struct ticket t;

			copy[at] = values[v];
			if (!img4_read(copy, image.len, &img4) &&
			    !ticket_read(img4.im4m.bytes, img4.im4m.len, &t))
				whole += ticket_fits_phone(&t, &b->phone.identity) == nullptr;
			free(copy);
		}
	}
	assert_int_not_equal(whole, 0); /* payload, digests and signature may be anything here */
	bed_free(b);
	forge_free(f);
}

/* Every single wrong byte is refused, by the reader or by signature and digest. */
static void test_spoiled(void **state)
{
	struct forge *f = forge_new(false);
	struct bed *b = BED("mode=recovery", f->key_setting);
	struct image_verdict verdict;
	BUF_AUTO ticket = {};
	BUF_AUTO image = {};

	make_whole(f, &b->phone.identity, FORGE_GOOD, "iBEC", &ticket, &image);
	assert_true(firmware_check_image(&b->phone, "iBEC", image.bytes, image.len, &verdict));
	for (size_t at = 0; at < image.len; at++) {
		uint8_t *copy = exact(image.bytes, image.len);

		copy[at] ^= 1u << at % 8;
		assert_false(firmware_check_image(&b->phone, "iBEC", copy, image.len, &verdict));
		assert_non_null(verdict.why);
		free(copy);
	}
	bed_free(b);
	forge_free(f);
}

static void test_flaws(void **state)
{
	static const struct {
		enum forge_flaw flaw;
		const char *why;
	} flaws[] = {
		{ FORGE_OTHER_ECID, "another ECID" },
		{ FORGE_OTHER_CHIP, "another chip" },
		{ FORGE_OTHER_BOARD, "another board" },
		{ FORGE_OTHER_NONCE, "another nonce" },
		{ FORGE_SHORT_NONCE, "another nonce" },
		{ FORGE_OTHER_SEP_NONCE, "another nonce of the SEP" },
		{ FORGE_BAD_SIGNATURE, "not signed" },
		{ FORGE_NOT_PRODUCTION, "production" },
	};
	struct forge *f = forge_new(false);
	struct bed *b = BED("mode=recovery", f->key_setting);

	for (unsigned i = 0; i < sizeof(flaws) / sizeof(flaws[0]); i++) {
		struct image_verdict verdict;
		BUF_AUTO ticket = {};
		BUF_AUTO image = {};

		make_whole(f, &b->phone.identity, flaws[i].flaw, "RestoreSEP", &ticket, &image);
		assert_false(firmware_check_image(&b->phone, "RestoreSEP", image.bytes, image.len,
						  &verdict));
		if (!strstr(verdict.why, flaws[i].why))
			fail_msg("'%s' where '%s' belongs", verdict.why, flaws[i].why);
		assert_int_equal(
		    firmware_check_ticket(&b->phone, ticket.bytes, ticket.len, &verdict),
		    flaws[i].flaw == FORGE_OTHER_SEP_NONCE);
	}
	bed_free(b);
	forge_free(f);
}

/* The ticket must hold the image, the container a ticket, and the type be the one asked for. */
static void test_image_and_ticket_belong_together(void **state)
{
	struct forge *f = forge_new(true);
	struct bed *b = BED("mode=recovery", "model=iPhone8,1", f->key_setting);
	struct forge_part other = *forge_part("iBEC");
	struct image_verdict v;
	BUF_AUTO ticket = {};
	BUF_AUTO image = {};

	make_whole(f, &b->phone.identity, FORGE_GOOD, "iBEC", &ticket, &image);
	assert_true(firmware_check_image(&b->phone, "iBEC", image.bytes, image.len, &v));
	assert_string_equal(v.component, "iBEC");
	assert_string_equal(v.type, "ibec");
	assert_false(firmware_check_image(&b->phone, "iBSS", image.bytes, image.len, &v));
	assert_string_equal(v.why, "the image is of another type");
	other.payload = "something else";
	buf_clear(&image);
	forge_img4(&other, &ticket, &image);
	assert_false(firmware_check_image(&b->phone, "iBEC", image.bytes, image.len, &v));
	assert_string_equal(v.why, "the ticket does not hold the image's digest");
	buf_clear(&image);
	forge_img4(&other, nullptr, &image);
	assert_false(firmware_check_image(&b->phone, "iBEC", image.bytes, image.len, &v));
	assert_string_equal(v.why, "the container holds no ticket");
	bed_free(b);
	forge_free(f);
}

/* Containers and a ticket that Apple's tools made. */
static void read_real(const char *name, struct buf *to)
{
	char path[256];
	uint8_t piece[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", real_images, name);
	file = fopen(path, "re");
	if (!file)
		skip();
	for (size_t got; (got = fread(piece, 1, sizeof(piece), file)) > 0;)
		buf_add(to, piece, got);
	fclose(file);
}

static void test_real_ticket(void **state)
{
	BUF_AUTO bytes = {};
	struct der_item value;
	struct ticket t;
	uint64_t number;
	bool truth;

	read_real("PyIMG4_IM4M", &bytes);
	assert_null(ticket_read(bytes.bytes, bytes.len, &t));
	assert_true(ticket_find(&t, "MANP", "CHIP", &value) && der_number(&value, &number));
	assert_int_equal(number, 0x8015);
	assert_true(ticket_find(&t, "MANP", "CPRO", &value) && der_truth(&value, &truth) && truth);
	assert_true(ticket_find(&t, "rkrn", "DGST", &value));
	assert_int_equal(value.content.len, 48);
	assert_false(ticket_find(&t, "rkrn", "BNCH", &value));
	assert_false(ticket_find(&t, "none", "DGST", &value));
	assert_false(ticket_is_signed(&t, SIMPHONE_TICKET_KEY)); /* Apple is not our server */
}

static void test_real_image(void **state)
{
	BUF_AUTO bytes = {};
	BUF_AUTO payload = {};
	struct img4 image;

	read_real("PyIMG4_IMG4", &bytes);
	read_real("PyIMG4_test_payload", &payload);
	assert_null(img4_read(bytes.bytes, bytes.len, &image));
	assert_string_equal(image.type, "test");
	assert_true(span_is(image.payload, payload.bytes, payload.len));
	assert_true(image.im4m.len > 7000);
	assert_int_equal(image.im4r.len, 0);
}

/* ---- IPSW ---- */

static void test_identities(void **state)
{
	struct forge *f = forge_new(false);
	const struct model *m = model_find("iPhone14,5");
	struct firmware *fw;
	char why[256] = "";

	forge_ipsw(f, m, false, true);
	fw = firmware_open(f->ipsw_path, m, why, sizeof(why));
	assert_non_null(fw);
	assert_string_equal(firmware_version(fw), "17.6.1");
	assert_string_equal(firmware_build(fw), "21G93");
	assert_non_null(firmware_identity(fw, INSTALL_ERASE));
	assert_null(firmware_identity(fw, INSTALL_UPDATE));
	assert_null(firmware_identity(fw, INSTALL_NONE));
	/* not the one for researchers, though it comes first */
	assert_string_equal(
	    plist_get_string_ptr(
		plist_access_path(firmware_component(fw, INSTALL_ERASE, "RestoreRamDisk"), 2,
				  "Info", "Path"),
		nullptr),
	    "erase.dmg");
	firmware_free(fw);
	assert_null(firmware_open(f->ipsw_path, model_find("iPhone15,2"), why, sizeof(why)));
	assert_non_null(strstr(why, "d73ap"));
	assert_null(firmware_open(f->key_path, m, why, sizeof(why)));
	assert_null(firmware_open("build/there-is-none", m, why, sizeof(why)));
	forge_free(f);
}

static void follow_os(struct forge *f, size_t piece, size_t spoil_at)
{
	const struct model *m = model_find("iPhone14,5");
	char why[256];
	struct firmware *fw = firmware_open(f->ipsw_path, m, why, sizeof(why));
	struct member *member = firmware_member(fw, INSTALL_ERASE, "OS");
	uint8_t *bytes = malloc(piece);
	bool fits = true;

	assert_non_null(member);
	assert_null(firmware_member(fw, INSTALL_ERASE, "Nothing"));
	firmware_free(fw);
	assert_int_equal(member_bytes(member), FORGE_OS_BYTES);
	for (size_t at = 0; at < FORGE_OS_BYTES; at += piece) {
		size_t len = FORGE_OS_BYTES - at < piece ? FORGE_OS_BYTES - at : piece;

		assert_false(member_whole(member));
		for (size_t i = 0; i < len; i++)
			bytes[i] = forge_os_byte(at + i) ^ (at + i == spoil_at);
		fits = member_follow(member, bytes, len);
		assert_int_equal(fits, at + len <= spoil_at);
	}
	assert_int_equal(member_whole(member), spoil_at >= FORGE_OS_BYTES);
	assert_false(member_follow(member, bytes, 1)); /* more than there is */
	assert_false(member_whole(member));
	member_free(member);
	free(bytes);
}

static void test_member(void **state)
{
	struct forge *f = forge_new(false);

	for (unsigned stored = 0; stored < 2; stored++) {
		forge_ipsw(f, model_find("iPhone14,5"), true, stored);
		follow_os(f, 131072, SIZE_MAX);
		follow_os(f, 1000, SIZE_MAX);
		follow_os(f, FORGE_OS_BYTES, SIZE_MAX);
		follow_os(f, 131072, 0);
		follow_os(f, 1000, FORGE_OS_BYTES - 1);
	}
	forge_free(f);
}

static bool check_ramdisk(struct forge *f, struct bed *b, const struct forge_part *ramdisk,
			  struct image_verdict *v)
{
	BUF_AUTO ticket = {};
	BUF_AUTO image = {};

	forge_ticket(f, &b->phone.identity, FORGE_GOOD, ramdisk, &ticket);
	forge_img4(ramdisk, &ticket, &image);
	return firmware_check_image(&b->phone, nullptr, image.bytes, image.len, v);
}

static void test_ramdisks(void **state)
{
	struct forge *f = forge_new(false);
	struct image_verdict v;
	struct bed *b;

	forge_ipsw(f, model_find("iPhone14,5"), true, true);
	b = BED("mode=recovery", f->key_setting, f->ipsw_setting);
	assert_true(check_ramdisk(f, b, forge_part("RestoreRamDisk"), &v));
	assert_string_equal(v.component, "RestoreRamDisk");
	assert_true(v.erase && !v.update);
	assert_true(check_ramdisk(f, b, &forge_update_ramdisk, &v));
	assert_true(!v.erase && v.update);
	assert_false(check_ramdisk(f, b, &forge_research_ramdisk, &v));
	assert_string_equal(v.why, "the IPSW has no such image for this board");
	bed_free(b);
	forge_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_der_is_strict),
		cmocka_unit_test(test_der_numbers),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_flaws),
		cmocka_unit_test(test_image_and_ticket_belong_together),
		cmocka_unit_test(test_real_ticket),
		cmocka_unit_test(test_real_image),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_ramdisks),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
