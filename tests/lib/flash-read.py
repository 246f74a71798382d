#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the flash file of rekindle-sim, without any code of the device library: what the program area holds, and what the
record says (layout: rekindle-link(7)). Prints one JSON object. With --slots 2 all of that is there twice, one behind the other.

With --image FILE the exit status tells whether the program area begins with exactly that image and is erased (0xff) behind it
up to the end of the image's last unit: 0 yes, 1 no. --blank asks that of the whole rest of the area."""

import argparse
import hashlib
import json
import struct
import sys
import zlib

MARKS = 512       # offset of the marks in a page
PREFIX = 12       # bytes before the begin area
BEGIN_FIXED = 24  # begin area before the header
FLOOR = 420       # offset of the floor in force
PAIRS_MAX = 15    # starts that a page has slots for
ATTEMPTS = 3


def text8(data, at):
    n = data[at]
    return data[at + 1:at + 1 + n].decode('ascii'), at + 1 + n


def parse_header(header):
    magic, form, algorithm, _, length, digest = struct.unpack_from('<4sBBHI32s', header)
    if magic != b'RKH1' or form != 1:
        raise ValueError('device header')
    model, at = text8(header, struct.calcsize('<4sBBHI32s'))
    version, at = text8(header, at)
    floor, at = text8(header, at)
    hardware = []
    n, at = header[at], at + 1
    for _ in range(n):
        text, at = text8(header, at)
        hardware.append(text)
    if at != len(header):
        raise ValueError('device header has another length')
    return {'model': model, 'version': version, 'floor': floor, 'hardware': hardware, 'algorithm': algorithm,
            'length': length, 'sha256': digest.hex()}


def parse_marks(page, write_size):
    slot = max(4, write_size)
    slots = (len(page) - MARKS) // slot
    pairs = min(max(0, (slots - 2) // 2), PAIRS_MAX)

    def is_set(index):
        at = MARKS + index * slot
        return page[at:at + slot] != b'\xff' * slot

    starts = max([i + 1 for i in range(pairs) if is_set(2 + 2 * i)], default=0)
    healthy = max([i + 1 for i in range(pairs) if is_set(3 + 2 * i)], default=0)
    return {'verified': is_set(0), 'confirmed': is_set(1), 'starts': max(starts, healthy), 'healthy': healthy}


def parse_page(page, write_size):
    """What a page says, or None when it is no good one."""
    body = page[:MARKS]
    crc, sequence, boots, _ = struct.unpack_from('<IIHH', body)
    if zlib.crc32(body[4:]) != crc:
        return None
    form, flags, trial, push_id, replaces, n_header, n_signature = struct.unpack_from('<BBHQQHH', body, PREFIX)
    end = PREFIX + BEGIN_FIXED + n_header + n_signature
    if form != 1 or end > FLOOR:
        return None
    try:
        record = parse_header(body[PREFIX + BEGIN_FIXED:PREFIX + BEGIN_FIXED + n_header])
    except (ValueError, IndexError, UnicodeDecodeError, struct.error):
        return None
    record.update(sequence=sequence, push_id=push_id, restore=bool(flags & 1), trial_seconds=trial,
                  signature=body[end - n_signature:end].hex(), floor_in_force=text8(body, FLOOR)[0])
    marks = parse_marks(page, write_size)
    record.update(marks=marks, boots=boots + marks['starts'])
    if not marks['verified']:
        record['state'] = 'pushing'
    elif marks['starts'] - marks['healthy'] >= ATTEMPTS:
        record['state'] = 'failed'
    elif marks['confirmed']:
        record['state'] = 'confirmed'
    else:
        record['state'] = 'trial' if record['boots'] else 'verified'
    return record


def newest(pages):
    best = None
    for page in pages:
        if page and (best is None or (page['sequence'] - best['sequence']) % 2**32 in range(1, 2**31)):
            best = page
    return best


def read_slot(data, erase_size, write_size):
    """(program area, record): record is None when there is none, {'state': 'damaged'} when no page is good."""
    area = data[:-2 * erase_size]
    raw = [data[-2 * erase_size:-erase_size], data[-erase_size:]]
    record = newest([parse_page(page, write_size) for page in raw])
    if record is None and any(page.strip(b'\xff') for page in raw):
        record = {'state': 'damaged'}
    return area, record


def read(data, slots, slot, erase_size, write_size):
    """(program area, record, slot): of that slot, or of the one with the newest record."""
    size = len(data) // slots
    found = [read_slot(data[i * size:(i + 1) * size], erase_size, write_size) for i in range(slots)]
    if slot is None:
        good = [record if record and 'sequence' in record else None for _, record in found]
        slot = good.index(newest(good)) if any(good) else 0
    return (*found[slot], slot)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('flash')
    parser.add_argument('--erase-size', type=int, default=1024)
    parser.add_argument('--write-size', type=int, default=4)
    parser.add_argument('--slots', type=int, default=1)
    parser.add_argument('--slot', type=int, help='default: that of the newest record')
    parser.add_argument('--unit', type=int, default=1024)
    parser.add_argument('--length', type=int, help='digest of that many bytes; default: of what the record says')
    parser.add_argument('--image', help='compare with this file')
    parser.add_argument('--blank', action='store_true', help='with --image: nothing else in the whole area')
    args = parser.parse_args()

    with open(args.flash, 'rb') as file:
        area, record, slot = read(file.read(), args.slots, args.slot, args.erase_size, args.write_size)
    answer = {'program_space': len(area), 'slot': slot, 'record': record}
    length = args.length if args.length is not None else (record or {}).get('length', len(area.rstrip(b'\xff')))
    answer.update(length=length, sha256=sha256(area[:length]), program_is_intact=None)
    if record and 'sha256' in record:
        answer['program_is_intact'] = sha256(area[:record['length']]) == record['sha256']

    status = 0
    if args.image:
        with open(args.image, 'rb') as file:
            image = file.read()
        end = len(area) if args.blank else -(-len(image) // args.unit) * args.unit
        answer['image_sha256'] = sha256(image)
        answer['holds_image'] = area[:len(image)] == image and not area[len(image):end].strip(b'\xff')
        status = 0 if answer['holds_image'] else 1
    print(json.dumps(answer, indent=8))
    return status


if __name__ == '__main__':
    sys.exit(main())
