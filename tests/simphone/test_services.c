/* SPDX-License-Identifier: GPL-3.0-or-later */
/* afc, diagnostics_relay and heartbeat as streams, and the tree of files behind afc. */
#include "bed.h"

#include <errno.h>

#include "plist_stream.h"
#include "services/afc.h"
#include "services/diagnostics_relay.h"
#include "services/heartbeat.h"

/* What a service sent, and whether it closed. */
struct peer {
	struct bed *bed;
	struct service *service;
	struct buf got;
	bool closed;
	uint64_t number; /* of afc's packets */
};

static void peer_send(void *user, const void *bytes, size_t len)
{
	struct peer *h = user;

	buf_add(&h->got, bytes, len);
}

static void peer_close(void *user)
{
	((struct peer *)user)->closed = true;
}

static void peer_open(struct peer *h, struct bed *bed, service_open_fn open)
{
	*h = (struct peer){ .bed = bed };
	h->service = open(&bed->phone, nullptr,
			  &(struct stream){ .send = peer_send, .close = peer_close, .user = h });
}

static void peer_done(struct peer *h)
{
	h->service->class->free(h->service);
	buf_done(&h->got);
}

/* ---- files ---- */

static void test_tree(void **state)
{
	struct files f;
	struct file *file, *link;

	files_init(&f, 1, 10 << 20);
	assert_int_equal(files_make(&f, "/a/b", FILE_REGULAR, nullptr), -ENOENT);
	assert_int_equal(files_make_parents(&f, "//a/./c//d"), 0);
	assert_non_null(files_find(&f, "a/c/d/"));
	assert_int_equal(files_make(&f, "a/c/x", FILE_REGULAR, &file), 0);
	assert_int_equal(files_make(&f, "a/c/x", FILE_REGULAR, nullptr), -EEXIST);
	assert_int_equal(files_make_parents(&f, "a/c/x/y"), -ENOTDIR);
	assert_int_equal(files_write(&f, file, 3, "abc", 3), 0);
	assert_memory_equal(file->content.bytes, "\0\0\0abc", 6);
	assert_null(files_find(&f, "a/../a"));
	assert_ptr_equal(files_find(&f, "/"), f.root);
	assert_int_equal(files_remove(&f, "a/c", false), -ENOTEMPTY);
	assert_int_equal(files_remove(&f, "/", true), -EINVAL);
	assert_int_equal(files_rename(&f, "a", "a/c/inside"), -EINVAL);
	assert_int_equal(files_rename(&f, "a/c", "e"), 0);
	assert_null(files_find(&f, "a/c"));
	assert_ptr_equal(files_find(&f, "e/x"), file);
	assert_int_equal(files_make(&f, "e/l", FILE_LINK, &link), 0);
	assert_int_equal(files_resize(&f, link, 3), -EISDIR);
	files_done(&f);
}

/* A host can neither dig nor fill without end. */
static void test_tree_ceilings(void **state)
{
	struct file *file;
	struct files f;
	char name[32];
	int r = 0;

	files_init(&f, 1, (uint64_t)FILES_BYTES_MAX * 4);
	assert_int_equal(files_make_parents(&f, "1/2/3/4/5/6/7/8/9"), 0);
	for (unsigned i = 0; i < FILES_DEPTH_MAX && r == 0; i++) {
		assert_int_equal(files_make(&f, "0", FILE_FOLDER, nullptr), 0);
		r = files_rename(&f, "1", "0/1");
		if (r == 0)
			assert_int_equal(files_rename(&f, "0", "1"), 0);
	}
	assert_int_equal(r, -EINVAL);
	assert_int_equal(files_make(&f, "large", FILE_REGULAR, &file), 0);
	assert_int_equal(files_resize(&f, file, FILES_BYTES_MAX / 2), 0);
	assert_int_equal(files_make(&f, "more", FILE_REGULAR, &file), 0);
	assert_int_equal(files_resize(&f, file, FILES_BYTES_MAX / 2), -ENOSPC);
	for (unsigned i = 0; r != -ENOSPC && i <= FILES_MAX; i++) {
		snprintf(name, sizeof(name), "many%u", FILES_MAX - i);
		r = files_make(&f, name, FILE_REGULAR, nullptr);
	}
	assert_int_equal(r, -ENOSPC);
	files_done(&f);
}

/* A file that is open lives on after its removal, and keeps its bytes until it is closed. */
static void test_removed_while_open(void **state)
{
	struct files f;
	struct file *file;
	uint64_t used;

	files_init(&f, 1, 10 << 20);
	used = f.used;
	assert_int_equal(files_make(&f, "x", FILE_REGULAR, &file), 0);
	file_open(file);
	assert_int_equal(files_write(&f, file, 0, "abc", 3), 0);
	assert_int_equal(f.used, used + 3);
	assert_int_equal(files_remove(&f, "x", false), 0);
	assert_int_equal(f.used, used + 3); /* until it is closed */
	assert_int_equal(files_write(&f, file, 3, "def", 3), 0);
	assert_int_equal(files_resize(&f, file, 1), 0);
	assert_int_equal(f.used, used + 1);
	file_close(&f, file);
	assert_int_equal(f.used, used);
	files_done(&f);
}

static void test_full(void **state)
{
	struct files f;
	struct file *file;

	files_init(&f, 1, 10 << 20);
	f.capacity = f.used + 100;
	assert_int_equal(files_make(&f, "x", FILE_REGULAR, &file), 0);
	assert_int_equal(files_resize(&f, file, 101), -ENOSPC);
	assert_int_equal(files_write(&f, file, 0, "abc", 3), 0);
	assert_int_equal(files_write(&f, file, UINT64_MAX - 1, "abc", 3), -ENOSPC);
	assert_int_equal(files_resize(&f, file, 100), 0);
	assert_int_equal(f.used, f.capacity);
	files_done(&f);
}

/* Same seed, same files; any change shows in the digest; an erase leaves none. */
static void test_digest(void **state)
{
	struct files one, two;
	char first[65], second[65];

	files_init(&one, 7, 1 << 30);
	files_init(&two, 7, 1 << 30);
	files_digest(&one, first);
	files_digest(&two, second);
	assert_string_equal(first, second);
	assert_int_equal(
	    files_write(&two, files_find(&two, "DCIM/100APPLE/IMG_0001.HEIC"), 9, "x", 1), 0);
	files_digest(&two, second);
	assert_string_not_equal(first, second);
	assert_true(files_count(&one) > 30);
	files_erase(&one);
	assert_int_equal(files_count(&one), 0);
	assert_int_equal(one.used, 0);
	assert_non_null(files_find(&one, "DCIM"));
	files_digest(&one, second);
	assert_string_not_equal(first, second);
	files_done(&one);
	files_done(&two);
}

/* ---- afc ---- */

static void put64(struct buf *to, uint64_t v)
{
	uint8_t bytes[8];

	put_le32(bytes, (uint32_t)v);
	put_le32(bytes + 4, (uint32_t)(v >> 32));
	buf_add(to, bytes, 8);
}

static uint64_t get64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

/* Sends a request byte by byte; the answer's body stands in h->got, its operation is returned. */
static uint64_t afc_ask(struct peer *h, uint64_t operation, const void *body, size_t len)
{
	uint64_t answered;
	BUF_AUTO packet = {};

	buf_clear(&h->got);
	buf_add(&packet, "CFA6LPAA", 8);
	put64(&packet, 40 + len);
	put64(&packet, 40 + len);
	put64(&packet, ++h->number);
	put64(&packet, operation);
	buf_add(&packet, body, len);
	for (size_t i = 0; i < packet.len; i++)
		h->service->class->feed(h->service, packet.bytes + i, 1);
	assert_true(h->got.len >= 40);
	assert_int_equal(get64(h->got.bytes + 8), h->got.len);
	assert_int_equal(get64(h->got.bytes + 24), h->number);
	answered = get64(h->got.bytes + 32);
	buf_drop(&h->got, 40);
	return answered;
}

static uint64_t afc_status(struct peer *h, uint64_t operation, const void *body, size_t len)
{
	assert_int_equal(afc_ask(h, operation, body, len), 1);
	return get64(h->got.bytes);
}

static uint64_t afc_opened(struct peer *h, uint64_t mode, const char *path)
{
	BUF_AUTO body = {};

	put64(&body, mode);
	buf_add(&body, path, strlen(path) + 1);
	if (afc_ask(h, 0x0d, body.bytes, body.len) == 1)
		return 0;
	return get64(h->got.bytes);
}

static void afc_words(struct buf *to, uint64_t a, uint64_t b)
{
	put64(to, a);
	put64(to, b);
}

static void test_afc_files(void **state)
{
	struct bed *b = BED("mode=normal");
	struct peer h;
	BUF_AUTO body = {};
	uint64_t handle;

	peer_open(&h, b, afc_open);
	handle = afc_opened(&h, 3, "/Downloads/new.bin");
	assert_int_not_equal(handle, 0);
	put64(&body, handle);
	buf_add(&body, "hello world", 11);
	assert_int_equal(afc_status(&h, 0x10, body.bytes, body.len), 0);
	buf_clear(&body);
	put64(&body, handle);
	assert_int_equal(afc_ask(&h, 0x12, body.bytes, 8), 0x13);
	assert_int_equal(get64(h.got.bytes), 11);
	assert_int_equal(afc_status(&h, 0x14, body.bytes, 8), 0);
	assert_int_equal(afc_status(&h, 0x14, body.bytes, 8), 7); /* twice */
	handle = afc_opened(&h, 1, "Downloads/new.bin");
	buf_clear(&body);
	afc_words(&body, handle, 5);
	assert_int_equal(afc_ask(&h, 0x0f, body.bytes, 16), 2);
	assert_memory_equal(h.got.bytes, "hello", 5);
	afc_words(&body, 1, (uint64_t)-2); /* handle, 5 → whence 1, offset -2: reuse the words */
	put_le32(body.bytes + 8, 1);
	memset(body.bytes + 12, 0, 4);
	memset(body.bytes + 16, 0xff, 8);
	body.bytes[16] = 0xfe;
	assert_int_equal(afc_status(&h, 0x11, body.bytes, 24), 0);
	buf_clear(&body);
	afc_words(&body, handle, 100);
	assert_int_equal(afc_ask(&h, 0x0f, body.bytes, 16), 2);
	assert_int_equal(h.got.len, 8);
	assert_memory_equal(h.got.bytes, "lo world", 8);
	assert_int_equal(afc_ask(&h, 0x0f, body.bytes, 16), 2); /* the end is empty data */
	assert_int_equal(h.got.len, 0);
	assert_int_equal(afc_opened(&h, 1, "nothing"), 0);
	assert_int_equal(get64(h.got.bytes), 8);
	assert_int_equal(afc_opened(&h, 1, "DCIM"), 0);
	assert_int_equal(get64(h.got.bytes), 9);
	peer_done(&h); /* with a file open */
	bed_free(b);
}

static void test_afc_paths(void **state)
{
	struct bed *b = BED("mode=normal");
	struct peer h;

	peer_open(&h, b, afc_open);
	assert_int_equal(afc_ask(&h, 0x03, "/DCIM", 6), 2);
	assert_int_equal(h.got.len, 23);
	assert_memory_equal(h.got.bytes, ".\0..\000100APPLE\000101APPLE", 23);
	assert_int_equal(afc_status(&h, 0x03, "/Downloads/empty.txt", 21), 4);
	assert_int_equal(afc_status(&h, 0x03, "/none", 6), 8);
	assert_int_equal(afc_status(&h, 0x08, "DCIM", 5), 1);
	assert_int_equal(afc_status(&h, 0x09, "x/y/z", 6), 0);
	assert_int_equal(afc_status(&h, 0x09, "x/y/z", 6), 0);
	assert_int_equal(afc_status(&h, 0x18, "x/y\0w", 6), 0);
	assert_non_null(files_find(&b->phone.files, "w/z"));
	assert_int_equal(afc_status(&h, 0x22, "w", 2), 0);
	assert_null(files_find(&b->phone.files, "w"));
	assert_int_equal(afc_ask(&h, 0x0a, "Downloads/empty.txt", 20), 2);
	assert_memory_equal(h.got.bytes, "st_size\0000\0", 10);
	assert_int_equal(h.got.bytes[h.got.len - 1], 0);
	assert_int_equal(afc_ask(&h, 0x0b, nullptr, 0), 2);
	assert_memory_equal(h.got.bytes, "Model\0iPhone14,5", 17);
	assert_int_equal(afc_status(&h, 0x77, nullptr, 0), 6);
	assert_int_equal(afc_status(&h, 0x0f, "x", 1), 2);
	peer_done(&h);
	bed_free(b);
}

/* The whole answer beside bytes recorded from a real phone (tests/data/recorded). */
static void expect_recorded(struct peer *h, uint64_t operation, const char *path, const char *file)
{
	uint8_t recorded[512];
	FILE *in = fopen(file, "re");
	size_t len;
	BUF_AUTO packet = {};

	assert_non_null(in);
	len = fread(recorded, 1, sizeof(recorded), in);
	fclose(in);
	buf_clear(&h->got);
	buf_add(&packet, "CFA6LPAA", 8);
	put64(&packet, 40 + strlen(path) + 1);
	put64(&packet, 40 + strlen(path) + 1);
	put64(&packet, 0); /* the recorded one's number */
	put64(&packet, operation);
	buf_add(&packet, path, strlen(path) + 1);
	h->service->class->feed(h->service, packet.bytes, packet.len);
	assert_int_equal(h->got.len, len);
	assert_memory_equal(h->got.bytes, recorded, len);
}

static void test_afc_recorded(void **state)
{
	static const char *const folders[] = { "AirFair", "MediaAnalysis", "Photos", "Radio" };
	static const char *const gone[] = { "Purchases" };
	struct bed *b = BED("mode=normal");
	struct peer h;
	struct file *folder;

	peer_open(&h, b, afc_open);
	expect_recorded(&h, 0x09, "/AirFair", SIMPHONE_RECORDED "/afcsuccessresponse.bin");
	for (size_t i = 1; i < sizeof(folders) / sizeof(folders[0]); i++)
		assert_int_equal(files_make(&b->phone.files, folders[i], FILE_FOLDER, nullptr), 0);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		assert_int_equal(files_remove(&b->phone.files, gone[i], true), 0);
	expect_recorded(&h, 0x03, "/", SIMPHONE_RECORDED "/afclistdirresponse.bin");
	folder = files_find(&b->phone.files, "AirFair");
	folder->born_ns = folder->changed_ns = 1494244521000000000;
	expect_recorded(&h, 0x0a, "AirFair", SIMPHONE_RECORDED "/afcfileinforesponse.bin");
	peer_done(&h);
	bed_free(b);
}

static void test_afc_garbage(void **state)
{
	static const uint8_t garbage[64] = "GET / HTTP/1.1\r\n";
	struct bed *b = BED("mode=normal");
	struct peer h;

	peer_open(&h, b, afc_open);
	h.service->class->feed(h.service, garbage, sizeof(garbage));
	assert_true(h.closed);
	assert_int_equal(h.got.len, 0);
	h.service->class->feed(h.service, garbage, sizeof(garbage));
	peer_done(&h);
	bed_free(b);
}

/* A damaged file gives its first half and then an I/O error; nobody gets more than there is room.
 */
static void test_afc_damage(void **state)
{
	struct bed *b = BED("mode=normal", "afc_unreadable=PhotoData/Photos.sqlite");
	struct peer h;
	BUF_AUTO body = {};

	peer_open(&h, b, afc_open);
	afc_words(&body, afc_opened(&h, 1, "/PhotoData/Photos.sqlite"), 1 << 20);
	assert_int_equal(afc_ask(&h, 0x0f, body.bytes, 16), 2);
	assert_int_equal(h.got.len,
			 file_bytes(files_find(&b->phone.files, "PhotoData/Photos.sqlite")) / 2);
	assert_int_equal(afc_status(&h, 0x0f, body.bytes, 16), 20);
	peer_done(&h);
	bed_free(b);
}

/* ---- property lists ---- */

/* Asks and returns the answer; the caller frees it. */
static plist_t plist_ask(struct peer *h, plist_t request)
{
	plist_t reply = nullptr;
	char *xml = nullptr;
	uint32_t len = 0;
	uint8_t prefix[4];

	buf_clear(&h->got);
	plist_to_xml(request, &xml, &len);
	plist_free(request);
	put_be32(prefix, len);
	h->service->class->feed(h->service, prefix, 4);
	h->service->class->feed(h->service, (const uint8_t *)xml, len);
	plist_mem_free(xml);
	assert_true(h->got.len > 4);
	plist_from_memory((const char *)h->got.bytes + 4, (uint32_t)h->got.len - 4, &reply,
			  nullptr);
	assert_non_null(reply);
	return reply;
}

static plist_t request_new(const char *name, const char *key, const char *value)
{
	plist_t request = plist_new_dict();

	plist_dict_set_item(request, "Request", plist_new_string(name));
	if (key)
		plist_dict_set_item(request, key, plist_new_string(value));
	return request;
}

static void expect_status(struct peer *h, plist_t request, const char *status)
{
	plist_t reply = plist_ask(h, request);

	assert_string_equal(plist_text(reply, "Status"), status);
	plist_free(reply);
}

static void test_diagnostics(void **state)
{
	struct bed *b = BED("mode=normal", "battery_percent=17", "version=17.3");
	struct peer h;
	plist_t reply, battery;
	uint64_t percent = 0;

	peer_open(&h, b, diagnostics_relay_open);
	reply = plist_ask(&h, request_new("IORegistry", "EntryClass", "AppleSmartBattery"));
	battery = plist_access_path(reply, 2, "Diagnostics", "IORegistry");
	assert_non_null(battery);
	plist_get_uint_val(plist_dict_get_item(battery, "CurrentCapacity"), &percent);
	assert_int_equal(percent, 17);
	plist_free(reply);
	reply = plist_ask(&h, request_new("All", nullptr, nullptr));
	assert_non_null(plist_access_path(reply, 3, "Diagnostics", "GasGauge", "CycleCount"));
	plist_free(reply);
	expect_status(&h, request_new("IORegistry", "EntryClass", "Nonsense"), "Failure");
	expect_status(&h, request_new("MobileGestalt", nullptr, nullptr), "Success");
	expect_status(&h, request_new("Dance", nullptr, nullptr), "UnknownRequest");
	expect_status(&h, request_new("Goodbye", nullptr, nullptr), "Success");
	assert_true(h.closed);
	peer_done(&h);
	bed_free(b);
}

static void test_restart_and_off(void **state)
{
	struct bed *b = BED("mode=normal");
	struct peer h;

	peer_open(&h, b, diagnostics_relay_open);
	expect_status(&h, request_new("Restart", nullptr, nullptr), "Success");
	peer_done(&h);
	bed_wait(b, 20000);
	assert_int_equal(b->phone.boots, 2);
	assert_int_equal(b->attaches, 1);
	peer_open(&h, b, diagnostics_relay_open);
	expect_status(&h, request_new("Shutdown", nullptr, nullptr), "Success");
	peer_done(&h);
	bed_wait(b, 60000);
	assert_int_equal(b->phone.power, POWER_OFF);
	assert_null(b->phone.usb.shape);
	phone_unplug(&b->phone);
	phone_plug(&b->phone); /* the charger starts it */
	bed_wait(b, 20000);
	assert_int_equal(b->phone.power, POWER_RUNNING);
	assert_int_equal(b->attaches, 2);
	bed_free(b);
}

static void test_heartbeat(void **state)
{
	struct bed *b = BED("mode=normal");
	struct peer h;
	plist_t polo = plist_new_dict();

	peer_open(&h, b, heartbeat_open);
	bed_wait(b, 0);
	assert_memory_equal(h.got.bytes + 4, "bplist00", 8);
	plist_dict_set_item(polo, "Command", plist_new_string("Polo"));
	{
		char *bin = nullptr;
		uint32_t len = 0;
		uint8_t prefix[4];

		plist_to_bin(polo, &bin, &len);
		put_be32(prefix, len);
		h.service->class->feed(h.service, prefix, 4);
		h.service->class->feed(h.service, (const uint8_t *)bin, len);
		plist_mem_free(bin);
		plist_free(polo);
	}
	bed_wait(b, HEARTBEAT_SECONDS * 1000);
	assert_false(h.closed);
	bed_wait(b, HEARTBEAT_SECONDS * 1000 * 3);
	assert_true(h.closed); /* nobody said Polo */
	peer_done(&h);
	bed_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_tree_ceilings),
		cmocka_unit_test(test_removed_while_open),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_digest),
		cmocka_unit_test(test_afc_files),
		cmocka_unit_test(test_afc_paths),
		cmocka_unit_test(test_afc_recorded),
		cmocka_unit_test(test_afc_garbage),
		cmocka_unit_test(test_afc_damage),
		cmocka_unit_test(test_diagnostics),
		cmocka_unit_test(test_restart_and_off),
		cmocka_unit_test(test_heartbeat),
	};

	return cmocka_run_group_tests(tests, nullptr, nullptr);
}
