/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "face/command.h"

/*
 * The command `console`: the phones live on this terminal, until the person leaves or the terminal
 * goes away. Keeps trying while the service is not there. Returns the exit status: 0, or that of
 * ERROR_UNSUPPORTED without a usable terminal.
 */
int console_run(const struct command_call *call);
