/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Between a person's wish and the service: which call it is, and what its answer means. Pure. */
#include "face/console_view.h"

/*
 * The call that view->ask stands for: its method (a constant) and parameters (the caller unrefs).
 * Returns 0 or a negative errno: -ENODEV if what it is about is not there any more.
 */
int console_ask_make(const struct console_view *view, const struct console_model *model,
		     const char **ret_method, sd_json_variant **ret_parameters);

/*
 * The answer, as client_call.h tells it; view->ask is over. May open another page. Returns 0 or
 * -ENOMEM.
 */
int console_ask_answered(struct console_view *view, struct console_model *model,
			 sd_json_variant *reply, const struct error *err, uint64_t now_ms);

/* The findings in the answer to Diagnose of one phone; NULL if it has none. */
sd_json_variant *console_ask_findings(sd_json_variant *reply);

/* Time passes: a consent may run out. Returns true if that changed the page. */
bool console_ask_tick(struct console_view *view, uint64_t now_ms);
