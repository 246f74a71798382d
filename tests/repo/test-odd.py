#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Odd input of every kind: each is told with the place where it is, nothing is changed, and nothing ends by a signal."""

import json
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
        expect(len(max(said.splitlines(), key=len)) <= 90, f'{verb}: a line of the help is too long')
    desk.repo('--help', says='expire-check')


def wrong_usage_of_every_verb_is_told(desk):
    for verb in EVERY:
        desk.repo(*verb, code=2, says='see rekindle-repo ' + ' '.join(verb) + ' --help')
        desk.repo(*verb, '--what', code=2, says='--what is no option here')
    desk.repo('key', 'what', code=2, says='"key what" is no verb')
    desk.repo('what', code=2, says='"what" is no verb')
    desk.repo('add', 'boilers', '--version', code=2, says='--version needs a value')


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


tell(every_verb_has_help, wrong_usage_of_every_verb_is_told, damaged_files_are_told, random_damage_never_ends_by_a_signal,
     odd_entries_of_the_stage_are_told, an_export_keeps_out_of_a_publishers_folder, several_at_once_take_turns)
