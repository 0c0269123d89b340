/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "env.h"

#include <errno.h>
#include <string.h>

#include "text.h"

static struct env_variable *variable_find(struct env *env, const char *name)
{
	for (unsigned i = 0; i < env->count; i++)
		if (!strcmp(env->variables[i].name, name))
			return &env->variables[i];
	return nullptr;
}

const char *env_get(const struct env *env, const char *name)
{
	for (unsigned i = 0; i < env->count; i++)
		if (!strcmp(env->variables[i].name, name))
			return env->variables[i].value;
	return nullptr;
}

void env_unset(struct env *env, const char *name)
{
	struct env_variable *v = variable_find(env, name);

	if (v)
		*v = env->variables[--env->count];
}

/* Also takes an empty value. */
static int env_put(struct env *env, const char *name, const char *value, bool transient)
{
	struct env_variable *v = variable_find(env, name);

	if (strlen(name) >= ENV_NAME_BYTES || strlen(value) >= ENV_VALUE_BYTES ||
	    (!v && env->count == ENV_VARIABLES))
		return -ENOSPC;
	if (!v)
		v = &env->variables[env->count++];
	text_copy(v->name, sizeof(v->name), name);
	text_copy(v->value, sizeof(v->value), value);
	v->transient = transient;
	return 0;
}

int env_set(struct env *env, const char *name, const char *value)
{
	if (*value)
		return env_put(env, name, value, false);
	env_unset(env, name);
	return 0;
}

int env_set_transient(struct env *env, const char *name, const char *value)
{
	if (*value)
		return env_put(env, name, value, true);
	env_unset(env, name);
	return 0;
}

void env_save(struct env *to, const struct env *from)
{
	to->count = 0;
	for (unsigned i = 0; i < from->count; i++)
		if (!from->variables[i].transient)
			to->variables[to->count++] = from->variables[i];
}

void env_clear(struct env *env)
{
	for (unsigned i = env->count; i-- > 0;)
		if (!env->variables[i].transient)
			env->variables[i] = env->variables[--env->count];
}

int env_change(struct env *changes, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[ENV_NAME_BYTES];

	if (!strcmp(text, "none")) {
		changes->count = 0;
		return 0;
	}
	if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name))
		return -EINVAL;
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	return env_put(changes, name, equals + 1, true);
}

void env_apply(struct env *env, const struct env *changes)
{
	for (unsigned i = 0; i < changes->count; i++)
		env_set_transient(env, changes->variables[i].name, changes->variables[i].value);
}
