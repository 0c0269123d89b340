/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The methods that plan what can be done, and do it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/server_parts.h"
#include <errno.h>
#include <string.h>

/* --- replies --------------------------------------------------------------------------------- */

/* What to do next. A refusal of our own is none of the phone's. */
static const struct message *next_of(const struct error *err)
{
	bool ours = strcmp(err->origin, "job") == 0 || strcmp(err->origin, "planner") == 0;

	return ours && err->kind == ERROR_REFUSED ? message_find("refused-here")
						  : message_for_error(err->kind);
}

int reply_refused(sd_varlink *link, const struct error *err)
{
	const struct message *next = next_of(err);

	return reply_refused_next(link, err, next ? next->text : NULL);
}

int reply_refused_next(sd_varlink *link, const struct error *err, const char *next)
{
	return sd_varlink_errorbo(
	    link, INTERFACE_ERROR_REFUSED,
	    SD_JSON_BUILD_PAIR_STRING("kind", error_kind_name(err->kind)),
	    SD_JSON_BUILD_PAIR_STRING("origin", err->origin),
	    SD_JSON_BUILD_PAIR_INTEGER("code", err->code),
	    SD_JSON_BUILD_PAIR_STRING("text", err->text),
	    SD_JSON_BUILD_PAIR_CONDITION(next != NULL, "next", SD_JSON_BUILD_STRING(next)));
}

static int reply_no_job(sd_varlink *link, const char *id)
{
	return sd_varlink_errorbo(link, INTERFACE_ERROR_NO_SUCH_JOB,
				  SD_JSON_BUILD_PAIR_STRING("id", id));
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

	if (drops_check(pending->server, plan, &err) < 0)
		return reply_refused_next(pending->link, &err,
					  message_find("plan-drops-next")->text);
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
	drops_show(pending->server, plan);
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
	jobs_look(server->options.jobs);
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
	jobs_look(server->options.jobs);
	r = jobs_build(server->options.jobs, p.id, &object);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	if (r >= 0)
		r = give_token(server, p.id, &object);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("job", object));
}

/* Of a job that cannot be changed though it may be: no memory, a journal that is too long. */
static void unchanged(struct error *err)
{
	(void)error_set(err, ERROR_BUG, "job", 0, "the job cannot be changed now. Try again");
}

/* One of the methods that take an id, change the job and answer with it. */
static int change_job(const struct server *server, sd_varlink *link, sd_json_variant *parameters,
		      int (*change)(struct jobs *jobs, const char *id, struct error *err))
{
	struct job_parameters p = { 0 };
	struct error err;
	int r;

	r = dispatch_id(link, parameters, &p);
	if (r != 0)
		return r;
	unchanged(&err);
	r = change(server->options.jobs, p.id, &err);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	return r < 0 ? reply_refused(link, &err) : reply_job(server, link, p.id);
}

int on_cancel(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user)
{
	return change_job(user, link, parameters, jobs_cancel);
}

int on_pause(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	     void *user)
{
	return change_job(user, link, parameters, jobs_pause);
}

int on_resume(sd_varlink *link, sd_json_variant *parameters, sd_varlink_method_flags_t flags,
	      void *user)
{
	return change_job(user, link, parameters, jobs_resume);
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
	unchanged(&err);
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
	jobs_look(server->options.jobs);
	r = jobs_report(server->options.jobs, p.id, &report, &text);
	if (r == -ENOENT)
		return reply_no_job(link, p.id);
	if (r < 0)
		return sd_varlink_error_errno(link, r);
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("report", report),
				  SD_JSON_BUILD_PAIR_STRING("text", text));
}
