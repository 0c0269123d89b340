/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lookups in the doctor's tables: goals, steps, findings, codes, what the engine says. */
#include "facts/facts.h"
#include "facts/tables.h"
#include <stdlib.h>
#include <string.h>

const char *data_name(enum data data)
{
	return tables_data_names[data];
}

const struct goal_fact *goal_fact(enum goal goal)
{
	return &tables_goal_facts[goal];
}

const char *goal_name(enum goal goal)
{
	return tables_goal_facts[goal].id;
}

enum goal goal_from_name(const char *name)
{
	for (size_t i = 0; i < GOAL_MAX; i++)
		if (name && strcmp(tables_goal_facts[i].id, name) == 0)
			return tables_goal_facts[i].goal;
	return GOAL_MAX;
}

const struct step_fact *step_fact(enum step_kind kind)
{
	return &tables_step_facts[kind];
}

const char *step_name(enum step_kind kind)
{
	return tables_step_facts[kind].id;
}

enum step_kind step_from_name(const char *name)
{
	for (size_t i = 0; i < STEP_KIND_MAX; i++)
		if (name && strcmp(tables_step_facts[i].id, name) == 0)
			return tables_step_facts[i].step_kind;
	return STEP_KIND_MAX;
}

const char *severity_name(enum severity severity)
{
	return tables_severity_names[severity];
}

const struct finding_fact *finding_find(const char *id)
{
	for (size_t i = 0; i < tables_findings_count; i++)
		if (id && strcmp(tables_findings[i].id, id) == 0)
			return &tables_findings[i];
	return NULL;
}

const struct finding_fact *finding_all(size_t *ret_count)
{
	*ret_count = tables_findings_count;
	return tables_findings;
}

const char *confidence_name(enum confidence confidence)
{
	return tables_confidence_names[confidence];
}

const struct code_fact *code_all(size_t *ret_count)
{
	*ret_count = tables_codes_count;
	return tables_codes;
}

const struct code_fact *code_of_word(const char *word)
{
	char *end;
	long long value = strtoll(word, &end, 0);
	bool number = *word != '\0' && *end == '\0';

	for (size_t i = 0; i < tables_codes_count; i++) {
		const struct code_fact *code = &tables_codes[i];

		if (number ? code->value == value && code->last == value
			   : strcmp(code->name, word) == 0)
			return code;
	}
	return NULL;
}

const struct engine_step *engine_step(unsigned number)
{
	for (size_t i = 0; i < tables_engine_steps_count; i++)
		if (tables_engine_steps[i].number == number)
			return &tables_engine_steps[i];
	return NULL;
}

const struct engine_step *engine_step_all(size_t *ret_count)
{
	*ret_count = tables_engine_steps_count;
	return tables_engine_steps;
}

const struct engine_rule *engine_rule_all(size_t *ret_count)
{
	*ret_count = tables_engine_rules_count;
	return tables_engine_rules;
}

const struct log_rule *log_rule_all(size_t *ret_count)
{
	*ret_count = tables_log_rules_count;
	return tables_log_rules;
}
