/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "identity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/*
 * Port DFU is spoken by the USB-C port controller, not by the phone's chip: it has its own chip id
 * and ECID, and the phone's ids travel in a wide BDID. What the controller calls itself was not
 * found; only the shift is known.
 */
enum { PORT_CPID = 0x0001 };
static const uint64_t port_ecid_mask = 0x0000ffff00000000;

/* splitmix64: the same numbers on every machine. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static void random_fill(uint64_t *state, uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)random_next(state);
}

/* 40 hex digits that depend on the phone alone; Apple's are a hash over numbers that nobody outside
 * knows. */
static void udid_long(const struct identity *id, char *to, size_t room)
{
	uint64_t state = id->ecid;
	uint8_t bytes[20];
	BUF_AUTO hex = {};

	random_fill(&state, bytes, sizeof(bytes));
	buf_add_hex(&hex, bytes, sizeof(bytes));
	text_copy(to, room, buf_text(&hex));
}

void identity_init(struct identity *id, const struct scenario *s)
{
	*id = (struct identity){ .model = s->model, .ecid = s->ecid + s->unit * 0x100000000 };
	id->random = s->seed ^ id->ecid;
	if (*s->serial)
		text_copy(id->serial, sizeof(id->serial), s->serial);
	else
		snprintf(id->serial, sizeof(id->serial), "S%011" PRIX64, id->ecid & 0xfffffffffff);
	if (*s->udid)
		text_copy(id->udid, sizeof(id->udid), s->udid);
	else if (model_has_short_udid(s->model) && !s->usb_knobs.serial_40hex)
		snprintf(id->udid, sizeof(id->udid), "%08X%016" PRIX64, s->model->cpid, id->ecid);
	else
		udid_long(id, id->udid, sizeof(id->udid));
	text_copy(id->imei, sizeof(id->imei), s->imei);
	text_copy(id->pwned, sizeof(id->pwned), s->pwned);
	id->nonce_bytes = s->nonce_bytes ? (unsigned)s->nonce_bytes : model_nonce_bytes(s->model);
	identity_boot(id, MODE_DFU, s->nonce == NONCE_ZERO ? NONCE_ZERO : NONCE_FRESH);
}

void identity_boot(struct identity *id, enum mode mode, enum nonce_rule rule)
{
	bool kept = id->nonces_kept && mode == MODE_RECOVERY;

	id->nonces_kept = false;
	if (rule == NONCE_FIXED || kept)
		return;
	random_fill(&id->random, id->ap_nonce, sizeof(id->ap_nonce));
	random_fill(&id->random, id->sep_nonce, sizeof(id->sep_nonce));
	if (rule == NONCE_ZERO)
		memset(id->ap_nonce, 0, sizeof(id->ap_nonce));
}

void identity_keep_nonces(struct identity *id)
{
	id->nonces_kept = true;
}

unsigned identity_nonce_bytes(const struct identity *id)
{
	return id->nonce_bytes;
}

/* The chip's fields up to the ECID. */
static void chip_fields(const struct identity *id, bool in_rom, struct buf *to)
{
	const struct model *m = id->model;

	if (model_has_sdom(m, in_rom))
		buf_add_text(to, "SDOM:01 ");
	buf_addf(to, "CPID:%04X CPRV:%02X CPFM:03 SCEP:01 BDID:%02X ECID:%016" PRIX64, m->cpid,
		 m->cprv, m->bdid, id->ecid);
	buf_addf(to, " IBFL:%02X", model_ibfl(m, in_rom));
	if (model_has_sika(m))
		buf_add_text(to, " SIKA:00");
}

void identity_iboot_string(const struct identity *id, enum mode mode, struct buf *to)
{
	const struct model *m = id->model;

	switch (mode) {
	case MODE_RECOVERY:
		chip_fields(id, false, to);
		buf_addf(to, " SRNM:[%s]", id->serial);
		if (*id->imei)
			buf_addf(to, " IMEI:[%s]", id->imei);
		return;
	case MODE_DFU:
	case MODE_DEBUG_USB:
		chip_fields(id, true, to);
		buf_addf(to, " SRTG:[%s]", m->srtg);
		if (*id->pwned)
			buf_addf(to, " PWND:[%s]", id->pwned);
		return;
	case MODE_WTF: /* older than the ECID */
		buf_addf(to, "CPID:%04X CPRV:%02X CPFM:03 SCEP:01 BDID:%02X", m->cpid, m->cprv,
			 m->bdid);
		return;
	case MODE_PORT_DFU:
		buf_addf(to,
			 "CPID:%04X CPRV:00 CPFM:03 SCEP:01 BDID:%02X%04X00 ECID:%016" PRIX64
			 " IBFL:00",
			 (unsigned)PORT_CPID, m->bdid, m->cpid, id->ecid ^ port_ecid_mask);
		return;
	case MODE_NORMAL:
	case MODE_RESTORE:
		buf_add_text(to, id->udid);
		return;
	}
}

void identity_nonce_string(const struct identity *id, struct buf *to)
{
	buf_add_text(to, "NONC:");
	for (unsigned i = 0; i < id->nonce_bytes; i++)
		buf_addf(to, "%02X", id->ap_nonce[i]);
	buf_add_text(to, " SNON:");
	for (unsigned i = 0; i < SEP_NONCE_BYTES; i++)
		buf_addf(to, "%02X", id->sep_nonce[i]);
}
