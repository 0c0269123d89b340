# SPDX-License-Identifier: GPL-3.0-or-later
"""The console over a pseudo terminal, against the real service on a tape (no QEMU, no phone).

Screens are compared with tests/story/golden/console; UPDATE_GOLDEN=1 writes them anew.
"""
import json
import os
import signal
import subprocess
import termios
import time

import pytest
from console_bench import LIMIT_S, PROGRAM, Bench, Phone, Terminal, wait_until

NORMAL_UDID = "00008110-001C1D0E3A91002E"
NORMAL = {"mode": "normal",
          "identity": {"udid": NORMAL_UDID, "ecid": "0x001c1d0e3a91002e", "product": "iPhone14,5",
                       "board": "d17ap", "name": "Zoë’s iPhone 📱", "version": "17.5.1",
                       "build": "21F90", "serial_number": "F2LMQDXYZ1"}}
RESTORE_UDID = "00008030-000A2D1C08F1002E"
RESTORE = {"mode": "restore",
           "identity": {"udid": RESTORE_UDID, "ecid": "0x000a2d1c08f1002e",
                        "product": "iPhone12,1", "board": "n104ap"}}


def iboot(cpid, bdid, ecid, rest=""):
    return f"CPID:{cpid:04X} CPRV:11 CPFM:03 SCEP:01 BDID:{bdid:02X} ECID:{ecid:016X} IBFL:3C{rest}"


RECOVERY = iboot(0x8015, 0x0A, 0x000A2D1C08F10001, " SRNM:[C39VJ4XAJC68]")
DFU = iboot(0x8000, 0x04, 0x000A2D1C08F10002, " SRTG:[iBoot-2234.0.0.2.22]")


@pytest.fixture(name="bench")
def bench_fixture(tmp_path):
    bench = Bench(tmp_path).start()
    yield bench
    bench.close()


@pytest.fixture(name="quiet")
def quiet_fixture(bench):
    """A bench on which usbmuxd answers, so that nothing is wrong."""
    bench.mux("mux-up")
    return bench


@pytest.fixture(name="terminal")
def terminal_fixture():
    """Opens consoles and closes them."""
    opened = []

    def opener(bench, **options):
        opened.append(Terminal(bench, **options))
        return opened[-1]

    yield opener
    for one in opened:
        one.close()


def plug_many(bench, count):
    """Phones in recovery in the ports of two hubs; the first port stays free."""
    return [Phone(bench, f"1-{2 + i // 6}.{1 + i % 6}", 0x1281,
                  iboot(0x8015, 0x0A, 0x000A2D1C08F20000 + i)).plug() for i in range(count)]


def test_empty(quiet, terminal):
    screen = terminal(quiet)
    screen.sees_no("usbmuxd")
    screen.golden("empty", "Plug in an iPhone")


def test_mux_down(bench, terminal):
    screen = terminal(bench)
    screen.golden("mux-down", "usbmuxd does not answer")
    bench.mux("mux-up")
    screen.sees_no("usbmuxd")


def plug_normal(bench):
    bench.answer({NORMAL_UDID: NORMAL})
    phone = Phone(bench, "1-2", 0x12A8, NORMAL_UDID.replace("-", "")).plug()
    bench.mux_lists(phone, NORMAL_UDID)
    return phone


def plug_restore(bench):
    bench.answer({RESTORE_UDID: RESTORE})
    phone = Phone(bench, "1-2", 0x12A8, RESTORE_UDID.replace("-", "")).plug()
    bench.mux_lists(phone, RESTORE_UDID)


def plug_plain(port, pid, serial, speed=480):
    return lambda bench: Phone(bench, port, pid, serial, speed).plug()


MODES = {
    "normal": (plug_normal, "Zoë"),
    "recovery": (plug_plain("1-4.3.1", 0x1281, RECOVERY), "Recovery"),
    "dfu": (plug_plain("2-1", 0x1227, DFU), "DFU"),
    "wtf": (plug_plain("1-2", 0x1222, ""), "WTF"),
    "restore": (plug_restore, "Restore"),
    "port-dfu": (plug_plain("1-2", 0xF014, ""), "Port DFU"),
    "debug-usb": (plug_plain("1-2", 0x1881, ""), "Debug USB"),
}


@pytest.mark.parametrize("mode", MODES)
def test_one_phone_in_each_mode(quiet, terminal, mode):
    plug, text = MODES[mode]
    screen = terminal(quiet)
    screen.sees("Plug in an iPhone")
    plug(quiet)
    screen.golden(f"mode-{mode}", "1 phone", text)


def test_details(quiet, terminal):
    screen = terminal(quiet)
    phone = plug_normal(quiet)
    screen.sees("Zoë")
    screen.press(b"\r")
    screen.sees("Esc: back", "All that is known of it")
    screen.press(b"i")
    screen.golden("details", "Esc: back", "21F90")
    screen.press(b"\x1b[6~")
    screen.golden("details-next", "Buttons for")
    screen.press(b"\x1b[1~")
    screen.sees("21F90")
    phone.unplug()  # as happens while its buttons are held: the page stays
    screen.golden("details-left", "not plugged in now", "21F90")
    phone.plug()
    screen.sees_no("not plugged in now")
    screen.press(b"\x1b")
    screen.sees("Enter: do it")
    screen.press(b"\x1b")
    screen.sees("Enter: open")


def test_twelve_phones_scroll(quiet, terminal):
    screen = terminal(quiet, rows=12, columns=40)
    plug_many(quiet, 12)
    screen.golden("twelve-40x12", "12 phones", ">  1 ")
    screen.press(b"\x1b[B" * 7)
    screen.golden("twelve-40x12-down", ">  8 ")
    screen.press(b"\x1b[A")
    screen.sees(">  7 ")
    screen.press(b"9")
    screen.sees("Esc: back")
    screen.press(b"\x1b")
    screen.sees(">  9 ")


def test_twelve_phones_fit(quiet, terminal):
    screen = terminal(quiet)
    plug_many(quiet, 12)
    screen.golden("twelve", "12 phones", " 12 ")


def test_picture(quiet, terminal):
    """The screen that README.md shows."""
    screen = terminal(quiet)
    plug_normal(quiet)
    Phone(quiet, "1-3", 0x1227, DFU).plug()
    Phone(quiet, "1-4.3.1", 0x1281, RECOVERY).plug()
    screen.sees("3 phones")
    screen.press(b"\x1b[F")
    screen.golden("picture", "Zoë", "DFU", "Recovery", ">  3 ")


def test_unplug_live(quiet, terminal):
    screen = terminal(quiet)
    phones = plug_many(quiet, 3)
    screen.sees("3 phones")
    screen.press(b"\x1b[B")
    screen.sees(">  2 ")
    phones[0].unplug()
    screen.sees("2 phones", ">  1 ")  # the choice stays on its phone
    for phone in phones[1:]:
        phone.unplug()
    screen.sees("Plug in an iPhone")


def test_mode_change_keeps_the_phone_open(quiet, terminal):
    screen = terminal(quiet)
    recovery = Phone(quiet, "1-2", 0x1281, RECOVERY).plug()
    screen.sees("1 phone")
    screen.press(b"1")
    screen.sees("Esc: back", "is in recovery")
    recovery.unplug()
    screen.sees("not plugged in now")
    Phone(quiet, "1-2", 0x1227, RECOVERY).plug()
    screen.sees("is in DFU")
    screen.sees_no("not plugged in now")


def test_lights_hints_and_what_the_screen_shows(quiet, terminal):
    screen = terminal(quiet)
    plug_normal(quiet)
    screen.sees("Lights", "+ + +", "Zoë")
    screen.press(b"\r")
    screen.sees("USB works, usbmuxd works, secure link works", "h: hints", "s: screen")
    screen.press(b"h")
    screen.sees("What helps, the mildest first: Note:", "1. ", "What stays", "Nothing is lost.")
    screen.press(b"\x1b")
    screen.sees("Enter: do it")
    screen.press(b"s")
    screen.sees("What does the screen of", "None of these")
    screen.press(b"1")
    screen.sees("Below stands what that means", "Problem:", "passcode")
    screen.press(b"h")
    screen.sees("What helps, the mildest first: Problem:", "Save the data", "Look for a backup")
    screen.press(b"\x1b[F")
    screen.sees("ERASES ALL DATA")


def test_service_killed_and_back(quiet, terminal):
    screen = terminal(quiet)
    phones = plug_many(quiet, 2)
    screen.sees("2 phones")
    quiet.kill()
    screen.sees("The rescue service does not answer.", "tries again")
    screen.sees_no("2 phones")
    quiet.start()
    phones[1].plug()
    screen.sees("1 phone", "Recovery")


def test_service_comes_later(tmp_path, terminal):
    bench = Bench(tmp_path)
    try:
        screen = terminal(bench)
        screen.sees("The rescue service does not answer.")
        bench.start()
        screen.sees("Plug in an iPhone")
    finally:
        bench.close()


def test_resize(quiet, terminal):
    screen = terminal(quiet)
    plug_many(quiet, 12)
    screen.sees("12 phones")
    screen.resize(12, 40)
    screen.golden("twelve-40x12", "12 phones", "1 to 5 of 12")
    screen.resize(60, 200)
    screen.golden("twelve-200x60", "12 phones", "Ends in")


@pytest.mark.parametrize("term", ["vt102", "vt220", "linux", "xterm-256color"])
def test_terminals(quiet, terminal, term):
    screen = terminal(quiet, term=term)
    plug_normal(quiet)
    ascii_only = term.startswith("vt")
    screen.golden(f"term-{term}", "Zoe's" if ascii_only else "Zoë")
    if ascii_only:
        assert all(byte < 0x80 for byte in screen.raw), "a serial terminal got more than ASCII"
    if term != "xterm-256color":
        assert b"\x1b[38;5;" not in screen.raw


def test_monochrome_tells_the_choice_apart(quiet, terminal):
    screen = terminal(quiet, env={"NO_COLOR": "1"})
    plug_many(quiet, 2)
    screen.sees("2 phones", ">  1 ")
    colored = [cell for row in screen.screen.buffer.values() for cell in row.values()
               if cell.fg != "default" or cell.bg != "default"]
    assert not colored
    chosen = next(y for y, row in enumerate(screen.rows()) if row.startswith(">"))
    assert screen.screen.buffer[chosen][10].reverse
    assert not screen.screen.buffer[chosen + 1][10].reverse


def test_other_locales_get_ascii(quiet, terminal):
    screen = terminal(quiet, env={"LC_ALL": "C", "LANG": "C"})
    plug_normal(quiet)
    screen.sees("Zoe's iPhone", "----")
    assert all(byte < 0x80 for byte in screen.raw)


@pytest.mark.parametrize("key", [b"q", b"\x03"])
def test_leaves_and_restores_the_terminal(quiet, terminal, key):
    screen = terminal(quiet)
    screen.sees("Plug in an iPhone")
    screen.press(key)
    assert screen.ends() == (0, None)
    assert b"\x1b[?1049l" in screen.raw and b"\x1b[?25h" in screen.raw


def test_keys_that_freeze_other_programs(quiet, terminal):
    screen = terminal(quiet)
    screen.sees("Plug in an iPhone")
    screen.press(b"\x13\x1a\x1c")  # Ctrl-S, Ctrl-Z, Ctrl-backslash
    plug_many(quiet, 1)
    screen.sees("1 phone")


@pytest.mark.parametrize("term", ["vt102", "linux", "xterm-256color"])
def test_keys_of_other_terminals(quiet, terminal, term):
    """A key that the terminal type does not have is one key, not the letters of its sequence."""
    screen = terminal(quiet, term=term)
    plug_many(quiet, 3)
    screen.sees("3 phones", ">  1 ")
    screen.press(b"\x1b[B")
    screen.sees(">  2 ")
    screen.press(b"\x1bOB")
    screen.sees(">  3 ")
    screen.press(b"\x1b[5~")
    screen.sees(">  1 ")
    screen.press(b"\x1b[24;2~\x1b[1;5P\x1b[B")  # two function keys, then Down
    screen.sees(">  2 ", "Enter: open")


def test_other_keys_repaint(quiet, terminal):
    """Somebody who connects to a serial console late gets a whole screen by pressing a key."""
    screen = terminal(quiet, term="vt102")
    screen.sees("Plug in an iPhone")
    screen.screen.reset()
    screen.press(b"x")
    screen.sees("Plug in an iPhone")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_cleanly(quiet, terminal, number):
    screen = terminal(quiet)
    screen.sees("Plug in an iPhone")
    os.kill(screen.child.pid, number)
    assert screen.ends() == (0, None)
    assert b"\x1b[?1049l" in screen.raw


def test_a_crash_gives_the_terminal_back(quiet, terminal):
    screen = terminal(quiet)
    screen.sees("Plug in an iPhone")
    assert not termios.tcgetattr(screen.child.fd)[3] & termios.ICANON
    os.kill(screen.child.pid, signal.SIGSEGV)
    screen.sees("the console made a mistake and ended")
    modes = termios.tcgetattr(screen.child.fd)
    assert modes[3] & termios.ICANON and modes[3] & termios.ECHO and modes[3] & termios.ISIG
    assert screen.ends() == (None, signal.SIGSEGV)


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return [line for line in status if "ctxt_switches" in line]


def test_idle_costs_nothing(quiet, terminal):
    screen = terminal(quiet)
    plug_many(quiet, 2)
    screen.sees("2 phones")
    screen.sees_no("Just plugged in")
    counts = []

    def asleep():
        """Nothing at all for 3 seconds; a program that polls never gets there."""
        counts.append(switches(screen.child.pid))
        time.sleep(3)  # idleness is the absence of events: there is none to wait for
        return switches(screen.child.pid) == counts[-1]

    wait_until(asleep, "it sleeps while nothing happens")


def run_without_terminal(bench, *more, **options):
    return subprocess.run([PROGRAM, "console", "--socket", bench.socket, *more], timeout=LIMIT_S,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          **options)


def test_without_a_terminal(quiet):
    result = run_without_terminal(quiet)
    assert result.returncode not in (0, -signal.SIGSEGV)
    assert "needs a terminal" in result.stderr
    assert "\x1b" not in result.stdout
    told = run_without_terminal(quiet, "--json")
    line = json.loads(told.stdout)
    assert (line["type"], line["exit"], line["error"]["kind"]) == ("result", told.returncode, "unsupported")


def test_terminal_that_cannot_move_its_cursor(quiet, terminal):
    screen = terminal(quiet, term="dumb")
    status, number = screen.ends()
    assert number is None and status != 0
    assert b"cannot move its cursor" in screen.raw
