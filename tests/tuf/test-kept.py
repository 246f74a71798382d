#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf against the repositories that are kept in tests/fixtures/tuf: what was published once is understood for ever, and
what is evil is refused by the same clause."""

import os
import sys
import types

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import run  # noqa: E402  pylint: disable=wrong-import-position

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'fixtures', 'tuf')
TARGETS = ('boiler/1.0.0/app.bin', 'boiler/1.1.0/app.bin', 'pump/0.1.0/app.bin')
EVIL = {
    'another-root': 'TUF 5.3.4: ',
    'another-timestamp': 'TUF 5.4.2: ',
    'older-timestamp': 'TUF 5.4.2: ',  # of a key that was replaced
    'newer-version': 'TUF 5.4.2: ',
    'older-snapshot': 'TUF 5.5',
    'older-targets': 'TUF 5.6',
    'another-team': 'TUF 5.6',
    'another-image': 'TUF 5.7',
}


class Kept:
    """The files of a kept repository, some of them in the place of good ones."""

    def __init__(self, b, evil=None):
        self.folders = ([os.path.join(KEPT, f'evil-{evil}')] if evil else []) + [os.path.join(KEPT, 'good')]
        self.overrides = {}
        self.root = types.SimpleNamespace(versions={1: self.fetch('metadata/1.root.json')})
        b.repository = self
        b.expect(b.init() == 0, 'the root is not trusted')

    def fetch(self, path):
        for folder in self.folders:
            if os.path.isfile(os.path.join(folder, path)):
                with open(os.path.join(folder, path), 'rb') as file:
                    return file.read()
        return None


def good(b):
    Kept(b)
    b.good()
    b.expect_trusted(root=3, timestamp=3, snapshot=3, targets=3)
    b.download(*TARGETS)
    b.expect(len(b.files()) == len(TARGETS), 'every target is there')


def evil(b, name, clause):
    Kept(b, name)
    b.download_refused(clause, TARGETS[2])
    b.expect(b.files() == {}, 'something is downloaded')


def every_folder_is_told_of(b):
    Kept(b)
    b.expect({f'evil-{name}' for name in EVIL} | {'good', 'make'} == set(os.listdir(KEPT)), 'a kept folder has no test')


if __name__ == '__main__':
    run(good, every_folder_is_told_of, *[(evil, f'evil: {name}', name, clause) for name, clause in EVIL.items()])
