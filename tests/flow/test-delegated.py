#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Releases that teams sign for their own models: found through delegated roles, left out aloud when a role is not what it has to be."""

import glob
import json
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tuf'))
from repository import Repository, Signer, from_now  # noqa: E402  pylint: disable=wrong-import-position
from world import run  # noqa: E402  pylint: disable=wrong-import-position


class Teams:
    """The publisher's releases, listed by roles of teams instead of by targets."""

    def __init__(self, w):
        self.w = w
        self.signer = Signer()
        self.repository = Repository(self.signer)
        self.folder = os.path.join(w.publisher.path, 'public', 'teams')
        w.updates_keys = '\n[Server]\nMetadataUrl=/teams'

    def release(self, role, version, behaviour='healthy', model='boiler-ctl'):
        """Made and served by the publisher, signed by the team."""
        self.w.publisher.publish(version, behaviour, model=model, trial=1)
        names = glob.glob(os.path.join(self.w.publisher.path, 'public', 'metadata', '*.targets.json'))
        newest = max(names, key=lambda name: int(os.path.basename(name).split('.')[0]))
        with open(newest, encoding='utf-8') as file:
            targets = json.load(file)['signed']['targets']
        for name, entry in targets.items():
            if name.startswith(f'{model}/{version}/'):
                self.repository.roles[role].signed['targets'][name] = entry

    def publish(self):
        self.repository.publish_all()
        self.write()

    def write(self):
        os.makedirs(self.folder, exist_ok=True)
        for name, role in self.repository.roles.items():
            for version, data in role.versions.items():
                with open(os.path.join(self.folder, f'{version}.{urllib.parse.quote(name, "")}.json'), 'wb') as file:
                    file.write(data)
        with open(os.path.join(self.folder, 'timestamp.json'), 'wb') as file:
            file.write(self.repository.timestamp.newest)

    def close(self):
        self.signer.close()


def start(w, teams):
    """The owner trusts the root of the teams' repository."""
    w.trust = lambda: w.write('etc/root.json', teams.repository.root.versions[1].decode())
    w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
    w.start()


def trusted(w):
    return sorted(name for name in os.listdir(os.path.join(w.state, 'trust')) if name.endswith('.json'))


def teams_release_their_models(w):
    """Only roles that can list the models here are fetched; what a team may not list does not count."""
    teams = Teams(w)
    r = teams.repository
    r.delegate('targets', 'boilers', ['boiler-*/*/*'])
    r.delegate('targets', 'panels', ['panel/*/*'])
    r.delegate('boilers', 'ctl', ['boiler-ctl/*/*'])
    teams.release('ctl', '1.0.0')
    teams.release('panels', '9.9.9')  # not theirs
    teams.publish()
    start(w, teams)
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect('two of three roles are kept', trusted(w) == [
        'boilers.json', 'ctl.json', 'snapshot.json', 'targets.json', 'timestamp.json'])
    teams.release('ctl', '1.1.0')
    teams.publish()
    w.ctl('check', expect=0)
    w.wait_runs('1.1.0')
    w.say('a role that is gone')
    r.targets.signed['delegations']['roles'] = [d for d in r.targets.signed['delegations']['roles'] if d['name'] != 'boilers']
    r.snapshot.signed['meta'] = {'targets.json': r.snapshot.signed['meta']['targets.json']}
    r.rotate('snapshot')
    r.publish('root', 'targets', 'snapshot', 'timestamp')
    teams.write()
    w.ctl('check', expect=0)
    w.wait_for('its file is swept', lambda: trusted(w) == ['root.json', 'snapshot.json', 'targets.json', 'timestamp.json'])
    teams.close()


def bad_role_is_left_out(w):
    """An expired team stops itself, and no other; status, history and journal name the clause."""
    teams = Teams(w)
    r = teams.repository
    r.delegate('targets', 'late', ['boiler-ctl/2.*/*'])
    r.delegate('targets', 'ctl', ['boiler-ctl/1.*/*'])
    r.roles['late'].signed['expires'] = from_now(days=-1)
    teams.release('late', '2.0.0')
    teams.release('ctl', '1.0.0')
    teams.publish()
    start(w, teams)
    answer = w.ctl('check', expect=0)
    text = 'role late is left out: delegated by targets: TUF 5.6.5: late: version 1 expired'
    w.expect('check tells', text in answer.text)
    w.wait_runs('1.0.0')
    w.expect('status tells', text in w.ctl('status', expect=0).text)
    w.expect('history tells, once', w.ctl('history', expect=0).text.count('TUF 5.6.5') == 1)
    told = w.said().count(text)
    w.expect('the journal tells', told > 0)
    w.ctl('check', expect=0)
    w.expect('still once', w.ctl('history', expect=0).text.count('TUF 5.6.5') == 1)
    w.expect('the journal does not tell it again', w.said().count(text) == told)
    w.say('the team signs again')
    r.roles['late'].signed['expires'] = from_now(days=10)
    teams.publish()
    w.ctl('check', expect=0)
    w.wait_runs('2.0.0')
    w.say('somebody else signs in its place')
    teams.release('ctl', '1.1.0')
    teams.release('late', '3.0.0')
    r.roles['late'].signers = [r.new_key()]
    teams.publish()
    w.expect('it is told', 'TUF 5.6.3: late: 0 good signatures' in w.ctl('check', expect=0).text)
    w.expect('2.0.0 runs on', w.device()['RunningVersion'] == '2.0.0')
    teams.close()


def new_model_is_looked_for(w):
    """A device of a model that nobody knew: its team's role is fetched without being asked to."""
    teams = Teams(w)
    r = teams.repository
    r.delegate('targets', 'ctl', ['boiler-ctl/*/*'])
    r.delegate('targets', 'pumps', ['pump/*/*'])
    teams.release('ctl', '1.0.0')
    teams.release('pumps', '5.0.0', model='pump')
    teams.publish()
    start(w, teams)
    pump = w.add_device('pump', 'pump', '--flash-times', 'off', start=False, section=False)
    w.stop_daemon()
    w.write_config()
    w.start_daemon()
    w.ctl('check', expect=0)
    w.wait_runs('1.0.0')
    w.expect('the pumps are not', 'pumps.json' not in trusted(w))
    pump.start()
    w.wait_for('they are now', lambda: 'pumps.json' in trusted(w))
    w.wait_for('its release is seen', lambda: w.ctl('--json', 'status', expect=0).json['releases'] == 2)
    teams.close()


if __name__ == '__main__':
    run(teams_release_their_models, bad_role_is_left_out, new_model_is_looked_for)
