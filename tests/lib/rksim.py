# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts rekindle-sim in a folder of its own and talks to its control socket. For tests."""

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import rklink

PROGRAM_SPACE = 65536
UNIT = 1024


class Sim:
    """One simulated device: paths and the process. A context manager that leaves nothing behind."""

    def __init__(self, programs, *options, line='pty', times=False):
        """programs: the folder of rekindle-sim, rkprog-make and the rkprog-* programs; line: pty, unix or fd (then the
        option is the caller's)."""
        self.programs = programs
        self.binary = os.path.join(programs, 'rekindle-sim')
        self.folder = tempfile.mkdtemp(prefix='rksim-')
        self.flash = os.path.join(self.folder, 'flash')
        self.line = os.path.join(self.folder, 'line')
        self.control_path = os.path.join(self.folder, 'control')
        self.kind, self.options = line, list(options)
        if not times:
            self.options.append('--flash-times=off')
        self.process, self.control_socket, self.answers = None, None, b''

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process and exception[0]:
            print(f'rekindle-sim was: {self.process.poll()}')
        self.stop()
        shutil.rmtree(self.folder)

    def start(self, *options, pass_fds=()):
        """Returns the name of the line, once it is ready."""
        arguments = [self.binary, f'--flash={self.flash}', f'--control={self.control_path}',
                     f'--program-space={PROGRAM_SPACE}', f'--unit={UNIT}', *self.options, *options]
        arguments += {'pty': [f'--link={self.line}'], 'unix': [f'--unix={self.line}'], 'fd': []}[self.kind]
        self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, pass_fds=pass_fds)
        if not select.select([self.process.stdout], [], [], 60)[0]:
            raise RuntimeError('rekindle-sim does not get ready')
        words = self.process.stdout.readline().decode().split()
        if len(words) != 2 or words[0] != 'ready':
            raise RuntimeError(f'rekindle-sim says {words}')
        return words[1]

    def stop(self, number=signal.SIGTERM):
        """The exit status (negative: the signal that ended it)."""
        if self.control_socket:
            self.control_socket.close()
            self.control_socket = None
        if not self.process:
            return None
        self.process.send_signal(number)
        try:
            status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        self.process.stdout.close()
        self.process = None
        return status

    def control(self, command):
        if not self.control_socket:
            self.control_socket = socket.socket(socket.AF_UNIX)
            self.control_socket.settimeout(60)
            self.control_socket.connect(self.control_path)
        self.control_socket.sendall(command.encode() + b'\n')
        while b'\n' not in self.answers:
            data = self.control_socket.recv(65536)
            if not data:
                raise RuntimeError('rekindle-sim has closed its control socket')
            self.answers += data
        answer, self.answers = self.answers.split(b'\n', 1)
        return answer.decode()

    def status(self):
        return json.loads(self.control('status'))

    def wait_status(self, condition, what, seconds=90):
        deadline = time.monotonic() + seconds
        while True:
            status = self.status()
            if condition(status):
                return status
            if time.monotonic() > deadline:
                raise RuntimeError(f'{what} was not seen; last: {status}')
            select.select([], [], [], 0.02)

    def link(self, **kwargs):
        return rklink.Link(self.line, **kwargs)

    def make(self, behaviour, version, *options):
        """An image of an example program, as bytes."""
        path = os.path.join(self.folder, f'{behaviour}-{version}')
        subprocess.run([os.path.join(self.programs, 'rkprog-make'), behaviour, version, path, *options], check=True)
        with open(path, 'rb') as file:
            return file.read()

    def flash_bytes(self):
        with open(self.flash, 'rb') as file:
            return file.read()


def run(*arguments):
    """A helper program that must succeed; what it prints is kept for the failure."""
    result = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if result.returncode != 0:
        raise RuntimeError(f'{arguments}: {result.stdout.decode()}')


def is_running(pid):
    """Whether the process runs; one that ended and was not collected by its parent does not."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except FileNotFoundError:
        return False
