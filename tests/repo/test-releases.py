#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of releases: promoted, kept as long as they are needed, removed, exported; and signatures that are kept fresh."""

import glob
import os
import subprocess

from publisher import expect, tell

LATER = '2030-09-01T00:00:00Z'  # after the 180 days that a release is kept


def begin(desk):
    desk.repo('init', 'boilers', '--expires-in', 'timestamp=2d', '--expires-in', 'snapshot=7d')
    for version, image, options in (('1.0.0', 'one.bin', ()), ('1.5.0', 'two.bin', ()), ('2.0.0', 'three.bin', ('--min-from', '1.5.0'))):
        desk.add(version, image, *options)
    desk.publish()
    desk.write('first-root.json', desk.read('boilers', 'root.json'))


def release_is_promoted(desk):
    begin(desk)
    desk.add('2.1.0-rc1', 'one.bin', '--channel', 'beta', '--min-from', '1.5.0')
    desk.publish()
    desk.repo('promote', 'boilers', '2.1.0-rc1', '--channel', 'stable', says='stable in the place of beta is staged')
    expect('beta' in desk.repo('verify', 'boilers'), 'promoted before it was published')
    desk.publish(says='targets 3')
    expect('beta' not in desk.repo('verify', 'boilers'), 'not promoted')
    desk.repo('promote', 'boilers', '2.1.0-rc1', '--channel', 'stable', says='nothing to do')
    desk.repo('promote', 'boilers', '7.0', '--channel', 'stable', code=1, says='there is no version 7.0')
    desk.repo('promote', 'boilers', '1.5.0', '--channel', 'beta', code=1, says='only by it')
    desk.repo('promote', 'boilers', '1.5.0', code=2, says='--channel is needed')


def young_release_is_kept_as_a_backup(desk):
    begin(desk)
    desk.repo('remove', 'boilers', '1.0.0', code=1, says='gateways may need it as a backup')
    desk.repo('remove', 'boilers', '1.0.0', '--keep-for', '10', code=1, says='until 2030-01-11T00:00:00Z')
    expect(not desk.has('boilers/stage/index.json'), 'its end is staged all the same')
    desk.now = LATER
    desk.repo('remove', 'boilers', '1.0.0', says='the end of boiler/1.0.0/one.bin is staged')
    expect('boiler/1.0.0' in desk.verify('boilers', '--now', '2030-01-01T00:00:00Z'), 'gone before it was published')
    desk.publish()
    expect('boiler/1.0.0' not in desk.verify(), 'still there')
    expect(not desk.has('boilers/public/targets/boiler/1.0.0'), 'its file is still there')
    expect('boiler/1.0.0/one.bin' not in desk.json('boilers/published.json')['targets'], 'its day is still there')


def stepping_stone_is_kept(desk):
    begin(desk)
    desk.now = LATER
    desk.repo('remove', 'boilers', '1.5.0', code=1, says='devices of older versions get to 2.0.0 only by it')
    desk.add('1.6.0', 'one.bin')
    desk.repo('remove', 'boilers', '1.5.0', says='is staged')
    desk.publish()
    expect(sorted(desk.verify()) == ['boiler/1.0.0', 'boiler/1.6.0', 'boiler/2.0.0'], desk.verify())


def stepping_stone_of_one_hardware_is_kept(desk):
    begin(desk)
    desk.now = LATER
    desk.add('1.6.0', 'one.bin', '--hardware', 'B')
    desk.repo('remove', 'boilers', '1.5.0', code=1, says='only by it')


def newest_release_can_be_withdrawn(desk):
    begin(desk)
    desk.repo('remove', 'boilers', '2.0.0', '--force', says='is staged')
    desk.publish()
    expect(sorted(desk.verify()) == ['boiler/1.0.0', 'boiler/1.5.0'], 'still there')


def staged_release_goes_at_once(desk):
    begin(desk)
    desk.add('3.0.0', 'one.bin')
    desk.repo('remove', 'boilers', '3.0.0', says='boiler/3.0.0/one.bin is not staged any more')
    expect(desk.files('boilers/stage') == [], desk.files('boilers/stage'))
    desk.publish(says='nothing to do')


def model_has_to_be_named_when_two_have_the_version(desk):
    begin(desk)
    desk.add('1.0.0', 'one.bin', model='pump')
    desk.repo('remove', 'boilers', '1.0.0', '--force', code=1, says='say which with --model')
    desk.repo('remove', 'boilers', '1.0.0', '--force', '--model', 'pump', says='pump/1.0.0/one.bin is not staged')


def timer_keeps_signatures_fresh_with_online_keys_only(desk):
    desk.repo('init', 'boilers', '--offline', 'stick', '--expires-in', 'timestamp=2d', '--expires-in', 'snapshot=7d')
    desk.add('1.0.0')
    desk.publish('--keys', 'stick')
    os.rename(desk.path('stick'), desk.path('away'))
    desk.add('1.1.0', 'two.bin')
    desk.repo('refresh', 'boilers', says='nothing to do')
    for day in range(2, 20):
        desk.now = f'2030-01-{day:02}T00:00:00Z'
        desk.repo('refresh', 'boilers')
        expect(list(desk.verify()) == ['boiler/1.0.0'], f'not good on day {day}, or what is staged was published')
    desk.repo('refresh', 'boilers', says='nothing to do')
    desk.publish(code=1, says='keys/targets.pem: is not there')
    desk.publish('--keys', 'away', says='targets 2')


def what_expires_soon_is_told(desk):
    begin(desk)
    desk.repo('expire-check', 'boilers', says='nothing expires soon')
    desk.now = '2030-01-02T13:00:00Z'
    desk.repo('expire-check', 'boilers', code=1, says='timestamp 1 expires at 2030-01-03T00:00:00Z, in 11 hours')
    desk.repo('expire-check', 'boilers', '--within', '1h', says='nothing expires soon')
    said = desk.repo('expire-check', 'boilers', '--within', '1095d', code=1)
    expect(all(role in said for role in ('root 1', 'targets 1', 'snapshot 1')), said)
    desk.now = '2030-01-09T00:00:00Z'
    desk.repo('expire-check', 'boilers', code=1, says='timestamp 1 expired at 2030-01-03T00:00:00Z')
    desk.repo('expire-check', 'boilers', '--within', 'soon', code=2, says='has to be a time like 14d')


def verify_says_what_a_gateway_would(desk):
    begin(desk)
    file = glob.glob(desk.path('boilers/public/targets/boiler/1.0.0/*'))[0]
    good = desk.read(file)
    desk.repo('verify', 'boilers', says='3 releases, 0 wrong')
    desk.write(file, good[:-1] + bytes([good[-1] ^ 1]))
    desk.repo('verify', 'boilers', code=1, says='has another SHA-256 than promised')
    desk.write(file, good + b'x')
    desk.repo('verify', 'boilers', code=1, says='is longer than')
    os.unlink(file)
    desk.repo('verify', 'boilers', code=1, says='No such file')
    desk.write(file, good)
    desk.repo('init', 'evil')
    desk.repo('verify', 'boilers', '--root', 'evil/root.json', code=1, says='good signatures')
    desk.repo('verify', 'boilers', '--now', '2030-02-01T00:00:00Z', code=1, says='expired')
    desk.repo('verify', '.', code=1, says="neither a publisher's folder nor one with metadata/")
    desk.repo('verify', 'boilers/public', code=1, says='name the root that the gateway has with --root')


def export_has_the_wanted_models(desk):
    begin(desk)
    desk.add('0.1.0', 'two.bin', model='pump')
    desk.repo('delegate', 'boilers', 'valves', '--model', 'valve')
    desk.add('0.3.0', 'two.bin', model='valve')
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.publish()
    desk.repo('export', 'boilers', 'stick', '--model', 'pump', '--model', 'valve', says='2 files; gateways take them until')
    targets = [f for f in desk.files('stick') if f.startswith('targets/')]
    expect(len(targets) == 2 and all('/pump/' in f or '/valve/' in f for f in targets), targets)
    expect(desk.read('stick/metadata/timestamp.json') == desk.read('boilers/public/metadata/timestamp.json'), 'other metadata')
    found = desk.verify('stick', '--root', 'first-root.json', code=1)  # the boilers are not there, on purpose
    expect(found == {'pump/0.1.0': 'targets', 'valve/0.3.0': 'valves'}, found)
    wanted = ('--root', 'first-root.json', '--model', 'pump', '--model', 'valve')
    expect(desk.verify('stick', *wanted) == found, 'the wanted models alone are not good')
    desk.repo('verify', 'stick', *wanted, '--model', 'none', code=1, says='none: has no release here')
    desk.repo('verify', 'stick', '--model', '../x', code=2, says='--model is "../x"')
    desk.repo('export', 'boilers', 'all', says='5 files')
    expect(len(desk.verify('all', '--root', 'first-root.json')) == 5, 'not all')
    desk.repo('export', 'boilers', 'x', '--model', 'none', code=1, says='none: has no published release')
    expect(not desk.has('x/metadata'), 'a useless folder looks like an export')


def public_folder_on_a_simple_file_system(desk):
    """Where folders cannot change places, files are written one after another."""
    begin(desk)
    desk.add('2.1.0', 'one.bin', '--min-from', '1.5.0')
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    desk.repo('export', 'boilers', 'stick')
    for command in (('publish', 'boilers'), ('export', 'boilers', 'stick')):
        subprocess.run(['strace', '-qq', '-o', '/dev/null', '-e', 'inject=renameat2:error=EINVAL', *desk.command(*command)],
                       cwd=desk.folder, check=True, stdout=subprocess.DEVNULL, env={**desk.env, 'ASAN_OPTIONS': 'detect_leaks=0'})
    for folder in ('boilers', 'stick'):
        expect('boiler/2.1.0' in desk.verify(folder, '--root', 'first-root.json'), f'not there in {folder}')
    expect(not glob.glob(desk.path('boilers/public/.*')) and not glob.glob(desk.path('stick/.*')), 'something is left')


tell(release_is_promoted, young_release_is_kept_as_a_backup, stepping_stone_is_kept, stepping_stone_of_one_hardware_is_kept,
     newest_release_can_be_withdrawn, staged_release_goes_at_once, model_has_to_be_named_when_two_have_the_version,
     timer_keeps_signatures_fresh_with_online_keys_only, what_expires_soon_is_told, verify_says_what_a_gateway_would,
     export_has_the_wanted_models, public_folder_on_a_simple_file_system)
