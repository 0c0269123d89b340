/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The arrays that compile.py writes into tables.c. Only facts.c and advice.c include this.
 *
 *   models                 in the order of models.tsv; the indexes hold positions in it, sorted by
 *   models_by_chip         (cpid, bdid)
 *   models_by_product      product (strcmp), boards of one product in the order of the table
 *   models_by_board        board (strcmp; all in small letters)
 *   usb_ids                sorted by (vid, pid)
 *   mode_facts, button_facts, threshold_facts, timings_ms, family_names, tried_names   indexed by
 *                          their enum
 *   iboot_flags            sorted by mask
 *   messages               sorted by id (strcmp)
 *   goal_facts, step_facts, data_names, severity_names, confidence_names   indexed by their enum
 *   engine_steps           sorted by number
 *   findings, codes, engine_rules, log_rules   in the order of their files
 *   hints                  by rung, within one in the order of the file
 *   rung_names, place_names   indexed by their enum
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
extern const struct threshold_fact tables_threshold_facts[THRESHOLD_MAX];
extern const unsigned tables_timings_ms[TIMING_MAX];
extern const char *const tables_family_names[FAMILY_MAX];
extern const char *const tables_tried_names[TRIED_MAX];

extern const struct iboot_flag tables_iboot_flags[];
extern const size_t tables_iboot_flags_count;

extern const struct message tables_messages[];
extern const size_t tables_messages_count;

extern const struct goal_fact tables_goal_facts[GOAL_MAX];
extern const struct step_fact tables_step_facts[STEP_KIND_MAX];
extern const char *const tables_data_names[DATA_MAX];
extern const char *const tables_severity_names[SEVERITY_MAX];
extern const char *const tables_confidence_names[CONFIDENCE_MAX];

extern const struct finding_fact tables_findings[];
extern const size_t tables_findings_count;
extern const struct hint_fact tables_hints[];
extern const size_t tables_hints_count;
extern const char *const tables_rung_names[RUNG_MAX];
extern const char *const tables_place_names[PLACE_MAX];
extern const struct code_fact tables_codes[];
extern const size_t tables_codes_count;
extern const struct engine_step tables_engine_steps[];
extern const size_t tables_engine_steps_count;
extern const struct engine_rule tables_engine_rules[];
extern const size_t tables_engine_rules_count;
extern const struct log_rule tables_log_rules[];
extern const size_t tables_log_rules_count;
