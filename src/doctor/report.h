/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The text of a report, made of its object alone, so that both say the same. For report.c. */
#include <systemd/sd-json.h>

/* 0 or a negative errno; the caller frees *ret. */
int report_to_text(sd_json_variant *report, char **ret);
