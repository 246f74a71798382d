#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The port that rekindle-porting(7) shows, as a reader would take it: copied from the page, built with the page's own commands,
and run, with either bootloader. Usage: test-porting.py SOURCE, SOURCE being the root of the source tree."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'lib'))

import qemu    # noqa: E402
import rklink  # noqa: E402

FILES = {'build.sh', 'chip.h', 'chip.c', 'boot.c', 'program.c', 'chip.ld'}
PUSH = 7


def listings(page):
    """{name: text} of the listings below headings that are names of files."""
    found = {}
    for name, text in re.findall(r'^\.Ss (\S+\.\w+)\n\.Bd -literal\n(.*?)^\.Ed$', page, re.S | re.M):
        found[name] = re.sub(r'^\\&', '', text, flags=re.M).replace('\\e', '\\')
    return found


def build(source, folder, small):
    with open(os.path.join(source, 'man', 'rekindle-porting.7'), encoding='utf-8') as file:
        found = listings(file.read())
    if set(found) != FILES:
        raise SystemExit(f'the page has {sorted(found)}')
    found['build.sh'] = re.sub(r'^R=.*$', lambda _: f'R={source}', found['build.sh'], count=1, flags=re.M)
    for name, text in found.items():
        with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
            file.write(text)
    subprocess.run(['sh', '-e', 'build.sh'], cwd=folder, check=True, env={**os.environ, 'SMALL': small})


def run(folder):
    device = qemu.Microbit(folder, os.path.join(folder, 'boot.elf'))
    device.start()
    try:
        link = rklink.Link(device.socket)
        with open(os.path.join(folder, 'program.bin'), 'rb') as file:
            image = file.read()
        link.push(image, PUSH, '1.0.0', model='thermostat')
        link.start(PUSH)
        identity = link.wait(lambda i: i['who'] == 'program' and i['health'] == 'healthy', 'the program')
        link.confirm(PUSH)
        link.enter()
        again = link.wait(lambda i: i['who'] == 'bootloader', 'the bootloader')
        link.close()
        return identity['version'] == '1.0.0' and again['state'] == 'confirmed'
    finally:
        device.stop()


def main():
    for small in ('0', '1'):
        with tempfile.TemporaryDirectory(prefix='rkport-') as folder:
            build(os.path.realpath(sys.argv[1]), folder, small)
            if not run(folder):
                raise SystemExit(f'SMALL={small}: the program does not run, confirmed')


main()
