/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Owns one entry for each handset that was reported, sorted: plugged-in ones in the order of their
 * ports, then those that left.
 *
 *        snapshot, added, changed                removed, not in a snapshot, service lost
 *   (new) ────────────────────────▶ here ──────────────────────────────────────▶ left ──▶
 * (forgotten) ▲                                            │  console_model_forget()
 *                                     └─────────────── reported again ─────────────┘
 *
 * Beside them stand the jobs (console_jobs.h), which outlive the phones they are about.
 *
 * Invariants: no two entries are the same handset, none of those that are here share a port;
 * tags rise and are never reused. The interface names a phone by its strongest key, which changes
 * when more is learned, so an entry is found by ECID, UDID or key, else, among phones that are
 * here, by its port.
 */
#include "face/console_model.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "phone/fleet.h"
#include "service/fields.h"
#include <errno.h>
#include <string.h>

struct console_model {
	enum console_link link;
	bool test, mux;
	char reason[ERROR_TEXT_BYTES];
	struct console_phone *phones; /* owned, with their objects */
	size_t count, present;        /* the first `present` of them are here */
	unsigned last_tag;
	struct console_jobs jobs;
};

int console_model_new(struct console_model **ret)
{
	struct console_model *model = calloc(1, sizeof(*model));

	if (!model)
		return -ENOMEM;
	model->mux = true;
	*ret = model;
	return 0;
}

static void phone_done(struct console_phone *phone)
{
	sd_json_variant_unref(phone->object);
	sd_json_variant_unref(phone->findings);
}

struct console_model *console_model_free(struct console_model *model)
{
	if (!model)
		return NULL;
	for (size_t i = 0; i < model->count; i++)
		phone_done(&model->phones[i]);
	free(model->phones);
	console_jobs_done(&model->jobs);
	free(model);
	return NULL;
}

static const char *object_text(sd_json_variant *object, const char *field)
{
	sd_json_variant *value = sd_json_variant_by_key(object, field);

	return value && sd_json_variant_is_string(value) ? sd_json_variant_string(value) : "";
}

/* True if both have the field and it is the same, or would be but for the case. */
static bool is_equal(sd_json_variant *a, sd_json_variant *b, const char *field)
{
	const char *text = object_text(a, field);

	return *text && text_equal_fold(text, object_text(b, field));
}

static bool is_different(sd_json_variant *a, sd_json_variant *b, const char *field)
{
	return *object_text(a, field) && *object_text(b, field) && !is_equal(a, b, field);
}

/* The entry that shares an identity, or the key, with the object. */
static struct console_phone *model_match(const struct console_model *model, sd_json_variant *object)
{
	for (size_t i = 0; i < model->count; i++) {
		sd_json_variant *known = model->phones[i].object;

		if (is_equal(known, object, "ecid") || is_equal(known, object, "udid") ||
		    is_equal(known, object, "key"))
			return &model->phones[i];
	}
	return NULL;
}

/* The entry that is here at the object's port and may be the same handset. */
static struct console_phone *model_match_port(const struct console_model *model,
					      sd_json_variant *object)
{
	for (size_t i = 0; i < model->count; i++) {
		struct console_phone *entry = &model->phones[i];

		if (!entry->left && is_equal(entry->object, object, "port") &&
		    !is_different(entry->object, object, "ecid") &&
		    !is_different(entry->object, object, "udid"))
			return entry;
	}
	return NULL;
}

/* One port holds one phone: who else was there has left, or turned out to be the same. */
static void model_vacate_port(struct console_model *model, const struct console_phone *keep)
{
	for (size_t i = 0; i < model->count; i++)
		if (&model->phones[i] != keep &&
		    is_equal(model->phones[i].object, keep->object, "port"))
			model->phones[i].left = true;
}

static int entry_compare(const void *a, const void *b)
{
	const struct console_phone *left = a, *right = b;
	int order;

	if (left->left != right->left)
		return left->left ? 1 : -1;
	order = strverscmp(console_phone_text(left, "port"), console_phone_text(right, "port"));
	return order ? order : (left->tag > right->tag) - (left->tag < right->tag);
}

static void model_sort(struct console_model *model)
{
	if (model->count)
		qsort(model->phones, model->count, sizeof(*model->phones), entry_compare);
	model->present = 0;
	while (model->present < model->count && !model->phones[model->present].left)
		model->present++;
}

static int model_grow(struct console_model *model, struct console_phone **ret)
{
	struct console_phone *phones;

	phones = reallocarray(model->phones, model->count + 1, sizeof(*phones));
	if (!phones)
		return -ENOMEM;
	model->phones = phones;
	*ret = &phones[model->count++];
	**ret = (struct console_phone){ .tag = ++model->last_tag };
	return 0;
}

static int model_take(struct console_model *model, sd_json_variant *object)
{
	struct console_phone *entry;

	if (!sd_json_variant_is_object(object))
		return -EBADMSG;
	entry = model_match(model, object);
	if (!entry)
		entry = model_match_port(model, object);
	if (!entry && model->count >= FLEET_PHONES_MAX)
		return 0;
	if (!entry && model_grow(model, &entry) < 0)
		return -ENOMEM;
	sd_json_variant_ref(object);
	sd_json_variant_unref(entry->object);
	entry->object = object;
	entry->due = true;
	entry->left = console_phone_presence(entry) == PRESENCE_GONE;
	if (!entry->left)
		model_vacate_port(model, entry);
	return 1;
}

static int model_snapshot(struct console_model *model, sd_json_variant *snapshot)
{
	sd_json_variant *phones = sd_json_variant_by_key(snapshot, "phones");
	sd_json_variant *test = sd_json_variant_by_key(snapshot, "test");
	sd_json_variant *mux = sd_json_variant_by_key(snapshot, "mux_up");
	int r;

	if (!phones || !sd_json_variant_is_array(phones))
		return -EBADMSG;
	r = console_jobs_snapshot(&model->jobs, field_array(snapshot, "jobs"));
	if (r < 0)
		return r;
	model->link = CONSOLE_LINK_UP;
	model->test = test && sd_json_variant_boolean(test);
	model->mux = !mux || sd_json_variant_boolean(mux);
	for (size_t i = 0; i < model->count; i++)
		model->phones[i].left = true;
	for (size_t i = 0; i < sd_json_variant_elements(phones); i++) {
		r = model_take(model, sd_json_variant_by_index(phones, i));
		if (r < 0)
			return r;
	}
	return 1;
}

/*
 * "removed": what it was last seen as stays readable. The port alone removes nothing: it may be the
 * end of an entry that the service merged into the one that is now there.
 */
static int model_remove(struct console_model *model, sd_json_variant *object)
{
	struct console_phone *entry = model_match(model, object);

	if (!entry || entry->left)
		return 0;
	entry->left = true;
	return 1;
}

static int model_mux(struct console_model *model, bool up)
{
	if (model->mux == up)
		return 0;
	model->mux = up;
	for (size_t i = 0; i < model->count; i++)
		model->phones[i].due = true;
	return 1;
}

int console_model_event(struct console_model *model, sd_json_variant *event)
{
	const char *kind = object_text(event, "kind");
	sd_json_variant *phone = sd_json_variant_by_key(event, "phone");
	int r = 0;

	if (phone && !sd_json_variant_is_object(phone))
		phone = NULL;
	if (strcmp(kind, "snapshot") == 0)
		r = model_snapshot(model, sd_json_variant_by_key(event, "snapshot"));
	else if (strcmp(kind, "added") == 0 || strcmp(kind, "changed") == 0)
		r = phone ? model_take(model, phone) : -EBADMSG;
	else if (strcmp(kind, "removed") == 0)
		r = phone ? model_remove(model, phone) : -EBADMSG;
	else if (strcmp(kind, "mux-up") == 0 || strcmp(kind, "mux-down") == 0)
		r = model_mux(model, strcmp(kind, "mux-up") == 0);
	else if (strcmp(kind, "job") == 0)
		r = console_jobs_take(&model->jobs, sd_json_variant_by_key(event, "job"));
	model_sort(model);
	return r;
}

int console_model_job(struct console_model *model, sd_json_variant *job)
{
	return console_jobs_take(&model->jobs, job);
}

static struct console_phone *model_by_tag(const struct console_model *model, unsigned tag)
{
	for (size_t i = 0; i < model->count; i++)
		if (model->phones[i].tag == tag)
			return &model->phones[i];
	return NULL;
}

int console_model_findings(struct console_model *model, unsigned tag, sd_json_variant *findings)
{
	struct console_phone *phone = model_by_tag(model, tag);

	if (!phone || !findings)
		return 0;
	if (!sd_json_variant_is_array(findings))
		return -EBADMSG;
	sd_json_variant_ref(findings);
	sd_json_variant_unref(phone->findings);
	phone->findings = findings;
	return 1;
}

void console_model_asked(struct console_model *model, unsigned tag)
{
	struct console_phone *phone = model_by_tag(model, tag);

	if (phone)
		phone->due = false;
}

void console_model_lost(struct console_model *model, const struct error *err)
{
	model->link = CONSOLE_LINK_LOST;
	text_copy(model->reason, sizeof(model->reason), err ? err->text : NULL);
	for (size_t i = 0; i < model->count; i++)
		model->phones[i].left = true;
	model_sort(model);
}

void console_model_forget(struct console_model *model, unsigned keep)
{
	size_t kept = model->present;

	for (size_t i = model->present; i < model->count; i++) {
		if (model->phones[i].tag == keep)
			model->phones[kept++] = model->phones[i];
		else
			phone_done(&model->phones[i]);
	}
	model->count = kept;
}

enum console_link console_model_link(const struct console_model *model)
{
	return model->link;
}

const char *console_model_reason(const struct console_model *model)
{
	return model->reason;
}

bool console_model_is_test(const struct console_model *model)
{
	return model->test;
}

bool console_model_has_mux(const struct console_model *model)
{
	return model->mux;
}

const struct console_jobs *console_model_jobs(const struct console_model *model)
{
	return &model->jobs;
}

sd_json_variant *console_model_job_of(const struct console_model *model,
				      const struct console_phone *phone)
{
	const struct console_jobs *jobs = &model->jobs;
	sd_json_variant *last = console_jobs_find(jobs, console_phone_text(phone, "job"));

	for (size_t i = 0; i < jobs->count; i++) {
		sd_json_variant *job = jobs->objects[i];

		if (last && (!console_job_ended(last) || console_job_ended(job)))
			continue;
		if (console_job_is_of(job, console_phone_text(phone, "key"),
				      console_phone_text(phone, "ecid"),
				      console_phone_text(phone, "udid")))
			last = job;
	}
	return last;
}

size_t console_model_count(const struct console_model *model)
{
	return model->present;
}

const struct console_phone *console_model_at(const struct console_model *model, size_t index)
{
	return index < model->present ? &model->phones[index] : NULL;
}

const struct console_phone *console_model_find(const struct console_model *model, unsigned tag)
{
	return model_by_tag(model, tag);
}

size_t console_model_index(const struct console_model *model, unsigned tag)
{
	for (size_t i = 0; i < model->present; i++)
		if (model->phones[i].tag == tag)
			return i;
	return SIZE_MAX;
}
