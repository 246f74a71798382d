#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person has to say first: approve a release, give a blank device its first program."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def approval(w):
    """Approval=ask: nothing is even downloaded until a person approves; a version may be approved in advance."""
    w.publisher.publish('1.0.0')
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', device_keys='Approval=ask\nProvision=auto')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect('there is nothing to approve', w.ctl('approve', 'boiler').status == 3)

    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 waits for approval', lambda d: d['Verdict'] == 'wait-approval')
    w.expect('the list says so', '1.1.0 waits for approval' in w.ctl('list').text)
    w.expect('nothing was asked for', '/targets/boiler-ctl/1.1.0' not in w.server.requests())
    w.ctl('approve', 'boiler', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])

    w.ctl('approve', 'boiler@1.2.0', expect=0)
    w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect('history has the approvals', [e['event'] for e in w.history()].count('approved') == 2)


def provisioning(w):
    """A blank device: Provision=ask waits for a person, Provision=no leaves it blank, whoever asks."""
    image = w.publisher.publish('1.0.0')
    w.add_device('asked', 'boiler-ctl', '--flash-times', 'off', device_keys='Provision=ask')
    left = w.add_device('left', 'boiler-ctl', '--flash-times', 'off', device_keys='Provision=no')
    w.start()
    w.ctl('check', expect=0)
    state = w.wait_device('one waits for approval', lambda d: d['Verdict'] == 'wait-approval', 'asked')
    w.expect('it is blank', state['State'] == 'blank')
    w.expect('the list says so', '1.0.0, the first program of this device, waits for approval' in w.ctl('list').text)
    state = w.wait_device('the other is refused', lambda d: d['Verdict'] == 'provision-disabled', 'left')
    w.expect('it is blank', state['State'] == 'blank')
    w.expect('nothing was asked for', '/targets/' not in w.server.requests())
    w.expect('a person cannot approve it', w.ctl('approve', 'left').status == 3)
    w.expect('nor update it', w.ctl('update', 'left').status == 5)
    w.ctl('approve', 'asked', expect=0)
    w.wait_runs('1.0.0', 'asked')
    w.expect_flash(image, 'asked')
    w.expect('the other is as blank as it was', not left.record() and w.device('left')['State'] == 'blank')


run(approval, provisioning)
