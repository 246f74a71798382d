#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Power cuts at the level of disk blocks: a real ext4 on a disk whose every write and flush is recorded.

    blocklog.py --checker COMMAND [--points N] [--seed N] -- PROGRAM [ARGUMENT...]

The word {} in PROGRAM's arguments becomes a folder on that disk. Each line that PROGRAM writes to its standard output is a promise; it is
marked in the record when it is read. Afterwards the disk is rebuilt as it was at N points of the record, each with none, all and a
random part of the writes that were not flushed, mounted (ext4 replays its journal), and `COMMAND FOLDER ACKS` judges, as for
durability.py. Needs root, loop devices and /dev/fuse.
"""

import argparse
import mmap
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time

from durability import command_checker

SECTOR = 512
FILE_SYSTEM_MIB = 60
DISK_MIB = 64
MARK_OFFSET = 62 << 20  # behind the file system: marks are ordered with its writes
MAGIC = 0x6a736677736872
FLAG_FLUSH, FLAG_FUA, FLAG_DISCARD = 1, 2, 4
MARK = re.compile(rb'REKINDLE MARK (\d+)\n')


def run(*command):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def wait_until(what, predicate, seconds=60):
    end = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > end:
            raise RuntimeError(f'{what}: not seen within {seconds} s')
        time.sleep(0.02)


class Recorder:
    """The disk: image, record of writes, loop device, mount. close() takes all of it down again."""

    def __init__(self, folder):
        self.folder = folder
        self.disk = os.path.join(folder, 'disk')
        self.first = os.path.join(folder, 'first')
        self.log = os.path.join(folder, 'log')
        self.mount = os.path.join(folder, 'mount')
        self.storage = self.loop = self.marker = None
        self.mounted = False
        self.marks = 0

    def open(self):
        for path, size in ((self.disk, DISK_MIB), (self.log, 1024)):
            with open(path, 'wb') as file:
                file.truncate(size << 20)
        run('mke2fs', '-q', '-t', 'ext4', '-E', 'lazy_itable_init=0,lazy_journal_init=0', self.disk, f'{FILE_SYSTEM_MIB}M')
        run('cp', '--sparse=always', self.disk, self.first)
        export = os.path.join(self.folder, 'export')
        with open(export, 'wb'):
            pass
        self.storage = subprocess.Popen(
            ['qemu-storage-daemon', '--blockdev', f'driver=file,node-name=file,filename={self.disk}', '--blockdev',
             f'driver=file,node-name=log,filename={self.log}', '--blockdev',
             'driver=blklogwrites,node-name=top,file=file,log=log,log-sector-size=512', '--export',
             f'type=fuse,id=export,node-name=top,mountpoint={export},writable=on,allow-other=off'], stdin=subprocess.DEVNULL)
        wait_until('export of the disk', lambda: os.stat(export).st_size == DISK_MIB << 20)
        self.loop = subprocess.run(['losetup', '-f', '--show', export], check=True, stdout=subprocess.PIPE,
                                   encoding='ascii').stdout.strip()
        os.mkdir(self.mount)
        run('mount', self.loop, self.mount)
        self.mounted = True
        self.marker = os.open(self.loop, os.O_WRONLY | os.O_DIRECT)
        self.mark(0)

    def mark(self, number):
        with mmap.mmap(-1, 4096) as page:
            page.write(b'REKINDLE MARK %d\n' % number)
            os.pwrite(self.marker, page, MARK_OFFSET)
        self.marks = number

    def workload(self, command):
        """Runs it; every line of its output is marked. Returns its exit status and the lines."""
        lines = []
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            for line in process.stdout:
                lines.append(line)
                self.mark(len(lines))
        return process.returncode, lines

    def close(self):
        if self.marker is not None:
            os.close(self.marker)
        if self.mounted:
            subprocess.run(['umount', self.mount], check=False)
        if self.loop:
            subprocess.run(['losetup', '-d', self.loop], check=False)
        if self.storage:
            self.storage.terminate()
            self.storage.wait(20)


def read_log(path):
    """[(byte offset, data, flags)]"""
    entries = []
    with open(path, 'rb') as log:
        magic, _, count, sector = struct.unpack('<QQQI', log.read(28))
        if magic != MAGIC or sector != SECTOR:
            raise RuntimeError('this is no record of writes')
        log.seek(SECTOR)
        for _ in range(count):
            where, sectors, flags, _ = struct.unpack('<QQQQ', log.read(SECTOR)[:32])
            data = b'' if flags & FLAG_DISCARD else log.read(sectors * SECTOR)
            entries.append((where * SECTOR, data, flags))
    return entries


class Disk:
    """The disk at a moment: what is safe, and what was written since the last flush."""

    def __init__(self, image):
        self.safe = bytearray(image)
        self.open = []
        self.promised = 0

    def step(self, entry):
        offset, data, flags = entry
        if flags & FLAG_FLUSH:
            self._write(self.safe, self.open)
            self.open = []
        if not data:
            return
        if flags & FLAG_FUA:
            self._write(self.safe, [entry])
        else:
            self.open.append(entry)
        mark = MARK.match(data) if offset == MARK_OFFSET else None
        if mark:
            self.promised = int(mark.group(1))

    @staticmethod
    def _write(image, entries):
        for offset, data, _ in entries:
            image[offset:offset + len(data)] = data

    def cuts(self, dice):
        for name, chosen in (('none', []), ('all', self.open), ('part', [e for e in self.open if dice.random() < 0.5])):
            image = bytearray(self.safe)
            self._write(image, chosen)
            yield name, image


def check_image(image, folder, inside, check, acks):
    path = os.path.join(folder, 'cut')
    with open(path, 'wb') as file:
        file.write(image)
    mount = os.path.join(folder, 'cut-mount')
    os.makedirs(mount, exist_ok=True)
    done = subprocess.run(['mount', '-o', 'loop', path, mount], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          encoding='utf-8')
    if done.returncode:
        return f'cannot be mounted: {done.stdout.strip()}'
    try:
        return check(os.path.join(mount, inside), acks)
    finally:
        run('umount', mount)


def replay(recorder, inside, lines, check, points, seed):
    """(number of disks checked, what was lost)"""
    entries = read_log(recorder.log)
    dice = random.Random(seed)
    start = next(i for i, e in enumerate(entries) if e[0] == MARK_OFFSET and MARK.match(e[1]))
    chosen = set(dice.sample(range(start, len(entries)), min(points, len(entries) - start)))
    with open(recorder.first, 'rb') as file:
        disk = Disk(file.read())
    checked, bad = 0, []
    for number, entry in enumerate(entries):
        disk.step(entry)
        if number in chosen:
            acks = b''.join(lines[:disk.promised])
            for name, image in disk.cuts(dice):
                checked += 1
                loss = check_image(image, recorder.folder, inside, check, acks)
                if loss:
                    bad.append(f'write {number} of {len(entries)}, {name} of the open writes kept: {loss.strip()}')
    return checked, bad


def explore(command, check, points=30, seed=1, prepare=None):
    """command: list, "{}" becomes the folder; prepare(folder) fills it before the recording counts."""
    with tempfile.TemporaryDirectory(prefix='blocklog-') as folder:
        recorder = Recorder(folder)
        try:
            recorder.open()
            store = os.path.join(recorder.mount, 'store')
            os.mkdir(store)
            if prepare:
                prepare(store)
            os.sync()
            recorder.mark(0)
            status, lines = recorder.workload([store if word == '{}' else word for word in command])
        finally:
            recorder.close()
        checked, bad = replay(recorder, 'store', lines, check, points, seed)
        return status, checked, bad


def main():
    parser = argparse.ArgumentParser(description='power cuts, block by block')
    parser.add_argument('--checker', required=True)
    parser.add_argument('--points', type=int, default=30)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('command', nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ['--'] else options.command
    status, checked, bad = explore(command, command_checker(options.checker.split()), options.points, options.seed)
    for loss in bad[:10]:
        print(f'  {loss}')
    print(f'{checked} disks checked, {len(bad)} bad')
    return 1 if bad or status else 0


if __name__ == '__main__':
    sys.exit(main())
