#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Another gateway was at the device: what it left open is not touched until a person accepts; what it confirmed is."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import rklink  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

FOREIGN = 0x0123456789abcdef


class Away(Exception):
    """The other gateway is gone in the middle."""


class OtherGateway:
    """Speaks to the device while ours is stopped."""

    def __init__(self, w, device):
        self.model = device.model
        w.stop_daemon()
        self.link = rklink.Link(device.line)
        if self.link.identify()['who'] == 'program':
            self.link.enter()
            self.link.wait(lambda identity: identity['who'] == 'bootloader', 'bootloader')

    def push(self, path, version, until=None):
        """until: so many bytes of the stream, then it is gone."""
        def look(received):
            if until is not None and received >= until:
                raise Away

        with open(path, 'rb') as file:
            self.link.push(file.read(), FOREIGN, version, model=self.model, progress=look)

    def run_program(self, confirm):
        self.link.start(FOREIGN)
        self.link.wait(lambda identity: identity['health'] == 'healthy', 'healthy')
        if confirm:
            self.link.confirm(FOREIGN)

    def leave(self, w):
        self.link.close()
        w.start_daemon()


def in_service(w):
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.publisher.publish('1.0.0')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return device


def expect_untouched(w, device):
    """Seen, told, refused, and not touched."""
    state = w.wait_device('the foreign push is seen', lambda d: d['Verdict'] == 'foreign-push')
    w.expect('people are told what to do', 'rekindlectl accept boiler' in state['VerdictText'])
    w.expect('history has it', [e['event'] for e in w.history()][-1] == 'foreign-push')
    refused = w.ctl('update', 'boiler')
    w.expect('an update is refused', refused.status == 5 and 'push' in refused.errors)
    w.expect('so is a restore', w.ctl('restore', 'boiler').status == 5)
    w.expect('it is not touched', device.record()['push_id'] == FOREIGN)


def left_in_the_push(w):
    """The other gateway was cut off in the middle of its push: nothing runs, and yet only a person may take over."""
    device = in_service(w)
    other = OtherGateway(w, device)
    try:
        other.push(w.publisher.make_image('2.0.0', pad=60 * 1024), '2.0.0', until=8192)
    except Away:
        other.leave(w)
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    expect_untouched(w, device)
    w.expect('its push is still open', device.record()['state'] == 'pushing')

    w.ctl('accept', 'boiler', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect('1.0.0 is still the way back', state['PreviousVersion'] == '1.0.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])
    w.expect('nothing is bad', not state['Bad'])


def left_on_trial(w):
    """The other gateway's program is on trial, and nobody has confirmed it."""
    device = in_service(w)
    other = OtherGateway(w, device)
    other.push(w.publisher.make_image('2.0.0'), '2.0.0')
    other.run_program(confirm=False)
    other.leave(w)
    w.publisher.publish('2.1.0')
    w.ctl('check', expect=0)
    expect_untouched(w, device)
    w.expect('its program is still on trial', device.record()['state'] == 'trial')

    w.ctl('accept', 'boiler', expect=0)
    w.wait_runs('2.1.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '2.1.0'])


def confirmed(w):
    """The other gateway has finished its work: its push id means nothing, what runs is adopted."""
    device = in_service(w)
    other = OtherGateway(w, device)
    other.push(w.publisher.make_image('2.0.0'), '2.0.0')
    other.run_program(confirm=True)
    other.leave(w)
    w.wait_runs('2.0.0')
    w.expect('it is still that push', device.record()['push_id'] == FOREIGN)
    w.publisher.publish('2.1.0')
    w.ctl('check', expect=0)
    state = w.wait_runs('2.1.0')
    w.expect('2.0.0 is the way back', state['PreviousVersion'] == '2.0.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '2.1.0'])


run(left_in_the_push, left_on_trial, confirmed)
