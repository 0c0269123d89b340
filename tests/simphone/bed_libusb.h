/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Bench for the libusb door: a phone in a child process, as it is in earnest, on a bus of its own,
 * and its control socket as the user's hand. Included by the test programs. A phone that does not
 * end well (the sanitizers' verdict) fails the test.
 */
#pragma once

#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bed.h"
#include "control.h"
#include "doors/door_libusb.h"
#include "doors/libusb_wire.h"

enum { PATIENCE_MS = 20000 };

struct bench {
	char folder[32]; /* the bus */
	char bus[64], control[64];
	pid_t phone; /* its process */
	int remote;  /* connection to the control socket */
};

static inline bool readable(int fd, int patience_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, patience_ms) == 1;
}

static inline int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* Tells the parent by a byte on @ready that both sockets listen. */
[[noreturn]] static inline void phone_process(const struct bench *b, const char *const *settings,
					      int ready)
{
	struct scenario s;
	struct loop loop;
	struct phone phone;
	struct door_libusb *door;
	struct control *control;
	char why[256];

	scenario_init(&s);
	for (; *settings; settings += 2)
		scenario_set(&s, settings[0], settings[1], why, sizeof(why));
	loop_init(&loop);
	phone_init(&phone, &s, &loop.timers, nullptr);
	phone_start(&phone);
	control = control_new(&loop, &phone, b->control);
	door = door_libusb_new(&loop, &phone.usb, &phone.log, b->folder);
	if (write(ready, "r", 1) != 1)
		exit(3);
	loop_run(&loop);
	door_libusb_free(door);
	control_free(control);
	phone_done(&phone);
	exit(0);
}

/* settings: key, value, …, NULL */
static inline struct bench *bench_new(const char *const *settings)
{
	struct bench *b = calloc(1, sizeof(*b));
	int ready[2];
	char byte;

	snprintf(b->folder, sizeof(b->folder), "/tmp/simphone-XXXXXX");
	assert_non_null(mkdtemp(b->folder));
	snprintf(b->bus, sizeof(b->bus), "%s/bus-001.sock", b->folder);
	snprintf(b->control, sizeof(b->control), "%s/control", b->folder);
	assert_int_equal(pipe(ready), 0);
	b->phone = fork();
	if (b->phone == 0)
		phone_process(b, settings, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	b->remote = connect_to(b->control);
	assert_true(b->remote >= 0);
	setenv("SIMPHONE_BUS", b->folder, 1);
	return b;
}

#define BENCH(...) bench_new((const char *const[]){ __VA_ARGS__, nullptr })

/* The user's hand. */
static inline void bench_do(const struct bench *b, const char *command)
{
	char answer[4096];

	assert_int_equal(send(b->remote, command, strlen(command), MSG_NOSIGNAL), strlen(command));
	assert_true(readable(b->remote, PATIENCE_MS));
	assert_true(recv(b->remote, answer, sizeof(answer), 0) > 0);
	assert_memory_equal(answer, "{\"ok\":true", 10);
}

/* The phone's process must end well, whatever it was told. */
static inline void bench_free(struct bench *b)
{
	int status = -1;

	bench_do(b, "quit\n");
	close(b->remote);
	assert_int_equal(waitpid(b->phone, &status, 0), b->phone);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(rmdir(b->folder), 0); /* it leaves nothing behind */
	free(b);
}
