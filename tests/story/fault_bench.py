# SPDX-License-Identifier: GPL-3.0-or-later
"""Does what a row of the map of faults says, and writes down what came of it.

    with Bench(folder, row, ipsw, apple) as bench:
        text = bench.run()

Who owns what: the Bench owns the phones, the real usbmuxd if the row wants it, and the folder's files. The signing
server is shared by the rows of a process, one row at a time; the Bench puts it back to normal.
"""

import pathlib
import re
import shlex
import signal
import subprocess
import time

import fault_text
from faults import FAST
from restore_judge import Restore
from simphone import LIMIT, SimPhone

IMAGE_BYTES = 200000
VARIANTS = {"erase": "Customer Erase Install (IPSW)", "update": "Customer Upgrade Install (IPSW)"}
SETTLED_SECONDS = 6
COUNTED = {"boots": "boots", "erases": "finished erases", "updates": "finished updates", "hosts": "trusted hosts"}
USBMUXD = ('mount --bind "$0/run" /run && mount --bind "$0/lib" /var/lib && '
           'exec usbmuxd -f -v -v -l "$0/usbmuxd.log"')


USBMUXD_END = "Caught signal 15"
# fatal, error, warning, notice; but what it says of itself at start and end
USBMUXD_LEVELS = re.compile(r"^\[[0-9:.]+\]\[[0-3]\] (?!usbmuxd v|Using libusb|Initialization complete)")


class BenchError(Exception):
    """A step that is no judgement did not work."""


def seconds_until(condition, limit):
    """The first true value of condition(), or None after so many seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value or None
        time.sleep(0.02)


def how_ended(status):
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit {status}"


class Bench:
    """polite: what an undisturbed restore says, lines; None: this is one."""

    def __init__(self, folder, row, ipsw=None, apple=None, polite=None):
        self.folder, self.row, self.ipsw, self.apple, self.polite = pathlib.Path(folder), row, ipsw, apple, polite
        self.usbmuxd = None
        self.phones = [self._phone("phone", row.scenario, row.settings)]
        if row.second:
            self.phones.append(self._phone("second", row.second[0], row.second[1:]))

    def _phone(self, name, scenario, settings):
        arguments = []
        for setting in (*FAST, *settings):
            arguments += ["--set", setting]
        if self.row.door == "both":
            mode = "dfu" if scenario.endswith("-dfu") else "recovery" if scenario.endswith("-recovery") else "normal"
            return Restore(self.folder, self.ipsw, self.apple, product="iPhone14,5", mode=mode, scenario=scenario,
                           name=name, arguments=arguments)
        return SimPhone(self.folder, scenario, name=name, usbmuxd=self.row.door == "mux",
                        libusb=self.folder / "bus" if self.row.door != "mux" else False, arguments=arguments)

    @property
    def phone(self):
        return self.phones[0]

    def __enter__(self):
        try:
            for phone in self.phones:
                phone.start()
            if self.row.door == "usbmuxd":
                self._start_usbmuxd()
        except Exception:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind, value, traceback):
        if self.usbmuxd:
            self.usbmuxd.kill()
            self.usbmuxd.wait()
        if self.apple:
            self.apple.tss.behave_normally()
        for phone in self.phones:
            phone.__exit__(kind, value, traceback)

    def _start_usbmuxd(self):
        for name in ("run", "lib"):
            (self.folder / name).mkdir()
        self.usbmuxd = subprocess.Popen(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", USBMUXD, self.folder], env=self.phone.env(),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if not seconds_until((self.folder / "run/usbmuxd").exists, LIMIT):
            raise BenchError("usbmuxd does not listen")

    def environment(self):
        environment = self.phone.env()
        environment["TMPDIR"] = str(self.folder)
        if self.usbmuxd:
            environment["USBMUXD_SOCKET_ADDRESS"] = f"UNIX:{self.folder}/run/usbmuxd"
        return environment

    # ---- the row

    def run(self):
        """The section of the map."""
        row = self.row
        lines = [f"phone   {' '.join((row.scenario, *map(shlex.quote, row.settings)))}   (door: {row.door})"]
        if row.second:
            lines.append(f"second  {' '.join(map(shlex.quote, row.second))}")
        if row.server:
            name, options = row.server
            self.apple.tss.behave(name, **options)
            said = " ".join(f"{key}={value}" for key, value in options.items())
            lines.append(f"server  signing: {name} {said}".rstrip())
        if row.wavers:
            lines.append(f"wavers  {row.wavers}")
        if row.note:
            lines.append(f"note    {row.note}")
        for step in row.steps:
            lines += self._step(step)
        if self.usbmuxd:
            lines += self._usbmuxd_words()
        lines += self._missed()
        lines += [self._left(phone) for phone in self.phones]
        return "\n".join(lines) + "\n"

    def _step(self, step):
        word, _, rest = step.partition(" ")
        steps = {"$": self._judge, "hand": self._hand, "pair": self._pair, "mode": self._await_mode,
                 "event": self._await_event, "listed": self._listed, "listed-count": self._listed_count}
        return steps[word](rest)

    def _hand(self, line):
        self.phone.control(line)
        return [f"hand    {line}"]

    def _pair(self, _):
        done = subprocess.run(["idevicepair", "pair"], capture_output=True, text=True, timeout=LIMIT, check=False,
                              stdin=subprocess.DEVNULL, env=self.environment(), cwd=self.folder)
        if done.returncode != 0:
            raise BenchError(f"idevicepair pair: {done.stdout}{done.stderr}")
        return ["before  it was paired"]

    def _await_mode(self, mode):
        def there():
            state = self.phone.state()
            return state["mode"] == mode and state["attached"]

        if not seconds_until(there, LIMIT):
            raise BenchError(f"the phone is not in mode {mode}")
        return []

    def _await_event(self, rest):
        """NAME [N]: the N-th of the phone's event log."""
        name, _, count = rest.partition(" ")
        if not seconds_until(lambda: len(self.phone.seen(name)) >= int(count or 1), LIMIT):
            raise BenchError(f"not so many events: {rest}")
        return []

    def _listed_count(self, rest):
        wanted, limit = map(int, rest.split())
        return self._listed(limit, wanted)

    def _listed(self, limit, wanted=1):
        def listed():
            done = subprocess.run(["idevice_id", "-l"], capture_output=True, text=True, timeout=LIMIT, check=False,
                                  stdin=subprocess.DEVNULL, env=self.environment())
            return len(done.stdout.split()) >= wanted

        found = seconds_until(listed, int(limit))
        whom = "the phone" if wanted == 1 else f"{wanted} phones"
        return [f"usbmuxd lists {whom}" if found else f"usbmuxd does not list {whom} within {limit} seconds"]

    # ---- judges

    def _words(self, text):
        """The arguments of a judge, with what stands in braces put in."""
        if "{image}" in text:
            image = self.folder / "image"
            image.write_bytes(bytes(number * 7 % 251 for number in range(IMAGE_BYTES)))
        state = self.phone.state()
        known = {"ecid": state["ecid"], "udid": self.phone.udid, "folder": self.folder, "image": self.folder / "image"}
        return [word.format(**known) for word in shlex.split(text)]

    def _judge(self, text):
        if text.startswith("restore "):
            return self._restore(text.split()[1])
        command, _, text_in = text.partition(" < ")
        words = self._words(command)
        source, out, err = (self.folder / f"judge.{end}" for end in ("in", "out", "err"))
        source.write_text(text_in.replace(";", "\n"), encoding="utf-8")
        with open(source, "rb") as in_file, open(out, "wb") as out_file, open(err, "wb") as err_file:
            process = subprocess.Popen(words, stdin=in_file, stdout=out_file, stderr=err_file, cwd=self.folder,
                                       env=self.environment())
            ended = self._await_end(process)
        lines = fault_text.shorten(self._tidy(out)) + [f"! {line}" for line in fault_text.shorten(self._tidy(err))]
        return [f"$ {text}"] + [f"  {line}" for line in lines] + [f"  {ended}"]

    def _await_end(self, process):
        """How it ended, in words."""
        try:
            status = process.wait(self.row.limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"=> HANGS: no end within {self.row.limit} seconds"
        return f"=> {how_ended(status)}"

    def _names(self):
        """What stands for what differs from phone to phone."""
        names = {str(self.folder): "<folder>"}
        for phone, prefix in reversed(list(zip(self.phones, ("", "second-")))):
            state = phone.state()
            number = int(state["ecid"], 16)
            names |= {text: f"<{prefix}udid>" for text in (state["udid"], phone.udid)}
            names |= {text: f"<{prefix}ecid>" for text in (state["ecid"], f"0x{number:x}", f"{number:016x}",
                                                          f"{number:x}", str(number))}
        if self.ipsw:
            names[str(self.ipsw)] = "<ipsw>"
        return names

    def _tidy(self, path):
        return fault_text.tidy(path.read_text(encoding="utf-8", errors="replace"), self._names())

    def _restore(self, kind):
        process = self.phone.engine(erase=kind == "erase", variant=VARIANTS[kind])
        ended = self._await_end(process)
        said = fault_text.restore_log(self.phone.done(process.returncode, 0).log, self._names())
        if self.polite is not None:
            said = fault_text.beyond(said, self.polite)
        return [f"$ idevicerestore, {kind}"] + [f"  {line}" for line in said] + [f"  {ended}"]

    def _usbmuxd_words(self):
        """Its fatal messages, errors, warnings and notices; it is ended here. Who crashes leaves half a log."""
        self.usbmuxd.terminate()
        try:
            status = self.usbmuxd.wait(LIMIT)
        except subprocess.TimeoutExpired:
            return ["usbmuxd => HANGS when it is told to end"]
        if status != 0:
            return [f"usbmuxd => {how_ended(status)}"]
        log, _, _ = (self.folder / "usbmuxd.log").read_text(encoding="utf-8", errors="replace").partition(USBMUXD_END)
        levels = [line for line in log.splitlines() if USBMUXD_LEVELS.match(line)]
        said = fault_text.once(fault_text.tidy("\n".join(levels), self._names()))
        if self.row.second:
            said.sort()  # both come at the same time
        return ["usbmuxd's log"] + [f"  {line}" for line in fault_text.shorten(said)]

    # ---- what it left

    def _missed(self):
        """A fault that did not strike proves nothing: the row is wrong, or the conversation is."""
        wanted = len(self.row.fault_texts)
        struck = len(self.phone.seen("fault"))
        return [] if struck == wanted else [f"MISSED  {wanted - struck} of {wanted} faults did not strike"]

    def _left(self, phone):
        """Its state once it does not move any more."""
        def still():
            state = phone.state()
            back = state["attached"] or not state["plugged"]
            moves = state["leaving"] or state["booting"]
            return state if back and not moves else None

        state = seconds_until(still, SETTLED_SECONDS) or phone.state()
        where = "on the bus" if state["attached"] else "off the bus"
        if state["booting"]:
            where = "booting"
        if not state["plugged"]:
            where = "cable out"
        counts = [f"{state[name]} {words}" for name, words in COUNTED.items() if state[name]]
        counts += ["cannot boot its system"] if state["partial"] else []
        text = ", ".join([state["mode"], where, *counts])
        return f"left    {text}"
