/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/record.h"
#include "base/line.h"
#include "bus/mask.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

/* A disk that does not take a line in that time is as good as full. */
enum { WRITE_LIMIT_MS = 2000 };

struct bus_recorder {
	int fd;
	int failure; /* negative errno of the first failure */
	struct mask_key key;
};

int bus_recorder_new(const char *path, struct bus_recorder **ret)
{
	_cleanup_(bus_recorder_freep) struct bus_recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return -ENOMEM;
	recorder->fd = -1;
	/* 16 bytes are given whole or not at all */
	if (getrandom(&recorder->key, sizeof(recorder->key), 0) < 0)
		return -errno;
	recorder->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (recorder->fd < 0)
		return -errno;
	*ret = TAKE(recorder);
	return 0;
}

struct bus_recorder *bus_recorder_free(struct bus_recorder *recorder)
{
	if (!recorder)
		return NULL;
	closep(&recorder->fd);
	explicit_bzero(&recorder->key, sizeof(recorder->key));
	free(recorder);
	return NULL;
}

int bus_recorder_write(struct bus_recorder *recorder, enum sighting_change change,
		       const struct sighting *sighting)
{
	_cleanup_(sd_json_variant_unrefp) sd_json_variant *object = NULL;
	struct sighting masked = *sighting;
	int r;

	if (recorder->failure < 0)
		return recorder->failure;
	mask_serial(&recorder->key, masked.serial);
	mask_serial(&recorder->key, masked.product);
	mask_serial(&recorder->key, masked.manufacturer);
	r = sighting_to_json(change, &masked, &object);
	if (r >= 0)
		r = line_write(recorder->fd, object, WRITE_LIMIT_MS);
	if (r < 0)
		recorder->failure = r;
	return r < 0 ? r : 0;
}
