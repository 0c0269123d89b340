# SPDX-License-Identifier: GPL-3.0-or-later
"""The map of faults: what is done to the simulated phone, and which unmodified program then has to speak.

A row is one section of golden/faults.txt. Its steps are lines, done in order:

    $ PROGRAM ARGUMENT…    a judge; {ecid}, {udid}, {folder}, {image} (a file of 200000 bytes) are put in; what stands
                           behind ` < ` is its input, `;` for the end of a line
    $ restore erase|update idevicerestore with all its arguments
    hand COMMAND           a line for the phone's control socket, see tests/simphone/control.h
    pair                   idevicepair pair, which must succeed; says nothing in the map
    mode MODE              waits until the phone is on the bus in that mode
    event NAME [N]         waits for the N-th such event in the phone's log
    listed SECONDS         waits for usbmuxd to list the phone; not listing it is an answer, too
    listed-count N SECONDS the same for N phones

Doors: mux (the phone speaks usbmuxd's socket protocol itself), usb (judges at the stand-in for libusb), usbmuxd (the
real one at the stand-in, judges at its socket), both (mux and usb: what idevicerestore needs).
"""

import dataclasses

DOORS = ("mux", "usb", "usbmuxd", "both")
# gaps off the bus, short: patience is not what is judged here. Not too short for hosts to see the phone go.
FAST = ("gap_ms=300", "boot_ms=600")


@dataclasses.dataclass(frozen=True)
class Row:
    """name: area/what. settings: KEY=VALUE of scenario files. second: scenario and settings of another phone beside it.
    server: what the signing server does instead, (behaviour, {options of Behaviours.add}).
    limit: seconds for each judge; a judge that is ended by it is a finding. slow: why the row is not run by default.
    wavers: why the outcome is not always the same; the map has those that were seen, and each of them is right.
    note: said in the map. finished: the restore of this row comes to its end ("erase" or "update")."""

    name: str
    settings: tuple
    steps: tuple
    door: str = "mux"
    scenario: str = "iphone13"
    second: tuple = ()
    server: tuple = ()
    limit: int = 25
    slow: str = ""
    wavers: str = ""
    note: str = ""
    finished: str = ""

    @property
    def keys(self):
        """The scenario's keys that this row turns."""
        turned = [setting.split("=", 1)[0] for setting in (*self.settings, *self.second[1:])]
        turned += [step.split()[2] for step in self.steps if step.startswith("hand set ")]
        return set(turned)

    @property
    def fault_texts(self):
        """Its faults, as in fault.h."""
        texts = [setting[len("fault="):] for setting in self.settings if setting.startswith("fault=")]
        return texts + [step[len("hand set fault "):] for step in self.steps if step.startswith("hand set fault ")]

    @property
    def actions(self):
        return {text.split()[-1].split(":")[0] for text in self.fault_texts}


def rows(area, door, *entries, **common):
    """Rows of one area: (what, settings as text or tuple, step…[, {more fields}])."""
    made = []
    for what, settings, *steps in entries:
        more = dict(common)
        if steps and isinstance(steps[-1], dict):
            more |= steps.pop()
        if isinstance(settings, str):
            settings = (settings,) if settings else ()
        made.append(Row(f"{area}/{what}", tuple(settings), tuple(steps), door, **more))
    return made


def all_rows():
    """Every row, in the order of the golden file."""
    import fault_rows  # the tables use this module
    import fault_rows_restore
    return fault_rows.ROWS + fault_rows_restore.ROWS
