# SPDX-License-Identifier: LGPL-2.1-or-later
"""A publisher's desk for one story: a temporary folder with images, and the real rekindle-repo in it.

    from publisher import Desk, tell

    def two_people_sign_a_root(desk):
        desk.repo('init', 'boilers')
        ...

    tell(two_people_sign_a_root, ...)

Each story has a desk of its own; when one fails, its folder is kept and named. REKINDLE_BUILD names the build folder.
"""

import fcntl
import glob
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get('REKINDLE_BUILD', os.path.join(SOURCE, 'tests', '.out', 'build'))
PROGRAM = os.path.join(BUILD, 'src', 'repo', 'rekindle-repo')
NOW = '2030-01-01T00:00:00Z'
DATED = {'init', 'publish', 'refresh', 'verify', 'expire-check', 'export', 'remove', 'prune',
         'key add', 'key remove', 'key rotate', 'key threshold',
         'root renew', 'root sign', 'root show', 'root export', 'root import', 'root drop',
         'targets sign', 'targets show', 'targets export', 'targets import', 'targets drop'}


class Failure(Exception):
    """What a story expected and did not see."""


def expect(condition, what):
    if not condition:
        raise Failure(what)


class Desk:
    def __init__(self, now=NOW):
        self.folder = tempfile.mkdtemp(prefix='rekindle-desk-')
        self.now = now
        self.env = {k: v for k, v in os.environ.items() if k not in ('REKINDLE_PASSPHRASE', 'PKCS11_MODULE_PATH')}
        for name, seed in (('one.bin', 1), ('two.bin', 2), ('three.bin', 3)):
            with open(self.path(name), 'wb') as file:
                file.write(bytes((i // 16 * seed) & 0xff for i in range(6000)))

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def read(self, *parts):
        with open(self.path(*parts), 'rb') as file:
            return file.read()

    def write(self, name, data):
        with open(self.path(name), 'wb') as file:
            file.write(data)

    def json(self, *parts):
        return json.loads(self.read(*parts))

    def has(self, *parts):
        return os.path.exists(self.path(*parts))

    def files(self, *parts):
        """Paths below a folder, sorted."""
        top = self.path(*parts)
        return sorted(os.path.relpath(p, top) for p in glob.glob(top + '/**', recursive=True, include_hidden=True)
                      if os.path.isfile(p))

    def command(self, *arguments):
        verb = arguments[0] if arguments[0] not in ('key', 'root', 'targets') else ' '.join(arguments[:2])
        dated = ['--now', self.now] if self.now and verb in DATED and '--now' not in arguments and '--help' not in arguments else []
        return [PROGRAM, *arguments, *dated]

    def repo(self, *arguments, code=0, says='', stdin=subprocess.DEVNULL, **env):
        """Runs a verb; a Failure unless it exits with `code` and says `says`. Returns all that it says."""
        done = subprocess.run(self.command(*arguments), cwd=self.folder, stdin=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**self.env, **env}, text=True, check=False,
                              start_new_session=True)  # without a terminal
        expect(done.returncode == code and says in done.stdout,
               f'{" ".join(arguments)}: exit {done.returncode} instead of {code}, "{says}" expected:\n{done.stdout}')
        return done.stdout

    def on_terminal(self, *arguments, typed=(), code=0, columns=80):
        """The same on a terminal of its own, where somebody types a line at each question."""
        pid, fd = pty.fork()
        if pid == 0:
            try:
                fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
                os.chdir(self.folder)
                os.execve(PROGRAM, self.command(*arguments), self.env)
            finally:
                os._exit(127)
        seen, waiting = '', list(typed)
        while True:
            ready, _, _ = select.select([fd], [], [], 60)
            try:
                data = os.read(fd, 4096).decode() if ready else ''
            except OSError:
                data = ''
            if not data:
                break
            seen += data
            if waiting and data.endswith(': '):
                while termios.tcgetattr(fd)[3] & termios.ECHO:
                    select.select([], [], [], 0.01)  # it turns the echo off after it has asked
                os.write(fd, waiting.pop(0).encode() + b'\n')
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(fd)
        expect(status == code, f'{" ".join(arguments)}: exit {status} instead of {code}:\n{seen}')
        return seen

    def verify(self, folder='boilers', *options, code=0):
        """What a gateway says: {"MODEL/VERSION": role} of the good releases."""
        text = self.repo('verify', folder, '--json', *options, code=code)
        found = json.loads(text)
        return {f'{r["model"]}/{r["version"]}': r['role'] for r in found['releases'] if 'error' not in r}

    def key_id(self, text):
        """Of what "key new" said."""
        return text.split('\nkey ')[1].split()[0]

    def publish(self, *options, **how):
        return self.repo('publish', 'boilers', *options, **how)

    def add(self, version, image='one.bin', *options, model='boiler', **how):
        return self.repo('add', 'boilers', '--model', model, '--version', version, image, *options, **how)


def tell(*stories):
    if not os.access(PROGRAM, os.X_OK):
        sys.exit(f'{PROGRAM} is not there: build first, and name the build folder in REKINDLE_BUILD')
    failed = 0
    for story in stories:
        name = story.__name__.replace('_', ' ')
        desk = Desk()
        try:
            story(desk)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f'FAILED: {name} (left in {desk.folder})')
            traceback.print_exc(file=sys.stdout)
        else:
            print(f'good: {name}')
            shutil.rmtree(desk.folder)
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
