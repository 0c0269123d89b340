# SPDX-License-Identifier: GPL-3.0-or-later
"""How the machine is put together: QEMU's command line for an image booted unchanged. No process is started here.

Everything a test needs inside comes through SMBIOS, as systemd credentials: a unit, a drop-in that wants it, and the
agent that the unit runs. So the bytes tested are the bytes shipped.
"""

import base64
import dataclasses
import pathlib

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
PORTS_PER_CONTROLLER = 15
UNIT = "idevicerescue-test-agent"
PORT_NAME = "org.idevicerescue.test"

UNIT_TEXT = f"""[Unit]
Description=Test channel of the virtual machine
DefaultDependencies=no
After=idevicerescue.service
[Service]
ImportCredential=idevicerescue.test-agent
ExecStart=/bin/bash ${{CREDENTIALS_DIRECTORY}}/idevicerescue.test-agent
"""
DROPIN_TEXT = f"[Unit]\nWants={UNIT}.service\n"


class GuestError(Exception):
    """The machine could not be started, or did not do what every machine must."""


@dataclasses.dataclass
class Options:
    """What machine to build. Paths may be relative to the tree."""

    firmware: str = "bios"  # bios, uefi, secureboot, direct (kernel and archive straight from build/)
    medium: str = "usb"  # usb, cd, disk
    phones: list = dataclasses.field(default_factory=list)  # SCENARIO[,KEY=VALUE]…
    usbredir: list = dataclasses.field(default_factory=list)  # sockets on which QEMU listens for any other peer
    memory: int = 1024  # MiB
    timeout: int = 300  # seconds from power-on to the first command
    image: str = ""  # another image than build/idevicerescue-amd64.{img,iso}
    keep: bool = False  # what the machine writes to its medium stays there; else the image is as it was
    screen: str = "none"  # gtk: a window
    console: bool = False  # the first serial line in this terminal
    log: str = ""  # folder that gets the logs at the end; empty: nobody wants them
    agent: bool = True  # without it nothing foreign is passed in: the bare product
    append: str = ""  # further kernel options, with firmware direct only
    credentials: dict = dataclasses.field(default_factory=dict)  # further ones, name → text
    qemu: list = dataclasses.field(default_factory=list)  # further arguments

    def image_path(self):
        if self.image:
            return pathlib.Path(self.image).resolve()
        suffix = "iso" if self.medium == "cd" else "img"
        return TREE / "build" / f"idevicerescue-amd64.{suffix}"


def kernel_options():
    """The words of the [start] section of rescue/cmdline, as the boot menu passes them."""
    words, section = [], ""
    for line in (TREE / "rescue" / "cmdline").read_text().splitlines():
        line = line.split("#", 1)[0].strip()
        if line.startswith("["):
            section = line
        elif line and section == "[start]":
            words.append(line)
    return " ".join(words)


def smbios(name, text):
    value = base64.b64encode(text.encode()).decode()
    return ["-smbios", f"type=11,value=io.systemd.credential.binary:{name}={value}"]


def credential_args(options):
    args = []
    if options.agent:
        agent = (TREE / "tests" / "story" / "guest_agent.sh").read_text()
        args += smbios(f"systemd.extra-unit.{UNIT}.service", UNIT_TEXT)
        args += smbios("systemd.unit-dropin.multi-user.target", DROPIN_TEXT)
        args += smbios("idevicerescue.test-agent", agent)
        args += smbios("idevicerescue.test", "1")
    for name, text in options.credentials.items():
        args += smbios(name, text)
    return args


def firmware_file(*names):
    """The first of these that the host has."""
    for folder in ("/usr/share/OVMF", "/usr/share/edk2/x64"):
        for name in names:
            path = pathlib.Path(folder) / name
            if path.exists():
                return path
    raise GuestError(f"the host has no UEFI firmware ({names[0]}): install the package ovmf")


def firmware_args(options, run):
    """Arguments for the firmware; UEFI gets its own copy of the variables in the run's folder."""
    if options.firmware == "bios":
        return ["-M", "q35"]
    if options.firmware == "direct":
        return ["-M", "q35", "-kernel", str(TREE / "build/vmlinuz"), "-initrd", str(TREE / "build/initrd.img"),
                "-append", f"{kernel_options()} {options.append}".strip()]
    secure = options.firmware == "secureboot"
    code = firmware_file("OVMF_CODE_4M.secboot.fd") if secure else firmware_file("OVMF_CODE_4M.fd")
    variables = run / "uefi-variables.fd"
    source = firmware_file("OVMF_VARS_4M.ms.fd") if secure else firmware_file("OVMF_VARS_4M.fd")
    variables.write_bytes(source.read_bytes())
    args = ["-M", "q35,smm=on" if secure else "q35",
            "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,file={variables}"]
    if secure:
        args += ["-global", "driver=cfi.pflash01,property=secure,value=on"]
    return args


def medium_args(options):
    if options.firmware == "direct":
        return []
    path = options.image_path()
    if not path.exists():
        raise GuestError(f"{path} does not exist: run 'make image' first")
    snapshot = "off" if options.keep else "on"
    drive = f"if=none,id=medium,format=raw,snapshot={snapshot},file={path}"
    device = {
        "usb": "usb-storage,bus=usb0.0,port=1,removable=on",
        "cd": "ide-cd",
        "disk": "ide-hd",
    }[options.medium]
    return ["-drive", drive, "-device", f"{device},drive=medium,bootindex=0"]


def port_args(options, run):
    """Controllers, and a port with a listening socket for each phone and each foreign peer."""
    sockets = [run / f"phone{i}.usbredir" for i in range(len(options.phones))]
    sockets += [pathlib.Path(path).resolve() for path in options.usbredir]
    args = ["-device", f"qemu-xhci,id=usb0,p2={PORTS_PER_CONTROLLER},p3={PORTS_PER_CONTROLLER}"]
    for i, socket in enumerate(sockets):
        controller, port = 1 + i // PORTS_PER_CONTROLLER, 1 + i % PORTS_PER_CONTROLLER
        if port == 1:
            args += ["-device", f"qemu-xhci,id=usb{controller},p2={PORTS_PER_CONTROLLER},p3={PORTS_PER_CONTROLLER}"]
        if len(str(socket)) > 100:
            raise GuestError(f"the path of a socket is too long for the system: {socket}")
        args += ["-chardev", f"socket,id=peer{i},path={socket},server=on,wait=off",
                 "-device", f"usb-redir,id=redir{i},chardev=peer{i},bus=usb{controller}.0,port={port}"]
    return args


def serial_args(options, run):
    if options.console:
        chardev = f"stdio,id=serial0,mux=on,signal=off,logfile={run}/serial.log"
    else:
        chardev = f"socket,id=serial0,path={run}/serial.sock,server=on,wait=off,logfile={run}/serial.log"
    return ["-chardev", chardev, "-serial", "chardev:serial0"]


def qemu_args(options, run):
    """The whole command line."""
    args = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-name", "idevicerescue",
            "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "1", "-m", str(options.memory), "-no-reboot",
            "-rtc", "base=utc", "-device", "VGA", "-display", options.screen,
            "-chardev", f"socket,id=monitor,path={run}/qmp.sock,server=on,wait=off",
            "-mon", "chardev=monitor,mode=control",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={run}/agent.sock,server=on,wait=off",
            "-device", f"virtserialport,chardev=agent,name={PORT_NAME}",
            "-netdev", "user,id=net0", "-device", "e1000e,netdev=net0"]
    args += firmware_args(options, run)
    args += serial_args(options, run)
    args += port_args(options, run)
    args += medium_args(options)
    args += credential_args(options)
    return args + list(options.qemu)
