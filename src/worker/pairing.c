/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One owner of pairing. usbmuxd's preflight asks a phone to pair when it is plugged in, before
 * anybody may see it, and once more when Trust is tapped; nobody tells whether it still waits for
 * that tap. Two that pair at once break the record: libimobiledevice gives both the same HostID
 * within a second. So:
 *
 *              record there ─────────────────▶ session ──trusted──▶ done
 *    watch ──┤                                    └─stale─▶ record deleted ─▶ watch
 *   (FIRST)  └─ none ─▶ ask: one Pair ─pending─▶ asking ─tapped─▶ watch (PREFLIGHT) ─▶ ask
 *                        ▲      ├─locked, denied─▶ said ─┐            │ record of usbmuxd
 *                        │      └─success─▶ record read back          └──▶ session
 *                        └──────── after AGAIN ──────────┘
 *
 * A Pair that the phone answers with "pending" or "locked" harms nobody and is the only way to
 * learn what stands on its screen. After a tap preflight has PREFLIGHT to come with its record;
 * only when it does not, it has ended, and the next Pair is ours. If the two meet nevertheless, the
 * record proves wrong in the session, is deleted, and the phone is asked again.
 *
 * Owns the listener at usbmuxd, the notifications of the phone and the limit of the run.
 * Invariants: no Pair is sent within again_ms of the last one, nor while a tap is younger than
 * preflight_ms; `news->said` is what the last event said, and the limit's line says it, too.
 */
#include "worker/pairing.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "worker/ceiling.h"
#include "worker/library_error.h"
#include "worker/lifeline.h"
#include "worker/mux_client.h"
#include "worker/notices.h"
#include "worker/reply.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
	MS_PER_S = 1000,
	DENIED_MS = 10000, /* asked again at once, the dialog would pester who has just denied it */
	/* Two parties at once break one record. A phone that refuses a second one that it has just
	 * made is not healed by a third tap; nor is a record that others keep replacing. */
	REFUSED_MAX = 2,
	REPLACED_MAX = 2,
	BACK_MS = 20000, /* some phones leave the bus once when they were trusted */
	POLL_MS = 300,   /* for a record that is expected: usbmuxd 1.1.1-7 tells nobody */
	SETTLE_MS = 2000,
	LIMIT_MARGIN_MS = 1000, /* the result is to be there before the service's own limit */
};

/* How often, and how long usbmuxd is given. */
struct pace {
	unsigned first_ms;      /* before our first Pair: preflight may be at it when we begin */
	unsigned preflight_ms;  /* after a tap: two keys made by a slow computer, round trips */
	unsigned again_ms;      /* between two Pairs, each of which costs two new keys */
	unsigned again_most_ms; /* doubled each time up to this */
	unsigned idle_ms;       /* between two looks at what tells nobody of itself */
};

/* Somebody stands before it and waits; or one of many phones is watched, for as long as it lies
 * there: a phone is listed when preflight has asked it, and the slowest computer has its time. */
static const struct pace paces[] = {
	[PAIRING_UNTIL_TRUSTED] = { 2000, 6000, 4000, 4000, 2000 },
	[PAIRING_UNTIL_RECORD] = { 1000, 20000, 8000, 120000, 5000 },
};

struct pairing {
	const char *udid;
	enum pairing_end until;
	const struct pace *pace;
	unsigned again_ms; /* the present pause between two Pairs */
	uint64_t end_ms;
	struct lifeline lifeline;
	struct ceiling ceiling;
	struct pairing_news *news;
	bool heard;               /* the phone answered a Pair, with whatever */
	struct mux_client *mux;   /* NULL: it does not let us listen; then only time wakes us */
	struct notices *notices;  /* NULL: the phone starts none */
	uint64_t next_ask_ms;     /* no Pair before */
	uint64_t next_look_ms;    /* no session before */
	uint64_t next_notices_ms; /* no attempt to listen to the phone before */
	uint64_t expected_ms;     /* until then a record of usbmuxd is likely to come */
	uint64_t gone_ms;         /* since when the phone is away, 0: it is here */
	bool lacked;              /* there was no record for a while */
	bool paired;              /* and one came while we watched */
	bool ours;                /* by our Pair */
	unsigned refused;         /* records that came while we watched and were refused then */
	unsigned replaced;        /* how often the record changed without our doing */
	char host_id[PAIR_RECORD_NAME_BYTES]; /* in the record when last seen; "" none */
};

/* What the person reads when the limit is over, by what the phone said last. */
static const char *limit_text(enum trust_word word)
{
	static const char *const texts[TRUST_WORD_MAX] = {
		[TRUST_WORD_UNKNOWN] = "The phone did not say in time whether it trusts",
		[TRUST_WORD_LOCKED] = "The phone was not unlocked in time",
		[TRUST_WORD_ASKING] = "Nobody tapped Trust on the phone in time",
		[TRUST_WORD_DENIED] = "\"Don't Trust\" was tapped, and nobody changed that in time",
		[TRUST_WORD_STALE] = "The phone did not take a new record in time",
		[TRUST_WORD_TRUSTED] = "The phone trusts, but did not answer in time",
		[TRUST_WORD_POLICY] = "The phone forbids it",
	};

	return texts[word];
}

int pairing_news_fields(const struct pairing_news *news, sd_json_variant **ret)
{
	int r = sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRING("trust", trust_word_name(news->said)),
			       SD_JSON_BUILD_PAIR_CONDITION(news->detail != NULL, "detail",
							    SD_JSON_BUILD_STRING(news->detail)));

	return r < 0 ? r : 0;
}

/* Of a phone that should ask and was never answered nobody knows whether it did ask. */
static const char *limit_detail(const struct pairing *p)
{
	bool dialog =
	    p->news->said == TRUST_WORD_ASKING || (p->news->said == TRUST_WORD_UNKNOWN && p->heard);

	return dialog ? "silent-dialog" : p->news->detail;
}

/* The limit of the run, with the line that fits what the phone said last. */
static int limit_arm(struct pairing *p)
{
	const struct pairing_news last = { .said = p->news->said, .detail = limit_detail(p) };
	struct error silent = { .kind = ERROR_SILENT, .origin = "worker" };
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	_cleanup_free_ char *line = NULL;
	uint64_t now = clock_now_ms();
	int r;

	(void)snprintf(silent.text, sizeof(silent.text), "%s (%s)", limit_text(last.said),
		       trust_word_name(last.said));
	r = pairing_news_fields(&last, &fields);
	if (r == 0)
		r = reply_error_text(&silent, fields, &line);
	if (r < 0)
		return r;
	return lifeline_limit(&p->lifeline, p->end_ms > now ? (unsigned)(p->end_ms - now) : 1,
			      line);
}

/* What a library that breaks says (ceiling.h). */
static int ceiling_arm(struct pairing *p)
{
	static const struct error broke = {
		.kind = ERROR_PROTOCOL,
		.origin = "worker",
		.text = "The phone sends what breaks the program that reads it",
	};
	_cleanup_free_ char *line = NULL;
	int r = reply_error_text(&broke, NULL, &line);

	return r < 0 ? r : ceiling_set(&p->ceiling, line);
}

static int limit_renew(struct pairing *p)
{
	lifeline_release(&p->lifeline);
	return limit_arm(p);
}

/* Tells what the phone says now, once. Policy is the end. */
static int say(struct pairing *p, enum trust_word word, const char *detail,
	       const struct error *reason, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r;

	if (word != p->news->said || detail != p->news->detail) {
		*p->news = (struct pairing_news){ .said = word, .detail = detail };
		r = pairing_news_fields(p->news, &fields);
		if (r >= 0 && reason->text[0] != '\0')
			r = sd_json_variant_set_field_string(&fields, "text", reason->text);
		if (r >= 0)
			r = reply_event("trust", fields);
		if (r >= 0)
			r = limit_renew(p);
		if (r < 0)
			return error_set_errno(err, ERROR_BUG, "worker", -r,
					       "Cannot tell what the phone says");
	}
	if (word == TRUST_WORD_POLICY)
		return error_set(err, reason->kind, reason->origin, reason->code, "%s",
				 reason->text);
	return 0;
}

/* Takes the phone's notifications; a tap gives usbmuxd its time. */
static void take_notices(struct pairing *p)
{
	int r = p->notices ? notices_take(p->notices) : 0;

	if (r > 0)
		p->next_ask_ms = p->expected_ms = clock_now_ms() + p->pace->preflight_ms;
	else if (r < 0)
		p->notices = notices_free(p->notices);
}

/* usbmuxd's events say only that something is to be looked at. */
static void take_mux(struct pairing *p)
{
	struct mux_message message;
	int n = mux_client_fill(p->mux);
	int r = 0;

	while (n > 0 && (r = mux_client_next(p->mux, &message)) > 0)
		log_debug("usbmuxd told something");
	if (r < 0 ||
	    (n <= 0 && n != -EAGAIN)) /* it has ended, or sends what is none of its messages */
		p->mux = mux_client_free(p->mux);
}

/* Until something happens, or it is time to look again. */
static void wait_for_news(struct pairing *p)
{
	struct pollfd fds[2] = {
		{ .fd = p->notices ? notices_fd(p->notices) : -1, .events = POLLIN },
		{ .fd = p->mux ? mux_client_fd(p->mux) : -1, .events = POLLIN },
	};
	uint64_t now = clock_now_ms();
	uint64_t wait_ms = p->next_ask_ms > now ? p->next_ask_ms - now : 0;
	uint64_t most_ms = now < p->expected_ms || p->gone_ms > 0 ? POLL_MS : p->pace->idle_ms;

	if (wait_ms == 0 || wait_ms > most_ms)
		wait_ms = most_ms;
	if (poll(fds, ARRAY_LEN(fds), (int)wait_ms) <= 0)
		return;
	if (fds[1].revents)
		take_mux(p);
	take_notices(p);
}

static int pair_succeeded(struct pairing *p, struct error *err)
{
	int r = record_read(p->udid, NULL, err);

	if (r < 0)
		return r;
	if (r == 0) {
		p->news->detail = "record-unwritable";
		return error_set(err, ERROR_NO_SPACE, "usbmuxd", ENOENT,
				 "The phone trusts this computer, but usbmuxd could not store its "
				 "record: the folder is full or read-only");
	}
	p->ours = true;
	p->host_id[0] = '\0'; /* whatever stands there now is our doing */
	take_notices(p);
	if (clock_now_ms() < p->expected_ms) /* tapped while we asked: usbmuxd asks, too */
		p->next_look_ms = clock_now_ms() + SETTLE_MS;
	return 0;
}

/* One Pair. 0, or a negative errno with err set for what no waiting heals. */
static int ask(struct pairing *p, struct error *err)
{
	_cleanup_(handset_done) struct handset handset = {};
	struct error reason = {};
	enum trust_word word;
	lockdownd_error_t e;
	int r = handset_open(p->udid, NULL, &handset, &reason);

	p->next_ask_ms = clock_now_ms() + p->again_ms;
	if (r < 0)
		return 0; /* away, or starting: the next look tells */
	e = lockdownd_pair(handset.client, NULL);
	p->next_ask_ms = clock_now_ms() + p->again_ms;
	p->again_ms *= p->again_ms * 2 <= p->pace->again_most_ms ? 2 : 1;
	/* words of the phone itself; the others are of a connection that broke, or of nonsense */
	if (!p->heard && e <= LOCKDOWN_E_INVALID_RESPONSE && e > LOCKDOWN_E_UNKNOWN_ERROR) {
		p->heard = true;
		(void)limit_renew(p); /* what the limit says depends on it */
	}
	if (e == LOCKDOWN_E_SUCCESS)
		return pair_succeeded(p, err);
	if (e == LOCKDOWN_E_SAVE_PAIR_RECORD_FAILED)
		return lockdownd_error_set(err, e);
	if (!trust_word_from_lockdownd(e, &word) || word == TRUST_WORD_STALE)
		return 0;
	if (word == TRUST_WORD_DENIED)
		p->next_ask_ms = clock_now_ms() + DENIED_MS;
	(void)lockdownd_error_set(&reason, e);
	return say(p, word, trust_detail_from_lockdownd(e), &reason, err);
}

/* A phone that has just been trusted may leave the bus for a moment; any other is lost. */
static int turn_away(struct pairing *p, struct error *err)
{
	uint64_t now = clock_now_ms();

	p->notices = notices_free(p->notices);
	if (p->gone_ms == 0)
		p->gone_ms = now;
	if (p->paired && now - p->gone_ms < BACK_MS)
		return 0;
	return error_set(err, ERROR_UNPLUGGED, "usbmuxd", 0, "The phone was unplugged");
}

/* A question that failed: the phone may be starting, which the limit ends. 0 to go on, or a
 * negative errno. */
static int no_answer(struct pairing *p, struct error *err)
{
	if (err->kind == ERROR_UNPLUGGED || err->kind == ERROR_NO_PHONE)
		return turn_away(p, err);
	if (err->kind == ERROR_NO_SERVICE || err->kind == ERROR_BUG)
		return -EIO;
	log_debug("The phone gave no answer: %s", err->text);
	return 0;
}

static int fight(struct pairing *p, int64_t code, const char *text, struct error *err)
{
	p->news->detail = "record-fight";
	return error_set(err, ERROR_REFUSED, "lockdownd", code, "%s", text);
}

/* This computer's record is gone, because of what the phone said. 0 or a negative errno with err
 * set. */
static int tell_forgotten(const struct error *reason, struct error *err)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	int r = sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_STRING("text", reason->text));

	if (r >= 0)
		r = reply_event("forgotten", fields);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot tell what was done")
		     : 0;
}

/* The phone does not believe the record: it goes, and the phone is asked again. 0 to go on, or a
 * negative errno with err set. */
static int turn_with_stale(struct pairing *p, const struct session *session, struct error *err)
{
	int r = p->lacked ? say(p, TRUST_WORD_STALE, session->detail, &session->reason, err) : 0;

	if (r == 0) {
		r = record_forget(p->udid, err);
		if (r < 0 && err->kind == ERROR_REFUSED)
			p->news->detail = "record-unwritable";
		else if (r > 0)
			r = tell_forgotten(&session->reason, err);
	}
	p->host_id[0] = '\0';
	p->refused += p->lacked;
	if (r >= 0 && p->refused >= REFUSED_MAX)
		r = fight(p, session->reason.code,
			  "The phone pairs and then refuses the record it has just made", err);
	p->ours = p->paired = false;
	p->next_look_ms = 0;
	return r < 0 ? r : 0;
}

/* Has somebody put another record into the place of the one we saw? 0, or a negative errno with err
 * set when that happens again and again. */
static int watch_record(struct pairing *p, const struct record_bytes *record, struct error *err)
{
	const char *host_id = record->judged.host_id;
	bool replaced = p->host_id[0] != '\0' && strcmp(p->host_id, host_id) != 0;

	p->replaced += replaced;
	text_copy(p->host_id, sizeof(p->host_id), host_id);
	if (p->replaced < REPLACED_MAX)
		return 0;
	return fight(p, 0, "Another program keeps replacing this computer's record of the phone",
		     err);
}

/* With a record: is it any good? 1 if it is, 0 to go on, a negative errno with err set. */
static int turn_with_record(struct pairing *p, sd_json_variant **ret_identity, struct error *err)
{
	_cleanup_(session_done) struct session session = {};
	int r;

	p->paired |= p->lacked;
	if (clock_now_ms() < p->next_look_ms)
		return 0;
	if (p->until == PAIRING_UNTIL_RECORD)
		return 1;
	r = session_open(p->udid, NULL, &session, err);
	p->next_look_ms = clock_now_ms() + p->pace->idle_ms;
	if (r < 0)
		return no_answer(p, err) < 0 ? r : 0;
	if (session.trust == TRUST_WORD_TRUSTED) {
		*ret_identity = TAKE(session.identity);
		return 1;
	}
	if (session.trust == TRUST_WORD_STALE)
		return turn_with_stale(p, &session, err);
	if (session.trust == TRUST_WORD_UNKNOWN)
		return 0; /* the record went while we looked */
	return say(p, session.trust, session.detail, &session.reason, err);
}

/* Without a record: whose turn is it? */
static int turn_without_record(struct pairing *p, sd_json_variant **ret_identity, struct error *err)
{
	int r;

	p->lacked = true;
	if (!p->notices && clock_now_ms() >= p->next_notices_ms) {
		(void)notices_new(p->udid, &p->notices);
		p->next_notices_ms = clock_now_ms() + p->pace->idle_ms;
		/* a locked phone starts none for a stranger: it is not locked any more */
		if (p->notices && p->news->said == TRUST_WORD_LOCKED) {
			p->again_ms = p->pace->again_ms;
			p->next_ask_ms = clock_now_ms();
		}
	}
	take_notices(p);
	if (clock_now_ms() < p->next_ask_ms)
		return 0;
	r = ask(p, err);
	return r == 0 && p->ours ? turn_with_record(p, ret_identity, err) : r;
}

static int turn(struct pairing *p, sd_json_variant **ret_identity, struct error *err)
{
	_cleanup_(record_bytes_done) struct record_bytes record = {};
	struct error missing = {};
	int r = handset_find(p->udid, &missing);

	if (r < 0 && missing.kind == ERROR_NO_PHONE)
		return turn_away(p, err);
	if (r < 0) {
		*err = missing;
		return r;
	}
	p->gone_ms = 0;
	r = record_read(p->udid, &record, err);
	if (r > 0 && watch_record(p, &record, err) < 0)
		return -EIO;
	if (r < 0)
		return r;
	return r > 0 ? turn_with_record(p, ret_identity, err)
		     : turn_without_record(p, ret_identity, err);
}

static int watch(struct pairing *p, sd_json_variant **ret_identity, struct error *err)
{
	int r;

	while ((r = turn(p, ret_identity, err)) == 0)
		wait_for_news(p);
	return r < 0 ? r : 0;
}

int pairing_run(const char *udid, unsigned limit_s, enum pairing_end until,
		struct pairing_result *ret, struct pairing_news *news, struct error *err)
{
	uint64_t now = clock_now_ms();
	struct pairing p = {
		.udid = udid,
		.until = until,
		.pace = &paces[until],
		.again_ms = paces[until].again_ms,
		.news = news,
		.end_ms = now + (uint64_t)limit_s * MS_PER_S - LIMIT_MARGIN_MS,
		.next_ask_ms = now + paces[until].first_ms,
		.expected_ms = now + paces[until].first_ms,
	};
	sd_json_variant *identity = NULL;
	const char *path = mux_socket_path();
	int r;

	*news = (struct pairing_news){};
	r = ceiling_arm(&p);
	if (r == 0)
		r = limit_arm(&p);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot limit the pairing");
	r = handset_find(udid, err);
	if (r == 0) {
		if (path)
			(void)mux_client_new(path, MUX_ANSWER_MS, &p.mux);
		r = watch(&p, &identity, err);
	}
	notices_free(p.notices);
	mux_client_free(p.mux);
	lifeline_release(&p.lifeline);
	ceiling_lift(&p.ceiling);
	if (r < 0)
		return r;
	*ret = (struct pairing_result){ .by_us = p.ours, .identity = identity };
	return 0;
}
