#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much of a Cortex-M0 the linked bootloader takes: flash from the linker's map, static RAM from its symbols, the deepest
stack from the compiler's call graph. The platform and the verifier of signatures are counted apart, libgcc and the mem functions are not.

    size.py [--functions N] FOLDER PROFILE[:FLASH:RAM]…

PROFILE is the name of a bootloader in FOLDER, without .elf; FLASH and RAM are limits in bytes: more is a failure.
"""

import argparse
import collections
import os
import re
import subprocess
import sys

VERIFIER = {'rkd-ed25519.o'}
PLATFORM = {'boot.o', 'board.o', 'start.o', 'platform'}
# What the library asks its caller for, by the names that the port gives it.
MEMORY = {'boot': 'context', 'boot_page': 'page', 'boot_rx': 'frame', 'boot_ring': 'ring', 'boot_tx': 'tx', 'boot_codec': 'codec'}
ENTRY = 'run'
INTERRUPT = 'board_interrupt_uart'
EXCEPTION_BYTES = 32  # that the core saves by itself
UNKNOWN_BYTES = 16    # a function of libgcc
# Who may be behind a call through a pointer: commands behind the one that looks them up, else what the platform gives.
HANDLERS = {'rkd-link.c:rkd_link_command': r'rkd-command\.c:rkd_boot_handle'}
ONLY = {'rkd-link.c:rkd_now_ms': 'board_milliseconds'}
CALLBACKS = r'board_(?!interrupt|init|take|sleep|arm|serial|ticks)|boot\.c:boot_(?!forward|on_)'


def read_map(path):
    """[(section, bytes, object, input section)] of all that was linked."""
    with open(path, encoding='utf-8') as file:
        text = file.read()
    text = text[text.index('Linker script and memory map'):]
    text = re.sub(r'\n (\.\S+)\n\s+', r'\n \1 ', text)
    found, section = [], None
    for line in text.split('\n'):
        if match := re.match(r'(\.\w+)', line):
            section = match.group(1)
        match = re.match(r' (\.\S+|COMMON|\*fill\*) +0x[0-9a-f]+ +0x([0-9a-f]+) *(\S*)', line)
        if match and int(match.group(2), 16):
            name = 'fill' if match.group(1) == '*fill*' else re.sub(r'.*[/(]([^)]*)\)?$', r'\1', match.group(3))
            if match.group(1) == '.rodata.rkd_platform': # the library is compiled with it
                name = 'platform'
            found.append((section, int(match.group(2), 16), name, match.group(1)))
    return found


def read_symbols(path):
    done = subprocess.run(['arm-none-eabi-nm', '-S', path], check=True, stdout=subprocess.PIPE, encoding='utf-8')
    words = (line.split() for line in done.stdout.splitlines())
    return {w[3]: int(w[1], 16) for w in words if len(w) == 4}


class Stack:
    """The call graph of the objects that were linked into one program."""

    def __init__(self, folders, objects):
        self.frames, self.calls, self.depths = {}, collections.defaultdict(set), {}
        for folder in folders:
            for name in sorted(os.listdir(folder)):
                if name.endswith('.ci') and name[:-3] + '.o' in objects:
                    self._read(os.path.join(folder, name))

    def _read(self, path):
        with open(path, encoding='utf-8') as file:
            text = file.read()
        for title, label in re.findall(r'node: { title: "([^"]*)" label: "([^"]*)"', text):
            if match := re.search(r'(\d+) bytes \((\w+)', label):
                if match.group(2) == 'dynamic':
                    raise SystemExit(f'{title} has no bound')
                self.frames[self._short(title)] = int(match.group(1))
        for source, target in re.findall(r'edge: { sourcename: "([^"]*)" targetname: "([^"]*)"', text):
            self.calls[self._short(source)].add(self._short(target))

    @staticmethod
    def _short(title):
        return re.sub(r'^.*/', '', title)

    def _targets(self, function):
        for target in self.calls[function]:
            if target != '__indirect_call':
                yield target
                continue
            pattern = HANDLERS.get(function) or ONLY.get(function) or CALLBACKS
            yield from (name for name in self.frames if re.match(pattern, name))

    def deepest(self, function, above=()):
        """(bytes, path) of the deepest call from here on."""
        if function in above:
            raise SystemExit(f'{function} calls itself: {" > ".join(above)}')
        if function not in self.depths:
            below = [self.deepest(target, (*above, function)) for target in sorted(set(self._targets(function)))]
            deepest = max(below, default=(0, []))
            self.depths[function] = (self.frames.get(function, UNKNOWN_BYTES) + deepest[0], [function, *deepest[1]])
        return self.depths[function]


def measure(folder, profile, functions):
    path = os.path.join(folder, f'microbit-{profile}.elf')
    parts = read_map(path + '.map')
    symbols = read_symbols(path)
    flash, ram = collections.Counter(), {}
    for section, n, name, _ in parts:
        if section in ('.text', '.data'):
            flash[name] += n
    for name, what in MEMORY.items():
        if name in symbols:
            ram[what] = symbols[name]
    ram['data, bss'] = sum(n for section, n, name, _ in parts if section in ('.data', '.bss') and name not in PLATFORM and name != 'fill')
    folders = [os.path.join(folder, name) for name in os.listdir(folder)
               if name in (f'microbit-{profile}.elf.p', f'libboard-{profile}.a.p', f'librekindle-{profile}.a.p')]
    stack = Stack(folders, set(flash))
    depth, calls = stack.deepest(ENTRY)
    ram['stack'] = depth + EXCEPTION_BYTES + stack.deepest(INTERRUPT)[0]
    total_flash = sum(n for name, n in flash.items() if name not in PLATFORM | VERIFIER)
    total_ram = sum(ram.values())

    print(f'\n{profile}: flash {total_flash}, RAM {total_ram}; platform: flash {sum(flash[name] for name in PLATFORM)}'
          + ''.join(f'; verifier: flash {flash[name]}' for name in VERIFIER if name in flash))
    for name, n in flash.most_common():
        print(f'  {n:6}  {name}{"  (platform)" if name in PLATFORM else "  (verifier)" if name in VERIFIER else ""}')
    print('  RAM: ' + ', '.join(f'{what} {n}' for what, n in ram.items()))
    print('  deepest: ' + ' > '.join(f'{name.split(":")[-1]} {stack.frames.get(name, UNKNOWN_BYTES)}' for name in calls))
    for _, n, name, where in sorted(parts, key=lambda part: -part[1])[:functions]:
        print(f'  {n:6}  {name} {where}')
    return total_flash, total_ram


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--functions', type=int, default=0, help='also print the N largest functions')
    parser.add_argument('folder')
    parser.add_argument('profiles', nargs='+')
    args = parser.parse_args()
    failed = 0
    for text in args.profiles:
        profile, *limits = text.split(':')
        for what, is_now, limit in zip(('flash', 'RAM'), measure(args.folder, profile, args.functions), map(int, limits)):
            if is_now > limit:
                print(f'{profile}: {is_now} bytes of {what}, the limit is {limit}')
                failed = 1
    sys.exit(failed)


main()
