/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <string.h>

#include "phone.h"
#include "restore/run_parts.h"

enum { ANSWER_PATIENCE_MS = 300000 };

/* Data types without which this release refuses the host, see checkpoint 0x655. */
static const struct {
	unsigned ios;
	const char *names;
} required[] = {
	{ 0, "SystemImageData,RootTicket,NORData,KernelCache" },
	{ 15, "SystemImageRootHash,SystemImageCanonicalMetadata" },
	{ 16, "FirmwareUpdaterPreflight,SourceBootObjectV4" },
	{ 18, "MessageUseStreamedImageFile,URLAsset" },
};

/* Whether @types lacks one of the names in @names (with commas); it goes to @ret_name. */
static bool type_missing(plist_t types, const char *names, char ret_name[64])
{
	while (*names) {
		size_t len = strcspn(names, ",");

		snprintf(ret_name, 64, "%.*s", (int)len, names);
		if (len > 0 && (!types || !plist_dict_get_item(types, ret_name)))
			return true;
		names += len + (names[len] == ',');
	}
	return false;
}

static void check_host(struct run *r)
{
	plist_t types = plist_dict_get_item(r->options, "SupportedDataTypes");
	const char *knob = r->phone->scenario.restore.required_types;
	char name[64], why[160];
	bool missing;

	if (types && plist_get_node_type(types) != PLIST_DICT)
		types = nullptr;
	missing = type_missing(types, knob, name);
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]) && !missing && !*knob; i++)
		if (r->choice.ios >= required[i].ios)
			missing = type_missing(types, required[i].names, name);
	if (!missing) {
		run_answered(r, nullptr);
		return;
	}
	snprintf(why, sizeof(why), "This host version is unsupported. Please upgrade. (%s)", name);
	run_fail(r, run_step(r)->status, why);
}

static void crash(struct run *r)
{
	static const char *const lines[] = { "0   restored_external  0x0000000102c1f4a8",
					     "1   restored_external  0x0000000102c3b2d0",
					     "2   libsystem_pthread.dylib  0x00000001f0a5d338" };
	plist_t message, backtrace;

	if (!r->phone->scenario.restore.crashes) {
		run_answered(r, nullptr);
		return;
	}
	message = run_message("RestoredCrash");
	backtrace = plist_new_array();
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		plist_array_append_item(backtrace, plist_new_string(lines[i]));
	plist_dict_set_item(message, "RestoredBacktrace", backtrace);
	run_say(r, message);
	r->exit_status = RUN_STATUS_FAILED;
	run_after_failure(r);
}

static void baseband_tell(struct run *r)
{
	bool accepted = r->phone->scenario.restore.baseband == BASEBAND_ACCEPT;

	for (unsigned done = 0; done < 2; done++) {
		plist_t message = run_message("BBUpdateStatusMsg"), output = plist_new_dict();
		plist_t provisioning = plist_new_dict();

		plist_dict_set_item(provisioning, "IMEI",
				    plist_new_string(r->phone->identity.imei));
		plist_dict_set_item(output, "done", plist_new_bool(done));
		plist_dict_set_item(output, "provisioning", provisioning);
		plist_dict_set_item(message, "Accepted", plist_new_bool(accepted));
		plist_dict_set_item(message, "Output", output);
		run_say(r, message);
		if (!accepted)
			break;
	}
	run_answered(r, accepted ? nullptr : "the baseband refuses its firmware");
}

static void old_log_tell(struct run *r)
{
	if (r->exit_log.len > 0) {
		plist_t message = run_message("PreviousRestoreLogMsg");

		plist_dict_set_item(message, "PreviousRestoreLog",
				    plist_new_string(buf_text(&r->exit_log)));
		run_say(r, message);
	}
	run_answered(r, nullptr);
}

static void format(struct run *r)
{
	r->phone->system.partial = true;
	if (r->choice.kind == INSTALL_ERASE)
		phone_erase(r->phone);
	run_answered(r, nullptr);
}

static void answer_late(void *user)
{
	run_answered(user, "the host does not answer");
}

void run_act(struct run *r)
{
	const struct step *s = run_step(r);

	r->state = RUN_ASKING;
	timer_arm(r->phone->timers, &r->patience, ANSWER_PATIENCE_MS, answer_late, r);
	switch (s->act) {
	case ACT_NOTHING:
		run_answered(r, nullptr);
		return;
	case ACT_CHECK_HOST:
		check_host(r);
		return;
	case ACT_ASK:
		request_begin(&r->request, r, s);
		return;
	case ACT_PROXY:
	case ACT_CLAIM_PARTS:
		fdr_use(&r->fdr);
		return;
	case ACT_OLD_LOG:
		old_log_tell(r);
		return;
	case ACT_ATTEST:
		run_say(r, run_message("RestoreAttestation"));
		return;
	case ACT_FORMAT:
		format(r);
		return;
	case ACT_BASEBAND:
		baseband_tell(r);
		return;
	case ACT_CRASH:
		crash(r);
		return;
	case ACT_FINISH:
		run_finish(r);
		return;
	}
}
