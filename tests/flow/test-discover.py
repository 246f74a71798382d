#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Units that no section of the configuration names: found by themselves, on whatever port they are."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

UNIT = 'boiler-ctl-SN-left'


def two_ports(w, named=()):
    """Ports left and right; nothing is plugged in yet. named: which of the units have a section."""
    w.publisher.publish('1.1.0')
    ports = [w.add_device(name, 'boiler-ctl', '--flash-times', 'off', start=False, section=name in named)
             for name in ('left', 'right')]
    w.start()
    w.ctl('check', expect=0)
    return ports


def plug_same_unit(unit, port):
    """The unit of one port is plugged into the other: the same flash, the same serial number."""
    port.flash, port.serial = unit.flash, unit.serial
    port.start()


def blank_unit(w):
    """A unit without a program: who knows what belongs on it? Nothing is put there, whatever Provision= says."""
    left, _ = two_ports(w)
    w.expect('no device is known', not w.ctl('--json', 'list', expect=0).json)
    left.start()
    state = w.wait_device('the unit is found', lambda d: d['State'] == 'blank', UNIT)
    w.expect('its id is model and serial', (state['Model'], state['Serial']) == ('boiler-ctl', 'SN-left'))
    w.ctl('check', expect=0)
    verdicts = [v['outcome'] for v in w.ctl('--json', 'check', '--explain', expect=0).json if v['device'] == UNIT]
    w.expect(f'no release is for it: {verdicts}', 'done' not in verdicts)
    w.expect('a person is refused too', w.ctl('update', UNIT).status == 5)
    w.expect('nothing was written to it', not left.record())


def unit_in_service(w):
    """A unit with a program is adopted and upgraded, and found again on another port."""
    left, right = two_ports(w)
    left.start('--load', w.publisher.make_image('1.0.0'))
    state = w.wait_runs('1.1.0', UNIT)
    w.expect('what it ran was adopted first', state['PreviousVersion'] == '1.0.0')
    w.expect('it is on the left port', state['Port'] == 'line-left')

    w.say('it is plugged into the other port')
    left.stop()
    w.wait_device('it is gone', lambda d: not d['Present'], UNIT)
    plug_same_unit(left, right)
    w.wait_device('it is found on the right port', lambda d: d['Present'] and d['Port'] == 'line-right', UNIT)
    image = w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0', UNIT)
    w.expect('there is one device', len(w.ctl('--json', 'list', expect=0).json) == 1)
    w.expect_flash(image, 'right')


def moved_at_once(w):
    """It answers on its new port before the gateway has noticed that the old one is silent: one unit, not two."""
    left, right = two_ports(w)
    left.start('--load', w.publisher.make_image('1.0.0'))
    w.wait_runs('1.1.0', UNIT)
    shutil.copy(left.flash, right.flash)
    right.serial = left.serial
    left.control('mute on')
    right.start()
    w.wait_device('it is found on the right port', lambda d: d['Present'] and d['Port'] == 'line-right', UNIT)
    w.expect('nobody claims to be it', 'identity-changed' not in [e['event'] for e in w.history(UNIT)])


def named_unit_on_another_port(w):
    """A unit with a section belongs on the port that it names; elsewhere it is no new device, and gets nothing."""
    left, right = two_ports(w, named=('left',))
    left.start()
    w.wait_runs('1.1.0', 'left')
    left.stop()
    w.wait_device('it is gone', lambda d: not d['Present'], 'left')
    plug_same_unit(left, right)
    w.wait_for('the port says where it belongs', lambda: [p for p in w.ctl('--json', 'ports', expect=0).json if
                                                          'Port=line-left' in p['problem']])
    w.expect('there is one device', [d['id'] for d in w.ctl('--json', 'list', expect=0).json] == ['left'])


def second_claimant(w):
    """A second unit says that it is the same one, while the first still answers: nothing is sent to either until accepted."""
    left, right = two_ports(w)
    left.start('--load', w.publisher.make_image('1.0.0'))
    w.wait_runs('1.1.0', UNIT)

    w.say('a clone appears on the other port')
    right.serial = left.serial
    right.start('--load', w.publisher.make_image('1.0.0'))
    w.wait_device('the claim is noticed', lambda d: d['State'] == 'identity-changed', UNIT)
    w.expect('history has it', 'identity-changed' in [e['event'] for e in w.history(UNIT)])
    w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.expect('an update is refused', w.ctl('update', UNIT).status == 5)
    w.expect('the clone was not written to', not right.record())
    w.expect('nor was the unit', left.holds(w.publisher.images['boiler-ctl', '1.1.0']))

    w.say('the clone is taken away, and a person accepts the unit again')
    right.stop()
    w.ctl('accept', UNIT, expect=0)
    w.wait_runs('1.2.0', UNIT)
    w.expect_flash(w.publisher.images['boiler-ctl', '1.2.0'], 'left')


run(blank_unit, unit_in_service, moved_at_once, named_unit_on_another_port, second_claimant)
