/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* In which modes of a phone a goal can begin. A part of doctor/plan.h. */
#include "phone/phone.h"

/* 0; or a negative errno with err set (ERROR_UNSUPPORTED): the mode, and what to do instead. */
int plan_check_mode(enum goal goal, const struct phone *phone, struct error *err);
