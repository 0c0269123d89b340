/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One sweep serves all levels:
 *
 *   file ──▶ every byte ─────────▶ SHA-1, SHA-256          level 1
 *      └───▶ members unpacked ───▶ CRC (archive)           level 2
 *                      └─────────▶ digests of this path    level 3
 *
 * Owns the digests that the manifest names, sorted by path, and while a member comes by one
 * computation for each digest of its path: the same file may stand there under two types.
 *
 * Invariants: [first, last) are the digests of the member that comes by, empty between members;
 * computations[i] belongs to digests[first + i]; each digest has exactly one outcome at the end,
 * "unlike" only where the hash of the whole file is vouched for.
 */
#include "worker/check_proof.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/object.h"
#include "base/text.h"
#include "worker/digest.h"
#include "worker/im4p.h"
#include "worker/manifest_digest.h"
#include "worker/reply.h"
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

enum {
	TOGETHER_MAX = 64, /* digests of one path */
	PROGRESS_MS = 500,
	NAMES_MAX = 200, /* of skipped parts that are told */
};

enum outcome { OUTCOME_NONE, OUTCOME_MATCHED, OUTCOME_SKIPPED, OUTCOME_UNLIKE };

struct proof {
	const struct proof_wish *wish;
	struct digest *whole; /* NULL: not asked for */
	uint64_t hashed;      /* bytes in it */
	struct manifest_digest *digests;
	size_t count;
	enum outcome *outcomes; /* of the digests */
	size_t first, last;
	EVP_MD_CTX *computations[TOGETHER_MAX]; /* NULL: not compared */
	bool is_begin; /* of the member: its first piece is still to come */
	bool is_im4p;
	uint64_t checked; /* members whose checksum was right */
	uint64_t total;   /* bytes of the file */
	uint64_t told_ms; /* when progress was told; 0 never */
};

static void computations_end(struct proof *proof)
{
	for (size_t i = 0; i < TOGETHER_MAX; i++) {
		EVP_MD_CTX_free(proof->computations[i]);
		proof->computations[i] = NULL;
	}
}

static void proof_done(struct proof *proof)
{
	computations_end(proof);
	digest_free(proof->whole);
	free(proof->digests);
	free(proof->outcomes);
}

static int no_memory(struct error *err)
{
	return error_set_errno(err, ERROR_BUG, "worker", ENOMEM, "A digest");
}

/* --- one member */

static void digests_find(struct proof *proof, const char *path)
{
	size_t low = 0, high = proof->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(proof->digests[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	proof->first = proof->last = low;
	while (proof->last < proof->count && strcmp(proof->digests[proof->last].path, path) == 0)
		proof->last++;
}

static const EVP_MD *algorithm(size_t bytes)
{
	return bytes == 20 ? EVP_sha1() : bytes == 32 ? EVP_sha256() : EVP_sha384();
}

static int member_begin(void *context, const char *name, uint64_t bytes, struct error *err)
{
	struct proof *proof = context;

	proof->is_begin = true;
	proof->is_im4p = false;
	digests_find(proof, name);
	if (proof->last - proof->first > TOGETHER_MAX)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "BuildManifest.plist vouches for %.80s in more ways than any real "
				 "one. Do not use the file",
				 name);
	for (size_t i = proof->first; i < proof->last; i++) {
		const struct manifest_digest *digest = &proof->digests[i];
		EVP_MD_CTX *computation;

		if (!digest->digest)
			continue;
		computation = EVP_MD_CTX_new();
		proof->computations[i - proof->first] = computation;
		if (!computation ||
		    EVP_DigestInit_ex(computation, algorithm(digest->bytes), NULL) != 1)
			return no_memory(err);
	}
	return 0;
}

/* The first piece of an IM4P under another type. */
static int retyped_add(EVP_MD_CTX *computation, const uint8_t *bytes, size_t n, size_t type_at,
		       const char *type)
{
	size_t behind = type_at + IM4P_TYPE_BYTES;

	return EVP_DigestUpdate(computation, bytes, type_at) == 1 &&
		       EVP_DigestUpdate(computation, type, IM4P_TYPE_BYTES) == 1 &&
		       EVP_DigestUpdate(computation, bytes + behind, n - behind) == 1
		   ? 0
		   : -ENOMEM;
}

static int member_data(void *context, const void *bytes, size_t n, struct error *err)
{
	struct proof *proof = context;
	bool is_begin = proof->is_begin;
	size_t type_at = 0;

	if (proof->first == proof->last)
		return 0;
	if (is_begin)
		proof->is_im4p = im4p_find_type(bytes, n, &type_at);
	proof->is_begin = false;
	for (size_t i = proof->first; i < proof->last; i++) {
		EVP_MD_CTX *computation = proof->computations[i - proof->first];
		const char *type = proof->digests[i].type;
		int r;

		if (!computation)
			continue;
		if (is_begin && type && proof->is_im4p)
			r = retyped_add(computation, bytes, n, type_at, type);
		else
			r = EVP_DigestUpdate(computation, bytes, n) == 1 ? 0 : -ENOMEM;
		if (r < 0)
			return no_memory(err);
	}
	return 0;
}

static int digest_judge(struct proof *proof, size_t number, struct error *err)
{
	const struct manifest_digest *digest = &proof->digests[number];
	EVP_MD_CTX *computation = proof->computations[number - proof->first];
	uint8_t found[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	proof->outcomes[number] = OUTCOME_SKIPPED;
	if (!computation)
		return 0;
	if (EVP_DigestFinal_ex(computation, found, &n) != 1)
		return no_memory(err);
	if (n == digest->bytes && memcmp(found, digest->digest, n) == 0) {
		proof->outcomes[number] = OUTCOME_MATCHED;
		return 0;
	}
	if (digest->is_foreign && !proof->is_im4p)
		return 0;
	if (proof->wish->vouched && proof->whole) {
		proof->outcomes[number] = OUTCOME_UNLIKE; /* whole_judge() has the last word */
		return 0;
	}
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "%.100s in the firmware file is not what BuildManifest.plist vouches for "
			 "(%s): the file was changed. Do not use it, download it again",
			 digest->path, digest->component);
}

static int member_end(void *context, struct error *err)
{
	struct proof *proof = context;
	int r = 0;

	proof->checked++;
	for (size_t i = proof->first; r == 0 && i < proof->last; i++)
		r = digest_judge(proof, i, err);
	if (proof->first != proof->last)
		computations_end(proof);
	proof->first = proof->last = 0;
	return r;
}

/* --- the whole */

/* Told at most twice a second; whether anybody listens is the lifeline's. */
static void progress(void *context, uint64_t done)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *fields = NULL;
	struct proof *proof = context;
	uint64_t now = clock_now_ms();

	if (proof->told_ms != 0 && now - proof->told_ms < PROGRESS_MS)
		return;
	proof->told_ms = now;
	if (sd_json_buildo(&fields, SD_JSON_BUILD_PAIR_UNSIGNED("done", done),
			   SD_JSON_BUILD_PAIR_UNSIGNED("total", proof->total)) >= 0)
		(void)reply_event("progress", fields);
}

static int whole_add(void *context, const void *bytes, size_t n)
{
	struct proof *proof = context;

	proof->hashed += n;
	progress(proof, proof->hashed);
	return digest_add(proof->whole, bytes, n);
}

/* What the identities name and the file does not have: no proof, and the restore would stop. Unless
 * Apple publishes it so: whole_judge() has the last word on that. */
static int missing_check(struct proof *proof, const struct archive *archive, struct error *err)
{
	struct archive_member member;

	for (size_t i = 0; i < proof->count; i++) {
		const struct manifest_digest *digest = &proof->digests[i];

		if (archive_find(archive, digest->path, &member))
			continue;
		proof->outcomes[i] = OUTCOME_SKIPPED;
		if (!digest->digest || digest->is_foreign)
			continue;
		proof->outcomes[i] = OUTCOME_UNLIKE;
		if (!proof->wish->vouched || !proof->whole)
			return error_set(err, ERROR_BAD_FILE, "worker", 0,
					 "The firmware file lacks a part that the restore needs: "
					 "%.120s. Download it again",
					 digest->path);
	}
	return 0;
}

static int proof_begin(struct proof *proof, struct archive *archive, struct error *err)
{
	const struct proof_wish *wish = proof->wish;
	int r;

	proof->total = archive_size(archive);
	if ((wish->known->sha1[0] || wish->known->sha256[0]) && digest_new(&proof->whole) < 0)
		return no_memory(err);
	if (wish->level < PROOF_DIGESTS)
		return 0;
	r = manifest_digests(wish->manifest, wish->board, &proof->digests, &proof->count, err);
	if (r < 0)
		return r;
	proof->outcomes = calloc(proof->count + 1, sizeof(*proof->outcomes));
	return proof->outcomes ? missing_check(proof, archive, err) : no_memory(err);
}

static int whole_judge(const struct proof *proof, struct error *err)
{
	if (!proof->whole || digest_fits(proof->whole, proof->wish->known))
		return 0;
	return error_set(err, ERROR_BAD_FILE, "worker", 0,
			 "The firmware file is damaged, or another one: its %s is not the one that "
			 "is known of it. Download it again",
			 proof->wish->known->sha256[0] ? "SHA-256" : "SHA-1");
}

/* --- telling */

static uint64_t outcomes_count(const struct proof *proof, enum outcome outcome)
{
	uint64_t count = 0;

	for (size_t i = 0; i < proof->count; i++)
		count += proof->outcomes[i] == outcome;
	return count;
}

static int names_build(const struct proof *proof, enum outcome outcome, sd_json_variant **ret)
{
	size_t told = 0;
	int r = sd_json_variant_new_array(ret, NULL, 0);

	for (size_t i = 0; r >= 0 && told < NAMES_MAX && i < proof->count; i++) {
		if (proof->outcomes[i] != outcome)
			continue;
		told++;
		r = sd_json_variant_append_arrayb(
		    ret, SD_JSON_BUILD_STRING(proof->digests[i].component));
	}
	return r;
}

static void names_tell(const struct proof *proof, enum outcome outcome, const char *name,
		       struct object *object)
{
	sd_json_variant *names = NULL;

	object_check(object, names_build(proof, outcome, &names));
	object_take(object, name, names);
}

static void digests_tell(const struct proof *proof, struct object *object)
{
	uint64_t unlike = outcomes_count(proof, OUTCOME_UNLIKE);
	struct object digests = {};
	sd_json_variant *built = NULL;

	object_number(&digests, "matched", outcomes_count(proof, OUTCOME_MATCHED));
	object_number(&digests, "skipped", outcomes_count(proof, OUTCOME_SKIPPED));
	names_tell(proof, OUTCOME_SKIPPED, "skipped_names", &digests);
	if (unlike > 0) {
		object_number(&digests, "unlike", unlike);
		names_tell(proof, OUTCOME_UNLIKE, "unlike_names", &digests);
	}
	object_check(object, object_end(&digests, &built));
	object_take(object, "digests", built);
}

static unsigned level_reached(const struct proof *proof)
{
	unsigned level = proof->wish->level;

	if (level == PROOF_DIGESTS && (outcomes_count(proof, OUTCOME_MATCHED) == 0 ||
				       outcomes_count(proof, OUTCOME_UNLIKE) > 0))
		level = PROOF_CHECKSUMS;
	return level == PROOF_HASH && !proof->whole ? PROOF_STRUCTURE : level;
}

static int proof_tell(const struct proof *proof, const struct archive *archive,
		      sd_json_variant **ret, struct error *err)
{
	struct object object = {};
	int r;

	object_number(&object, "level", level_reached(proof));
	object_flag(&object, "structure", true);
	if (proof->whole)
		object_flag(&object, "hash", true);
	object_number(&object, "members", archive_members(archive));
	object_number(&object, "crc", proof->checked);
	if (proof->wish->level >= PROOF_DIGESTS)
		digests_tell(proof, &object);
	r = object_end(&object, ret);
	return r < 0 ? error_set_errno(err, ERROR_BUG, "worker", -r, "Cannot build the proof") : 0;
}

int proof_make(struct archive *archive, const struct proof_wish *wish, sd_json_variant **ret,
	       struct error *err)
{
	_cleanup_(proof_done) struct proof proof = { .wish = wish };
	struct archive_sink sink = {
		.data = member_data, .end = member_end, .progress = progress, .context = &proof
	};
	int r;

	if (wish->level == PROOF_STRUCTURE)
		return proof_tell(&proof, archive, ret, err);
	r = proof_begin(&proof, archive, err);
	if (r < 0)
		return r;
	sink.file = proof.whole ? whole_add : NULL;
	sink.begin = wish->level >= PROOF_CHECKSUMS ? member_begin : NULL;
	r = archive_sweep(archive, &sink, err);
	if (r == 0)
		r = whole_judge(&proof, err);
	return r < 0 ? r : proof_tell(&proof, archive, ret, err);
}
