#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Somebody stole a key, and holds the web server too. What he can do with the key of each role, and what ends it; seen by a gateway
that remembers: rekindle-tuf."""

import base64
import hashlib
import http.server
import json
import os
import shutil
import subprocess
import threading

from publisher import BUILD, expect, tell

CLIENT = os.path.join(BUILD, 'src', 'tuf-client', 'rekindle-tuf')
METADATA = 'boilers/public/metadata'
ROLES = ('root', 'targets', 'snapshot', 'timestamp')


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


class Gateway:
    """Trusts the publisher's first root; asks the web server."""

    def __init__(self, desk):
        self.desk = desk
        self.server = http.server.ThreadingHTTPServer(
            ('127.0.0.1', 0), lambda *a: Quiet(*a, directory=desk.path('boilers/public')))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        os.mkdir(desk.path('gateway'))
        self.run(0, 'init', desk.path('first-root.json'))

    def run(self, code, *arguments, says=''):
        url = f'http://127.0.0.1:{self.server.server_address[1]}'
        done = subprocess.run([CLIENT, '--metadata-url', url + '/metadata', '--metadata-dir', self.desk.path('gateway'), *arguments]
                              if arguments[0] != 'init' else [CLIENT, '--metadata-dir', self.desk.path('gateway'), *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        expect(done.returncode == code and says in done.stdout, f'exit {done.returncode}, "{says}" expected: {done.stdout}')

    def refresh(self):
        self.run(0, 'refresh')

    def refuses(self, says):
        self.run(1, 'refresh', says=says)

    def knows(self, target):
        return target in self.desk.json('gateway/targets.json')['signed']['targets']


def begin(desk):
    desk.now = None  # the client asks the real clock
    desk.repo('init', 'boilers')
    desk.add('1.0.0')
    desk.publish()
    desk.write('first-root.json', desk.read('boilers/root.json'))
    shutil.copytree(desk.path('boilers/keys'), desk.path('stolen'))
    gateway = Gateway(desk)
    gateway.refresh()
    return gateway


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(',', ':')).encode()


def forge(desk, name, signed, *keys):
    """Writes a metadata file, signed with stolen keys; returns what a role above would say about it."""
    signatures = []
    for key in keys:
        desk.write('forged', canonical(signed))
        subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', f'stolen/{key}.pem', '-in', 'forged', '-out', 'signature'],
                       cwd=desk.folder, check=True)
        public = subprocess.run(['openssl', 'pkey', '-in', f'stolen/{key}.pem', '-pubout', '-outform', 'DER'], cwd=desk.folder,
                                check=True, stdout=subprocess.PIPE).stdout[-32:].hex()
        keyid = hashlib.sha256(canonical({'keytype': 'ed25519', 'scheme': 'ed25519', 'keyval': {'public': public}})).hexdigest()
        signatures.append({'keyid': keyid, 'sig': desk.read('signature').hex()})
    data = canonical({'signed': signed, 'signatures': signatures})
    desk.write(f'{METADATA}/{name}', data)
    return {'version': signed['version'], 'length': len(data), 'hashes': {'sha256': hashlib.sha256(data).hexdigest()}}


def signed(desk, name):
    return desk.json(METADATA, name)['signed']


def forge_online(desk, targets, version=1000):
    """A snapshot that says this about targets, and a timestamp about it."""
    snapshot = signed(desk, '1.snapshot.json')
    snapshot.update(version=version, meta={'targets.json': targets})
    timestamp = signed(desk, 'timestamp.json')
    timestamp.update(version=version, meta={'snapshot.json': forge(desk, f'{version}.snapshot.json', snapshot, 'snapshot')})
    forge(desk, 'timestamp.json', timestamp, 'timestamp')


def evil_targets(desk, version):
    targets = signed(desk, '1.targets.json')
    targets.update(version=version)
    targets['targets']['boiler/9.0.0/one.bin'] = targets['targets']['boiler/1.0.0/one.bin']
    return targets


def keep_public(desk):
    shutil.copytree(desk.path('boilers/public'), desk.path('backup'))


def put_back(desk):
    """The publisher's own copy again: with lower versions than the thief had reached."""
    shutil.rmtree(desk.path('boilers/public'))
    os.rename(desk.path('backup'), desk.path('boilers/public'))


def timestamp_key_holds_updates_up_until_it_is_rotated(desk):
    gateway = begin(desk)
    keep_public(desk)
    timestamp = signed(desk, 'timestamp.json')
    timestamp['version'] = 1000000
    forge(desk, 'timestamp.json', timestamp, 'timestamp')
    gateway.refresh()
    put_back(desk)
    desk.add('1.1.0', 'two.bin')
    desk.publish(says='timestamp 2')
    gateway.refuses('TUF 5.4.3')
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.publish(says='root 2\ntimestamp 3')
    gateway.refresh()
    expect(gateway.knows('boiler/1.1.0/two.bin'), 'the gateway is still held up')


def online_keys_make_no_release(desk):
    gateway = begin(desk)
    evil = evil_targets(desk, 2)
    forge_online(desk, forge(desk, '2.targets.json', evil, 'snapshot', 'timestamp'))
    gateway.refuses('TUF 5.6.3')
    expect(not gateway.knows('boiler/9.0.0/one.bin'), 'the gateway took it')


def online_keys_do_not_bring_old_releases_back(desk):
    gateway = begin(desk)
    desk.add('1.1.0', 'two.bin')
    desk.publish()
    gateway.refresh()
    old = desk.json(METADATA, '1.snapshot.json')['signed']['meta']['targets.json']
    forge_online(desk, old)
    gateway.refuses('TUF 5.5.5')
    expect(gateway.knows('boiler/1.1.0/two.bin'), 'rolled back')


def targets_key_alone_brings_nothing_to_a_gateway(desk):
    gateway = begin(desk)
    desk.add('1.1.0', 'two.bin')
    desk.publish()
    forge(desk, '2.targets.json', evil_targets(desk, 2), 'targets')
    gateway.refuses('TUF 5.6.2')


def all_but_the_root_are_stolen_and_replaced(desk):
    """The worst before the root itself: releases of a thief until the root names other keys. They are gone then."""
    gateway = begin(desk)
    keep_public(desk)
    forge_online(desk, forge(desk, '1000.targets.json', evil_targets(desk, 1000), 'targets'))
    gateway.refresh()
    expect(gateway.knows('boiler/9.0.0/one.bin'), 'a thief with these keys can do more than that')
    put_back(desk)
    for role in ROLES[1:]:
        desk.repo('key', 'rotate', 'boilers', role)
    desk.publish(says='root 2\ntargets 2\nsnapshot 2\ntimestamp 2\n')
    gateway.refresh()
    expect(gateway.knows('boiler/1.0.0/one.bin') and not gateway.knows('boiler/9.0.0/one.bin'), 'the thief still rules')
    forge_online(desk, forge(desk, '1000.targets.json', evil_targets(desk, 1000), 'targets'))
    gateway.refuses('TUF 5.4.2')


def one_of_two_root_keys_is_not_enough(desk):
    gateway = begin(desk)
    desk.repo('key', 'new', 'bob.pem')
    desk.repo('key', 'add', 'boilers', 'root', 'bob.pub.pem', '--threshold', '2')
    desk.publish('--key', 'bob.pem', says='root 2')
    gateway.refresh()
    root = signed(desk, '2.root.json')
    root['version'] = 3
    root['roles']['root']['threshold'] = 1
    forge(desk, '3.root.json', root, 'root')
    gateway.refuses('TUF 5.3.4')
    desk.repo('publish', 'boilers', code=1, says='3.root.json')


def device_key_of_the_publisher_still_counts(desk):
    """A thief of all keys of the repository has no device key: what he releases has no good signature for devices."""
    begin(desk)
    desk.repo('device-key', 'boilers', 'line1')
    desk.add('1.1.0', 'two.bin', '--device-key', 'line1')
    release = next(r for r in json.loads(desk.repo('show', 'boilers', '--json'))['releases'] if r['version'] == '1.1.0')
    header = bytearray(base64.b64decode(release['device-header']))
    desk.write('signature', base64.b64decode(release['device-signature']))
    for change, good in ((0, True), (1, False)):
        header[12] ^= change  # of the digest
        desk.write('header', bytes(header))
        done = subprocess.run(['openssl', 'pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', 'boilers/keys/device-line1.pub.pem',
                               '-in', 'header', '-sigfile', 'signature'], cwd=desk.folder, stdout=subprocess.DEVNULL, check=False)
        expect((done.returncode == 0) == good, f'signature judged {done.returncode} with {change} bit changed')


tell(timestamp_key_holds_updates_up_until_it_is_rotated, online_keys_make_no_release, online_keys_do_not_bring_old_releases_back,
     targets_key_alone_brings_nothing_to_a_gateway, all_but_the_root_are_stolen_and_replaced, one_of_two_root_keys_is_not_enough,
     device_key_of_the_publisher_still_counts)
