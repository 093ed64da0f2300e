#!/usr/bin/env python3
"""Writes the seed corpus of fuzz_image into a directory: small images of every format, built here, always the same.

The first byte of a seed selects the format, as in fuzz_image.c: 0 auto, 1 ELF, 2 Intel HEX, 3 SREC, 4 UF2, 5 raw;
0x80 gives a raw binary its address; with 0x20 every format is given one.
"""
import struct
import sys
from pathlib import Path

AUTO, ELF, IHEX, SREC, UF2, RAW = range(6)


def ihex_record(kind, address, data=b""):
    body = struct.pack(">BHB", len(data), address, kind) + data
    return b":%s\n" % (body + bytes([-sum(body) & 0xFF])).hex().upper().encode()


def ihex_seeds():
    end = ihex_record(1, 0)
    linear = ihex_record(4, 0, b"\x00\x01") + ihex_record(0, 0xFFF8, bytes(range(16))) + ihex_record(5, 0, b"\0\0\1\1")
    segmented = ihex_record(2, 0, b"\x10\x00") + ihex_record(0, 0xFFFC, bytes(8)) + ihex_record(3, 0, b"\0\1\0\2")
    universal = ihex_record(4, 0, b"\0\0") + ihex_record(0x0A, 0, b"\x99\x00\xc0\xde")
    scattered = b"".join(ihex_record(0, address, b"\xaa\xbb") for address in (0x40, 0x10, 0x12, 0x80))
    return [linear + end, segmented + end, universal + end, scattered + end, linear.replace(b"\n", b"\r\n") + end]


def srec_record(kind, address, data=b""):
    size = {0: 2, 1: 2, 2: 3, 3: 4, 5: 2, 6: 3, 7: 4, 8: 3, 9: 2}[kind]
    body = bytes([size + len(data) + 1]) + address.to_bytes(size, "big") + data
    return b"S%d%s\n" % (kind, (body + bytes([~sum(body) & 0xFF])).hex().upper().encode())


def srec_seeds():
    head = srec_record(0, 0, b"seed")
    seeds = []
    for width, end in ((1, 9), (2, 8), (3, 7)):
        data = srec_record(width, 0x100, bytes(16)) + srec_record(width, 0x110, b"\1\2\3")
        seeds.append(head + data + srec_record(5, 2) + srec_record(end, 0x101))
    seeds.append(srec_record(1, 0, b"\1") + srec_record(6, 1) + srec_record(9, 0))
    return seeds


def uf2_block(number, total, address, payload, flags=0x2000, family=0xE48BFF56, tail=b""):
    header = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, len(payload), number, total, family)
    return header + (payload + tail).ljust(476, b"\0") + struct.pack("<I", 0x0AB16F30)


def uf2_seeds():
    tags = b"\x09\xbc\xc7\x9f0.1.2\0\0\0\xff\xff\xff\xff"
    plain = uf2_block(0, 2, 0x10000000, bytes(256)) + uf2_block(1, 2, 0x10000100, b"\1" * 256)
    e10 = uf2_block(0, 2, 0x10FFFF00, b"\xef" * 256, family=0xE48BFF57)
    e10_tagged = uf2_block(0, 2, 0x10FFFF00, b"\xef" * 256, 0xA000, 0xE48BFF57, struct.pack("<I", 0x9957E304))
    return [
        plain,
        e10 + plain,
        e10_tagged + plain,
        uf2_block(0, 2, 0, b"note", flags=1) + uf2_block(1, 2, 0x2000, b"code", flags=0),
        uf2_block(0, 1, 0x2000, b"code", flags=0xE000, tail=tags),
        uf2_block(0, 1, 0, b"file", flags=0x1000, tail=b"name\0"),
    ]


def elf_seed(machine, order, wide, kind=2):
    """An executable with two segments, a symbol table and a DWARF 4 line table."""
    fields = "Q" if wide else "I"
    text = bytes(range(16))
    names = b"\0main\0_label\0table\0$t\0"
    section_names = b"\0.text\0.symtab\0.strtab\0.debug_info\0.debug_abbrev\0.debug_line\0.shstrtab\0"
    word = 8 if wide else 4
    unit = struct.pack(order + "HIBB" + "I" + fields + "I", 4, 0, word, 1, 0, 0x100, 16) + b"a.c\0"
    info = struct.pack(order + "I", len(unit)) + unit
    abbrev = bytes([1, 0x11, 0, 0x10, 0x17, 0x11, 1, 0x12, 6, 3, 8, 0, 0, 0])
    head = bytes([1, 1, 1, 0xFB, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0]) + b"a.c\0\0\0\0\0"
    program = bytes([0, word + 1, 2]) + struct.pack(order + fields, 0x100)
    program += bytes([3, 10, 1, 2, 8, 3, 1, 1, 2, 8, 0, 1, 1])
    line = struct.pack(order + "HI", 4, len(head)) + head + program
    line = struct.pack(order + "I", len(line)) + line

    def symbol(name, value, size, info_byte, section):
        if wide:
            return struct.pack(order + "IBBHQQ", name, info_byte, 0, section, value, size)
        return struct.pack(order + "IIIBBH", name, value, size, info_byte, 0, section)

    symbols = (symbol(0, 0, 0, 0, 0) + symbol(19, 0x100, 0, 0, 1) + symbol(1, 0x101, 8, 0x12, 1)
               + symbol(6, 0x108, 0, 0x10, 1) + symbol(13, 0x10C, 4, 1, 1) + symbol(6, 0x104, 0, 0x10, 0xFFF1))
    header_size, segment_size, section_size = (64, 56, 64) if wide else (52, 32, 40)
    body_at = header_size + 2 * segment_size
    parts, at = [], body_at
    for part in (text, symbols, names, info, abbrev, line, section_names):
        parts.append((at, len(part)))
        at += len(part)

    def segment(offset, address, file_size, mem_size, flags):
        if wide:
            return struct.pack(order + "IIQQQQQQ", 1, flags, offset, address, address, file_size, mem_size, 4)
        return struct.pack(order + "IIIIIIII", 1, offset, address, address, file_size, mem_size, flags, 4)

    def section(name, kind, address, part, link=0, entry_size=0):
        offset, size = part
        layout = order + "II" + fields * 4 + "II" + fields * 2
        return struct.pack(layout, section_names.index(name), kind, 0, address, offset, size, link, 0, 1, entry_size)

    header = (b"\x7fELF" + bytes([2 if wide else 1, 1 if order == "<" else 2, 1]) + bytes(9)
              + struct.pack(order + "HHI" + fields * 3 + "IHHHHHH", kind, machine, 1, 0x101, header_size, at, 0,
                            header_size, segment_size, 2, section_size, 8, 7))
    sections = (section(b"\0", 0, 0, (0, 0)) + section(b".text", 1, 0x100, parts[0])
                + section(b".symtab", 2, 0, parts[1], 3, 24 if wide else 16) + section(b".strtab", 3, 0, parts[2])
                + section(b".debug_info", 1, 0, parts[3]) + section(b".debug_abbrev", 1, 0, parts[4])
                + section(b".debug_line", 1, 0, parts[5]) + section(b".shstrtab", 3, 0, parts[6]))
    return (header + segment(parts[0][0], 0x100, 16, 16, 5) + segment(parts[0][0], 0x20000000, 4, 64, 6)
            + text + symbols + names + info + abbrev + line + section_names + sections)


def elf_seeds():
    seeds = [elf_seed(machine, order, wide)
             for machine, order, wide in ((40, "<", False), (2, ">", False), (243, "<", True), (43, ">", True))]
    return seeds + [elf_seed(40, "<", False, kind=1)]


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for name, selector, seeds in (("elf", ELF, elf_seeds()), ("ihex", IHEX, ihex_seeds()),
                                  ("srec", SREC, srec_seeds()), ("uf2", UF2, uf2_seeds())):
        for number, seed in enumerate(seeds):
            (out / f"{name}-{number}").write_bytes(bytes([selector]) + seed)
            (out / f"auto-{name}-{number}").write_bytes(bytes([AUTO]) + seed)
    (out / "raw-0").write_bytes(bytes([RAW | 0x80]) + b"\0\1\2\3")
    (out / "raw-1").write_bytes(bytes([RAW | 0xC0]) + bytes(20))
    (out / "raw-2").write_bytes(bytes([AUTO | 0x80]) + b"raw")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: seeds_image.py DIRECTORY")
    main()
