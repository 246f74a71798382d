# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges a state folder of rekindled after a cut, without any of its code (formats: rekindle-state(5)).

What must hold whatever was cut: records are whole; the images that they and an open update rely on are there, with the right digest
and their release; only the last line of a journal is torn. And what was promised on the line: once a push has begun, either the
journal knows its id, or the update is over and the record says what it led to.
"""

import hashlib
import json
import os
import struct
import zlib

from rklink import BEGIN, CONFIRM, frame_decode

BEGIN_FIXED = '<BBHQ'
NEEDS_CANDIDATE = ('validating', 'pushing', 'trial', 'confirming')


class LineWatch:
    """Frames that the gateway sends: says "begin ID" and "confirm ID" as lines."""

    def __init__(self, is_line):
        self.is_line = is_line
        self.bytes = b''
        self.area = b''

    def __call__(self, path, data):
        if not self.is_line(path):
            return b''
        self.bytes += data
        *frames, self.bytes = self.bytes.split(b'\0')
        return b''.join(self._promise(frame_decode(frame)) for frame in frames if frame)

    def _promise(self, frame):
        if frame is None:
            return b''
        _, kind, _, _, payload = frame
        if kind == CONFIRM:
            return b'confirm %016x\n' % struct.unpack('<Q', payload)[0]
        if kind != BEGIN:
            return b''
        total, offset = struct.unpack_from('<HH', payload)
        self.area = self.area[:offset] + payload[4:]
        if len(self.area) < total:
            return b''
        return b'begin %016x\n' % struct.unpack_from(BEGIN_FIXED, self.area)[3]


def read(*path):
    try:
        with open(os.path.join(*path), 'rb') as file:
            return file.read()
    except FileNotFoundError:
        return None


def image_trouble(folder, what, digest):
    """Why this image cannot be pushed; '' when it can."""
    data = read(folder, 'images', digest)
    if data is None:
        return f'the image of {what} is missing'
    if hashlib.sha256(data).hexdigest() != digest:
        return f'the image of {what} is damaged'
    release = read(folder, 'images', digest + '.json')
    try:
        json.loads(release or b'')
    except ValueError:
        return f'the release of {what} is {"missing" if release is None else "damaged"}'
    return ''


def journal_entries(data):
    """Good entries, and whether anything but the end of the last line is damaged."""
    entries, damaged = [], False
    *lines, rest = data.split(b'\n')
    for number, line in enumerate(lines):
        words = line.split(b' ', 2)
        if len(words) == 3 and words[0] == b'%d' % len(words[2]) and words[1] == b'%08x' % zlib.crc32(words[2]):
            entries.append(json.loads(words[2]))
        elif number < len(lines) - 1 or rest:
            damaged = True
    return entries, damaged


def check_record(folder, name):
    """(record, '' or what is lost)"""
    try:
        record = json.loads(read(folder, 'devices', name))
    except ValueError:
        return None, f'the record {name} is damaged'
    bad = {entry['sha256'] for entry in record.get('bad', [])}
    for what in ('backup', 'previous'):
        if what in record:
            trouble = image_trouble(folder, f'the {what} of {name}', record[what]['sha256'])
            if trouble:
                return record, trouble
            if record[what]['sha256'] in bad:
                return record, f'the {what} of {name} is on its bad list'
    return record, ''


def check_journal(folder, name):
    """(last good entry or None, '' or what is lost)"""
    entries, damaged = journal_entries(read(folder, 'updates', name))
    if damaged:
        return None, f'{name} is damaged before its end'
    entry = entries[-1] if entries else None
    if entry and entry['state'] in NEEDS_CANDIDATE and entry['role'] == 'candidate' and entry.get('candidate'):
        return entry, image_trouble(folder, f'the candidate of {name}', entry['candidate']['custom']['rekindle']['image']['sha256'])
    return entry, ''


class Judge:
    """is_over(record): whether the record says what the update was to lead to."""

    def __init__(self, device, is_over):
        self.device = device
        self.is_over = is_over

    def __call__(self, folder, acks):
        entry = record = None
        for name in sorted(os.listdir(os.path.join(folder, 'devices'))):
            if name.endswith('.json') and not name.startswith('.'):
                found, trouble = check_record(folder, name)
                if trouble:
                    return trouble
                if name == f'{self.device}.json':
                    record = found
        if record is None:
            return 'there is no record'
        for name in sorted(os.listdir(os.path.join(folder, 'updates'))):
            if name.endswith('.journal') and not name.startswith('.'):
                entry, trouble = check_journal(folder, name)
                if trouble:
                    return trouble
        return self.promise(entry, record, acks.decode().split())

    def promise(self, entry, record, words):
        begun = [word for kind, word in zip(words[::2], words[1::2]) if kind == 'begin']
        if not begun or self.is_over(record):
            return ''
        if entry is None:
            return f'push {begun[-1]} has begun, no journal knows it, and the record is the old one'
        if begun[-1] not in (entry['push-id'], entry.get('last-push-id')):
            return f'push {begun[-1]} has begun, the journal knows {entry["push-id"]}'
        return ''
