#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A team signs the releases of a model with keys of its own."""

import json

from publisher import expect, tell

PUMP_PATHS = ['pump/*/*']


def begin(desk):
    desk.repo('init', 'boilers')
    desk.add('1.0.0')
    desk.publish()
    desk.write('first-root.json', desk.read('boilers', 'root.json'))
    return desk.key_id(desk.repo('key', 'new', 'team.pem'))


def delegated(desk):
    team = begin(desk)
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'team.pub.pem', says='is staged')
    desk.add('0.1.0', 'two.bin', model='pump')
    desk.publish('--key', 'team.pem', says='pumps 1\ntargets 2\nsnapshot 2\ntimestamp 2\n')
    return team


def team_signs_with_its_key(desk):
    team = delegated(desk)
    expect(desk.verify() == {'boiler/1.0.0': 'targets', 'pump/0.1.0': 'pumps'}, 'not what a gateway should see')
    role = desk.json('boilers/public/metadata/2.targets.json')['signed']['delegations']['roles'][0]
    expect(role['paths'] == PUMP_PATHS and role['keyids'][0].startswith(team) and role['terminating'], role)
    targets = desk.json('boilers/public/metadata/2.targets.json')['signed']['targets']
    expect(list(targets) == ['boiler/1.0.0/one.bin'], 'targets lists a release of the team')


def what_the_team_has_not_signed_is_held_back(desk):
    delegated(desk)
    desk.add('0.2.0', 'three.bin', model='pump')
    desk.add('1.1.0', 'two.bin')
    said = desk.publish(code=1, says='pumps is held back')
    expect('targets 3\n' in said and 'pumps 2' not in said, said)
    expect(desk.verify() == {'boiler/1.0.0': 'targets', 'boiler/1.1.0': 'targets', 'pump/0.1.0': 'pumps'},
           'not the old state of the team beside the new one of targets')
    desk.publish('--key', 'team.pem', says='pumps 2\n')
    expect('pump/0.2.0' in desk.verify(), 'the release of the team is not there')


def team_signs_elsewhere(desk):
    begin(desk)
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'team.pub.pem')
    desk.add('0.1.0', 'two.bin', model='pump')
    desk.publish(code=1, says='pumps is held back')
    expect(desk.verify() == {'boiler/1.0.0': 'targets'}, 'an unsigned delegation shows')
    shown = desk.repo('targets', 'export', 'boilers', 'pumps.request', '--role', 'pumps')
    expect('+ pump/0.1.0/two.bin  channel stable' in shown, shown)
    desk.repo('targets', 'sign', 'pumps.request', '--key', 'team.pem', says='all signatures are there')
    desk.repo('targets', 'import', 'boilers', 'pumps.request', '--role', 'pumps')
    desk.publish(says='pumps 1\n')
    expect(desk.verify()['pump/0.1.0'] == 'pumps', 'the release of the team is not there')
    expect(not desk.has('boilers/stage/next-pumps.json'), 'what was signed is still staged')


def two_sign_targets_elsewhere(desk):
    begin(desk)
    desk.repo('key', 'add', 'boilers', 'targets', 'team.pub.pem', '--threshold', '2')
    desk.publish(code=1, says='targets has 1 of 2 signatures')
    desk.publish('--key', 'team.pem', says='root 2\ntargets 2')
    desk.add('1.1.0', 'two.bin')
    desk.publish(code=1, says='targets has 1 of 2 signatures')
    desk.repo('targets', 'export', 'boilers', 'request')
    desk.repo('targets', 'sign', 'request', '--key', 'team.pem', says='targets has 1 of 2')
    desk.repo('targets', 'import', 'boilers', 'request')
    desk.publish(says='targets 3\n')
    expect('boiler/1.1.0' in desk.verify('boilers', '--root', 'first-root.json'), 'the release is not there')


def team_cannot_release_another_model(desk):
    """Whoever has the team's key writes a boiler into the team's metadata: gateways do not take it."""
    delegated(desk)
    document = desk.json('boilers/public/metadata/1.pumps.json')
    document['signed']['targets']['boiler/9.9.9/x.bin'] = document['signed']['targets'].pop('pump/0.1.0/two.bin')
    desk.write('pumps.request', json.dumps({
        'format': 1, 'role': 'pumps', 'signed': document['signed'], 'signatures': [],
        'signers': [desk.json('boilers/public/metadata/2.targets.json')['signed']['delegations']['roles'][0] | {
            'keys': desk.json('boilers/public/metadata/2.targets.json')['signed']['delegations']['keys']}]}).encode())
    shown = desk.repo('targets', 'sign', 'pumps.request', '--key', 'team.pem')
    expect('boiler/9.9.9/x.bin' in shown, 'who signs does not see it: ' + shown)
    desk.repo('targets', 'import', 'boilers', 'pumps.request', '--role', 'pumps', code=1, says='nothing to sign')
    request = desk.json('pumps.request')
    desk.write('boilers/public/metadata/1.pumps.json',
               json.dumps({'signed': request['signed'], 'signatures': request['signatures']}).encode())
    desk.repo('publish', 'boilers', code=1, says='1.pumps.json')
    expect('boiler/9.9.9' not in desk.repo('verify', 'boilers', code=1), 'a gateway took it')


def key_of_a_team_is_rotated(desk):
    team = delegated(desk)
    new = desk.key_id(desk.repo('key', 'new', 'new.pem'))
    desk.repo('key', 'rotate', 'boilers', 'pumps', 'new.pub.pem')
    listed = desk.repo('key', 'list', 'boilers')
    expect(f'{team}  ed25519  elsewhere  staged: removed' in listed and f'{new}  ed25519  elsewhere  staged: added' in listed,
           listed)
    desk.publish('--key', 'new.pem', says='pumps 2\ntargets 3\n')
    expect(desk.verify()['pump/0.1.0'] == 'pumps', 'the release is lost')
    desk.add('0.2.0', 'three.bin', model='pump')
    desk.publish('--key', 'team.pem', code=1, says='pumps is held back')


def delegation_ends_and_comes_back(desk):
    delegated(desk)
    desk.repo('delegate', 'boilers', 'pumps', '--remove')
    desk.publish(says='targets 3\n')
    expect(desk.verify() == {'boiler/1.0.0': 'targets', 'pump/0.1.0': 'targets'}, 'the release of the team is lost')
    meta = desk.json('boilers/public/metadata/3.snapshot.json')['signed']['meta']
    expect(meta['pumps.json']['version'] == 1, 'the snapshot forgot the role: gateways would call that a rollback')
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump')
    desk.add('0.2.0', 'three.bin', model='pump')
    desk.publish(says='pumps 2\n')
    expect(desk.verify() == {'boiler/1.0.0': 'targets', 'pump/0.1.0': 'targets', 'pump/0.2.0': 'pumps'}, 'not as meant')


def odd_delegations_are_refused(desk):
    delegated(desk)
    desk.repo('delegate', 'boilers', 'others', '--model', 'pump', code=1, says='pump is the model of pumps already')
    desk.repo('delegate', 'boilers', 'others', code=1, says='others would have no model')
    desk.repo('delegate', 'boilers', 'root', '--model', 'x', code=2, says='cannot name a team')
    desk.repo('delegate', 'boilers', '../x', '--model', 'x', code=2, says='cannot name a team')
    desk.repo('delegate', 'boilers', 'others', '--model', 'a/b', code=2, says='--model is "a/b"')
    desk.repo('delegate', 'boilers', 'others', '--model', 'x', '--key', 'team.pub.pem', '--threshold', '2', code=1,
              says='others would have 1 key for a threshold of 2')
    desk.repo('delegate', 'boilers', 'others', '--remove', code=1, says='there is no team others')
    desk.repo('targets', 'export', 'boilers', 'x', '--role', 'others', code=1, says='neither targets nor a team')
    expect(not desk.has('boilers/stage/index.json'), 'something was staged')


tell(team_signs_with_its_key, what_the_team_has_not_signed_is_held_back, team_signs_elsewhere, two_sign_targets_elsewhere,
     team_cannot_release_another_model, key_of_a_team_is_rotated, delegation_ends_and_comes_back, odd_delegations_are_refused)
