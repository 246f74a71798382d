#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The good case: a blank device is provisioned, an upgrade is offered, pushed, proven and confirmed."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def good_update(w):
    """1.0.0 is provisioned on a blank device, 1.1.0 is confirmed, 1.0.0 is kept."""
    first = w.publisher.publish('1.0.0')
    device = w.add_device('boiler')
    w.start()

    w.say('the blank device is provisioned')
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('1.1.0 is published')
    second = w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect_flash(second)
    w.expect('1.0.0 is kept as previous', state['PreviousVersion'] == '1.0.0')
    w.expect('nothing is on the bad list', not state['Bad'])
    w.expect('there is nothing more to do', w.ctl('update', 'boiler').status == 3)

    w.say('the daemon starts again')
    w.stop_daemon()
    w.start_daemon()
    w.wait_runs('1.1.0')
    w.expect('the device was not touched again', device.holds(second))
    w.expect('the last result is still known', w.device()['OutcomeText'] == state['OutcomeText'])


run(good_update)
