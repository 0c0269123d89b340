/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns a fixed number of consents that were minted and not used: the oldest makes room. Invariant:
 * a slot with an empty token is free; a token is compared only within its time.
 */
#include "doctor/consent.h"
#include "base/text.h"
#include "doctor/job.h"
#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { CONSENTS_MAX = 64, CONSENT_TRIES = 3 };

struct consent {
	char token[CONSENT_TOKEN_BYTES];
	uint64_t ecid;
	enum goal goal;
	char build[FIRMWARE_TEXT_BYTES];
	char variant[VARIANT_NAME_BYTES];
	char confirm[PLAN_CONFIRM_BYTES];
	char job[JOB_ID_BYTES];
	uint64_t until_ms;
	unsigned wrong; /* times that another LAST4 was typed */
};

struct consents {
	struct consent slots[CONSENTS_MAX];
};

int consents_new(struct consents **ret)
{
	struct consents *consents = calloc(1, sizeof(*consents));

	if (!consents)
		return -ENOMEM;
	*ret = consents;
	return 0;
}

struct consents *consents_free(struct consents *consents)
{
	free(consents);
	return NULL;
}

/* 23 letters and digits of 32: 115 bits that nobody guesses within a quarter of an hour. */
int consent_token_make(char ret[static CONSENT_TOKEN_BYTES])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char random[CONSENT_TOKEN_BYTES - 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < sizeof(random); i++)
		ret[i] = letters[random[i] % 32];
	ret[sizeof(random)] = '\0';
	return 0;
}

/* A free slot, one whose time is over, or the one that ends first. */
static struct consent *find_room(struct consents *consents, uint64_t now_ms)
{
	struct consent *oldest = &consents->slots[0];

	for (size_t i = 0; i < CONSENTS_MAX; i++) {
		struct consent *slot = &consents->slots[i];

		if (slot->token[0] == '\0' || slot->until_ms <= now_ms)
			return slot;
		if (slot->until_ms < oldest->until_ms)
			oldest = slot;
	}
	return oldest;
}

int consent_mint(struct consents *consents, const struct plan *plan, const char *job,
		 uint64_t now_ms, char ret[static CONSENT_TOKEN_BYTES])
{
	struct consent consent = {
		.ecid = plan->ecid,
		.goal = plan->goal,
		.until_ms = now_ms + timing_ms(TIMING_CONSENT),
	};
	int r;

	if (!plan_erases(plan) || strlen(plan->confirm) != PLAN_CONFIRM_BYTES - 1 ||
	    strlen(job) >= sizeof(consent.job))
		return -EINVAL;
	r = consent_token_make(consent.token);
	if (r < 0)
		return r;
	text_copy(consent.build, sizeof(consent.build), plan->firmware.build);
	text_copy(consent.variant, sizeof(consent.variant), plan->variant.name);
	text_copy(consent.confirm, sizeof(consent.confirm), plan->confirm);
	text_copy(consent.job, sizeof(consent.job), job);
	*find_room(consents, now_ms) = consent;
	memcpy(ret, consent.token, sizeof(consent.token));
	return 0;
}

static struct consent *find(struct consents *consents, const char *token)
{
	for (size_t i = 0; token && token[0] != '\0' && i < CONSENTS_MAX; i++)
		if (strcmp(consents->slots[i].token, token) == 0)
			return &consents->slots[i];
	return NULL;
}

static int refuse(struct error *err, const char *text)
{
	return error_set(err, ERROR_NO_CONSENT, "consent", 0, "%s", text);
}

/* Was it given for exactly this? */
static int check_binding(const struct consent *consent, const struct plan *plan, const char *job,
			 struct error *err)
{
	if (consent->ecid != plan->ecid || strcmp(consent->confirm, plan->confirm) != 0)
		return refuse(err, "this consent was given for another phone");
	if (consent->goal != plan->goal || strcmp(consent->job, job) != 0)
		return refuse(err, "this consent was given for something else");
	if (strcmp(consent->build, plan->firmware.build) != 0 ||
	    strcmp(consent->variant, plan->variant.name) != 0)
		return refuse(err, "this consent was given for another firmware");
	return 0;
}

int consent_use(struct consents *consents, const char *token, const char *confirm,
		const struct plan *plan, const char *job, uint64_t now_ms, struct error *err)
{
	struct consent *consent = find(consents, token);
	int r;

	if (!consent)
		return refuse(err, "this consent is not known, or was used already; read the plan "
				   "again");
	if (consent->until_ms <= now_ms) {
		*consent = (struct consent){ 0 };
		return refuse(err, "this consent is too old; read the plan again");
	}
	r = check_binding(consent, plan, job, err);
	if (r < 0)
		return r;
	if (!confirm || !text_equal_fold(confirm, consent->confirm)) {
		if (++consent->wrong < CONSENT_TRIES)
			return refuse(err, "the four characters that were typed are not those of "
					   "this phone");
		*consent = (struct consent){ 0 };
		return refuse(err, "the four characters were wrong three times; read the plan "
				   "again");
	}
	*consent = (struct consent){ 0 };
	return 0;
}
