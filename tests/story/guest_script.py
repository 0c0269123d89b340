# SPDX-License-Identifier: GPL-3.0-or-later
"""Many commands in one boot: the files of `scripts/guest --script`.

    # a comment
    idevicerescue list           a line of bash, run in the guest
    - false                      the same, and a failure is no matter
    @phone 0 mode recovery       to the control socket of the first --phone
    @settle                      until the guest has settled on every phone
    @wait 2                      seconds
    @screenshot build/a.png      of the graphics screen

The first command that fails ends the script with its status.
"""

import shlex
import sys
import time


class ScriptError(Exception):
    """A line that nobody understands."""


def _directive(guest, words):
    verb, *rest = words
    if verb == "@phone" and len(rest) >= 2:
        guest.phone(int(rest[0])).control(" ".join(rest[1:]))
    elif verb == "@settle" and not rest:
        guest.settle()
    elif verb == "@wait" and len(rest) == 1:
        time.sleep(float(rest[0]))
    elif verb == "@screenshot" and len(rest) == 1:
        guest.screenshot(rest[0])
    else:
        raise ScriptError(f"cannot read the line '{' '.join(words)}'")


def run_command(guest, command, timeout):
    """Runs one command and passes on what it prints; returns its status."""
    done = guest.run(command, timeout)
    sys.stdout.write(done.stdout)
    sys.stdout.flush()
    sys.stderr.write(done.stderr)
    return done.status


def run_script(guest, text, timeout):
    """Returns 0, or the status of the command that ended it."""
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("@"):
            _directive(guest, shlex.split(line))
            continue
        tolerant = line.startswith("- ")
        status = run_command(guest, line[2:] if tolerant else line, timeout)
        if status != 0 and not tolerant:
            sys.stderr.write(f"guest: '{line}' ended with {status}\n")
            return status
    return 0
