#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The device's power fails in the middle of flash operations: the push goes on when it is back."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE_BYTES = 60 * 1024


def in_service(w, *options):
    device = w.add_device('boiler', 'boiler-ctl', *options)
    w.publisher.publish('1.0.0', pad=IMAGE_BYTES)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return device


def expect_done(w, image, version, name='boiler'):
    state = w.wait_runs(version, name)
    w.expect_flash(image, name)
    w.expect('nothing is bad', not state['Bad'])
    w.expect(f'{version} was done in one update', w.results(name)[-1] == (version, 'done'))


def cuts_in_one_push(w):
    """The power fails six times in one push, first in the first erase of the record."""
    device = in_service(w)
    cuts = [1, 20, 2, 15, 3, 10]
    device.control(f'cut-after {cuts[0]}')
    image = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    for number, after in enumerate(cuts, start=2):
        w.wait_for(f'cut in operation {after}', lambda: device.status()['resets']['power'] == number)
        if number <= len(cuts):
            device.control(f'cut-after {cuts[number - 1]}')
    expect_done(w, image, '1.1.0')


def cuts_around_the_marks(w):
    """The power fails when the push is complete, at the start that is counted, and at the confirmation."""
    device = in_service(w, '--flash-times', 'off')
    before = device.status()['operations']
    image = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    expect_done(w, image, '1.1.0')
    whole = device.status()['operations'] - before
    for back in (4, 3, 2, 1):
        cuts = device.status()['resets']['power']
        version = f'1.1.{5 - back}'
        device.control(f'cut-after {whole + 1 - back}')
        image = w.publisher.publish(version, pad=IMAGE_BYTES)
        w.ctl('check', expect=0)
        w.wait_for(f'cut {back} operations from the end', lambda: device.status()['resets']['power'] == cuts + 1)
        expect_done(w, image, version)


def switched_off_for_a_while(w):
    """The power is gone, and the terminal with it, until somebody switches it on again."""
    device = in_service(w)
    image = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    device.stall_after(20)
    w.ctl('check', expect=0)
    for more in (40, 0):
        device.wait_stalled()
        push = device.record()['push_id']
        device.cut_power()
        w.wait_device('the update parks', lambda d: d['State'] == 'waiting' and not d['Present'])
        w.expect('the device is in the middle of the push', device.record()['state'] == 'pushing')
        device.start()
        device.stall_after(more)
    w.wait_device('the trial of 1.1.0 is under way', lambda d: d['State'] == 'trial')
    w.expect('it was one push', device.record()['push_id'] == push)
    expect_done(w, image, '1.1.0')


run(cuts_in_one_push, cuts_around_the_marks, switched_off_for_a_while)
