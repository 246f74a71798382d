#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Signed metadata that was changed, cut, swapped or put back to an older state: each refusal has its code, no device is touched."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


class Metadata:
    """The published metadata; every change to it can be taken back."""

    def __init__(self, public):
        self.folder = os.path.join(public, 'metadata')
        self.good = os.path.join(os.path.dirname(public), 'good-metadata')
        self.old = os.path.join(os.path.dirname(public), 'old-metadata')

    def keep(self, where):
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(self.folder, where)

    def heal(self):
        shutil.rmtree(self.folder)
        shutil.copytree(self.good, self.folder)

    def path(self, role):
        """The newest file of the role."""
        if role == 'timestamp':
            return os.path.join(self.folder, 'timestamp.json')
        names = [name for name in os.listdir(self.folder) if name.endswith(f'.{role}.json')]
        return os.path.join(self.folder, max(names, key=lambda name: int(name.split('.')[0])))

    def read(self, role):
        with open(self.path(role), encoding='utf-8') as file:
            return file.read()

    def write(self, role, text):
        with open(self.path(role), 'w', encoding='utf-8') as file:
            file.write(text)

    def write_next_root(self, document):
        version = int(os.path.basename(self.path('root')).split('.')[0]) + 1
        with open(os.path.join(self.folder, f'{version}.root.json'), 'w', encoding='utf-8') as file:
            json.dump(document, file)


def change_byte(m, role):
    """One digit of the expiry: it is still well-formed, and lasts longer than was signed."""
    text = m.read(role)
    at = text.index('"expires":"2') + len('"expires":"2')
    m.write(role, text[:at] + '9' + text[at + 1:])


def break_json(m, role):
    text = m.read(role)
    m.write(role, text[:-1])


def drop_signature(m, role):
    document = json.loads(m.read(role))
    document['signatures'] = []
    m.write(role, json.dumps(document))


def old_timestamp(m, role):
    shutil.copy(os.path.join(m.old, 'timestamp.json'), m.folder)


def swap(m, role):
    """Another signed file of the same repository in its place."""
    m.write(role, m.read({'timestamp': 'snapshot', 'snapshot': 'targets', 'targets': 'snapshot'}[role]))


def remove(m, role):
    os.unlink(m.path(role))


def flood(m, role):
    """Far more than was announced, or than anybody takes."""
    m.write(role, m.read(role) + ' ' * (1 << 20))


def foreign_root(m, role):
    document = json.loads(m.read(role))
    document['signed']['version'] += 1
    m.write_next_root(document)


def unsigned_root(m, role):
    document = json.loads(m.read(role))
    document['signed']['version'] += 1
    document['signatures'] = []
    m.write_next_root(document)


def same_root(m, role):
    m.write_next_root(json.loads(m.read(role)))


# In this order: what was trusted of a role stays trusted, so that the roles below are looked at next.
CASES = [
    (foreign_root, 'root', 'metadata-signature'),
    (unsigned_root, 'root', 'metadata-signature'),
    (same_root, 'root', 'metadata-version'),
    (change_byte, 'timestamp', 'metadata-signature'),
    (drop_signature, 'timestamp', 'metadata-signature'),
    (break_json, 'timestamp', 'metadata-invalid'),
    (swap, 'timestamp', 'metadata-invalid'),
    (flood, 'timestamp', 'metadata-invalid'),
    (remove, 'timestamp', 'metadata-missing'),
    (change_byte, 'snapshot', 'metadata-invalid'),
    (drop_signature, 'snapshot', 'metadata-invalid'),
    (break_json, 'snapshot', 'metadata-invalid'),
    (swap, 'snapshot', 'metadata-invalid'),
    (flood, 'snapshot', 'metadata-invalid'),
    (remove, 'snapshot', 'metadata-missing'),
    (old_timestamp, 'timestamp', 'metadata-version'),
    (change_byte, 'targets', 'metadata-invalid'),
    (drop_signature, 'targets', 'metadata-invalid'),
    (break_json, 'targets', 'metadata-invalid'),
    (swap, 'targets', 'metadata-invalid'),
    (flood, 'targets', 'metadata-invalid'),
    (remove, 'targets', 'metadata-missing'),
]


def refused(w, m, device, first, case):
    change, role, outcome = case
    change(m, role)
    answer = w.ctl('--json', 'check')
    w.expect(f'{change.__name__} {role}: {outcome}: {answer.json["text"]}',
             (answer.status, answer.json['outcome']) == (1, outcome))
    status = w.ctl('--json', 'status', expect=0).json
    w.expect('status tells the same', status['last-check-result'] == outcome)
    w.expect('no update is open and nothing was written to the device', w.device()['State'] == 'idle' and device.holds(first))
    m.heal()


def tampered_metadata(w):
    """A new release hides behind metadata that somebody changed in 22 ways; then the publisher's own is served again."""
    first = w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    m = Metadata(os.path.join(w.publisher.path, 'public'))
    m.keep(m.old)
    image = w.publisher.publish('1.1.0')
    m.keep(m.good)
    for case in CASES:
        refused(w, m, device, first, case)
    w.expect('no file of a release was asked for', w.server.requests().count('/targets/') == 1)
    told = [e['outcome'] for e in w.ctl('--json', 'history', expect=0).json if e['event'] == 'check']
    w.expect('history tells each change of the outcome', {outcome for _, _, outcome in CASES} <= set(told))

    w.say('the daemon starts again: what it trusted stays trusted')
    w.stop_daemon()
    w.start_daemon()
    refused(w, m, device, first, (old_timestamp, 'timestamp', 'metadata-version'))

    w.say('the publisher\'s own metadata is served again')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.expect_flash(image)


def damaged_trust(w):
    """What the gateway trusted is damaged on its own disk: it says what its owner can do, and that helps."""
    w.publisher.publish('1.0.0')
    w.add_device('boiler')
    w.start()
    w.publisher.repo('key', 'rotate', w.publisher.path, 'timestamp')
    w.publisher.publish()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    root = os.path.join(w.state, 'trust', 'root.json')
    with open(root, 'r+b') as file:
        file.truncate(100)
    answer = w.ctl('--json', 'check', expect=1).json
    w.expect(answer['text'], answer['outcome'] == 'metadata-invalid' and 'trust/root.json in the state folder is damaged' in
             answer['text'] and 'etc/root.json' in answer['text'])
    os.unlink(root)
    w.ctl('check', expect=0)
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')


run(tampered_metadata, damaged_trust)
