#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-tuf: targets, and the command itself. Names begin with the clause of the TUF specification 1.0.34."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from repository import run  # noqa: E402  pylint: disable=wrong-import-position


def publish(b, **targets):
    for name, data in targets.items():
        b.repository.add_target(name, data)
    b.repository.publish_all()


def refresh_downloads_nothing(b):
    publish(b, file=b'content')
    b.good()
    b.expect(b.files() == {} and not any(r.startswith('targets/') for r in b.requests), 'no target is asked for')


def clause_5_7_3_target_is_downloaded(b):
    publish(b, file=b'content')
    b.download('file')
    b.expect(b.files() == {'file': b'content'}, 'the file is there')
    digest = b.repository.targets.signed['targets']['file']['hashes']['sha256']
    b.expect(b.requests[-1] == f'targets/{digest}.file', 'it is asked for under its hash')


def clause_5_7_3_target_in_folders_is_downloaded(b):
    publish(b, **{'path/to/a/file.txt': b'content'})
    b.download('path/to/a/file.txt')
    b.expect(b.files() == {'path%2Fto%2Fa%2Ffile.txt': b'content'}, 'the file is there')


def clause_5_7_3_empty_target_is_downloaded(b):
    publish(b, empty=b'')
    b.download('empty')
    b.expect(b.files() == {'empty': b''}, 'the file is there')


def clause_5_7_2_target_that_nobody_lists(b):
    b.download_refused('TUF 5.7.2: nonexistent artifact: there is no such target', 'nonexistent artifact')
    b.expect_requests(['2.root', 'timestamp', '1.snapshot', '1.targets'])
    b.expect_trusted(root=1, snapshot=1, targets=1, timestamp=1)


def clause_5_7_1_target_that_is_there_is_left_alone(b):
    publish(b, file=b'content')
    b.download('file')
    path = os.path.join(b.targets, 'file')
    os.utime(path, (1, 1))
    before = os.stat(path)
    b.download('file')
    after = os.stat(path)
    b.expect(b.requests == ['metadata/2.root.json', 'metadata/timestamp.json'], 'the target is not asked for')
    b.expect((before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns), 'the file is not touched')


def clause_5_7_1_damaged_target_is_downloaded_again(b):
    publish(b, file=b'content')
    for damage in (b'Content', b'conten', b'content!', b''):
        with open(os.path.join(b.targets, 'file'), 'wb') as file:
            file.write(damage)
        b.download('file')
        b.expect(b.files() == {'file': b'content'}, 'the file is good again')


def clause_5_7_3_substituted_target_is_refused(b):
    publish(b, one=b'content 1', two=b'content 2')
    b.download('one')
    for path in list(b.repository.artifacts):
        b.repository.artifacts[path] = b'malicious'
    b.download('one')
    b.download_refused('TUF 5.7.3: two: has another sha256', 'two')
    b.expect(b.files() == {'one': b'content 1'}, 'only the good file is there')


def clause_5_7_3_target_of_another_length_is_refused(b):
    publish(b, file=b'content')
    for data, text in ((b'content and more', 'has more than 7 bytes'), (b'conten', 'has 6 bytes, but 7 are promised'),
                       (b'', 'has 0 bytes')):
        for path in list(b.repository.artifacts):
            b.repository.artifacts[path] = data
        b.download_refused(f'TUF 5.7.3: file: {text}', 'file')
        b.expect(b.files() == {}, 'nothing is there')


def changes_are_followed(b):
    publish(b, file=b'first')
    b.download('file')
    for n in range(5):
        publish(b, file=f'content {n}'.encode())
        if n % 2 == 0:
            b.download('file')
            b.expect(b.files() == {'file': f'content {n}'.encode()}, 'the file has the new content')


def hash_kinds(b, *hashes):
    b.repository.add_target('file', b'content', hashes=hashes)
    b.repository.publish_all()
    b.download('file')
    listed = b.repository.targets.signed['targets']['file']['hashes'].values()
    b.expect(b.requests[-1] in [f'targets/{h}.file' for h in listed], 'it is asked for under one of its hashes')
    b.expect(b.files() == {'file': b'content'}, 'the file is there')


def every_hash_counts(b, wrong):
    b.repository.add_target('file', b'content', hashes=('sha256', 'sha512'))
    hashes = b.repository.targets.signed['targets']['file']['hashes']
    good = hashes['sha256']
    hashes[wrong] = hashes[wrong][:-1] + ('0' if hashes[wrong][-1] != '0' else '1')
    b.repository.artifacts[hashes['sha256'] + '.file'] = b.repository.artifacts[good + '.file']
    b.repository.publish_all()
    b.download_refused(f'TUF 5.7.3: file: has another {wrong}', 'file')


def clause_5_7_3_hash_of_unknown_kind_alone_is_refused(b):
    entry = b.repository.add_target('file', b'content')
    entry['hashes'] = {'unknown-hash': entry['hashes']['sha256']}
    b.repository.publish_all()
    b.download_refused('TUF 5.7.3: file: has no hash of a kind known here', 'file')
    b.expect(b.files() == {}, 'nothing is there')


def without_consistent_snapshots_targets_have_plain_names(b):
    b.repository.root.signed['consistent_snapshot'] = False
    b.repository.publish('root')
    publish(b, **{'a/file': b'content'})
    b.download('a/file')
    b.expect(b.requests[-1] == 'targets/a/file', 'it is asked for under its name')


def several_targets_come_in_order_up_to_the_first_failure(b):
    publish(b, one=b'1', two=b'2', three=b'3')
    b.download_refused('TUF 5.7.2: missing', 'two', 'one', 'missing', 'three')
    b.expect(b.files() == {'one': b'1', 'two': b'2'}, 'those before the failure are there')
    b.expect([r[-3:] for r in b.requests if r.startswith('targets/')] == ['two', 'one'], 'in this order')


def target_name(b, name, file):
    """Odd names stay in the folder and reach the server as they are."""
    publish(b, **{name: b'content'})
    b.download(name)
    b.expect(b.files() == {file: b'content'}, f'it lies under {file}')


def name_as_long_as_can_be(b):
    name = 'x' * 255
    publish(b, **{name: b'content'})
    b.download(name)
    b.expect(b.files() == {name: b'content'}, 'the file is there')


def name_that_no_file_can_have(b, name, length):
    """Said before anything of the target is asked for, its delegations included."""
    publish(b, **{name: b'content'})
    b.good()
    b.requests.clear()
    b.download_refused(f"{b.targets} takes names of 255 bytes at most, and percent-encoded this target's has {length}: ", name)
    b.expect(not any(r.startswith('targets/') for r in b.requests), f'the target is asked for: {b.requests}')
    b.expect(b.files() == {}, 'nothing is there')


def path_that_climbs(b, name):
    """What no server can keep is not asked for."""
    publish(b, **{name: b'content'})
    b.download_refused('is no path that can be asked for', name)
    b.expect(b.files() == {} and sorted(os.listdir(b.tmp)) == ['metadata', 'targets', 'trusted-root.json'], 'nothing is there')


def download_after_a_refused_refresh(b):
    publish(b, file=b'content')
    b.repository.timestamp.signers.clear()
    b.repository.publish('timestamp')
    b.download_refused('TUF 5.4.2', 'file')
    b.expect(b.files() == {}, 'nothing is there')


def target_that_cannot_be_fetched(b):
    publish(b, file=b'content')
    b.repository.artifacts.clear()
    b.download_refused('file: the server answered HTTP 404', 'file')
    b.expect(b.files() == {}, 'nothing is there')
    b.expect(sum(r.startswith('targets/') for r in b.requests) == 1, 'it is asked for once')


def symbolic_link_is_replaced_and_not_followed(b):
    publish(b, file=b'content')
    outside = os.path.join(b.tmp, 'outside')
    with open(outside, 'wb') as file:
        file.write(b'content')
    os.symlink(outside, os.path.join(b.targets, 'file'))
    b.download('file')
    b.expect(not os.path.islink(os.path.join(b.targets, 'file')) and b.files() == {'file': b'content'}, 'it is a file now')


def leftovers_of_a_killed_client_are_swept(b):
    for folder in (b.metadata, b.targets):
        with open(os.path.join(folder, '.file.abc123.tmp'), 'wb'):
            pass
    publish(b, file=b'content')
    b.download('file')
    b.expect(b.files() == {'file': b'content'}, 'nothing else is there')
    b.expect(len(os.listdir(b.metadata)) == 4, 'nor there')


def wrong_usage(b, text, *words):
    """Exit status 1, a reason, no request."""
    b.requests.clear()
    b.expect(b.run(*words) == 1, 'it does not exit with 1')
    b.expect(text in b.said and b.requests == [], f'it does not say "{text}"')


def help_and_version(b):
    b.expect(b.run('--help') == 0 and 'refresh' in b.said, 'help')
    b.expect(b.run('--version') == 0 and b.said.startswith('rekindle-tuf '), 'version')


def folders_that_are_one(b):
    publish(b, file=b'content')
    b.targets = b.metadata
    b.download_refused('has to be another folder than --metadata-dir', 'file')


if __name__ == '__main__':
    run(refresh_downloads_nothing, clause_5_7_3_target_is_downloaded, clause_5_7_3_target_in_folders_is_downloaded,
        clause_5_7_3_empty_target_is_downloaded, clause_5_7_2_target_that_nobody_lists,
        clause_5_7_1_target_that_is_there_is_left_alone, clause_5_7_1_damaged_target_is_downloaded_again,
        clause_5_7_3_substituted_target_is_refused, clause_5_7_3_target_of_another_length_is_refused, changes_are_followed,
        *[(hash_kinds, f'clause 5.7.3: {", ".join(kinds)}', *kinds) for kinds in (('sha256',), ('sha512',), ('sha256', 'sha512'))],
        (every_hash_counts, 'clause 5.7.3: sha256', 'sha256'), (every_hash_counts, 'clause 5.7.3: sha512', 'sha512'),
        clause_5_7_3_hash_of_unknown_kind_alone_is_refused, without_consistent_snapshots_targets_have_plain_names,
        several_targets_come_in_order_up_to_the_first_failure,
        *[(target_name, f'"{name}"', name, file) for name, file in (
            ('.profile', '%2Eprofile'), ('a b?c#d', 'a%20b%3Fc%23d'), ('100%', '100%25'), ('é☃', '%C3%A9%E2%98%83'),
            ('..x/y', '%2E.x%2Fy'), ('.file.abc123.tmp', '%2Efile.abc123.tmp'), ('-x', '-x'))],
        name_as_long_as_can_be,
        *[(name_that_no_file_can_have, f'{len(name)} characters', name, length) for name, length in (
            ('x' * 256, 256), ('a/' * 80 + 'x', 321), ('☃' * 50, 450), ('.' + 'x' * 254, 257))],
        *[(path_that_climbs, f'"{name}"', name) for name in ('../x', '/x', 'a//x', 'a/../x', '..')],
        download_after_a_refused_refresh, target_that_cannot_be_fetched, symbolic_link_is_replaced_and_not_followed,
        leftovers_of_a_killed_client_are_swept, folders_that_are_one, help_and_version,
        *[(wrong_usage, text, text, *words) for text, *words in (
            ('--metadata-url is missing', 'refresh'), ('one of init', 'init'), ('one of init', 'refresh', 'more'),
            ('one of init', 'fetch'), ('--nothing is no option here', '--nothing'), ('--timeout needs a value', '--timeout'),
            *[(f'--metadata-url is "{url.rstrip("/")}"; it has to be', '--metadata-url', url, 'refresh')
              for url in ('', 'x:y:z', 'http://', 'ftp://127.0.0.1', 'file:///tmp', 'http://u:p@127.0.0.1', 'http://127.0.0.1:99999',
                          'http://127.0.0.1/?a', 'http://127.0.0.1/#a', 'http://127.0.0.1/a b')], ('--timeout 0', '--timeout', '0', 'refresh'),
            ('No such file', 'init', '/nonexistent'), ('--target-name is missing', 'download'))])
