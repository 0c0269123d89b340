# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated phone before judges that nobody here wrote: usbmuxd, libimobiledevice's and libirecovery's own tools in
the booted image. They must work against it as they do against a phone, and none of our programs takes part."""

import re
import time

import pytest

NAMES = ["iphone13", "iphone7", "ipad9", "ipad-pro11-m4-dfu", "iphone16-recovery", "iphone6s-recovery", "iphone17-dfu",
         "keyboard", "disk"]
MODE_WORDS = {"recovery": "Recovery", "dfu": "DFU"}


@pytest.fixture(scope="module")
def machine(power_on):
    booted = power_on(firmware="direct", phones=NAMES)
    yield booted
    booted.shutdown()


def state_of(machine, name):
    return machine.phone(NAMES.index(name)).control("state")


def hyphenated(udid):
    return f"{udid[:8]}-{udid[8:]}" if len(udid) == 24 else udid


def until(machine, question, wanted, seconds=60):
    """Asks the guest until the answer is as wanted; the last answer else."""
    deadline = time.monotonic() + seconds
    while True:
        answer = machine.run(question).stdout
        if wanted(answer) or time.monotonic() > deadline:
            return answer
        time.sleep(0.5)


def query(machine, ecid):
    """`irecovery -q` of one phone, {field: value}."""
    lines = machine.ok(f"irecovery -q -i {ecid}").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def await_mode(machine, name, mode):
    phone = machine.phone(NAMES.index(name))
    deadline = time.monotonic() + 60
    while True:
        state = phone.control("state")
        if (state["mode"] == mode and state["configuration"] > 0) or time.monotonic() > deadline:
            assert state["mode"] == mode
            return state
        time.sleep(0.2)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(("-dfu", "-recovery"))])
def test_irecovery_reads_every_field(machine, name):
    state = state_of(machine, name)
    fields = query(machine, state["ecid"])
    nonces = dict(part.split(":") for part in state["nonces"].split(" "))
    assert int(fields["CPID"], 16) == state["cpid"]
    assert int(fields["BDID"], 16) == state["bdid"]
    assert fields["ECID"] == state["ecid"]
    assert (fields["NONC"], fields["SNON"]) == (nonces["NONC"].lower(), nonces["SNON"].lower())
    assert fields["MODE"] == MODE_WORDS[state["mode"]]
    assert (fields["PRODUCT"], fields["MODEL"], fields["NAME"]) == (state["model"], state["board"], state["name"])
    assert fields["SRNM"] == (state["serial"] if state["mode"] == "recovery" else "N/A")


def test_usbmuxd_lists_phones_in_normal_mode(machine):
    wanted = {hyphenated(state_of(machine, name)["udid"]) for name in ("iphone13", "iphone7", "ipad9")}
    assert set(until(machine, "idevice_id -l", lambda text: set(text.split()) == wanted).split()) == wanted
    for udid in wanted:
        assert f"UniqueDeviceID: {udid}" in machine.ok(f"ideviceinfo -s -u {udid}")
        refused = machine.run(f"ideviceinfo -u {udid}")
        assert refused.status != 0  # a stranger gets no session


def test_normal_to_recovery_and_back(machine):
    before = state_of(machine, "iphone7")
    machine.ok(f"ideviceenterrecovery {before['udid']}")
    await_mode(machine, "iphone7", "recovery")
    assert query(machine, before["ecid"])["PRODUCT"] == "iPhone9,1"
    machine.ok(f"irecovery -n -i {before['ecid']}")
    await_mode(machine, "iphone7", "normal")
    assert before["udid"] in until(machine, "idevice_id -l", lambda text: before["udid"] in text)
    lines = [event["line"] for event in machine.phone(NAMES.index("iphone7")).events()
             if event["event"] == "recovery-command"]
    assert lines == ["setenv auto-boot true", "saveenv", "reboot"]


@pytest.mark.parametrize("name, size", [("iphone17-dfu", 5000), ("ipad-pro11-m4-dfu", 2040),
                                        ("iphone16-recovery", 65536), ("iphone6s-recovery", 100000)])
def test_upload_arrives_bit_by_bit(machine, name, size):
    state = state_of(machine, name)
    # these are no images: the phone is told to take anything
    machine.phone(NAMES.index(name)).control("set firmware_check none")
    hashed = machine.ok(f"head -c {size} /dev/urandom >/tmp/upload && sha256sum </tmp/upload").split()[0]
    machine.ok(f"irecovery -f /tmp/upload -i {state['ecid']}")
    if state["mode"] == "recovery":
        machine.ok(f"irecovery -c go -i {state['ecid']}")
    after = await_mode(machine, name, "recovery")
    assert after["nonces"] == state["nonces"]  # an image that iBoot or the boot ROM starts keeps them
    events = machine.phone(NAMES.index(name)).events()
    assert (size, hashed) in [(event["bytes"], event["sha256"]) for event in events if "sha256" in event]


def described(text):
    """How many devices `lsusb -v` describes."""
    return len(re.findall(r"^Device Descriptor:", text, re.MULTILINE))


def test_nobody_complains(machine):
    # levels 0 to 2 are errors and warnings
    log = machine.ok("journalctl -b --no-pager -u usbmuxd | grep -E '\\]\\[[012]\\]' || true").splitlines()
    # a client that asks for the record of a phone never paired is no complaint, nor one that hung up first
    known = re.compile(r"Failed to read '/var/lib/lockdown/|"
                       r"client_write: sending to fd \d+ failed: Broken pipe|"
                       r"Receive from client fd \d+ failed: Connection reset by peer|"
                       r"connection_teardown: aborting buffer flush to client after error\.$")
    assert [line for line in log if not known.search(line)] == []
    complaints = machine.ok("dmesg --level=err,warn | grep -iE 'usb [0-9]|hid|sd [0-9]' || true")
    assert complaints == ""
    # a phone that a test before this one restarted may be off the bus for a second: list and describe until they agree
    both = "lsusb | wc -l; lsusb -v 2>&1"
    text = until(machine, both, lambda answer: int(answer.split("\n")[0]) == described(answer))
    assert described(text) == int(text.split("\n")[0]) >= len(NAMES)
    assert not re.search(r"can't get|unable to get|couldn't|error", text, re.IGNORECASE)
