#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A full disk: no update begins, one that is under way ends, and all small files can still be written."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

OWN_MOUNTS = 'REKINDLE_OWN_MOUNTS'
DISK = 6 << 20
RESERVE = 2 << 20
IMAGE = 60000


def in_own_mounts():
    """The state folder gets a small disk of its own, which nobody else sees and which goes with us."""
    if OWN_MOUNTS in os.environ:
        return
    command = ['unshare', '--mount'] + (['--map-root-user'] if os.geteuid() else [])
    if subprocess.run([*command, 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
        print('nothing can be mounted here')
        sys.exit(77)
    os.environ[OWN_MOUNTS] = '1'
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def free_bytes(w):
    disk = os.statvfs(w.state)
    return disk.f_bavail * disk.f_frsize


def fill(w, leave=0):
    """Another program takes all but so many bytes."""
    free(w)
    with open(os.path.join(w.state, 'filler'), 'wb') as file:
        os.posix_fallocate(file.fileno(), 0, free_bytes(w) - leave)
    w.say(f'the disk has {free_bytes(w)} bytes left')


def free(w):
    try:
        os.unlink(os.path.join(w.state, 'filler'))
    except FileNotFoundError:
        pass


def reserved(w):
    return os.stat(os.path.join(w.state, 'reserve')).st_blocks * 512


def full_disk(w):
    """Nearly full, full, full in the middle of a trial; what is freed is enough."""
    w.publisher.publish('1.0.0', pad=IMAGE)
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.mount_state(DISK)
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect('room is reserved', reserved(w) == RESERVE)

    nearly_full(w, device)
    full(w)
    w.say('space is freed: it goes on by itself')
    free(w)
    w.wait_runs('1.2.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.2.0'])

    full_meanwhile(w)
    old_images_go(w)


def nearly_full(w, device):
    w.publisher.publish('1.1.0', pad=IMAGE)
    fill(w, IMAGE)
    w.ctl('check', expect=0)
    state = w.wait_device('refused before it begins', lambda d: d['Verdict'] == 'no-space')
    w.expect(f'it says how much is needed: {state["VerdictText"]}', 'bytes in the state folder' in state['VerdictText'])
    w.expect('a person is refused too', w.ctl('update', 'boiler').status == 5)
    w.expect('no update was begun', w.results() == [('1.0.0', 'done')] and w.device()['State'] == 'idle')
    w.expect('nothing was asked for', '/targets/boiler-ctl/1.1.0' not in w.server.requests())
    w.expect('nothing was written to the device', device.holds(w.publisher.images['boiler-ctl', '1.0.0']))


def full(w):
    fill(w)
    w.publisher.publish('1.2.0', pad=IMAGE)
    w.ctl('check', expect=0)
    w.expect('new metadata was stored', w.ctl('--json', 'status', expect=0).json['releases'] == 3)
    w.ctl('hold', 'boiler', expect=0)
    w.ctl('unhold', 'boiler', expect=0)
    w.expect('history was written', [e['event'] for e in w.history()][-2:] == ['hold', 'unhold'])
    w.expect('the outbox too', [e['event'] for e in w.outbox()][-2:] == ['hold', 'unhold'])
    w.expect('of the reserve', reserved(w) < RESERVE)

    w.say('the daemon is killed, and starts on the full disk')
    w.kill_daemon()
    w.start_daemon()
    w.ctl('check', expect=0)
    w.wait_device('it refuses as before', lambda d: d['Verdict'] == 'no-space')
    w.ctl('hold', 'boiler', expect=0)
    w.ctl('unhold', 'boiler', expect=0)


def full_meanwhile(w):
    w.say('the disk becomes full in the middle of an update')
    image = w.publisher.publish('1.3.0', pad=IMAGE, trial=8)
    w.ctl('check', expect=0)
    w.wait_device('the trial of 1.3.0', lambda d: d['State'] == 'trial')
    fill(w)
    w.wait_runs('1.3.0')
    w.expect_flash(image)
    w.expect('history has the result', w.results()[-1] == ('1.3.0', 'done'))
    w.expect('the outbox too', [(e['candidate'], e['outcome']) for e in w.outbox() if e['event'] == 'result'] == w.results())
    w.expect('no journal is left open', not os.listdir(os.path.join(w.state, 'updates')))


def old_images_go(w):
    w.say('images that nobody needs make room for a new one')
    free(w)
    kept = {i['version'] for i in w.images()}
    w.expect('there is such an image', '1.0.0' in kept)
    w.ctl('check', expect=0)
    w.expect('the reserve is whole again', reserved(w) == RESERVE)
    image = w.publisher.publish('1.4.0', pad=IMAGE)
    fill(w, IMAGE + IMAGE // 2)
    w.ctl('check', expect=0)
    w.wait_runs('1.4.0')
    w.expect_flash(image)
    w.expect('it went', '1.0.0' not in {i['version'] for i in w.images()})


in_own_mounts()
run(full_disk)
