# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs that a test starts: each dies with the test, whatever happens to it, and leaves a log."""

import ctypes
import os
import signal
import socket
import subprocess
import time

PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """What a test expected and did not see."""


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Program:
    """A process with its output in a file. Signals go to its pid only."""

    def __init__(self, name, command, log, env=None, cwd=None, stdin=subprocess.DEVNULL, stdout=None):
        self.name = name
        self.log = log
        with open(log, 'ab') as output:
            self.process = subprocess.Popen(command, stdin=stdin, stdout=stdout or output, stderr=output,
                                            env=env, cwd=cwd, preexec_fn=_die_with_parent)

    @property
    def pid(self):
        return self.process.pid

    def is_alive(self):
        return self.process.poll() is None

    def stop(self, seconds=60):
        """Asks it to end; returns its exit status. One that does not listen is killed, and that is a failure."""
        if self.is_alive():
            self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f'{self.name} did not end within {seconds} s of SIGTERM') from None

    def kill(self):
        if self.is_alive():
            self.process.kill()
        return self.process.wait()

    def tail(self, lines=25):
        try:
            with open(self.log, encoding='utf-8', errors='replace') as log:
                return ''.join(log.readlines()[-lines:])
        except OSError:
            return ''


def wait_for(what, predicate, seconds=90, pause=0.05, alive=()):
    """The first true value of predicate(); a Failure after `seconds`, or at once when one of `alive` has ended. A look that costs
    much is taken less often: many stories wait at once."""
    end = time.monotonic() + seconds
    while True:
        begin = time.monotonic()
        value = predicate()
        took = time.monotonic() - begin
        if value:
            return value
        for program in alive:
            if not program.is_alive():
                raise Failure(f'{what}: {program.name} ended with {program.process.returncode}')
        if time.monotonic() > end:
            raise Failure(f'{what}: not seen within {seconds} s')
        time.sleep(max(pause, min(12 * took, 0.5)))


def listens(path):
    """Whether somebody accepts on that socket: its file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def read_terminal(leader):
    """All that is printed on a terminal (pty.openpty) until nobody has it open any more; closes it."""
    seen = b''
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    os.close(leader)
    return seen


def processes_of(folder):
    """(pid, command line) of every process that was started with a path below the folder."""
    found = []
    for entry in os.listdir('/proc'):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f'/proc/{entry}/cmdline', 'rb') as file:
                command = file.read().replace(b'\0', b' ').decode(errors='replace').strip()
            with open(f'/proc/{entry}/stat', encoding='utf-8', errors='replace') as file:
                state = file.read().rpartition(')')[2].split()[0]
        except OSError:
            continue
        if folder in command and state != 'Z':
            found.append((int(entry), command))
    return found
