#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real medium, exported by the publisher's tool, that is pulled out between the metadata and the image: an I/O error, not a missing file."""

import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

OWN_MOUNTS = 'REKINDLE_TEST_OWN_MOUNTS'
STICK_BYTES = 8 << 20


def in_own_mounts():
    """Nobody else sees the stick, and it goes with us."""
    if OWN_MOUNTS in os.environ:
        return
    command = ['unshare', '--mount']
    if os.geteuid() or subprocess.run([*command, 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
        print('only root can put a stick in here')
        sys.exit(77)
    os.environ[OWN_MOUNTS] = '1'
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


class Medium:
    """A file system on a loop device; pulled out, its blocks are gone while it is still mounted."""

    def __init__(self, world):
        self.world = world
        self.path = world.folder('stick')
        self.blocks = os.path.join(world.tmp, 'blocks')
        self.saved = os.path.join(world.tmp, 'saved-blocks')

    def write(self, *options):
        content = os.path.join(self.world.tmp, 'content')
        shutil.rmtree(content, ignore_errors=True)
        self.world.publisher.repo('export', self.world.publisher.path, content, *options)
        with open(self.blocks, 'wb') as file:
            file.truncate(STICK_BYTES)
        self.world.check(['mke2fs', '-q', '-t', 'ext2', '-d', content, self.blocks])
        shutil.copy(self.blocks, self.saved)
        return content

    def plug_in(self):
        shutil.copyfile(self.saved, self.blocks)
        self.world.check(['mount', '-o', 'loop,ro', self.blocks, self.path])

    def pull_out(self):
        os.truncate(self.blocks, 0)

    def unmount(self):
        self.world.check(['umount', self.path])


def tell(w, stick):
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler')
    w.start()
    w.server.stop()
    stick.write()
    stick.plug_in()
    w.ctl('update', 'boiler', '--from', stick.path, expect=0)
    w.wait_runs('1.0.0')
    stick.unmount()
    w.say('the daemon lets the stick be unmounted')

    for model in ('boiler-ctl', 'pump-ctl'):
        w.publisher.add('1.1.0', w.publisher.make_image('1.1.0', model=model), model=model)
    w.publisher.publish()
    content = stick.write('--model', 'boiler-ctl')
    w.expect('the stick has what is wanted only', os.listdir(os.path.join(content, 'targets')) == ['boiler-ctl'])
    stick.plug_in()
    w.ctl('hold', 'boiler', expect=0)
    w.ctl('verify', '--from', stick.path, expect=0)
    record = device.record()
    w.say('it is pulled out: what was read once is still there, the rest is not')
    stick.pull_out()
    w.ctl('unhold', 'boiler', expect=0)
    w.ctl('--timeout', '3', 'update', 'boiler', '--from', stick.path, expect=1)
    w.wait_for('the error', lambda: 'in the folder: Input/output error' in w.said())
    state = w.wait_device('the update waits and says why', lambda d: d['Waiting'] == 'wait-server' and
                          'in the folder: Input/output error; the server: ' in d['StateText'])
    w.expect('the device is not touched', device.record() == record and state['RunningVersion'] == '1.0.0')
    w.expect('nothing is kept of the image', w.received() == 0 and len(w.images()) == 1)

    w.say('it is put in again')
    stick.unmount()
    stick.plug_in()
    w.ctl('update', 'boiler', '--from', stick.path, expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])


def pulled_out(w):
    """The update waits, nothing is half done, and the stick brings it to its end when it is there again."""
    stick = Medium(w)
    try:
        tell(w, stick)
    finally:
        subprocess.run(['umount', '--lazy', stick.path], stderr=subprocess.DEVNULL, check=False)


in_own_mounts()
run(pulled_out)
