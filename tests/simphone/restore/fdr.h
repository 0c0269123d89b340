/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The phone's side of the reverse proxy on port 1082: its only way to the Internet while it is
 * being restored. The host opens a control connection at the start; for each connection the phone
 * wants it asks there, and the host comes to a second port.
 *
 *   control   BeginCtrl ──▶ ConnPort … "connect" ──▶
 *   second    HelloConn ──▶ HelloConn, Ping ──▶ Pong [, proxy HOST:PORT ──▶ echo, GET ──▶ answer]
 *
 * In protocol 1 the host says HelloCtrl and gets the port as two bytes, and the phone repeats
 * HelloConn as it came. Hosts turn to it when BeginCtrl fails.
 */
#pragma once

#include "buf.h"
#include "stream.h"
#include "timers.h"

enum { FDR_PORT = 1082 };

struct run;
struct fdr_link;

enum fdr_state {
	FDR_IDLE,
	FDR_CALLED,  /* the host was asked to come */
	FDR_PINGED,  /* Ping is out */
	FDR_PROXIED, /* the host was told where to */
	FDR_ASKED,   /* the GET is out */
};

struct fdr {
	struct run *run;
	struct fdr_link *control, *conn; /* belong to their carriers */
	uint16_t conn_port;
	enum fdr_state state;
	bool old;         /* the control connection speaks protocol 1 */
	struct buf asked; /* what the host must echo */
	struct timer patience;
};

/* Listens, unless the scenario refuses. */
void fdr_listen(struct fdr *f, struct run *run);
void fdr_stop(struct fdr *f);

/*
 * Goes through the proxy: a Ping, and with scenario key fdr_host a GET from there. Ends in
 * run_answered(); also if no host opened a control connection.
 */
void fdr_use(struct fdr *f);
