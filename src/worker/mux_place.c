/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/mux_place.h"
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

int mux_place_watch(const char *path, struct mux_place *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	size_t n = slash ? (size_t)(slash - path) : 0;
	int r;

	*ret = (struct mux_place){ .inotify_fd = -1, .name = slash ? slash + 1 : path };
	if (n >= sizeof(directory))
		return error_set(err, ERROR_USAGE, "worker", 0, "The socket's path is too long");
	if (slash) {
		memcpy(directory, path, n);
		directory[n] = '\0';
	}
	ret->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* attributes: a server binds, listens, and then lets others in */
	if (ret->inotify_fd < 0 ||
	    inotify_add_watch(ret->inotify_fd, n == 0 && slash ? "/" : directory,
			      IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR) < 0) {
		r = error_set_errno(err, ERROR_NO_SERVICE, "kernel", errno,
				    "Cannot watch the directory of usbmuxd's socket");
		mux_place_done(ret);
		return r;
	}
	return 0;
}

void mux_place_done(struct mux_place *place)
{
	if (place->inotify_fd >= 0)
		close(place->inotify_fd);
	place->inotify_fd = -1;
}

int mux_place_read(struct mux_place *place, struct error *err)
{
	_Alignas(struct inotify_event) char buffer[16 * 1024];
	ssize_t n = read(place->inotify_fd, buffer, sizeof(buffer));
	int changed = 0;

	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *event = (const struct inotify_event *)(buffer + at);

		if (event->mask & IN_IGNORED)
			return error_set(err, ERROR_NO_SERVICE, "kernel", 0,
					 "The directory of usbmuxd's socket is gone");
		if (event->mask & IN_Q_OVERFLOW ||
		    (event->len > 0 && strcmp(event->name, place->name) == 0))
			changed = 1;
		at += (ssize_t)sizeof(*event) + event->len;
	}
	return changed;
}
