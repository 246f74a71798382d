#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway's end of the native link, written from rekindle-link(7) and independent of the C code.

For tests: it speaks to a device over a pty or a socket, and every wait is bounded. Errors are LinkError; a device that
refuses gives Refused with the result code. By hand: rklink.py PATH [--address N] identify | status | push IMAGE VERSION …
"""

import argparse
import hashlib
import json
import os
import select
import socket
import struct
import sys
import termios
import time
import tty
import zlib

IDENTIFY, NOP, BEGIN, SUMS, STREAM, DATA, END, START, CONFIRM, ENTER, SET_BAUD, READ = range(1, 13)
ACK, NAK, HELLO = 0x40, 0x41, 0x42
FROM_DEVICE, POLL = 1, 2
RESULTS = ('ok busy unknown bad-length bad-state foreign-push bad-header bad-signature wrong-model wrong-hardware '
           'too-large below-floor bad-digest flash bad-stream range speed not-runnable denied').split()
STATES = 'empty pushing verified trial confirmed failed damaged unmanaged'.split()
HEALTH = 'unknown starting healthy sick'.split()
CAUSES = 'power pin software watchdog trial crash'.split()
SOURCES = 'none record descriptor area'.split()
CAPABILITIES = 'read signed floor trial-timer full-duplex flash-blocks-cpu marks health'.split()
BEGIN_PIECE = 56


class LinkError(Exception):
    pass


class Refused(LinkError):
    def __init__(self, command, result):
        self.result = RESULTS[result] if result < len(RESULTS) else f'result-{result}'
        super().__init__(f'command {command:#04x}: {self.result}')


def cobs_encode(data):
    out, block = bytearray(), bytearray()
    for byte in data:
        if byte:
            block.append(byte)
        if not byte or len(block) == 254:
            out += bytes([len(block) + 1]) + block
            full = byte and len(block) == 254
            block.clear()
            if full:
                continue
    out += bytes([len(block) + 1]) + block
    return bytes(out)


def cobs_decode(data):
    out, at = bytearray(), 0
    while at < len(data):
        code = data[at]
        block = data[at + 1:at + code]
        if code == 0 or len(block) != code - 1 or 0 in block:
            return None
        out += block
        at += code
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def frame_encode(address, kind, sequence, flags, payload=b''):
    body = bytes([address, kind, sequence, flags]) + payload
    return cobs_encode(body + struct.pack('<I', zlib.crc32(body))) + b'\0'


def frame_decode(data):
    """(address, type, sequence, flags, payload), or None for anything that is not a good frame."""
    body = cobs_decode(data)
    if body is None or len(body) < 8 or struct.unpack('<I', body[-4:])[0] != zlib.crc32(body[:-4]):
        return None
    return body[0], body[1], body[2], body[3], body[4:-4]


def text8(text):
    raw = text.encode('ascii')
    return bytes([len(raw)]) + raw


def make_header(image, model, version, floor='', hardware=(), algorithm=0):
    return (b'RKH1' + struct.pack('<BBHI', 1, algorithm, 0, len(image)) + hashlib.sha256(image).digest() +
            text8(model) + text8(version) + text8(floor) + bytes([len(hardware)]) + b''.join(map(text8, hardware)))


def unpack(data, layout, at):
    return struct.unpack_from(layout, data, at) + (at + struct.calcsize(layout),)


def parse_identity(data):
    names = ('format protocol who state health cause boots attempts_left instruction_set codecs profile capabilities '
             'max_payload max_answer buffer unit_size program_base program_space ram_base ram_size push_id '
             'image_length').split()
    *values, at = unpack(data, '<BBBBBBHBBBBIHHIIIIIIQI', 0)
    identity = dict(zip(names, values))
    identity['sha256'], identity['source'], n, at = unpack(data, '<32sBB', at)
    *identity['speeds'], at = unpack(data, f'<{n}I', at)
    n, at = unpack(data, '<B', at)
    identity['regions'] = []
    for _ in range(n):
        *region, at = unpack(data, '<IIIH', at)
        identity['regions'].append(region)
    for name in 'model hardware serial bootloader_version version floor'.split():
        n, at = unpack(data, '<B', at)
        identity[name] = data[at:at + n].decode('ascii')
        at += n
    if at != len(data):
        raise LinkError(f'identity has {len(data)} bytes, its members end at {at}')
    identity['who'] = ('bootloader', 'program')[identity['who']]
    identity['state'] = STATES[identity['state']]
    identity['health'] = HEALTH[identity['health']]
    identity['cause'] = CAUSES[identity['cause']]
    identity['source'] = SOURCES[identity['source']]
    identity['sha256'] = identity['sha256'].hex()
    identity['capabilities'] = [name for bit, name in enumerate(CAPABILITIES) if identity['capabilities'] >> bit & 1]
    return identity


def parse_status(data):
    names = 'received credit busy_ms state health boots error'.split()
    status = dict(zip(names, struct.unpack('<IIHBBHB', data)))
    status['state'] = STATES[status['state']]
    status['health'] = HEALTH[status['health']]
    return status


class Link:
    def __init__(self, path=None, fd=None, address=0, half_duplex=False, answer_seconds=1.0):
        """path: a pts or a listening UNIX socket; fd: an open descriptor (taken over)."""
        self.address, self.half_duplex, self.answer_seconds = address, half_duplex, answer_seconds
        self.sequence, self.inbox, self.hellos, self.heard = 0, bytearray(), [], []
        self.stream_id = int.from_bytes(os.urandom(2), 'little')
        self.damaged, self.sent_bytes = 0, 0
        self.fd = fd if fd is not None else self._open(path)
        os.set_blocking(self.fd, False)
        self.write(b'\0')

    @staticmethod
    def _open(path):
        if os.path.realpath(path).startswith('/dev/'):
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(fd)
            return fd
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(path)
            return peer.detach()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def set_baud(self, baud):
        """The speed of this end, for a line that keeps time; only the speeds that termios knows."""
        attributes = termios.tcgetattr(self.fd)
        attributes[4] = attributes[5] = getattr(termios, f'B{baud}')
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)

    # Frames

    def write(self, data, seconds=90):
        deadline = time.monotonic() + seconds
        while data:
            if not select.select([], [self.fd], [], max(0, deadline - time.monotonic()))[1]:
                raise LinkError('the line takes no bytes')
            try:
                n = os.write(self.fd, data)
            except BlockingIOError:
                continue
            except OSError as error:
                raise LinkError(f'the line is gone: {error}') from error
            self.sent_bytes += n
            data = data[n:]

    def send(self, kind, payload=b'', sequence=0, poll=False, address=None):
        flags = POLL if poll or (self.half_duplex and kind != DATA) else 0
        address = self.address if address is None else address
        self.write(frame_encode(address, kind, sequence, flags, payload))

    def receive(self, deadline):
        """The next good frame from the device, (type, sequence, payload); None when the time is up."""
        while True:
            end = self.inbox.find(0)
            if end >= 0:
                raw = bytes(self.inbox[:end])
                del self.inbox[:end + 1]
                frame = frame_decode(raw) if raw else None
                if raw and frame is None:
                    self.damaged += 1
                if frame is None or not frame[3] & FROM_DEVICE or frame[0] != self.address:
                    continue
                if frame[1] == HELLO:
                    self.hellos.append(struct.unpack('<BBH', frame[4]))
                    continue
                return frame[1], frame[2], frame[4]
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            try:
                data = os.read(self.fd, 65536)
            except OSError as error:
                raise LinkError(f'the line is gone: {error}') from error
            if not data:
                raise LinkError('the line is gone')
            self.inbox += data

    def ask(self, kind, payload=b'', tries=8, busy_tries=400):
        """One command with repeats; the answer after result and busy, or Refused."""
        self.sequence = (self.sequence + 1) % 256
        while tries and busy_tries:
            self.send(kind, payload, self.sequence)
            deadline, busy = time.monotonic() + self.answer_seconds, False
            while answer := self.receive(deadline):
                if answer[:2] != (kind, self.sequence):
                    continue
                result, busy_ms = struct.unpack_from('<BH', answer[2])
                if result == 0:
                    return answer[2][3:]
                if result != 1:
                    raise Refused(kind, result)
                busy = True
                busy_tries -= 1
                self.receive(time.monotonic() + min(busy_ms, 1000) / 1000)
                break
            if not busy:
                tries -= 1
                self.write(b'\0')
        raise LinkError(f'command {kind:#04x}: no answer')

    # Commands

    def _read_block(self, what):
        data = b''
        while True:
            answer = self.ask(IDENTIFY, struct.pack('<BHH', what, len(data), self.max_answer - 7))
            total, offset = struct.unpack_from('<HH', answer)
            if offset != len(data):
                raise LinkError('identify: another offset than asked for')
            data += answer[4:]
            if len(data) >= total or len(answer) == 4:
                return data

    max_answer = 64
    max_payload = 64

    def identify(self):
        identity = parse_identity(self._read_block(0))
        self.max_answer, self.max_payload = identity['max_answer'], identity['max_payload']
        return identity

    def release(self):
        return self._read_block(1)

    def nop(self, **kwargs):
        return parse_status(self.ask(NOP, **kwargs))

    def begin(self, push_id, header, signature=b'', trial=5, flags=0, replaces=0):
        area = struct.pack('<BBHQQHH', 1, flags, trial, push_id, replaces, len(header), len(signature)) + header + signature
        at = 0
        while at < len(area):
            piece = area[at:at + BEGIN_PIECE]
            at, = struct.unpack('<H', self.ask(BEGIN, struct.pack('<HH', len(area), at) + piece))

    def sums(self, first, count):
        sums = []
        while count:
            answer = self.ask(SUMS, struct.pack('<IH', first, count))
            at, n = struct.unpack_from('<IH', answer)
            if at != first or not 0 < n <= count or len(answer) != 6 + 4 * n:
                raise LinkError('sums: another range than asked for')
            sums += struct.unpack_from(f'<{n}I', answer, 6)
            first, count = first + n, count - n
        return sums

    def read(self, offset, want):
        answer = self.ask(READ, struct.pack('<IH', offset, want))
        if struct.unpack_from('<I', answer)[0] != offset:
            raise LinkError('read: another offset than asked for')
        return answer[4:]

    def end(self, push_id):
        self.ask(END, struct.pack('<Q', push_id))

    def start(self, push_id=0):
        self.ask(START, struct.pack('<Q', push_id))

    def confirm(self, push_id):
        self.ask(CONFIRM, struct.pack('<Q', push_id))

    def enter(self):
        self.ask(ENTER)

    def change_baud(self, baud):
        answer, = struct.unpack('<I', self.ask(SET_BAUD, struct.pack('<I', baud)))
        self.set_baud(answer)
        self.write(b'\0')

    def send_stream(self, data, seconds=120, progress=None, codec=0):
        """The whole stream through the credit window; progress(received) is called after each answer."""
        self.stream_id = (self.stream_id + 1) % 65536
        credit, = struct.unpack('<I', self.ask(STREAM, struct.pack('<BBIH', codec, 0, len(data), self.stream_id)))
        deadline, received, position, idle, busy_ms = time.monotonic() + seconds, 0, 0, 0, 0
        while received < len(data):
            if time.monotonic() > deadline:
                raise LinkError(f'stream: stuck at {received} of {len(data)}')
            until, sent = min(credit, len(data)), position
            while position < until:
                n = min(self.max_payload - 4, until - position)
                self.send(DATA, struct.pack('<I', position) + data[position:position + n], poll=position + n == until)
                position += n
            if self.half_duplex and position == sent:  # no credit: nothing comes by itself
                self.receive(time.monotonic() + busy_ms / 1000)
                status, gap = self.nop(), True
            else:
                status, gap = self._next_status()
            if status is None or idle > 20:
                status, gap, idle = self.nop(), True, 0
            if status['error']:
                raise Refused(DATA, status['error'])
            if status['credit'] < credit:
                raise LinkError('stream: credit was taken back')
            idle = 0 if status['received'] > received or status['credit'] > credit else idle + 1
            received, credit, busy_ms = max(received, status['received']), status['credit'], status['busy_ms']
            if gap or position < received:
                position = received
            if progress:
                progress(received)

    def _next_status(self):
        deadline = time.monotonic() + self.answer_seconds / 2
        while answer := self.receive(deadline):
            if answer[0] in (ACK, NAK):
                return parse_status(answer[2]), answer[0] == NAK
        return None, True

    # Whole pushes

    def make_stream(self, image, unit, have):
        """Runs of the units whose checksum differs from what the device has."""
        units = -(-len(image) // unit)
        padded = image + b'\xff' * (units * unit - len(image))
        wanted = [i for i in range(units) if zlib.crc32(padded[i * unit:(i + 1) * unit]) != have[i]]
        stream, at = b'', 0
        while at < len(wanted):
            n = 1
            while at + n < len(wanted) and wanted[at + n] == wanted[at] + n:
                n += 1
            first = wanted[at]
            stream += struct.pack('<II', first, n) + image[first * unit:(first + n) * unit]
            at += n
        return stream + struct.pack('<II', 0, 0), len(wanted)

    def push(self, image, push_id, version, model='sim', trial=5, signature=b'', header=None, **kwargs):
        """BEGIN … END; returns how many flash units were sent. Goes on with what the flash holds already."""
        identity = self.identify()
        header = header or make_header(image, model, version)
        self.begin(push_id, header, signature, trial, replaces=identity['push_id'])
        unit = identity['unit_size']
        have = self.sums(0, -(-len(image) // unit))
        stream, sent = self.make_stream(image, unit, have)
        self.send_stream(stream, **kwargs)
        self.end(push_id)
        return sent

    def wait(self, condition, what, seconds=90):
        """Identifies until the condition holds for what the device says."""
        deadline, seen = time.monotonic() + seconds, None
        while time.monotonic() < deadline:
            try:
                seen = parse_identity(self._read_block(0))
                if condition(seen):
                    return seen
            except LinkError as error:
                if 'gone' in str(error):
                    raise
            self.receive(time.monotonic() + 0.05)
        raise LinkError(f'{what} was not seen; last: {seen}')


def main():
    parser = argparse.ArgumentParser(description='speak the native link by hand')
    parser.add_argument('path')
    parser.add_argument('--address', type=int, default=0)
    parser.add_argument('--half-duplex', action='store_true')
    verbs = parser.add_subparsers(dest='verb', required=True)
    verbs.add_parser('identify')
    verbs.add_parser('status')
    verbs.add_parser('enter')
    push = verbs.add_parser('push')
    push.add_argument('image')
    push.add_argument('version')
    push.add_argument('--model', default='sim')
    push.add_argument('--trial', type=int, default=5)
    for verb in 'start', 'confirm':
        verbs.add_parser(verb).add_argument('push_id', type=lambda text: int(text, 0))
    args = parser.parse_args()

    link = Link(args.path, address=args.address, half_duplex=args.half_duplex)
    if args.verb == 'identify':
        print(json.dumps(link.identify(), indent=8))
    elif args.verb == 'status':
        print(json.dumps(link.nop()))
    elif args.verb == 'enter':
        link.enter()
    elif args.verb == 'push':
        push_id = int.from_bytes(os.urandom(8), 'little') | 1
        with open(args.image, 'rb') as file:
            sent = link.push(file.read(), push_id, args.version, model=args.model, trial=args.trial)
        print(f'{push_id:#x}: {sent} units')
    elif args.verb == 'start':
        link.start(args.push_id)
    else:
        link.confirm(args.push_id)


if __name__ == '__main__':
    try:
        main()
    except (LinkError, OSError) as error:
        sys.exit(f'rklink: {error}')
