/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A job of the varlink interface (an object of type Job) in words, shared by the command line and
 * the console. Pure: nothing is printed. Texts are not cleaned for a terminal (screen_prose does
 * it for its own); allocated ones are the caller's, NULL only without memory.
 */
#include "face/screen_prose.h"
#include <stdbool.h>
#include <systemd/sd-json.h>

/* "Install iOS again, keeping the data: Anna's iPhone" */
char *job_text_title(sd_json_variant *job);

/* "running", "asks you", "done", "failed" …; never NULL, a constant. */
const char *job_text_state(sd_json_variant *job);
/* How loud that is. */
enum screen_role job_text_role(sd_json_variant *job);

/* It will not change any more. */
bool job_text_is_end(sd_json_variant *job);

/* "Step 3 of 9: Download the firmware" of the step at index, with its attempt from the second on;
 * "" if there is none. */
char *job_text_step(sd_json_variant *job, size_t index);

/* "Sending iOS to the phone: 34 percent, about 3 minutes left"; "" while nothing is known. */
char *job_text_progress(sd_json_variant *job);
/* 0…1000 of the present part; -1 not known. For a bar. */
int job_text_permille(sd_json_variant *job);

/* What the person is to do now: the job's guidance, or that the phone is awaited; "" nothing. */
char *job_text_guidance(sd_json_variant *job);

/* What has become of the data on the phone so far, a sentence; never NULL, a constant. */
const char *job_text_data(sd_json_variant *job);

/* A line a step: its number, label, and how it stands; why a failed one failed, what it found.
 * Steps that were left out for one reason share a line. */
void job_text_steps_add(sd_json_variant *job, struct screen_prose *prose);

/* How it stands, in a word: the message id, but for a step that was left out for a reason. */
const char *job_text_step_state(sd_json_variant *step, const char *id);
/* The last of the steps from index on that were all left out, without having been tried, for the
 * same reason; SIZE_MAX if that at index was not. */
size_t job_text_left_out(sd_json_variant *job, size_t index);
/* "6 to 38: left out, …" for steps first … last. */
char *job_text_left_out_line(sd_json_variant *job, size_t first, size_t last);

/* How long the person has for what is to be done now, "4:35"; "" no limit. wall_ms: now, ms since
 * the epoch. */
char *job_text_time_left(sd_json_variant *job, uint64_t wall_ms);
/* May the person answer the step that runs so? */
bool job_text_takes(sd_json_variant *job, bool yes);

/* Of a job that asks: the question, and the card of what a yes would do. Nothing else is added. */
void job_text_question_add(sd_json_variant *job, struct screen_prose *prose);

/* Of a job that has ended: how, why it failed and what to do next, what has become of the data,
 * what was proven, where the report is. */
void job_text_outcome_add(sd_json_variant *job, struct screen_prose *prose);
