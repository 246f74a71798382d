#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A decoder of patches that was written from rekindle-patch(7) alone, and the test vectors of that page.

    test-patch-page.py PAGE                              decodes every vector of the page
    test-patch-page.py PAGE STREAM OLD NEW ISA PROFILE UNIT BASE [SPACE]     decodes STREAM over the file OLD; NEW has to come out
"""

import re
import sys

MISS, STAYS, FOREIGN, KIND, WRONG, ABANDONED, FAR, NUMBER, LITERAL = 0, 168, 172, 174, 176, 200, 204, 206, 516
OLD, NEW = 0, 1
THUMB, RISCV, AVR, THUMB2 = 1, 2, 3, 4
RATES = [171, 102, 73, 57, 47, 39, 34, 30, 27, 24, 22, 20, 19, 18, 17, 16, 15, 14, 13, 12, 12, 11, 11, 10, 10, 10, 9, 9, 9, 8, 8]
WORD = 0xffffffff


class Bad(Exception):
    pass


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def half_of(w):
    return (w & 0xf) << 12 | (w >> 10 & 1) << 11 | (w >> 28 & 7) << 8 | (w >> 16 & 0xff)


def low_part(isa, w):
    if isa == THUMB2:
        return half_of(w)
    i = (w >> 20 & 0xfe0) | (w >> 7 & 0x1f) if w & 0x7b == 0x23 else w >> 20
    return signed(i, 12)


def register_of_base(isa, v):
    return v >> 24 & 15 if isa == THUMB2 else v >> 7 & 31


def base_of(isa, v, at):
    """What v, which lies at `at`, makes of its register; None: nothing, False: an unknown value"""
    if isa == THUMB2:
        return half_of(v) << 16 if v & 0x8000fbf0 == 0xf2c0 else None
    if v & 0x7f == 0x37:
        return v & 0xfffff000
    if v & 0x7f == 0x17:
        return at + (v & 0xfffff000)
    if v & 0xe003 == 0x6001:
        return ((v & 0x7c) << 10) - (0x20000 if v & 0x1000 else 0)
    if v & 0x7b == 0x23 or v & 0x7f == 0x63 or v & 3 == 0 or v & 0xe003 == 0x8001 or (v & 3 != 3 and v & 0xe000 > 0x8000):
        return None
    return False


def is_low_part(isa, w):
    if isa == THUMB2:
        return w & 0x8000fbf0 == 0xf240
    return isa == RISCV and w >> 15 & 31 not in (0, 2) and (w & 0x5b == 3 or w & 0x707f in (0x13, 0x67))


def with_low_part(isa, w, j):
    if isa == THUMB2:
        return (w & 0x8f00fbf0) | (j >> 12 & 0xf) | (j >> 11 & 1) << 10 | (j >> 8 & 7) << 28 | (j & 0xff) << 16
    if w & 0x7b == 0x23:
        return (w & 0x1fff07f) | (j & 0xfe0) << 20 | (j & 0x1f) << 7
    return (w & 0xfffff) | (j & 0xfff) << 20


def is_branch(isa, w):
    if isa in (THUMB, THUMB2):
        return w & 0xb800f800 == 0xb800f000
    if isa == RISCV:
        return w & 0x7f == 0x6f
    return isa == AVR and (w & 0xfe0c == 0x940c or w & 0xfc0f == 0x9000)


def target_of(isa, w, at):
    if isa in (THUMB, THUMB2):
        i = (w & 0x3ff) << 11 | (w >> 16 & 0x7ff)
        return at + 4 + 2 * (i - 0x200000 if w & 0x400 else i)
    if isa == RISCV:
        i = (w & 0xff000) | (w >> 20 & 1) << 11 | (w >> 21 & 0x3ff) << 1
        return at + (i - 0x100000 if w & 0x80000000 else i)
    if w & 0xfc0f == 0x9000:
        return 0x800000 + (w >> 16)
    return (w >> 16 | (w & 1) << 16 | (w & 0x1f0) << 13) * 2


def made_anew(isa, w, at, t):
    t &= WORD
    if isa in (THUMB, THUMB2):
        j = (t - at - 4) & WORD
        return (w & 0xf800f800) | (j >> 12 & 0x3ff) | (j >> 31) << 10 | (j >> 1 & 0x7ff) << 16
    if isa == RISCV:
        j = (t - at) & WORD
        return (w & 0xfff) | (j & 0xff000) | (j >> 11 & 1) << 20 | (j >> 1 & 0x3ff) << 21 | (j >> 20 & 1) << 31
    if w & 0xfc0f == 0x9000:
        return (w & 0xffff) | (t & 0xffff) << 16
    j = t // 2
    return (w & 0xfe0e) | (j & 0xffff) << 16 | (j >> 16 & 1) | (j >> 13 & 0x1f0)


def class_of(isa, a, d, b, e, last):
    if a & 1 and d & 1:
        return 1 if isa == RISCV and last & 3 != 3 else 0
    if (a | d) & 1:
        return 1 + (d & 1)
    if isa in (THUMB, THUMB2):
        return 5 if e >= 0xe8 else 4 if e >= 0xd0 else 3 if e >> 3 == 9 else 6
    if isa == RISCV:
        return 3 + (b & 3)
    if isa == AVR:
        return {14: 3, 15: 4, 12: 5, 13: 5}.get(e >> 4, 6)
    return 3


class Map:
    def __init__(self, room):
        self.room, self.entries, self.leaves = room, [], 0

    def learn(self, address, move):
        for entry in self.entries:
            if entry[0] == address:
                entry[1] = move
                return
        if len(self.entries) == self.room:
            del self.entries[self.leaves]
            self.leaves = (self.leaves + 1) % self.room
        self.entries.append([address, move])
        self.entries.sort()

    def look_up(self, x):
        """(class, move, other)"""
        below = min(((x - a, m) for a, m in self.entries if a <= x), default=(WORD, 0))
        above = min(((a - x, m) for a, m in self.entries if a >= x), default=(WORD, 0))
        has_below, has_above = below[0] < 0x40000, above[0] < 0x40000
        if below[0] == 0:
            return 0, below[1], 0
        if has_below and has_above:
            if below[1] == above[1]:
                return 1, below[1], 0
            near, far = (below, above) if below[0] <= above[0] else (above, below)
            return 2, near[1], far[1]
        if has_below or has_above:
            return 3, (below if has_below else above)[1], 0
        return 4, 0, 0


class Decoder:
    """geometry: isa, codec_profile, unit, base, space, ram_base, ram_size"""

    def __init__(self, geometry, flash, length, stream):
        self.isa, self.codec_profile, self.unit, self.base, self.space, self.ram_base, self.ram_size = geometry
        self.full, self.erases_first = self.codec_profile & 3 == 2, self.codec_profile & 0x80 != 0
        self.flash, self.length, self.stream, self.taken = flash, length, stream, 5
        if stream[0] != self.codec_profile | self.isa << 4:
            raise Bad('not for this device')
        self.range, self.code = WORD, int.from_bytes((stream + bytes(4))[1:5], 'big')
        self.chance, self.seen = [32768] * (LITERAL + 4 * 256), [0] * (LITERAL + 4 * 256)
        self.source, self.last_source, self.old_distance = (0, OLD), (0, NEW), 0
        self.streak, self.broken, self.was_wrong = 1, 0, 0
        self.map = Map(384 if self.full else 48)
        self.known, self.rewritten = set(), set()
        self.page, self.start, self.end, self.span = bytearray(), 0, 0, 0

    def decide(self, context):
        bound = (self.range >> 16) * self.chance[context]
        one = self.code < bound
        if one:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        while self.range < 0x1000000:
            self.range = self.range << 8 & WORD
            self.code = (self.code << 8 | (self.stream[self.taken] if self.taken < len(self.stream) else 0)) & WORD
            self.taken += 1
        aim, seen = (65520 if one else 16), self.seen[context]
        self.chance[context] += (aim - self.chance[context]) * RATES[seen] >> 8
        self.seen[context] = min(seen + 1, 30)
        return int(one)

    def tree(self, first, bits):
        node = 1
        for _ in range(bits):
            node = node * 2 + self.decide(first + node)
        return node - (1 << bits)

    def number(self, kind):
        first = NUMBER + 62 * kind
        n = self.tree(first, 5)
        if n == 0:
            return 0
        negative, value = self.decide(first), 1
        for i in range(n - 2, -1, -1):
            value = value * 2 + self.decide(first + 32 + i)
        return -value if negative else value

    def byte(self, a):
        if (self.source[1] == NEW or self.erases_first) and self.start <= a < self.start + len(self.page):
            return self.page[a - self.start]
        if not 0 <= a < self.space or a // self.unit not in self.known | self.rewritten:
            return 0xff
        return self.flash[a]

    def word_at(self, a):
        return sum(self.byte(a + i) << 8 * i for i in range(4))

    def base_near(self, a, w):
        """(v, k) of the base of a low part"""
        register = w >> 24 & 15 if self.isa == THUMB2 else w >> 15 & 31
        for k in range(4, 20, 2) if self.isa == THUMB2 else range(-2, -34, -2):
            v = self.word_at(a + k)
            if register_of_base(self.isa, v) == register:
                base = base_of(self.isa, v, 0)
                if base is not None:
                    return (v, k) if base is not False else None
        return None

    def word(self, a, d):
        """True: these four bytes are decoded."""
        if a & 1 or d & 1 or d + 4 > self.end:
            return False
        w, base = self.word_at(a), None
        if is_branch(self.isa, w):
            what, target = 0, target_of(self.isa, w, self.base + a) & WORD
        elif is_low_part(self.isa, w) and (base := self.base_near(a, w)):
            what, target = 0, (base_of(self.isa, base[0], self.base + a + base[1]) + low_part(self.isa, w)) & WORD
        elif (a | d) % 4 == 0 and self.isa != AVR and ((w - self.base) & WORD < self.span or
                                                       (w - self.ram_base) & WORD < self.ram_size):
            what, target = 1, w
        else:
            return False
        kind, move, other = 5, 0, 0
        if self.source[1] == OLD and a // self.unit not in self.rewritten:
            kind, move, other = self.map.look_up(target)
        wrong = self.was_wrong = self.decide(WRONG + (what * 6 + kind) * 2 + self.was_wrong)
        if wrong:
            if (kind == 5 and what == 1) or self.decide(ABANDONED + what * 2 + (self.streak == 0)):
                return False
            if kind == 2 and self.decide(FAR + what):
                move = other
            else:
                move = (move + self.number(2 + what)) & WORD
        if kind != 5 and (wrong or kind == 2):
            self.map.learn(target, move)
        target = (target + move) & WORD
        if base:
            target = with_low_part(self.isa, w, target - base_of(self.isa, base[0], self.base + d + base[1]))
        elif what == 0:
            target = made_anew(self.isa, w, self.base + d, target)
        self.page += target.to_bytes(4, 'little')
        self.streak = min(max(self.streak, 3) + 4, 255)
        return True

    def jump(self):
        source, kind = self.last_source, self.source[1]
        if self.decide(FOREIGN + kind):
            kind = self.decide(KIND + kind)
            source = (self.number(kind) + (self.old_distance if kind == OLD else 0), kind)
        self.last_source, self.source = self.source, source
        if source[1] == OLD:
            self.old_distance = source[0]
        self.streak = self.broken = 0

    def literal(self, d, b):
        self.streak, self.broken = (1 if self.streak > 3 else min(self.streak + 1, 3)), 1
        difference = self.source[1] == OLD and self.streak in (1, 2)
        tree = (0 if difference else 1) + (2 if self.full and d & 1 else 0)
        value = self.tree(LITERAL + 256 * tree, 8)
        self.page.append((b + value) & 0xff if difference else value)

    def position(self):
        d = self.start + len(self.page)
        a = d - self.source[0]
        if self.word(a, d):
            return
        b, s, h, last = self.byte(a), self.streak, 0, self.page[-1] if self.page else 0
        while s >= 16 and h < 3:
            s, h = s >> 1, h + 1
        context = MISS + ((min(s, 8) + h) * 2 + self.broken) * 7 + class_of(self.isa, a, d, b, self.byte(a + 1), last)
        if not self.decide(context):
            self.page.append(b)
            self.streak = min(max(self.streak, 3) + 1, 255)
        elif self.streak != 0 and not self.decide(STAYS + min(self.streak, 4) - 1):
            self.jump()
        else:
            self.literal(d, b)

    def write_unit(self, unit):
        self.start, self.page = unit * self.unit, bytearray()
        self.end = self.start + self.unit
        if self.start < self.length < self.end:
            self.end = self.length
        if self.erases_first:
            self.flash[self.start:self.start + self.unit] = b'\xff' * self.unit
            self.rewritten.add(unit)
        while self.start + len(self.page) < self.end:
            self.position()
        self.flash[self.start:self.start + self.unit] = self.page.ljust(self.unit, b'\xff')
        self.rewritten.add(unit)

    def run(self):
        told, units = 0, self.space // self.unit
        while r := self.number(4):
            if told + abs(r) > units:
                raise Bad('more units than there are')
            if r > 0:
                self.known.update(range(told, told + r))
            told += abs(r)
        self.span, unit = max(told, (self.length + self.unit - 1) // self.unit) * self.unit, -1
        while step := self.number(4):
            unit += step
            if not 0 <= unit < units or unit in self.rewritten:
                raise Bad(f'no unit {unit} to write')
            self.write_unit(unit)
        if self.taken < len(self.stream):
            raise Bad('bytes are left over')
        return bytes(self.flash[:self.length])


def read_hex(lines, unit):
    """The bytes, and what is not known of them as 0xee."""
    out = bytearray()
    for token in re.findall(r'\?\?|[0-9a-f]{2}', ''.join(lines)):
        out += b'\xee' * unit if token == '??' else bytes.fromhex(token)
    return out


def vectors(page):
    with open(page, encoding='utf-8') as file:
        text = file.read()
    for block in re.findall(r'^vector .*?(?=^vector |^\.Ed)', text, re.MULTILINE | re.DOTALL):
        lines = block.split('\n')
        _, name, isa, profile, unit, *rest = lines[0].split()
        geometry = (int(isa), int(profile, 16), int(unit), *(int(w, 16) for w in rest))
        parts = {}
        for line in lines[1:]:
            if line in ('old', 'new', 'stream'):
                here = parts.setdefault(line, [])
            else:
                here.append(line)
        yield name, geometry, *(read_hex(parts[part], int(unit)) for part in ('old', 'new', 'stream'))


def check(name, geometry, old, new, stream):
    flash = bytearray(old.ljust(geometry[4], b'\xee'))
    unit = geometry[2]
    end = (len(old) + unit - 1) // unit * unit
    flash[len(old):end] = b'\xff' * (end - len(old))
    got = Decoder(geometry, flash, len(new), bytes(stream)).run()
    if got != bytes(new):
        sys.exit(f'{name}: byte {next(i for i, (x, y) in enumerate(zip(got, new)) if x != y)} differs')
    print(f'{name}: {len(new)} bytes out of {len(stream)}')


def main():
    if len(sys.argv) == 2:
        found = list(vectors(sys.argv[1]))
        if len(found) < 7:
            sys.exit(f'{len(found)} vectors in {sys.argv[1]}')
        for vector in found:
            check(*vector)
        return
    contents = []
    for path in sys.argv[2:5]:
        with open(path, 'rb') as file:
            contents.append(file.read())
    isa, profile, unit, base, *given = (int(word, 0) for word in sys.argv[5:])
    space = given[0] if given else (max(len(contents[1]), len(contents[2])) + unit - 1) // unit * unit
    check(sys.argv[3], (isa, profile, unit, base, space, 0x20000000, 0x80000), bytearray(contents[1]), contents[2], contents[0])


main()
