/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The arrays that compile.py writes into tables.c. Only facts.c includes this.
 *
 *   models                 in the order of models.tsv; the indexes hold positions in it, sorted by
 *   models_by_chip         (cpid, bdid)
 *   models_by_product      product (strcmp), boards of one product in the order of the table
 *   models_by_board        board (strcmp; all in small letters)
 *   usb_ids                sorted by (vid, pid)
 *   mode_facts, button_facts, timings_ms, family_names, tried_names   indexed by their enum
 *   iboot_flags            sorted by mask
 *   messages               sorted by id (strcmp)
 */
#include "facts/facts.h"

extern const struct model tables_models[];
extern const size_t tables_models_count;
extern const uint16_t tables_models_by_chip[];
extern const uint16_t tables_models_by_product[];
extern const uint16_t tables_models_by_board[];

extern const struct usb_id tables_usb_ids[];
extern const size_t tables_usb_ids_count;

extern const struct mode_fact tables_mode_facts[MODE_MAX];
extern const struct button_fact tables_button_facts[BUTTONS_MAX];
extern const unsigned tables_timings_ms[TIMING_MAX];
extern const char *const tables_family_names[FAMILY_MAX];
extern const char *const tables_tried_names[TRIED_MAX];

extern const struct iboot_flag tables_iboot_flags[];
extern const size_t tables_iboot_flags_count;

extern const struct message tables_messages[];
extern const size_t tables_messages_count;
