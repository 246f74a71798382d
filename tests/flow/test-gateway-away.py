#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway is away during a trial: the device stays in service, and is confirmed when the gateway is back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def gateway_away(w):
    """kill -9 in the middle of a trial; the program runs on unconfirmed, also after a power cycle, until the gateway is back."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    image = w.publisher.publish('1.1.0', trial=10)
    w.ctl('check', expect=0)
    w.wait_device('the trial of 1.1.0 is under way', lambda d: d['State'] == 'trial' and d['Health'] == 'healthy')
    w.kill_daemon()

    w.say('the gateway is away; the device is switched off and on')
    device.cut_power()
    device.start()
    w.daemon = None
    w.wait_for('its program runs again', lambda: device.status()['pid'] > 0)
    w.expect('it holds 1.1.0', device.holds(image))
    w.expect('it is on trial, not confirmed', device.record()['state'] == 'trial')

    w.say('the gateway comes back')
    w.start_daemon()
    state = w.wait_runs('1.1.0')
    w.expect('nothing is bad', not state['Bad'])
    w.expect_flash(image)


run(gateway_away)
