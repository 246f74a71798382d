#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf: delegated roles. Names begin with the clause of the TUF specification 1.0.34, or with the TAP."""

import hashlib
import os
import sys
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import from_now, run  # noqa: E402  pylint: disable=wrong-import-position

TOP = ['2.root', 'timestamp', '2.snapshot', '2.targets']
DAY = 86400
DATA = b'the bytes'


def build(b, edges):
    """ "A>B:*.py" delegates from A to B; T is targets; a ! terminates."""
    for edge in edges.split():
        head, _, paths = edge.partition(':')
        delegator, name = head.rstrip('!').split('>')
        b.repository.delegate('targets' if delegator == 'T' else delegator, name, [paths or '*'], head.endswith('!'))
    b.repository.publish_all()


def search(b, edges, visited):
    build(b, edges)
    b.download_refused('TUF 5.7.2: missingpath: there is no such target', 'missingpath')
    b.expect_requests(TOP + [f'1.{name}' for name in visited])
    b.expect_trusted(root=1, timestamp=2, snapshot=2, targets=2, **{name: 1 for name in visited})


SEARCHES = {
    'one': ('T>A', 'A'),
    'two beside each other': ('T>A T>B', 'AB'),
    'two levels': ('T>A T>B B>C', 'ABC'),
    'pre-order': ('T>A T>B A>C A>D', 'ACDB'),
    'depth first': ('T>A T>B A>C C>D', 'ACDB'),
    'terminating': ('T>A T>B A>C! A>D', 'AC'),
    'terminating, but not for its own': ('T>A T>B A>C! C>D', 'ACD'),
    'terminating at the top': ('T>A! T>B', 'A'),
    'terminating elsewhere': ('T>A!:*.py T>B', 'B'),
    'branch that does not match': ('T>A:*.py T>B A>C', 'B'),
    'branch that does not match further down': ('T>A T>B A>C:*.py C>D', 'AB'),
    'cycle': ('T>A T>B B>C C>D D>B', 'ABCD'),
    'itself': ('T>A A>A', 'A'),
    'a role of two delegators': ('T>A T>B B>C A>C', 'ACB'),
    'a role of two delegators, one of which matches': ('T>A T>B B>C A>C:*.py', 'ABC'),
}


def tree(b, path, visited, found):
    """4.5: every role in the chain has to be trusted for the path."""
    r = b.repository
    r.delegate('targets', 'A', ['*.doc', '*.md'])
    r.delegate('targets', 'B', ['releases/*/*'])
    r.delegate('B', 'C', ['releases/x/*'])
    r.delegate('B', 'D', ['releases/y/*.zip'])
    for role, name in (('targets', 'targetfile'), ('A', 'README.md'), ('C', 'releases/x/x_v1'), ('D', 'releases/y/y_v1.zip'),
                       ('D', 'releases/z/z_v1.zip')):
        r.add_target(name, name.encode(), role)
    r.publish_all()
    if found:
        b.download(path)
        b.expect(list(b.files().values()) == [path.encode()], f'{path} is there')
    else:
        b.download_refused('TUF 5.7.2', path)
    b.expect_requests(TOP + [f'1.{name}' for name in visited])


def team(b, **expiry):
    """A role with one target that the top level hands on."""
    b.repository.delegate('targets', 'team', ['team/*'])
    b.repository.roles['team'].signed.update(expiry)
    b.repository.add_target('team/first', b'first', 'team')
    b.repository.add_target('team/second', b'second', 'team')


def refused_role(b, text):
    b.good()
    b.download_refused(text, 'team/first')
    b.expect(b.files() == {}, 'nothing is downloaded')
    b.expect('team' not in b.trusted(), 'the role is not kept')


def clause_5_6_5_role_that_is_expired_at_first_sight_is_refused(b):
    team(b, expires=from_now(days=-1))
    b.repository.publish_all()
    refused_role(b, 'delegated by targets: TUF 5.6.5: team: version 1 expired')


def clause_5_6_5_role_that_expires_later_is_not_used(b):
    team(b, expires=from_now(days=7))
    b.repository.publish_all()
    b.download('team/first')
    b.shift = 18 * DAY
    b.download_refused('TUF 5.6.5: team: version 1 expired', 'team/second')
    b.expect(list(b.files().values()) == [b'first'], 'only the first is there')


def clause_5_6_5_newer_version_of_an_expired_role_is_fetched(b):
    team(b, expires=from_now(days=7))
    b.repository.publish_all()
    b.download('team/first')
    b.repository.roles['team'].signed['expires'] = from_now(days=21)
    b.repository.publish_all()
    b.shift = 18 * DAY
    b.download('team/second')
    b.expect_requests(['2.root', 'timestamp', '3.snapshot', '3.targets', '2.team'])


def clause_5_6_3_role_without_its_signature_is_refused(b):
    team(b)
    b.repository.roles['team'].signers = [b.repository.new_key()]
    b.repository.publish_all()
    refused_role(b, 'TUF 5.6.3: team: 0 good signatures of its keys, 1 are needed')


def clause_5_6_3_threshold_of_a_role_counts(b):
    team(b)
    role = b.repository.targets.signed['delegations']['roles'][0]
    key = b.repository.new_key()
    b.repository.targets.signed['delegations']['keys'][key.id] = key.object
    role['keyids'].append(key.id)
    role['threshold'] = 2
    b.repository.publish_all()
    refused_role(b, 'TUF 5.6.3: team: 1 good signatures of its keys, 2 are needed')
    b.repository.roles['team'].signers.append(key)
    b.repository.publish_all()
    b.download('team/first')


def clause_5_6_3_keys_of_a_role_are_replaced_by_its_delegator(b):
    team(b)
    b.repository.publish_all()
    b.download('team/first')
    new = b.repository.new_key()
    delegations = b.repository.targets.signed['delegations']
    delegations['keys'] = {new.id: new.object}
    delegations['roles'][0]['keyids'] = [new.id]
    b.repository.publish('targets', 'snapshot', 'timestamp')
    b.download_refused('TUF 5.6.3', 'team/second')
    b.repository.roles['team'].signers = [new]
    b.repository.publish_all()
    b.download('team/second')


def clause_5_6_3_role_is_judged_for_each_delegator(b):
    """The reference clients remember a role by its name alone."""
    r = b.repository
    r.delegate('targets', 'A', ['a/*'])
    r.delegate('targets', 'B', ['b/*'])
    mine, other = r.new_key(), r.new_key()
    r.delegate('A', 'C', ['*/*'], key=mine)
    r.delegate('B', 'C', ['*/*'], key=other)
    r.roles['C'].signers = [mine]
    r.add_target('a/x', DATA, 'C')
    r.add_target('b/x', DATA, 'C')
    r.publish_all()
    b.download_refused('delegated by B: TUF 5.6.3: C: 0 good', 'a/x', 'b/x')
    b.expect(list(b.files()) == ['a%2Fx'], 'only what A vouches for is there')
    b.download_refused('delegated by B: TUF 5.6.3: C: 0 good', 'b/x')
    b.download('a/x')


def clause_5_6_2_role_of_another_hash_is_refused(b):
    team(b)
    b.repository.with_hashes = True
    b.repository.publish('team')
    b.repository.snapshot.signed['meta']['team.json']['hashes']['sha256'] = '46' * 32
    b.repository.publish('targets', 'snapshot', 'timestamp')
    refused_role(b, 'TUF 5.6.2: team: has another sha256')


def clause_5_6_4_role_of_another_version_is_refused(b):
    team(b)
    b.repository.publish_all()
    b.repository.publish('team')
    b.repository.roles['team'].versions[1] = b.repository.roles['team'].newest
    refused_role(b, 'TUF 5.6.4: team: is version 2, but 1 is promised')


def clause_5_6_7_role_that_is_missing_ends_the_search(b):
    team(b)
    b.repository.delegate('targets', 'others', ['*/*'])
    b.repository.add_target('team/first', b'evil', 'others')
    b.repository.publish_all()
    b.repository.roles['team'].versions.clear()
    refused_role(b, 'TUF 5.6.1: 1.team.json: not found')
    b.expect('others' not in b.trusted(), 'the next role is not asked')


def clause_5_6_7_role_that_the_snapshot_does_not_list_ends_the_search(b):
    team(b)
    b.repository.publish_all()
    del b.repository.snapshot.signed['meta']['team.json']
    b.repository.publish('snapshot', 'timestamp')
    refused_role(b, 'TUF 5.6.7: snapshot: does not list team.json')


def clause_5_6_7_1_number_of_roles_is_bounded(b):
    name = 'targets'
    for n in range(40):
        b.repository.delegate(name, f'r{n}', ['*'])
        name = f'r{n}'
    b.repository.add_target('x', DATA, name)
    b.repository.publish_all()
    b.download_refused('TUF 5.6.7.1: x: not found in the first 32 roles', 'x')
    b.expect(len(b.requests) == 4 + 31, '31 delegated roles are asked for')


def role_name(b, name):
    """Safe in the URL and on disk."""
    b.repository.delegate('targets', name)
    b.repository.publish_all()
    b.download_refused('TUF 5.7.2', 'nonexistent')
    quoted = urllib.parse.quote(name, '')
    b.expect_requests(TOP + [f'1.{quoted}'])
    b.expect(sorted(b.trusted()) == sorted(['root', 'snapshot', 'targets', 'timestamp', quoted]), 'five roles are trusted')
    b.expect(os.listdir(b.tmp).count('metadata') == 1 and len(os.listdir(b.tmp)) == 3, 'nothing lies beside')
    b.download_refused('TUF 5.7.2', 'nonexistent')
    b.expect_requests(['2.root', 'timestamp'])


def prefixes(b):
    """4.5: prefixes of the SHA-256 of the path, in hexadecimal."""
    digest = hashlib.sha256('päth/x'.encode()).hexdigest()
    b.repository.delegate('targets', 'A', prefixes=[f'{(int(digest[:4], 16) + 1) % 65536:04x}'])
    b.repository.delegate('targets', 'B', prefixes=['00' * 32, digest[:4]])
    b.repository.add_target('päth/x', DATA, 'B')
    b.repository.publish_all()
    b.download('päth/x')
    b.expect_requests(TOP + ['1.B'])


def bins(b, bits):
    path = 'some/target'
    number = int.from_bytes(hashlib.sha256(path.encode()).digest()[:4], 'big') >> (32 - bits)
    name = f'bin-{number:0{len(f"{2 ** bits - 1:x}")}x}'
    key = b.repository.new_key()
    b.repository.targets.signed['delegations'] = {
        'keys': {key.id: key.object},
        'succinct_roles': {'keyids': [key.id], 'threshold': 1, 'bit_length': bits, 'name_prefix': 'bin'}}
    b.repository.add_role(name, 'targets', targets={}).signers.append(key)
    b.repository.add_target(path, DATA, name)
    b.repository.publish_all()
    b.download(path)
    b.expect_requests(TOP + [f'1.{name}'])
    if bits > 1:
        b.download_refused('TUF 5.6.7: snapshot: does not list bin-', 'another/target')


def without_consistent_snapshots(b):
    b.repository.root.signed['consistent_snapshot'] = False
    b.repository.publish('root')
    team(b)
    b.repository.publish_all()
    b.download('team/first')
    b.expect_requests(['2.root', '3.root', 'timestamp', 'snapshot', 'targets', 'team'])
    b.expect('targets/team/first' in b.requests, 'the target has its plain name')


if __name__ == '__main__':
    run(*[(search, f'clause 5.6.7: {name}', *case) for name, case in SEARCHES.items()],
        *[(tree, f'clause 4.5: {path}', path, visited, found) for path, visited, found in (
            ('targetfile', '', True), ('README.md', 'A', True), ('releases/x/x_v1', 'BC', True),
            ('releases/y/y_v1.zip', 'BD', True), ('releases/z/z_v1.zip', 'B', False))],
        clause_5_6_5_role_that_is_expired_at_first_sight_is_refused, clause_5_6_5_role_that_expires_later_is_not_used,
        clause_5_6_5_newer_version_of_an_expired_role_is_fetched, clause_5_6_3_role_without_its_signature_is_refused,
        clause_5_6_3_threshold_of_a_role_counts, clause_5_6_3_keys_of_a_role_are_replaced_by_its_delegator,
        clause_5_6_3_role_is_judged_for_each_delegator, clause_5_6_2_role_of_another_hash_is_refused,
        clause_5_6_4_role_of_another_version_is_refused, clause_5_6_7_role_that_is_missing_ends_the_search,
        clause_5_6_7_role_that_the_snapshot_does_not_list_ends_the_search, clause_5_6_7_1_number_of_roles_is_bounded,
        *[(role_name, f'clause 4.5: role "{name}"', name) for name in ('?', '#', '/delegatedrole', '../delegatedrole', '..', '%2F', 'é ☃')],
        (prefixes, 'clause 4.5: path_hash_prefixes'), *[(bins, f'TAP 15: {bits} bits', bits) for bits in (1, 4, 5, 16, 32)],
        without_consistent_snapshots)
