#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf is killed at every write, sync, link and rename of a download, and each of them fails once: what is on disk is the old
or the new of each file, in the order of the workflow, and the next run makes it the new."""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import run  # noqa: E402  pylint: disable=wrong-import-position

CALLS = ('write', 'fsync', 'fchmod', 'linkat', 'renameat')  # all that change a file; checked below
CHANGES = 'write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,' \
          'fchmod,chmod,fchmodat,truncate,ftruncate,fallocate,mkdir,mkdirat'
ORDER = ('root', 'timestamp', 'snapshot', 'targets', 'team')  # as the client stores them


class Store:
    """A client in an old state, before a repository in a new one."""

    def __init__(self, b):
        self.b = b
        b.repository.delegate('targets', 'team', ['team/*'])
        self.publish(b'old')
        b.download('team/file')
        self.old = self.read()
        self.keep()
        b.repository.publish('root')
        self.publish(b'new')
        b.download('team/file')
        self.new = self.read()
        b.expect(all(self.old[name] != self.new[name] for name in self.new), 'the new state is another one')
        self.put_back()

    def publish(self, data):
        self.b.repository.add_target('team/file', data, 'team')
        self.b.repository.publish_all()

    def keep(self):
        for folder in (self.b.metadata, self.b.targets):
            shutil.copytree(folder, folder + '.old')

    def put_back(self):
        for folder in (self.b.metadata, self.b.targets):
            shutil.rmtree(folder)
            shutil.copytree(folder + '.old', folder)

    def read(self):
        found = {f'targets/{name}': data for name, data in self.b.files().items()}
        found.update({f'{name}.json': self.b.stored(f'{name}.json') for name in self.b.trusted()})
        return found

    def check(self, where):
        """Each file is the old or the new one, and none is ahead of those before it."""
        b = self.b
        now = self.read()
        strangers = [name for name in now if name not in self.new and not re.fullmatch(r'targets/\..*\.tmp', name)]
        b.expect(not strangers and set(self.old) <= set(now), f'{where}: strange or missing files: {strangers}')
        for name, data in now.items():
            wanted = (self.old.get(name), self.new.get(name)) if name in self.new else (self.new['targets/team%2Ffile'],)
            b.expect(data in wanted, f'{where}: {name} is neither the old nor the new one')
        ahead = [now[f'{name}.json'] == self.new[f'{name}.json'] for name in ORDER]
        ahead.append(now['targets/team%2Ffile'] == self.new['targets/team%2Ffile'])
        b.expect(ahead == sorted(ahead, reverse=True), f'{where}: out of order: {ahead}')
        return sum(ahead)

    def finish(self, where):
        """The next run comes to the new state and leaves nothing else."""
        self.b.download('team/file')
        self.b.expect(self.read() == self.new, f'{where}: the next run does not make it the new state')
        leftovers = [n for folder in (self.b.metadata, self.b.targets) for n in os.listdir(folder) if n.endswith('.tmp')]
        self.b.expect(not leftovers, f'{where}: left over: {leftovers}')

    def traced(self, *options):
        """A download under strace: its exit status and the log."""
        log = os.path.join(self.b.tmp, 'strace.log')
        status = self.b.run_download('team/file', wrapper=['strace', '-qq', '-o', log, '-e', f'trace={CHANGES}', *options, '--'])
        with open(log, encoding='utf-8', errors='replace') as text:
            return status, text.read()

    def points(self):
        """(call, number of it) for each one of a whole download; strace counts each kind by itself."""
        status, log = self.traced()
        self.b.expect(status == 0, 'a download without faults fails')
        calls = re.findall(r'^(\w+)\(', log, re.M)
        self.b.expect(set(calls) == set(CALLS), f'calls that change files: {sorted(set(calls))}')
        self.put_back()
        return [(call, n + 1) for call in CALLS for n in range(calls.count(call))]

    def with_fault(self, fault, call, number):
        return self.traced('-e', f'inject={call}:{fault}:when={number}')


def killed_at_every_call(b):
    store = Store(b)
    states = set()
    points = store.points()
    for call, number in points:
        where = f'killed at {call} {number}'
        _, log = store.with_fault('signal=KILL', call, number)
        b.expect('+++ killed by SIGKILL' in log, f'{where}: it was not')
        states.add(store.check(where))
        store.finish(where)
        store.put_back()
    b.expect(states == set(range(len(ORDER) + 2)) and len(points) > 25, f'{len(points)} points, states {states}')
    print(f'  killed at {len(points)} points')


def each_call_fails(b, error, calls):
    store = Store(b)
    for call, number in store.points():
        if call not in calls:
            continue
        where = f'{error} of {call} {number}'
        status, log = store.with_fault(f'error={error}', call, number)
        b.expect('(INJECTED)' in log, f'{where}: it was not')
        b.expect(status == 1 and b.said.startswith('rekindle-tuf: '), f'{where}: exit status {status}')
        store.check(where)
        store.finish(where)
        store.put_back()


def every_file_is_synced_before_and_after_its_name_changes(b):
    store = Store(b)
    status, log = store.traced('-y')
    b.expect(status == 0 and store.read() == store.new, 'it did not come to the new state')
    lines = log.splitlines()
    renames = 0
    for at, line in enumerate(lines):
        if not line.startswith('rename'):
            continue
        renames += 1
        folder, temporary = re.search(r'<([^>]*)>, "([^"]*)"', line).groups()
        before = [x for x in lines[:at] if not x.startswith('linkat')]
        b.expect(re.match(r'fsync\(\d+<', before[-1]) and (temporary in before[-1] or '(deleted)' in before[-1] or '#' in before[-1]),
                 f'no sync of the file before {line}: {before[-1]}')
        b.expect(re.match(rf'fsync\(\d+<{re.escape(folder)}>\) += 0', lines[at + 1]), f'no sync of the folder after {line}')
    b.expect(renames == 6, f'{renames} files were replaced instead of 6')


if __name__ == '__main__':
    run(killed_at_every_call, (each_call_fails, 'EIO', 'EIO', CALLS), (each_call_fails, 'ENOSPC', 'ENOSPC', ('write',)),
        every_file_is_synced_before_and_after_its_name_changes)
