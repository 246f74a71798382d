#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who signs the root: several people one after another, keys that come and go."""

import json
import os

from publisher import expect, tell


def begin(desk):
    desk.repo('init', 'boilers')
    desk.add('1.0.0')
    desk.publish()
    desk.write('first-root.json', desk.read('boilers', 'root.json'))


def threshold_two(desk):
    """Bob's key beside the first one; both have to sign from then on."""
    bob = desk.key_id(desk.repo('key', 'new', 'bob.pem'))
    desk.repo('key', 'add', 'boilers', 'root', 'bob.pub.pem', '--threshold', '2', says=f'key {bob} for root is staged')
    return bob


def two_people_sign_a_root(desk):
    begin(desk)
    bob = threshold_two(desk)
    desk.repo('root', 'sign', 'boilers', says='root has 1 of 2 signatures; these keys have not signed: ' + bob)
    desk.publish(says='root has 1 of 2 signatures', code=1)
    expect(not desk.has('boilers/public/metadata/2.root.json'), 'a root with one of two signatures was published')
    desk.repo('root', 'export', 'boilers', 'root.request')
    desk.repo('root', 'sign', 'root.request', '--key', 'bob.pem', says='all signatures are there')
    desk.repo('root', 'import', 'boilers', 'root.request', says='all signatures are there')
    desk.publish(says='root 2\n')
    expect(desk.json('boilers/root.json')['signed']['roles']['root']['threshold'] == 2, 'no threshold of 2')
    expect(desk.verify('boilers', '--root', 'first-root.json') == {'boiler/1.0.0': 'targets'},
           'a gateway with the first root does not follow')
    expect(not desk.has('boilers/stage/next-root.json'), 'the root is still staged')


def next_root_needs_both_again(desk):
    two_people_sign_a_root(desk)
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.publish(says='these keys have not signed', code=1)
    desk.publish('--key', 'bob.pem', says='root 3\ntimestamp 2\n')
    desk.verify('boilers', '--root', 'first-root.json')


def what_changes_is_shown_to_who_signs(desk):
    begin(desk)
    bob = threshold_two(desk)
    desk.repo('root', 'export', 'boilers', 'root.request')
    shown = desk.repo('root', 'show', 'root.request')
    expect('root: 2 of 2 keys' in shown and f'  + {bob}' in shown, shown)
    expect(shown.count('\n  + ') == 1, 'more than the new key is marked as new:\n' + shown)


def signatures_end_with_a_change(desk):
    begin(desk)
    threshold_two(desk)
    desk.repo('root', 'export', 'boilers', 'root.request')
    desk.repo('root', 'sign', 'boilers')
    desk.repo('key', 'rotate', 'boilers', 'snapshot', says='its 1 signature of before no longer counts')
    desk.repo('root', 'sign', 'root.request', '--key', 'bob.pem')
    desk.repo('root', 'import', 'boilers', 'root.request', code=1, says='which changed since; export it again')


def signature_of_a_stranger_is_refused(desk):
    begin(desk)
    threshold_two(desk)
    desk.repo('key', 'new', 'eve.pem')
    desk.repo('root', 'export', 'boilers', 'root.request')
    desk.repo('root', 'sign', 'root.request', '--key', 'eve.pem', code=1, says='eve.pem: is not one of the keys')
    desk.repo('root', 'sign', 'root.request', code=1, says='name the key with --key')
    request = desk.json('root.request')
    request['signatures'] = [{'keyid': request['signers'][1]['keyids'][1], 'sig': '00' * 64}]
    desk.write('root.request', json.dumps(request).encode())
    desk.repo('root', 'import', 'boilers', 'root.request', says='brings no new signature')


def lost_root_key_is_replaced_by_the_others(desk):
    begin(desk)
    bob = threshold_two(desk)
    carol = desk.key_id(desk.repo('key', 'new', 'carol.pem'))
    desk.repo('key', 'add', 'boilers', 'root', 'carol.pub.pem')
    desk.publish('--key', 'bob.pem', says='root 2')
    desk.repo('key', 'new', 'dan.pem')
    desk.repo('key', 'rotate', 'boilers', 'root', 'dan.pub.pem', code=1, says='root has 3 keys; say which one')
    desk.repo('key', 'rotate', 'boilers', 'root', 'dan.pub.pem', '--old', carol[:8])
    desk.publish('--key', 'bob.pem', says='root 3')
    listed = desk.repo('key', 'list', 'boilers')
    expect('root: 2 of 3' in listed and bob in listed and carol not in listed, listed)
    desk.verify('boilers', '--root', 'first-root.json')


def too_few_keys_are_refused(desk):
    begin(desk)
    root = desk.json('boilers/root.json')['signed']['roles']['root']['keyids'][0]
    desk.repo('key', 'remove', 'boilers', 'root', root[:8], code=1, says='root would have 0 keys for a threshold of 1')
    desk.repo('key', 'threshold', 'boilers', 'targets', '2', code=1, says='targets would have 1 key for a threshold of 2')
    desk.repo('key', 'threshold', 'boilers', 'targets', '0', code=2, says='it has to be 1 to 64')
    desk.repo('key', 'remove', 'boilers', 'root', 'ffff', code=1, says='root has no key ffff')
    desk.repo('key', 'add', 'boilers', 'boss', code=1, says='"boss" is no role')
    desk.repo('key', 'add', 'boilers', 'root', 'one.bin', code=1, says='is no key in PEM')
    expect(not desk.has('boilers/stage/next-root.json'), 'something was staged')


def rotated_online_keys_replace_the_old_ones(desk):
    """The old files sign nothing any more, only the new ones do."""
    begin(desk)
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.repo('key', 'rotate', 'boilers', 'snapshot')
    desk.publish(says='root 2\nsnapshot 2\ntimestamp 2\n')
    new = next(f for f in desk.files('boilers/keys') if f.startswith('timestamp-'))
    desk.write('new.pem', desk.read('boilers/keys', new))
    os.unlink(desk.path('boilers/keys', new))
    desk.now = '2030-01-20T00:00:00Z'
    desk.repo('refresh', 'boilers', code=1, says='keys/timestamp.pem: is not the key that the root names')
    desk.repo('refresh', 'boilers', '--key', 'new.pem', says='timestamp 3')
    desk.verify('boilers', '--root', 'first-root.json')


def staged_root_is_dropped(desk):
    begin(desk)
    desk.repo('key', 'rotate', 'boilers', 'targets')
    desk.repo('root', 'drop', 'boilers')
    desk.repo('root', 'show', 'boilers', code=1, says='no root is staged')
    desk.publish(says='nothing to do')


def staged_root_that_waited_too_long_is_not_published(desk):
    begin(desk)
    desk.repo('key', 'rotate', 'boilers', 'targets')
    expect('a change of root is staged' in desk.repo('show', 'boilers'), 'show does not tell')
    desk.now = '2032-01-02T00:00:00Z'
    desk.publish(code=1, says='the staged root has expired')
    desk.repo('root', 'renew', 'boilers')
    desk.publish(says='root 2\ntargets 2\n')


def root_is_renewed_in_time_by_several(desk):
    two_people_sign_a_root(desk)
    desk.now = '2031-06-01T00:00:00Z'
    desk.publish(says='cannot be renewed here: root has 1 of 2 signatures')
    desk.repo('root', 'renew', 'boilers', says='root version 3, expires 2033-05-31T00:00:00Z')
    desk.repo('root', 'sign', 'boilers', '--key', 'bob.pem', says='all signatures are there')
    desk.publish(says='root 3')


tell(two_people_sign_a_root, next_root_needs_both_again, what_changes_is_shown_to_who_signs, signatures_end_with_a_change,
     signature_of_a_stranger_is_refused, lost_root_key_is_replaced_by_the_others, too_few_keys_are_refused,
     rotated_online_keys_replace_the_old_ones, staged_root_is_dropped, staged_root_that_waited_too_long_is_not_published,
     root_is_renewed_in_time_by_several)
