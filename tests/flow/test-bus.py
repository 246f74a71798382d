#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Four devices with addresses on one half-duplex line with echo. They share it in turn, and what befalls one is not felt by the
others."""

import itertools
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from hub import DATA, Bus  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

NAMES = ('a', 'b', 'c', 'd')
IMAGE_BYTES = 20 * 1024
LONG_BYTES = 52 * 1024  # some seconds on the line: longer than a program takes to use up its starts


def four_on_a_bus(w, *more):
    """Addresses 1 to 4, and 1.0.0 on each."""
    bus = Bus(w)
    for address, name in enumerate(NAMES, 1):
        bus.add_device(name, address, line='--link' if name == 'd' else '--unix')
    for name, address in more:
        bus.add_device(name, address, section=False)
    bus.start()
    for name, _ in more:
        bus.unplug(name)
    w.publisher.publish('1.0.0', pad=IMAGE_BYTES)
    w.start()
    w.ctl('check', expect=0)
    for name in NAMES:
        w.wait_runs('1.0.0', name)
    return bus


def pushes(bus, first=0):
    """The addresses that got data, one for each time that the line went from one device to another."""
    return [address for address, _ in itertools.groupby(f['address'] for f in bus.frames()[first:] if f['type'] == DATA)]


def in_turn(w):
    """Each is identified, provisioned and upgraded; the line goes from one push to the next."""
    bus = four_on_a_bus(w)
    first = w.publisher.images['boiler-ctl', '1.0.0']
    w.expect('each was pushed to in one go', sorted(pushes(bus)) == [1, 2, 3, 4])
    w.expect('each is another unit', {w.device(name)['Serial'] for name in NAMES} == {f'SN-{name}' for name in NAMES})
    for name in NAMES:
        w.expect_flash(first, name)

    mark = len(bus.frames())
    second = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    for name in NAMES:
        state = w.wait_runs('1.1.0', name)
        w.expect_flash(second, name)
        w.expect('1.0.0 is the way back', state['PreviousVersion'] == '1.0.0')
        w.expect('no update failed', w.results(name) == [('1.0.0', 'done'), ('1.1.0', 'done')])
    w.expect('each was pushed to in one go', sorted(pushes(bus, mark)) == [1, 2, 3, 4])
    bus.expect_quiet()


def one_bad_release(w):
    """What only c gets crashes: its backup comes back over the line that the others use, and they are not disturbed."""
    bus = four_on_a_bus(w)
    w.publisher.publish('1.9.0', 'crash', '--channel', 'edge', pad=IMAGE_BYTES)
    mark = len(bus.frames())
    w.devices['c'].stall_after(10)
    w.ctl('--no-wait', 'update', 'c@1.9.0', expect=0)
    w.devices['c'].wait_stalled()
    second = w.publisher.publish('1.1.0', pad=LONG_BYTES)
    w.ctl('check', expect=0)
    w.devices['c'].go_on()
    for name in 'a', 'b', 'd':
        w.wait_runs('1.1.0', name)
        w.expect_flash(second, name)
        w.expect('no update failed', w.results(name) == [('1.0.0', 'done'), ('1.1.0', 'done')])
    w.wait_for('c is back', lambda: ('1.9.0', 'restored') in w.results('c'))
    w.expect('1.9.0 is remembered as bad', '1.9.0' in [bad[1] for bad in w.device('c')['Bad']])
    order = pushes(bus, mark)
    w.say(f'the line went to {order}')
    w.expect('and c had it again for its way back', order.count(3) >= 2)
    bus.expect_quiet()


def one_unplugged(w):
    """Off the line in the middle of its push: the others get theirs, and the push goes on when it is back."""
    bus = four_on_a_bus(w)
    image = w.publisher.publish('1.1.0', pad=LONG_BYTES)
    for device in w.devices.values():
        device.stall_after(20)
    w.ctl('check', expect=0)
    first = w.wait_for('a push', lambda: next((device.name for device in w.devices.values() if device.is_stalled()), None))
    bus.unplug(first)
    for device in w.devices.values():
        device.go_on()
    w.wait_device(f'the update of {first} parks', lambda d: d['State'] == 'waiting' and not d['Present'], first)
    for name in NAMES:
        if name != first:
            w.wait_runs('1.1.0', name)
            w.expect_flash(image, name)
            w.expect('no update failed', w.results(name) == [('1.0.0', 'done'), ('1.1.0', 'done')])
    push = w.devices[first].record()['push_id']
    bus.plug(first)
    w.wait_runs('1.1.0', first)
    w.expect('it was the same push', w.devices[first].record()['push_id'] == push)
    w.expect_flash(image, first)
    w.expect('no update failed', w.results(first) == [('1.0.0', 'done'), ('1.1.0', 'done')])
    bus.expect_quiet()


def same_address(w):
    """A fifth unit has the address of b. Alone it is another unit and gets nothing; beside b, both speak at once."""
    bus = four_on_a_bus(w, ('e', 2))
    bus.expect_quiet()
    bus.unplug('b')
    bus.plug('e')
    state = w.wait_device('another unit is noticed', lambda d: d['State'] == 'identity-changed', 'b')
    w.expect('its serial is told', state['ClaimedSerial'] == 'SN-e')
    image = w.publisher.publish('1.1.0', pad=IMAGE_BYTES)
    w.ctl('check', expect=0)
    for name in 'a', 'c', 'd':
        w.wait_runs('1.1.0', name)
    w.expect('an update of b is refused', w.ctl('update', 'b').status == 5)
    w.expect('nothing was sent to it', 2 not in pushes(bus, 0)[4:])
    bus.expect_quiet()

    w.say('b comes back beside it')
    before = bus.damaged()
    bus.plug('b')
    w.wait_for('both speak at once', lambda: bus.damaged() > before)
    w.expect('b is as it was', w.device('b')['RunningVersion'] == '1.0.0')
    bus.unplug('e')
    w.wait_runs('1.1.0', 'b')
    w.expect_flash(image, 'b')


run(in_turn, one_bad_release, one_unplugged, same_address)
