#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The gateway and a real Cortex-M0: what the stories tell of the simulator is true of a device, too.

    test-flow.py PROFILE [STORY…]

PROFILE is the device's bootloader: full, compact or raw; signed for the story of signatures; for the bus also mixed, all of them.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'lib'))
from hub import DATA, Bus  # noqa: E402  pylint: disable=wrong-import-position
from qemu import Microbit, add_microbit, publish  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

PAD = 150000  # so much that a push can be caught in the middle
BUS_PAD = 8000
MIXED = ['full', 'compact', 'raw', 'raw']
PROFILE = sys.argv.pop(1)


def good_update(w):
    """1.0.0 is provisioned on a blank device, 1.1.0 is confirmed, 1.0.0 is kept."""
    first = publish(w, '1.0.0')
    add_microbit(w, profile=PROFILE)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('1.1.0 is published')
    second = publish(w, '1.1.0', pad=5000)
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect_flash(second)
    w.expect('1.0.0 is kept as previous', state['PreviousVersion'] == '1.0.0')
    w.expect('nothing is on the bad list', not state['Bad'])
    w.expect('the device says confirmed', w.devices['boiler'].record()['state'] == 'confirmed')


def signature(w):
    """With a bootloader that demands the publisher's signature: the right one works; without, or by another key, 1.0.0 stays."""
    for name in ('ours', 'other'):
        w.publisher.repo('device-key', w.publisher.path, name)
    keys = os.path.join(w.publisher.path, 'keys')
    first = publish(w, '1.0.0', 'healthy', '--device-key', os.path.join(keys, 'device-ours.pem'))
    device = add_microbit(w, profile=PROFILE, key=os.path.join(keys, 'device-ours.pub.pem'))
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(first)

    w.say('1.1.0 is not signed')
    publish(w, '1.1.0')
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 is refused by the gateway', lambda d: d['Verdict'] == 'not-signed-for-device')

    w.say('1.2.0 is signed, but with a key that the device does not know')
    record = device.record()
    publish(w, '1.2.0', 'healthy', '--device-key', os.path.join(keys, 'device-other.pem'))
    w.ctl('check', expect=0)
    w.wait_result('1.2.0', 'device-refused')
    w.wait_device('1.0.0 runs', lambda d: d['State'] == 'idle' and d['Health'] == 'healthy')
    w.expect('nothing was erased', device.record() == record and device.holds(first))

    w.say('1.3.0 is signed as it has to be')
    second = publish(w, '1.3.0', 'healthy', '--device-key', os.path.join(keys, 'device-ours.pem'), pad=5000)
    w.ctl('check', expect=0)
    w.wait_runs('1.3.0')
    w.expect_flash(second)


def patch(w):
    """What is the same in two releases does not go over the line a second time, nor do parts that change places."""
    publish(w, '1.0.0', pad=PAD, noise='data')
    add_microbit(w, profile=PROFILE)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    image = publish(w, '1.1.0', pad=PAD, noise='data', gap=5)  # not one unit of the flash stays as it was
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    image = publish(w, '1.2.0', pad=PAD, noise='data', gap=5, turned=PAD // 3)
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(image)
    (first, _), (second, outcome), (third, last) = line_bytes(w)
    w.expect(f'{second} and {third} bytes went over the line, first {first}',
             outcome == last == 'done' and max(second, third) * 8 < PAD < first)


def pages(w):
    """A device that takes no patches gets the pages that differ, whole: the one with the version in it, then all of them."""
    publish(w, '1.0.0', pad=PAD, noise='data')
    add_microbit(w, profile=PROFILE)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    for version, gap in (('1.1.0', 0), ('1.2.0', 5)):
        image = publish(w, version, pad=PAD, noise='data', gap=gap)
        w.ctl('check', expect=0)
        w.wait_runs(version)
        w.expect_flash(image)
    (first, _), (second, _), (third, outcome) = line_bytes(w)
    w.expect(f'{second} bytes went over the line for a page, {first} and {third} for all',
             outcome == 'done' and second * 8 < PAD < min(first, third))


def line_bytes(w):
    """(bytes on the line, both ways; outcome) of each update."""
    return [(e['line-bytes'], e['outcome']) for e in w.history() if e['event'] == 'result']


# Behaviour of the bad release: what the bad list says of it.
BAD = {'crash': 'last reset: crash', 'hang': 'last reset: watchdog', 'silent': 'last reset: trial timeout'}


def bad_programs(w):
    """A program that crashes, one that hangs, and one that never says that it is well: 1.0.0 comes back each time."""
    good = publish(w, '1.0.0')
    add_microbit(w, profile=PROFILE)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    for number, (behaviour, reason) in enumerate(BAD.items(), 1):
        version = f'1.{number}.0'
        publish(w, version, behaviour)
        w.ctl('check', expect=0)
        w.wait_result(version, 'restored', seconds=180)
        state = w.wait_runs('1.0.0')
        w.expect(f'{version} is remembered as bad', version in [bad[1] for bad in state['Bad']])
        w.expect(f'the bad list says why ({reason})', any(reason in bad[2] for bad in state['Bad'] if bad[1] == version))
        w.expect_flash(good)


def interrupted(w, interrupt):
    """1.1.0 is pushed over 1.0.0, interrupted twice, and done."""
    publish(w, '1.0.0')
    device = add_microbit(w, profile=PROFILE)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')

    second = publish(w, '1.1.0', pad=PAD)
    w.ctl('check', expect=0)
    for permille in 100, 300:
        w.wait_device(f'{permille} of 1000 are pushed', lambda d, permille=permille: d['State'] == 'pushing' and
                      d['Progress'] >= permille)
        interrupt(device)
        w.expect('the device knows of the open push', device.record()['state'] == 'pushing')
        w.expect('its flash is not 1.1.0', not device.holds(second))
        if not device.qemu:
            device.start()
    w.wait_runs('1.1.0')
    w.expect_flash(second)
    w.expect('nothing was restored', w.results() == [('1.0.0', 'done'), ('1.1.0', 'done')])


def power_cut(w):
    """The power goes in the middle of a push, and again in the middle of going on with it."""
    interrupted(w, Microbit.cut_power)


def reset(w):
    """So does the reset pin."""
    interrupted(w, Microbit.reset)


def four_on_a_bus(w):
    """One half-duplex line with echo, addresses 1 to 4: all are provisioned and upgraded, but c gets a program that crashes."""
    bus = Bus(w)
    names = ('a', 'b', 'c', 'd')
    profiles = dict(zip(names, MIXED if PROFILE == 'mixed' else [PROFILE] * 4))
    for address, name in enumerate(names, 1):
        add_microbit(w, name, bus, address, profile=profiles[name])
    bus.start()
    first = publish(w, '1.0.0', pad=BUS_PAD, noise='data')
    w.start()
    w.ctl('check', expect=0)
    for name in names:
        w.wait_runs('1.0.0', name)
        w.expect_flash(first, name)

    publish(w, '1.9.0', 'crash', '--channel', 'edge')
    w.ctl('--no-wait', 'update', 'c@1.9.0', expect=0)
    w.wait_device('c is at 1.9.0', lambda d: d['Candidate'] == '1.9.0', 'c')
    mark = len(bus.frames())
    second = publish(w, '1.1.0', pad=BUS_PAD, noise='data', gap=5)
    w.ctl('check', expect=0)
    for address, name in ((1, 'a'), (2, 'b'), (4, 'd')):
        state = w.wait_runs('1.1.0', name)
        w.expect_flash(second, name)
        w.expect('1.0.0 is kept as previous', state['PreviousVersion'] == '1.0.0')
        w.expect('no update failed', w.results(name) == [('1.0.0', 'done'), ('1.1.0', 'done')])
        n = sum(f['bytes'] for f in bus.frames()[mark:] if f['type'] == DATA and f['address'] == address)
        w.expect(f'{n} bytes of data went to {name}, which is {profiles[name]}',
                 n > BUS_PAD if profiles[name] == 'raw' else 0 < n < BUS_PAD // 4)
    w.wait_for('c is back', lambda: ('1.9.0', 'restored') in w.results('c'))
    w.expect('1.9.0 is remembered as bad', '1.9.0' in [bad[1] for bad in w.device('c')['Bad']])
    w.wait_runs('1.1.0', 'c')
    w.expect_flash(second, 'c')
    bus.expect_quiet()


run(good_update, signature, patch, pages, bad_programs, power_cut, reset, four_on_a_bus)
