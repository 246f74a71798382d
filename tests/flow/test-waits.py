#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an update waits for before it touches anything: programs that inhibit, the service window."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import program, run  # noqa: E402  pylint: disable=wrong-import-position


def inhibitor(w):
    """A program holds updates back over D-Bus; its end, however it comes, lets them go on."""
    w.publisher.publish('1.0.0')
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.publisher.publish('1.1.0')
    inhibit = w.spawn('inhibit', [program('tests/lib/inhibit'), 'lift control', 'the lift moves'])
    status = w.wait_for('it inhibits', lambda: [s for s in [w.ctl('--json', 'status', expect=0).json] if s['inhibited']])[0]
    w.expect('status says who and why', status['inhibitors'] == [{'who': 'lift control', 'why': 'the lift moves'}])
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 waits', lambda d: d['Verdict'] == 'wait-inhibit')
    inhibit.kill()
    w.wait_runs('1.1.0')
    w.expect('nobody inhibits any more', not w.ctl('--json', 'status', expect=0).json['inhibitors'])

    w.say('one that comes in the middle of an update does not stop it')
    image = w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_device('the trial of 1.2.0', lambda d: d['State'] == 'trial')
    w.spawn('inhibit', [program('tests/lib/inhibit'), 'lift control', 'the lift moves'])
    w.wait_for('it inhibits', lambda: w.ctl('--json', 'status', expect=0).json['inhibited'])
    w.wait_runs('1.2.0')
    w.expect_flash(image)


def service_window(w):
    """Outside of the service window the download runs already, and the push waits."""
    hour = 3600
    w.environment['TZ'] = 'UTC'
    begins, ends = (time.strftime('%H:%M', time.gmtime(time.time() + ahead * hour)) for ahead in (6, 8))
    w.updates_keys = f'Window={begins}-{ends}'
    w.set_clock(7 * hour)
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')

    w.say('the window is closed')
    w.set_clock(0)
    image = w.publisher.publish('1.1.0')
    record = device.record()
    w.ctl('check', expect=0)
    w.wait_device('the push waits for the window', lambda d: d['Waiting'] == 'wait-window')
    w.expect('the image is there already', '1.1.0' in [i['version'] for i in w.images()])
    w.expect('the device is not touched', device.record() == record)
    w.say('it opens')
    w.set_clock(7 * hour)
    w.wait_runs('1.1.0')
    w.expect_flash(image)


run(inhibitor, service_window)
