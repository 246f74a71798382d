# SPDX-License-Identifier: LGPL-2.1-or-later
"""A device's flash, in a file (self.flash), seen through the independent reader."""

import json
import os
import subprocess

from process import Failure

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'flash-read.py')


class FlashFile:
    def read_flash(self, *arguments):
        """(exit status, answer) of the reader."""
        done = subprocess.run(['/usr/bin/python3', READER, self.flash, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding='utf-8', check=False)
        if done.returncode not in (0, 1):
            raise Failure(f'flash-read: {done.stdout}')
        return done.returncode, json.loads(done.stdout)

    def holds(self, image):
        """Whether the program area is exactly this image."""
        return self.read_flash('--image', image)[0] == 0

    def record(self):
        """The device's own record, {} when it has none."""
        return self.read_flash()[1]['record'] or {}
