#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad line: bytes are flipped and lost both ways. It costs time, never a program its good name."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

SEEDS = (1, 2, 3)


def add_noisy_device(w, one_in, seed):
    return w.add_device(f'seed-{seed}', 'boiler-ctl', '--flash-times', 'off', '--program-space', str(256 * 1024), '--seed', str(seed),
                        '--noise-flip', str(one_in), '--noise-drop', str(one_in))


def noisy(w, one_in, image_bytes):
    devices = [add_noisy_device(w, one_in, seed) for seed in SEEDS]
    w.publisher.publish('1.0.0', pad=image_bytes)
    w.start()
    w.ctl('check', expect=0)
    for device in devices:
        w.wait_runs('1.0.0', device.name)

    image = w.publisher.publish('1.1.0', pad=image_bytes)
    w.ctl('check', expect=0)
    for device in devices:
        state = w.wait_runs('1.1.0', device.name)
        w.expect_flash(image, device.name)
        w.expect('nothing is on the bad list', not state['Bad'])
        w.expect('1.0.0 is the way back', state['PreviousVersion'] == '1.0.0')
        w.expect(f'the line was bad: {device.status()["damaged"]} bytes damaged', device.status()['damaged'] > 0)
        w.expect('no update failed', w.results(device.name) == [('1.0.0', 'done'), ('1.1.0', 'done')])


def one_in_10000(w):
    """1 byte in 10 000 flipped and 1 in 10 000 lost."""
    noisy(w, 10000, 200 * 1024)


def one_in_1000(w):
    """1 byte in 1000 flipped and 1 in 1000 lost: hardly a frame of full length gets through."""
    noisy(w, 1000, 96 * 1024)


run(one_in_10000, one_in_1000)
