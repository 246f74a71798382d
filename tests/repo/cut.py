# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run of rekindle-repo that is killed at one of its calls that write, or whose disk is full there. strace kills it as it enters
the call, so what comes before has happened and nothing after; or it lets the call fail. Then gateways must see the old state or the
new one, and the same command again must end in the state that an uncut run leaves."""

import os
import re
import shutil
import subprocess

from publisher import expect

CALLS = ('write', 'pwrite64', 'fsync', 'fdatasync', 'ftruncate', 'fchmod', 'fchmodat', 'rename', 'renameat', 'renameat2',
         'link', 'linkat', 'unlink', 'unlinkat', 'mkdir', 'mkdirat', 'rmdir')
NEED_ROOM = ('fsync', 'mkdir', 'mkdirat', 'linkat', 'renameat', 'renameat2')  # what it says is written without them
SIMPLE = ('-e', 'inject=renameat2:error=EINVAL')  # a file system that cannot exchange


def tree(desk, *parts):
    """Path → bytes of all files; private keys are random, so they do not count."""
    return {name: desk.read(*parts, name) for name in desk.files(*parts)
            if 'keys/' not in name and '.metadata.new/' not in name}


class Cut:
    """One command in one situation. name: what it is called in texts; arguments: of rekindle-repo; simple: see SIMPLE."""

    def __init__(self, desk, name, arguments, simple=False, same_end=True, half_way=False, shown='boilers'):
        self.desk, self.name, self.arguments = desk, name, arguments
        self.same_end = same_end    # an uncut run leaves the same bytes each time
        self.half_way = half_way    # gateways may have to try again later
        self.shown = shown          # the folder that gateways see
        self.options = SIMPLE if simple else ()
        shutil.rmtree(desk.path('start'), ignore_errors=True)
        os.mkdir(desk.path('start'))
        for folder in ('boilers', shown):
            if desk.has(folder) and not desk.has('start', folder):
                shutil.copytree(desk.path(folder), desk.path('start', folder))
        self.old = self.view()
        self.calls = self.reference()
        self.new = self.view()
        self.end = self.everything()

    def everything(self):
        return {folder: tree(self.desk, folder) for folder in ('boilers', self.shown)}

    def restore(self):
        for folder in ('boilers', self.shown):
            shutil.rmtree(self.desk.path(folder), ignore_errors=True)
        for folder in os.listdir(self.desk.path('start')):
            shutil.copytree(self.desk.path('start', folder), self.desk.path(folder))

    def strace(self, *options):
        desk = self.desk
        return subprocess.run(['strace', '-qq', '-o', 'calls', *self.options, *options, *desk.command(*self.arguments)],
                              cwd=desk.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, env={**desk.env, 'ASAN_OPTIONS': 'detect_leaks=0'}, check=False)

    def reference(self):
        """Runs it whole; [(call, how manieth of its kind)] in their order."""
        done = self.strace('-e', 'trace=' + ','.join(CALLS))
        expect(done.returncode == 0, f'{self.name}: {done.stdout}')
        seen, calls = {}, []
        for line in self.desk.read('calls').decode(errors='replace').splitlines():
            call = re.match(r'(\w+)\((\d+)?', line)
            if call and call[1] in CALLS:
                seen[call[1]] = seen.get(call[1], 0) + 1
                if not (call[1] == 'write' and call[2] in ('1', '2')):  # what it says
                    calls.append((call[1], seen[call[1]]))
        return calls

    def view(self):
        """What a gateway with the first root sees: releases and the timestamp's bytes; None: it has to try again later."""
        desk = self.desk
        if not desk.has(self.shown, 'metadata/timestamp.json') and not desk.has(self.shown, 'public/metadata/timestamp.json'):
            return {}
        done = subprocess.run(desk.command('verify', self.shown, '--json', '--root', 'first-root.json'), cwd=desk.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=desk.env, check=False)
        return done.stdout if done.returncode == 0 else None

    def at(self, call, number):
        """Killed."""
        self.restore()
        where = f'{self.name}, killed at {call} {number}'
        done = self.strace('-e', f'inject={call}:signal=KILL:when={number}')
        expect(done.returncode != 0, f'{where}: it was not killed')
        self.is_old_or_new(where)
        self.again(where)

    def full(self, call, number):
        """No room at that call. A run that manages without it is a good run."""
        self.restore()
        where = f'{self.name}, no room at {call} {number}'
        keys = self.keys()
        done = self.strace('-e', f'inject={call}:error=ENOSPC:when={number}')
        if done.returncode == 0:
            expect(self.view() == self.new, f'{where}: it says that it is done, and is not:\n{done.stdout}')
            return
        expect(done.returncode == 1 and done.stdout.startswith('rekindle-repo: ') and 'No space left on device' in done.stdout,
               f'{where}: exit {done.returncode}, and it says\n{done.stdout}')
        expect('staged' not in done.stdout and 'is a repository' not in done.stdout, f'{where}: it says what is not true:\n{done.stdout}')
        expect(self.keys() == keys or self.arguments[0] == 'init' or 'device-' in self.arguments[-1] or self.names_new_key(keys),
               f'{where}: a key is left that nobody knows: {self.keys() - keys}')
        self.is_old_or_new(where)
        self.again(where)

    def keys(self):
        return {name for name in self.desk.files('boilers') if name.startswith('keys/')} if self.desk.has('boilers') else set()

    def names_new_key(self, keys):
        """The call that failed came after the one that staged the key."""
        staged = b''.join(self.desk.read('boilers/stage', name) for name in self.desk.files('boilers/stage'))
        return all(re.search(r'-([0-9a-f]{8})\.pem', key)[1].encode() in staged for key in self.keys() - keys)

    def is_old_or_new(self, where):
        seen = self.view()
        expect(seen in (self.old, self.new) or (seen is None and self.half_way),
               f'{where}: gateways see neither the old state nor the new one:\n{seen}')

    def again(self, where):
        if self.arguments[0] == 'init' and self.desk.has('boilers/root.json'):
            again = 'the repository was made'
        else:
            again = self.desk.repo(*self.arguments)
        if self.same_end:
            end = self.everything()
            for folder, files in self.end.items():
                other = [n for n in set(files) | set(end[folder]) if files.get(n) != end[folder].get(n)]
                expect(not other, f'{where}: the second run leaves other files in {folder}: {other}\n{again}')
            expect(self.view() == self.new, f'{where}: the second run does not end it:\n{again}')
            return
        if self.arguments[0] == 'init':
            shutil.copy(self.desk.path('boilers/root.json'), self.desk.path('first-root.json'))
        self.desk.publish()
        expect(self.view(), f'{where}: what is published then is refused:\n{again}')

    def sample(self, step):
        """Every step-th call, and the rename and the removal of whatever comes; how many."""
        points = [c for i, c in enumerate(self.calls) if i % step == 0 or c[0] in ('renameat2',)]
        for call, number in points:
            self.at(call, number)
        return len(points)

    def sample_full(self, step):
        """Every step-th call that needs room; how many."""
        points = [c for c in self.calls if c[0] in NEED_ROOM][::step]
        for call, number in points:
            self.full(call, number)
        return len(points)


def begin(desk):
    """Two releases, one to be removed; a team; keys to be rotated."""
    desk.repo('init', 'boilers')
    desk.write('first-root.json', desk.read('boilers', 'root.json'))
    desk.repo('key', 'new', 'team.pem')
    desk.add('1.0.0')
    desk.add('1.1.0', 'two.bin')
    desk.publish()


def stage_everything(desk, root=True):
    desk.add('2.0.0', 'three.bin')
    desk.repo('remove', 'boilers', '1.0.0', '--force')
    desk.repo('promote', 'boilers', '1.1.0', '--channel', 'beta')
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'team.pem')
    desk.add('0.1.0', 'one.bin', model='pump')
    if root:
        desk.repo('key', 'rotate', 'boilers', 'timestamp')
        desk.repo('key', 'rotate', 'boilers', 'snapshot')


def publish(desk):
    begin(desk)
    stage_everything(desk)
    return Cut(desk, 'publish', ['publish', 'boilers', '--key', 'team.pem'])


def publish_on_a_simple_file_system(desk):
    begin(desk)
    stage_everything(desk, root=False)
    return Cut(desk, 'publish without exchange', ['publish', 'boilers', '--key', 'team.pem'], simple=True)


def publish_keys_on_a_simple_file_system(desk):
    begin(desk)
    stage_everything(desk)
    return Cut(desk, 'publish of new keys without exchange', ['publish', 'boilers', '--key', 'team.pem'], simple=True,
               half_way=True)


def refresh(desk):
    begin(desk)
    desk.add('2.0.0', 'three.bin')
    desk.now = '2030-01-20T00:00:00Z'
    return Cut(desk, 'refresh', ['refresh', 'boilers'])


def prune(desk):
    begin(desk)
    for version in ('2.0.0', '3.0.0'):
        desk.add(version, 'three.bin')
        desk.publish()
    return Cut(desk, 'prune', ['prune', 'boilers', '--keep-for', '0'])


def add(desk):
    begin(desk)
    return Cut(desk, 'add', ['add', 'boilers', '--model', 'boiler', '--version', '2.0.0', 'three.bin'])


def remove(desk):
    begin(desk)
    return Cut(desk, 'remove', ['remove', 'boilers', '1.0.0', '--force'])


def init(desk):
    desk.write('first-root.json', b'')
    return Cut(desk, 'init', ['init', 'boilers'], same_end=False)


def rotate(desk):
    begin(desk)
    return Cut(desk, 'key rotate', ['key', 'rotate', 'boilers', 'timestamp'], same_end=False)


def delegate(desk):
    begin(desk)
    return Cut(desk, 'delegate', ['delegate', 'boilers', 'pumps', '--model', 'pump'], same_end=False)


def rotate_device_key(desk):
    begin(desk)
    desk.repo('device-key', 'boilers', 'line1')
    return Cut(desk, 'key rotate of a device key', ['key', 'rotate', 'boilers', 'device-line1'])


def sign(desk):
    begin(desk)
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    return Cut(desk, 'root sign', ['root', 'sign', 'boilers'])


def export(desk):
    begin(desk)
    desk.repo('export', 'boilers', 'stick')
    stage_everything(desk)
    desk.publish('--key', 'team.pem')
    return Cut(desk, 'export', ['export', 'boilers', 'stick'], shown='stick')


SITUATIONS = (publish, publish_on_a_simple_file_system, publish_keys_on_a_simple_file_system, refresh, prune, add, remove, init, rotate,
              delegate, rotate_device_key, sign, export)
