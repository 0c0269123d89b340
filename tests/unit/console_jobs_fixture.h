/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Findings, plans and jobs of the interface (service/interface.h), as JSON text. */
#include "console_fixture.h"

#define ZOE_ECID "0x001c1d0e3a91002e"
#define ZOE_KEY  "ecid:" ZOE_ECID

/* Zoë's phone with what a check of trust finds out; more: fields of the test. */
#define PHONE_ZOE_TRUSTED(more)                                                                    \
	"{\"key\":\"" ZOE_KEY "\",\"presence\":\"present\",\"mode\":\"normal\","                   \
	"\"trust\":\"trusted\",\"ecid\":\"" ZOE_ECID "\","                                         \
	"\"udid\":\"00008110-001C1D0E3A91002E\",\"name\":\"Zoë’s iPhone\","                        \
	"\"label\":\"Zoë’s iPhone\",\"product\":\"iPhone14,5\",\"board\":\"d17ap\","               \
	"\"model\":\"iPhone 13\",\"version\":\"17.5.1\",\"build\":\"21F90\","                      \
	"\"serial_number\":\"F2LMQDXYZ1\",\"capacity_bytes\":128000000000,"                        \
	"\"battery_percent\":81,\"battery_charging\":true,\"port\":\"1-2\","                       \
	"\"usb_id\":\"05ac:12a8\",\"speed_mbps\":480,\"hub_depth\":0,\"in_mux\":true" more         \
	",\"enumerations\":1}"

#define FINDINGS_STALE                                                                             \
	"[{\"id\":\"trust-stale\",\"severity\":\"problem\",\"title\":\"The phone does not know "   \
	"this computer any more\",\"meaning\":\"It refused the record that this computer has.\","  \
	"\"next\":\"Pair this computer anew.\",\"cost\":\"Nothing is lost.\",\"evidence\":"        \
	"\"lockdownd answered -21\",\"command\":\"trust reset " ZOE_KEY "\"},"                     \
	"{\"id\":\"slow\",\"severity\":\"warning\",\"title\":\"The link is slow\",\"meaning\":"    \
	"\"A restore takes longer.\",\"next\":\"Take another cable.\",\"cost\":\"Nothing is "      \
	"lost.\",\"evidence\":\"12 Mbit/s\"}]"

#define PLAN_STEP(kind, label, data)                                                               \
	"{\"kind\":\"" kind "\",\"label\":\"" label "\",\"data\":\"" data "\",\"optional\":false}"

#define PLAN(goal, label, lost, data, erases, more)                                                \
	"{\"goal\":\"" goal "\",\"label_goal\":\"" label "\",\"lost\":\"" lost                     \
	"\",\"data\":\"" data "\",\"phone\":\"" ZOE_KEY                                            \
	"\",\"label\":\"Zoë’s iPhone\",\"ecid\":\"" ZOE_ECID "\","                                 \
	"\"product\":\"iPhone14,5\",\"board\":\"d17ap\",\"mode\":\"normal\",\"firmware\":"         \
	"{\"product\":\"iPhone14,5\",\"version\":\"17.5.1\",\"build\":\"21F90\",\"name\":"         \
	"\"iPhone14,5_17.5.1_21F90_Restore.ipsw\",\"size\":7400000000,\"sources\":\"apple "        \
	"ipsw.me\",\"confirmed\":true},"                                                           \
	"\"signed\":{\"verdict\":\"signed\",\"at_ms\":1700000000000},\"variant\":\"Customer "      \
	"Install\",\"erases\":" erases ",\"need_bytes\":7400000000,\"room\":{\"folder\":\"/data\"" \
	",\"lasting\":true,\"free_bytes\":60000000000,\"ram_free_bytes\":3000000000},"             \
	"\"warnings\":[{\"id\":\"w\",\"text\":\"There is no backup of this phone here.\"}],"       \
	"\"steps\":[" PLAN_STEP("fetch", "Download the firmware", "kept") "," PLAN_STEP(           \
	    goal, label, data) "],\"network\":true" more "}"

#define PLAN_UPDATE                                                                                \
	PLAN("update", "Install iOS again, keeping the data", "Nothing should be lost.",           \
	     "at-risk", "false", "")
/* token_seconds: as in JSON. */
#define PLAN_ERASE(token, token_seconds)                                                           \
	PLAN("erase", "Install iOS again, erasing everything", "Everything is erased for good.",   \
	     "erased", "true",                                                                     \
	     ",\"confirm_hint\":\"the last four characters of the serial "                         \
	     "number\",\"token\":\"" token "\",\"token_seconds\":" token_seconds)

#define JOB_STEP(kind, label, state)                                                               \
	"{\"kind\":\"" kind "\",\"label\":\"" label "\",\"state\":\"" state "\",\"attempt\":1}"

/* A job of Zoë's phone that installs: a download that is over, the installing, a check. */
#define JOB(id, state, step, engine_state, more)                                                   \
	"{\"id\":\"" id "\",\"state\":\"" state "\",\"goal\":\"update\",\"phone\":\"" ZOE_KEY      \
	"\",\"label\":\"Zoë’s iPhone\",\"created_ms\":1700000000000,\"step\":" step                \
	",\"steps\":[" JOB_STEP("fetch", "Download the firmware", "done") "," JOB_STEP(            \
	    "update", "Install iOS, keeping the data",                                             \
	    engine_state) "," JOB_STEP("verify-system",                                            \
				       "Check that the phone runs the installed iOS",              \
				       "waiting") "],\"folder\":\"/data/jobs/" id "\"" more "}"

#define JOB_RUNNING(id)                                                                            \
	JOB(id, "running", "1", "running",                                                         \
	    ",\"data\":\"at-risk\",\"touched\":true,\"guidance\":\"Do not unplug the phone.\","    \
	    "\"progress\":{\"part\":\"upload-system\",\"done\":430,\"total\":1000,"                \
	    "\"unit\":\"permille\",\"rate\":5,\"remaining_s\":114}")
#define JOB_FETCHING(id, state, more)                                                              \
	"{\"id\":\"" id "\",\"state\":\"" state "\",\"goal\":\"firmware\",\"phone\":\"" ZOE_KEY    \
	"\",\"label\":\"Zoë’s "                                                                    \
	"iPhone\",\"created_ms\":1700000000000,\"step\":0,\"steps\":[" JOB_STEP(                   \
	    "fetch", "Download the firmware",                                                      \
	    "running") "," JOB_STEP("check", "Check that the firmware is whole",                   \
				    "waiting") "],\"folder\":\"/data/jobs/" id                     \
					       "\",\"data\":\"kept\",\"progress\":{\"part\":"      \
					       "\"download\","                                     \
					       "\"done\":3700000000,\"total\":7400000000,"         \
					       "\"unit\":\"bytes\"" more "}}"
#define JOB_ASKING(id)                                                                             \
	JOB(id, "asking", "1", "failed",                                                           \
	    ",\"data\":\"at-risk\",\"question\":{\"id\":\"question-erase-after-update\",\"text\":" \
	    "\"The update failed. Erase the phone and install iOS "                                \
	    "instead?\",\"plan\":" PLAN_ERASE("in-the-event", "900") "}")
#define JOB_DONE_PROVEN(id)                                                                        \
	JOB(id, "done", "2", "done",                                                               \
	    ",\"ended_ms\":1700000900000,\"data\":\"kept\",\"exit\":0,\"proof\":{\"name\":"        \
	    "\"Zoë’s iPhone\",\"serial_number\":\"F2LMQDXYZ1\",\"capacity_bytes\":128000000000,"   \
	    "\"version\":\"17.5.1\",\"build\":\"21F90\",\"media_entries\":9}")
#define JOB_FAILED_WITH(id, text)                                                                  \
	JOB(id, "failed", "1", "failed",                                                           \
	    ",\"ended_ms\":1700000900000,\"data\":\"kept\",\"exit\":10,\"error\":{\"kind\":"       \
	    "\"network\",\"origin\":\"curl\",\"code\":6,\"text\":\"" text                          \
	    "\",\"next\":\"Plug in the network cable.\"}")

#define EVENT_JOB(job) "{\"seq\":9,\"time_ms\":0,\"kind\":\"job\",\"job\":" job "}"
#define SNAPSHOT_JOBS(phones, jobs)                                                                \
	"{\"seq\":1,\"time_ms\":0,\"kind\":\"snapshot\",\"snapshot\":{\"seq\":1,\"time_ms\":0,"    \
	"\"version\":\"1\",\"test\":false,\"mux_up\":true,\"phones\":[" phones "],\"jobs\":[" jobs \
	"]}}"

/* The caller unrefs. */
static inline sd_json_variant *json_of(const char *text)
{
	sd_json_variant *value = NULL;
	unsigned line = 0, column = 0;

	if (sd_json_parse(text, 0, &value, &line, &column) < 0)
		fail_msg("test's own JSON is bad at %u:%u: %s", line, column, text);
	return value;
}
