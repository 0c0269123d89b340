/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lockdownd: GetValue, SetValue and RemoveValue; who may read and write what. */
#include <string.h>

#include "lockdown_verbs.h"

/* All that a trusted host reads in @domain (may be NULL); NULL: there is no such domain. */
static plist_t values_of(struct phone *p, const char *domain)
{
	plist_t values = domain ? domain_values(p, domain) : root_trusted_values(p);

	if (values)
		settings_overlay(&p->settings, domain, values);
	return values;
}

static plist_t value_of(struct phone *p, const char *domain, const char *key)
{
	plist_t values = values_of(p, domain), value = nullptr;

	if (values)
		value = plist_copy(plist_dict_get_item(values, key));
	plist_free(values);
	if (!value && !domain)
		value = root_named_value(p, key);
	return value;
}

/* For a host without a session. */
static plist_t stranger_value(struct phone *p, const char *key, const char **ret_error)
{
	plist_t values = root_stranger_values(p);
	plist_t value = plist_copy(plist_dict_get_item(values, key));

	plist_free(values);
	if (!value)
		value = root_named_value(p, key);
	if (value)
		return value;
	value = value_of(p, nullptr, key);
	*ret_error = value ? "GetProhibited" : "MissingValue";
	plist_free(value);
	return nullptr;
}

static struct answer value_answer(const char *key, plist_t value, const char *error)
{
	plist_t reply;

	if (!value)
		return answer_error(error);
	reply = plist_new_dict();
	if (key)
		dict_text(reply, "Key", key);
	plist_dict_set_item(reply, "Value", value);
	return (struct answer){ reply, nullptr };
}

struct answer verb_get_value(struct lockdown *l, plist_t request)
{
	const char *domain = plist_text(request, "Domain"), *key = plist_text(request, "Key");
	const char *error = "MissingValue";
	plist_t value;

	if (!lockdown_trusted(l)) {
		if (domain)
			return answer_error("GetProhibited");
		value =
		    key ? stranger_value(l->phone, key, &error) : root_stranger_values(l->phone);
		return value_answer(key, value, error);
	}
	value = key ? value_of(l->phone, domain, key) : values_of(l->phone, domain);
	if (!value && !key) /* nothing is known of that domain */
		value = plist_new_dict();
	return value_answer(key, value, error);
}

struct answer verb_set_value(struct lockdown *l, plist_t request)
{
	const char *domain = plist_text(request, "Domain"), *key = plist_text(request, "Key");
	plist_t value = plist_dict_get_item(request, "Value"), known;
	const char *error = nullptr;

	if (!key)
		return answer_error("MissingKey");
	if (!value)
		return answer_error("MissingValue");
	if (!domain && !strcmp(key, "UntrustedHostBUID")) {
		if (plist_get_node_type(value) != PLIST_STRING ||
		    strlen(plist_get_string_ptr(value, nullptr)) >= TRUST_ID_MAX)
			return answer_error("InvalidValue");
		trust_set_untrusted(&l->phone->trust, plist_get_string_ptr(value, nullptr));
	} else if (!lockdown_trusted(l)) {
		error = "SetProhibited";
	} else {
		known = value_of(l->phone, domain, key);
		error = settings_write(&l->phone->settings, domain, key, value, known);
		plist_free(known);
	}
	return value_answer(key, error ? nullptr : plist_copy(value), error);
}

struct answer verb_remove_value(struct lockdown *l, plist_t request)
{
	const char *domain = plist_text(request, "Domain"), *key = plist_text(request, "Key");
	const char *error;
	plist_t known, reply;

	if (!lockdown_trusted(l))
		return answer_error("SessionInactive");
	if (!key)
		return answer_error("MissingKey");
	known = value_of(l->phone, domain, key);
	error = settings_write(&l->phone->settings, domain, key, nullptr, known);
	plist_free(known);
	if (error)
		return answer_error(error);
	reply = plist_new_dict();
	dict_text(reply, "Key", key);
	return (struct answer){ reply, nullptr };
}
