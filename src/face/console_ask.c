/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "face/console_ask.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "face/console_text.h"
#include "service/fields.h"
#include <errno.h>
#include <stdio.h>

static const char *text_or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static int text_set(sd_json_variant **object, const char *name, const char *value)
{
	return text_or_null(value) ? sd_json_variant_set_field_string(object, name, value) : 0;
}

static const char *chosen_key(const struct console_view *view, const struct console_model *model)
{
	const struct console_phone *phone = console_model_find(model, view->chosen);

	return phone && !phone->left ? console_phone_text(phone, "key") : "";
}

/* What the service shall start is what stood on the card: the build, too. */
static int plan_fields(const struct console_view *view, sd_json_variant **object)
{
	const struct console_card *card = &view->card;
	int r = text_set(object, "phone", card->phone);

	if (r >= 0)
		r = text_set(object, "goal", goal_name(card->goal));
	if (r >= 0 && view->ask == CONSOLE_ASK_START)
		r = text_set(object, "build",
			     field_string(field_object(card->plan, "firmware"), "build"));
	return r;
}

static int consent_fields(const struct console_view *view, sd_json_variant **object)
{
	int r = text_set(object, "consent", field_string(view->card.plan, "token"));

	return r < 0 ? r : text_set(object, "confirm", view->card.typed);
}

static int answer_fields(const struct console_view *view, bool yes, sd_json_variant **object)
{
	int r = text_set(object, "id", yes ? view->card.job : view->job);

	if (r >= 0)
		r = sd_json_variant_set_field_boolean(object, "yes", yes);
	return r >= 0 && yes ? consent_fields(view, object) : r;
}

static int ask_fields(const struct console_view *view, const struct console_model *model,
		      const char **ret_method, sd_json_variant **object)
{
	int r;

	switch (view->ask) {
	case CONSOLE_ASK_TRUST:
		*ret_method = "CheckTrust";
		return *chosen_key(view, model) ? text_set(object, "phone", chosen_key(view, model))
						: -ENODEV;
	case CONSOLE_ASK_PLAN:
		*ret_method = "Plan";
		return plan_fields(view, object);
	case CONSOLE_ASK_START:
		*ret_method = "Start";
		r = plan_fields(view, object);
		return r < 0 ? r : consent_fields(view, object);
	case CONSOLE_ASK_QUESTION:
		*ret_method = "Job";
		return text_set(object, "id", view->card.job);
	case CONSOLE_ASK_YES:
	case CONSOLE_ASK_NO:
		*ret_method = "Answer";
		return answer_fields(view, view->ask == CONSOLE_ASK_YES, object);
	case CONSOLE_ASK_DONE: /* never with a consent: it answers no question that erases */
		*ret_method = "Answer";
		r = text_set(object, "id", view->job);
		return r < 0 ? r : sd_json_variant_set_field_boolean(object, "yes", true);
	case CONSOLE_ASK_CANCEL:
		*ret_method = "Cancel";
		return text_set(object, "id", view->job);
	case CONSOLE_ASK_PAUSE:
	case CONSOLE_ASK_RESUME:
		*ret_method = view->ask == CONSOLE_ASK_PAUSE ? "Pause" : "Resume";
		return text_set(object, "id", view->job);
	case CONSOLE_ASK_SAYS:
		*ret_method = "Diagnose";
		r = *chosen_key(view, model) ? text_set(object, "phone", chosen_key(view, model))
					     : -ENODEV;
		return r < 0 ? r
			     : text_set(object, "says",
					said_name(console_view_said(view, view->chosen)));
	case CONSOLE_ASK_NONE:
	case CONSOLE_ASK_MAX:
		break;
	}
	return -EINVAL;
}

int console_ask_make(const struct console_view *view, const struct console_model *model,
		     const char **ret_method, sd_json_variant **ret_parameters)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	const char *method = NULL;
	int r = ask_fields(view, model, &method, &object);

	if (r < 0)
		return r;
	*ret_method = method;
	*ret_parameters = TAKE(object);
	return 0;
}

/* --- answers */

/* What happened, and what to do next: the service's own words, else those of the kind. */
static void notice_error(struct console_view *view, sd_json_variant *reply, const struct error *err)
{
	const struct message *message = message_for_error(err->kind);
	const char *next = field_string(reply, "next");
	_cleanup_free_ char *text =
	    message_format("console-notice-error", "text", err->text, "next",
			   text_or_null(next) ? next : (message ? message->text : ""), NULL);

	text_copy(view->notice, sizeof(view->notice), text ? text : err->text);
}

static bool is_consent_error(const struct error *err)
{
	return err->kind == ERROR_NO_CONSENT;
}

static void answered_error(struct console_view *view, enum console_ask ask, sd_json_variant *reply,
			   const struct error *err)
{
	notice_error(view, reply, err);
	view->card.typed[0] = '\0';
	if ((ask == CONSOLE_ASK_START || ask == CONSOLE_ASK_YES) && is_consent_error(err))
		view->card.refused = true;
}

static void answered_protocol(struct console_view *view)
{
	text_copy(view->notice, sizeof(view->notice), console_text("console-notice-odd"));
}

static void card_take(struct console_view *view, sd_json_variant *plan, uint64_t now_ms)
{
	struct console_card *card = &view->card;
	uint64_t seconds = field_unsigned(plan, "token_seconds", 0);

	sd_json_variant_ref(plan);
	sd_json_variant_unref(card->plan);
	card->plan = plan;
	card->typed[0] = '\0';
	card->expired = false;
	card->refused = false;
	card->until_ms = 0;
	if (field_string(plan, "token") && seconds > 0 && seconds < UINT32_MAX)
		card->until_ms = now_ms + seconds * 1000;
	view->scroll = 0;
}

static int answered_plan(struct console_view *view, sd_json_variant *reply, uint64_t now_ms)
{
	sd_json_variant *plan = field_object(reply, "plan");

	if (!plan)
		answered_protocol(view);
	else
		card_take(view, plan, now_ms);
	return 0;
}

/* The job began, went on or was stopped: its page is next. */
static int answered_job(struct console_view *view, struct console_model *model,
			sd_json_variant *reply)
{
	sd_json_variant *job = field_object(reply, "job");
	bool from_jobs = view->from_jobs;
	int r = job ? console_model_job(model, job) : -EBADMSG;

	if (r == -EBADMSG) {
		answered_protocol(view);
		return 0;
	}
	if (view->page == CONSOLE_PAGE_CARD && view->card.job[0] == '\0')
		from_jobs = false;
	console_card_done(&view->card);
	console_view_open_job(view, job, from_jobs);
	return r < 0 ? r : 0;
}

static int answered_question(struct console_view *view, struct console_model *model,
			     sd_json_variant *reply, uint64_t now_ms)
{
	sd_json_variant *job = field_object(reply, "job");
	sd_json_variant *plan = field_object(field_object(job, "question"), "plan");

	if (!plan) /* it asks no more: somebody else has answered */
		return answered_job(view, model, reply);
	card_take(view, plan, now_ms);
	return console_model_job(model, job) == -ENOMEM ? -ENOMEM : 0;
}

static int answered_trust(struct console_view *view, struct console_model *model,
			  sd_json_variant *reply)
{
	text_copy(view->notice, sizeof(view->notice), console_text("console-notice-trust"));
	return console_model_findings(model, view->chosen, field_array(reply, "findings")) ==
		       -ENOMEM
		   ? -ENOMEM
		   : 0;
}

sd_json_variant *console_ask_findings(sd_json_variant *reply)
{
	sd_json_variant *diagnoses = field_array(reply, "diagnoses");

	if (!diagnoses || sd_json_variant_elements(diagnoses) == 0)
		return NULL;
	return field_array(sd_json_variant_by_index(diagnoses, 0), "findings");
}

static int answered_says(struct console_view *view, struct console_model *model,
			 sd_json_variant *reply)
{
	sd_json_variant *findings = console_ask_findings(reply);

	if (!findings)
		answered_protocol(view);
	else if (console_view_said(view, view->chosen) != SAID_NOTHING)
		text_copy(view->notice, sizeof(view->notice), console_text("console-notice-says"));
	return console_model_findings(model, view->chosen, findings) == -ENOMEM ? -ENOMEM : 0;
}

int console_ask_answered(struct console_view *view, struct console_model *model,
			 sd_json_variant *reply, const struct error *err, uint64_t now_ms)
{
	enum console_ask ask = view->ask;

	view->ask = CONSOLE_ASK_NONE;
	if (err) {
		answered_error(view, ask, reply, err);
		return 0;
	}
	switch (ask) {
	case CONSOLE_ASK_TRUST:
		return answered_trust(view, model, reply);
	case CONSOLE_ASK_PLAN:
		return answered_plan(view, reply, now_ms);
	case CONSOLE_ASK_QUESTION:
		return answered_question(view, model, reply, now_ms);
	case CONSOLE_ASK_START:
	case CONSOLE_ASK_YES:
	case CONSOLE_ASK_NO:
	case CONSOLE_ASK_DONE:
	case CONSOLE_ASK_CANCEL:
	case CONSOLE_ASK_PAUSE:
	case CONSOLE_ASK_RESUME:
		return answered_job(view, model, reply);
	case CONSOLE_ASK_SAYS:
		return answered_says(view, model, reply);
	case CONSOLE_ASK_NONE:
	case CONSOLE_ASK_MAX:
		break;
	}
	return 0;
}

bool console_ask_tick(struct console_view *view, uint64_t now_ms)
{
	struct console_card *card = &view->card;

	if (card->expired || card->until_ms == 0 || now_ms < card->until_ms ||
	    view->ask == CONSOLE_ASK_START || view->ask == CONSOLE_ASK_YES)
		return false;
	card->expired = true;
	card->typed[0] = '\0';
	return true;
}
