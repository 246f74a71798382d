#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf against small real repositories, made by rekindle-repo, and against evil copies of them: changed byte by byte, cut,
swapped, mixed from two states, put back to an older one."""

import os
import shutil
import subprocess
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import BUILD, run  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = os.path.join(BUILD, 'src/repo/rekindle-repo')
PLACES = 8  # bytes that are changed in each file


class Published:
    """The public folder of a publisher, for the server of the tests."""

    def __init__(self, b, *init):
        self.b = b
        self.folder = os.path.join(b.tmp, 'publisher')
        self.public = os.path.join(self.folder, 'public')
        self.overrides = {}
        self.repo('init', self.folder, *init)
        self.image = os.path.join(b.tmp, 'app.bin')
        with open(self.image, 'wb') as file:
            file.write(bytes(range(256)) * 16)

    def repo(self, *arguments):
        done = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              encoding='utf-8', check=False)
        self.b.said = done.stdout
        self.b.expect(done.returncode == 0, f'rekindle-repo {arguments[0]} fails')

    def add(self, version, model='boiler'):
        self.repo('add', self.folder, '--model', model, '--version', version, self.image)

    def publish(self, *options):
        self.repo('publish', self.folder, *options)

    def trust(self):
        """The client begins with the first root, as a gateway does."""
        with open(os.path.join(self.public, 'metadata', '1.root.json'), 'rb') as file:
            self.root = types.SimpleNamespace(versions={1: file.read()})
        self.b.repository = self
        self.b.expect(self.b.init() == 0, 'the root is not trusted')

    def fetch(self, path):
        try:
            with open(os.path.join(self.public, path), 'rb') as file:
                return file.read()
        except OSError:
            return None

    def metadata(self):
        """Names of the newest files of all roles but root, as the timestamp leads to them."""
        newest = {}
        for name in os.listdir(os.path.join(self.public, 'metadata')):
            version, _, role = name.partition('.')
            if version.isdigit() and role != 'root.json':
                newest[role] = max(int(version), newest.get(role, 0))
        return ['timestamp.json'] + [f'{version}.{role}' for role, version in sorted(newest.items())]


def plain(b, *init):
    p = Published(b, *init)
    p.add('1.0.0')
    p.publish()
    p.trust()
    return p


def of_teams(b):
    """Two models, one of which is a team's; the second state."""
    p = plain(b)
    p.repo('delegate', p.folder, 'pumps', '--model', 'pump')
    p.add('0.1.0', 'pump')
    p.publish()
    return p


def good(b, make, *targets):
    make(b)
    b.good()
    b.download(*targets)
    b.expect(len(b.files()) == len(targets), 'every target is there')


def renewed_root(b):
    """Keys of timestamp and snapshot are replaced."""
    p = plain(b)
    b.good()
    p.repo('key', 'rotate', p.folder, 'timestamp')
    p.repo('key', 'rotate', p.folder, 'snapshot')
    p.publish()
    b.good()
    b.expect(b.trusted()['root'] > 1, 'the new root is taken')


def forget(b):
    """The client's folder as before its first refresh."""
    shutil.rmtree(b.metadata)
    os.mkdir(b.metadata)
    b.expect(b.init() == 0, 'init fails')


def expect_evil(b, what):
    """A client that knows nothing yet does not believe it, names the clause, and downloads nothing."""
    forget(b)
    b.expect(b.run_download('pump/0.1.0/app.bin') == 1, f'{what}: it does not exit with 1')
    b.expect('TUF ' in b.said, f'{what}: it names no clause')
    b.expect(b.files() == {}, f'{what}: something is downloaded')


def changed_bytes(b):
    p = of_teams(b)
    for name in p.metadata():
        data = p.fetch(f'metadata/{name}')
        for n in range(PLACES):
            at = len(data) * (2 * n + 1) // (2 * PLACES)
            p.overrides[f'metadata/{name}'] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
            expect_evil(b, f'byte {at} of {name} changed')
        p.overrides.clear()
    forget(b)
    b.download('pump/0.1.0/app.bin')


def cut(b):
    p = of_teams(b)
    for name in p.metadata():
        data = p.fetch(f'metadata/{name}')
        for n in (0, 1, len(data) // 2, len(data) - 2):
            p.overrides[f'metadata/{name}'] = data[:n]
            expect_evil(b, f'{name} cut to {n} bytes')
        p.overrides.clear()


def swapped(b):
    p = of_teams(b)
    names = p.metadata()
    for name in names:
        for other in names:
            if name != other:
                p.overrides[f'metadata/{name}'] = p.fetch(f'metadata/{other}')
                expect_evil(b, f'{other} in place of {name}')
        p.overrides.clear()


def mixed(b):
    """Mix and match: files of the first state under the names of the second."""
    p = of_teams(b)
    for name in ('snapshot', 'targets'):
        p.overrides[f'metadata/2.{name}.json'] = p.fetch(f'metadata/1.{name}.json')
        expect_evil(b, f'the first {name} in place of the second')
        p.overrides.clear()


def rolled_back(b):
    p = plain(b)
    old = p.fetch('metadata/timestamp.json')
    p.add('1.1.0')
    p.publish()
    b.good()
    p.overrides['metadata/timestamp.json'] = old
    b.refused('TUF 5.4.3.1: timestamp: is version 1, but 2 was seen before')


def of_another_publisher(b):
    """Everything well signed, by somebody else."""
    p = of_teams(b)
    b.tmp, tmp = os.path.join(b.tmp, 'evil'), b.tmp
    os.mkdir(b.tmp)
    evil = Published(b)
    evil.add('1.0.0', 'pump')
    evil.publish()
    b.tmp = tmp
    for name in ['1.root.json', *evil.metadata()]:
        p.overrides[f'metadata/{name}'] = evil.fetch(f'metadata/{name}')
    p.overrides['metadata/2.root.json'] = evil.fetch('metadata/1.root.json')
    expect_evil(b, 'another root')
    del p.overrides['metadata/2.root.json']
    p.overrides['metadata/2.root.json'] = 404
    expect_evil(b, 'another repository')


def frozen(b):
    """The same state, after the timestamp has expired."""
    plain(b)
    b.good()
    b.shift = 31 * 86400
    b.refused('TUF 5.4.4: timestamp: version 1 expired')


if __name__ == '__main__':
    run((good, 'ed25519', plain, 'boiler/1.0.0/app.bin'),
        (good, 'P-256', lambda b: plain(b, '--type', 'p256'), 'boiler/1.0.0/app.bin'),
        (good, 'a team', of_teams, 'boiler/1.0.0/app.bin', 'pump/0.1.0/app.bin'),
        renewed_root, changed_bytes, cut, swapped, mixed, rolled_back, of_another_publisher, frozen)
