/* SPDX-License-Identifier: GPL-3.0-or-later */
/* iBoot's environment: names and values, some of which never reach NVRAM. */
#pragma once

enum {
	ENV_VARIABLES = 64,
	ENV_NAME_BYTES = 64,
	ENV_VALUE_BYTES = 256,
};

struct env {
	unsigned count;
	struct env_variable {
		char name[ENV_NAME_BYTES];
		char value[ENV_VALUE_BYTES];
		bool transient; /* made by iBoot or setenvnp: not saved */
	} variables[ENV_VARIABLES];
};

/* NULL if unset. */
const char *env_get(const struct env *env, const char *name);
/* -ENOSPC if it does not fit; an empty value unsets. */
int env_set(struct env *env, const char *name, const char *value);
int env_set_transient(struct env *env, const char *name, const char *value);
void env_unset(struct env *env, const char *name);

/* What a saveenv writes: @to becomes @from without what is transient. */
void env_save(struct env *to, const struct env *from);
/* Forgets all that is not transient. */
void env_clear(struct env *env);

/*
 * A list of changes to be made to an environment, written NAME=VALUE; an empty value removes.
 * env_change() adds one, "none" empties the list. -EINVAL, -ENOSPC.
 */
int env_change(struct env *changes, const char *text);
void env_apply(struct env *env, const struct env *changes);
