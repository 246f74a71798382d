#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an update wanted is no longer what is offered: withdrawn by its publisher, or overtaken by a newer release."""

import glob
import hashlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position


class Metadata:
    """Signs as the publisher does, by openssl(1): what rekindle-repo has no verb for."""

    def __init__(self, w):
        self.w = w
        self.folder = os.path.join(w.publisher.path, 'public', 'metadata')

    def newest(self, role):
        """(version, the signed part) of the newest file of this role."""
        names = glob.glob(os.path.join(self.folder, f'*.{role}.json'))
        version = max(int(os.path.basename(name).split('.')[0]) for name in names)
        with open(os.path.join(self.folder, f'{version}.{role}.json'), encoding='utf-8') as file:
            return version, json.load(file)['signed']

    def sign(self, role, signed):
        """Replaces the role by its next version; says what the role above it has to promise."""
        key = os.path.join(self.w.publisher.path, 'keys', f'{role}.pem')
        root = self.newest('root')[1]
        text = json.dumps(signed, sort_keys=True, separators=(',', ':'), ensure_ascii=False)
        body = self.w.write('to-sign', text)
        signature = subprocess.run(['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', key, '-in', body],
                                   stdout=subprocess.PIPE, check=True).stdout
        whole = json.dumps({'signatures': [{'keyid': root['roles'][role]['keyids'][0], 'sig': signature.hex()}],
                            'signed': signed}).encode()
        name = 'timestamp.json' if role == 'timestamp' else f'{signed["version"]}.{role}.json'
        with open(os.path.join(self.folder, name + '.new'), 'wb') as file:
            file.write(whole)
        os.rename(os.path.join(self.folder, name + '.new'), os.path.join(self.folder, name))
        return {'version': signed['version'], 'length': len(whole), 'hashes': {'sha256': hashlib.sha256(whole).hexdigest()}}


def withdraw(w, version, model='boiler-ctl'):
    """Takes a release out of the targets, and signs all that depends on them anew."""
    metadata = Metadata(w)
    with open(os.path.join(metadata.folder, 'timestamp.json'), encoding='utf-8') as file:
        timestamp = json.load(file)['signed']
    _, snapshot = metadata.newest('snapshot')
    _, targets = metadata.newest('targets')
    gone = [name for name in targets['targets'] if name.startswith(f'{model}/{version}/')]
    w.expect(f'{gone} is withdrawn', len(gone) == 1)
    del targets['targets'][gone[0]]
    targets['version'] += 1
    snapshot['version'] += 1
    timestamp['version'] += 1
    snapshot['meta']['targets.json'] = metadata.sign('targets', targets)
    timestamp['meta']['snapshot.json'] = metadata.sign('snapshot', snapshot)
    metadata.sign('timestamp', timestamp)


def begin(w):
    """1.0.0 runs; a window is closed for the next hours."""
    w.publisher.publish('1.0.0')
    device = w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    return device


def window(w, keys):
    w.stop_daemon()
    w.updates_keys = keys
    w.write_config()
    w.start_daemon()


def closed():
    """A window that does not open for hours, whatever the hour is."""
    minute = int(subprocess.check_output(['date', '+%H'], encoding='utf-8')) + 6
    return f'Window={minute % 24:02d}:00-{minute % 24:02d}:01'


def overtaken(w):
    """An update that waits for the window gives way to a newer release, and that one is installed when it opens."""
    begin(w)
    window(w, closed())
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 waits for the window', lambda d: d['Candidate'] == '1.1.0' and d['Waiting'] == 'wait-window')
    image = w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_device('1.2.0 waits for the window', lambda d: d['Candidate'] == '1.2.0' and d['Waiting'] == 'wait-window')
    w.expect('1.1.0 ended with a clear word', [(e['outcome'], e['text']) for e in w.history() if e['event'] == 'result'][-1] ==
             ('canceled', '1.2.0 takes the place of 1.1.0'))
    w.expect('nothing is passed over', w.device()['PassedOver'] == '')
    window(w, '')
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(image)


def withdrawn(w):
    """An update that waits for the window ends when its release is withdrawn; a later one is installed."""
    device = begin(w)
    record = device.record()
    window(w, closed())
    w.publisher.publish('1.1.0')
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 waits for the window', lambda d: d['Candidate'] == '1.1.0' and d['Waiting'] == 'wait-window')
    withdraw(w, '1.1.0')
    w.ctl('check', expect=0)
    w.wait_result('1.1.0', 'canceled')
    state = w.device()
    w.expect(f'a clear word: {state["OutcomeText"]}', state['OutcomeText'] == '1.1.0 was withdrawn by its publisher')
    window(w, '')
    w.ctl('check', expect=0)
    state = w.wait_device('nothing is offered any more', lambda d: d['State'] == 'idle' and d['Verdict'] == 'already-running')
    w.expect('it was never touched', state['RunningVersion'] == '1.0.0' and device.record() == record)
    image = w.publisher.publish('1.2.0')
    w.ctl('check', expect=0)
    w.wait_runs('1.2.0')
    w.expect_flash(image)


def withdrawn_in_the_download(w):
    """The download of a release that is withdrawn meanwhile ends at once."""
    device = begin(w)
    record = device.record()
    w.server.stop()
    w.server.start(rate=2000)
    w.publisher.publish('1.1.0', pad=60000)
    w.ctl('check', expect=0)
    w.wait_device('1.1.0 is being downloaded', lambda d: d['Candidate'] == '1.1.0' and d['State'] == 'downloading')
    withdraw(w, '1.1.0')
    w.ctl('check', expect=0)
    w.wait_result('1.1.0', 'canceled')
    w.expect('it was never touched', device.record() == record)


run(overtaken, withdrawn, withdrawn_in_the_download)
