#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small store that keeps its promises, and the same with one planted fault.

    durability-workload.py FOLDER [FAULT]

Each round puts data/N down, then the record that names it, then says "kept N". FAULT:
  record-first      the record is written before its data
  no-folder-sync    a rename is not followed by a sync of the folder
  no-file-sync      a file is renamed without having been synced
  torn-journal      (journal) "kept N" is said before the journal was synced
  journal           no fault: N goes into an appended journal instead of a record
"""

import hashlib
import os
import sys
import zlib

ROUNDS = 3


def replace(folder, name, data, fault):
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    file = os.open(f'.{name}.tmp', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600, dir_fd=directory)
    half = len(data) // 2
    os.write(file, data[:half])
    os.write(file, data[half:])
    if fault != 'no-file-sync':
        os.fsync(file)
    os.close(file)
    os.rename(f'.{name}.tmp', name, src_dir_fd=directory, dst_dir_fd=directory)
    if fault != 'no-folder-sync':
        os.fsync(directory)
    os.close(directory)


def data_of(number):
    return hashlib.sha256(b'%d' % number).digest() * 100


def keep_record(folder, number, fault):
    data = data_of(number)
    record = f'{number} {hashlib.sha256(data).hexdigest()}\n'.encode()
    steps = [(os.path.join(folder, 'data'), str(number), data), (folder, 'record', record)]
    for where, name, content in reversed(steps) if fault == 'record-first' else steps:
        replace(where, name, content, fault)


def keep_journal(folder, number, fault):
    line = b'%d' % number
    file = os.open(os.path.join(folder, 'journal'), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line + b' %08x\n' % zlib.crc32(line))
    if fault == 'journal':
        os.fsync(file)
        directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(directory)
        os.close(directory)
    os.close(file)


def main():
    folder = sys.argv[1]
    fault = sys.argv[2] if len(sys.argv) > 2 else ''
    for number in range(1, ROUNDS + 1):
        if fault in ('journal', 'torn-journal'):
            keep_journal(folder, number, fault)
        else:
            keep_record(folder, number, fault)
        os.write(1, b'kept %d\n' % number)


if __name__ == '__main__':
    main()
