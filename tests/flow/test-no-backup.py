#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device whose running program the gateway does not hold: nothing is erased until it does."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def verdict(w, version, name='boiler'):
    explained = w.ctl('--json', 'check', '--explain', expect=0).json
    return [e['outcome'] for e in explained if e['device'] == name and e['version'] == version]


def adopted_from_repository(w):
    """1.0.0 was flashed at the factory: 1.1.0 is refused until 1.0.0 is found in the repository by its digest."""
    factory = w.publisher.make_image('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', '--read-back', 'no', start=False)
    device.start('--load', factory)
    w.publisher.publish('1.1.0')
    w.start()
    w.ctl('check', expect=0)
    state = w.wait_device('the program runs without a backup', lambda d: d['State'] == 'no-backup')
    w.expect('its version is known', state['RunningVersion'] == '1.0.0')
    w.expect('1.1.0 is refused: no backup', verdict(w, '1.1.0') == ['no-backup'])
    w.expect('a person is refused too', w.ctl('update', 'boiler').status == 5)
    w.expect('nothing was sent to it', device.holds(factory))

    w.say('1.0.0 appears in the repository')
    w.publisher.add('1.0.0', factory)
    w.publisher.publish()
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('1.0.0 was adopted and is the way back', state['PreviousVersion'] == '1.0.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])


def adopted_by_hand(w):
    """The same, but a person has the file."""
    factory = w.publisher.make_image('1.0.0')
    other = w.publisher.make_image('0.9.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', '--read-back', 'no', start=False)
    device.start('--load', factory)
    w.publisher.publish('1.1.0')
    w.start()
    w.ctl('check', expect=0)
    w.wait_device('the program runs without a backup', lambda d: d['State'] == 'no-backup')
    w.expect('a file of another program is refused',
             w.ctl('backup', 'adopt', 'boiler', other, '--version', '1.0.0').status == 5)
    os.mkfifo(os.path.join(w.tmp, 'pipe'))
    for path in ('/dev/null', w.tmp, os.path.join(w.tmp, 'pipe')):
        answer = w.ctl('backup', 'adopt', 'boiler', path, '--version', '1.0.0')
        w.expect(f'what is no file is refused: {answer.errors.strip()}', answer.status == 2 and 'not a regular file' in answer.errors)
    answer = w.ctl('backup', 'adopt', 'boiler', factory, '--version', 'one two')
    w.expect(f'so is what is no version: {answer.errors.strip()}', answer.status == 2 and '"one two" is no version: digits' in answer.errors)
    w.ctl('backup', 'adopt', 'boiler', factory, '--version', '1.0.0', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('1.0.0 is the way back', state['PreviousVersion'] == '1.0.0')
    w.expect('the backup passes its check', w.ctl('backup', 'check', 'boiler').status == 0)


def read_back(w):
    """A device that lets its program be read needs neither."""
    factory = w.publisher.make_image('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', start=False)
    device.start('--load', factory)
    w.publisher.publish('1.1.0')
    w.start()
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('1.0.0 was read back and is the way back', state['PreviousVersion'] == '1.0.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])


run(adopted_from_repository, adopted_by_hand, read_back)
