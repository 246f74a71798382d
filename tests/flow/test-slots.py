#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device with two slots: the confirmed program stays where it is, and the device goes back to it by itself."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from process import wait_for  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE_BYTES = 60 * 1024


def in_service(w, *options):
    """(device, image of 1.0.0), which it runs in slot 0."""
    device = w.add_device('boiler', 'boiler-ctl', '--slots', '2', *options)
    image = w.publisher.publish('1.0.0', pad=IMAGE_BYTES)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    expect_slots(w, device, image, None)
    return device, image


def expect_slots(w, device, *images):
    for slot, image in enumerate(images):
        if image:
            w.expect(f'slot {slot} holds {os.path.basename(image)}, byte for byte', device.holds(image, slot))
        else:
            w.expect(f'slot {slot} was never used', device.record(slot) == {})


def wait_running(device, slot):
    def runs():
        status = device.status()
        return (status['state'], status['slot']) == ('program', slot)

    wait_for(f'the program in slot {slot} runs', runs)


def good_updates_take_turns(w):
    """Three programs, one after the other: the one before stays in the other slot."""
    device, first = in_service(w, '--codec', 'full')
    second = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    expect_slots(w, device, first, second)
    wait_running(device, 1)

    third = w.publisher.publish('1.2.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    state = w.wait_runs('1.2.0')
    expect_slots(w, device, third, second)
    wait_running(device, 0)
    w.expect('nothing is bad', not state['Bad'])

    device.control('power-cut')
    wait_running(device, 0)


def expect_went_back(w, device, image):
    state = w.wait_device('1.1.0 is given up', lambda d: d['Outcome'] == 'restored' and d['State'] == 'idle')
    w.expect('1.0.0 runs', state['RunningVersion'] == '1.0.0')
    w.expect('it is the backup', state['BackupVersion'] == '1.0.0')
    w.expect('1.1.0 is on the bad list', [bad[1] for bad in state['Bad']] == ['1.1.0'])
    text = [e['text'] for e in w.history() if e['event'] == 'result'][-1]
    w.expect(f'the report says that the device did it ({text})', 'went back by itself' in text)
    w.expect('the other slot still has the program that failed', device.record(1)['state'] == 'failed')
    expect_slots(w, device, image)
    wait_running(device, 0)


def crash_without_a_gateway(w):
    """The gateway goes away when the trial begins: the device runs its former program, and the gateway learns of it."""
    device, image = in_service(w)
    w.publisher.publish('1.1.0', 'crash', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    w.wait_for('the trial of 1.1.0 is under way', lambda: 'candidate 1.1.0: trial' in w.said())
    w.kill_daemon()
    wait_for('the program has crashed three times', lambda: device.status()['resets']['crash'] == 3)
    wait_running(device, 0)

    w.say('the gateway is back')
    w.start_daemon()
    expect_went_back(w, device, image)

    w.say('that its bootloader shows the failed program each time that it is switched on, is nobody\'s concern')
    for _ in range(2):
        device.control('power-cut')
        wait_running(device, 0)
        w.ctl('check', expect=0)

    w.say('the next release goes to the slot of the one that failed')
    fixed = w.publisher.publish('1.2.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    expect_slots(w, device, image, fixed)
    w.expect('there were three updates', w.results() == [('1.0.0', 'done'), ('1.1.0', 'restored'), ('1.2.0', 'done')])
    w.expect('every push was ours', not any(e['event'] == 'foreign-push' for e in w.history()))


def crash_beside_the_gateway(w):
    """Nothing is pushed back: the device has what it needs."""
    device, image = in_service(w)
    w.publisher.publish('1.1.0', 'crash', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    expect_went_back(w, device, image)


def failure_after_the_confirmation(w):
    """A confirmed program that crashes at every start: the device goes back to the previous one by itself."""
    device, image = in_service(w)
    w.publisher.publish('1.1.0', 'crash-after-confirm', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    w.wait_for('1.1.0 is confirmed', lambda: ('1.1.0', 'done') in w.results())
    device.control('reset')
    w.wait_device('the previous runs', lambda d: d['Outcome'] == 'restored-previous' and d['State'] == 'idle')
    state = w.device()
    w.expect('1.0.0 runs', state['RunningVersion'] == '1.0.0')
    w.expect('it is the backup', state['BackupVersion'] == '1.0.0')
    w.expect('1.1.0 is on the bad list', [bad[1] for bad in state['Bad']] == ['1.1.0'])
    expect_slots(w, device, image)
    wait_running(device, 0)


def push_that_stops(w):
    """First the gateway goes away in the middle of a push, then the power with it: each time the device runs its former
    program, and when the gateway is back, it finishes the same push."""
    device, first = in_service(w)
    second = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    device.stall_after(20)
    w.ctl('check', expect=0)
    device.wait_stalled()
    w.kill_daemon()
    device.go_on()
    push = device.record(1)['push_id']
    wait_running(device, 0)
    w.expect('the push is open', device.record(1)['state'] == 'pushing')

    device.stall_after(40)
    w.start_daemon()
    device.wait_stalled()
    w.kill_daemon()
    device.cut_power()
    device.start()
    wait_running(device, 0)

    w.start_daemon()
    state = w.wait_runs('1.1.0')
    w.expect('it was one push', device.record(1)['push_id'] == push)
    w.expect('nothing is bad', not state['Bad'])
    expect_slots(w, device, first, second)
    wait_running(device, 1)


run(good_updates_take_turns, crash_without_a_gateway, crash_beside_the_gateway, failure_after_the_confirmation, push_that_stops)
