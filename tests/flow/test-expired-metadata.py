#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Metadata that nobody renews: no update begins by it, while one that is under way is finished."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

DAY = 24 * 3600


def publish_expired(w):
    """Signs what was added with a timestamp that ended an hour ago."""
    then = time.gmtime(time.time() - 30 * DAY - 3600)
    w.publisher.repo('publish', w.publisher.path, '--now', time.strftime('%Y-%m-%dT%H:%M:%SZ', then),
                     '--expires-in', 'targets=365d', '--expires-in', 'snapshot=60d')


def expired_metadata(w):
    """The timestamp expires in the middle of the trial of 1.1.0, which is confirmed; 1.2.0 has to wait for a new one."""
    w.set_clock(0)
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')

    w.say('the metadata expires while 1.1.0 is on trial')
    second = w.publisher.publish('1.1.0', trial=15)
    w.ctl('check', expect=0)
    w.wait_device('it is on trial', lambda d: d['State'] == 'trial')
    w.set_clock(31 * DAY)
    w.expect('it has expired', w.ctl('--json', 'check').json['outcome'] == 'metadata-expired')
    answer = w.ctl('check')
    w.expect('check fails', answer.status == 1 and 'expired' in answer.errors)
    w.expect('the trial goes on', w.device()['State'] == 'trial')
    w.say('the daemon is killed in the middle of it, and starts again')
    w.kill_daemon()
    w.start_daemon()
    w.expect('it is still expired', w.ctl('--json', 'check').json['outcome'] == 'metadata-expired')
    w.wait_runs('1.1.0')
    w.expect_flash(second)

    w.say('1.2.0 appears, but its metadata has expired already')
    w.set_clock(0)
    third = w.publisher.make_image('1.2.0')
    w.publisher.add('1.2.0', third)
    publish_expired(w)
    w.expect('refused', w.ctl('--json', 'check').json['outcome'] == 'metadata-expired')
    status = w.ctl('--json', 'status', expect=0).json
    w.expect('status tells', status['last-check-result'] == 'metadata-expired')
    w.expect('nothing can be done by hand either', w.ctl('update', 'boiler').status in (3, 5))
    w.expect('the device runs 1.1.0', device.holds(second) and w.device()['State'] == 'idle')

    w.say('the publisher signs again')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(third)


run(expired_metadata)
