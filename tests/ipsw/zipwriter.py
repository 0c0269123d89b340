# SPDX-License-Identifier: GPL-3.0-or-later
"""A writer of zip files that can leave holes, for images larger than the disk has room for.

Owns the output file from construction to close(). Members are written in the order given, with the
sizes and CRC-32 in their local headers (no data descriptors), as Apple's files have them. Zip64
records appear only where a size or an offset does not fit into 32 bits.

    local header | data | local header | data | … | central directory | end record(s)
"""
import functools
import struct
import zlib

STORED, DEFLATED = 0, 8
LIMIT32 = 0xffffffff
DOS_DATE = 1 << 5 | 1  # 1 January 1980, always: same input, same bytes
LOCAL = struct.Struct("<IHHHHHIIIHH")
CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
END = struct.Struct("<IHHHHIIH")
END64 = struct.Struct("<IQHHIIQQQQ")
LOCATOR64 = struct.Struct("<IIQI")
POLYNOMIAL = 0xedb88320


def _times(matrix, vector):
    result = 0
    for row in matrix:
        if vector & 1:
            result ^= row
        vector >>= 1
        if not vector:
            break
    return result


def _product(left, right):
    return tuple(_times(left, row) for row in right)


@functools.lru_cache
def _zeros_matrix(count):
    """What `count` bytes of zero do to the CRC register: the one-bit shift to the power 8 count."""
    power = (POLYNOMIAL, *(1 << bit for bit in range(31)))
    result = tuple(1 << bit for bit in range(32))
    bits = count * 8
    while bits:
        if bits & 1:
            result = _product(power, result)
        power = _product(power, power)
        bits >>= 1
    return result


def crc32_zeros(crc, count):
    """The CRC-32 after `count` further bytes of zero."""
    return _times(_zeros_matrix(count), crc ^ LIMIT32) ^ LIMIT32


class _Member:
    """What the central directory tells of a member."""

    def __init__(self, name, method, offset, with64):
        self.name, self.method, self.offset, self.with64 = name.encode(), method, offset, with64
        self.crc = self.packed = self.size = 0

    def local_header(self):
        sizes, extra = (self.packed, self.size), b""
        if self.with64:
            extra = struct.pack("<HHQQ", 1, 16, self.size, self.packed)
            sizes = (LIMIT32, LIMIT32)
        return LOCAL.pack(0x04034b50, 45 if self.with64 else 20, 0, self.method, 0, DOS_DATE,
                          self.crc, *sizes, len(self.name), len(extra)) + self.name + extra

    def central_header(self):
        values, fields = [], []
        for value in (self.size, self.packed, self.offset):
            fields.append(LIMIT32 if value >= LIMIT32 else value)
            if value >= LIMIT32:
                values.append(value)
        size, packed, offset = fields
        extra = struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values) if values else b""
        version = 45 if self.with64 or values else 20
        return CENTRAL.pack(0x02014b50, 0x0300 | version, version, 0, self.method, 0, DOS_DATE,
                            self.crc, packed, size, len(self.name), len(extra), 0, 0, 0,
                            0o100644 << 16, offset) + self.name + extra


class ZipWriter:
    """Use as a context manager: the directory is written when the block ends without an error."""

    def __init__(self, path):
        self._file = open(path, "wb")
        self._members = []
        self._places = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        if kind is None:
            self._finish()
        self._file.close()

    def add(self, name, data, deflate=True):
        """A member from memory. Stored when deflating does not make it smaller."""
        packed = data
        if deflate:
            packer = zlib.compressobj(1, zlib.DEFLATED, -15)
            packed = packer.compress(data) + packer.flush()
        method = DEFLATED if len(packed) < len(data) else STORED
        member = _Member(name, method, self._file.tell(), False)
        member.crc, member.size = zlib.crc32(data), len(data)
        self._stream(member, [(packed if method == DEFLATED else data, None)])

    def add_blocks(self, name, blocks, size, deflate=False):
        """A member from (bytes or None for a hole, length) pairs that have `size` bytes in all."""
        # deflated data may be a little larger than its source, so the choice keeps a distance
        with64 = size >= LIMIT32 - (64 << 20)
        member = _Member(name, DEFLATED if deflate else STORED, self._file.tell(), with64)
        self._stream(member, self._pack(member, blocks) if deflate else self._count(member, blocks))
        if member.size != size:
            raise ValueError(f"'{name}' was to have {size} bytes and has {member.size}")

    def _count(self, member, blocks):
        for data, length in blocks:
            if data is None:
                member.crc = crc32_zeros(member.crc, length)
            else:
                member.crc = zlib.crc32(data, member.crc)
            member.size += length
            yield data, length

    def _pack(self, member, blocks):
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        for data, length in self._count(member, blocks):
            yield packer.compress(bytes(length) if data is None else data), None
        yield packer.flush(), None

    def _stream(self, member, pieces):
        """Header with sizes yet unknown, data, then the header again with what was found out."""
        self._file.write(member.local_header())
        start = self._file.tell()
        for data, length in pieces:
            if data is None:
                self._file.seek(length, 1)
            else:
                self._file.write(data)
        end = self._file.tell()
        member.packed = end - start
        self._file.seek(member.offset)
        self._file.write(member.local_header())
        self._file.seek(end)
        self._members.append(member)
        self._places[member.name.decode()] = (start, member.packed)

    def _finish(self):
        start = self._file.tell()
        for member in self._members:
            self._file.write(member.central_header())
        end, count = self._file.tell(), len(self._members)
        if start >= LIMIT32 or count >= 0xffff:
            self._file.write(END64.pack(0x06064b50, END64.size - 12, 0x032d, 45, 0, 0, count, count,
                                        end - start, start))
            self._file.write(LOCATOR64.pack(0x07064b50, 0, end, 1))
        self._file.write(END.pack(0x06054b50, 0, 0, min(count, 0xffff), min(count, 0xffff),
                                  end - start, min(start, LIMIT32), 0))

    def places(self):
        """{member: (offset of its data in the file, bytes it takes there)}"""
        return dict(self._places)
