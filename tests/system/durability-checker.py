#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges a folder of durability-workload.py after a cut:  durability-checker.py FOLDER ACKS"""

import hashlib
import os
import sys
import zlib


def read(*path):
    try:
        with open(os.path.join(*path), 'rb') as file:
            return file.read()
    except FileNotFoundError:
        return None


def journal_number(data):
    number = 0
    for line in data.split(b'\n')[:-1]:
        words = line.split()
        if len(words) == 2 and words[1] == b'%08x' % zlib.crc32(words[0]):
            number = int(words[0])
    return number


def judge(folder, acks):
    """'' or what is lost."""
    kept = len(acks.splitlines())
    journal = read(folder, 'journal')
    if journal is not None:
        number = journal_number(journal)
        return '' if number >= kept else f'{kept} was promised, the journal says {number}'
    record = read(folder, 'record')
    if record is None:
        return f'{kept} was promised, there is no record' if kept else ''
    words = record.split()
    if len(words) != 2:
        return f'the record is damaged: {record!r}'
    number = int(words[0])
    data = read(folder, 'data', str(number))
    if data is None or hashlib.sha256(data).hexdigest().encode() != words[1]:
        return f'the record names {number}, whose data is {"missing" if data is None else "damaged"}'
    return '' if number >= kept else f'{kept} was promised, the record says {number}'


def main():
    with open(sys.argv[2], 'rb') as acks:
        loss = judge(sys.argv[1], acks.read())
    print(loss, end='\n' if loss else '')
    return 1 if loss else 0


if __name__ == '__main__':
    sys.exit(main())
