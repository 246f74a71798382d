#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The publisher's signature for devices: one that demands it gets nothing without, and takes none of another key."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def add(w, version, *options):
    image = w.publisher.make_image(version)
    w.publisher.add(version, image, *options)
    return image


def device_signature(w):
    """Unsigned is refused by the gateway, wrongly signed by the device before the first erase; rightly signed works, restored too."""
    for name in ('ours', 'other'):
        w.publisher.repo('device-key', w.publisher.path, name)
    keys = os.path.join(w.publisher.path, 'keys')
    ours = ('--device-key', os.path.join(keys, 'device-ours.pem'))
    add(w, '1.0', *ours)
    w.publisher.publish()
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', '--device-key', os.path.join(keys, 'device-ours.pub.pem'))
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0')

    add(w, '1.1')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_device('1.1 is refused by the gateway', lambda d: d['Verdict'] == 'not-signed-for-device')
    w.expect('by name, too', w.ctl('update', 'boiler@1.1').status == 5)
    w.expect('nothing was asked for', '/targets/boiler-ctl/1.1' not in w.server.requests())

    w.say('1.2 is signed, but with a key that the device does not know')
    record = device.record()
    add(w, '1.2', '--device-key', os.path.join(keys, 'device-other.pem'))
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_result('1.2', 'device-refused')
    state = w.wait_device('1.0 runs', lambda d: d['State'] == 'idle' and d['Health'] == 'healthy')
    w.expect('nothing was erased', device.record() == record and device.holds(w.publisher.images['boiler-ctl', '1.0']))
    w.expect('1.0 is confirmed', (state['RunningVersion'], state['BackupVersion']) == ('1.0', '1.0'))

    w.say('1.3 is signed as it has to be')
    image = add(w, '1.3', *ours)
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_runs('1.3')
    w.expect_flash(image)
    w.say('so is its backup')
    w.ctl('restore', 'boiler', expect=0)
    w.wait_runs('1.3')
    w.expect_flash(image)


run(device_signature)
