#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Updates from a folder, such as a USB stick, without any server: the same trust, and nothing half done when the stick is pulled."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


class Stick:
    """A copy of what is published, as it is now."""

    def __init__(self, world, name='stick'):
        self.world = world
        self.path = os.path.join(world.tmp, name)
        self.write()

    def write(self):
        shutil.rmtree(self.path, ignore_errors=True)
        shutil.copytree(os.path.join(self.world.publisher.path, 'public'), self.path)

    def file(self, version):
        """Of this version's image."""
        folder = os.path.join(self.path, 'targets', 'boiler-ctl', version)
        return os.path.join(folder, os.listdir(folder)[0])

    def is_held_open(self):
        """By the daemon, so that it could not be unmounted."""
        folder = f'/proc/{self.world.daemon.process.pid}/fd'
        links = [os.readlink(os.path.join(folder, fd)) for fd in os.listdir(folder) if os.path.lexists(os.path.join(folder, fd))]
        return any(link.startswith(self.path) for link in links)


def begin(w):
    """1.0.0 came from a stick; the server was never there."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler')
    w.start()
    w.server.stop()
    stick = Stick(w)
    answer = w.ctl('--json', 'verify', '--from', stick.path, expect=0).json
    w.expect(f'the folder is good: {answer["text"]}', answer['outcome'] == 'done' and 'from a folder' in answer['text'])
    w.wait_runs('1.0.0')
    return device, stick


def offline_update(w):
    """Two updates, nobody asks a server."""
    device, stick = begin(w)
    image = w.publisher.publish('1.1.0')
    stick.write()
    answer = w.ctl('--json', 'update', 'boiler', '--from', stick.path, expect=0).json
    w.expect('the update says how it ended', (answer['outcome'], answer['version']) == ('done', '1.1.0'))
    w.wait_runs('1.1.0')
    w.expect_flash(image)
    w.expect('no server was asked', not w.server.requests())
    w.wait_for('the daemon to let go of the stick', lambda: not stick.is_held_open())
    w.expect('a check finds no server', w.ctl('--json', 'check', expect=1).json['outcome'] == 'server-unreachable')
    w.expect('nothing to do is said so', w.ctl('update', 'boiler', '--from', stick.path).status == 3)
    w.expect('a missing folder is said so', 'cannot be opened' in w.ctl('verify', '--from', '/nothing', expect=1).errors)
    w.expect('verify without a folder is wrong usage', w.ctl('verify').status == 2)


def change_timestamp(stick):
    path = os.path.join(stick.path, 'metadata', 'timestamp.json')
    with open(path, 'r+', encoding='utf-8') as file:
        text = file.read().replace('"expires":"2', '"expires":"9')
        file.seek(0)
        file.write(text)


def link_timestamp(stick):
    path = os.path.join(stick.path, 'metadata', 'timestamp.json')
    os.rename(path, os.path.join(stick.path, 'aside'))
    os.symlink('../aside', path)


def link_folder(stick):
    os.rename(os.path.join(stick.path, 'metadata'), os.path.join(stick.path, 'aside'))
    os.symlink('aside', os.path.join(stick.path, 'metadata'))


def pipe_timestamp(stick):
    path = os.path.join(stick.path, 'metadata', 'timestamp.json')
    os.unlink(path)
    os.mkfifo(path)


def flood_timestamp(stick):
    with open(os.path.join(stick.path, 'metadata', 'timestamp.json'), 'a', encoding='utf-8') as file:
        file.truncate(64 << 20)


def empty(stick):
    shutil.rmtree(os.path.join(stick.path, 'metadata'))


CASES = [
    (change_timestamp, 'metadata-signature', ''),
    (link_timestamp, 'folder-unreadable', 'symbolic link'),
    (link_folder, 'folder-unreadable', 'symbolic link'),
    (pipe_timestamp, 'folder-unreadable', 'no plain file'),
    (flood_timestamp, 'metadata-invalid', ''),
    (empty, 'metadata-missing', ''),
]


def bad_folders(w):
    """Folders that were changed or are old are refused like servers that are; what they say changes nothing."""
    device, stick = begin(w)
    first = w.publisher.images['boiler-ctl', '1.0.0']
    old = Stick(w, 'old')
    w.publisher.publish('1.1.0')
    for change, outcome, text in CASES:
        stick.write()
        change(stick)
        answer = w.ctl('--json', 'update', 'boiler', '--from', stick.path, expect=1).json
        w.expect(f'{change.__name__}: {outcome}: {answer["text"]}', answer['outcome'] == outcome and text in answer['text'])
        status = w.ctl('--json', 'status', expect=0).json
        w.expect('what was learnt before holds', status['last-check-result'] == 'done' and w.device()['State'] == 'idle' and
                 device.holds(first))

    w.say('an image that was changed')
    stick.write()
    with open(stick.file('1.1.0'), 'r+b') as file:
        file.seek(100)
        file.write(b'changed')
    w.ctl('verify', '--from', stick.path, expect=0)
    w.wait_result('1.1.0', 'image-invalid')
    w.expect('the device runs on', device.holds(first))

    w.say('older than what is trusted now')
    for source, arguments in ((old.path, ('verify', '--from', old.path)), ('the server', ('check',))):
        if source == 'the server':
            w.server.root = old.path
            w.server.start()
        answer = w.ctl('--json', *arguments, expect=1).json
        w.expect(f'{source}: {answer["text"]}', answer['outcome'] == 'metadata-version')
    stick.write()
    w.ctl('update', 'boiler', '--from', stick.path, expect=0)
    w.wait_runs('1.1.0')


def pulled_stick(w):
    """The stick goes after its metadata was read: the update waits, and goes on with the stick or with the server."""
    device, stick = begin(w)
    record = device.record()
    image = w.publisher.publish('1.1.0', pad=20000)

    def park(what, spoil, text):
        stick.write()
        spoil(stick)
        w.ctl('--timeout', '1', 'update', 'boiler@1.1.0', '--from', stick.path, expect=1)
        state = w.wait_device('the update waits', lambda d: d['Waiting'] == 'wait-server' and text in d['StateText'])
        w.expect(f'{what}: {state["StateText"]}', 'the server: ' in state['StateText'])
        w.expect('the device is not touched', device.record() == record and state['RunningVersion'] == '1.0.0')
        w.wait_for('the daemon to let go of the stick', lambda: not stick.is_held_open())

    def cut(stick):
        with open(stick.file('1.1.0'), 'r+b') as file:
            file.truncate(5000)

    def link(stick):
        path = stick.file('1.1.0')
        os.rename(path, os.path.join(stick.path, 'aside'))
        os.symlink(os.path.join(stick.path, 'aside'), path)

    park('the images are gone', lambda stick: shutil.rmtree(os.path.join(stick.path, 'targets')), 'it is not there')
    park('the image is cut', cut, '5000 bytes only')
    park('the image is a link', link, 'symbolic link')
    w.say('the gateway loses power, the stick is back')
    w.kill_daemon()
    w.start_daemon()
    stick.write()
    w.wait_device('it waits on', lambda d: d['Waiting'] == 'wait-server')
    w.ctl('update', 'boiler@1.1.0', '--from', stick.path, expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)

    w.say('the stick lacks an image, the server has it')
    image = w.publisher.publish('1.2.0')
    stick.write()
    os.unlink(stick.file('1.2.0'))
    w.server.start()
    w.ctl('update', 'boiler', '--from', stick.path, expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(image)
    w.expect('the server gave the image and nothing else', all('/1.2.0/' in line for line in w.server.requests().splitlines()))


def each_in_turn(w):
    """A folder that is handed over while the server is asked waits for that, and two folders for each other."""
    server = w.use_origin()
    w.publisher.publish('1.0.0')
    w.add_device('boiler')
    w.start()
    good, bad = Stick(w), Stick(w, 'bad')
    change_timestamp(bad)
    server.command('hang')
    asked = [w.spawn_ctl('check')]
    w.wait_for('the question', lambda: w.ctl('--json', 'status', expect=0).json['state'] == 'checking')
    asked += [w.spawn_ctl('verify', '--from', stick.path) for stick in (good, bad, good)]
    asked.append(w.spawn_ctl('check'))
    server.command('answer', 'drop')
    for program in asked:
        w.wait_for('an answer', lambda program=program: not program.is_alive())
    w.expect('each has its own answer', [program.process.returncode for program in asked[1:4]] == [0, 1, 0])
    w.wait_runs('1.0.0')


def slow_server(w):
    """The gateway is fetching from a server that would take all night; who brings a stick need not wait for it."""
    server = w.use_origin()
    w.publisher.publish('1.0.0')
    w.add_device('boiler')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    server.command('slow 20 /targets')
    for version, newer in (('1.1.0', None), ('1.2.0', '1.3.0')):
        image = w.publisher.publish(version)
        words = (f'boiler@{version}',) if newer else ('boiler',)
        if newer:
            w.say(f'{version} is asked for by name, although {newer} begins by itself')
            w.publisher.publish(newer)
            w.ctl('--no-wait', 'update', *words, expect=0)
        w.ctl('--no-wait', 'update', *words, expect=0)
        stick = Stick(w, version)
        stick.write()
        w.wait_device('the download', lambda d, v=version: d['State'] == 'downloading' and d['Candidate'] == v)
        w.ctl('verify', '--from', stick.path, expect=0)
        w.wait_for('the daemon to let go of what was only verified', lambda s=stick: not s.is_held_open())
        if newer:
            refused = w.ctl('update', f'boiler@{newer}', '--from', stick.path)
            w.expect(f'not another one: {refused.errors}', refused.status == 5 and 'rekindlectl cancel boiler' in refused.errors)
        w.ctl('update', *words, '--from', stick.path, expect=0)
        w.wait_runs(version)
        w.expect_flash(image)
        w.expect('the server has not given it', not any(d[4] for d in server.downloads(version)))


run(offline_update, bad_folders, pulled_stick, each_in_turn, slow_server)
