/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/backup_output.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "worker/library_error.h"
#include <stdlib.h>
#include <string.h>

static const char origin[] = "idevicebackup2";
enum { CODE_ABSENT = -1, CODE_MAX = 100000, DECIMAL = 10 };

/* What the phone's backup agent answers: MBErrorDomain (backup-and-logs.md §1.12). */
static const struct {
	int code;
	enum error_kind kind;
	const char *text;
} codes[] = {
	{ 1, ERROR_REFUSED, "The phone refuses a backup now: unlock it and try again" },
	{ 4, ERROR_PROTOCOL, "A file of the backup was missing" },
	{ 11, ERROR_PROTOCOL, "A list of the backup could not be read" },
	{ 100, ERROR_PROTOCOL, "The phone cannot read one of its own files" },
	{ 102, ERROR_PROTOCOL, "The state of the backup could not be written" },
	{ 103, ERROR_PROTOCOL, "The state of the backup could not be written" },
	{ 104, ERROR_PROTOCOL, "The phone cannot read several of its own files" },
	{ 105, ERROR_NO_SPACE, "The phone wants more room for its backup than there is here" },
	{ 205, ERROR_PROTOCOL, "The backup's list of files does not fit its files" },
	{ 208, ERROR_LOCKED, "The passcode was not typed on the phone in time" },
	{ 212, ERROR_REFUSED, "The phone's setup is not finished" },
};

/* The number behind a word, which may follow a progress bar that had no newline; CODE_ABSENT if it
 * is not in the line. */
static int number_behind(const char *line, const char *word)
{
	const char *at = strstr(line, word);
	long value;
	char *end;

	if (!at)
		return CODE_ABSENT;
	at += strlen(word);
	value = strtol(at, &end, DECIMAL);
	return end == at || value < 0 || value > CODE_MAX ? CODE_ABSENT : (int)value;
}

static void trouble_code(struct backup_output *output, int code, const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		if (codes[i].code != code)
			continue;
		(void)error_set(&output->trouble, codes[i].kind, origin, code, "%s", codes[i].text);
		return;
	}
	(void)error_set(&output->trouble, ERROR_PROTOCOL, origin, code,
			"The phone ends the backup: %.160s", line);
}

/* The line as it is says it best. */
static void trouble_line(struct backup_output *output, enum error_kind kind, const char *line)
{
	(void)error_set(&output->trouble, kind, origin, 0, "idevicebackup2: %.200s", line);
}

static const struct {
	const char *part; /* anywhere in the line */
	enum error_kind kind;
} troubles[] = {
	{ "Password protected", ERROR_LOCKED },
	{ "No device found", ERROR_UNPLUGGED },
	{ "timeout while locking for sync", ERROR_BUSY },
	{ "could not lock file", ERROR_BUSY },
	{ "device refused to start the backup", ERROR_REFUSED },
	{ "Could not start service", ERROR_REFUSED },
	{ "ERROR:", ERROR_PROTOCOL },
	{ "Could not receive", ERROR_PROTOCOL },
	{ "Could not perform backup protocol", ERROR_PROTOCOL },
	{ "Error opening", ERROR_NO_SPACE },
	{ "No space left", ERROR_NO_SPACE },
};

static void look_for_trouble(struct backup_output *output, const char *line)
{
	static const char connect[] = "ERROR: Could not connect to lockdownd, error code -";
	int code = number_behind(line, "ErrorCode ");

	if (code > 0 && strstr(line, "cancelled")) {
		output->cancelled = true;
		return;
	}
	if (code > 0) {
		trouble_code(output, code, strstr(line, "ErrorCode "));
		return;
	}
	code = number_behind(line, connect);
	if (code > 0) {
		(void)lockdownd_error_set(&output->trouble, -code);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(troubles); i++) {
		if (!strstr(line, troubles[i].part))
			continue;
		trouble_line(output, troubles[i].kind, line);
		return;
	}
}

void backup_output_line(struct backup_output *output, const char *line)
{
	int received = number_behind(line, "Received ");

	if (strstr(line, "Waiting for passcode"))
		output->passcode = true;
	else if (strstr(line, "Requesting backup from device"))
		output->requested = true;
	else if (strstr(line, "Receiving files"))
		output->receiving = true;
	else if (strcmp(line, "Backup will be encrypted.") == 0)
		output->encrypted = BACKUP_ENCRYPTED;
	else if (strcmp(line, "Backup will be unencrypted.") == 0)
		output->encrypted = BACKUP_PLAIN;
	else if (received >= 0 && strstr(line, " files from device."))
		output->received = (unsigned)received;
	else if (strstr(line, "Backup Successful."))
		output->successful = true;
	else if (strstr(line, "Backup Aborted."))
		output->aborted = true;
	else if (strstr(line, "User has cancelled the backup"))
		output->cancelled = true;
	else if (output->trouble.kind == ERROR_NONE)
		look_for_trouble(output, line);
}

int backup_output_failed(const struct backup_output *output, int exit_status, struct error *err)
{
	enum { NOT_STARTED = 127, SIGNAL_BASE = 128 };
	const struct error *why = &output->trouble;

	if (output->cancelled)
		return error_set(err, ERROR_CANCELLED, origin, exit_status,
				 "The backup was cancelled on the phone");
	if (why->kind != ERROR_NONE)
		return error_set(err, why->kind, why->origin, why->code, "%s", why->text);
	if (exit_status == NOT_STARTED)
		return error_set(err, ERROR_UNSUPPORTED, origin, exit_status,
				 "idevicebackup2 is not installed");
	if (exit_status > SIGNAL_BASE)
		return error_set(err, ERROR_PROTOCOL, origin, exit_status,
				 "idevicebackup2 crashed on what the phone sent");
	if (output->aborted)
		return error_set(err, ERROR_PROTOCOL, origin, exit_status,
				 "The backup broke off: the phone ended the connection");
	if (output->successful)
		return error_set(
		    err, ERROR_PROTOCOL, origin, exit_status,
		    "idevicebackup2 holds the backup for good, but its files are not whole");
	return error_set(err, ERROR_PROTOCOL, origin, exit_status,
			 "The phone ended the backup before it was whole");
}
