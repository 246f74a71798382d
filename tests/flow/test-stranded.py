#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Neither backup nor previous runs any more: the device is stranded, said so everywhere, and never given up."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

VERSIONS = ('1.0.0', '1.1.0')


def strand(w, pause):
    """1.0.0 and 1.1.0 were confirmed; then something on the board breaks, and no program runs any more."""
    w.updates_keys = f'StrandedPause={pause}\nPushesPerDay=1000'
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    for version in VERSIONS:
        w.publisher.publish(version)
        w.ctl('check', expect=0)
        w.wait_runs(version)
    device.control('faulty on')
    w.wait_device('the device is stranded', lambda d: d['State'] == 'stranded')
    return device


def expect_recovered(w, device):
    state = w.wait_runs('1.1.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])
    w.expect('it is confirmed', device.record()['state'] == 'confirmed')
    w.expect('it is no longer stranded', not state['Stranded'])
    w.expect('both images are kept', state['PreviousVersion'] == '1.0.0' and not state['Bad'])


def pauses(w):
    """The seconds that each pause before a try lasted, as the log tells."""
    return [int(n) for n in re.findall(r'begins in (\d+) s', w.daemon.tail(1000))]


def recovers_by_itself(w):
    """Shown in every face; tried again after growing pauses; ends by itself when the board is mended."""
    device = strand(w, '2s')
    state = w.device()
    w.expect('D-Bus tells', state['Stranded'] and state['State'] == 'stranded' and 'no program' in state['StateText'])
    w.expect('list tells', 'stranded' in w.ctl('list', expect=0).text)
    w.expect('show tells', 'stranded' in w.ctl('show', 'boiler', expect=0).text)
    w.expect('history tells', 'stranded' in [e['event'] for e in w.history()])
    w.expect('the log tells', 'stranded' in w.daemon.tail(1000))
    w.expect('a report waits', 'stranded' in [report['event'] for report in w.outbox()])

    found = w.wait_for('it was tried again and again', lambda: len(pauses(w)) >= 3 and pauses(w), 90)
    w.expect(f'with growing pauses: {found}', found == sorted(set(found)))

    device.control('faulty off')
    expect_recovered(w, device)


def person_restores(w):
    """A person who has mended it does not wait for the pause to end."""
    device = strand(w, '1h')
    w.expect('a try that fails is told', w.ctl('restore', 'boiler').status == 1)
    w.wait_device('it is stranded again', lambda d: d['State'] == 'stranded')
    device.control('faulty off')
    w.ctl('restore', 'boiler', expect=0)
    expect_recovered(w, device)


def hold_acts_at_once(w):
    """Somebody has a debugger on it: hold ends the tries at once, unhold goes on at once."""
    device = strand(w, '2s')
    w.ctl('hold', 'boiler', expect=0)
    w.wait_device('it waits', lambda d: d['State'] == 'stranded')
    push = device.record()['push_id']
    w.stop_daemon()
    w.start_daemon()
    state = w.wait_device('the hold outlives a restart', lambda d: d['State'] == 'stranded' and d['Present'])
    w.expect('it is on hold', state['Hold'])
    w.expect('nothing was pushed', device.record()['push_id'] == push)
    device.control('faulty off')
    w.ctl('unhold', 'boiler', expect=0)
    expect_recovered(w, device)


run(recovers_by_itself, person_restores, hold_acts_at_once)
