#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Another unit on the same line: it gets nothing until a person accepts it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def swapped_unit(w):
    """The unit is replaced by a blank one with another serial; an update under way parks; accept makes it the device."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')

    w.say('the unit is swapped for a new one')
    device.replace('SN-other')
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    state = w.wait_device('another unit is noticed', lambda d: d['State'] == 'identity-changed')
    w.expect('its serial is told', state['ClaimedSerial'] == 'SN-other')
    w.expect('an update is refused', w.ctl('update', 'boiler').status == 5)
    w.expect('nothing was written to it', not device.record())

    w.say('the old unit comes back')
    device.replace('SN-boiler')
    w.wait_runs('1.1.0')

    w.say('the new unit again, and this time it is accepted')
    device.replace('SN-other')
    w.wait_device('another unit is noticed', lambda d: d['State'] == 'identity-changed')
    w.ctl('accept', 'boiler', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('the new serial is pinned', state['Serial'] == 'SN-other')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])


run(swapped_unit)
