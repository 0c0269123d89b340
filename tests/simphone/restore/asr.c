/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "restore/asr.h"

#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "restore/run.h"
#include "text.h"

enum {
	HEADER_BYTES = 64,
	TRAILER_BYTES = 512,
	TABLE_BYTES = 4096,
	TABLES = 3,
	CONNECT_PATIENCE_MS = 60000, /* hosts try for 20 s */
	DATA_PATIENCE_MS = 30000,
	PROGRESS_STEP = 5, /* percent */
};

struct asr_link {
	struct service service; /* first */
	struct asr *asr;        /* NULL: no longer wanted */
	bool closed;
};

/* ---- out ---- */

static void link_close(struct asr_link *l)
{
	if (l->closed)
		return;
	l->closed = true;
	l->service.stream.close(l->service.stream.user);
}

/* The verdict is in: nothing more is taken on this connection. */
static void asr_finish(struct asr *a, const char *why)
{
	struct asr_link *l = (struct asr_link *)a->link;
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	BUF_AUTO hex = {};

	EVP_DigestFinal_ex(a->hash, digest, &len);
	buf_add_hex(&hex, digest, len);
	EVLOG(&a->run->phone->log, "system-image", LOG_INT("bytes", a->got),
	      LOG_INT("size", a->size), LOG_TEXT("sha256", buf_text(&hex)),
	      LOG_TEXT("verdict", why ? "bad" : "good"), LOG_TEXT("why", why ? why : ""));
	a->state = ASR_DONE;
	timer_disarm(a->run->phone->timers, &a->patience);
	ports_unlisten(&a->run->phone->ports, a->port);
	/* a host that has sent all closes by itself */
	if (l && why)
		link_close(l);
	run_answered(a->run, why);
}

static void patience_over(void *user)
{
	struct asr *a = user;

	asr_finish(a, a->link ? "asr: the host stopped sending" : "asr: no host connected");
}

static void asr_wait(struct asr *a, uint64_t ms)
{
	timer_arm(a->run->phone->timers, &a->patience, ms, patience_over, a);
}

/* One whole property list in one piece: hosts read once. Frees @message. */
static void asr_send(struct asr *a, plist_t message)
{
	struct stream *stream = &a->link->stream;
	const char *name = plist_text(message, "Command");
	enum tap_verdict verdict = tap_message(stream->tap, FAULT_SENT, name);
	char *xml = nullptr;
	uint32_t len = 0;

	plist_sort(message);
	plist_to_xml(message, &xml, &len);
	plist_free(message);
	if (verdict == TAP_GARBAGE)
		fault_garbage(&a->run->phone->faults, xml, len);
	if (verdict != TAP_DROP)
		stream->send(stream->user, xml, verdict == TAP_CUT ? len / 2 : len);
	plist_mem_free(xml);
	if (verdict == TAP_CUT)
		link_close((struct asr_link *)a->link);
}

static plist_t command_new(const char *name)
{
	plist_t message = plist_new_dict();

	plist_dict_set_item(message, "Command", plist_new_string(name));
	return message;
}

static void initiate_send(struct asr *a)
{
	plist_t message = command_new("Initiate");

	plist_dict_set_item(message, "Checksum Chunks", plist_new_bool(1));
	asr_send(a, message);
}

/* Header, trailer, and tables in between as the seed has it. */
static void pieces_choose(struct asr *a)
{
	uint64_t random[TABLES];

	a->piece_count = 0;
	if (a->size < HEADER_BYTES + TRAILER_BYTES + TABLE_BYTES) {
		a->pieces[a->piece_count++] = (struct asr_piece){ .len = (uint32_t)a->size };
		return;
	}
	fault_garbage(&a->run->phone->faults, random, sizeof(random));
	a->pieces[a->piece_count++] = (struct asr_piece){ .len = HEADER_BYTES };
	a->pieces[a->piece_count++] =
	    (struct asr_piece){ .offset = a->size - TRAILER_BYTES, .len = TRAILER_BYTES };
	for (unsigned i = 0; i < TABLES; i++)
		a->pieces[a->piece_count++] =
		    (struct asr_piece){ .offset = random[i] % (a->size - TABLE_BYTES),
					.len = TABLE_BYTES };
}

/* The next out-of-band piece, or the image. */
static void next_send(struct asr *a)
{
	plist_t message;

	asr_wait(a, DATA_PATIENCE_MS);
	if (a->piece < a->piece_count) {
		message = command_new("OOBData");
		plist_dict_set_item(message, "OOB Length", plist_new_uint(a->pieces[a->piece].len));
		plist_dict_set_item(message, "OOB Offset",
				    plist_new_uint(a->pieces[a->piece].offset));
		a->state = ASR_OOB;
	} else {
		message = command_new("Payload");
		a->state = ASR_PAYLOAD;
	}
	asr_send(a, message);
}

/* ---- in ---- */

static const char *packet_info_check(struct asr *a, plist_t info)
{
	plist_t size = plist_access_path(info, 2, "Payload", "Size");
	plist_t chunk = plist_dict_get_item(info, "Checksum Chunk Size");
	uint64_t chunk_bytes = 0;

	if (!size || plist_get_node_type(size) != PLIST_INT)
		return "asr: the host does not tell the size of the image";
	plist_get_uint_val(size, &a->size);
	if (chunk && plist_get_node_type(chunk) == PLIST_INT)
		plist_get_uint_val(chunk, &chunk_bytes);
	if (chunk_bytes != ASR_CHUNK_BYTES)
		return "asr: the host does not give checksums for each chunk";
	if (a->size == 0)
		return "asr: the image is empty";
	if (!a->member)
		return "asr: the phone has no image to compare with";
	if (a->size != member_bytes(a->member))
		return "asr: the image is of another size than the one in the IPSW";
	return nullptr;
}

static const char *packet_info_take(struct asr *a)
{
	static const char end[] = "</plist>";
	const uint8_t *found = memmem(a->in.bytes, a->in.len, end, sizeof(end) - 1);
	plist_t info = nullptr;
	const char *why;
	size_t len;

	if (!found)
		return a->in.len > 65536 ? "asr: the host sends no packet info" : nullptr;
	len = (size_t)(found - a->in.bytes) + sizeof(end) - 1;
	if (len < a->in.len && a->in.bytes[len] == '\n')
		len++;
	plist_from_memory((const char *)a->in.bytes, (uint32_t)len, &info, nullptr);
	buf_drop(&a->in, len);
	tap_message(a->link->stream.tap, FAULT_GOT, "PacketInfo");
	why = info && plist_get_node_type(info) == PLIST_DICT
		  ? packet_info_check(a, info)
		  : "asr: the packet info is no property list";
	plist_free(info);
	if (why)
		return why;
	pieces_choose(a);
	a->piece = 0;
	next_send(a);
	return nullptr;
}

static void piece_take(struct asr *a)
{
	struct asr_piece *p = &a->pieces[a->piece];

	if (a->in.len < p->len)
		return;
	tap_message(a->link->stream.tap, FAULT_GOT, "OOB");
	p->bytes = malloc(p->len);
	if (!p->bytes)
		die("out of memory");
	memcpy(p->bytes, a->in.bytes, p->len);
	buf_drop(&a->in, p->len);
	a->piece++;
	next_send(a);
}

/* What was sent out of band must be what stands there in the image. */
static void pieces_compare(struct asr *a, const uint8_t *bytes, size_t len)
{
	for (unsigned i = 0; i < a->piece_count; i++) {
		struct asr_piece *p = &a->pieces[i];
		uint64_t from = p->offset > a->got ? p->offset : a->got;
		uint64_t to = p->offset + p->len < a->got + len ? p->offset + p->len : a->got + len;

		if (from < to)
			p->differs |= memcmp(p->bytes + (from - p->offset), bytes + (from - a->got),
					     to - from) != 0;
	}
}

static const char *chunk_judge(struct asr *a, const uint8_t *chunk, size_t len)
{
	uint8_t sha1[EVP_MAX_MD_SIZE];

	EVP_Digest(chunk, len, sha1, nullptr, EVP_sha1(), nullptr);
	if (memcmp(sha1, chunk + len, ASR_SHA1_BYTES) != 0)
		return "asr: the checksum of a chunk is wrong";
	if (!member_follow(a->member, chunk, len))
		return "asr: the image differs from the one in the IPSW";
	pieces_compare(a, chunk, len);
	EVP_DigestUpdate(a->hash, chunk, len);
	a->got += len;
	return nullptr;
}

static void progress_tell(struct asr *a)
{
	int percent = (int)(a->got * 100 / a->size);

	if (percent < a->percent + PROGRESS_STEP && percent < 100)
		return;
	a->percent = percent;
	run_progress(a->run, 13, percent);
}

/* NULL and state ASR_PAYLOAD: more is to come. */
static const char *payload_take(struct asr *a)
{
	size_t used = 0;
	const char *why = nullptr;

	if (!a->begun)
		tap_message(a->link->stream.tap, FAULT_GOT, "Payload");
	a->begun = true;
	while (!why && a->got < a->size) {
		uint64_t left = a->size - a->got;
		size_t len = left < ASR_CHUNK_BYTES ? (size_t)left : ASR_CHUNK_BYTES;

		if (a->in.len - used < len + ASR_SHA1_BYTES)
			break;
		why = chunk_judge(a, a->in.bytes + used, len);
		used += len + ASR_SHA1_BYTES;
	}
	buf_drop(&a->in, used);
	if (why)
		return why;
	asr_wait(a, DATA_PATIENCE_MS);
	if (used > 0)
		progress_tell(a);
	return a->got == a->size && a->in.len > 0 ? "asr: more than the image was sent" : nullptr;
}

static const char *whole_judge(const struct asr *a)
{
	for (unsigned i = 0; i < a->piece_count; i++)
		if (a->pieces[i].differs)
			return "asr: out-of-band data differs from the image";
	return member_whole(a->member) ? nullptr : "asr: the image is not whole";
}

static void link_feed(struct service *service, const uint8_t *bytes, size_t len)
{
	struct asr_link *l = (struct asr_link *)service;
	struct asr *a = l->asr;
	const char *why = nullptr;

	if (!a || l->closed || a->state == ASR_DONE)
		return;
	buf_add(&a->in, bytes, len);
	if (a->state == ASR_INITIATE)
		why = packet_info_take(a);
	else if (a->state == ASR_OOB)
		piece_take(a);
	else if (a->state == ASR_PAYLOAD)
		why = payload_take(a);
	if (why)
		asr_finish(a, why);
	else if (a->state == ASR_PAYLOAD && a->got == a->size)
		asr_finish(a, whole_judge(a));
}

static void link_free(struct service *service)
{
	struct asr_link *l = (struct asr_link *)service;
	struct asr *a = l->asr;

	if (a) {
		a->link = nullptr;
		if (a->state != ASR_DONE && a->state != ASR_CLOSED)
			asr_finish(a, "asr: the connection was closed before the end");
	}
	free(l);
}

static struct service *link_open(struct phone *phone, void *user, const struct stream *stream)
{
	static const struct service_class class = { link_feed, link_free };
	struct asr_link *l = calloc(1, sizeof(*l));
	struct asr *a = user;

	if (!l)
		die("out of memory");
	*l = (struct asr_link){ .service = { &class, *stream } };
	if (a->link) /* one at a time */
		return &l->service;
	l->asr = a;
	a->link = &l->service;
	a->state = ASR_INITIATE;
	asr_wait(a, DATA_PATIENCE_MS);
	if (!phone->scenario.restore.asr_silent)
		initiate_send(a);
	return &l->service;
}

/* ---- life ---- */

uint16_t asr_begin(struct asr *a, struct run *run, uint16_t port)
{
	struct phone *p = run->phone; /* without firmware no restore starts */

	*a = (struct asr){ .run = run, .hash = EVP_MD_CTX_new() };
	if (!a->hash)
		die("out of memory");
	EVP_DigestInit_ex(a->hash, EVP_sha256(), nullptr);
	a->member = firmware_member(p->firmware, run->choice.kind, "OS");
	a->port = ports_listen(&p->ports, port, "asr", link_open, a);
	asr_wait(a, CONNECT_PATIENCE_MS);
	return a->port;
}

void asr_end(struct asr *a)
{
	if (!a->run)
		return;
	a->state = ASR_DONE;
	if (a->link) {
		((struct asr_link *)a->link)->asr = nullptr;
		link_close((struct asr_link *)a->link);
	}
	timer_disarm(a->run->phone->timers, &a->patience);
	ports_unlisten(&a->run->phone->ports, a->port);
	for (unsigned i = 0; i < a->piece_count; i++)
		free(a->pieces[i].bytes);
	member_free(a->member);
	EVP_MD_CTX_free(a->hash);
	buf_done(&a->in);
	*a = (struct asr){};
}
