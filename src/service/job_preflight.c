/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The work of the steps network and sign: what could make an installation fail half-way is asked
 * before the phone is touched.
 *
 *   network  one server that is needed fails: the job fails, with the cause in words. The one that
 *            only the phone talks to is told of and passed over: restores succeed without it
 *            (reference: idevicerestore.md §5). A probe that itself fails is no evidence.
 *   sign     not signed: the job fails. Unknown: it goes on, and says so.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "service/fields.h"
#include "service/job_run.h"
#include "service/sign.h"
#include <stdio.h>
#include <string.h>

enum { HOST_BYTES = 256, HOSTS_MAX = 4 };

/* --- network --------------------------------------------------------------------------------- */

/* "updates.cdn-apple.com" of "https://updates.cdn-apple.com/x"; "" for what is no such address. */
static void host_of(const char *url, char ret[static HOST_BYTES])
{
	const char *host = strstr(url, "://");
	size_t n = host ? strcspn(host + 3, "/:?#") : 0;

	ret[0] = '\0';
	if (n > 0 && n < HOST_BYTES)
		snprintf(ret, HOST_BYTES, "%.*s", (int)n, host + 3);
}

/* Those that this job will need, and the one that its phone will ask. */
static int build_hosts(const struct run *run, sd_json_variant **ret)
{
	const struct plan *plan = job_plan(run->job);
	char download[HOST_BYTES] = "", mirror[STORAGE_URL_BYTES];
	char tickets[] = "gs.apple.com", phone[] = "gg.apple.com", keys[] = "wkms-public.apple.com";
	char *hosts[HOSTS_MAX + 1] = { tickets, phone };
	size_t count = 2;

	if (plan_is_online_to_the_end(plan))
		hosts[count++] = keys;
	/* a shop's own server may have it: whether Apple's is needed, the download finds out */
	if (plan->firmware.path[0] == '\0' && !storage_mirror(run->jobs->options.storage, mirror))
		host_of(plan->firmware.url, download);
	if (download[0] != '\0')
		hosts[count++] = download;
	return sd_json_buildo(ret, SD_JSON_BUILD_PAIR_STRV("hosts", hosts));
}

/* The first that fails, NULL none; of those that the phone alone talks to, or of the others. */
static sd_json_variant *failing_host(sd_json_variant *hosts, bool phones)
{
	for (size_t i = 0; i < sd_json_variant_elements(hosts); i++) {
		sd_json_variant *host = sd_json_variant_by_index(hosts, i);

		if (field_is(host, "state", "fails") &&
		    field_is(host, "purpose", "phone") == phones)
			return host;
	}
	return NULL;
}

static void fail_network(struct run *run, sd_json_variant *host)
{
	const char *text = field_string(host, "text");
	struct error err;

	(void)error_set(&err, ERROR_NETWORK, "network", 0, "%s",
			text && *text ? text : "a server that is needed cannot be reached");
	run_step_failed(run, &err, true);
}

static void on_network_end(sd_json_variant *result, const struct error *err, void *user)
{
	_cleanup_free_ char *found = NULL;
	struct run *run = user;
	sd_json_variant *hosts = field_array(result, "hosts"), *facts = NULL;

	run->link = worker_link_free(run->link);
	if (hosts && failing_host(hosts, false)) {
		fail_network(run, failing_host(hosts, false));
		return;
	}
	if (hosts) {
		sd_json_variant *unheard = failing_host(hosts, true);

		if (unheard)
			found = message_format("job-network-phone", "text",
					       field_string(unheard, "text"), NULL);
		(void)sd_json_buildo(
		    &facts, SD_JSON_BUILD_PAIR_VARIANT("hosts", hosts),
		    SD_JSON_BUILD_PAIR_CONDITION(found != NULL, "found",
						 SD_JSON_BUILD_STRING(found ? found : "")));
		run_step_done(run, facts, false);
		return;
	}
	found = message_format("job-network-unknown", "text", err ? err->text : "no answer", NULL);
	(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_STRING("found", found ? found : ""));
	run_step_done(run, facts, false);
}

void work_network(struct run *run, const struct phone *phone)
{
	sd_json_variant *fields = NULL;
	int r = build_hosts(run, &fields);

	work_ask(run, "network", r, fields, NULL, on_network_end);
}

/* --- sign ------------------------------------------------------------------------------------ */

bool work_signing(const struct run *run, struct signing *ret)
{
	sd_json_variant *facts = job_facts(run->job, STEP_SIGN);

	return signing_from_json(sd_json_variant_by_key(facts, "signed"), ret) >= 0;
}

static void on_sign_end(sd_json_variant *result, const struct error *err, void *user)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct run *run = user;
	sd_json_variant *facts = NULL;
	struct signing signing;
	const char *found;

	run->link = worker_link_free(run->link);
	signing_take(result, err, clock_wall_ms(), &signing);
	if (signing.verdict == SIGN_NOT_SIGNED) {
		run_step_fail(run, ERROR_NOT_SIGNED, false, signing.text);
		return;
	}
	found = signing.verdict == SIGN_UNKNOWN ? signing.text : message_find("job-sign-yes")->text;
	if (signing_to_json(&signing, &object) >= 0)
		(void)sd_json_buildo(&facts, SD_JSON_BUILD_PAIR_VARIANT("signed", object),
				     SD_JSON_BUILD_PAIR_STRING("found", found));
	run_step_done(run, facts, false);
}

void work_sign(struct run *run, const struct phone *phone)
{
	const struct plan *plan = job_plan(run->job);
	char path[FIRMWARE_PATH_BYTES];
	sd_json_variant *fields = NULL;
	struct sign_question question = {
		.product = plan->product,
		.board = plan->board,
		.ecid = plan->ecid,
		.variant = plan->variant.name,
		.firmware = &plan->firmware,
		.path = path,
	};
	int r;

	if (!run_firmware_path(run, path)) {
		run_step_fail(run, ERROR_BUG, false, "the path of the firmware is too long");
		return;
	}
	r = sign_build(&question, &fields);
	work_ask(run, "sign", r, fields, NULL, on_sign_end);
}
