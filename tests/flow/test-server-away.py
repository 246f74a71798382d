#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that goes away in the middle of a download, comes back with the same or another file, or does not stop sending."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE = 60000
PART = 20000


def begin(w):
    """1.0.0 runs; 1.1.0 is large enough for a download that can be cut."""
    server = w.use_origin()
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return server, device, w.publisher.publish('1.1.0', pad=IMAGE)


def cut(w, server, device):
    """The server goes away after some bytes; the update waits for it."""
    record = device.record()
    server.command(f'cut-after {PART}')
    w.ctl('check', expect=0)
    state = w.wait_device('the download waits for the server', lambda d: d['Waiting'] == 'wait-server')
    w.expect('it says how far it came', f'stopped after {PART} of' in state['StateText'])
    w.expect('the device is not touched', device.record() == record and state['RunningVersion'] == '1.0.0')
    w.expect('the bytes are kept', w.received() == PART)


def server_away(w):
    """The server breaks off, is not there at all, and comes back: the download goes on by Range."""
    server, device, image = begin(w)
    cut(w, server, device)
    server.command('refuse')
    answer = w.ctl('--json', 'check')
    w.expect('nobody answers', (answer.status, answer.json['outcome']) == (1, 'server-unreachable'))
    w.expect('the update waits on', w.device()['Waiting'] == 'wait-server')

    w.say('the server is back')
    server.command('cut-after off', 'answer')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    length = os.path.getsize(w.publisher.served_file('1.1.0'))
    first, last = server.downloads('1.1.0')[0], server.downloads('1.1.0')[-1]
    w.expect('the first answer was cut', first == (200, 0, False, PART, False))
    w.expect('the last one brought the rest', last == (206, PART, True, length - PART, True))
    w.expect('nothing was kept of the download', w.received() == 0)


def other_file(w):
    """Meanwhile the file was put there anew (another ETag): its download begins again."""
    server, device, image = begin(w)
    cut(w, server, device)
    os.utime(w.publisher.served_file('1.1.0'), (1, 1))
    server.command('cut-after off')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    length = os.path.getsize(w.publisher.served_file('1.1.0'))
    w.expect('the rest was asked for, the whole was sent', server.downloads('1.1.0')[-1] == (200, PART, True, length, True))


def more_than_signed(w):
    """A server that does not stop sending: not one byte more than was signed is taken."""
    server, device, _ = begin(w)
    server.command('extra 10000000')
    answer = w.ctl('--json', 'check')
    w.expect('metadata that does not end is refused', (answer.status, answer.json['outcome']) == (1, 'metadata-invalid'))
    server.command('extra off')
    w.ctl('hold', 'boiler', expect=0)
    w.ctl('check', expect=0)
    server.command('extra 10000000')
    w.ctl('unhold', 'boiler', expect=0)
    w.wait_result('1.1.0', 'image-invalid')
    w.expect('the text says so', 'the server sends more than' in w.device()['OutcomeText'])
    sent = server.downloads('1.1.0')[-1][3]
    w.expect(f'the fetcher hung up early, after {sent} bytes', sent < 10000000)
    w.expect('1.0.0 runs on', device.holds(w.publisher.images['boiler-ctl', '1.0.0']))
    w.expect('nothing was kept of it', w.received() <= os.path.getsize(w.publisher.served_file('1.1.0')))


run(server_away, other_file, more_than_signed)
