# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of running processes at a call that strace counts, each kind of call of each process by itself."""

import os
import subprocess

from process import wait_for


def children_of(pid):
    found = subprocess.run(['pgrep', '-P', str(pid)], stdout=subprocess.PIPE, encoding='ascii', check=False)
    return [int(child) for child in found.stdout.split()]


def wait_gone(what, pids):
    wait_for(what, lambda: not any(os.path.exists(f'/proc/{pid}/exe') for pid in pids))


class Killer:
    """Kills each of the processes at the number-th call of that kind; it sees `calls` only."""

    def __init__(self, world, pids, calls, call, number):
        self.log = os.path.join(world.tmp, 'strace-log')
        tracer = world.spawn('strace', ['strace', '-qq', '-o', self.log, '-e', f'trace={",".join(calls)}', '-e',
                                        f'inject={call}:signal=KILL:when={number}', *[word for pid in pids for word in ('-p', str(pid))]])
        wait_for('strace', lambda: pids and all(map(self._is_traced, pids)), alive=[tracer])

    @staticmethod
    def _is_traced(pid):
        with open(f'/proc/{pid}/status', encoding='ascii') as text:
            return not any(line.split() == ['TracerPid:', '0'] for line in text)

    def has_killed(self):
        with open(self.log, encoding='ascii', errors='replace') as text:
            return '+++ killed by SIGKILL' in text.read()
