#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line goes away in the middle: the update parks, and goes on from what the device holds."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE_BYTES = 60 * 1024
THIRD = 34  # of about 100 flash operations of a push


def in_service(w, *before):
    """The versions before run one after the other, and the push of 1.9.0 has done its first third, where it stalls."""
    device = w.add_device()
    w.start()
    for version in before:
        w.publisher.publish(version, pad=IMAGE_BYTES)
        w.ctl('check', expect=0)
        w.wait_runs(version)
    image = w.publisher.publish('1.9.0', pad=IMAGE_BYTES)
    device.stall_after(THIRD)
    w.ctl('check', expect=0)
    device.wait_stalled()
    w.wait_device('a part of 1.9.0 is pushed', lambda d: d['Phase'] == 'send' and d['Progress'] > 100)
    return device, image


def line_bytes(w, version):
    return [e['line-bytes'] for e in w.history() if e['event'] == 'result' and e['candidate'] == version]


def expect_resumed(w, device, image, push):
    state = w.wait_runs('1.9.0')
    w.expect('it was the same push', device.record()['push_id'] == push)
    w.expect_flash(image)
    w.expect('nothing is bad', not state['Bad'])
    w.expect('no update failed', all(outcome == 'done' for _, outcome in w.results()))


def unplugged_in_the_push(w):
    """Pulled out, and plugged in again a little later."""
    device, image = in_service(w, '1.0.0', '1.1.0')
    push = device.record()['push_id']
    device.control('unplug')
    w.wait_device('the update parks', lambda d: d['State'] == 'waiting' and not d['Present'])
    w.expect('the port says why', [p['state'] for p in w.ctl('--json', 'ports', expect=0).json] == ['failed'])
    w.expect('the device is in the middle of the push', device.record()['state'] == 'pushing')

    before = device.status()['bytes-in']
    device.go_on()
    device.control('plug')
    expect_resumed(w, device, image, push)
    again = device.status()['bytes-in'] - before
    w.expect(f'what it had was not sent again: {again} bytes came', again < IMAGE_BYTES * 0.8)
    (whole,), (resumed,) = line_bytes(w, '1.1.0'), line_bytes(w, '1.9.0')
    w.expect(f'hardly more bytes were on the line than in a push without a break: {resumed}, {whole}',
             whole * 0.9 < resumed < whole * 1.2)


def mute_in_the_push(w):
    """The device's voice is lost: the wire to the gateway is broken, everything looks plugged."""
    device, image = in_service(w, '1.0.0')
    push = device.record()['push_id']
    device.control('mute on')
    w.wait_device('the update parks', lambda d: d['State'] == 'waiting')
    w.wait_device('it is seen as absent', lambda d: not d['Present'])
    device.go_on()
    device.control('mute off')
    expect_resumed(w, device, image, push)


def loose_contact(w):
    """Again and again, in one push; each time it comes some way further."""
    device, image = in_service(w, '1.0.0')
    push = device.record()['push_id']
    for _ in range(4):
        device.control('unplug')
        w.wait_device('the update parks', lambda d: d['State'] == 'waiting')
        device.stall_after(10)
        device.control('plug')
        device.wait_stalled()
    device.go_on()
    expect_resumed(w, device, image, push)


def unplugged_in_the_trial(w):
    """Silence is no evidence: the program is confirmed when it is heard again."""
    device, image = in_service(w, '1.0.0')
    device.go_on()
    w.wait_device('the trial of 1.9.0 is under way', lambda d: d['State'] == 'trial' and d['Health'] == 'healthy')
    device.control('unplug')
    w.wait_device('the update parks', lambda d: d['State'] == 'waiting' and not d['Present'])
    w.expect('the program runs on', device.status()['state'] == 'program')
    w.expect('it is not confirmed', device.record()['state'] == 'trial')
    device.control('plug')
    state = w.wait_runs('1.9.0')
    w.expect('nothing is bad', not state['Bad'])
    w.expect_flash(image)
    w.expect('it started once', device.record()['boots'] == 1)


run(unplugged_in_the_push, loose_contact, mute_in_the_push, unplugged_in_the_trial)
