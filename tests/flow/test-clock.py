#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gateways whose clock is at 1970, a year behind, in 2099, or jumps: what expired stays expired, a wrong clock that is not synchronised
leaves no trace, and an update under way needs none. The daemon's time of day is shifted; its timers are not."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

DAY = 24 * 3600
YEAR = 365 * DAY
IN_2099 = 4070908800
FREE, SYNCHRONISED = 'free', 'synchronised'


def set_time(w, seconds, kind=FREE):
    w.set_clock(seconds - time.time(), kind)


def publish(w, ahead=0):
    """Signs what was added as if it were so many seconds later; the timestamp lasts 30 days."""
    then = time.gmtime(time.time() + ahead)
    w.publisher.repo('publish', w.publisher.path, '--now', time.strftime('%Y-%m-%dT%H:%M:%SZ', then),
                     '--expires-in', 'targets=365d', '--expires-in', 'snapshot=60d')


def add(w, version, behaviour='healthy', trial=1):
    w.publisher.add(version, w.publisher.make_image(version, behaviour), trial=trial)


def gateway(w):
    add(w, '1.0.0')
    publish(w)
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()


def outcome(w):
    return w.ctl('--json', 'check').json['outcome']


def trusted_time(w):
    """Seconds since 1970 of trust/time; None: there is none."""
    try:
        with open(os.path.join(w.state, 'trust', 'time'), encoding='ascii') as file:
            return json.load(file)['trusted']
    except FileNotFoundError:
        return None


def in_1970(w):
    """No clock at all: the time of the build counts, updates go on, nothing of it is kept."""
    set_time(w, 1000)
    gateway(w)
    w.expect('the metadata is good', outcome(w) == 'done')
    w.wait_runs('1.0.0')
    add(w, '1.1.0')
    publish(w)
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect('no time is trusted', trusted_time(w) is None)
    w.say('metadata that had expired before this program was built')
    add(w, '1.2.0')
    publish(w, -10 * YEAR)
    w.expect('is expired in 1970 too', outcome(w) == 'metadata-expired')
    w.say('a clock that calls itself synchronised before the build')
    set_time(w, 1000, SYNCHRONISED)
    w.expect('is no better', outcome(w) == 'metadata-expired')
    w.expect('and not kept', trusted_time(w) is None)


def set_back_a_year(w):
    """What was seen to expire does not come back to life."""
    w.set_clock(0, SYNCHRONISED)
    gateway(w)
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.wait_for('the time is kept', lambda: abs((trusted_time(w) or 0) - time.time()) < 3600)
    w.set_clock(40 * DAY, SYNCHRONISED)
    w.expect('after 40 days it is expired', outcome(w) == 'metadata-expired')
    w.wait_for('the time moves on', lambda: trusted_time(w) > time.time() + 39 * DAY)
    for kind in (FREE, SYNCHRONISED):
        w.set_clock(-YEAR, kind)
        w.expect(f'a year back it is still expired ({kind})', outcome(w) == 'metadata-expired')
    w.stop_daemon()
    w.start_daemon()
    w.expect('after a start, too', outcome(w) == 'metadata-expired')
    w.expect('the trusted time did not fall', trusted_time(w) > time.time() + 39 * DAY)
    w.expect('status names the clause', 'TUF 5.4.4: timestamp: version' in w.ctl('status', expect=0).text)
    w.expect('so does history', 'TUF 5.4.4: timestamp: ' in w.ctl('history', expect=0).text)
    add(w, '1.1.0')
    publish(w, 40 * DAY)
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')


def in_2099_and_back(w):
    """A clock that jumps ahead stops updates as long as it does; only a synchronised one leaves a trace, which the owner can clear."""
    w.set_clock(0)
    gateway(w)
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    add(w, '1.1.0')
    publish(w)
    set_time(w, IN_2099)
    w.expect('expired in 2099', outcome(w) == 'metadata-expired')
    w.expect('nothing begins', w.device()['State'] == 'idle')
    w.expect('no time is trusted', trusted_time(w) is None)
    w.set_clock(0)
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    add(w, '1.2.0')
    publish(w)
    w.say('a time server that lies')
    set_time(w, IN_2099, SYNCHRONISED)
    w.expect('expired', outcome(w) == 'metadata-expired')
    w.wait_for('it is believed', lambda: trusted_time(w) and trusted_time(w) > IN_2099 - DAY)
    w.set_clock(0, SYNCHRONISED)
    w.expect('still expired', outcome(w) == 'metadata-expired')
    os.unlink(os.path.join(w.state, 'trust', 'time'))
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')


def jumps_in_mid_update(w):
    """During a trial, and during a restore: both are finished."""
    w.set_clock(0)
    gateway(w)
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    add(w, '1.1.0', trial=15)
    publish(w)
    w.ctl('check', expect=0)
    w.wait_device('it is on trial', lambda d: d['State'] == 'trial')
    set_time(w, IN_2099)
    w.expect('the metadata is expired', outcome(w) == 'metadata-expired')
    w.expect('the trial goes on', w.device()['State'] == 'trial')
    set_time(w, 1000)
    w.wait_runs('1.1.0')
    w.set_clock(0)
    add(w, '1.2.0', 'crash', trial=4)
    publish(w)
    w.ctl('check', expect=0)
    w.wait_device('it is on trial', lambda d: d['State'] in ('trial', 'restoring'))
    set_time(w, IN_2099)
    w.wait_device('the backup is back', lambda d: d['State'] == 'idle' and d['RunningVersion'] == '1.1.0')
    w.wait_result('1.2.0', 'restored')


if __name__ == '__main__':
    run(in_1970, set_back_a_year, in_2099_and_back, jumps_in_mid_update)
