/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mobilebackup2 before a host that has lost its mind: it shakes hands or does not, answers what it
 * was not asked, and gives back manifests and files that are right, changed, cut or missing.
 */
#include "bed.h"

#include "input.h"
#include "services/backup_set.h"
#include "services/devicelink.h"
#include "services/mobilebackup2.h"
#include "text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ASKED_MAX = 64, WAIT_MS = 700 };

static const char *const settings[] = {
	"seed=1",
	"seed=1",
	"passcode=yes",
	"backup_skips_space=yes",
	"backup=nothing",
	"backup=no_final_status",
	"backup=no_folders",
	"backup=dotdot",
	"backup=cancel",
	"backup=disconnect",
	"find_my=yes",
	"afc_unreadable=DCIM/100APPLE/IMG_0001.HEIC",
	"disk_bytes=100",
	"fault=mobilebackup2 got message 3 delay:50",
	"fault=mobilebackup2 sent file 2 cut",
	"fault=mobilebackup2 sent file 2 garbage",
	"fault=mobilebackup2 got file 2 drop",
	"fault=mobilebackup2 got byte 300 delay:50",
	"fault=mobilebackup2 got byte 900 stall",
};

struct fool {
	struct bed *bed;
	struct service *service;
	struct buf heard;
	bool closed;
	unsigned asked;
	char *paths[ASKED_MAX]; /* of the last DLMessageDownloadFiles; owned */
	struct backup_set set;
	struct buf lists[3]; /* good ones */
};

static const char *const list_names[] = { "Status.plist", "Manifest.plist", "Manifest.db" };

/* ---- what the phone says ---- */

static void asked_drop(struct fool *f)
{
	while (f->asked > 0)
		free(f->paths[--f->asked]);
}

static void question_note(struct fool *f, plist_t list)
{
	plist_t name = plist_array_get_item(list, 0), paths = plist_array_get_item(list, 1);

	if (!name || plist_get_node_type(name) != PLIST_STRING ||
	    strcmp(plist_get_string_ptr(name, nullptr), "DLMessageDownloadFiles") != 0)
		return;
	asked_drop(f);
	for (uint32_t i = 0; i < plist_array_get_size(paths) && i < ASKED_MAX; i++)
		f->paths[f->asked++] =
		    strdup(plist_get_string_ptr(plist_array_get_item(paths, i), nullptr));
}

static void fool_hear(void *user, const void *bytes, size_t len)
{
	struct fool *f = user;

	buf_add(&f->heard, bytes, len);
	while (f->heard.len >= 4 && f->heard.len >= 4 + (size_t)get_be32(f->heard.bytes)) {
		uint32_t frame = get_be32(f->heard.bytes);
		plist_t list = nullptr;

		if (frame > 8 && !memcmp(f->heard.bytes + 4, "bplist00", 8))
			plist_from_memory((const char *)f->heard.bytes + 4, frame, &list, nullptr);
		if (list && plist_get_node_type(list) == PLIST_ARRAY)
			question_note(f, list);
		plist_free(list);
		buf_drop(&f->heard, 4 + (size_t)frame);
	}
}

static void fool_end(void *user)
{
	((struct fool *)user)->closed = true;
}

/* ---- what the host says ---- */

static void say(struct fool *f, const void *bytes, size_t len)
{
	if (f->service && !f->closed && len > 0 && ports_taking(f->service))
		f->service->class->feed(f->service, bytes, len);
}

static void frame_say(struct fool *f, const void *bytes, size_t len)
{
	uint8_t prefix[4];

	put_be32(prefix, (uint32_t)len);
	say(f, prefix, sizeof(prefix));
	say(f, bytes, len);
}

static void list_say(struct fool *f, plist_t list)
{
	char *bytes = nullptr;
	uint32_t len = 0;

	plist_to_bin(list, &bytes, &len);
	plist_free(list);
	frame_say(f, bytes, len);
	plist_mem_free(bytes);
}

static void request_say(struct fool *f, struct input *in)
{
	static const char *const names[] = {
		"Hello",          "Backup", "Restore",           "Backup",     "Restore",
		"ChangePassword", "Info",   "EnableCloudBackup", "EraseDevice"
	};
	static const char *const ids[] = { "U", "U", "U", "U", "..", "", "a/b" };
	static const char *const passwords[] = { "one", "two", "" };
	plist_t list = devicelink_list("DLMessageProcessMessage"), message = plist_new_dict();
	plist_t options = plist_new_dict();
	uint8_t bits;
	const char *id;

	plist_dict_set_item(message, "MessageName",
			    plist_new_string(names[take8(in) % (sizeof(names) / sizeof(*names))]));
	id = ids[take8(in) % (sizeof(ids) / sizeof(*ids))];
	plist_dict_set_item(message, "TargetIdentifier", plist_new_string(id));
	plist_dict_set_item(message, "SourceIdentifier", plist_new_string(id));
	bits = take8(in);
	plist_dict_set_item(options, "ForceFullBackup", plist_new_bool(bits & 1));
	plist_dict_set_item(options, "RestoreShouldReboot", plist_new_bool(bits & 2));
	plist_dict_set_item(options, "Password", plist_new_string(passwords[bits >> 4 & 1]));
	plist_dict_set_item(message, "Options", options);
	if (bits & 4)
		plist_dict_set_item(message, "OldPassword",
				    plist_new_string(passwords[(bits >> 5) % 3]));
	if (bits & 8)
		plist_dict_set_item(message, "NewPassword", plist_new_string(passwords[bits >> 7]));
	plist_dict_set_item(message, "CloudBackupState", plist_new_bool(bits & 1));
	plist_array_append_item(list, message);
	list_say(f, list);
}

static void status_say(struct fool *f, uint8_t kind)
{
	static const int codes[] = { 0, 0, 0, 0, 0, -13, -6, -1 };
	plist_t list = devicelink_list("DLMessageStatusResponse"), entries;

	plist_array_append_item(list, plist_new_uint((uint64_t)(int64_t)codes[kind % 8]));
	plist_array_append_item(list, plist_new_string("___EmptyParameterString___"));
	switch (kind >> 3 & 3) {
	case 0:
		plist_array_append_item(list, plist_new_uint(1ull << 40));
		break;
	case 1:
		plist_array_append_item(list, plist_new_uint(kind));
		break;
	case 2:
		entries = plist_new_dict();
		plist_dict_set_item(entries, "14", plist_new_dict());
		plist_array_append_item(list, entries);
		break;
	default:
		break;
	}
	list_say(f, list);
}

/* What lies at @path in a good backup of this phone. */
static void content_of(struct fool *f, const char *path, struct buf *to)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(name, list_names[i]))
			buf_add(to, f->lists[i].bytes, f->lists[i].len);
	for (unsigned i = 0; i < f->set.count; i++) {
		const struct backup_entry *e = &f->set.entries[i];
		struct file *file;

		if (strcmp(e->id, name) != 0)
			continue;
		file = files_find(&f->bed->phone.files, backup_files_path(e->domain, e->path));
		if (file && file->kind == FILE_REGULAR)
			buf_add(to, file_content(file)->bytes, file_content(file)->len);
	}
}

/* A byte of the input for each file: right, changed at a place of the input's choice, cut, none. */
static void files_say(struct fool *f, struct input *in)
{
	uint8_t end = take8(in);

	for (unsigned i = 0; i < f->asked && !f->closed; i++) {
		uint8_t how = take8(in);
		BUF_AUTO block = {};

		frame_say(f, f->paths[i], strlen(f->paths[i]));
		buf_add(&block, "\x0c", 1);
		content_of(f, f->paths[i], &block);
		if (how >= 0xf8) {
			frame_say(f, "\x06none", 5);
			break;
		}
		for (unsigned n = how >= 0xc0 ? how & 15 : 0; n > 0 && block.len > 1; n--)
			block.bytes[1 + take32(in) % (block.len - 1)] = take8(in);
		frame_say(f, block.bytes, how >= 0xf0 ? 1 + take32(in) % block.len : block.len);
		frame_say(f, "\0", 1);
	}
	say(f, (const uint8_t[4]){}, 4);
	asked_drop(f);
	status_say(f, end);
}

static void act(struct fool *f, struct input *in)
{
	plist_t list;
	const uint8_t *bytes;
	const char *why;
	uint8_t what = take8(in);
	size_t len;

	switch (what % 10) {
	case 0:
		list = devicelink_list("DLMessageVersionExchange");
		plist_array_append_item(list, plist_new_string("DLVersionsOk"));
		list_say(f, list);
		return;
	case 1:
	case 2:
		request_say(f, in);
		return;
	case 3:
	case 4:
		status_say(f, take8(in));
		return;
	case 5:
	case 6:
		files_say(f, in);
		return;
	case 7:
		len = take(in, &bytes, take8(in));
		frame_say(f, bytes, len);
		return;
	case 8:
		len = take(in, &bytes, take8(in));
		say(f, bytes, len);
		return;
	case 9:
		mobilebackup2_type(&f->bed->phone, what & 0x80, &why);
		timers_run(&f->bed->timers, f->bed->timers.now_ms + WAIT_MS);
		return;
	}
}

/* A few small files: hashing a phone's worth of photos for each input teaches nothing. */
static void phone_tidy(struct phone *p)
{
	static const char *const large[] = { "DCIM", "PhotoData", "Recordings", "Books" };
	static const char *const small[] = { "DCIM/100APPLE/IMG_0001.HEIC", "Downloads/a", "b" };
	struct file *file;

	for (unsigned i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		files_remove(&p->files, large[i], true);
	files_make_parents(&p->files, "DCIM/100APPLE");
	for (unsigned i = 0; i < sizeof(small) / sizeof(small[0]); i++)
		if (files_make(&p->files, small[i], FILE_REGULAR, &file) == 0)
			files_write(&p->files, file, 0, small[i], strlen(small[i]));
}

static void fool_connect(struct fool *f)
{
	struct ports *ports = &f->bed->phone.ports;
	uint16_t port = ports_listen(ports, 0, "mobilebackup2", mobilebackup2_open, nullptr);

	f->service = ports_open(ports, port, &(struct stream){ fool_hear, fool_end, f, nullptr });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	const char *setting = settings[take8(&in) % (sizeof(settings) / sizeof(settings[0]))];
	struct fool f = { .bed = BED(setting, "gap_ms=100", "boot_ms=200", "version=17.0",
				     "clock_s=1750000000") };

	phone_tidy(&f.bed->phone);
	backup_set_make(&f.set, &f.bed->phone);
	backup_status(&f.bed->phone, "finished", true, &f.lists[0]);
	backup_manifest(&f.bed->phone, &f.lists[1]);
	backup_database(&f.set, &f.bed->phone, &f.lists[2]);
	fool_connect(&f);
	while (in.at < in.end) {
		act(&f, &in);
		/* a phone that restarts takes its connections with it */
		if ((f.closed || !f.bed->phone.usb.shape) && f.service) {
			f.service->class->free(f.service);
			f.service = nullptr;
			f.closed = false;
		}
		if (!f.service && f.bed->phone.usb.shape && f.bed->phone.mode == MODE_NORMAL)
			fool_connect(&f);
	}
	if (f.service)
		f.service->class->free(f.service);
	asked_drop(&f);
	buf_done(&f.heard);
	backup_set_done(&f.set);
	for (unsigned i = 0; i < 3; i++)
		buf_done(&f.lists[i]);
	bed_free(f.bed);
	return 0;
}
