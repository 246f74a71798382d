#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway follows what the publisher does with his keys: new online keys, a second root key, a team of its own for the model."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def gateway_follows_the_keys(w):
    """Each release comes by other keys than the one before; the gateway has the first root."""
    p = w.publisher
    first = p.publish('1.0.0')
    device = w.add_device('boiler')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('timestamp, snapshot and targets get new keys')
    for role in ('timestamp', 'snapshot', 'targets'):
        p.repo('key', 'rotate', p.path, role)
    second = p.publish('1.1.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(second)

    w.say('a team signs the next release of the model, under a root that two keys signed')
    p.repo('delegate', p.path, 'boilers', '--model', 'boiler-ctl')
    p.repo('key', 'add', p.path, 'root', '--threshold', '2')
    third = p.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(third)

    w.say('the first release is removed; the device has its backup all the same')
    p.repo('remove', p.path, '1.0.0', '--force')
    p.publish()
    w.ctl('check', expect=0)
    w.expect('nothing more to do', w.ctl('update', 'boiler').status == 3)
    w.expect('the device runs what the team signed', device.holds(third))


run(gateway_follows_the_keys)
