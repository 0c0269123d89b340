/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods that look for what is wrong, plan what can be done, and do it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "doctor/diagnose.h"
#include "service/server_parts.h"
#include <errno.h>
#include <string.h>

/* --- replies --------------------------------------------------------------------------------- */

static int reply_refused(sd_varlink *link, const struct error *err)
{
	const struct message *next = message_for_error(err->kind);

	return sd_varlink_errorbo(
	    link, INTERFACE_ERROR_REFUSED,
	    SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
	    SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
	    SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
	    SD_JSON_BUILD_PAIR_STRING("text", err->text),
	    SD_JSON_BUILD_PAIR_CONDITION(next != NULL, "next",
					 SD_JSON_BUILD_STRING(next ? next->text : "")));
}

static int reply_no_job(sd_varlink *link, const char *id)
{
	return sd_varlink_errorbo(link, INTERFACE_ERROR_NO_SUCH_JOB,
				  SD_JSON_BUILD_PAIR_STRING("id", id));
}

static int findings_build(const struct server *server, const struct phone *phone,
			  sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	struct circumstances circumstances = {
		.phone = phone,
		.problem = phone ? asker_problem(server->options.asker, phone) : NULL,
		.mux_up = server->mux_up,
	};
	struct finding findings[FINDINGS_MAX];
	size_t count = diagnose(&circumstances, findings);
	int r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);

	for (size_t i = 0; r >= 0 && i < count; i++) {
		_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;

		r = finding_to_json(&findings[i], phone, &object);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, object);
	}
	if (r >= 0)
		*ret = TAKE(array);
	return r;
}

/* --- Diagnose, CheckTrust -------------------------------------------------------------------- */

static int diagnosis_add(const struct server *server, const struct phone *phone,
			 sd_json_variant **array)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *findings = NULL, *object = NULL;
	int r = findings_build(server, phone, &findings);

	if (r >= 0 && phone)
		r = phone_to_json(phone, &object);
	if (r < 0)
		return r;
	return sd_json_variant_append_arraybo(
	    array,
	    SD_JSON_BUILD_PAIR_CONDITION(object != NULL, "phone", SD_JSON_BUILD_VARIANT(object)),
	    SD_JSON_BUILD_PAIR_VARIANT("findings", findings));
}

static int diagnose_all(const struct server *server, sd_json_variant **array)
{
	const struct fleet *fleet = server->options.fleet;
	int r = 0;

	if (fleet_count(fleet) == 0)
		return diagnosis_add(server, NULL, array);
	for (size_t i = 0; r >= 0 && i < fleet_count(fleet); i++)
		r = diagnosis_add(server, fleet_at(fleet, i), array);
	return r;
}

#define TEXT_FIELD(type, name, flags)                                                              \
	{ #name, SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,                            \
	  offsetof(struct type, name), flags }
#define MUST (SD_JSON_MANDATORY | SD_JSON_REFUSE_NULL)

struct phone_parameters {
	const char *phone;
};

int on_diagnose(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(phone_parameters, phone, SD_JSON_NULLABLE),
		{},
	};
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	struct phone_parameters p = { 0 };
	const struct server *server = user;
	const struct phone *phone;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	if (p.phone) {
		r = find_phone(server, link, p.phone, &phone);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	r = sd_json_build(&array, SD_JSON_BUILD_EMPTY_ARRAY);
	if (r >= 0)
		r = p.phone ? diagnosis_add(server, phone, &array) : diagnose_all(server, &array);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("diagnoses", array));
}

static int reply_trust(const struct server *server, sd_varlink *link, const struct phone *phone)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *findings = NULL;
	int r = phone_to_json(phone, &object);

	if (r >= 0)
		r = findings_build(server, phone, &findings);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("phone", object),
				  SD_JSON_BUILD_PAIR_VARIANT("findings", findings));
}

static void on_trust_asked(const struct phone *phone, const struct error *err, void *user)
{
	struct pending *pending = user;
	struct error left;

	if (!err && !phone) {
		(void)error_set(&left, ERROR_UNPLUGGED, "service", 0,
				"it left the USB bus meanwhile");
		err = &left;
	}
	if (err)
		(void)reply_not_answered(pending->link, pending->wanted, err);
	else
		(void)reply_trust(pending->server, pending->link, phone);
	pending_end(pending);
}

int on_check_trust(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
		   void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(phone_parameters, phone, MUST),
		{},
	};
	struct phone_parameters p = { 0 };
	struct server *server = user;
	const struct phone *phone;
	struct pending *pending;
	struct error err;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	r = find_phone(server, link, p.phone, &phone);
	if (r != 0)
		return r < 0 ? r : 0;
	pending = pending_new(server, link, p.phone);
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	if (asker_ask(server->options.asker, phone, ASK_TRUST, on_trust_asked, pending, &err) < 0) {
		pending_end(pending);
		return reply_not_answered(link, p.phone, &err);
	}
	return 0;
}

/* --- Plan, Start ----------------------------------------------------------------------------- */

/* The plan as the interface shows it; one that erases gets a token. job: "" or whose question. */
static int card_build(const struct server *server, const struct plan *plan, const char *job,
		      sd_json_variant **ret)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *card = NULL;
	char token[CONSENT_TOKEN_BYTES];
	int r = plan_to_json(plan, &card);

	if (r >= 0 && plan_erases(plan)) {
		r = consent_mint(server->options.consents, plan, job, clock_now_ms(), token);
		if (r >= 0)
			r = sd_json_variant_set_field_string(&card, "token", token);
		if (r >= 0)
			r = sd_json_variant_set_field_unsigned(&card, "token_seconds",
							       timing_ms(TIMING_CONSENT) / 1000);
	}
	if (r >= 0)
		*ret = TAKE(card);
	return r;
}

static int reply_job(const struct server *server, sd_varlink *link, const char *id)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	int r = jobs_build(server->options.jobs, id, &object);

	if (r == -ENOENT)
		return reply_no_job(link, id);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("job", object));
}

/* The plan is carried out if nothing stands in the way; an erase uses up its consent. */
static int start_plan(const struct pending *pending, const struct plan *plan)
{
	const struct server_options *options = &pending->server->options;
	const char *consented = NULL;
	char id[JOB_ID_BYTES];
	struct error err;
	int r = 0;

	if (plan_erases(plan)) {
		r = consent_use(options->consents, pending->consent ?: "", pending->confirm ?: "",
				plan, "", clock_now_ms(), &err);
		consented = pending->confirm;
	}
	if (r >= 0)
		r = jobs_start(options->jobs, plan, consented, id, &err);
	if (r < 0)
		return reply_refused(pending->link, &err);
	return reply_job(pending->server, pending->link, id);
}

static int reply_plan(const struct pending *pending, const struct plan *plan)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *card = NULL;
	int r = card_build(pending->server, plan, "", &card);

	if (r < 0)
		return sd_varlink_error_errno(pending->link, r);
	return sd_varlink_replybo(pending->link, SD_JSON_BUILD_PAIR_VARIANT("plan", card));
}

static void on_planned(const struct plan *plan, const struct error *err, void *user)
{
	struct pending *pending = user;

	if (err)
		(void)reply_refused(pending->link, err);
	else if (pending->start)
		(void)start_plan(pending, plan);
	else
		(void)reply_plan(pending, plan);
	pending_end(pending);
}

struct plan_parameters {
	const char *phone, *product, *goal, *build, *file, *consent, *confirm;
};

static const sd_json_dispatch_field plan_table[] = {
	TEXT_FIELD(plan_parameters, phone, SD_JSON_NULLABLE),
	TEXT_FIELD(plan_parameters, product, SD_JSON_NULLABLE),
	TEXT_FIELD(plan_parameters, goal, MUST),
	TEXT_FIELD(plan_parameters, build, SD_JSON_NULLABLE),
	TEXT_FIELD(plan_parameters, file, SD_JSON_NULLABLE),
	TEXT_FIELD(plan_parameters, consent, SD_JSON_NULLABLE),
	TEXT_FIELD(plan_parameters, confirm, SD_JSON_NULLABLE),
	{},
};

/* What may not be asked for; NULL if all is well. */
static const char *bad_parameter(const struct plan_parameters *p, enum goal goal, bool start)
{
	if (goal == GOAL_MAX)
		return "goal";
	if (!p->phone && (!p->product || goal != GOAL_FIRMWARE))
		return "phone";
	if (p->phone && p->product)
		return "product";
	if (p->product && strlen(p->product) >= IDENTITY_TEXT_BYTES)
		return "product";
	if (p->build && strlen(p->build) >= FIRMWARE_TEXT_BYTES)
		return "build";
	if (!start && p->consent)
		return "consent";
	if (!start && p->confirm)
		return "confirm";
	return NULL;
}

static struct pending *pending_plan(struct server *server, sd_varlink *link,
				    const struct plan_parameters *p, bool start)
{
	struct pending *pending = pending_new(server, link, p->phone ?: "");

	if (!pending)
		return NULL;
	pending->start = start;
	if ((p->consent && !(pending->consent = strdup(p->consent))) ||
	    (p->confirm && !(pending->confirm = strdup(p->confirm)))) {
		pending_end(pending);
		return NULL;
	}
	return pending;
}

static int plan_or_start(struct server *server, sd_varlink *link, sd_json_variant *parameters,
			 bool start)
{
	struct plan_parameters p = { 0 };
	struct planner_request request = { 0 };
	struct pending *pending;
	const char *bad;
	int r;

	r = sd_varlink_dispatch(link, parameters, plan_table, &p);
	if (r != 0)
		return r;
	request.goal = goal_from_name(p.goal);
	bad = bad_parameter(&p, request.goal, start);
	if (bad)
		return sd_varlink_error_invalid_parameter_name(link, bad);
	if (p.phone) {
		r = find_phone(server, link, p.phone, &request.phone);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	pending = pending_plan(server, link, &p, start);
	if (!pending)
		return sd_varlink_error_errno(link, -ENOMEM);
	request.product = p.product;
	request.build = p.build;
	request.file = p.file;
	planner_plan(server->options.planner, &request, on_planned, pending);
	return 0;
}

int on_plan(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	    void *user)
{
	return plan_or_start(user, link, parameters, false);
}

int on_start(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	     void *user)
{
	return plan_or_start(user, link, parameters, true);
}

/* --- jobs ------------------------------------------------------------------------------------ */

int on_jobs(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	    void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *array = NULL;
	const struct server *server = user;
	int r;

	r = sd_varlink_dispatch(link, parameters, NULL, NULL);
	if (r != 0)
		return r;
	r = jobs_build_all(server->options.jobs, false, &array);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("jobs", array));
}

struct job_parameters {
	const char *id;
	int yes;
	const char *consent, *confirm;
};

static int dispatch_id(sd_varlink *link, sd_json_variant *parameters, struct job_parameters *ret)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(job_parameters, id, MUST),
		{},
	};

	return sd_varlink_dispatch(link, parameters, table, ret);
}

/* Who looks at the job may answer its question: the plan in it gets a token. */
static int give_token(const struct server *server, const char *id, sd_json_variant **object)
{
	const struct question *question = jobs_question(server->options.jobs, id);
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *card = NULL, *field = NULL;
	int r;

	if (!question)
		return 0;
	r = card_build(server, &question->plan, id, &card);
	if (r < 0)
		return r;
	field = sd_json_variant_ref(sd_json_variant_by_key(*object, "question"));
	r = sd_json_variant_set_field(&field, "plan", card);
	return r < 0 ? r : sd_json_variant_set_field(object, "question", field);
}

int on_job(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	   void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	const struct server *server = user;
	struct job_parameters p = { 0 };
	int r;

	r = dispatch_id(link, parameters, &p);
	if (r != 0)
		return r;
	r = jobs_build(server->options.jobs, p.id, &object);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	if (r >= 0)
		r = give_token(server, p.id, &object);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("job", object));
}

int on_cancel(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user)
{
	const struct server *server = user;
	struct job_parameters p = { 0 };
	struct error err;
	int r;

	r = dispatch_id(link, parameters, &p);
	if (r != 0)
		return r;
	r = jobs_cancel(server->options.jobs, p.id, &err);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	return r < 0 ? reply_refused(link, &err) : reply_job(server, link, p.id);
}

/* Checks the consent and hands the answer on. -ENOENT: no such job. */
static int answer(const struct server *server, const struct job_parameters *p, struct error *err)
{
	const struct question *question = jobs_question(server->options.jobs, p->id);
	int r;

	if (p->yes == 0)
		return jobs_answer(server->options.jobs, p->id, NULL, err);
	if (question && plan_erases(&question->plan)) {
		r = consent_use(server->options.consents, p->consent ?: "", p->confirm ?: "",
				&question->plan, p->id, clock_now_ms(), err);
		if (r < 0)
			return r;
	}
	return jobs_answer(server->options.jobs, p->id, p->confirm ?: "", err);
}

int on_answer(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user)
{
	static const sd_json_dispatch_field table[] = {
		TEXT_FIELD(job_parameters, id, MUST),
		{ "yes", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		  offsetof(struct job_parameters, yes), MUST },
		TEXT_FIELD(job_parameters, consent, SD_JSON_NULLABLE),
		TEXT_FIELD(job_parameters, confirm, SD_JSON_NULLABLE),
		{},
	};
	const struct server *server = user;
	struct job_parameters p = { 0 };
	struct error err;
	int r;

	r = sd_varlink_dispatch(link, parameters, table, &p);
	if (r != 0)
		return r;
	r = answer(server, &p, &err);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	return r < 0 ? reply_refused(link, &err) : reply_job(server, link, p.id);
}

int on_report(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *report = NULL;
	_cleanup_free_ char *text = NULL;
	const struct server *server = user;
	struct job_parameters p = { 0 };
	int r;

	r = dispatch_id(link, parameters, &p);
	if (r != 0)
		return r;
	r = jobs_report(server->options.jobs, p.id, &report, &text);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("report", report),
				  SD_JSON_BUILD_PAIR_STRING("text", text));
}
