#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fetcher or the daemon dies in the middle of a download: it goes on by itself, and what is there is not fetched again."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from process import processes_of  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position

IMAGE = 60000
SLOW = 2000  # bytes per second: longer than anybody needs to kill something


def begin(w):
    """1.0.0 runs; 1.1.0 is large enough for a download that can be cut."""
    server = w.use_origin()
    w.publisher.publish('1.0.0')
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return server, w.publisher.publish('1.1.0', pad=IMAGE)


def not_fetched_again(w, server):
    """One answer was whole, and it began where the cut one had ended. (The server may notice the cut one's end after that.)"""
    whole = [(status, offset > 0, if_range) for status, offset, if_range, _, complete in server.downloads('1.1.0') if complete]
    w.expect('what was there was not fetched again', whole == [(206, True, True)])


def fetcher_killed(w):
    """kill -9 of rekindle-fetch in the middle of a download: it goes on by itself."""
    server, image = begin(w)
    server.command(f'slow {SLOW}')
    w.ctl('check', expect=0)
    w.wait_for('bytes arrive', lambda: w.received() > 0)
    fetchers = [pid for pid, command in processes_of(w.tmp) if os.path.basename(command.split()[0]) == 'rekindle-fetch']
    w.expect('there is one fetcher', len(fetchers) == 1)
    os.kill(fetchers[0], signal.SIGKILL)
    w.wait_device('the update waits', lambda d: d['Waiting'] == 'wait-server')
    server.command('slow off')
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    not_fetched_again(w, server)


def daemon_killed(w):
    """kill -9 of the daemon in the middle of a download: the next one goes on where it was."""
    server, image = begin(w)
    server.command(f'slow {SLOW}')
    w.ctl('check', expect=0)
    w.wait_for('bytes arrive', lambda: w.received() > 0)
    w.kill_daemon()
    server.command('slow off')
    w.start_daemon()
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    not_fetched_again(w, server)


run(fetcher_killed, daemon_killed)
