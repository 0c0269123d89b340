/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A journal as anybody may have written it to the stick: it is refused, or the job can be told,
 * reported and carried on. */
#include "base/cleanup.h"
#include "base/log.h"
#include "doctor/job.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* One folder a process. */
static void name_folder(char ret[static 64])
{
	snprintf(ret, 64, "/tmp/idr-fuzz-journal-%d", (int)getpid());
}

static void remove_folder(void)
{
	char folder[64], path[96];

	name_folder(folder);
	snprintf(path, sizeof(path), "%s/journal.jsonl", folder);
	(void)unlink(path);
	(void)rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char folder[64];

	name_folder(folder);
	if (mkdir(folder, 0700) < 0)
		__builtin_trap();
	log_init("fuzz_journal", -1);
	return atexit(remove_folder);
}

/* A new file each time, so that nothing is left of the one before. */
static void write_journal(const char *folder, const uint8_t *data, size_t size)
{
	char path[96];
	FILE *out;

	snprintf(path, sizeof(path), "%s/journal.jsonl", folder);
	out = fopen(path, "w");
	if (!out)
		__builtin_trap();
	fwrite(data, 1, size, out);
	fclose(out);
}

static void tell(const struct job *job)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL, *report = NULL;
	_cleanup_free_ char *text = NULL;

	if (job_to_json(job, NULL, &object) < 0 || report_make(job, &report, &text) < 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(job_freep) struct job *job = NULL;
	struct error why;
	char folder[64];

	name_folder(folder);
	write_journal(folder, data, size);
	if (job_load(folder, &job, NULL) < 0)
		return 0;
	tell(job);
	/* no journal leads to an erase that begins without its consent */
	if (job_next(job) == JOB_ACTION_BEGIN_STEP && job_step_begin(job, NULL) == 0) {
		const struct plan *plan = job_plan(job);

		if (step_fact(plan->steps[job_step(job)].kind)->data == DATA_ERASED &&
		    !job_erase_consented(job))
			__builtin_trap();
	}
	error_set(&why, ERROR_ENGINE, "fuzz", 0, "it failed");
	(void)job_step_failed(job, &why, true);
	(void)job_cancel(job, NULL);
	tell(job);
	return 0;
}
