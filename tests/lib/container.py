# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container with a real systemd in it, on an overlay that vanishes. Needs root; the network is that of the machine."""

import os
import shutil
import signal
import subprocess
import tempfile

from process import Failure, Program, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
MAKE_BASE = os.path.join(HERE, '..', 'system', 'make-base')
PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
POWER_OFF = signal.SIGRTMIN + 4


class Container:
    """root is its file system while it is mounted; boot() starts it; close() takes everything down."""

    def __init__(self):
        done = subprocess.run([MAKE_BASE], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding='utf-8', check=True)
        self.base = done.stdout.strip()
        self.folder = tempfile.mkdtemp(prefix='run-', dir='/var/cache/rekindle-tests')
        self.name = os.path.basename(self.folder).replace('_', 'x')
        self.root = os.path.join(self.folder, 'root')
        for part in ('root', 'upper', 'work'):
            os.mkdir(os.path.join(self.folder, part))
        subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', f'lowerdir={self.base},upperdir={self.folder}/upper,'
                        f'workdir={self.folder}/work', self.root], check=True)
        self.nspawn = None
        self.leader = None

    def write(self, path, text, mode=0o644):
        where = os.path.join(self.root, path.lstrip('/'))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(where, mode)

    def copy(self, source, path):
        where = os.path.join(self.root, path.lstrip('/'))
        os.makedirs(os.path.dirname(where), exist_ok=True)
        shutil.copy(source, where)

    def boot(self, *options):
        self.nspawn = Program('container', [
            'systemd-nspawn', '-q', '-D', self.root, '--boot', '--register=no', '--keep-unit', f'--machine={self.name}',
            '--console=read-only', '--system-call-filter=bpf', '--capability=all', *options],
            os.path.join(self.folder, 'console'), env={**os.environ, 'SYSTEMD_NSPAWN_UNIFIED_HIERARCHY': '1'})
        wait_for('systemd in the container', self._is_up, 60, alive=[self.nspawn])

    def _is_up(self):
        # nspawn has other children before the container's first process
        found = subprocess.run(['pgrep', '-P', str(self.nspawn.pid)], stdout=subprocess.PIPE, encoding='ascii', check=False)
        for pid in found.stdout.split():
            self.leader = pid
            if self.call('systemctl', 'is-system-running').stdout.strip() in ('running', 'degraded'):
                return True
        self.leader = None
        return False

    @property
    def inside(self):
        """Words before a command that is to run in the container."""
        return ['nsenter', '-t', self.leader, '-a', 'env', '-i', PATH, 'LANG=C.UTF-8']

    def call(self, *command):
        return subprocess.run([*self.inside, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='utf-8', errors='replace', check=False)

    def check(self, *command):
        done = self.call(*command)
        if done.returncode:
            raise Failure(f'in the container: {" ".join(command)}: exit {done.returncode}\n{done.stdout}')
        return done.stdout.strip()

    def close(self):
        if self.leader and self.nspawn.is_alive():
            try:
                os.kill(int(self.leader), POWER_OFF)
                self.nspawn.process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        if self.nspawn:
            self.nspawn.kill()
        if subprocess.run(['umount', self.root], check=False, stderr=subprocess.DEVNULL).returncode:
            subprocess.run(['umount', '-l', self.root], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            os.rmdir(f'/run/systemd/nspawn/propagate/{self.name}')
        except OSError:
            pass
