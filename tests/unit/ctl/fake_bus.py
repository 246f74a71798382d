# SPDX-License-Identifier: LGPL-2.1-or-later
"""A private bus with the real policy file on it, and the daemon that plays devices; see fake-rekindled.c."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(SOURCE, 'tests', 'lib'))
from bus import bus_config  # noqa: E402  pylint: disable=wrong-import-position
from process import Failure, Program, listens, wait_for  # noqa: E402  pylint: disable=wrong-import-position

NAME = 'org.rekindle.Rekindle1'
PATH = '/org/rekindle/Rekindle1'
NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']


class FakeBus:
    """Everything dies with close(); the folder too."""

    def __init__(self, daemon, ctl):
        self.daemon_path = daemon
        self.ctl_path = ctl
        self.programs = []
        self.folder = tempfile.mkdtemp(prefix='rk-bus-')
        os.chmod(self.folder, 0o755)
        policies = os.path.join(self.folder, 'policies')
        os.mkdir(policies)
        self._policy(policies)
        conf = os.path.join(self.folder, 'bus.conf')
        with open(conf, 'w', encoding='utf-8') as file:
            file.write(bus_config(f'{self.folder}/bus', policies))
        self.environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f'unix:path={self.folder}/bus', LC_ALL='C', TZ='UTC')
        self.environment.pop('NO_COLOR', None)
        bus = self.spawn('bus', ['dbus-daemon', f'--config-file={conf}', '--nofork', '--nopidfile', '--nosyslog'])
        wait_for('bus', lambda: listens(f'{self.folder}/bus'), alive=[bus])
        self.daemon = None

    @staticmethod
    def _policy(folder):
        """The real policy. When the tests run as a user, that one may be what root may."""
        path = os.path.join(folder, 'policy.conf')
        shutil.copy(os.path.join(SOURCE, 'systemd', f'{NAME}.conf'), path)
        if os.getuid() == 0:
            return
        with open(path, encoding='utf-8') as file:
            text = file.read().replace('user="root"', f'user="{os.getuid()}"')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    def spawn(self, name, command, stdout=None):
        started = Program(name, command, f'{self.folder}/{name}.log', env=self.environment, stdout=stdout)
        self.programs.append(started)
        return started

    def start(self):
        self.daemon = self.spawn('fake-rekindled', [self.daemon_path])
        wait_for('daemon', lambda: self.busctl('status', NAME).returncode == 0, alive=[self.daemon])

    def signal(self, number):
        os.kill(self.daemon.pid, number)

    def busctl(self, *arguments, inside=()):
        return subprocess.run([*inside, 'busctl', '--system', '--json=short', *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding='utf-8', env=self.environment,
                              timeout=60, check=False)

    def call(self, path, interface, member, *arguments, inside=()):
        return self.busctl('call', NAME, path, f'{NAME}.{interface}', member, *arguments, inside=inside)

    def get(self, path, interface, name):
        done = self.busctl('get-property', NAME, path, f'{NAME}.{interface}', name)
        return json.loads(done.stdout)['data']

    def ctl(self, *arguments, inside=(), environment=None):
        return subprocess.run([*inside, self.ctl_path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding='utf-8', env=environment or self.environment, timeout=60,
                              check=False)

    def monitor(self, name='signals'):
        """What the bus carries from the daemon, as a growing list of messages."""
        output = os.path.join(self.folder, f'{name}.json')
        with open(output, 'wb') as file:
            started = self.spawn(name, ['busctl', '--system', '--json=short', f'--match=type=signal,sender={NAME}', 'monitor'],
                                 stdout=file)
        wait_for('monitor', lambda: self._sees(output), alive=[started])
        return lambda: self._read(output)

    def _sees(self, output):
        self.signal(signal.SIGUSR2)
        time.sleep(0.02)
        return self._read(output)

    @staticmethod
    def _read(output):
        with open(output, encoding='utf-8') as file:
            return [json.loads(line) for line in file.read().split('\n')[:-1] if line]

    def close(self):
        for started in reversed(self.programs):
            if started.is_alive():
                started.stop(10)
        shutil.rmtree(self.folder, ignore_errors=True)


class Tests:
    """One test each; the bus and the daemon are new for every one."""

    def __init__(self, bus):
        self.bus = bus

    @staticmethod
    def same(seen, wanted):
        if seen != wanted:
            raise Failure(f'{seen!r} instead of {wanted!r}')

    @staticmethod
    def has(text, *parts):
        for part in parts:
            if part not in text:
                raise Failure(f'{part!r} is not in {text!r}')


def device(name):
    return f'{PATH}/devices/{name}'


def main(group):
    """Runs every test_ of the class; the last line is "N passed, N failed"."""
    bad = 0
    names = [name for name in dir(group) if name.startswith('test_')]
    for name in names:
        story = group(FakeBus(sys.argv[1], sys.argv[2]))
        try:
            story.bus.start()
            getattr(story, name)()
            status = story.bus.daemon.stop()
            if status:
                raise Failure(f'the daemon ended with {status}: {story.bus.daemon.tail(60)}')
            print(f'ok     {name}', flush=True)
        except Exception as failure:  # pylint: disable=broad-except
            bad += 1
            print(f'FAILED {name}: {type(failure).__name__}: {failure}', flush=True)
        finally:
            story.bus.close()
    print(f'{len(names) - bad} passed, {bad} failed')
    sys.exit(1 if bad else 0)
