#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The main job as a service: installed by meson, started by a real systemd under its own users, seen over the real system bus."""

import fcntl
import glob
import grp
import json
import os
import shutil
import subprocess
import sys
import tempfile
import termios
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
import world as worlds  # noqa: E402  pylint: disable=wrong-import-position
from container import Container  # noqa: E402  pylint: disable=wrong-import-position
from process import wait_for  # noqa: E402  pylint: disable=wrong-import-position

LINE = '/dev/ttyS0'

DROP_IN = '''[Service]
Environment=LD_PRELOAD=/usr/lib/rekindle-test/ptyshim.so
DeviceAllow=char-pts rw
'''


# logind has no PAM module in here
USER_MANAGER = '''[Service]
Environment=XDG_RUNTIME_DIR=/run/user/%i
'''

PUBLISHER = 1000
HOME = '/home/publisher'


def install(container):
    """meson install, and what a package would add."""
    with tempfile.TemporaryDirectory(prefix='rekindle-install-') as tree:
        subprocess.run(['meson', 'install', '-C', worlds.BUILD, '--no-rebuild', '--quiet'], check=True,
                       stdin=subprocess.DEVNULL, env={**os.environ, 'DESTDIR': tree})
        subprocess.run(['cp', '-a', f'{tree}/.', container.root], check=True)
    os.chmod(container.root, 0o755)
    subprocess.run(['systemd-sysusers', f'--root={container.root}', 'rekindle.conf'], check=True)


def configure(w, container, device):
    """The owner's files, and the shim that lets libserialport open a pty."""
    w.write_config()
    text = open(w.config, encoding='utf-8').read().replace(device.line, LINE)
    container.write('/etc/rekindle/rekindled.conf', text)
    container.copy(os.path.join(w.tmp, 'etc', 'fetch.conf'), '/etc/rekindle/fetch.conf')
    container.copy(os.path.join(w.publisher.path, 'root.json'), '/etc/rekindle/root.json')
    shim = glob.glob(os.path.join(worlds.BUILD, 'tests', 'lib', '*ptyshim.so'))
    container.copy(shim[0], '/usr/lib/rekindle-test/ptyshim.so')
    container.write('/etc/systemd/system/rekindled.service.d/test.conf', DROP_IN)
    container.write('/etc/systemd/system/user@.service.d/test.conf', USER_MANAGER)
    subprocess.run(['systemctl', f'--root={container.root}', '--quiet', 'enable', 'rekindle-fetch.socket',
                    'rekindled.service'], check=True)


def lend_line(device):
    """The pty is a serial port of the container: group dialout, as udev would make it."""
    pty = os.path.realpath(device.line)
    os.chown(pty, 0, grp.getgrnam('dialout').gr_gid)
    os.chmod(pty, 0o660)
    return f'--bind={pty}:{LINE}'


def property_of(container, unit, name):
    return container.check('systemctl', 'show', '--value', '-p', name, unit)


def user_of(container, unit):
    pid = property_of(container, unit, 'MainPID')
    return container.call('ps', '-o', 'user:32=', '-p', pid).stdout.strip() if pid != '0' else ''


def sees_units(w, container):
    w.expect('systemd-analyze finds nothing wrong with the units', not container.check(
        'systemd-analyze', 'verify', '--man=no', '/usr/lib/systemd/system/rekindled.service',
        '/usr/lib/systemd/system/rekindle-fetch.service', '/usr/lib/systemd/system/rekindle-fetch.socket'))
    w.expect('rekindled is running', wait_for('rekindled.service', lambda: property_of(
        container, 'rekindled.service', 'ActiveState') == 'active'))
    w.expect('it was started once', property_of(container, 'rekindled.service', 'NRestarts') == '0')
    w.expect('it runs as user rekindle', user_of(container, 'rekindled.service') == 'rekindle')
    w.expect('the fetcher does not run before it is needed',
             property_of(container, 'rekindle-fetch.service', 'ActiveState') == 'inactive')
    w.expect('the state folder is private',
             container.check('stat', '-c', '%a %U %G', '/var/lib/rekindle') == '700 rekindle rekindle')
    w.expect('the socket is the daemon\'s only',
             container.check('stat', '-c', '%a %U', '/run/rekindle-fetch/socket') == '600 rekindle')
    pid = property_of(container, 'rekindled.service', 'MainPID')
    w.expect('rekindled has no network of the machine', container.check('readlink', f'/proc/{pid}/ns/net') !=
             container.check('readlink', '/proc/1/ns/net'))
    w.expect('the bus had nothing to say against the policy',
             'nknown' not in container.call('journalctl', '-b', '-u', 'dbus.service', '--no-pager').stdout)


def asks_as_anybody(w, container):
    anybody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    w.expect('anybody may look', container.call(*anybody, 'rekindlectl', '--json', 'list').returncode == 0)
    w.expect('nobody may act', container.call(*anybody, 'rekindlectl', 'update', 'boiler').returncode not in (0, 3))
    member = ['setpriv', '--reuid=65534', '--regid=65534', '--groups=' + container.check('getent', 'group', 'rekindle').split(
        ':')[2]]
    w.expect('a member of the group may act', container.call(*member, 'rekindlectl', 'check').returncode == 0)


def main_job(w, container, device):
    w.say('the blank device is provisioned')
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.0.0'])
    w.expect('the fetcher runs as its own user', user_of(container, 'rekindle-fetch.service') == 'rekindle-fetch')

    w.say('1.1.0 is published')
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    state = w.wait_runs('1.1.0')
    w.expect_flash(w.publisher.images['boiler-ctl', '1.1.0'])
    w.expect('1.0.0 is kept as previous', state['PreviousVersion'] == '1.0.0')
    w.expect('the device says so too', device.record()['state'] == 'confirmed')


def let_others_open(device):
    """A killed owner leaves a pty exclusive, because the simulator still has it open; a real port forgets it at the last close."""
    line = os.open(os.path.realpath(device.line), os.O_RDWR | os.O_NOCTTY)
    fcntl.ioctl(line, termios.TIOCNXCL)
    os.close(line)


def survives(w, container, device):
    container.check('systemctl', 'kill', '-s', 'KILL', 'rekindled.service')
    let_others_open(device)
    wait_for('rekindled after SIGKILL', lambda: property_of(container, 'rekindled.service', 'NRestarts') == '1' and
             property_of(container, 'rekindled.service', 'ActiveState') == 'active')
    w.wait_runs('1.1.0')
    w.say('ok: killed, started again, the device is as before')
    container.check('systemctl', 'stop', 'rekindled.service')
    w.expect('a call over the bus starts the service', w.ctl('--json', 'list').status == 0)
    wait_for('the fetcher to go when it is idle', lambda: property_of(
        container, 'rekindle-fetch.service', 'ActiveState') == 'inactive', 60, pause=0.5)
    w.say('ok: the fetcher went away')
    w.expect('its socket still listens', property_of(container, 'rekindle-fetch.socket', 'ActiveState') == 'active')


class Publisher:
    """Somebody without rights, whose own service manager renews the signatures of his folders."""

    def __init__(self, container):
        self.container = container
        self.words = ['setpriv', f'--reuid={PUBLISHER}', f'--regid={PUBLISHER}', '--clear-groups', 'env', f'HOME={HOME}',
                      f'XDG_RUNTIME_DIR=/run/user/{PUBLISHER}']
        container.check('useradd', '--create-home', f'--uid={PUBLISHER}', 'publisher')
        container.check('systemctl', 'start', f'user@{PUBLISHER}.service')

    def check(self, *command):
        return self.container.check(*self.words, *command)

    def make(self, name):
        """A repository whose timestamp has more than half of its time behind it."""
        long_ago = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() - 30 * 3600))
        self.check('rekindle-repo', 'init', f'{HOME}/{name}', '--expires-in', 'timestamp=2d')
        self.check('rekindle-repo', 'publish', f'{HOME}/{name}', '--now', long_ago)
        return f'{HOME}/{name}'

    def refresh(self, path):
        """What the timer starts; and how that ended."""
        unit = f'rekindle-repo-refresh@{self.check("systemd-escape", "--path", path)}.service'
        done = self.container.call(*self.words, 'systemctl', '--user', 'start', unit)
        state = set(self.check('systemctl', '--user', 'show', '--value', '-p', 'ActiveState', '-p', 'Result', unit).split())
        lines = self.container.check('journalctl', '-b', '--no-pager', '-o', 'cat', f'_UID={PUBLISHER}', '-t', 'rekindle-repo')
        return done.returncode, state, lines.split('\n')[-1]


def renews(w, container):
    """The timer's service, started once each for a folder that is due, one whose key is away, and none."""
    publisher = Publisher(container)
    path = publisher.make('boilers')
    timestamp = f'{path}/public/metadata/timestamp.json'
    before = container.check('cat', timestamp)
    status, state, said = publisher.refresh(path)
    w.expect(f'it says "{said}"', (status, state, said) == (0, {'inactive', 'success'}, 'nothing expires soon'))
    after = json.loads(container.check('cat', timestamp))['signed']
    w.expect('the timestamp is renewed', after['version'] == json.loads(before)['signed']['version'] + 1 and
             after['expires'] > json.loads(before)['signed']['expires'])
    w.expect('it is the publisher\'s, and anybody can read it',
             container.check('stat', '-c', '%a %U %G', timestamp) == '644 publisher publisher')
    w.expect('the key is still his alone', container.check('stat', '-c', '%a %U', f'{path}/keys/timestamp.pem') == '600 publisher')
    w.expect('gateways take it', 'boilers' not in publisher.check('rekindle-repo', 'verify', path))

    path = publisher.make('locked-away')
    publisher.check('mv', f'{path}/keys/timestamp.pem', HOME)
    for what, folder, text in (('a key', path, 'keys/timestamp.pem: is not there'), ('the folder', f'{HOME}/nothing', 'is not there')):
        status, state, said = publisher.refresh(folder)
        w.expect(f'without {what} it fails: {said}', status != 0 and state == {'exit-code', 'failed'} and
                 folder in said and text in said)


def service(w):
    """Installed and booted in a container, 1.0.0 is provisioned and 1.1.0 confirmed by the service."""
    container = Container()
    try:
        install(container)
        w.publisher.publish('1.0.0')
        w.server.start()
        device = w.add_device('boiler')
        configure(w, container, device)
        w.say(f'booting on {container.base}')
        container.boot(lend_line(device))
        w.inside = container.inside
        w.ctl_path = 'rekindlectl'
        try:
            sees_units(w, container)
            w.wait_for('rekindled on the bus', w.objects)
            main_job(w, container, device)
            asks_as_anybody(w, container)
            survives(w, container, device)
            renews(w, container)
        except Exception:
            print(w.ctl('ports').text)
            print(container.call('journalctl', '-b', '--no-pager', '-n', '120', '-u', 'rekindled', '-u', 'rekindle-fetch*',
                                 '-u', 'dbus', '-u', 'user@*').stdout)
            raise
        status = container.call('systemctl', 'stop', 'rekindled.service')
        w.expect('the service stops cleanly', status.returncode == 0 and
                 property_of(container, 'rekindled.service', 'Result') == 'success')
    finally:
        container.close()


if __name__ == '__main__':
    if os.geteuid() != 0 or not shutil.which('systemd-nspawn'):
        print('needs root and systemd-nspawn')
        sys.exit(77)
    worlds.run(service)
