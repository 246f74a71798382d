#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file of a release is not what was signed: refused before the device is touched; the next good release works."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def other_bytes(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


def longer(data):
    return data + b'and more'


def truncated(data):
    return data[:len(data) // 2]


def empty(_data):
    return b''


TAMPERED = {
    '1.1.0': (other_bytes, 'is not the file that was signed'),
    '1.2.0': (longer, 'the server sends more than'),
    '1.3.0': (truncated, 'bytes that were signed'),
    '1.4.0': (empty, 'bytes that were signed'),
}


def tamper(w, version, change):
    """Publishes a release and changes its file on the server, as somebody who got at the web server would."""
    w.publisher.publish(version)
    path = w.publisher.served_file(version)
    with open(path, 'rb') as file:
        data = file.read()
    with open(path, 'wb') as file:
        file.write(change(data))


def tampered_image(w):
    """Other bytes, more bytes, fewer bytes, none: each is refused with its outcome, and 1.0.0 runs on."""
    first = w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    record = device.record()

    for version, (change, words) in TAMPERED.items():
        w.say(f'{version}: the file has {change.__name__.replace("_", " ")}')
        tamper(w, version, change)
        w.ctl('check', expect=0)
        w.wait_result(version, 'image-invalid')
        state = w.wait_device('no update is open', lambda d: d['State'] == 'idle')
        w.expect('the outcome says so', state['Outcome'] == 'image-invalid')
        w.expect(f'the text says: {words}', words in state['OutcomeText'])
        w.expect('1.0.0 runs on, confirmed', (state['RunningVersion'], state['BackupVersion']) == ('1.0.0', '1.0.0'))
        w.expect('the program is not held against the device', not state['Bad'])
        w.expect('nothing was written to the device', device.record() == record and device.holds(first))
        w.expect('nothing of it is in the store', [i['version'] for i in w.images()] == ['1.0.0'])

    w.say('a person who asks for one by name is told the same')
    w.expect('update fails', w.ctl('update', 'boiler@1.2.0').status == 1)

    w.say('the next good release')
    image = w.publisher.publish('1.5.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.5.0')
    w.expect_flash(image)
    w.expect('there is nothing more to do', w.ctl('update', 'boiler').status == 3)


run(tampered_image)
