#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindlectl against a daemon that plays devices: output, JSON and exit status of every verb."""

import json
import os
import pty
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from fake_bus import NOBODY, SOURCE, Failure, Tests, main, wait_for  # noqa: E402  pylint: disable=wrong-import-position
from process import read_terminal  # noqa: E402  pylint: disable=wrong-import-position

DIGEST = '11' * 32
BAD = 'bb' + '00' * 31


class Verbs(Tests):
    def ctl(self, *arguments, expect=0, inside=()):
        done = self.bus.ctl(*arguments, inside=inside)
        if done.returncode != expect:
            raise Failure(f'{" ".join(arguments)}: exit {done.returncode} instead of {expect}: {done.stdout}{done.stderr}')
        return done

    def json(self, *arguments, expect=0):
        return json.loads(self.ctl('--json', *arguments, expect=expect).stdout)

    def error(self, done, text):
        self.same(done.stderr, f'rekindlectl: {text}\n')

    # --- looking

    def test_list_is_the_default_and_a_table(self):
        lines = self.ctl().stdout.splitlines()
        self.same(lines[0].split(), ['DEVICE', 'MODEL', 'RUNNING', 'BACKUP', 'STATE', 'HOLD', 'WHAT'])
        self.same(len(lines), 10)
        self.has(lines[1], 'bad', 'boiler-ctl', '1.0.0', 'idle', 'runs 1.0.0')

    def test_list_as_json_has_every_property_sorted_by_id(self):
        devices = self.json('list')
        ids = [device['id'] for device in devices]
        self.same(ids, sorted(ids))
        good = devices[ids.index('good')]
        self.same(good['running-version'], '1.0.0')
        self.same(good['running-digest'], DIGEST)
        self.same(good['present'], True)
        self.same(good['bad'], [{'digest': BAD, 'version': '1.9.0', 'reason': 'watchdog: 3 starts used up',
                                 'since': 1900000000}])

    def test_show_tells_everything_about_one(self):
        text = self.ctl('show', 'good').stdout
        self.has(text, 'device: good\n', 'what: runs 1.0.0\n', f'running: 1.0.0\n        digest: {DIGEST}\n', 'previous: 0.9.0',
                 'bad: 1.9.0: watchdog: 3 starts used up\n')
        for line in text.splitlines():
            if not re.fullmatch(r' *[a-z][a-z ]*: \S.*', line) or len(line) > 80:
                raise Failure(f'no label, no value, or too wide: {line!r}')
        self.same(self.json('show', 'good')['id'], 'good')

    def test_unknown_device_is_not_found(self):
        for verb in (['show'], ['update', '--no-wait'], ['update'], ['restore'], ['cancel'], ['hold'], ['unhold'], ['accept'],
                     ['approve'], ['clear-bad'], ['backup', 'check'], ['backup', 'list'], ['backup', 'adopt'],
                     ['check', '--explain'], ['history'], ['monitor']):
            self.has(self.ctl(*verb, 'nobody', expect=4).stderr, 'there is no device "nobody" here: rekindlectl list\n')
            self.same(self.json(*verb, 'nobody', expect=4)['outcome'], 'unknown-device')

    def test_odd_strings_of_devices_are_escaped(self):
        self.has(self.ctl('show', 'odd').stdout, '\\\\x1b[31m\\\\xff')
        self.has(self.json('show', 'odd')['serial'], '\\x1b[31m\\xff')

    def test_status_shows_server_and_ports(self):
        self.has(self.ctl('status').stdout, 'last check: never', 'next check: on request only',
                 'port: line-1 failed: no such line')
        status = self.json('status')
        self.same(status['online'], False)
        self.same(len(status['devices']), 9)

    def test_ports_lists_lines(self):
        self.has(self.ctl('ports').stdout, 'line-1', '/dev/ttyS9', 'on-demand', 'failed', '115200', 'line-1: no such line\n')
        self.same(self.json('ports')[0]['path'], '/dev/ttyS9')

    def test_history_is_in_order_and_says_what_is_missing(self):
        done = self.ctl('history')
        self.has(done.stdout, 'a "quoted" text')
        self.error(done, '1 damaged lines of the history are left out')
        self.same([event['event'] for event in self.json('history')], ['result', 'check'])
        self.same([event['event'] for event in self.json('history', 'good')], ['result'])
        self.same([event['event'] for event in self.json('history', '-n', '1')], ['check'])

    def test_backup_verbs_show_what_is_kept(self):
        self.has(self.ctl('backup', 'list', 'good').stdout, 'backup', 'verified', DIGEST[:16] + '\n', 'previous', '22' * 8 + '\n')
        self.same(self.json('backup', 'list', 'good')[0]['backup-version'], '1.0.0')
        self.has(self.ctl('backup', 'images').stdout, 'boiler-ctl', '4.0 KiB', 'good bad', '00ff')
        self.same(self.json('backup', 'images')[0]['kept-by'], ['good', 'bad'])

    def test_backup_check_fails_when_one_fails(self):
        self.has(self.ctl('backup', 'check', 'good').stdout, 'good: intact')
        self.has(self.ctl('backup', 'check', expect=5).stdout, 'bad: digest-mismatch: a byte has changed', 'good: intact')

    # --- asking the server

    def test_check_waits_for_its_end_and_tells_it(self):
        self.same(self.ctl('check').stdout, 'fresh\n')
        self.error(self.ctl('check', expect=1), 'no server')
        self.same(self.json('check')['outcome'], 'done')

    def test_verify_hands_the_folder_over(self):
        self.error(self.ctl('verify', '--from', self.bus.folder, expect=1), 'no metadata')
        good = os.path.join(self.bus.folder, 'good')
        os.mkdir(good)
        with open(os.path.join(good, 'marked'), 'w', encoding='ascii'):
            pass
        self.same(self.ctl('verify', '--from', good).stdout, 'fresh (from a folder)\n')
        self.same(self.json('verify', '--from', good)['outcome'], 'done')
        self.same(self.json('status')['last-check'], 0)
        self.same(self.ctl('update', 'good', '--from', good).stdout, 'good: the program runs and is confirmed\n')
        self.error(self.ctl('update', 'good', '--from', self.bus.folder, expect=1), 'no metadata')
        self.has(self.ctl('verify', '--from', os.path.join(good, 'marked'), expect=1).stderr, 'marked cannot be opened: Not a directory')
        self.error(self.ctl('verify', expect=2), 'verify needs --from DIR; rekindlectl check asks the server')
        self.error(self.ctl('check', '--from', good, expect=2), '--from is no option here; see --help')

    def test_explain_does_not_ask_the_server(self):
        self.has(self.ctl('check', '--explain').stdout, 'good', '2.0.0', 'update', 'it fits')
        self.same(self.json('check', '--explain', 'bad')[0]['device'], 'bad')
        self.same(self.json('status')['last-check'], 0)

    # --- updates

    def test_update_ends_with_its_confirm(self):
        told = 'good: downloading\ngood: pushing\ngood: trial\n'
        for _ in range(100):  # the fake is quick: what was over before anybody looked is not told
            done = self.ctl('update', 'good')
            self.same(done.stdout, 'good: the program runs and is confirmed\n')
            if done.stderr == told:
                return
            self.same(done.stderr, told[len(told) - len(done.stderr):])
        raise Failure('the download is never told')

    def test_update_by_name(self):
        self.ctl('update', 'good@2.0.0')
        self.error(self.ctl('update', 'good@9.9.9', expect=4),
                   'no server; going on with the releases that are known\n'
                   'rekindlectl: good: the server offers no such version')

    def test_update_that_is_restored_says_so(self):
        self.has(self.ctl('update', 'bad', expect=6).stderr, 'rekindlectl: bad: 2.0.0 crashed')
        self.same(self.json('update', 'bad', expect=6), {
            'device': 'bad', 'version': '2.0.0', 'outcome': 'restored', 'class': 'failure', 'text': '2.0.0 crashed', 'exit': 6})

    def test_update_refused_says_why(self):
        self.has(self.ctl('update', 'floor', expect=5).stderr, 'floor 3.0.0')
        self.same(self.json('update', 'floor', expect=5)['outcome'], 'below-floor')

    def test_update_with_nothing_to_do(self):
        self.same(self.ctl('update', 'newest', expect=3).stdout, 'newest: 1.0.0 runs already\n')

    def test_update_that_waits_for_people_is_left(self):
        self.same(self.json('update', 'people', expect=5)['outcome'], 'wait-approval')

    def test_update_of_an_unreachable_device_is_given_up_in_time(self):
        self.same(self.json('--timeout', '1', 'update', 'line', expect=7)['outcome'], 'wait-device')

    def test_update_without_end_is_given_up_in_time(self):
        self.has(self.ctl('--timeout', '1', 'update', 'stuck', expect=1).stderr, 'not at its end in the time given')

    def test_update_that_strands_fails(self):
        self.same(self.json('update', 'stranded', expect=1)['outcome'], 'stranded')

    def test_update_joins_the_same_one(self):
        bus = self.bus
        bus.call('/org/rekindle/Rekindle1/devices/stuck', 'Device', 'Update', 'sa{sv}', '', '0')
        self.has(self.ctl('--timeout', '1', 'update', 'stuck', expect=1).stderr, 'stuck: pushing')
        self.has(self.ctl('update', 'stuck@2.0.0', '--timeout', '1', expect=1).stderr, 'not at its end')

    def test_no_wait_returns_when_accepted(self):
        self.same(self.ctl('update', 'stuck', '--no-wait').stdout, 'stuck: accepted: 2.0.0\n')
        self.same(self.json('restore', 'good', '--no-wait')['outcome'], 'accepted')

    def test_update_of_all_reports_each_and_fails_with_the_first(self):
        results = {one['device']: one['exit'] for one in self.json('--timeout', '2', 'update', expect=6)}
        self.same(results, {'good': 0, 'bad': 6, 'floor': 5, 'newest': 3, 'people': 5, 'line': 7, 'stuck': 1,
                            'stranded': 1, 'odd': 0})

    def test_restore_ends_with_its_confirm(self):
        self.has(self.ctl('restore', 'good').stdout, 'good: the program that was held back')
        self.same(self.json('restore', 'floor', expect=5)['outcome'], 'no-backup')

    def test_progress_bar_is_for_terminals_only(self):
        leader, follower = pty.openpty()
        with subprocess.Popen([self.bus.ctl_path, 'update', 'good'], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=follower, env=self.bus.environment) as started:
            os.close(follower)
            seen = read_terminal(leader)
            out = started.stdout.read()
        self.same(started.returncode, 0)
        self.same(out, b'good: the program runs and is confirmed\n')
        self.has(seen.decode(), '\rgood 2.0.0  pushing      [', '11.2 KiB/s', '\033[K')
        if '100 %' in seen.decode():
            raise Failure('100 % before the confirm')

    def test_daemon_that_stops_and_comes_back_is_told(self):
        started = self.bus.spawn('ctl', [self.bus.ctl_path, 'update', 'stuck'])
        wait_for('pushing', lambda: 'stuck: pushing' in started.tail(), alive=[started])
        self.bus.daemon.kill()
        self.bus.start()
        wait_for('end', lambda: not started.is_alive())
        self.same(started.process.returncode, 1)
        self.has(started.tail(), 'rekindled was started again meanwhile')

    def test_interrupted_watching_says_that_the_update_goes_on(self):
        started = self.bus.spawn('ctl', [self.bus.ctl_path, 'update', 'stuck'])
        wait_for('pushing', lambda: 'stuck: pushing' in started.tail(), alive=[started])
        os.kill(started.pid, signal.SIGINT)
        wait_for('end', lambda: not started.is_alive())
        self.same(started.process.returncode, -signal.SIGINT)
        self.has(started.tail(), 'rekindlectl: no longer watched; the update goes on')
        self.same(self.json('show', 'stuck')['state'], 'pushing')

    def test_update_that_is_given_up_for_something_else_is_left(self):
        started = self.bus.spawn('ctl', [self.bus.ctl_path, 'update', 'stuck'])
        wait_for('pushing', lambda: 'stuck: pushing' in started.tail(), alive=[started])
        self.ctl('accept', 'stuck')
        wait_for('end', lambda: not started.is_alive())
        self.same(started.process.returncode, 1)
        self.has(started.tail(), 'given up for something else')

    # --- requests

    def test_requests_are_carried_out(self):
        self.same(self.ctl('hold', 'good').stdout, 'good: on hold until rekindlectl unhold\n')
        self.same(self.json('show', 'good')['hold'], True)
        self.same(self.json('hold', 'good'), {'device': 'good', 'outcome': 'done', 'class': 'success', 'exit': 0,
                                              'text': 'on hold until rekindlectl unhold'})
        self.ctl('unhold', 'good')
        self.same(self.json('show', 'good')['hold'], False)
        self.ctl('approve', 'good@3.0.0')
        self.same(self.json('show', 'good')['approved'], '3.0.0')
        self.ctl('approve', 'good')
        self.same(self.json('show', 'good')['approved'], '2.0.0')

    def test_refused_requests_have_their_exit_status(self):
        self.error(self.ctl('cancel', 'good', expect=3), 'no update is under way')
        self.ctl('update', 'stuck', '--no-wait')
        self.error(self.ctl('cancel', 'stuck', expect=5), 'it is being written already')
        self.same(self.json('accept', 'good', expect=3), {
            'device': 'good', 'outcome': 'not-running', 'class': 'refusal', 'text': 'there is nothing to accept', 'exit': 3})

    def test_clear_bad_forgets_one_digest_or_all(self):
        self.error(self.ctl('clear-bad', 'good', '22' * 32, expect=3), 'no such entry')
        self.error(self.ctl('clear-bad', 'good', 'x', expect=2), 'no SHA-256')
        self.ctl('clear-bad', 'good', BAD)
        self.same(self.json('show', 'good')['bad'], [])
        self.ctl('clear-bad', 'bad')
        self.same(self.json('show', 'bad')['bad'], [])

    def test_adopt_hands_the_file_over(self):
        path = os.path.join(self.bus.folder, 'image')
        with open(path, 'w', encoding='ascii') as file:
            file.write('image')
        self.has(self.ctl('backup', 'adopt', 'good', path, '--version', '1.5.0').stdout, 'good: kept as its backup')
        self.error(self.ctl('backup', 'adopt', 'good', path, '--version', '1.6.0', expect=5), 'not these bytes')
        self.error(self.ctl('backup', 'adopt', 'good', expect=5), 'it does not answer healthy')
        self.has(self.ctl('backup', 'adopt', 'good', path, expect=2).stderr, 'belong together')
        self.has(self.ctl('backup', 'adopt', 'good', path + '-not', '--version', '1', expect=1).stderr, 'cannot be opened')

    def test_ports_release(self):
        self.same(self.ctl('ports', 'release', 'line-1').stdout, 'line-1: handed over\n')
        self.error(self.ctl('ports', 'release', 'line-2', expect=4), 'there is no such port')

    def test_monitor_shows_events_ports_and_states(self):
        text = self.bus.spawn('monitor', [self.bus.ctl_path, 'monitor'])
        lines = self.bus.spawn('monitor-json', [self.bus.ctl_path, '--json', 'monitor', 'good'])

        def told(started, *parts):
            self.bus.signal(signal.SIGUSR2)
            return all(part in started.tail() for part in parts)

        wait_for('text', lambda: told(text, 'good  result: a "quoted" text', 'line-1  port is wanted'), alive=[text])
        wait_for('JSON', lambda: told(lines, '"signal":"event"'), alive=[lines])
        self.ctl('update', 'good')
        wait_for('states', lambda: 'good  trial' in text.tail() and '"state":"trial"' in lines.tail(), alive=[text, lines])
        for line in lines.tail(1000).splitlines():
            self.same(json.loads(line)['device'], 'good')

    def test_monitor_tells_that_the_daemon_stopped_and_came_back(self):
        text = self.bus.spawn('monitor', [self.bus.ctl_path, 'monitor'])
        lines = self.bus.spawn('monitor-json', [self.bus.ctl_path, '--json', 'monitor', 'good'])

        def told(started, part):
            self.bus.signal(signal.SIGUSR2)
            return part in started.tail()

        wait_for('text', lambda: told(text, 'result'), alive=[text])
        wait_for('JSON', lambda: told(lines, '"signal":"event"'), alive=[lines])
        self.bus.daemon.stop()
        self.bus.start()
        wait_for('text', lambda: 'rekindled stopped' in text.tail() and 'rekindled runs again' in text.tail(), alive=[text])
        wait_for('JSON', lambda: '{"runs":true,"signal":"daemon"}' in lines.tail(), alive=[lines])

    def test_monitor_ends_with_its_time(self):
        self.ctl('--timeout', '1', 'monitor')

    def test_wrong_usage_says_what_is_right(self):
        for words, sentence in ((['backup'], 'backup needs one of list, check, adopt, images behind it; see rekindlectl --help'),
                                (['ports', 'x'], 'ports has too many arguments: rekindlectl ports'),
                                (['burn'], '"burn" is no verb; see rekindlectl --help'),
                                (['show'], 'show needs DEV; see rekindlectl show --help'),
                                (['list', '--colour'], '--colour is no option here; see --help'),
                                (['list', '--timeout'], '--timeout needs a value; see --help'),
                                (['history', '-n'], '-n needs a value; see --help')):
            self.error(self.ctl(*words, expect=2), sentence)

    def test_help_of_a_verb_has_its_options(self):
        self.has(self.ctl('update', '--help').stdout, 'rekindlectl update [DEV[@VERSION]]', 'Install the newest', '--no-wait')
        self.has(self.ctl('history', '--help').stdout, '-n N')
        if '--no-wait' in self.ctl('list', '--help').stdout:
            raise Failure('list has no --no-wait')

    # --- what is written about it

    def verbs(self):
        return re.findall(r'^  ([a-z][a-z-]*(?: [a-z]+)?)  ', self.ctl('--help').stdout, re.M)

    def test_man_page_tells_every_verb_and_option(self):
        with open(os.path.join(SOURCE, 'man', 'rekindlectl.1'), encoding='utf-8') as file:
            page = file.read()
        text = self.ctl('--help').stdout
        verbs = self.verbs()
        self.same(len(verbs), 21)
        for verb in verbs:
            if not re.search(rf'^\.It Cm (.* , )?{verb}\b', page, re.M):
                raise Failure(f'{verb} is not in the page')
        for option in re.findall(r'--([a-z-]+)', text):
            self.has(page, f'Fl -{option}')

    def test_shell_completes_verbs_devices_and_options(self):
        environment = dict(self.bus.environment, PATH=os.path.dirname(self.bus.ctl_path) + ':' + os.environ['PATH'])

        def complete(*words):
            script = ('source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _rekindlectl; '
                      'printf "%s\\n" "${COMPREPLY[@]}"')
            done = subprocess.run(['bash', '-c', script, os.path.join(SOURCE, 'conf', 'rekindlectl.bash'), 'rekindlectl', *words],
                                  stdout=subprocess.PIPE, encoding='utf-8', env=environment, timeout=60, check=True)
            return sorted(done.stdout.split())

        self.same(complete('un'), ['unhold'])
        self.same(complete('show', 'st'), ['stranded', 'stuck'])
        self.same(complete('--json', 'backup', 'im'), ['images'])
        self.same(complete('ports', 'release', ''), ['line-1'])
        self.same(complete('check', '--e'), ['--explain'])
        self.same(complete('verify', '--f'), ['--from'])
        self.same(complete('update', '--from', SOURCE + '/con'), [SOURCE + '/conf'])
        verbs = {verb.split()[0] for verb in self.verbs()}
        self.same(complete(''), sorted(verbs))

    # --- the daemon is not there, or not for you

    def test_missing_daemon_is_one_sentence(self):
        self.bus.daemon.stop()
        for verb in (['list'], ['status'], ['check'], ['update', 'good'], ['history'], ['restore', 'good'], ['monitor']):
            self.error(self.ctl(*verb, expect=1), 'rekindled does not run on this gateway: systemctl start rekindled')
            answer = self.json(*verb, expect=1)
            self.same((answer['outcome'], answer['class'], answer['exit']), ('failed', 'failure', 1))

    def test_missing_bus_is_one_sentence(self):
        environment = dict(self.bus.environment, DBUS_SYSTEM_BUS_ADDRESS='unix:path=/nonexistent')
        done = self.bus.ctl('list', environment=environment)
        self.same(done.returncode, 1)
        self.has(done.stderr, 'rekindlectl: the system bus at unix:path=/nonexistent cannot be reached: ')
        self.same(len(done.stderr.splitlines()), 1)

    def test_strangers_look_but_do_not_touch(self):
        if os.getuid() != 0:
            print('only root can be somebody else: left out', flush=True)
            return
        self.has(self.ctl('list', inside=NOBODY).stdout, 'good')
        self.ctl('status', inside=NOBODY)
        self.ctl('show', 'good', inside=NOBODY)
        for verb in (['update', 'good'], ['restore', 'good'], ['hold', 'good'], ['check'], ['history'],
                     ['ports', 'release', 'line-1']):
            self.error(self.ctl(*verb, expect=5, inside=NOBODY),
                       'you may not do this: only root and members of the group rekindle may')
        self.same(self.json('show', 'good')['hold'], False)


main(Verbs)
