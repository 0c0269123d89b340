/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "phone.h"
#include "text.h"

static const char *const actions[] = {
	[FAULT_UNPLUG] = "unplug", [FAULT_STALL] = "stall",     [FAULT_RESET] = "reset",
	[FAULT_REBOOT] = "reboot", [FAULT_SILENCE] = "silence", [FAULT_GARBAGE] = "garbage",
	[FAULT_CUT] = "cut",       [FAULT_DROP] = "drop",       [FAULT_DELAY] = "delay",
	[FAULT_ERROR] = "error",
};

const char fault_conversations[] =
    "lockdown, restored, asr, fdr, data, afc, diagnostics_relay, heartbeat, "
    "insecure_notification_proxy, installation_proxy, mobilebackup2, notification_proxy, mux, "
    "normal, recovery, dfu, restore, debug-usb";

/* ---- rules ---- */

static bool conversation_exists(const char *name)
{
	size_t len = strlen(name);

	if (!strcmp(name, "probe")) /* of tests */
		return true;
	for (const char *at = fault_conversations; at; at = strchr(at, ' ')) {
		at += *at == ' ';
		if (!strncmp(at, name, len) && (at[len] == ',' || !at[len]))
			return true;
	}
	return false;
}

static int number_take(const char *word, uint64_t *ret_number)
{
	char *end;

	if (!word || *word < '0' || *word > '9')
		return -EINVAL;
	*ret_number = strtoull(word, &end, 10);
	return *end || *ret_number == 0 ? -EINVAL : 0;
}

/* A word that does not fit whole would never be met. */
static int word_keep(char *to, size_t room, const char *word)
{
	if (!word || !*word || strlen(word) >= room)
		return -EINVAL;
	text_copy(to, room, word);
	return 0;
}

static int action_take(struct fault_rule *rule, char *word)
{
	char *argument = word ? strchr(word, ':') : nullptr;

	if (!word)
		return -EINVAL;
	if (argument)
		*argument++ = '\0';
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(actions[i], word) != 0)
			continue;
		rule->action = (enum fault_action)i;
		if (rule->action == FAULT_ERROR) {
			return word_keep(rule->error, sizeof(rule->error), argument);
		}
		if (argument && (rule->action == FAULT_DELAY || rule->action == FAULT_UNPLUG))
			return number_take(argument, &rule->ms);
		return argument || rule->action == FAULT_DELAY ? -EINVAL : 0;
	}
	return -EINVAL;
}

static int place_take(struct fault_rule *rule, char *place, char **rest)
{
	char *word;

	if (!place)
		return -EINVAL;
	if (!strcmp(place, "message") || !strcmp(place, "byte")) {
		rule->place = *place == 'm' ? FAULT_AT_MESSAGE : FAULT_AT_BYTE;
		if (number_take(strtok_r(nullptr, " ", rest), &rule->number) < 0)
			return -EINVAL;
		return action_take(rule, strtok_r(nullptr, " ", rest));
	}
	rule->place = FAULT_AT_NAME;
	if (word_keep(rule->name, sizeof(rule->name), place) < 0)
		return -EINVAL;
	word = strtok_r(nullptr, " ", rest);
	rule->number = 1;
	if (number_take(word, &rule->number) == 0)
		word = strtok_r(nullptr, " ", rest);
	return action_take(rule, word);
}

int fault_parse(struct fault_rules *rules, const char *text)
{
	struct fault_rule rule = {};
	char copy[256], *rest = copy;
	char *conversation, *way;

	if (!strcmp(text, "none")) {
		rules->count = 0;
		return 0;
	}
	if (rules->count == FAULTS_MAX)
		return -ENOSPC;
	if (word_keep(copy, sizeof(copy), text) < 0)
		return -EINVAL;
	conversation = strtok_r(copy, " ", &rest);
	way = strtok_r(nullptr, " ", &rest);
	if (!conversation || !way || (strcmp(way, "got") != 0 && strcmp(way, "sent") != 0))
		return -EINVAL;
	if (word_keep(rule.conversation, sizeof(rule.conversation), conversation) < 0)
		return -EINVAL;
	if (!conversation_exists(conversation))
		return -ENOENT;
	rule.way = *way == 'g' ? FAULT_GOT : FAULT_SENT;
	if (place_take(&rule, strtok_r(nullptr, " ", &rest), &rest) < 0 ||
	    strtok_r(nullptr, " ", &rest))
		return -EINVAL;
	rules->rules[rules->count++] = rule;
	return 0;
}

/* ---- counting and striking ---- */

static struct fault_counts *counts_of(struct faults *f, const char *conversation)
{
	for (unsigned i = 0; i < f->count; i++)
		if (!strcmp(f->counts[i].conversation, conversation))
			return &f->counts[i];
	if (f->count == sizeof(f->counts) / sizeof(f->counts[0]))
		die("too many conversations");
	text_copy(f->counts[f->count].conversation, sizeof(f->counts[0].conversation),
		  conversation);
	return &f->counts[f->count++];
}

/* ---- what concerns the whole phone ---- */

bool faults_mute(const struct faults *f)
{
	return f->silent || f->leaving;
}

static void mute(struct faults *f, bool silent, bool leaving)
{
	f->silent = silent;
	f->leaving = leaving;
	f->phone->usb.silent = faults_mute(f);
}

static void replug(void *user)
{
	phone_plug(user);
}

static void unplug(void *user)
{
	struct faults *f = user;

	mute(f, f->silent, false);
	phone_unplug(f->phone);
}

/* The cable comes out from the loop: the caller is in the middle of a transfer. */
void faults_unplug(struct faults *f, uint64_t back_ms)
{
	struct phone *p = f->phone;

	mute(f, f->silent, true);
	timer_arm(p->timers, &f->cable, 0, unplug, f);
	if (back_ms)
		timer_arm(p->timers, &f->replug, back_ms, replug, p);
}

void faults_boot(struct faults *f)
{
	mute(f, false, false);
}

static void strike(struct faults *f, struct fault_rule *rule)
{
	struct phone *p = f->phone;

	rule->fired = true;
	EVLOG(&p->log, "fault", LOG_TEXT("conversation", rule->conversation),
	      LOG_TEXT("way", rule->way == FAULT_GOT ? "got" : "sent"),
	      LOG_INT("number", rule->number), LOG_TEXT("name", rule->name),
	      LOG_TEXT("action", actions[rule->action]));
	switch (rule->action) {
	case FAULT_UNPLUG:
		faults_unplug(f, rule->ms);
		return;
	case FAULT_REBOOT:
		mute(f, f->silent, true);
		phone_restart(p, "fault");
		return;
	case FAULT_SILENCE:
		mute(f, true, f->leaving);
		return;
	case FAULT_STALL:
	case FAULT_RESET:
	case FAULT_GARBAGE:
	case FAULT_CUT:
	case FAULT_DROP:
	case FAULT_DELAY:
	case FAULT_ERROR:
		return;
	}
}

const struct fault_rule *fault_message(struct faults *f, const char *conversation,
				       enum fault_way way, const char *name)
{
	struct fault_rules *rules = &f->phone->scenario.faults;
	uint64_t number = ++counts_of(f, conversation)->messages[way];
	struct fault_rule *due = nullptr;

	/* all of them: each counts its own name */
	for (unsigned i = 0; i < rules->count; i++) {
		struct fault_rule *rule = &rules->rules[i];
		bool hit = rule->place == FAULT_AT_MESSAGE && rule->number == number;

		if (rule->fired || rule->way != way || rule->place == FAULT_AT_BYTE ||
		    strcmp(rule->conversation, conversation) != 0)
			continue;
		if (rule->place == FAULT_AT_NAME && !strcmp(rule->name, name))
			hit = ++rule->seen == rule->number;
		if (hit && !due)
			due = rule;
	}
	if (due)
		strike(f, due);
	return due;
}

const struct fault_rule *fault_bytes(struct faults *f, const char *conversation, enum fault_way way,
				     size_t len, size_t *ret_at)
{
	struct fault_rules *rules = &f->phone->scenario.faults;
	struct fault_counts *counts = counts_of(f, conversation);
	uint64_t before = counts->bytes[way];
	struct fault_rule *due = nullptr;

	for (unsigned i = 0; i < rules->count; i++) {
		struct fault_rule *rule = &rules->rules[i];

		if (rule->fired || rule->way != way || rule->place != FAULT_AT_BYTE ||
		    rule->number <= before || rule->number - before > len ||
		    strcmp(rule->conversation, conversation) != 0)
			continue;
		if (!due || rule->number < due->number)
			due = rule;
	}
	*ret_at = due ? (size_t)(due->number - before - 1) : len;
	counts->bytes[way] += *ret_at;
	if (!due || *ret_at > 0)
		return nullptr;
	strike(f, due);
	return due;
}

void fault_garbage(struct faults *f, void *to, size_t len)
{
	uint8_t *bytes = to;

	/* xorshift64: only has to differ, and to be the same for the same seed */
	for (size_t i = 0; i < len; i++) {
		f->random ^= f->random << 13;
		f->random ^= f->random >> 7;
		f->random ^= f->random << 17;
		bytes[i] = (uint8_t)(f->random >> 32);
	}
}

void faults_init(struct faults *f, struct phone *phone)
{
	*f = (struct faults){ .phone = phone,
			      .random = phone->scenario.seed * 0x9e3779b97f4a7c15 | 1 };
}

void faults_done(struct faults *f)
{
	timer_disarm(f->phone->timers, &f->cable);
	timer_disarm(f->phone->timers, &f->replug);
}

/* ---- taps ---- */

enum tap_verdict tap_message(struct tap *tap, enum fault_way way, const char *name)
{
	const struct fault_rule *rule;

	if (!tap)
		return TAP_PASS;
	if (tap->dead || faults_mute(&tap->phone->faults))
		return TAP_DROP;
	EVLOG(&tap->phone->log, "message", LOG_TEXT("conversation", tap->conversation),
	      LOG_TEXT("way", way == FAULT_GOT ? "got" : "sent"), LOG_TEXT("name", name));
	rule = fault_message(&tap->phone->faults, tap->conversation, way, name);
	if (!rule)
		return TAP_PASS;
	tap->rule = rule;
	tap->act(tap, rule);
	switch (rule->action) {
	case FAULT_GARBAGE:
		return TAP_GARBAGE;
	case FAULT_CUT:
		return TAP_CUT;
	case FAULT_ERROR:
		return TAP_ERROR;
	case FAULT_DELAY:
		return TAP_PASS;
	case FAULT_UNPLUG:
	case FAULT_STALL:
	case FAULT_RESET:
	case FAULT_REBOOT:
	case FAULT_SILENCE:
	case FAULT_DROP:
		return TAP_DROP;
	}
	return TAP_PASS;
}

const char *tap_error(const struct tap *tap)
{
	return tap->rule->error;
}
