/* SPDX-License-Identifier: GPL-3.0-or-later */
/* simphone: options, one phone, its doors, the loop. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "control.h"
#include "doors/door_libusb.h"
#include "doors/door_usbmuxd.h"
#include "doors/door_usbredir.h"
#include "text.h"

struct options {
	struct scenario scenario;
	const char *usbredir, *libusb, *usbmuxd, *records, *control, *log;
	uint64_t patience_ms;
};

static void usage(FILE *out)
{
	fputs("usage: simphone [--scenario NAME|FILE] [--mode MODE] [--unplugged] [--seed N] "
	      "[--set KEY=VALUE]…\n"
	      "                [--time-scale PERCENT] [--usbredir SOCKET [--patience SECONDS]]\n"
	      "                [--libusb FOLDER] [--usbmuxd SOCKET [--records FOLDER]]\n"
	      "                [--control SOCKET] [--log FILE]\n"
	      "One process is one phone. It ends with its usbredir peer, its parent, or `quit` on "
	      "the control\n"
	      "socket. Keys of --set and of scenario files:\n",
	      out);
	scenario_print_keys(out);
}

static void set_or_die(struct scenario *s, const char *key, const char *value)
{
	char why[256];

	if (scenario_set(s, key, value, why, sizeof(why)) < 0)
		die("%s", why);
}

static void set_pair_or_die(struct scenario *s, const char *pair)
{
	const char *equals = strchr(pair, '=');
	char key[64];

	if (!equals || (size_t)(equals - pair) >= sizeof(key))
		die("--set wants KEY=VALUE, not '%s'", pair);
	memcpy(key, pair, (size_t)(equals - pair));
	key[equals - pair] = '\0';
	set_or_die(s, key, equals + 1);
}

/* A name without a slash is looked up in the scenarios beside the sources. */
static void read_scenario(struct scenario *s, const char *name)
{
	char path[512], why[256];

	if (strchr(name, '/'))
		text_copy(path, sizeof(path), name);
	else
		snprintf(path, sizeof(path), "%s/%s.scenario", SIMPHONE_SCENARIOS, name);
	if (scenario_read(s, path, why, sizeof(why)) < 0)
		die("%s", why);
}

/* Where the value of an option that is a path goes; NULL for the others. */
static const char **path_option(struct options *o, int option)
{
	switch (option) {
	case 'd':
		return &o->usbredir;
	case 'b':
		return &o->libusb;
	case 'x':
		return &o->usbmuxd;
	case 'o':
		return &o->records;
	case 'c':
		return &o->control;
	case 'l':
		return &o->log;
	}
	return nullptr;
}

static void parse_options(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "scenario", required_argument, nullptr, 's' },
		{ "mode", required_argument, nullptr, 'm' },
		{ "unplugged", no_argument, nullptr, 'u' },
		{ "seed", required_argument, nullptr, 'r' },
		{ "set", required_argument, nullptr, 'k' },
		{ "time-scale", required_argument, nullptr, 't' },
		{ "usbredir", required_argument, nullptr, 'd' },
		{ "libusb", required_argument, nullptr, 'b' },
		{ "usbmuxd", required_argument, nullptr, 'x' },
		{ "records", required_argument, nullptr, 'o' },
		{ "patience", required_argument, nullptr, 'p' },
		{ "control", required_argument, nullptr, 'c' },
		{ "log", required_argument, nullptr, 'l' },
		{ "help", no_argument, nullptr, 'h' },
		{},
	};
	struct scenario *s = &o->scenario;
	int option;

	while ((option = getopt_long(argc, argv, "", longs, nullptr)) != -1) {
		const char **path = path_option(o, option);

		if (path) {
			*path = optarg;
			continue;
		}
		switch (option) {
		case 's':
			read_scenario(s, optarg);
			break;
		case 'm':
			set_or_die(s, "mode", optarg);
			break;
		case 'u':
			s->plugged = false;
			break;
		case 'r':
			set_or_die(s, "seed", optarg);
			break;
		case 'k':
			set_pair_or_die(s, optarg);
			break;
		case 't':
			set_or_die(s, "time_scale_percent", optarg);
			break;
		case 'p':
			o->patience_ms = strtoull(optarg, nullptr, 10) * 1000;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc) {
		usage(stderr);
		exit(2);
	}
	if (o->usbredir && o->libusb)
		die("a phone has one socket for its cable: --usbredir or --libusb");
}

static void on_signal(void *user, short events)
{
	struct loop *loop = user;

	loop->quit = true;
}

/* SIGTERM and SIGINT end the loop like `quit`; the parent's death counts as SIGTERM. */
static int watch_signals(struct loop *loop)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, nullptr);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		die("signalfd: %s", strerror(errno));
	loop_watch(loop, fd, POLLIN, on_signal, loop);
	return fd;
}

int main(int argc, char **argv)
{
	struct options o = { .patience_ms = 60000 };
	struct door_usbredir *door = nullptr;
	struct door_libusb *libusb = nullptr;
	struct door_usbmuxd *usbmuxd = nullptr;
	struct control *control = nullptr;
	struct phone phone;
	struct loop loop;
	FILE *log = nullptr;
	int signals;

	scenario_init(&o.scenario);
	parse_options(&o, argc, argv);
	if (o.log && !(log = fopen(o.log, "we")))
		die("%s: %s", o.log, strerror(errno));
	loop_init(&loop);
	signals = watch_signals(&loop);
	phone_init(&phone, &o.scenario, &loop.timers, log);
	phone_start(&phone);
	if (o.control)
		control = control_new(&loop, &phone, o.control);
	if (o.usbredir)
		door = door_usbredir_new(&loop, &phone.usb, &phone.log, o.usbredir, o.patience_ms);
	if (o.libusb)
		libusb = door_libusb_new(&loop, &phone.usb, &phone.log, o.libusb);
	if (o.usbmuxd)
		usbmuxd = door_usbmuxd_new(&loop, &phone, o.usbmuxd, o.records);
	if (usbmuxd && libusb)
		door_usbmuxd_hangs_at(usbmuxd, libusb);
	loop_run(&loop);
	door_usbmuxd_free(usbmuxd);
	door_usbredir_free(door);
	door_libusb_free(libusb);
	control_free(control);
	phone_done(&phone);
	close(signals);
	if (log)
		fclose(log);
	return 0;
}
