#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What programs read: every --json output agrees with the others, with the disk and with what happened; reports are in order."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))
from world import run  # noqa: E402  pylint: disable=wrong-import-position

KEY = re.compile(r'^[a-z][a-z0-9]*(-[a-z0-9]+)*$')
DIGEST = re.compile(r'^[0-9a-f]{64}$')
TIME = re.compile(r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')


def something_happens(w):
    """1.0.0 and 1.1.0 are good, 1.2.0 is bad and restored, 1.3.0 is not what was signed, 1.4.0 is canceled; a blank one is left."""
    for version in ('1.0.0', '1.1.0'):
        w.publisher.publish(version)
        if version == '1.0.0':
            w.add_device('boiler', 'boiler-ctl', '--flash-times', 'off')
            w.add_device('left', 'boiler-ctl', '--flash-times', 'off', device_keys='Provision=no')
            w.start()
        w.ctl('check', expect=0)
        w.wait_runs(version)
    w.publisher.publish('1.2.0', 'crash')
    w.ctl('check', expect=0)
    w.wait_result('1.2.0', 'restored')
    w.publisher.publish('1.3.0')
    os.truncate(w.publisher.served_file('1.3.0'), 100)
    w.ctl('check', expect=0)
    w.wait_result('1.3.0', 'image-invalid')
    w.server.stop()
    w.server.start(rate=2000)
    w.publisher.publish('1.4.0', pad=60000)
    w.ctl('check', expect=0)
    w.wait_device('it is being downloaded', lambda d: d['State'] == 'downloading')
    w.ctl('cancel', 'boiler', expect=0)
    w.wait_result('1.4.0', 'canceled')
    w.wait_device('nothing is under way', lambda d: d['State'] == 'idle')
    w.server.stop()


def keys_of(value):
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


def read(w, *arguments):
    """One output for programs: nothing but JSON, with names of one form."""
    answer = w.ctl('--json', *arguments, expect=0)
    value = answer.json
    odd = sorted({key for key in keys_of(value) if not KEY.match(key)})
    w.expect(f'{" ".join(arguments)} --json is well-formed', not answer.errors and not odd)
    return value


def devices(w):
    listed = read(w, 'list')
    w.expect('both devices are listed', [d['id'] for d in listed] == ['boiler', 'left'])
    boiler, left = listed
    expected = {'model': 'boiler-ctl', 'serial': 'SN-boiler', 'port': 'line-boiler', 'state': 'idle', 'present': True,
                'health': 'healthy', 'running-version': '1.1.0', 'backup-version': '1.1.0', 'previous-version': '1.0.0',
                'outcome': 'canceled', 'hold': False, 'stranded': False, 'candidate': '', 'waiting': ''}
    w.expect('the boiler is as we know it', {key: boiler.get(key) for key in expected} == expected)
    w.expect('the other is blank', (left['state'], left['running-version'], left['backup-digest']) == ('blank', '', ''))
    w.expect('digests are digests', all(DIGEST.match(boiler[f'{role}-digest']) for role in ('running', 'backup', 'previous')))
    w.expect('what runs is the backup', boiler['running-digest'] == boiler['backup-digest'])
    w.expect('1.2.0 is bad', [(b['version'], bool(DIGEST.match(b['digest']))) for b in boiler['bad']] == [('1.2.0', True)])

    still = ('id', 'running-digest', 'backup-digest', 'previous-digest', 'bad', 'outcome', 'serial', 'state')
    shown = read(w, 'show', 'boiler')
    w.expect('show tells the same', all(shown[key] == boiler[key] for key in still))
    w.expect('show knows who is not there', w.ctl('--json', 'show', 'nobody').status == 4)
    return boiler


def gateway(w):
    status = read(w, 'status')
    w.expect('the gateway is idle, its last check was good',
             (status['state'], status['last-check-result'], status['releases']) == ('idle', 'done', 5))
    w.expect('status has the devices', [d['id'] for d in status['devices']] == ['boiler', 'left'])
    ports = read(w, 'ports')
    w.expect('ports tell who is behind them', [(p['name'], p['devices'], p['state'], p['problem'], p['baud']) for p in ports] ==
             [('line-boiler', ['boiler'], 'open', '', 115200), ('line-left', ['left'], 'open', '', 115200)])
    w.expect('status has the ports', status['ports'] == ports)


def backups(w, boiler):
    listed = read(w, 'backup', 'list')
    w.expect('backups are listed', [(b['id'], b['backup-version'], b['previous-version']) for b in listed] ==
             [('boiler', '1.1.0', '1.0.0'), ('left', '', '')])
    w.expect('verified', listed[0]['backup-verified'] and listed[0]['backup-digest'] == boiler['backup-digest'])
    images = {i['version']: i for i in read(w, 'backup', 'images')}
    w.expect('images say who keeps them', {v: images[v]['kept-by'] for v in ('1.0.0', '1.1.0')} ==
             {'1.0.0': ['boiler'], '1.1.0': ['boiler']})
    w.expect('each is on disk, with its length', all(
        os.path.getsize(os.path.join(w.state, 'images', i['digest'])) == i['length'] for i in images.values()))
    w.expect('what was refused is not there', not {'1.3.0', '1.4.0'} & set(images))
    w.expect('backup check finds them intact', read(w, 'backup', 'check', 'boiler') is not None)


def history_and_outbox(w):
    events = read(w, 'history', 'boiler')
    results = [e for e in events if e['event'] == 'result']
    w.expect('history has each result once, in order', [(e['candidate'], e['outcome'], e['class']) for e in results] == [
        ('1.0.0', 'done', 'success'), ('1.1.0', 'done', 'success'), ('1.2.0', 'restored', 'failure'),
        ('1.3.0', 'image-invalid', 'failure'), ('1.4.0', 'canceled', 'failure')])
    w.expect('times are times, and rise', all(TIME.match(e['time']) for e in events) and
             [e['time'] for e in events] == sorted(e['time'] for e in events))
    w.expect('each began before it ended', all(e['started'] <= e['time'] for e in results))
    w.expect('results say what they are about', all(
        (e['device'], e['model'], e['serial'], bool(DIGEST.match(e['digest']))) == ('boiler', 'boiler-ctl', 'SN-boiler', True)
        for e in results))
    w.expect('only pushes spoke on the line', [e['line-bytes'] > 0 for e in results] == [True, True, True, False, False])
    w.expect('-n takes the last', read(w, 'history', 'boiler', '-n', '1') == events[-1:])
    reports = [r for r in w.outbox() if r['event'] == 'result']
    w.expect('the outbox has the same results in the same order', reports == results)


def tables(w):
    for arguments in (['list'], ['status'], ['show', 'boiler'], ['ports'], ['history'], ['backup', 'list'], ['backup', 'images'],
                      ['check', '--explain']):
        text = w.ctl(*arguments, expect=0).text
        w.expect(f'{" ".join(arguments)} is text for people', 'boiler' in text and '\x1b' not in text)


def faces(w):
    """After five updates, each face is read and compared."""
    something_happens(w)
    boiler = devices(w)
    gateway(w)
    backups(w, boiler)
    history_and_outbox(w)
    tables(w)
    w.say('the daemon starts again: nothing of it is forgotten')
    before = read(w, 'history')
    w.stop_daemon()
    w.start_daemon()
    w.wait_device('it answers', lambda d: d['State'] == 'idle' and d['Present'])
    w.expect('history is the same', read(w, 'history')[:len(before)] == before)
    w.expect('what is bad is the same', read(w, 'show', 'boiler')['bad'] == boiler['bad'])


run(faces)
