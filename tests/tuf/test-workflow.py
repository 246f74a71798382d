#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf: timestamp, snapshot and targets. Names begin with the clause of the TUF specification 1.0.34."""

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import from_now, run  # noqa: E402  pylint: disable=wrong-import-position

DAY = 86400


def nothing_new_costs_two_requests(b):
    b.good()
    b.good(['2.root', 'timestamp'])


def new_timestamp_alone_costs_two_requests(b):
    b.good()
    b.repository.publish('timestamp')
    b.good(['2.root', 'timestamp'])
    b.expect_trusted(root=1, snapshot=1, targets=1, timestamp=2)


def new_targets_are_fetched(b):
    b.good()
    b.repository.publish_all()
    b.good(['2.root', 'timestamp', '2.snapshot', '2.targets'])
    b.expect_trusted(root=1, snapshot=2, targets=2, timestamp=2)


def new_targets_that_nobody_promises_are_not_fetched(b):
    b.good()
    b.repository.publish('targets')
    b.good(['2.root', 'timestamp'])
    b.expect_trusted(root=1, snapshot=1, targets=1, timestamp=1)


def metadata_with_lengths_and_hashes_is_taken(b):
    b.repository.with_hashes = True
    b.repository.publish_all()
    b.good(['2.root', 'timestamp', '2.snapshot', '2.targets'])


def without_consistent_snapshots_names_have_no_version(b):
    b.repository.root.signed['consistent_snapshot'] = False
    b.repository.publish('root')
    b.repository.publish_all()
    b.good(['2.root', '3.root', 'timestamp', 'snapshot', 'targets'])
    b.repository.publish_all()
    b.good(['3.root', 'timestamp', 'snapshot', 'targets'])


def clause_5_3_12_consistent_snapshot_that_is_absent_is_false(b):
    del b.repository.root.signed['consistent_snapshot']
    b.repository.publish('root')
    b.good(['2.root', '3.root', 'timestamp', 'snapshot', 'targets'])


def not_signed(b, role, clause, trusted):
    """A role without its signature: nothing behind it is asked for, what comes before stays trusted."""
    b.repository.roles[role].signers.clear()
    b.repository.publish('targets', 'snapshot', 'timestamp')
    b.refused(f'TUF {clause}: {role}: 0 good signatures')
    b.expect_trusted(root=1, **trusted)


def changed(b, role, clause):
    """One byte of what is signed."""
    b.repository.publish_all()
    data = b.repository.roles[role].newest.replace(b'1.0.34', b'1.0.35')
    b.repository.roles[role].versions[2] = b.repository.roles[role].newest = data
    b.refused(f'TUF {clause}: {role}: 0 good signatures')


def wrong_keys(b, role, clause):
    """Good signatures, by keys of another role."""
    other = {'timestamp': 'snapshot', 'snapshot': 'targets', 'targets': 'timestamp'}[role]
    b.repository.roles[role].signers = b.repository.roles[other].signers
    b.repository.publish_all()
    b.refused(f'TUF {clause}: {role}: 0 good signatures')


def signature_twice(b, role):
    """The same key id twice is refused, whatever the threshold."""
    document = json.loads(b.repository.roles[role].newest)
    document['signatures'] *= 2
    b.repository.roles[role].versions[1] = b.repository.roles[role].newest = json.dumps(document).encode()
    b.refused(f'{role}: two signatures of key id')


def swapped(b, role, other, clause):
    """Another file of the same repository in its place."""
    b.repository.roles[role].versions[1] = b.repository.roles[role].newest = b.repository.roles[other].newest
    b.refused(f'TUF {clause}: {role}: "_type" is {other}')


def expired(b, role, clause, trusted):
    b.good()
    b.repository.roles[role].signed['expires'] = from_now(days=-1)
    b.repository.publish_all()
    b.refused(f'TUF {clause}: {role}: version 2 expired')
    b.expect_trusted(root=1, **trusted)


def missing(b, role, clause):
    b.repository.roles[role].versions.clear()
    b.repository.roles[role].newest = None
    b.refused(f'TUF {clause}: ')
    b.expect('not found' in b.said, 'it does not say what is missing')


def unreachable(b, name):
    b.repository.overrides[f'metadata/{name}.json'] = 503
    b.refused(f'{name}.json: the server answered HTTP 503')


NON_ROOT = {
    'another key': (True, [2], 1, [2]),
    'signatures of strangers beside': (True, [1], 1, [3, 1, 4]),
    'not signed by the new key': (False, [2], 1, [1, 3, 4]),
    'one signature of a former key': (False, [0, 1, 3, 4, 5], 3, [0, 2, 4]),
    'one signature too few': (False, [0, 1, 3, 4, 5], 3, [0, 4]),
    'three of five': (True, [0, 1, 2, 3, 4], 3, [0, 2, 4]),
    'three of five, others': (True, [0, 1, 2, 3, 4], 3, [2, 3, 4]),
    'three of five, in another order': (True, [0, 1, 2, 3, 4], 3, [4, 1, 0]),
}


def role_keys(b, good, names, threshold, signers):
    """Keys of each other role replaced by a new root."""
    keys = [b.repository.new_key() for _ in range(6)]
    for role, clause in (('timestamp', '5.4.2'), ('snapshot', '5.5.3'), ('targets', '5.6.3')):
        old = b.repository.root.signed['roles'][role], b.repository.roles[role].signers
        b.repository.set_keys(role, [keys[n] for n in names], threshold, [keys[n] for n in signers])
        b.repository.publish('root')
        b.repository.publish_all()
        if good:
            b.good()
            b.expect(b.stored(f'{role}.json') == b.repository.roles[role].newest, f'{role} is the new one')
            continue
        b.refused(f'TUF {clause}: {role}: ')
        b.repository.root.signed['roles'][role], b.repository.roles[role].signers = old
        b.repository.publish('root')
        b.repository.publish_all()
        b.good()


def clause_5_4_3_1_equal_timestamp_keeps_the_old_one(b):
    b.good()
    b.repository.timestamp.signed['meta']['snapshot.json']['version'] = 100
    b.repository.put_up('timestamp')
    b.good(['2.root', 'timestamp'])
    b.expect(json.loads(b.stored('timestamp.json'))['signed']['meta']['snapshot.json']['version'] == 1, 'the old one stands')


def clause_5_4_3_1_timestamp_of_a_lower_version_is_refused(b):
    b.repository.publish('timestamp')
    b.good()
    b.repository.timestamp.version = 1
    b.repository.put_up('timestamp')
    b.refused('TUF 5.4.3.1: timestamp: is version 1, but 2 was seen before', ['2.root', 'timestamp'])
    b.expect_trusted(root=1, snapshot=1, targets=1, timestamp=2)


def snapshot_rollback(b, with_hashes):
    """5.4.3.2: a timestamp that promises an older snapshot."""
    b.repository.with_hashes = with_hashes
    b.repository.publish('snapshot', 'timestamp')
    b.good()
    b.repository.snapshot.version = 1
    b.repository.put_up('snapshot')
    b.repository.promise('snapshot')
    b.repository.publish('timestamp')
    b.refused('TUF 5.4.3.2: timestamp: version of the snapshot fell from 2 to 1', ['2.root', 'timestamp'])
    b.expect_trusted(root=1, snapshot=2, targets=1, timestamp=2)


def clause_5_4_4_equal_timestamp_does_not_prolong_an_expired_one(b):
    b.repository.timestamp.signed['expires'] = from_now(days=2)
    b.repository.put_up('timestamp')
    b.good()
    b.shift = 3 * DAY
    b.refused('TUF 5.4.4: timestamp: version 1 expired', ['2.root', 'timestamp'])


def clause_5_4_4_expired_timestamp_is_known_only_for_rollback(b):
    b.repository.timestamp.signed['expires'] = from_now(days=2)
    b.repository.publish('timestamp')
    b.good()
    b.shift = 3 * DAY
    b.repository.timestamp.version = 1
    b.repository.timestamp.signed['expires'] = from_now(days=30)
    b.repository.put_up('timestamp')
    b.refused('TUF 5.4.3.1')


def expired_local_files_serve_for_an_update(b):
    for role in ('timestamp', 'snapshot', 'targets'):
        b.repository.roles[role].signed['expires'] = from_now(days=7)
        b.repository.put_up(role)
    b.good()
    for role in ('timestamp', 'snapshot', 'targets'):
        b.repository.roles[role].signed['expires'] = from_now(days=21)
    b.repository.publish_all()
    b.shift = 18 * DAY
    b.good(['2.root', 'timestamp', '2.snapshot', '2.targets'])


def clause_5_5_2_snapshot_of_another_hash_is_refused(b):
    b.repository.with_hashes = True
    b.repository.publish('targets', 'snapshot')
    b.repository.timestamp.signed['meta']['snapshot.json']['hashes']['sha256'] = '00' * 32
    b.repository.publish('timestamp')
    b.refused('TUF 5.5.2: snapshot: has another sha256')
    b.expect_trusted(root=1, timestamp=2)


def clause_5_5_2_snapshot_of_another_length_is_refused(b):
    b.repository.with_hashes = True
    b.repository.publish('targets', 'snapshot')
    b.repository.timestamp.signed['meta']['snapshot.json']['length'] += 1
    b.repository.publish('timestamp')
    b.refused('TUF 5.5.2: snapshot: has')


def clause_5_5_4_snapshot_of_another_version_is_refused(b):
    b.repository.snapshot.version = 2
    b.repository.put_up('snapshot')
    b.repository.snapshot.versions[1] = b.repository.snapshot.newest
    b.refused('TUF 5.5.4: snapshot: is version 2, but 1 is promised')
    b.expect_trusted(root=1, timestamp=1)


def targets_rollback(b, with_hashes):
    """5.5.5: a snapshot that promises older targets."""
    b.repository.with_hashes = with_hashes
    b.repository.publish('targets')
    b.repository.publish_all()
    b.good()
    b.repository.targets.version = 1
    b.repository.put_up('targets')
    b.repository.promise('targets')
    b.repository.publish('snapshot', 'timestamp')
    b.refused('TUF 5.5.5: snapshot: version of "targets.json" fell from 3 to 1')
    b.expect_trusted(root=1, snapshot=2, targets=3, timestamp=3)


def clause_5_5_5_delegated_role_that_falls_is_refused(b):
    b.repository.delegate('targets', 'team')
    b.repository.publish_all()
    b.repository.publish_all()
    b.good()
    b.repository.snapshot.signed['meta']['team.json']['version'] = 1
    b.repository.publish('snapshot', 'timestamp')
    b.refused('TUF 5.5.5: snapshot: version of "team.json" fell from 2 to 1')


def clause_5_5_5_entry_that_is_gone_is_refused(b):
    b.repository.delegate('targets', 'team')
    b.repository.publish_all()
    b.good()
    del b.repository.snapshot.signed['meta']['team.json']
    b.repository.publish('snapshot', 'timestamp')
    b.refused('TUF 5.5.5: snapshot: "team.json" was listed before and is gone')


def clause_5_5_5_damaged_local_snapshot_is_fetched_again(b):
    b.good()
    with open(os.path.join(b.metadata, 'snapshot.json'), 'wb') as file:
        file.write(b'{')
    b.good(['2.root', 'timestamp', '1.snapshot'])


def clause_5_6_2_targets_of_another_hash_are_refused(b):
    b.repository.with_hashes = True
    b.repository.publish_all()
    b.good()
    b.repository.publish('targets')
    b.repository.snapshot.signed['meta']['targets.json']['hashes']['sha256'] = '46' * 32
    b.repository.publish('snapshot', 'timestamp')
    b.refused('TUF 5.6.2: targets: has another sha256')
    b.expect_trusted(root=1, snapshot=3, targets=2, timestamp=3)


def clause_5_6_4_targets_of_another_version_are_refused(b):
    b.repository.targets.version = 2
    b.repository.put_up('targets')
    b.repository.targets.versions[1] = b.repository.targets.newest
    b.refused('TUF 5.6.4: targets: is version 2, but 1 is promised')
    b.expect_trusted(root=1, snapshot=1, timestamp=1)


def forward(b, role):
    """5.3.11: version numbers were driven up; new keys end it."""
    b.good()
    b.repository.roles[role].version = 99999
    b.repository.publish('targets', 'snapshot', 'timestamp')
    b.good()
    b.expect(b.trusted()[role] == 100000, f'{role} 100000 is trusted')
    b.repository.roles[role].version = 1
    for name in {'timestamp': ('timestamp',), 'snapshot': ('timestamp', 'snapshot'), 'targets': ('timestamp', 'snapshot')}[role]:
        b.repository.rotate(name)
    b.repository.publish('root')
    b.repository.publish('targets', 'snapshot', 'timestamp')
    b.good()
    b.expect(b.trusted()[role] == 2, f'{role} 2 is trusted')


def forward_without_new_keys(b):
    b.repository.timestamp.version = 99999
    b.repository.put_up('timestamp')
    b.good()
    b.repository.timestamp.version = 1
    b.repository.publish('timestamp')
    b.refused('TUF 5.4.3.1')


def too_long(b, role, name, limit, clause):
    b.repository.overrides[f'metadata/{name}.json'] = b' ' * (limit + 1)
    b.refused(f'TUF {clause}: {name}.json: has more than {limit} bytes')


def promised_too_long(b):
    b.repository.timestamp.signed['meta']['snapshot.json']['length'] = 1 << 40
    b.repository.publish('timestamp')
    b.refused('TUF 5.5.1: snapshot: is promised with', ['2.root', 'timestamp'])


def malformed_entry(b, role, clause, change):
    change(b.repository.roles[role].signed)
    b.repository.publish(*{'timestamp': ('timestamp',), 'snapshot': ('snapshot', 'timestamp'),
                           'targets': ('targets', 'snapshot', 'timestamp')}[role])
    b.refused(f'TUF {clause}: ')


ENTRIES = {
    'no meta': ('timestamp', '4.6', lambda s: s.pop('meta')),
    'no snapshot.json': ('timestamp', '4.6', lambda s: s['meta'].clear()),
    'version 0': ('timestamp', '4.6', lambda s: s['meta']['snapshot.json'].update(version=0)),
    'length 0': ('timestamp', '4.6', lambda s: s['meta']['snapshot.json'].update(length=0)),
    'no hash': ('timestamp', '4.6', lambda s: s['meta']['snapshot.json'].update(hashes={})),
    'no targets.json': ('snapshot', '4.4', lambda s: s['meta'].clear()),
    'entry of a role without version': ('snapshot', '4.4', lambda s: s['meta'].update({'x.json': {}})),
    'targets no object': ('targets', '4.5', lambda s: s.update(targets=[])),
    'target without hashes': ('targets', '4.5', lambda s: s['targets'].update(x={'length': 1})),
    'target of negative length': ('targets', '4.5', lambda s: s['targets'].update(x={'length': -1, 'hashes': {'sha256': '00'}})),
    'delegations without keys': ('targets', '4.5', lambda s: s.update(delegations={'roles': []})),
    'delegation to a top-level role': ('targets', '4.5', lambda s: s.update(delegations={'keys': {}, 'roles': [
        {'name': 'root', 'keyids': [], 'threshold': 1, 'paths': []}]})),
}


def names_beyond_ascii(b):
    b.repository.targets.signed['naïve ☃'] = 'x\u007fy\u0001"\\/\n'
    b.repository.publish_all()
    b.good()


if __name__ == '__main__':
    run(nothing_new_costs_two_requests, new_timestamp_alone_costs_two_requests, new_targets_are_fetched,
        new_targets_that_nobody_promises_are_not_fetched, metadata_with_lengths_and_hashes_is_taken,
        without_consistent_snapshots_names_have_no_version, clause_5_3_12_consistent_snapshot_that_is_absent_is_false,
        (not_signed, 'clause 5.4.2', 'timestamp', '5.4.2', {}), (not_signed, 'clause 5.5.3', 'snapshot', '5.5.3', {'timestamp': 2}),
        (not_signed, 'clause 5.6.3', 'targets', '5.6.3', {'snapshot': 2, 'timestamp': 2}),
        *[(changed, f'clause {c}', r, c) for r, c in (('timestamp', '5.4.2'), ('snapshot', '5.5.3'), ('targets', '5.6.3'))],
        *[(wrong_keys, f'clause {c}', r, c) for r, c in (('timestamp', '5.4.2'), ('snapshot', '5.5.3'), ('targets', '5.6.3'))],
        *[(signature_twice, f'clause 4.2: {r}', r) for r in ('timestamp', 'snapshot', 'targets')],
        (swapped, 'clause 4.6', 'timestamp', 'snapshot', '4.6'), (swapped, 'clause 4.4', 'snapshot', 'targets', '4.4'),
        (swapped, 'clause 4.5', 'targets', 'snapshot', '4.5'),
        *[(missing, f'clause {c}', r, c) for r, c in (('timestamp', '5.4.1'), ('snapshot', '5.5.1'), ('targets', '5.6.1'))],
        *[(unreachable, name, name) for name in ('timestamp', '1.snapshot', '1.targets')],
        *[(role_keys, f'clause 5.4.2, 5.5.3, 5.6.3: {name}', *case) for name, case in NON_ROOT.items()],
        clause_5_4_3_1_equal_timestamp_keeps_the_old_one, clause_5_4_3_1_timestamp_of_a_lower_version_is_refused,
        (snapshot_rollback, 'clause 5.4.3.2', False), (snapshot_rollback, 'clause 5.4.3.2, hashes', True),
        clause_5_4_4_equal_timestamp_does_not_prolong_an_expired_one, clause_5_4_4_expired_timestamp_is_known_only_for_rollback,
        expired_local_files_serve_for_an_update, clause_5_5_2_snapshot_of_another_hash_is_refused,
        clause_5_5_2_snapshot_of_another_length_is_refused, clause_5_5_4_snapshot_of_another_version_is_refused,
        (targets_rollback, 'clause 5.5.5', False), (targets_rollback, 'clause 5.5.5, hashes', True),
        clause_5_5_5_delegated_role_that_falls_is_refused, clause_5_5_5_entry_that_is_gone_is_refused,
        clause_5_5_5_damaged_local_snapshot_is_fetched_again, clause_5_6_2_targets_of_another_hash_are_refused,
        clause_5_6_4_targets_of_another_version_are_refused, forward_without_new_keys,
        *[(forward, f'clause 5.3.11: {r}', r) for r in ('timestamp', 'snapshot', 'targets')],
        *[(too_long, f'clause {c}', r, n, limit, c) for r, n, limit, c in (
            ('timestamp', 'timestamp', 16384, '5.4.1'), ('snapshot', '1.snapshot', 2 << 20, '5.5.1'),
            ('targets', '1.targets', 5 << 20, '5.6.1'))],
        (promised_too_long, 'clause 5.5.1'),
        *[(malformed_entry, f'clause {c}: {name}', r, c, change) for name, (r, c, change) in ENTRIES.items()],
        (expired, 'clause 5.4.4', 'timestamp', '5.4.4', {'snapshot': 1, 'targets': 1, 'timestamp': 1}),
        (expired, 'clause 5.5.6', 'snapshot', '5.5.6', {'snapshot': 1, 'targets': 1, 'timestamp': 2}),
        (expired, 'clause 5.6.5', 'targets', '5.6.5', {'snapshot': 2, 'targets': 1, 'timestamp': 2}),
        names_beyond_ascii)
