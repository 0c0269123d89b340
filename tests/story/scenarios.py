# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated phones of tests/simphone/scenarios are, written down a second time and by hand: the expectation of
stories must not be derived from what they test."""

# scenario: (ProductType, mode as our JSON names it)
PHONES = {
    "iphone6": ("iPhone7,2", "normal"),
    "iphone6-wtf": ("iPhone7,2", "wtf"),
    "iphone6s": ("iPhone8,1", "normal"),
    "iphone6s-recovery": ("iPhone8,1", "recovery"),
    "iphone6s-dfu": ("iPhone8,1", "dfu"),
    "iphone7": ("iPhone9,1", "normal"),
    "iphone7-recovery": ("iPhone9,1", "recovery"),
    "iphone7-dfu": ("iPhone9,1", "dfu"),
    "iphone-xr": ("iPhone11,8", "normal"),
    "iphone-xr-pwned": ("iPhone11,8", "dfu"),
    "iphone13": ("iPhone14,5", "normal"),
    "iphone13-locked": ("iPhone14,5", "normal"),
    "iphone13-denied": ("iPhone14,5", "normal"),
    "iphone13-full-speed": ("iPhone14,5", "normal"),
    "iphone13-recovery": ("iPhone14,5", "recovery"),
    "iphone13-dfu": ("iPhone14,5", "dfu"),
    "iphone13-restore": ("iPhone14,5", "restore"),
    "iphone14pro": ("iPhone15,2", "normal"),
    "iphone14pro-debug-usb": ("iPhone15,2", "debug-usb"),
    "iphone16": ("iPhone17,3", "normal"),
    "iphone16-recovery": ("iPhone17,3", "recovery"),
    "iphone16-dfu": ("iPhone17,3", "dfu"),
    "iphone16-debug-usb": ("iPhone17,3", "debug-usb"),
    "iphone16-port-dfu": ("iPhone17,3", "port-dfu"),
    "iphone17": ("iPhone18,3", "normal"),
    "iphone17-recovery": ("iPhone18,3", "recovery"),
    "iphone17-dfu": ("iPhone18,3", "dfu"),
    "ipad9": ("iPad12,1", "normal"),
    "ipad9-recovery": ("iPad12,1", "recovery"),
    "ipad9-dfu": ("iPad12,1", "dfu"),
    "ipad-pro11-m4": ("iPad16,4", "normal"),
    "ipad-pro11-m4-recovery": ("iPad16,4", "recovery"),
    "ipad-pro11-m4-dfu": ("iPad16,4", "dfu"),
}

# Apple's vendor id, and no phone
STRANGERS = ["keyboard", "disk"]


def plugged(names):
    """--phone arguments for these scenarios, each a handset of its own although several are of one model."""
    return [f"{name},unit={number}" for number, name in enumerate(names)]
