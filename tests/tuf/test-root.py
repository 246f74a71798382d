#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf: initial trust and the chain of roots. Names begin with the clause of the TUF specification 1.0.34."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import from_now, run  # noqa: E402  pylint: disable=wrong-import-position

FIRST = ['2.root', 'timestamp', '1.snapshot', '1.targets']


def clause_5_2_first_refresh_asks_for_each_role_once(b):
    b.good(FIRST)
    b.expect_trusted(root=1, snapshot=1, targets=1, timestamp=1)
    b.expect(b.stored('root.json') == b.repository.root.versions[1], 'root.json is as it was given')
    for name in ('timestamp', 'snapshot', 'targets'):
        b.expect(b.stored(f'{name}.json') == b.repository.roles[name].newest, f'{name}.json is as received')


def clause_5_2_init_makes_no_request(b):
    b.expect(b.requests == [], 'init asks nobody')
    b.expect_trusted(root=1)


def clause_5_2_damaged_initial_root_is_refused(b):
    root = json.loads(b.repository.root.versions[1])
    del root['signed']['version']
    os.unlink(os.path.join(b.metadata, 'root.json'))
    b.expect(b.init(json.dumps(root).encode()) == 1, 'init refuses it')
    b.expect(b.run_refresh() == 1 and b.requests == [], 'refresh fails without a request')


def clause_5_2_initial_root_that_it_does_not_sign_is_refused(b):
    root = json.loads(b.repository.root.versions[1])
    root['signatures'][0]['sig'] = '00' * 64
    os.unlink(os.path.join(b.metadata, 'root.json'))
    b.expect(b.init(json.dumps(root).encode()) == 1 and 'TUF 5.3.4: by itself' in b.said, 'init refuses it')
    with open(os.path.join(b.metadata, 'root.json'), 'w', encoding='utf-8') as file:
        json.dump(root, file)
    b.refused('trusted root: TUF 5.3.4', [])


def clause_5_2_expired_initial_root_is_a_start(b):
    b.repository.root.signed['expires'] = from_now(days=-1)
    b.repository.root.versions.clear()
    b.repository.put_up('root')
    b.expect(b.init() == 0, 'init takes it')
    b.repository.root.signed['expires'] = from_now(days=1)
    b.repository.publish('root')
    b.good(['2.root', '3.root', 'timestamp', '1.snapshot', '1.targets'])


def clause_5_3_chain_is_followed_to_its_end(b):
    b.repository.publish('root')
    b.repository.publish('root')
    b.good(['2.root', '3.root', '4.root', 'timestamp', '1.snapshot', '1.targets'])
    b.expect_trusted(root=3, snapshot=1, targets=1, timestamp=1)
    b.good(['4.root', 'timestamp'])


def clause_5_3_3_forbidden_is_the_end_of_the_chain_too(b):
    b.repository.overrides['metadata/2.root.json'] = 403
    b.good(FIRST)


def clause_5_3_3_other_errors_are_no_end(b):
    b.repository.overrides['metadata/2.root.json'] = 500
    b.refused('HTTP 500', ['2.root'])


def clause_5_3_3_root_that_is_too_long_is_refused(b):
    b.repository.root.signed['filler'] = 'x' * (513 * 1024)
    b.repository.publish('root')
    b.refused('TUF 5.3.3: 2.root.json: has more than 524288 bytes', ['2.root'])
    b.expect_trusted(root=1)


def clause_5_3_3_roots_of_one_refresh_are_bounded(b):
    for _ in range(66):
        b.repository.publish('root')
    b.good([f'{n}.root' for n in range(2, 66)] + ['timestamp', '1.snapshot', '1.targets'])
    b.good(['66.root', '67.root', '68.root', 'timestamp'])


def clause_5_3_5_root_of_another_version_is_refused(b):
    for version in (1, 3):
        b.repository.root.version = version
        b.repository.put_up('root')
        b.repository.overrides['metadata/2.root.json'] = b.repository.root.newest
        b.refused(f'TUF 5.3.5: root: is version {version}; it has to be 2', ['2.root'])
        b.expect_trusted(root=1)


def clause_5_3_6_expired_root_on_the_way_is_no_matter(b):
    b.repository.root.signed['expires'] = from_now(days=-1)
    b.repository.publish('root')
    b.repository.root.signed['expires'] = from_now(days=1)
    b.repository.publish('root')
    b.good()
    b.expect_trusted(root=3, snapshot=1, targets=1, timestamp=1)


def clause_5_3_8_each_root_is_stored_before_the_next(b):
    b.repository.publish('root')
    b.repository.publish('root')
    b.repository.overrides['metadata/3.root.json'] = b'{}'
    b.refused('TUF 4.3', ['2.root', '3.root'])
    b.expect_trusted(root=2)


def clause_5_3_10_expired_last_root_is_stored_and_refused(b):
    b.good()
    b.repository.root.signed['expires'] = from_now(days=-1)
    b.repository.publish('root', 'targets', 'snapshot', 'timestamp')
    b.refused('TUF 5.3.10: root: version 2 expired', ['2.root', '3.root'])
    b.expect_trusted(root=2, snapshot=1, targets=1, timestamp=1)


def clause_4_1_unknown_members_are_part_of_what_is_signed(b):
    root = b.repository.root.signed
    root['custom-field'] = 'value'
    root['roles']['root']['another-field'] = ['"\\', {'b': None, 'a': -1}]
    b.repository.publish('root')
    b.good()
    b.expect_trusted(root=2, snapshot=1, targets=1, timestamp=1)


def clause_4_2_key_with_unknown_members_has_its_own_id(b):
    key = b.repository.new_key()
    key.object['keyid_hash_algorithms'] = 'md5'
    key.object['x-owner'] = 'näme'
    b.repository.set_keys('timestamp', [key])
    b.repository.publish('root', 'timestamp')
    b.good()


def clause_4_3_key_under_a_wrong_id_does_not_count(b):
    key = b.repository.new_key()
    key.forced_id = '0' * 64
    b.repository.set_keys('snapshot', [key])
    b.repository.publish('root', 'snapshot', 'timestamp')
    b.refused('TUF 5.5.3: snapshot: 0 good signatures')


def clause_4_3_one_key_under_two_ids_counts_once(b):
    key = b.repository.new_key()
    twin = b.repository.new_key()
    twin.number, twin.object = key.number, dict(key.object, note='the same')
    b.repository.set_keys('snapshot', [key, twin], threshold=2)
    b.repository.publish('root', 'snapshot', 'timestamp')
    b.refused('TUF 5.5.3: snapshot: 1 good signatures of its keys, 2 are needed')


def clause_4_3_threshold_may_be_high(b):
    b.repository.set_keys('snapshot', [b.repository.new_key() for _ in range(70)], threshold=66)
    b.repository.publish('root', 'snapshot', 'timestamp')
    b.good()


def clause_4_3_key_id_twice_in_a_role_is_refused(b):
    role = b.repository.root.signed['roles']['snapshot']
    role['keyids'] *= 9
    role['threshold'] = 6
    b.repository.publish('root')
    b.refused('TUF 4.3: root: snapshot: key id')
    b.expect_trusted(root=1)


def clause_4_3_threshold_above_the_number_of_keys_loads(b):
    b.repository.root.signed['roles']['snapshot']['threshold'] = 6
    for _ in range(4):
        b.repository.add_key('snapshot')
    b.repository.publish('root', 'snapshot', 'timestamp')
    b.refused('TUF 5.5.3: snapshot: 5 good signatures of its keys, 6 are needed')
    b.expect_trusted(root=2, timestamp=2)


def malformed(b, change):
    """Signed by the right keys, but not what it has to be."""
    change(b.repository.root.signed)
    b.repository.publish('root')
    b.refused('TUF 4.3: root', ['2.root'])
    b.expect_trusted(root=1)


def drop(*path):
    def change(signed):
        for word in path[:-1]:
            signed = signed[word]
        del signed[path[-1]]
    return change


def put(value, *path):
    def change(signed):
        for word in path[:-1]:
            signed = signed[word]
        signed[path[-1]] = value
    return change


MALFORMED = {
    'no type': drop('_type'),
    'another type': put('timestamp', '_type'),
    'no spec_version': drop('spec_version'),
    'spec_version 2': put('2.0.0', 'spec_version'),
    'spec_version and more': put('1.0.34 or so', 'spec_version'),
    'no expires': drop('expires'),
    'expires with fraction': put('2035-01-01T00:00:00.5Z', 'expires'),
    'expires with offset': put('2035-01-01T00:00:00+00:00', 'expires'),
    'expires on no day': put('2035-02-30T00:00:00Z', 'expires'),
    'no keys': drop('keys'),
    'keys no object': put([], 'keys'),
    'no roles': drop('roles'),
    'no timestamp role': drop('roles', 'timestamp'),
    'threshold 0': put(0, 'roles', 'targets', 'threshold'),
    'threshold negative': put(-1, 'roles', 'targets', 'threshold'),
    'threshold a string': put('1', 'roles', 'targets', 'threshold'),
    'threshold true': put(True, 'roles', 'targets', 'threshold'),
    'no keyids': drop('roles', 'targets', 'keyids'),
    'keyids of numbers': put([1], 'roles', 'targets', 'keyids'),
    'consistent_snapshot a number': put(1, 'consistent_snapshot'),
}


def not_parsed(b, edit, text):
    """Bytes that are no metadata, whoever signed them."""
    b.repository.publish('root')
    data = edit(b.repository.root.newest)
    b.repository.overrides['metadata/2.root.json'] = data
    b.refused(text, ['2.root'])
    b.expect_trusted(root=1)


NOT_PARSED = {
    'a member twice': (lambda d: d.replace(b'"_type": "root"', b'"_type": "root", "_type": "root"'), 'TUF 4.3: root: no JSON'),
    'a real number': (lambda d: d.replace(b'"version": 2', b'"version": 2.0'), 'with a fraction'),
    'a version beyond 64 bits': (lambda d: d.replace(b'"version": 2', b'"version": 18446744073709551617'), 'no JSON'),
    'version 0': (lambda d: d.replace(b'"version": 2', b'"version": 0'), '"version" is 0'),
    'bytes behind': (lambda d: d + b'{}', 'no JSON'),
    'cut': (lambda d: d[:-2], 'no JSON'),
    'empty': (lambda d: b'', 'no JSON'),
    'no UTF-8': (lambda d: d.replace(b'"root"', b'"r\xffot"', 1), 'no JSON'),
    'nested': (lambda d: b'[' * 100000 + b']' * 100000, 'nested deeper'),
    'a list': (lambda d: b'[]', 'TUF 4.3'),
    'no signatures': (lambda d: d.replace(b'"signatures"', b'"signature"'), '"signatures" is missing'),
    'signature without keyid': (lambda d: d.replace(b'"keyid"', b'"key"', 1), '"keyid" and "sig"'),
}


def rotation(b, good, *versions):
    """Roots as (keys, threshold, signers), numbers of keys: the last one is good or not."""
    keys = [b.repository.new_key() for _ in range(10)]
    b.repository.root.version = 0
    b.repository.root.versions.clear()
    for names, threshold, signers in versions:
        b.repository.set_keys('root', [keys[n] for n in names], threshold, [keys[n] for n in signers])
        b.repository.root.version += 1
        b.repository.put_up('root')
    b.expect(b.init() == 0, 'init fails')
    if good:
        b.good()
    else:
        b.refused('TUF 5.3.4')
    number = len(versions) - (not good)
    b.expect(b.stored('root.json') == b.repository.root.versions[number], f'root {number} is trusted')


FIVE = [0, 1, 2, 3, 4]
ROTATIONS = {
    'one key': (True, ([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])),
    'one key, signatures of strangers beside': (True, ([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])),
    'three of five, others each time': (True, (FIVE, 3, [0, 2, 4]), (FIVE, 3, [0, 4, 1]), (FIVE, 3, [0, 1, 3]), (FIVE, 3, [0, 1, 3])),
    'three of five, one replaced': (True, (FIVE, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])),
    'three of five, one replaced in two steps': (True, (FIVE, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4, 5]),
                                                 ([0, 1, 3, 4, 5], 3, [0, 4, 5])),
    'three of five, all replaced': (True, (FIVE, 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]),
                                    ([5, 6, 7, 8, 9], 3, [5, 6, 7])),
    'threshold grows': (True, ([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])),
    'threshold falls': (True, ([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])),
    'a key more and a threshold of two': (True, ([1], 1, [1]), ([1, 2], 2, [1, 2])),
    'without the old key': (False, ([1], 1, [1]), ([2], 1, [2, 3, 4])),
    'without the new key': (False, ([1], 1, [1]), ([2], 1, [1, 3, 4])),
    'without three of the new keys': (False, (FIVE, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])),
    'without three of the old keys': (False, (FIVE, 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])),
    'new threshold not met': (False, ([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])),
    'old threshold not met': (False, ([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])),
}


def key_kind(b, kind, bad):
    """The new kind is needed beside the old key; then its signature is another one of the same look."""
    key = b.repository.add_key('root', b.repository.new_key(kind))
    b.repository.root.signed['roles']['root']['threshold'] = 2
    b.repository.publish('root')
    b.good()
    b.repository.publish('root')
    document = json.loads(b.repository.root.newest)
    for signature in document['signatures']:
        if signature['keyid'] == key.id:
            signature['sig'] = bad(key, signature['sig'])
    b.repository.overrides['metadata/3.root.json'] = json.dumps(document).encode()
    b.refused('TUF 5.3.4: by root 2: root: 1 good', ['3.root'])
    b.expect_trusted(root=2, snapshot=1, targets=1, timestamp=1)


def of_something_else(key, _):
    return key.sign({'something': 'else'})


def other_spelling(b):
    key = b.repository.new_key('p256')
    key.object['keytype'] = 'ecdsa-sha2-nistp256'
    b.repository.set_keys('timestamp', [key])
    b.repository.publish('root', 'timestamp')
    b.good()


def unusable_key(b, kind, change):
    """A key that cannot count leaves root as it is and its role unsigned."""
    key = b.repository.new_key(kind)
    change(key.object)
    b.repository.set_keys('timestamp', [key])
    b.repository.publish('root', 'timestamp')
    b.refused('TUF 5.4.2: timestamp: 0 good signatures')
    b.expect_trusted(root=2)
    b.expect('pass phrase' not in b.said, 'nobody is asked for a passphrase')


ENCRYPTED = ('-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n'
             'AAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n')
UNUSABLE = {
    'P-384': ('p384', lambda o: None),
    'RSA of 1024 bits': ('rsa-small', lambda o: None),
    'unknown type': ('ed25519', lambda o: o.update(keytype='ed448')),
    'unknown scheme': ('rsa', lambda o: o.update(scheme='rsa-pkcs1v15-sha256')),
    'type and scheme that do not fit': ('p256', lambda o: o.update(keytype='rsa')),
    'RSA key as P-256': ('rsa', lambda o: o.update(keytype='ecdsa', scheme='ecdsa-sha2-nistp256')),
    'no PEM': ('p256', lambda o: o.update(keyval={'public': 'nothing'})),
    'encrypted PEM': ('p256', lambda o: o.update(keyval={'public': ENCRYPTED})),
    'no public key': ('p256', lambda o: o.update(keyval={})),
    'ed25519 of 31 bytes': ('ed25519', lambda o: o['keyval'].update(public=o['keyval']['public'][2:])),
}


def signature_text(b, text):
    """Odd text is no signature, and no reason to refuse the file when the others suffice."""
    key = b.repository.add_key('timestamp')
    b.repository.publish('root', 'timestamp')
    document = json.loads(b.repository.timestamp.newest)
    for signature in document['signatures']:
        if signature['keyid'] == key.id:
            signature['sig'] = text
    b.repository.overrides['metadata/timestamp.json'] = json.dumps(document).encode()
    b.good()
    b.expect(b.trusted()['timestamp'] == 2, 'timestamp 2 is trusted')


if __name__ == '__main__':
    run(clause_5_2_first_refresh_asks_for_each_role_once, clause_5_2_init_makes_no_request,
        clause_5_2_damaged_initial_root_is_refused, clause_5_2_initial_root_that_it_does_not_sign_is_refused,
        clause_5_2_expired_initial_root_is_a_start, clause_5_3_chain_is_followed_to_its_end,
        clause_5_3_3_forbidden_is_the_end_of_the_chain_too, clause_5_3_3_other_errors_are_no_end,
        clause_5_3_3_root_that_is_too_long_is_refused, clause_5_3_3_roots_of_one_refresh_are_bounded,
        clause_5_3_5_root_of_another_version_is_refused, clause_5_3_6_expired_root_on_the_way_is_no_matter,
        clause_5_3_8_each_root_is_stored_before_the_next, clause_5_3_10_expired_last_root_is_stored_and_refused,
        clause_4_1_unknown_members_are_part_of_what_is_signed, clause_4_2_key_with_unknown_members_has_its_own_id,
        clause_4_3_key_under_a_wrong_id_does_not_count, clause_4_3_one_key_under_two_ids_counts_once,
        clause_4_3_threshold_may_be_high, clause_4_3_key_id_twice_in_a_role_is_refused,
        clause_4_3_threshold_above_the_number_of_keys_loads,
        *[(malformed, f'clause 4.3: {name}', change) for name, change in MALFORMED.items()],
        *[(not_parsed, f'clause 4.3: {name}', *case) for name, case in NOT_PARSED.items()],
        *[(rotation, f'clause 5.3.4: {name}', *case) for name, case in ROTATIONS.items()],
        (key_kind, 'clause 4.2: ed25519', 'ed25519', of_something_else), (key_kind, 'clause 4.2: P-256', 'p256', of_something_else),
        (key_kind, 'clause 4.2: RSA-PSS', 'rsa', of_something_else),
        (key_kind, 'clause 4.2: RSA-PSS with the longest salt', 'rsa-long-salt', of_something_else),
        (other_spelling, 'clause 4.2: keytype ecdsa-sha2-nistp256'),
        *[(unusable_key, f'clause 4.2: {name}', *case) for name, case in UNUSABLE.items()],
        *[(signature_text, f'clause 5.4.2: signature "{text[:8]}"', text) for text in ('', 'x', '0', '00', '00' * 64, 'ab' * 5000)])
