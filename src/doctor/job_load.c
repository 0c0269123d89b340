/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where jobs come from: a new folder, or one that is there. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/object.h"
#include "doctor/job_memory.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>
#include <time.h>

enum {
	JOB_ID_TRIES = 100,
	FOLDER_MODE = 0770, /* the worker that restores writes there; the rest is the umask's */
};

static int job_new(struct job **ret)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return -ENOMEM;
	job->folder_fd = -1;
	job->journal.fd = -1;
	job->state = JOB_DRAFT;
	job->closing = JOB_STATE_MAX;
	*ret = job;
	return 0;
}

struct job *job_free(struct job *job)
{
	if (!job)
		return NULL;
	journal_close(&job->journal);
	closep(&job->folder_fd);
	sd_json_variant_unref(job->facts);
	sd_json_variant_unref(job->proof);
	sd_json_variant_unref(job->notes);
	free(job->runs);
	free(job->folder);
	free(job);
	return NULL;
}

/* Kind of an errno of the file system, for a person. */
static enum error_kind kind_of(int r)
{
	switch (-r) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EFBIG:
		return ERROR_NO_SPACE;
	default:
		return ERROR_BUG;
	}
}

/* --- new */

/* "20261122-0612-x4k7": when, in UTC, and four random letters or digits. */
static int make_id(uint64_t wall_ms, char ret[static JOB_ID_BYTES])
{
	/* 32 of them, without those that look alike */
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	time_t seconds = (time_t)(wall_ms / 1000);
	unsigned char random[4];
	struct tm utc;
	size_t n;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	if (!gmtime_r(&seconds, &utc))
		return -EOVERFLOW;
	n = strftime(ret, JOB_ID_BYTES, "%Y%m%d-%H%M-", &utc);
	if (n == 0 || n + sizeof(random) >= JOB_ID_BYTES)
		return -EOVERFLOW;
	for (size_t i = 0; i < sizeof(random); i++)
		ret[n + i] = letters[random[i] % 32];
	ret[n + sizeof(random)] = '\0';
	return 0;
}

/* Makes a folder with an id that no other has. */
static int make_folder(int jobs_fd, uint64_t wall_ms, struct job *job)
{
	for (int i = 0; i < JOB_ID_TRIES; i++) {
		int r = make_id(wall_ms, job->id);

		if (r < 0)
			return r;
		if (mkdirat(jobs_fd, job->id, FOLDER_MODE) == 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

void job_boot(char ret[static JOB_BOOT_BYTES])
{
	sd_id128_t id;

	ret[0] = '\0';
	if (sd_id128_get_boot(&id) >= 0)
		(void)sd_id128_to_string(id, ret);
}

static int make_first(const struct job *job, const struct plan *plan, const char *consented,
		      uint64_t wall_ms, sd_json_variant **ret)
{
	struct object record = { 0 };
	sd_json_variant *field = NULL;
	char boot[JOB_BOOT_BYTES];

	job_boot(boot);
	object_number(&record, "v", 1);
	object_text(&record, "event", "created");
	object_number(&record, "time_ms", wall_ms);
	object_text(&record, "state", job_state_name(JOB_READY));
	object_text(&record, "id", job->id);
	object_text(&record, "boot", boot);
	object_text(&record, "consented", consented);
	object_check(&record, plan_to_record(plan, &field));
	object_take(&record, "plan", field);
	return object_end(&record, ret);
}

/* In the folder that was made: opens it, writes the journal, and takes its first record in. */
static int fill_folder(struct job *job, int jobs_fd, const struct plan *plan, const char *consented,
		       uint64_t wall_ms)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *first = NULL;
	int r;

	r = make_first(job, plan, consented, wall_ms, &first);
	if (r < 0)
		return r;
	job->folder_fd = openat(jobs_fd, job->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (job->folder_fd < 0)
		return -errno;
	r = journal_create(job->folder_fd, first, &job->journal);
	if (r < 0)
		return r;
	if (fsync(jobs_fd) < 0)
		return -errno;
	return job_apply(job, first);
}

static int create(struct job *job, int jobs_fd, const struct plan *plan, const char *consented)
{
	uint64_t wall_ms = clock_wall_ms();
	int r;

	r = make_folder(jobs_fd, wall_ms, job);
	if (r < 0)
		return r;
	r = fill_folder(job, jobs_fd, plan, consented, wall_ms);
	if (r < 0) {
		if (job->folder_fd >= 0)
			(void)unlinkat(job->folder_fd, JOURNAL_NAME, 0);
		(void)unlinkat(jobs_fd, job->id, AT_REMOVEDIR);
	}
	return r;
}

int job_create(const char *jobs_folder, const struct plan *plan, const char *consented,
	       struct job **ret, struct error *err)
{
	_cleanup_(job_freep) struct job *job = NULL;
	_cleanup_close_ int jobs_fd = -1;
	int r;

	if (plan_erases(plan) &&
	    (!consented || plan->confirm[0] == '\0' || strcasecmp(consented, plan->confirm) != 0))
		return error_set(err, ERROR_NO_CONSENT, "job", 0,
				 "this erases the phone and nobody has consented to it");
	r = job_new(&job);
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "job", -r, "no memory for a job");
	jobs_fd = open(jobs_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = jobs_fd < 0 ? -errno : create(job, jobs_fd, plan, consented);
	if (r >= 0 && asprintf(&job->folder, "%s/%s", jobs_folder, job->id) < 0) {
		job->folder = NULL;
		r = -ENOMEM;
	}
	if (r < 0) {
		error_set_errno(err, kind_of(r), "job", -r, "the job's folder cannot be written");
		return r;
	}
	*ret = TAKE(job);
	return 0;
}

/* --- there already */

static int take_line(sd_json_variant *line, void *user)
{
	return job_apply(user, line);
}

int job_load(const char *folder, struct job **ret, struct error *err)
{
	_cleanup_(job_freep) struct job *job = NULL;
	int r;

	r = job_new(&job);
	if (r >= 0 && !(job->folder = strdup(folder)))
		r = -ENOMEM;
	if (r < 0)
		return error_set_errno(err, ERROR_BUG, "job", -r, "no memory for a job");
	job->folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = job->folder_fd < 0 ? -errno
			       : journal_open(job->folder_fd, take_line, job, &job->journal);
	if (r >= 0 && job->state == JOB_DRAFT)
		r = -EBADMSG;
	if (r < 0) {
		error_set_errno(err, ERROR_BAD_FILE, "job", -r, "the journal in %s cannot be read",
				folder);
		return r;
	}
	*ret = TAKE(job);
	return 0;
}
