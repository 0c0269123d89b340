/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/restore_check.h"
#include "base/cleanup.h"
#include "worker/archive.h"
#include "worker/manifest.h"
#include "worker/property_list.h"
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

/* besides the system image: the phone's logs, personalized parts, our own files */
static const uint64_t SPARE_BYTES = 64ULL << 20;

static const char manifest_name[] = "BuildManifest.plist";

/* What all identities of the asked variant have in common. */
struct found {
	size_t count;
	bool wrong;        /* one of them erases where it should not, or the reverse */
	uint64_t unpacked; /* room that the largest system image needs when it is unpacked */
};

static void identity_look(plist_t identity, const struct restore_request *request,
			  const struct archive *archive, struct found *found)
{
	plist_t info = property_list_dict(identity, "Info");
	plist_t os = property_list_dict(property_list_dict(identity, "Manifest"), "OS");
	const char *variant = property_list_text(info, "Variant");
	const char *behavior = property_list_text(info, "RestoreBehavior");
	const char *path = property_list_text(property_list_dict(os, "Info"), "Path");
	struct archive_member member;

	if (!variant || strcmp(variant, request->variant) != 0)
		return;
	found->count++;
	/* what says neither is not what anybody consented to */
	if (!behavior || strcmp(behavior, request->erase ? "Erase" : "Update") != 0)
		found->wrong = true;
	if (path && archive_find(archive, path, &member) && member.packed &&
	    member.bytes > found->unpacked)
		found->unpacked = member.bytes;
}

static int found_judge(const struct found *found, const struct restore_request *request,
		       struct error *err)
{
	if (found->count == 0)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file has no variant \"%.100s\"", request->variant);
	if (found->wrong && !request->erase)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file's variant \"%.100s\" would erase the phone, "
				 "whose data is to stay",
				 request->variant);
	if (found->wrong)
		return error_set(err, ERROR_BAD_FILE, "worker", 0,
				 "The firmware file's variant \"%.100s\" is none that erases",
				 request->variant);
	return 0;
}

static int space_check(int folder_fd, uint64_t bytes, struct error *err)
{
	struct statvfs room;
	uint64_t free_bytes;

	if (fstatvfs(folder_fd, &room) < 0)
		return error_set_errno(err, ERROR_NO_SPACE, "kernel", errno,
				       "Cannot ask for the free space");
	free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
	if (bytes == 0 || free_bytes >= bytes + SPARE_BYTES)
		return 0;
	return error_set(err, ERROR_NO_SPACE, "worker", 0,
			 "iOS must be unpacked first: that needs %llu MB of room, and there are "
			 "%llu MB",
			 (unsigned long long)((bytes + SPARE_BYTES) >> 20),
			 (unsigned long long)(free_bytes >> 20));
}

int restore_check(const struct restore_request *request, int folder_fd, struct error *err)
{
	_cleanup_(archive_freep) struct archive *archive = NULL;
	_cleanup_(plist_freep) plist_t manifest = NULL;
	_cleanup_free_ char *text = NULL;
	struct found found = {};
	plist_t identities;
	size_t n = 0;
	int r = archive_open(request->path, NULL, NULL, &archive, err);

	if (r == 0)
		r = archive_read(archive, manifest_name, MANIFEST_BYTES_MAX, &text, &n, err);
	if (r < 0)
		return r;
	manifest = property_list_parse(text, n);
	identities = property_list_array(manifest, "BuildIdentities");
	for (uint32_t i = 0; identities && i < plist_array_get_size(identities); i++)
		identity_look(plist_array_get_item(identities, i), request, archive, &found);
	r = found_judge(&found, request, err);
	return r < 0 ? r : space_check(folder_fd, found.unpacked, err);
}
