# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device's flash, in a file (self.flash), seen through the independent reader."""

import json
import os
import subprocess

from process import Failure

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'flash-read.py')


class FlashFile:
    slots = 1

    def read_flash(self, *arguments, slot=None):
        """(exit status, answer) of the reader. slot: default is that of the newest record."""
        which = ['--slots', str(self.slots)] + ([] if slot is None else ['--slot', str(slot)])
        done = subprocess.run(['/usr/bin/python3', READER, self.flash, *which, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='utf-8', check=False)
        if done.returncode not in (0, 1):
            raise Failure(f'flash-read: {done.stdout}')
        return done.returncode, json.loads(done.stdout)

    def holds(self, image, slot=None):
        """Whether the program area is exactly this image."""
        return self.read_flash('--image', image, slot=slot)[0] == 0

    def record(self, slot=None):
        """The device's own record, {} when it has none."""
        return self.read_flash(slot=slot)[1]['record'] or {}
