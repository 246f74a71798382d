#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that cannot work says so in one sentence and leaves the one that works alone."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


def refused(w, what, sentence, *changes, **environment):
    """Starts rekindled with these options besides; it has to end with 1 and this sentence alone."""
    done = subprocess.run([*w.daemon_command(), '--log-level', 'info', *changes], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding='utf-8', env={**w.environment, **environment}, timeout=90, check=False)
    lines = done.stdout.splitlines()
    w.expect(f'{what}: {lines}', done.returncode == 1 and len(lines) == 1 and sentence in lines[0])


def wrong_start(w):
    """Twice on one state folder, twice on one bus, no bus, no such folder, a key that is wrong."""
    image = w.publisher.publish('1.0.0')
    w.add_device()
    w.start()
    other = w.folder('other')
    wrong = w.write('wrong.conf', '[Port line]\nPath=/dev/null\nBaud=fast\n')

    refused(w, 'the same state folder', f'{w.state} is used by process {w.daemon.pid}')
    refused(w, 'the same bus', 'another rekindled has the bus name', '--state-dir', other)
    refused(w, 'no bus', 'unix:path=/nowhere cannot be reached', '--state-dir', other,
            DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nowhere')
    refused(w, 'no state folder', '/nowhere/state cannot be opened', '--state-dir', '/nowhere/state')
    refused(w, 'a wrong key', f'{wrong}:3: Baud=fast: it has to be a whole number', '--config', wrong)
    refused(w, 'no configuration', '/nowhere.conf', '--config', '/nowhere.conf')

    os.makedirs(f'{wrong}.d/10-port.conf')
    w.write('wrong.conf', '')
    refused(w, 'a folder among the configuration', f'{wrong}.d/10-port.conf: it is no regular file', '--config', wrong)
    os.rmdir(f'{wrong}.d/10-port.conf')
    os.mkfifo(f'{wrong}.d/10-port.conf')
    refused(w, 'a pipe among the configuration', f'{wrong}.d/10-port.conf: it is no regular file', '--config', wrong)

    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(image)
    w.kill_daemon()
    w.start_daemon()
    w.expect('the lock of a killed daemon is no hindrance', w.daemon.is_alive())


def no_initial_trust(w):
    """Without root.json the daemon starts, says what is missing, and works once it is there."""
    w.publisher.publish('1.0.0')
    w.add_device()
    os.rename(os.path.join(w.publisher.path, 'root.json'), os.path.join(w.tmp, 'root.json'))
    w.trust = lambda: None
    w.start()
    answer = w.ctl('check')
    w.expect(f'the missing file is named: {answer.errors}', answer.status == 1 and f'{w.tmp}/etc/root.json' in answer.errors)
    w.write('etc/root.json', '{}')
    answer = w.ctl('check')
    w.expect(f'the wrong file is named: {answer.errors}', answer.status == 1 and f'{w.tmp}/etc/root.json' in answer.errors)
    os.rename(os.path.join(w.tmp, 'root.json'), os.path.join(w.tmp, 'etc', 'root.json'))
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')


run(wrong_start, no_initial_trust)
