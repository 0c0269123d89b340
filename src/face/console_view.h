/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where the person is, and what a key does to that. Pages are a closed set; each has a file with
 * its keys and its layout (console_page_*.c).
 */
#include "doctor/diagnose.h"
#include "face/console_model.h"
#include "face/screen.h"

enum console_page {
	CONSOLE_PAGE_LIST,  /* the phones */
	CONSOLE_PAGE_PHONE, /* one phone: what is wrong with it, what can be done */
	CONSOLE_PAGE_FACTS, /* all that is known of it, and its buttons */
	CONSOLE_PAGE_CARD,  /* the card of a plan, and the consent to it */
	CONSOLE_PAGE_JOB,   /* one job: what is being done, what became of it */
	CONSOLE_PAGE_JOBS,  /* the jobs, also of phones that are not here */
	CONSOLE_PAGE_HINTS, /* what helps against one finding of the phone */
	CONSOLE_PAGE_SAYS,  /* what the phone's screen shows */
	CONSOLE_PAGE_MAX,
};

/* What the service is asked for the person; one at a time. */
enum console_ask {
	CONSOLE_ASK_NONE,
	CONSOLE_ASK_TRUST, /* CheckTrust of the chosen phone */
	CONSOLE_ASK_PLAN,
	CONSOLE_ASK_START,
	CONSOLE_ASK_QUESTION, /* Job: its question, with a consent that is fresh */
	CONSOLE_ASK_YES,      /* Answer */
	CONSOLE_ASK_NO,
	CONSOLE_ASK_DONE, /* Answer: the step that waits for the person is done */
	CONSOLE_ASK_CANCEL,
	CONSOLE_ASK_PAUSE, /* the download of a job */
	CONSOLE_ASK_RESUME,
	CONSOLE_ASK_SAYS, /* Diagnose, with what the phone's screen shows */
	CONSOLE_ASK_MAX,
};

enum { CONSOLE_NOTICE_BYTES = 640, CARD_TYPED_BYTES = 9 };

struct console_card {
	enum goal goal;
	char phone[PHONE_KEY_BYTES]; /* it was planned for; "" for a job's question */
	char job[JOB_ID_BYTES];      /* a yes answers this job's question; "" it starts a new one */
	sd_json_variant *plan;       /* owned: interface's type Plan; NULL while there is none */
	char typed[CARD_TYPED_BYTES];
	uint64_t until_ms; /* its consent is valid until then, clock_now_ms(); 0 it has none */
	bool expired;      /* the consent has run out */
	bool refused;      /* the service did not take the consent */
};

struct console_view {
	enum console_page page;
	bool resident;          /* a console that starts again: there is nothing to leave to */
	unsigned chosen;        /* tag of the chosen phone, 0 none */
	size_t index;           /* where it last stood in the list */
	unsigned top;           /* first phone, item or job of the list that is shown */
	unsigned item;          /* chosen item of the phone's page, job, finding, or answer */
	unsigned scroll;        /* first line of the text that is shown */
	unsigned visible;       /* phones or lines that the layout had room for; it fills this in */
	bool from_jobs;         /* the job was opened from the jobs, else from its phone */
	bool stopping;          /* the person is asked whether the job shall really be stopped */
	char job[JOB_ID_BYTES]; /* of the job's page */
	enum said said;         /* what the person says that the screen shows of the phone … */
	unsigned said_of;       /* … with this tag */
	struct console_card card;
	enum console_ask ask;              /* is under way */
	char notice[CONSOLE_NOTICE_BYTES]; /* what became of what was asked last; "" nothing */
};

enum console_reaction {
	CONSOLE_NOTHING, /* the screen stays as it is */
	CONSOLE_CHANGED, /* draw again */
	CONSOLE_REPAINT, /* draw all of it again: something else wrote on the terminal */
	CONSOLE_ASK,     /* draw again, and begin to ask what view->ask says */
	CONSOLE_LEAVE,
};

void console_view_done(struct console_view *view);

/* After the model changed: keeps the choice on the same phone, or its neighbour when it left.
 * While a page about it is open a phone stays chosen though it left. */
void console_view_follow(struct console_view *view, const struct console_model *model);

/* What was under way and view->ask no longer names, is to be given up. */
enum console_reaction console_view_input(struct console_view *view,
					 const struct console_model *model,
					 struct screen_input input);

/* True if the phone that is chosen must not be forgotten though it left. */
bool console_view_needs_phone(const struct console_view *view);

/* What the person said of the phone with this tag. */
enum said console_view_said(const struct console_view *view, unsigned tag);

/* --- for the pages */

void console_view_choose(struct console_view *view, const struct console_model *model,
			 size_t index);
/* Opens a page from its beginning, without a notice; what was asked is given up. */
void console_view_open(struct console_view *view, enum console_page page);
void console_view_open_job(struct console_view *view, sd_json_variant *job, bool from_jobs);
/* Asks the service; the notice of the last time goes. */
enum console_reaction console_view_ask(struct console_view *view, enum console_ask ask);
/* A number that a key moves within 0…most: by the page that is visible, by all, or by one. Returns
 * false for a key that moves nothing. */
bool console_view_move(const struct console_view *view, enum screen_key key, unsigned most,
		       unsigned *number);
void console_card_done(struct console_card *card);

enum console_reaction console_page_list_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input);
enum console_reaction console_page_phone_input(struct console_view *view,
					       const struct console_model *model,
					       struct screen_input input);
enum console_reaction console_page_card_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input);
enum console_reaction console_page_job_input(struct console_view *view,
					     const struct console_model *model,
					     struct screen_input input);
enum console_reaction console_page_jobs_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input);
enum console_reaction console_page_hints_input(struct console_view *view,
					       const struct console_model *model,
					       struct screen_input input);
enum console_reaction console_page_says_input(struct console_view *view,
					      const struct console_model *model,
					      struct screen_input input);
