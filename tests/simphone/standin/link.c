/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Connections to phones: frames out, frames in. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "standin.h"

enum { SEND_SECONDS = 5, READ_BYTES = 64 * 1024 };

static int socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = SEND_SECONDS };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	memcpy(address.sun_path, path, strlen(path) + 1);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

struct link *link_open(struct libusb_context *ctx, const char *socket)
{
	int fd = socket_connect(socket);
	struct epoll_event event = { .events = EPOLLIN };
	struct link *link;

	if (fd < 0)
		return nullptr;
	link = memory(sizeof(*link));
	link->fd = fd;
	link->key = event.data.u64 = ctx->next_key++;
	memcpy(link->socket, socket, strlen(socket) + 1);
	if (epoll_ctl(ctx->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		close(fd);
		free(link);
		return nullptr;
	}
	return link;
}

/* Closing takes it out of epoll, too. */
void link_hang_up(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}

void link_close(struct libusb_context *ctx, struct link *link)
{
	link_hang_up(link);
	free(link->in);
	free(link);
}

bool link_send(struct link *link, struct wire_head head, const void *a, size_t a_len, const void *b,
	       size_t b_len)
{
	struct iovec parts[] = { { &head, sizeof(head) },
				 { (void *)a, a_len },
				 { (void *)b, b_len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = 3 };
	size_t left = sizeof(head) + a_len + b_len;

	head.length = (uint32_t)(a_len + b_len);
	while (left > 0) {
		ssize_t put = link->fd < 0 ? -1 : sendmsg(link->fd, &message, MSG_NOSIGNAL);

		if (put < 0 && link->fd >= 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		left -= (size_t)put;
		for (size_t i = 0; i < 3; i++) {
			size_t gone =
			    (size_t)put < parts[i].iov_len ? (size_t)put : parts[i].iov_len;

			parts[i].iov_base = (uint8_t *)parts[i].iov_base + gone;
			parts[i].iov_len -= gone;
			put -= (ssize_t)gone;
		}
	}
	return true;
}

/* Calls for each complete frame; false if the other end is no phone. */
static bool link_frames(struct libusb_context *ctx, struct link *link)
{
	size_t used = 0;

	while (link->len - used >= sizeof(struct wire_head)) {
		struct wire_head head;

		memcpy(&head, link->in + used, sizeof(head));
		if (head.length > WIRE_BODY_MAX)
			return false;
		if (link->len - used - sizeof(head) < head.length)
			break;
		link_frame(ctx, link, &head, link->in + used + sizeof(head));
		used += sizeof(head) + head.length;
	}
	if (used > 0)
		memmove(link->in, link->in + used, link->len - used);
	link->len -= used;
	return true;
}

bool link_read(struct libusb_context *ctx, struct link *link)
{
	while (link->fd >= 0) {
		ssize_t got;

		if (link->room - link->len < READ_BYTES) {
			link->room = link->len + 2 * (size_t)READ_BYTES;
			link->in = realloc(link->in, link->room);
			if (!link->in)
				abort();
		}
		got = recv(link->fd, link->in + link->len, READ_BYTES, MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return true;
		if (got > 0)
			link->len += (size_t)got;
		if (got <= 0 || !link_frames(ctx, link)) {
			link_hang_up(link);
			return false;
		}
	}
	return false;
}
