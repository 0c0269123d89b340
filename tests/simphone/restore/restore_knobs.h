/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a scenario may say about a restore; keys and help: scenario.c. */
#pragma once

#include <stdint.h>

enum fdr_rule { FDR_ACCEPT, FDR_REFUSE, FDR_NONE, FDR_OLD };
enum restore_steps { RESTORE_STEPS_FULL, RESTORE_STEPS_MINIMUM };
enum baseband_rule { BASEBAND_ACCEPT, BASEBAND_REFUSE };

/* The phone after it told the host that the restore failed. */
enum after_status {
	AFTER_STATUS_REBOOT,   /* as phones do */
	AFTER_STATUS_STAY,     /* connected and silent for five minutes */
	AFTER_STATUS_PROGRESS, /* one more message, from which some hosts conclude that all is well
				*/
};

/* Which install's ramdisk a phone has that the scenario puts into restore mode. */
enum ramdisk_rule { RAMDISK_NONE, RAMDISK_ERASE, RAMDISK_UPDATE };

struct restore_knobs {
	enum ramdisk_rule ramdisk;
	char status[32]; /* "N", "N:AMRERROR" or "N:none"; empty: no failure */
	enum after_status after_status;
	char fail_at[64]; /* CHECKPOINT or CHECKPOINT:RESULT */
	bool crashes;     /* RestoredCrash near the end */
	bool never_ready; /* restored does not listen */
	enum restore_steps steps;
	char required_types[256]; /* data types the host must know, instead of the release's own */
	bool asr_silent;          /* accepts the connection, says nothing */
	enum fdr_rule fdr;
	char fdr_host[128];  /* HOST:PORT to fetch from through the proxy */
	char url_asset[256]; /* URL of the key that the host is asked to fetch */
	enum baseband_rule baseband;
};
