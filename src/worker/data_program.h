/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "base/error.h"

/*
 * Runs a program of the system to its end, with `input` (NULL none) on its standard input; what it
 * says on standard output is passed over, standard error is the journal's. Returns 0, or a negative
 * errno with err set: it cannot be started, takes longer than a minute (it is killed then), or ends
 * with another status than 0.
 */
int data_program_run(const char *const argv[], const char *input, struct error *err);
