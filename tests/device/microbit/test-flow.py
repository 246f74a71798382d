#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway and a real Cortex-M0: what the stories tell of the simulator is true of a device, too."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'lib'))
from qemu import add_microbit, publish  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

PAD = 60000  # so much that a push can be caught in the middle


def good_update(w):
    """1.0.0 is provisioned on a blank device, 1.1.0 is confirmed, 1.0.0 is kept."""
    first = publish(w, '1.0.0')
    add_microbit(w)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('1.1.0 is published')
    second = publish(w, '1.1.0', pad=5000)
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect_flash(second)
    w.expect('1.0.0 is kept as previous', state['PreviousVersion'] == '1.0.0')
    w.expect('nothing is on the bad list', not state['Bad'])
    w.expect('the device says confirmed', w.devices['boiler'].record()['state'] == 'confirmed')


# Behaviour of the bad release: what the bad list says of it.
BAD = {'crash': 'last reset: crash', 'hang': 'last reset: watchdog', 'silent': 'last reset: trial timeout'}


def bad_programs(w):
    """A program that crashes, one that hangs, and one that never says that it is well: 1.0.0 comes back each time."""
    good = publish(w, '1.0.0')
    add_microbit(w)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    for number, (behaviour, reason) in enumerate(BAD.items(), 1):
        version = f'1.{number}.0'
        publish(w, version, behaviour)
        w.ctl('check', expect=0)
        w.wait_result(version, 'restored', seconds=120)
        state = w.wait_runs('1.0.0')
        w.expect(f'{version} is remembered as bad', version in [bad[1] for bad in state['Bad']])
        w.expect(f'the bad list says why ({reason})', any(reason in bad[2] for bad in state['Bad'] if bad[1] == version))
        w.expect_flash(good)


def power_cut(w):
    """The power goes in the middle of a push, and again in the middle of going on with it."""
    publish(w, '1.0.0')
    device = add_microbit(w)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')

    second = publish(w, '1.1.0', pad=PAD)
    w.ctl('check', expect=0)
    for percent in 20, 60:
        w.wait_device(f'{percent} % are pushed', lambda d, percent=percent: d['State'] == 'pushing' and d['Progress'] >= percent)
        device.cut_power()
        w.expect('the device knows of the open push', device.record()['state'] == 'pushing')
        w.expect('its flash is neither program', not device.holds(second))
        device.start()
    w.wait_runs('1.1.0', seconds=120)
    w.expect_flash(second)
    w.expect('nothing was restored', ('1.1.0', 'restored') not in w.results())


run(good_update, bad_programs, power_cut)
