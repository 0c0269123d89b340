# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program where the only name server is there and never answers: silent_names.py PROGRAM ARGUMENT…

Needs namespaces of its own for users, network and mounts: unshare --map-root-user --net --mount."""

import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile

SIOCSIFFLAGS, IFF_UP = 0x8914, 1
PLACE, PORT = "127.0.0.1", 53
WAIT_S = 30  # for an answer; what the resolver takes at most


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    fcntl.ioctl(server, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", IFF_UP))
    server.bind((PLACE, PORT))
    server.set_inheritable(True)  # as long as the program lives
    with tempfile.NamedTemporaryFile("w") as names:
        names.write(f"nameserver {PLACE}\noptions timeout:{WAIT_S} attempts:1\n")
        names.flush()
        subprocess.run(["mount", "--bind", names.name, "/etc/resolv.conf"], check=True)
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
