# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes what a judge says the same on every run and short enough to read."""

import re

WIDTH = 150
# irecovery -v about itself
CHATTER = re.compile(r"Attempting to connect\.|opening device |found device with |"
                     r"Setting to (configuration|interface) ")
LONG = 14  # lines of a judge that are shown whole; of more than that only both ends
ENDS = 5

# what differs from run to run; the phone's own names come before these
MASKS = (
    (r"^\[?\d\d:\d\d:\d\d\.\d+\]?(\[\d\])? *", ""),
    (r"<ecid>[-.]\S*\.log", "<ecid>.log"),
    (r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}", "<uuid>"),
    (r"\b[0-9a-fA-F]{20,}\b", "<hex>"),
    (r"127\.0\.0\.1:\d+", "<server>"),
    (r"\b(port|Port)( number|:)? \d{5}\b", r"\1 <port>"),
    (r"\(\d+ bytes\)", "(<n> bytes)"),  # a signature is a byte or two longer or shorter
    # the phone goes; which question was under way depends on usbmuxd's ACKs
    (r"Could not get (lockdownd type|ProductVersion) from", "Could not get <a value> from"),
    (r"\(sent \d+/", "(sent <n>/"),
    (r"(tmp|bbfw)_\w{6}", r"\1_<random>"),
    (r"\b0x[0-9a-f]{12}\b", "<address>"),
    (r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} +\d+ \d\d:\d\d:\d\d \S+ \d{4}", "<date>"),
    (r"^\[=* *\] +([0-9.]+%)", r"progress \1"),
    (r"(_(birth|m)time\"?: )\d+", r"\1<time>"),
    (r"^(.*TimeIntervalSince1970: ).*", r"\1<time>"),
)


def tidy(text, names):
    """names: {what stands there: what the map says}, longest first."""
    for real, said in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = re.sub(re.escape(real), said, text, flags=re.IGNORECASE)
    lines = []
    for line in re.split(r"[\r\n]+", text):
        line = "".join(char if char.isprintable() else "·" for char in line.replace("\t", "    ")).rstrip()
        for pattern, to in MASKS:
            line = re.sub(pattern, to, line)
        if line.startswith("progress ") and lines and lines[-1].startswith("progress "):
            lines.pop()  # only how far it came
        if line.strip() and not CHATTER.match(line):
            lines.append(line if len(line) <= WIDTH else line[:WIDTH] + "…")
    return lines


def once(lines):
    """Lines that come again and again, as those of a retry, once; in the order of their first time."""
    return list(dict.fromkeys(lines))


def shorten(lines):
    if len(lines) <= LONG:
        return lines
    left_out = len(lines) - 2 * ENDS
    return lines[:ENDS] + [f"… ({left_out} more lines) …"] + lines[-ENDS:]


# of idevicerestore's log: what it says to people; of the rest what the signing server and the phone's log said
STAMPED = re.compile(r"^ *\d\d:\d\d:\d\d\.\d+ *<(Error|Warning|Notice|Info)> (.*)$")
QUOTED = re.compile(r"TSS server returned|TSS request failed|^CHECKPOINT FAILURE")
NEXT_STAMP = re.compile(r" ?\d\d:\d\d:\d\d\.\d+ *<\w+> .*$")
BYTES = re.compile(r"( [0-9a-f]{2}){8,}")
# one for each of two hundred components
BORING = re.compile(r"^(Extracting|Personalizing|Found firmware|Getting firmware manifest) ")


def restore_log(text, names):
    """What idevicerestore said, without times; errors and warnings are marked."""
    kept = []
    for line in text.splitlines():
        found = STAMPED.match(line)
        if found:
            words = NEXT_STAMP.sub("", BYTES.sub(" <bytes>", found[2]))
            mark = "" if found[1] in ("Info", "Notice") else f"{found[1]}: "
            if not BORING.match(words):
                kept.append(mark + words)
        elif QUOTED.search(line):
            kept.append(line.strip())
    return tidy("\n".join(kept), names)


# what it says, too, when it begins in another mode or does not erase
OTHER_STARTS = re.compile(r"Found device in |Device Product |Getting (Ap|Sep)Nonce in |Sending iBSS |Nonce: |"
                          r"Variant: |This restore will |Entering recovery mode")


def beyond(lines, polite):
    """How far it came in what an undisturbed restore says, and what it said that such a one does not."""
    known = set(polite)

    def is_known(line):
        return line in known or OTHER_STARTS.match(line)

    told = [line for line in lines if is_known(line)]
    news = once([line for line in lines if not is_known(line)])
    far = f"came as far as: {told[-1]}" if told else "said nothing that an undisturbed restore says"
    return [far, *shorten(news)]
