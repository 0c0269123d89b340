/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A restore: restored, asr and the reverse proxy with a host that answers what it is asked,
 * rightly, wrongly, or with what it was not asked; the input may also jump to a later step, so that
 * all requests are reached. Images come from a small IPSW, with a ticket for this phone.
 */
#include "bed.h"

#include "forge.h"
#include "lent_firmware.h"
#include "lines.h"
#include "restore/restored.h"
#include "words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { IMAGES = 64, IMAGE_MAX = 4 << 20 };

static const char *const settings[] = {
	"seed=1",
	"ramdisk=update",
	"ramdisk=none",
	"restore_steps=minimum",
	"restore_status=9:none",
	"restore_after_status=stay",
	"restore_after_status=progress",
	"fail_at=update_ticket:-5",
	"restored_crash=yes",
	"required_types=Dance,Sing",
	"asr_silent=yes",
	"fdr=refuse",
	"fdr=none",
	"fdr_host=example.test:443",
	"fdr_host=nonsense",
	"url_asset=http://example.test/key",
	"baseband=refuse",
	"fault=restored sent message 9 cut",
	"fault=restored sent data garbage",
	"fault=asr sent message 2 cut",
	"fault=asr got data delay:100",
	"fault=fdr sent message 1 drop",
	"fault=restored got message 2 drop",
	"fault=data got data delay:40",
	"fault=restored sent DataRequestMsg/RootTicket reset",
};

/* ---- what the host has ---- */

/* The components of the IPSW that are images, as a host personalizes them. */
struct image {
	char component[64];
	char type[5];
	struct buf im4p;
};

static struct host_files {
	struct image images[IMAGES];
	unsigned count;
	struct buf os;
	struct buf ticket;
	EVP_PKEY *key;
} files;

static bool member_load(zip_t *zip, plist_t entry, struct buf *to)
{
	plist_t path = plist_access_path(entry, 2, "Info", "Path");
	const char *name = path ? plist_get_string_ptr(path, nullptr) : nullptr;
	zip_file_t *file = name ? zip_fopen(zip, name, 0) : nullptr;
	uint8_t bytes[65536];
	zip_int64_t got;

	while (file && (got = zip_fread(file, bytes, sizeof(bytes))) > 0 && to->len < IMAGE_MAX)
		buf_add(to, bytes, (size_t)got);
	if (file)
		zip_fclose(file);
	return to->len > 0 && to->len < IMAGE_MAX;
}

static void image_load(zip_t *zip, const char *component, plist_t entry)
{
	static const uint8_t mark[] = { 0x16, 4, 'I', 'M', '4', 'P', 0x16, 4 };
	plist_t type = plist_access_path(entry, 2, "Info", "Img4PayloadType");
	struct image *image = &files.images[files.count];
	uint8_t *at;

	buf_clear(&image->im4p);
	if (files.count + 1 == IMAGES || !member_load(zip, entry, &image->im4p))
		return;
	at = memmem(image->im4p.bytes, 32, mark, sizeof(mark));
	if (!at)
		return;
	at += sizeof(mark);
	if (type)
		memcpy(at, plist_get_string_ptr(type, nullptr), 4);
	memcpy(image->type, at, 4);
	snprintf(image->component, sizeof(image->component), "%s", component);
	for (unsigned i = 0; i < files.count; i++) /* one digest for a type */
		if (!strcmp(files.images[i].type, image->type))
			return;
	files.count++;
}

static void files_load(void)
{
	zip_t *zip = zip_open(FUZZ_IPSW, ZIP_RDONLY, nullptr);
	FILE *key = fopen(FUZZ_TICKET_KEY, "re");
	struct bed *b = BED("mode=recovery");
	plist_dict_iter iter = nullptr;
	plist_t manifest, entry;
	char *name;

	assert_non_null(zip);
	assert_non_null(key);
	files.key = PEM_read_PrivateKey(key, nullptr, nullptr, nullptr);
	assert_non_null(files.key);
	fclose(key);
	firmware_lend(&b->phone, FUZZ_IPSW);
	manifest =
	    plist_dict_get_item(firmware_identity(b->phone.firmware, INSTALL_ERASE), "Manifest");
	plist_dict_new_iter(manifest, &iter);
	for (;;) {
		name = nullptr;
		plist_dict_next_item(manifest, iter, &name, &entry);
		if (!name)
			break;
		if (!strcmp(name, "OS"))
			member_load(zip, entry, &files.os);
		else
			image_load(zip, name, entry);
		plist_mem_free(name);
	}
	plist_mem_free(iter);
	firmware_take_back(&b->phone);
	bed_free(b);
	zip_discard(zip);
}

static int image_compare(const void *a, const void *b)
{
	return strcmp(((const struct image *)a)->type, ((const struct image *)b)->type);
}

/* The phone's nonces are fixed: one ticket does for all inputs. */
static void ticket_make(const struct identity *id)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	BUF_AUTO manp = {};
	BUF_AUTO objects = {};
	BUF_AUTO manb = {};
	BUF_AUTO set = {};
	BUF_AUTO signature = {};
	BUF_AUTO inner = {};
	unsigned len;

	qsort(files.images, files.count, sizeof(files.images[0]), image_compare);
	forge_manp(&manp, id, FORGE_GOOD);
	forge_member_set(&objects, "MANP", &manp);
	for (unsigned i = 0; i < files.count; i++) {
		const struct image *image = &files.images[i];
		BUF_AUTO members = {};

		EVP_Digest(image->im4p.bytes, image->im4p.len, digest, &len, EVP_sha384(), nullptr);
		forge_member_octets(&members, "DGST", digest, len);
		forge_member_set(&objects, image->type, &members);
	}
	forge_member_set(&manb, "MANB", &objects);
	forge_tlv(&set, 0x31, manb.bytes, manb.len);
	forge_sign(files.key, &set, &signature);
	forge_text(&inner, "IM4M");
	forge_number(&inner, 0);
	buf_add(&inner, set.bytes, set.len);
	forge_tlv(&inner, 0x04, signature.bytes, signature.len);
	forge_tlv(&inner, 0x30, "", 0);
	forge_tlv(&files.ticket, 0x30, inner.bytes, inner.len);
}

static void add_image(const char *component, uint8_t otherwise, struct buf *to)
{
	const struct image *image = &files.images[otherwise % files.count];
	BUF_AUTO inner = {};

	for (unsigned i = 0; i < files.count && component; i++)
		if (!strcmp(files.images[i].component, component))
			image = &files.images[i];
	forge_text(&inner, "IMG4");
	buf_add(&inner, image->im4p.bytes, image->im4p.len);
	forge_tlv(&inner, 0xa0, files.ticket.bytes, files.ticket.len);
	forge_tlv(to, 0x30, inner.bytes, inner.len);
}

/* ---- connections ---- */

static struct run *run_of(struct party *p)
{
	return &p->bed->phone.restored->run;
}

static void line_open(struct party *p, struct line *l, uint8_t kind)
{
	struct ports *ports = &p->bed->phone.ports;
	struct run *run = run_of(p);
	uint16_t port = 62078;

	line_free(l);
	if (!p->bed->phone.usb.shape || ports->count == 0)
		return;
	if (kind % 8 == 1)
		port = FDR_PORT;
	else if (kind % 8 == 2)
		port = run->fdr.conn_port;
	else if (kind % 8 == 3 || kind % 8 == 4)
		port = run->request.run && run->request.port ? run->request.port : ASR_PORT;
	else if (kind % 8 > 4)
		port = ports->listeners[kind / 8 % ports->count].port;
	line_connect(p, l, port);
}

static void list_say(struct party *p, struct line *l, plist_t list)
{
	char *xml = nullptr;
	uint32_t len = 0;
	BUF_AUTO message = {};

	plist_to_bin(list, &xml, &len);
	plist_free(list);
	add_framed(&message, &(struct buf){ .bytes = (uint8_t *)xml, .len = len }, false);
	plist_mem_free(xml);
	line_say(p, l, message.bytes, message.len);
}

/* ---- what is said ---- */

static void start_say(struct party *p, struct line *l)
{
	static const char *const types[] = { "SystemImageData",
					     "RootTicket",
					     "NORData",
					     "KernelCache",
					     "SystemImageRootHash",
					     "SystemImageCanonicalMetadata",
					     "FirmwareUpdaterPreflight",
					     "SourceBootObjectV4",
					     "MessageUseStreamedImageFile",
					     "URLAsset" };
	plist_t request = plist_new_dict(), options = plist_new_dict(), known = plist_new_dict();

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		plist_dict_set_item(known, types[i], plist_new_bool(0));
	plist_dict_set_item(options, "SupportedDataTypes", known);
	plist_dict_set_item(request, "Request", plist_new_string("StartRestore"));
	plist_dict_set_item(request, "RestoreOptions", options);
	list_say(p, l, request);
}

static plist_t data_new(const struct buf *bytes)
{
	return plist_new_data((const char *)bytes->bytes, bytes->len);
}

static plist_t image_new(const char *component, uint8_t otherwise)
{
	BUF_AUTO image = {};

	add_image(component, otherwise, &image);
	return data_new(&image);
}

static plist_t nor_new(plist_t identity, bool broken)
{
	plist_t answer = plist_new_dict(), images = plist_new_dict();

	plist_dict_set_item(answer, "LlbImageData", image_new("LLB", 0));
	for (unsigned i = broken; i < files.count; i++) {
		plist_t entry =
		    plist_access_path(identity, 2, "Manifest", files.images[i].component);

		if (entry &&
		    (manifest_flag(entry, "IsFirmwarePayload") ||
		     manifest_flag(entry, "IsLoadedByiBoot")) &&
		    strcmp(files.images[i].component, "LLB") != 0)
			plist_dict_set_item(images, files.images[i].component,
					    image_new(files.images[i].component, 0));
	}
	plist_dict_set_item(answer, "NorImageData", images);
	plist_dict_set_item(answer, "RestoreSEPImageData", image_new("RestoreSEP", 0));
	plist_dict_set_item(answer, "SEPImageData", image_new("SEP", 0));
	return answer;
}

/* The names that hosts would send for a list request: flagged components. */
static plist_t names_new(plist_t identity, const char *flag)
{
	plist_t names = plist_new_array();

	for (unsigned i = 0; i < files.count; i++) {
		plist_t entry =
		    plist_access_path(identity, 2, "Manifest", files.images[i].component);

		if (entry && flag && manifest_flag(entry, flag))
			plist_array_append_item(names, plist_new_string(files.images[i].component));
	}
	return names;
}

static void answer_pieces(plist_t answer, struct input *in)
{
	const uint8_t *bytes;
	size_t len = take(in, &bytes, take8(in));

	if (len > 0)
		plist_dict_set_item(answer, "FileData", plist_new_data((const char *)bytes, len));
	else
		plist_dict_set_item(answer, "FileDataDone", plist_new_bool(1));
}

/* The answer to the request under way, as good as it is known here. */
static plist_t answer_new(const struct request *q, struct input *in)
{
	plist_t identity = q->run->choice.identity, answer = plist_new_dict();
	const char *type = q->kind->data_type, *name = nullptr;
	uint8_t flavour = take8(in);

	if (!strcmp(type, "RootTicket")) {
		plist_dict_set_item(answer, "RootTicketData", data_new(&files.ticket));
	} else if (!strcmp(type, "NORData")) {
		plist_free(answer);
		answer = nor_new(identity, flavour >= 0xe0);
	} else if (!strcmp(type, "BuildIdentityDict")) {
		plist_dict_set_item(answer, type, plist_copy(identity));
	} else if (!strcmp(type, "ReceiptManifest")) {
		plist_dict_set_item(answer, type,
				    plist_copy(plist_dict_get_item(identity, "Manifest")));
	} else if (!strcmp(type, "SourceBootObjectV4") ||
		   !strcmp(type, "PersonalizedBootObjectV3")) {
		answer_pieces(answer, in);
	} else if (!strcmp(type, "URLAsset")) {
		plist_dict_set_item(answer, "ResponseStatus", plist_new_uint(200));
		plist_dict_set_item(answer, "ResponseBody", data_new(&files.ticket));
	} else if (q->kind->key && !q->names && q->step->about &&
		   !strncmp(q->step->about, "Is", 2)) {
		plist_dict_set_item(answer,
				    !strcmp(type, "FUDData")   ? "FUDImageList"
				    : !strcmp(type, "EANData") ? "EANImageList"
							       : "ImageList",
				    names_new(identity, q->step->about));
	} else if (q->kind->key) {
		if (q->names)
			name =
			    plist_get_string_ptr(plist_array_get_item(q->names, q->name), nullptr);
		if (name)
			plist_dict_set_item(answer, "ImageName", plist_new_string(name));
		plist_dict_set_item(answer, q->kind->key, image_new(name ? name : type, flavour));
	}
	return answer;
}

/* The answer, with an entry of the input's choice over it. */
static void answer_say(struct party *p, struct line *l, struct input *in, bool spoilt)
{
	struct request *q = &run_of(p)->request;
	plist_t answer, more, parsed = nullptr;
	BUF_AUTO list = {};

	if (!q->run || !q->run->choice.identity)
		return;
	answer = answer_new(q, in);
	if (spoilt) {
		add_list(in, &list, nullptr);
		plist_from_memory((const char *)list.bytes, (uint32_t)list.len, &parsed, nullptr);
		more = parsed ? plist_washed(parsed) : plist_new_dict();
		plist_dict_merge(&answer, more);
		plist_free(more);
		plist_free(parsed);
	}
	list_say(p, l, answer);
}

/* What asr wants next. */
static void asr_say(struct party *p, struct line *l, uint8_t flavour)
{
	const struct request *q = &run_of(p)->request;
	const struct asr *a = &q->asr;
	uint8_t sha1[20];
	BUF_AUTO out = {};

	if (!q->run || a->state == ASR_CLOSED || a->state == ASR_DONE)
		return;
	if (a->state == ASR_INITIATE) {
		buf_addf(&out,
			 "<plist><dict><key>Checksum Chunk Size</key><integer>131072</integer>"
			 "<key>Payload</key><dict><key>Size</key><integer>%zu</integer></dict>"
			 "</dict></plist>",
			 files.os.len - (flavour >= 0xf0));
	} else if (a->state == ASR_OOB) {
		buf_add(&out, files.os.bytes + a->pieces[a->piece].offset, a->pieces[a->piece].len);
	} else {
		size_t left = files.os.len - a->got;
		size_t len = left < ASR_CHUNK_BYTES ? left : ASR_CHUNK_BYTES;

		EVP_Digest(files.os.bytes + a->got, len, sha1, nullptr, EVP_sha1(), nullptr);
		buf_add(&out, files.os.bytes + a->got, len);
		buf_add(&out, sha1, sizeof(sha1));
	}
	if (flavour >= 0xe0)
		out.bytes[flavour % out.len] ^= 1;
	line_say(p, l, out.bytes, out.len);
}

/* What the reverse proxy's ends say. */
static void fdr_say(struct party *p, struct line *l, struct input *in)
{
	const struct fdr *f = &run_of(p)->fdr;
	static const char list[] = "<plist><dict><key>Pong</key><true/></dict></plist>";
	uint8_t kind = take8(in), length[4];
	const uint8_t *bytes;
	BUF_AUTO out = {};
	size_t len;

	put_le32(length, (uint32_t)sizeof(list) - 1);
	switch (kind % 6) {
	case 0:
		buf_add(&out, "BeginCtrl", 10);
		buf_add(&out, length, 4);
		buf_add_text(&out, list);
		break;
	case 1:
		buf_add(&out, "HelloCtrl", 10);
		break;
	case 2:
		buf_add(&out, "HelloConn", 10);
		break;
	case 3:
		if (kind & 0x80)
			put_le32(length, take32(in));
		buf_add(&out, length, 4);
		buf_add_text(&out, list);
		break;
	case 4:
		buf_add(&out, f->asked.bytes, f->asked.len);
		break;
	case 5:
		len = take(in, &bytes, take8(in));
		buf_addf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", take32(in) >> 8);
		buf_add(&out, bytes, len);
		break;
	}
	line_say(p, l, out.bytes, out.len);
}

/* A later step is next; only steps that belong to this restore. */
static void jump(struct party *p, uint8_t to)
{
	struct run *run = run_of(p);
	const struct step *steps;
	unsigned count;

	steps = steps_all(&count);
	to = (uint8_t)(to % count);
	if (run->state == RUN_PACING && step_applies(&steps[to], &run->choice))
		run->at = to;
}

static void act(struct party *p, struct input *in)
{
	uint8_t what = take8(in);
	struct line *l = &p->lines[what >> 5];
	const uint8_t *bytes;
	BUF_AUTO out = {};
	size_t len;

	switch (what % 14) {
	case 0:
		line_open(p, l, take8(in));
		return;
	case 1:
		start_say(p, l);
		return;
	case 2:
	case 3:
	case 4:
		answer_say(p, l, in, what % 14 == 4);
		return;
	case 5:
		add_request(in, &out);
		line_say(p, l, out.bytes, out.len);
		return;
	case 6:
		len = take(in, &bytes, take8(in));
		buf_add(&out, bytes, len);
		line_say(p, l, out.bytes, out.len);
		return;
	case 7:
	case 8:
		bed_wait(p->bed, take8(in) * 64u);
		lines_reap(p);
		return;
	case 9:
		jump(p, take8(in));
		return;
	case 10:
		line_free(l);
		return;
	case 11:
		fdr_say(p, l, in);
		return;
	case 12:
		asr_say(p, l, take8(in));
		return;
	case 13:
		add_list(in, &out, nullptr);
		line_say(p, l, out.bytes, out.len);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, data + size };
	uint8_t choice = take8(&in);
	struct party p = {};

	if (!files.key)
		files_load();
	p.bed = BED("mode=restore", "ramdisk=erase", "nonce=fixed", "gap_ms=100", "boot_ms=200",
		    choice & 0x80 ? "version=26.0" : "seed=1",
		    settings[choice % (sizeof(settings) / sizeof(settings[0]))]);
	if (!files.ticket.len)
		ticket_make(&p.bed->phone.identity);
	firmware_lend(&p.bed->phone, FUZZ_IPSW);
	line_open(&p, &p.lines[0], 0);
	if (take8(&in) < 0xc0)
		start_say(&p, &p.lines[0]);
	while (in.at < in.end)
		act(&p, &in);
	bed_wait(p.bed, 400000);
	lines_reap(&p);
	lines_free(&p);
	firmware_take_back(&p.bed->phone);
	bed_free(p.bed);
	return 0;
}
