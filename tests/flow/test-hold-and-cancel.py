#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person's hold stays until unhold, also in the middle of a push; cancel acts before the first erase and not after it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE = 60000
MIDDLE = 40  # a push of IMAGE takes about 100 flash operations


def begin(w):
    w.publisher.publish('1.0.0')
    device = w.add_device()
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return device


def wait_sending(w, device, version):
    """In the middle of the push, where it stays until the device goes on."""
    device.wait_stalled()
    w.wait_device(f'{version} is being sent', lambda d: d['Candidate'] == version and d['Phase'] == 'send' and d['PhaseDone'] > 0)


def hold_and_unhold(w):
    """Held while idle: nothing begins. Held in the middle of a push: it is finished, and nothing follows until unhold."""
    device = begin(w)
    w.ctl('hold', 'boiler', expect=0)
    image = w.publisher.publish('1.1.0', pad=IMAGE)
    w.ctl('check', expect=0)
    state = w.wait_device('it waits for the hold', lambda d: d['Verdict'] == 'wait-hold')
    w.expect('nothing was begun', state['State'] == 'idle' and state['Hold'])
    w.expect('a person has to unhold first', w.ctl('update', 'boiler').status == 5)
    w.expect('a restore has to wait too', w.ctl('restore', 'boiler').status == 5)
    w.expect('nothing was asked for', '/targets/boiler-ctl/1.1.0' not in w.server.requests())

    w.say('the daemon starts again: the hold stays')
    w.stop_daemon()
    w.start_daemon()
    w.ctl('check', expect=0)
    w.wait_device('it waits for the hold', lambda d: d['Verdict'] == 'wait-hold')

    w.say('unhold, and hold again in the middle of the push')
    device.stall_after(MIDDLE)
    w.ctl('unhold', 'boiler', expect=0)
    wait_sending(w, device, '1.1.0')
    w.ctl('hold', 'boiler', expect=0)
    state = w.device()
    w.expect('the push goes on, and nothing runs', (state['State'], state['RunningState']) == ('pushing', 'none'))
    device.go_on()
    state = w.wait_device('it is finished, and then waits', lambda d: d['Waiting'] == 'wait-hold')
    w.expect_flash(image)
    w.expect('1.1.0 is not confirmed', state['BackupVersion'] == '1.0.0' and device.record()['state'] != 'confirmed')
    w.ctl('check', expect=0)
    w.wait_for('1.1.0 runs on trial, without anybody who watches', lambda: device.record()['state'] == 'trial')
    w.expect('the update waits on', w.device()['Waiting'] == 'wait-hold')
    w.wait_device('1.1.0 is what runs, on trial', lambda d: (d['RunningVersion'], d['RunningState']) == ('1.1.0', 'trial'))
    w.expect('which show says', 'running: 1.1.0 (on trial)' in w.ctl('show', 'boiler', expect=0).text)

    w.say('unhold: the trial is watched, and confirmed')
    w.ctl('unhold', 'boiler', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('it is no longer on trial', state['RunningState'] == 'runs')


def hold_keeps_the_way_back(w):
    """Restores wait for unhold as well: somebody has a debugger on it."""
    device = begin(w)
    bad = w.publisher.publish('1.1.0', 'crash', pad=IMAGE)
    device.stall_after(MIDDLE)
    w.ctl('check', expect=0)
    wait_sending(w, device, '1.1.0')
    w.ctl('hold', 'boiler', expect=0)
    device.go_on()
    w.wait_device('the push is finished', lambda d: d['Waiting'] == 'wait-hold')
    w.wait_device('all starts are used up', lambda d: d['DeviceState'] == 'failed')
    w.ctl('check', expect=0)
    w.expect('nothing is restored', device.holds(bad) and w.device()['Waiting'] == 'wait-hold')
    w.ctl('unhold', 'boiler', expect=0)
    state = w.wait_device('1.0.0 is restored', lambda d: d['Outcome'] == 'restored' and d['State'] == 'idle')
    w.expect('1.1.0 is remembered as bad', [b[1] for b in state['Bad']] == ['1.1.0'])
    w.expect_flash(w.publisher.images['boiler-ctl', '1.0.0'])


def cancel(w):
    """Before the first erase it ends the update; after it, it comes too late."""
    device = begin(w)
    w.expect('there is nothing to cancel', w.ctl('cancel', 'boiler').status == 3)
    w.server.stop()
    w.server.start(rate=2000)
    image = w.publisher.publish('1.1.0', pad=IMAGE)
    record = device.record()
    w.ctl('check', expect=0)
    w.wait_device('it is being downloaded', lambda d: d['State'] == 'downloading')
    w.ctl('cancel', 'boiler', expect=0)
    state = w.wait_device('the update has ended', lambda d: d['State'] == 'idle')
    w.expect('as canceled', state['Outcome'] == 'canceled' and w.results()[-1] == ('1.1.0', 'canceled'))
    w.expect('nothing was written to the device', device.record() == record)
    w.expect('1.1.0 is not bad', not state['Bad'])

    w.say('a person wants it after all, and changes their mind too late')
    w.server.stop()
    w.server.start(rate=0)
    device.stall_after(MIDDLE)
    w.ctl('--no-wait', 'update', 'boiler', expect=0)
    wait_sending(w, device, '1.1.0')
    answer = w.ctl('cancel', 'boiler')
    w.expect(f'refused: {answer.errors.strip()}', answer.status == 5 and 'to its end' in answer.errors)
    device.go_on()
    w.wait_runs('1.1.0')
    w.expect_flash(image)


run(hold_and_unhold, hold_keeps_the_way_back, cancel)
