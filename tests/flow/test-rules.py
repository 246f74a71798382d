#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a release says of itself: stepping stones, the floor, what it requires, whom it is for."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def add(w, model, version, *options):
    image = w.publisher.make_image(version, model=model)
    w.publisher.add(version, image, *options, model=model)
    return image


def verdicts(w, name):
    """{version: outcome} of check --explain."""
    return {e['version']: e['outcome'] for e in w.ctl('--json', 'check', '--explain', name, expect=0).json}


def stepping_stones(w):
    """2.0 can be installed from 1.5 on only: 1.0 goes over 1.5. A release that requires 2.0 of it waits for that."""
    add(w, 'pump', '1.0')
    add(w, 'valve', '1.0')
    w.publisher.publish()
    w.add_device('pump', 'pump', '--flash-times', 'off')
    w.add_device('valve', 'valve', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0', 'pump')
    w.wait_runs('1.0', 'valve')

    last = add(w, 'pump', '2.0', '--min-from', '1.5')
    other = add(w, 'valve', '1.1', '--requires', 'pump>=2.0')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.expect('2.0 is out of reach', verdicts(w, 'pump')['2.0'] == 'below-min-from')
    w.expect('the valve needs the pump first', verdicts(w, 'valve')['1.1'] == 'requires-unmet')
    w.expect('by name, too', w.ctl('update', 'pump@2.0').status == 5 and w.ctl('update', 'valve@1.1').status == 5)
    add(w, 'pump', '1.5')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_runs('2.0', 'pump')
    w.wait_runs('1.1', 'valve')
    w.expect('it went over 1.5', w.results('pump') == [('1.0', 'done'), ('1.5', 'done'), ('2.0', 'done')])
    ends = [(e['device'], e['candidate']) for e in w.ctl('--json', 'history', expect=0).json if e['event'] == 'result']
    w.expect('the valve came last', ends[-2:] == [('pump', '2.0'), ('valve', '1.1')])
    w.expect_flash(last, 'pump')
    w.expect_flash(other, 'valve')


def floor_and_others(w):
    """Confirming 2.0 raises the floor to 1.1; releases for other hardware and other channels are not for this device."""
    for version in ('1.0', '1.1'):
        add(w, 'boiler-ctl', version)
    w.publisher.publish()
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off', '--hardware', 'B', device_keys='Approval=ask\nProvision=auto')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.1')
    w.expect('there is no floor yet', w.device()['Floor'] == '')

    image = add(w, 'boiler-ctl', '2.0', '--floor', '1.1')
    add(w, 'boiler-ctl', '3.0', '--hardware', 'C', '--hardware', 'D')
    add(w, 'boiler-ctl', '4.0', '--channel', 'beta')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.ctl('approve', 'boiler', expect=0)
    state = w.wait_runs('2.0')
    w.expect('the floor is raised', state['Floor'] == '1.1')
    seen = verdicts(w, 'boiler')
    w.expect('each refusal has its code', seen == {
        '1.0': 'below-floor', '1.1': 'older', '2.0': 'already-running', '3.0': 'wrong-hardware', '4.0': 'other-channel'})
    w.expect('below the floor is refused by name as well', w.ctl('update', 'boiler@1.0').status == 5)
    w.expect('so is the other hardware', w.ctl('update', 'boiler@3.0').status == 5)
    w.expect('and what runs already', w.ctl('update', 'boiler@2.0').status == 3)
    w.expect('and what nobody has', w.ctl('update', 'boiler@5.0').status == 4)
    w.expect('the device was not touched', device.holds(image))

    w.say('the older 1.1 is not below it, and may be asked for by name; 2.0 is not offered again')
    w.ctl('update', 'boiler@1.1', expect=0)
    state = w.wait_runs('1.1')
    w.expect('the floor stays', state['Floor'] == '1.1')
    w.wait_device('2.0 is passed over', lambda d: d['Verdict'] == 'passed-over' and d['PassedOver'] == '2.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1'])


run(stepping_stones, floor_and_others)
