/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* This computer's own part of a network: addresses, a way out, the clock. Sends nothing. */
#include "worker/network_cause.h"

/* is_test: names lead to servers of a test, so that what this computer has means nothing. */
struct network_here network_here_look(bool is_test);
