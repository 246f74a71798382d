#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The D-Bus faces as a client sees them: introspection, options, refusals, signals, policy."""

import json
import os
import re
import signal
import sys
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'ctl'))
sys.dont_write_bytecode = True
from fake_bus import (NAME, NOBODY, PATH, SOURCE, Failure, Tests, device,  # noqa: E402  pylint: disable=wrong-import-position
                      main, wait_for)

BURST = 100


def describe(node):
    """An element without what is only layout."""
    children = sorted(describe(child) for child in node if child.tag != 'doc')
    return node.tag, tuple(sorted(node.attrib.items())), tuple(children)


def describe_in_order(node):
    """The same, arguments in their order."""
    return describe(node), tuple(tuple(sorted(child.attrib.items())) for child in node if child.tag == 'arg')


class Bus(Tests):
    def call(self, path, interface, member, *arguments, inside=()):
        done = self.bus.call(path, interface, member, *arguments, inside=inside)
        if done.returncode:
            raise Failure(f'{member}: {done.stderr}')
        return json.loads(done.stdout) if done.stdout.strip() else None

    def refused(self, path, interface, member, *arguments, inside=()):
        done = self.bus.call(path, interface, member, *arguments, inside=inside)
        if not done.returncode:
            raise Failure(f'{member} was not refused')
        return done.stderr

    def interfaces(self, path):
        done = self.bus.busctl('call', NAME, path, 'org.freedesktop.DBus.Introspectable', 'Introspect')
        root = xml.etree.ElementTree.fromstring(json.loads(done.stdout)['data'][0])
        return {node.get('name'): node for node in root.iter('interface') if node.get('name').startswith(NAME)}

    # --- what is there

    def test_introspection_is_what_the_repository_says(self):
        kept = xml.etree.ElementTree.parse(os.path.join(SOURCE, 'src', 'daemon', f'{NAME}.xml'))
        wanted = {node.get('name'): node for node in kept.getroot().iter('interface')}
        live = {**self.interfaces(PATH), **self.interfaces(device('good'))}
        self.same(sorted(live), sorted(wanted))
        for name, node in wanted.items():
            members = {(child.tag, child.get('name')): describe_in_order(child) for child in node}
            seen = {(child.tag, child.get('name')): describe_in_order(child) for child in live[name] if child.tag != 'annotation'}
            self.same(sorted(seen), sorted(members))
            for key, text in members.items():
                self.same((key, seen[key]), (key, text))

    def test_man_page_tells_every_member(self):
        with open(os.path.join(SOURCE, 'man', f'{NAME}.5'), encoding='utf-8') as file:
            page = file.read()
        members = [child.get('name') for path in (PATH, device('good')) for node in self.interfaces(path).values()
                   for child in node if child.get('name')]
        self.same([name for name in members if not re.search(rf'\b{name}\b', page)], [])
        self.same(len(members) > 60, True)

    def test_object_manager_lists_every_device(self):
        done = self.bus.busctl('call', NAME, PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects')
        objects = json.loads(done.stdout)['data'][0]
        listed = self.call(PATH, 'Manager', 'ListDevices')['data'][0]
        self.same(sorted(path for path in objects if f'{NAME}.Device' in objects[path]), sorted(listed))
        self.same(objects[device('good')][f'{NAME}.Device']['Id']['data'], 'good')

    def test_outcomes_are_a_table_for_clients(self):
        outcomes = {row[0]: row for row in self.bus.get(PATH, 'Manager', 'Outcomes')}
        self.same(outcomes['below-floor'][1:3] + outcomes['below-floor'][4:], ['refusal', f'{NAME}.Error.BelowFloor', 5])
        self.same(outcomes['done'][4], 0)

    def test_bytes_that_are_no_text_do_not_break_the_object(self):
        self.same(self.bus.get(device('odd'), 'Device', 'Serial'), '\\x1b[31m\\xff')

    # --- arguments

    def test_unknown_option_is_refused_by_its_name(self):
        text = self.refused(device('good'), 'Device', 'Update', 'sa{sv}', '', '1', 'colour', 's', 'red')
        self.has(text, 'there is no option "colour" here; known are: folder')
        text = self.refused(PATH, 'Manager', 'History', 'a{sv}', '1', 'colour', 's', 'red')
        self.has(text, 'known are: device, max')

    def test_option_of_another_type_is_refused(self):
        self.has(self.refused(PATH, 'Manager', 'History', 'a{sv}', '1', 'max', 's', 'ten'),
                 'option "max" has type s instead of u')

    def test_folder_is_a_descriptor(self):
        self.has(self.refused(PATH, 'Manager', 'Check', 'a{sv}', '1', 'folder', 's', '/'), 'option "folder" has type s instead of h')
        text = self.refused(device('good'), 'Device', 'Update', 'sa{sv}', '', '1', 'folder', 's', '/')
        self.has(text, 'option "folder" has type s instead of h')

    def test_option_that_is_there_twice_is_refused(self):
        self.has(self.refused(PATH, 'Manager', 'History', 'a{sv}', '2', 'max', 'u', '1', 'max', 'u', '2'),
                 'option "max" is there twice')

    def test_history_is_bounded(self):
        for bad in ('0', '10001'):
            self.has(self.refused(PATH, 'Manager', 'History', 'a{sv}', '1', 'max', 'u', bad), '1 to 10000')
        self.has(self.refused(PATH, 'Manager', 'History', 'a{sv}', '1', 'device', 's', '../x'), 'no device id')

    def test_file_and_version_belong_together(self):
        self.has(self.refused(device('good'), 'Device', 'Adopt', 'a{sv}', '1', 'version', 's', '1.0.0'), 'belong together')

    def test_unknown_objects_are_refused(self):
        self.has(self.refused(device('nobody'), 'Device', 'Restore', 'a{sv}', '0'), 'Unknown object')
        self.has(self.refused(PATH, 'Manager', 'Explain', 'a{sv}', '1', 'device', 's', 'nobody'), 'no such device')

    # --- answers that take their time

    def leave_in_the_middle(self, *arguments):
        """A caller that goes before it is answered."""
        caller = self.bus.spawn('caller', ['busctl', '--system', 'call', NAME, *arguments])
        wait_for('the call', lambda: self.seen_by_daemon(caller))
        caller.kill()

    def seen_by_daemon(self, caller):
        done = self.bus.busctl('call', 'org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus.Debug.Stats',
                               'GetAllMatchRules')
        if done.returncode:
            raise Failure(done.stderr)
        return 'arg2=' in done.stdout and caller.is_alive()

    def test_a_caller_that_goes_ends_what_was_done_for_him(self):
        self.call(device('good'), 'Device', 'SetHold', 'ba{sv}', 'true', '0')
        self.leave_in_the_middle(device('good'), f'{NAME}.Device', 'CheckBackup', 'a{sv}', '0')
        wait_for('the end of it', lambda: self.bus.get(device('good'), 'Device', 'Hardware') == 'forgotten')

    def test_a_stop_ends_with_answers_open(self):
        self.call(device('good'), 'Device', 'SetHold', 'ba{sv}', 'true', '0')
        callers = [self.bus.spawn(f'caller-{i}', ['busctl', '--system', 'call', NAME, device('good'), f'{NAME}.Device',
                                                  'CheckBackup', 'a{sv}', '0']) for i in range(3)]
        wait_for('the calls', lambda: self.seen_by_daemon(callers[0]))
        self.same(self.bus.daemon.stop(), 0)
        for caller in callers:
            wait_for('the end of a caller', lambda: not caller.is_alive())  # pylint: disable=cell-var-from-loop
        self.bus.start()

    # --- inhibitors

    def test_inhibitor_lasts_as_long_as_its_descriptor(self):
        """busctl ends after the call, and with it the descriptor that it got."""
        signals = self.bus.monitor()
        self.call(PATH, 'Manager', 'Inhibit', 'ssa{sv}', 'lift', 'it moves', '0')

        def told():
            return [message['payload']['data'][1]['Inhibitors']['data'] for message in signals()
                    if message['member'] == 'PropertiesChanged' and 'Inhibitors' in message['payload']['data'][1]]

        wait_for('the end of the inhibitor', lambda: told() and told()[-1] == [])
        self.same(self.bus.get(PATH, 'Manager', 'Inhibited'), False)

    def test_inhibitor_wants_who_and_why(self):
        self.has(self.refused(PATH, 'Manager', 'Inhibit', 'ssa{sv}', '', 'x', '0'), 'who inhibits and why')

    # --- signals

    def changes(self, messages, name):
        return [message['payload']['data'][1] for message in messages
                if message['member'] == 'PropertiesChanged' and message['path'] == device(name)]

    def test_states_are_told_in_order_and_the_end_last(self):
        signals = self.bus.monitor()
        self.call(device('good'), 'Device', 'Update', 'sa{sv}', '', '0')
        wait_for('the end', lambda: any(message['member'] == 'Finished' for message in signals()))
        seen = [change['State']['data'] for change in self.changes(signals(), 'good') if 'State' in change]
        self.same(seen, ['downloading', 'pushing', 'trial', 'idle'])
        members = [message['member'] for message in signals() if message['path'] == device('good')]
        self.same(members.index('Finished'), len(members) - 1)
        self.same([message['payload']['data'] for message in signals() if message['member'] == 'Finished'], [['done', '']])

    def test_only_differences_are_told_and_progress_is_gathered(self):
        signals = self.bus.monitor()
        self.bus.signal(signal.SIGUSR1)
        wait_for('progress', lambda: any(change.get('Progress', {}).get('data') == BURST
                                         for change in self.changes(signals(), 'good')))
        told = self.changes(signals(), 'good')
        self.same([change for change in told if not change], [])
        if len(told) > BURST // 10:
            raise Failure(f'{len(told)} signals for {BURST} steps of progress')

    def test_events_and_wanted_ports_are_told(self):
        signals = self.bus.monitor()
        events = [json.loads(message['payload']['data'][0]) for message in signals() if message['member'] == 'Event']
        self.same(events[0]['text'], 'a "quoted" text')
        self.call(PATH, 'Manager', 'ReleasePort', 'sa{sv}', 'line-1', '0')
        wait_for('port', lambda: ['line-1', False] in [message['payload']['data'] for message in signals()
                                                       if message['member'] == 'PortWanted'])

    # --- who may

    def test_strangers_may_look_only(self):
        if os.getuid() != 0:
            print('only root can be somebody else: left out', flush=True)
            return
        done = self.bus.busctl('call', NAME, PATH, 'org.freedesktop.DBus.ObjectManager', 'GetManagedObjects', inside=NOBODY)
        self.same(done.returncode, 0)
        done = self.bus.busctl('get-property', NAME, device('good'), f'{NAME}.Device', 'State', inside=NOBODY)
        self.same(done.returncode, 0)
        for member, arguments in (('Update', ('sa{sv}', '', '0')), ('Restore', ('a{sv}', '0')), ('SetHold', ('ba{sv}', 'true', '0')),
                                  ('Accept', ('a{sv}', '0')), ('ClearBad', ('sa{sv}', '', '0'))):
            self.has(self.refused(device('good'), 'Device', member, *arguments, inside=NOBODY), 'Access denied')
        for member, arguments in (('Check', ('a{sv}', '0')), ('Inhibit', ('ssa{sv}', 'a', 'b', '0')), ('History', ('a{sv}', '0'))):
            self.has(self.refused(PATH, 'Manager', member, *arguments, inside=NOBODY), 'ccess denied')
        self.same(self.bus.get(device('good'), 'Device', 'Hold'), False)

    def test_name_has_one_owner(self):
        second = self.bus.spawn('second', [self.bus.daemon_path])
        wait_for('its end', lambda: not second.is_alive())
        self.same(second.process.returncode, 1)


main(Bus)
