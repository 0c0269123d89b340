# SPDX-License-Identifier: GPL-3.0-or-later
"""Deterministic content: every byte of an IPSW follows from the seed and the name of the member.

Small pieces are SHAKE-128 output. Images of any size are made of blocks of 1 MiB, each computed
from its number alone, so that a reader can check any part of an image by itself:
 - DENSE: one SHAKE block, turned by a block-specific offset: does not compress, no two blocks alike
   at the same place;
 - LIGHT: every 4 KiB is 256 bytes of SHAKE and zeros: compresses about 1:14;
 - SPARSE: holes, but for the first and last block and 4 KiB at the start of every 64th block.
"""
import hashlib

BLOCK = 1 << 20
MARK_EVERY = 64
MARK_SIZE = 4096
TRAILER_SIZE = 512
DENSE, LIGHT, SPARSE = "dense", "light", "sparse"
ZERO_BLOCK = bytes(BLOCK)


def random_bytes(seed, name, size):
    """size bytes that follow from (seed, name)."""
    return hashlib.shake_128(f"{seed}/{name}".encode()).digest(size)


class Image:
    """A disk image: blocks() yields (bytes or None for a hole, length) in order."""

    def __init__(self, seed, name, size, texture=DENSE, head=b""):
        if size < MARK_SIZE:
            raise ValueError(f"an image has at least {MARK_SIZE} bytes, not {size}")
        self.seed, self.name, self.size, self.texture, self.head = seed, name, size, texture, head
        self._base = self._make_base()

    def _make_base(self):
        base = random_bytes(self.seed, self.name, BLOCK)
        if self.texture == LIGHT:
            base = b"".join(base[at:at + 256] + bytes(3840) for at in range(0, BLOCK, 4096))
        return base + base

    def _turn(self, number):
        digest = hashlib.sha256(f"{self.seed}/{self.name}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "little") % BLOCK

    def _trailer(self):
        """512 bytes that begin as a UDIF trailer does: magic, version 4, its own size."""
        start = b"koly" + (4).to_bytes(4, "big") + TRAILER_SIZE.to_bytes(4, "big")
        return start + random_bytes(self.seed, self.name + "/trailer", TRAILER_SIZE - len(start))

    def _block(self, number, length):
        """A block of content, the image's head and trailer put over it where they belong."""
        turn = self._turn(number)
        data = self._base[turn:turn + length]
        if number == 0:
            data = self.head + data[len(self.head):]
        trailer_at = self.size - TRAILER_SIZE - number * BLOCK
        if trailer_at >= length:
            return data
        if trailer_at >= 0:
            return data[:trailer_at] + self._trailer()[:length - trailer_at]
        return self._trailer()[-trailer_at:-trailer_at + length]  # it began in the block before

    def _is_hole(self, number):
        """Neither the first block nor one with a part of the trailer."""
        ends = (number + 1) * BLOCK
        return self.texture == SPARSE and number > 0 and ends <= self.size - TRAILER_SIZE

    def blocks(self):
        for number in range((self.size + BLOCK - 1) // BLOCK):
            length = min(BLOCK, self.size - number * BLOCK)
            if not self._is_hole(number):
                yield self._block(number, length), length
            elif number % MARK_EVERY:
                yield None, length
            else:
                yield self._block(number, MARK_SIZE), MARK_SIZE
                yield None, length - MARK_SIZE

    def digest(self, *algorithms):
        """The digests of the whole image, in the order asked."""
        hashes = [hashlib.new(name) for name in algorithms]
        for data, length in self.blocks():
            for one in hashes:
                one.update(ZERO_BLOCK[:length] if data is None else data)
        return [one.digest() for one in hashes]
