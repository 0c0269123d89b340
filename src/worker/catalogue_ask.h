/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The sources' servers, asked at the same time. An answer that is some minutes old is as good as a
 * new one, so that thirty phones on a bench are one question; an older one is asked for by its
 * ETag.
 */
#include "worker/catalogue_store.h"

struct catalogue_question {
	enum catalogue_source source;
	char name[CATALOGUE_ANSWER_NAME_BYTES]; /* of the answer in the store */
	char url[HTTP_HOST_BYTES];
	/* afterwards */
	int result;                     /* 0: answered; or a negative errno with error set */
	struct catalogue_answer answer; /* status 200 or 404; owned */
	struct error error;
	bool is_new; /* it came over the network: keep it if it can be read */
};
void catalogue_question_done(struct catalogue_question *question);

/* What to ask of each source. */
struct catalogue_question catalogue_question_ipswme(const char *product);
struct catalogue_question catalogue_question_apple(void);
struct catalogue_question catalogue_question_gdmf(void);
struct catalogue_question catalogue_question_appledb(const char *product, const char *build);

/* Each has its own outcome; none takes longer than limit_s. */
void catalogue_ask(struct http *http, const struct catalogue_store *store,
		   struct catalogue_question *questions, size_t count, unsigned limit_s);

/* The answer could be read: it is kept for the next who ask. */
void catalogue_question_keep(const struct catalogue_store *store,
			     const struct catalogue_question *question);
