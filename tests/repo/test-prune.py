#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Old metadata goes when nobody can ask for it any more: what is in force, or lately was, stays with all that it names."""

import calendar
import os
import time

from publisher import expect, tell

METADATA = 'boilers/public/metadata'


def seconds(text):
    return calendar.timegm(time.strptime(text, '%Y-%m-%dT%H:%M:%SZ'))


def publish(desk, day, *options, says=''):
    """As on that day of 2030: also the dates of the files."""
    desk.now = f'2030-{1 + day // 30:02}-{1 + day % 30:02}T00:00:00Z'
    desk.publish(*options, says=says)
    for name in os.listdir(desk.path(METADATA)):
        path = desk.path(METADATA, name)
        if os.stat(path).st_mtime < seconds('2029-01-01T00:00:00Z'):
            os.utime(path, (seconds(desk.now),) * 2)


def begin(desk):
    """Snapshots of day 0, 10 and 40, with targets of their own, and a last one of day 45 with the same targets."""
    desk.repo('init', 'boilers', '--expires-in', 'snapshot=8d', '--expires-in', 'timestamp=4d')
    desk.write('first-root.json', desk.read('boilers/root.json'))
    for version, day in (('1.0.0', 0), ('1.1.0', 10), ('1.2.0', 40)):
        desk.add(version)
        publish(desk, day)
    publish(desk, 45, says='snapshot 4')


def prune(desk, *options, removed=None, **how):
    """What it says is what is gone."""
    before = set(desk.files(METADATA))
    text = desk.repo('prune', 'boilers', *options, **how)
    gone = before - set(desk.files(METADATA))
    if removed is not None:
        expect(text.split() == removed if removed else text == 'nothing to do\n', f'{removed} expected: {text}')
        expect(gone == set(removed), f'{gone} are gone')
    return text


def snapshots_go_some_time_after_another_took_their_place(desk):
    begin(desk)
    before = desk.verify('boilers', '--root', 'first-root.json')
    for day, gone in (('09T23:59:59Z', []), ('10T00:00:00Z', ['1.targets.json', '1.snapshot.json'])):
        desk.now = f'2030-02-{day}'
        prune(desk, removed=gone)
    prune(desk, removed=[])
    desk.now = '2030-02-16T00:00:00Z'
    prune(desk, '--keep-for', '5', removed=['2.targets.json', '2.snapshot.json'])
    prune(desk, '--keep-for', '0', removed=['3.snapshot.json'])
    prune(desk, '--keep-for', '0', '--now', '2040-01-01T00:00:00Z', removed=[])
    expect(desk.files(METADATA) == ['1.root.json', '3.targets.json', '4.snapshot.json', 'timestamp.json'], desk.files(METADATA))
    expect(desk.verify('boilers', '--root', 'first-root.json') == before, 'gateways see a difference')
    desk.add('1.3.0')
    publish(desk, 46, says='targets 4\nsnapshot 5\n')


def roots_and_what_teams_sign_stay(desk):
    begin(desk)
    desk.repo('key', 'new', 'team.pem')
    desk.repo('delegate', 'boilers', 'pumps', '--model', 'pump', '--key', 'team.pem')
    desk.add('0.1.0', model='pump')
    publish(desk, 50, '--key', 'team.pem', says='pumps 1')
    desk.add('0.2.0', 'two.bin', model='pump')
    publish(desk, 51, '--key', 'team.pem', says='pumps 2')
    desk.repo('key', 'rotate', 'boilers', 'timestamp')
    publish(desk, 52, says='root 2')
    prune(desk, '--keep-for', '0')
    left = desk.files(METADATA)
    expect([n for n in left if 'root' in n] == ['1.root.json', '2.root.json'] and '2.pumps.json' in left and
           '1.pumps.json' not in left, left)
    desk.repo('delegate', 'boilers', 'pumps', '--remove')
    publish(desk, 53)
    prune(desk, '--keep-for', '0')
    expect('2.pumps.json' in desk.files(METADATA), 'the snapshot lists it still')
    expect(len(desk.verify('boilers', '--root', 'first-root.json')) == 5, 'something is missing')


def what_is_not_known_is_left_alone(desk):
    begin(desk)
    names = ('1.notes.json', '0.snapshot.json', '01.targets.json', '9.snapshot.json', '9.targets.json', '1.snapshot.json.old',
             'snapshot.json', '.x.tmp', '1..json', '1234567890123456789.targets.json')
    for name in names:
        desk.write(f'{METADATA}/{name}', b'{}')
    os.mkdir(desk.path(METADATA, '2.snapshot.json.d'))
    os.unlink(desk.path(METADATA, '3.snapshot.json'))
    os.mkdir(desk.path(METADATA, '3.snapshot.json'))
    prune(desk, '--keep-for', '0', removed=['1.targets.json', '2.targets.json', '1.snapshot.json', '2.snapshot.json'])
    expect(all(desk.has(METADATA, name) for name in names), 'something else is gone')


def nothing_goes_when_one_that_stays_cannot_be_read(desk):
    begin(desk)
    desk.write(f'{METADATA}/3.snapshot.json', b'{"signed": ')
    os.utime(desk.path(METADATA, '4.snapshot.json'), (seconds(desk.now),) * 2)
    before = desk.files(METADATA)
    prune(desk, '--keep-for', '1', code=1, says='public/metadata/3.snapshot.json')
    expect(desk.files(METADATA) == before, 'something is gone')


def before_anything_is_published_nothing_goes(desk):
    desk.repo('init', 'boilers')
    prune(desk, removed=[])
    desk.repo('prune', 'nowhere', code=1, says='is not there')
    desk.repo('prune', 'boilers', '--keep-for', 'soon', code=2, says='--keep-for')
    desk.repo('prune', 'boilers', 'too', code=2)
    desk.repo('prune', '--help', says='Roots stay')


tell(snapshots_go_some_time_after_another_took_their_place, roots_and_what_teams_sign_stay, what_is_not_known_is_left_alone,
     nothing_goes_when_one_that_stays_cannot_be_read, before_anything_is_published_nothing_goes)
