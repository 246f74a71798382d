#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Odd input of every kind: each is told with the place where it is, nothing is changed, and nothing ends by a signal."""

import base64
import json
import os
import random
import subprocess

from publisher import expect, tell

VERBS = ('init', 'add', 'remove', 'promote', 'publish', 'refresh', 'show', 'expire-check', 'verify', 'export', 'device-key', 'delegate')
GROUPS = {'key': ('add', 'remove', 'rotate', 'threshold', 'list', 'new'),
          'root': ('show', 'renew', 'sign', 'export', 'import', 'drop'),
          'targets': ('show', 'sign', 'export', 'import', 'drop')}
EVERY = [(verb,) for verb in VERBS] + [(group, verb) for group, verbs in GROUPS.items() for verb in verbs]


def every_verb_has_help(desk):
    for verb in EVERY + [(group,) for group in GROUPS]:
        said = desk.repo(*verb, '--help')
        expect(said.startswith('rekindle-repo ' + verb[0]) and '--' in said or len(verb) == 1, f'{verb}: {said}')
        expect(len(max(said.splitlines(), key=len)) <= 80, f'{verb}: a line of the help is too long')
    desk.repo('--help', says='expire-check')


def wrong_usage_of_every_verb_is_told(desk):
    for verb in EVERY:
        desk.repo(*verb, code=2, says='see rekindle-repo ' + ' '.join(verb) + ' --help')
        desk.repo(*verb, '--what', code=2, says='--what is no option here')
    desk.repo('key', 'what', code=2, says='"key what" is no verb')
    desk.repo('what', code=2, says='"what" is no verb')
    desk.repo('add', 'boilers', '--version', code=2, says='--version needs a value')


def wrong_places_are_told_and_nothing_changes(desk):
    begin(desk)
    desk.write('binary', bytes(range(256)))
    os.mkdir(desk.path('folder'))
    os.mkfifo(desk.path('pipe'))
    add = ('add', 'boilers', '--model', 'm', '--version', '9')
    before = (desk.files('.'), desk.read('boilers/stage/index.json'), desk.read('boilers/stage/next-root.json'))
    for code, says, verb in (
            (1, 'none: is not there; make a repository with', ('show', 'none')),
            (1, "binary: is no folder; name the publisher's", ('publish', 'binary')),
            (1, 'folder: is no repository; make one with', ('remove', 'folder', '1.0.0')),
            (2, 'argument 1 of DIR is empty', ('show', '')),
            (2, 'argument 3 of DIR ROLE KEYID is empty', ('key', 'remove', 'boilers', 'root', '')),
            (2, 'argument 1 of FILE is empty', ('key', 'new', '')),
            (1, 'rekindle-repo: binary: Not a directory', ('verify', 'binary')),
            (1, 'rekindle-repo: folder: is neither a publisher', ('verify', 'folder')),
            (1, 'rekindle-repo: binary: trusted root: ', ('verify', 'boilers', '--root', 'binary')),
            (1, 'folder: is a folder; it has to be a file', ('verify', 'boilers', '--root', 'folder')),
            (1, 'folder: is a folder; it has to be a file', (*add, 'folder')),
            (1, 'pipe: is a device, a pipe or a socket', (*add, 'pipe')),
            (1, '/dev/null: is a device, a pipe or a socket', (*add, '/dev/null')),
            (1, 'folder: is a folder; it has to be a file', (*add, '--notes', '@folder', 'one.bin')),
            (1, 'folder: is a folder; it has to be a file', (*add, '--device-key', 'folder', 'one.bin')),
            (1, '--part 100:200: begins before the end of 0:6000', (*add, '--part', '0:6000', '--part', '100:200', 'one.bin')),
            (2, '--requires m is the model itself', (*add, '--requires', 'm>=8', 'one.bin')),
            (2, '--model is "a\\x0ab\\x1b[31m"; it has to be', ('add', 'boilers', '--model', 'a\nb\x1b[31m', '--version', '9', 'one.bin')),
            (1, 'boilers: boiler/1.0.0/one.bin is published already', ('add', 'boilers', '--model', 'boiler', '--version', '1.0.0', '--file', 'one.bin', 'two.bin')),
            (1, 'pipe: is a device, a pipe or a socket', ('key', 'add', 'boilers', 'root', 'pipe')),
            (1, 'boilers: binary: is no key in PEM', ('key', 'add', 'boilers', 'root', 'binary')),
            (1, 'boilers: root has no key 1234', ('key', 'remove', 'boilers', 'root', '1234')),
            (1, 'binary: is no file of "export": no JSON', ('root', 'show', 'binary')),
            (1, 'binary: is no file of "export": no JSON', ('root', 'import', 'boilers', 'binary')),
            (1, 'boilers: there is no version 7', ('remove', 'boilers', '7')),
            (1, 'boilers: there is no version 7', ('promote', 'boilers', '7', '--channel', 'beta')),
            (1, 'boilers: is a repository already', ('init', 'boilers')),
            (1, 'boilers/public: lies in another repository', ('init', 'boilers/public')),
            (1, 'boilers/new: lies in another repository', ('init', 'boilers/new')),
            (1, 'binary: Not a directory', ('init', 'new', '--offline', 'binary')),
            (1, 'a passphrase has to have at least 8', ('init', 'new', '--offline', 'apart', '--encrypt', '--passphrase-file', 'short')),
            (1, 'belongs to a publisher', ('export', 'boilers', 'boilers/public/metadata')),
            (1, 'belongs to a publisher', ('export', 'boilers', 'boilers/public/new')),
            (1, 'binary: Not a directory', ('export', 'boilers', 'binary'))):
        desk.write('short', b'1234567\n')
        said = desk.repo(*verb, code=code, says=says)
        expect(said.count('\n') == 1, f'{verb}: more than a sentence:\n{said}')
        os.unlink(desk.path('short'))
    after = (desk.files('.'), desk.read('boilers/stage/index.json'), desk.read('boilers/stage/next-root.json'))
    expect(before == after, f'something changed: {set(after[0]) ^ set(before[0])}')
    expect(not any(desk.has(f) for f in ('new', 'apart', 'boilers/new', 'boilers/public/new')), 'an empty folder is left')


def options_that_would_do_nothing_are_refused(desk):
    desk.repo('init', 'boilers')
    desk.repo('key', 'new', 'bob.pem')
    desk.repo('device-key', 'boilers', 'line1')
    desk.write('passphrase', b'correct horse\n')
    before = desk.files('.')
    for verb, says in ((('key', 'add', 'boilers', 'device-line2', '--threshold', '2'), 'device keys have no threshold'),
                       (('key', 'threshold', 'boilers', 'device-line1', '2'), 'device keys have no threshold'),
                       (('key', 'rotate', 'boilers', 'device-line1', '--old', '1234'), '--old is not for device keys'),
                       (('key', 'add', 'boilers', 'root', 'bob.pub.pem', '--encrypt'), '--encrypt is for a key that is made here'),
                       (('key', 'rotate', 'boilers', 'root', 'bob.pub.pem', '--type', 'p256'), '--type is for a key that is made here'),
                       (('device-key', 'boilers', 'line2', 'pkcs11:object=x', '--encrypt'), '--encrypt is for a key that is made here'),
                       (('key', 'new', 'x.pem', '--passphrase-file', 'passphrase'), 'say --encrypt too'),
                       (('key', 'add', 'boilers', 'root', '--passphrase-file', 'passphrase'), 'say --encrypt too'),
                       (('device-key', 'boilers', 'line2', '--passphrase-file', 'passphrase'), 'say --encrypt too'),
                       (('delegate', 'boilers', 'pumps', '--model', 'pump', '--passphrase-file', 'passphrase'), 'say --encrypt too'),
                       (('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'bob.pub.pem', '--type', 'p256'), '--type is for a key'),
                       (('delegate', 'boilers', 'pumps', '--remove', '--model', 'pump'), 'goes with no other option'),
                       (('add', 'boilers', '--model', 'boiler', '--version', '1', '--passphrase-file', 'passphrase', 'one.bin'),
                        'for a --device-key')):
        desk.repo(*verb, code=2, says=says)
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'bob.pub.pem')
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'valve', '--type', 'p256', code=1, says='pumps has a key already')
    expect(desk.files('.') == sorted(before + ['boilers/stage/index.json']), desk.files('.'))


def a_refused_change_makes_no_key(desk):
    desk.repo('init', 'boilers')
    before = desk.files('boilers')
    desk.repo('delegate', 'boilers', 'pumps', code=1, says='would have no model')
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--threshold', '2', code=1, says='would have 1 key for a threshold of 2')
    desk.repo('key', 'add', 'boilers', 'snapshot', '--threshold', '3', code=1, says='would have 2 keys for a threshold of 3')
    expect(desk.files('boilers') == before, desk.files('boilers'))


def what_could_not_be_read_again_is_not_staged(desk):
    desk.repo('init', 'boilers')
    keys = []
    for i in range(65):
        keys.append(f'{i}.pub.pem')
        der = bytes.fromhex('302a300506032b6570032100') + bytes([i + 1]) * 32
        desk.write(keys[i], b'-----BEGIN PUBLIC KEY-----\n' + base64.b64encode(der) + b'\n-----END PUBLIC KEY-----\n')
    for i in range(0, 64, 16):
        desk.repo('delegate', 'boilers', 'pumps', *(word for k in range(16) for word in ('--model', f'm{i + k}', '--key', keys[i + k])))
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'm64', code=1, says='pumps would have 65 models; a team can have 64')
    desk.repo('delegate', 'boilers', 'pumps', '--key', keys[64], code=1, says='pumps would have 65 keys; a role can have 64')
    desk.repo('key', 'add', 'boilers', 'pumps', keys[64], code=1, says='pumps would have 65 keys; a role can have 64')
    desk.repo('show', 'boilers', says='a change of pumps is staged')
    index = desk.json('boilers/stage/index.json')
    room = 4 * 1024 * 1024 - len(desk.read('boilers/stage/index.json'))
    index['targets']['large'] = {'length': 1, 'hashes': {'sha256': 64 * '0'}, 'custom': {'of-others': 'x' * (room - 3000)}}
    desk.write('boilers/stage/index.json', json.dumps(index, separators=(',', ':'), sort_keys=True).encode())
    desk.write('notes', b'x' * 4096)
    desk.add('1.0.0', 'one.bin', '--notes', '@notes', code=1, says='stage/index.json: would have 4')
    desk.add('1.0.0')


def begin(desk):
    desk.repo('init', 'boilers')
    desk.add('1.0.0')
    desk.publish()
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump')
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.add('1.1.0', 'two.bin')


def damaged_files_are_told(desk):
    begin(desk)
    for name, verb in (('stage/index.json', 'show'), ('stage/next-root.json', 'publish'), ('published.json', 'show'),
                       ('repository.json', 'show'), ('root.json', 'show')):
        good = desk.read('boilers', name)
        wrong_format = dict(json.loads(good), format=2) if b'"format"' in good else {}
        for bad in (b'', b'{', b'[]', b'{}', good[:-2], b'\0' + good, json.dumps(wrong_format).encode()):
            desk.write('boilers/' + name, bad)
            said = desk.repo(verb, 'boilers', code=1)
            expect(name in said, f'{name} with {bad[:20]}: {said}')
        desk.write('boilers/' + name, good)
    desk.publish(says='root 2\npumps 1\ntargets 2\n')


def flipped(data, seed):
    changed = bytearray(data)
    for _ in range(1 + seed % 3):
        changed[random.Random(seed).randrange(len(changed))] ^= 1 << random.Random(seed + 1).randrange(7)
    return bytes(changed)


def random_damage_never_ends_by_a_signal(desk):
    begin(desk)
    desk.repo('root', 'export', 'boilers', 'request')
    files = ['boilers/stage/index.json', 'boilers/stage/next-root.json', 'boilers/published.json', 'boilers/repository.json',
             'boilers/root.json', 'boilers/public/metadata/1.targets.json', 'request']
    for seed in range(70):
        name = files[seed % len(files)]
        good = desk.read(name)
        desk.write(name, flipped(good, seed))
        verb = ('root', 'show', 'request') if name == 'request' else ('show', 'boilers')
        done = subprocess.run(desk.command(*verb), cwd=desk.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        expect(done.returncode in (0, 1), f'{name}, seed {seed}: exit {done.returncode}: {done.stdout}')
        desk.write(name, good)


def odd_entries_of_the_stage_are_told(desk):
    begin(desk)
    index = desk.json('boilers/stage/index.json')
    for member, value, text in (('teams', {'root': index['teams']['pumps']}, '"root" cannot name a team'),
                                ('teams', {'pumps': 7}, 'pumps'),
                                ('teams', {'pumps': dict(index['teams']['pumps'], threshold=0)}, 'threshold'),
                                ('teams', {'pumps': dict(index['teams']['pumps'], models=['a/b'])}, '"models" has to be a list of names'),
                                ('removed', [1], '"removed" has to be a list of names'),
                                ('targets', {'../../x': index['targets']['boiler/1.1.0/two.bin']}, '../../x')):
        desk.write('boilers/stage/index.json', json.dumps(dict(index, **{member: value})).encode())
        desk.repo('show', 'boilers', code=1, says=text)


def tables_keep_to_the_terminal(desk):
    desk.repo('init', 'boilers')
    desk.repo('device-key', 'boilers', 'line1')
    model, version = 'm' * 40 + '-central', '10.20.30-rc.4+build.20300101'
    desk.add(version, 'one.bin', '--device-key', 'line1', '--channel', 'candidates', '--hardware', 'revision-a', '--hardware', 'revision-b', model=model)
    desk.publish()
    name = f'boilers/public/targets/{model}/{version}'
    name = f'{name}/{desk.files(name)[0]}'
    desk.write(name, desk.read(name)[:-1])
    for verb, code, says in (('show', 0, 'published, signed'), ('verify', 1, '1 release, 1 wrong')):
        for columns in 80, 120:
            said = desk.on_terminal(verb, 'boilers', code=code, columns=columns)
            expect(says in said and len(max(said.split(f'{model}/')[0].splitlines(), key=len)) <= columns, f'{verb} at {columns} columns:\n{said}')
        expect(f'{model}  {version}  candidates' in desk.repo(verb, 'boilers', code=code), 'shortened without a terminal')


def an_answer_that_cannot_be_written_is_told(desk):
    begin(desk)
    for verb in (('show', 'boilers'), ('show', 'boilers', '--json'), ('key', 'list', 'boilers'), ('verify', 'boilers'), ('expire-check', 'boilers'),
                 ('root', 'show', 'boilers'), ('--help',), ('add', '--help')):
        with open('/dev/full', 'wb') as full:
            done = subprocess.run(desk.command(*verb), cwd=desk.folder, stdout=full, stderr=subprocess.PIPE, check=False, text=True)
        expect(done.returncode == 1 and 'standard output: No space left on device' in done.stderr, f'{verb}: exit {done.returncode}: {done.stderr}')


def several_at_once_take_turns(desk):
    desk.repo('init', 'boilers')
    running = [subprocess.Popen(desk.command('add', 'boilers', '--model', 'boiler', '--version', f'1.{i}.0', '--file', 'x', image),
                                cwd=desk.folder, stdout=subprocess.DEVNULL)
               for i, image in enumerate(('one.bin', 'two.bin', 'three.bin') * 2)]
    running += [subprocess.Popen(desk.command('publish', 'boilers'), cwd=desk.folder, stdout=subprocess.DEVNULL) for _ in range(2)]
    expect([p.wait() for p in running] == [0] * len(running), 'not all of them did their work')
    desk.publish()
    expect(len(desk.verify()) == 6, desk.verify())


def an_export_keeps_out_of_a_publishers_folder(desk):
    begin(desk)
    desk.repo('init', 'pumps')
    for folder in 'pumps', 'pumps/public':
        before = desk.files('pumps')
        desk.repo('export', 'boilers', folder, code=1, says='belongs to a publisher')
        expect(desk.files('pumps') == before, f'{folder} was written to')


tell(every_verb_has_help, wrong_usage_of_every_verb_is_told, wrong_places_are_told_and_nothing_changes,
     options_that_would_do_nothing_are_refused, a_refused_change_makes_no_key,
     what_could_not_be_read_again_is_not_staged, damaged_files_are_told, random_damage_never_ends_by_a_signal,
     odd_entries_of_the_stage_are_told, an_export_keeps_out_of_a_publishers_folder, tables_keep_to_the_terminal,
     an_answer_that_cannot_be_written_is_told, several_at_once_take_turns)
