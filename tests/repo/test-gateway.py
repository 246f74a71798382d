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


def gateway_takes_an_export(w):
    """No network: a stick with the models that are wanted, of a repository that has more, where a team signs. Again over the old one."""
    p = w.publisher
    stick = os.path.join(w.tmp, 'stick')
    other = p.make_image('1.0.0', model='pump-ctl')
    p.add('1.0.0', other, model='pump-ctl')
    p.repo('delegate', p.path, 'boilers', '--model', 'boiler-ctl')
    first = p.publish('1.0.0')
    p.repo('export', p.path, stick, '--model', 'boiler-ctl')
    device = w.add_device('boiler')
    w.start()
    w.server.stop()
    w.ctl('verify', '--from', stick, expect=0)
    w.ctl('update', 'boiler', '--from', stick)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('the stick comes again, with new online keys')
    for role in ('timestamp', 'snapshot'):
        p.repo('key', 'rotate', p.path, role)
    second = p.publish('1.1.0')
    p.repo('export', p.path, stick, '--model', 'boiler-ctl')
    w.ctl('update', 'boiler', '--from', stick, expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(second)
    w.expect('only the wanted model is on the stick', os.listdir(os.path.join(stick, 'targets')) == ['boiler-ctl'])
    w.expect('the device runs it', device.holds(second))
    w.expect('no server was asked', not w.server.requests())


run(gateway_follows_the_keys, gateway_takes_an_export)
