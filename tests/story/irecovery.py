# SPDX-License-Identifier: GPL-3.0-or-later
"""What the unmodified `irecovery -q` prints, beside what `idevicerescue show --json` says."""

# the fields that `irecovery -q` prints, and ours
FIELDS = {
    "CPID": "cpid", "CPRV": "cprv", "BDID": "bdid", "ECID": "ecid", "CPFM": "cpfm", "SCEP": "scep", "IBFL": "ibfl",
    "SRTG": "srtg", "SRNM": "srnm", "IMEI": "imei", "NONC": "ap_nonce", "SNON": "sep_nonce", "PWND": "pwnd",
    "MODE": "mode", "PRODUCT": "product", "MODEL": "board", "NAME": "model",
}
MODES = {"Recovery": "recovery", "DFU": "dfu", "WTF": "wtf", "Port DFU": "port-dfu",
         "DFU via Debug USB (KIS)": "debug-usb"}
NUMBERS = {"cpid", "cprv", "bdid", "ecid", "cpfm", "scep", "ibfl"}


def irecovery_fields(text):
    """{our name: value} of all that irecovery prints, numbers as numbers."""
    fields = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        value = value.strip()
        if key in FIELDS and value != "N/A":
            fields[FIELDS[key]] = value
    fields["mode"] = MODES.get(fields.get("mode"), fields.get("mode"))
    fields = {key: int(value, 16) if key in NUMBERS else value for key, value in fields.items()}
    # it prints 0 for what the string lacks
    return {key: value for key, value in fields.items() if key not in ("ecid", "ibfl") or value != 0}


def our_fields(phone):
    """The same of our object."""
    return {key: int(phone[key], 16) if key in NUMBERS else phone[key] for key in FIELDS.values() if key in phone}
