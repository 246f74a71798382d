#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""rekindle-sim as a gateway sees it: whole pushes with real programs, through an independent second implementation of
the link. Usage: test-sim.py FOLDER [TEST...], FOLDER being that of rekindle-sim and its programs."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import unittest

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'lib')
sys.path.insert(0, LIBRARY)

import rklink  # noqa: E402
import rksim   # noqa: E402

PROGRAMS = ''
PUSH = 0x1122334455667788


def push_and_start(link, image, version='1.0.0', trial=30, push_id=PUSH, **kwargs):
    link.push(image, push_id, version, trial=trial, **kwargs)
    link.start(push_id)


def is_program(health):
    return lambda identity: identity['who'] == 'program' and identity['health'] == health


def is_state(state):
    return lambda identity: identity['who'] == 'bootloader' and identity['state'] == state


class SimTest(unittest.TestCase):
    def sim(self, *options, **kwargs):
        sim = rksim.Sim(PROGRAMS, *options, **kwargs)
        self.addCleanup(sim.__exit__, None, None, None)
        return sim

    def link(self, sim, **kwargs):
        link = sim.link(**kwargs)
        self.addCleanup(link.close)
        return link

    def flash_holds(self, sim, image):
        self.assertEqual(sim.flash_bytes()[:len(image)], image)


class Hardware(SimTest):
    def test_missing_flash_is_created_erased(self):
        sim = self.sim()
        sim.start()
        self.assertEqual(set(sim.flash_bytes()), {0xff})
        self.assertEqual(len(sim.flash_bytes()), rksim.PROGRAM_SPACE + 2 * rksim.UNIT)

    def test_term_ends_it_and_removes_link_and_socket(self):
        sim = self.sim()
        sim.start()
        self.assertTrue(os.path.islink(sim.line))
        self.assertEqual(sim.stop(), 0)
        self.assertFalse(os.path.lexists(sim.line))
        self.assertFalse(os.path.lexists(sim.control_path))

    def test_files_of_others_are_never_replaced(self):
        for line, name in (('pty', 'line'), ('unix', 'line'), ('pty', 'control')):
            with self.subTest(line=line, name=name):
                sim = self.sim(line=line)
                path = os.path.join(sim.folder, name)
                with open(path, 'w', encoding='ascii') as file:
                    file.write('kept')
                with self.assertRaisesRegex(RuntimeError, 'says'):
                    sim.start()
                self.assertEqual(sim.process.wait(20), 1)
                with open(path, encoding='ascii') as file:
                    self.assertEqual(file.read(), 'kept')

    def test_flash_in_use_is_refused(self):
        sim = self.sim()
        sim.start()
        other = self.sim()
        other.flash = sim.flash
        with self.assertRaisesRegex(RuntimeError, 'says'):
            other.start()
        self.assertEqual(other.process.wait(20), 1)

    def test_bad_command_line_is_refused(self):
        for options in (['--unit=1000'], ['--erase-size=100'], ['--speeds=0'], ['--model=' + 64 * 'x'],
                        ['--write-size=3'], ['--address=255'], ['--flash-times=maybe'], ['--model='], ['--buffer=1024'], ['surplus']):
            with self.subTest(options=options):
                sim = self.sim()
                with self.assertRaisesRegex(RuntimeError, 'says'):
                    sim.start(*options)
                self.assertEqual(sim.process.wait(20), 2)

    def test_unknown_command_is_an_error(self):
        sim = self.sim()
        sim.start()
        for command in ('explode', 'noise 1', 'cut-after x', 'stall-after', 'corrupt 99999999', 'mute maybe'):
            self.assertTrue(sim.control(command).startswith('error: '), command)

    def test_replug_gives_a_new_terminal_behind_the_same_link(self):
        sim = self.sim()
        first = sim.start()
        link = self.link(sim)
        link.identify()
        self.assertEqual(sim.control('unplug'), 'ok')
        self.assertFalse(os.path.lexists(sim.line))
        with self.assertRaises(rklink.LinkError):
            link.identify()
        holder = os.open('/dev/ptmx', os.O_RDWR | os.O_NOCTTY)  # so that the old number is taken or the line differs
        self.addCleanup(os.close, holder)
        self.assertEqual(sim.control('plug'), 'ok')
        self.assertEqual(self.link(sim).identify()['model'], 'sim')
        self.assertTrue(os.path.realpath(sim.line).startswith('/dev/pts/'), first)

    def test_who_opens_the_line_hears_nothing_old(self):
        sim = self.sim()
        sim.start()
        sim.wait_status(lambda status: status['lost'] > 24, 'two HELLO to nobody')
        link = self.link(sim)
        link.nop()
        self.assertLessEqual(len(link.hellos), 1)
        self.assertEqual(link.damaged, 0)

    def test_end_of_a_handed_in_line_ends_it(self):
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        sim = self.sim(line='fd')
        self.assertEqual(sim.start(f'--fd={far.fileno()}', pass_fds=[far.fileno()]), 'fd')
        far.close()
        link = rklink.Link(fd=near.detach())
        self.assertEqual(link.identify()['model'], 'sim')
        self.assertTrue(sim.control('unplug').startswith('error: '))
        link.close()
        self.assertEqual(sim.process.wait(20), 0)

    def test_bytes_at_the_wrong_speed_are_garbage(self):
        sim = self.sim('--pace', '--speeds=57600')
        sim.start()
        link = self.link(sim, answer_seconds=0.3)
        link.set_baud(9600)
        with self.assertRaises(rklink.LinkError):
            link.ask(rklink.NOP, tries=2)
        link.set_baud(57600)
        self.assertEqual(link.identify()['speeds'], [57600])

    def test_mute_device_is_not_heard(self):
        sim = self.sim()
        sim.start('--mute')
        link = self.link(sim, answer_seconds=0.2)
        with self.assertRaises(rklink.LinkError):
            link.ask(rklink.NOP, tries=2)
        sim.control('mute off')
        self.assertEqual(link.nop()['state'], 'empty')

    def test_socket_serves_one_gateway_after_the_other(self):
        sim = self.sim(line='unix')
        sim.start()
        for _ in range(3):
            link = sim.link()
            self.assertEqual(link.identify()['model'], 'sim')
            link.close()

    def test_programs_are_small(self):
        behaviours = [name for name in os.listdir(PROGRAMS) if name.startswith('rkprog-') and '.' not in name]
        self.assertGreaterEqual(len(behaviours), 9)
        for name in behaviours:
            if name != 'rkprog-make':
                self.assertLessEqual(os.path.getsize(os.path.join(PROGRAMS, name)), 24 * 1024, name)

    def test_images_are_repeatable_padded_and_differ_by_version(self):
        sim = self.sim()
        first = sim.make('healthy', '1.0.0', '--pad=40000')
        self.assertEqual(len(first), 40000)
        self.assertEqual(first, sim.make('healthy', '1.0.0', '--pad=40000'))
        self.assertNotEqual(first, sim.make('healthy', '1.0.0', '--pad=40000', '--seed=7'))
        self.assertNotEqual(first, sim.make('healthy', '1.0.1', '--pad=40000'))


class Identity(SimTest):
    def test_device_says_what_the_options_say(self):
        sim = self.sim('--model=boiler', '--hardware=C', '--serial=77', '--bootloader-version=2.1', '--buffer=8192',
                       '--max-payload=1024', '--speeds=115200,460800', '--trial-timer=no')
        sim.start()
        identity = self.link(sim).identify()
        expected = {'model': 'boiler', 'hardware': 'C', 'serial': '77', 'bootloader_version': '2.1', 'buffer': 8192,
                    'max_payload': 1024, 'speeds': [115200, 460800], 'state': 'empty', 'cause': 'power',
                    'program_space': rksim.PROGRAM_SPACE, 'unit_size': rksim.UNIT}
        self.assertEqual({key: identity[key] for key in expected}, expected)
        self.assertNotIn('trial-timer', identity['capabilities'])
        self.assertIn('full-duplex', identity['capabilities'])

    def test_loaded_program_is_unmanaged_and_runs(self):
        sim = self.sim()
        path = os.path.join(sim.folder, 'image')
        image = sim.make('healthy', '3.2.1')
        with open(path, 'wb') as file:
            file.write(image)
        sim.start(f'--load={path}')
        identity = self.link(sim).wait(is_program('healthy'), 'the loaded program')
        self.assertEqual((identity['version'], identity['source'], identity['image_length'], identity['state']),
                         ('3.2.1', 'descriptor', len(image), 'unmanaged'))


class Push(SimTest):
    def push_confirm(self, sim, **kwargs):
        link = self.link(sim, **kwargs)
        image = sim.make('healthy', '1.0.0')
        push_and_start(link, image)
        identity = link.wait(is_program('healthy'), 'a healthy program')
        self.assertEqual((identity['version'], identity['state'], identity['push_id'], identity['boots']),
                         ('1.0.0', 'trial', PUSH, 1))
        link.confirm(PUSH)
        link.confirm(PUSH)
        self.assertEqual(link.identify()['state'], 'confirmed')
        self.flash_holds(sim, image)
        self.assertEqual(sim.status()['overwrites'], 0)
        return link, image

    def test_healthy_program_is_confirmed_over_a_pty(self):
        sim = self.sim()
        sim.start()
        self.push_confirm(sim)

    def test_healthy_program_is_confirmed_over_a_socket(self):
        sim = self.sim(line='unix')
        sim.start()
        self.push_confirm(sim)

    def test_healthy_program_is_confirmed_with_real_flash_times(self):
        sim = self.sim('--pace', '--speeds=921600', times=True)
        sim.start()
        link = self.link(sim)
        link.set_baud(921600)
        push_and_start(link, sim.make('healthy', '1.0.0'))
        link.wait(is_program('healthy'), 'a healthy program')

    def test_healthy_program_is_confirmed_when_flash_blocks_the_core(self):
        sim = self.sim('--flash-blocks-cpu', times=True)
        sim.start()
        self.push_confirm(sim)

    def test_healthy_program_is_confirmed_in_half_duplex_with_echo(self):
        sim = self.sim('--half-duplex', '--echo', '--address=5')
        sim.start()
        link, _ = self.push_confirm(sim, half_duplex=True, address=5)
        self.assertEqual(link.hellos, [])

    def test_healthy_program_is_confirmed_with_noise(self):
        sim = self.sim('--noise-flip=3000', '--noise-drop=3000', '--seed=42')
        sim.start()
        self.push_confirm(sim, answer_seconds=0.4)
        self.assertGreater(sim.status()['damaged'], 0)

    def test_healthy_program_is_confirmed_with_other_geometries(self):
        for options in (['--unit=4096', '--write-size=8'], ['--unit=4096', '--erase-size=1024'],
                        ['--unit=16384', '--write-size=32'], ['--erase-size=1024', '--unit=8192', '--program-space=40960'],
                        ['--buffer=256', '--max-payload=64', '--write-size=1']):
            with self.subTest(options=options):
                sim = self.sim()
                sim.start(*options)
                self.push_confirm(sim)

    def test_program_of_another_speed_is_found_at_it(self):
        sim = self.sim('--pace', '--speeds=115200', '--program-baud=57600')
        sim.start()
        link = self.link(sim, answer_seconds=0.4)
        link.set_baud(115200)
        push_and_start(link, sim.make('healthy', '1.0.0'))
        link.set_baud(57600)
        self.assertEqual(link.wait(is_program('healthy'), 'a healthy program')['speeds'], [57600])

    def test_confirmed_program_runs_again_after_a_power_cut(self):
        sim = self.sim()
        sim.start()
        link, _ = self.push_confirm(sim)
        sim.control('power-cut')
        sim.wait_status(lambda status: status['starts'] == 2, 'the second start')
        identity = link.wait(is_program('healthy'), 'the program')
        self.assertEqual((identity['state'], identity['cause']), ('confirmed', 'power'))

    def test_killed_simulator_leaves_no_program_and_runs_again(self):
        sim = self.sim()
        sim.start()
        self.push_confirm(sim)
        pid = sim.status()['pid']
        self.assertEqual(sim.stop(signal.SIGKILL), -signal.SIGKILL)
        sim.start()
        sim.wait_status(lambda status: status['starts'] == 1 and status['pid'] not in (0, pid), 'the program')
        self.assertFalse(rksim.is_running(pid))

    def test_only_changed_units_are_sent(self):
        sim = self.sim()
        sim.start()
        link, image = self.push_confirm(sim)
        link.enter()
        link.wait(is_state('confirmed'), 'the bootloader')
        changed = bytearray(image)
        changed[5 * rksim.UNIT] ^= 0xff
        self.assertEqual(link.push(bytes(changed), PUSH + 1, '1.0.1'), 1)
        self.flash_holds(sim, bytes(changed))

    def test_speed_is_changed_for_a_push(self):
        sim = self.sim('--pace', '--speeds=115200,921600')
        sim.start()
        link = self.link(sim)
        link.set_baud(115200)
        link.identify()
        link.change_baud(921600)
        link.push(sim.make('healthy', '1.0.0'), PUSH, '1.0.0')
        self.assertEqual(sim.status()['baud'], 921600)


class BadPrograms(SimTest):
    def failed(self, behaviour, cause, trial=30, **kwargs):
        sim = self.sim('--watchdog-ms=400', **kwargs)
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make(behaviour, '1.0.0'), trial=trial)
        identity = link.wait(is_state('failed'), 'used-up starts', seconds=60)
        self.assertEqual((identity['cause'], identity['attempts_left'], identity['boots']), (cause, 0, 3))
        self.assertEqual(sim.status()['starts'], 3)
        with self.assertRaises(rklink.Refused) as refused:
            link.start(PUSH)
        self.assertEqual(refused.exception.result, 'not-runnable')

    def test_crashing_program_uses_up_its_starts(self):
        self.failed('crash', 'crash')

    def test_hanging_program_is_reset_by_the_watchdog(self):
        self.failed('hang', 'watchdog')

    def test_silent_program_is_reset_by_the_trial_timer(self):
        self.failed('silent', 'trial', trial=1)

    def test_image_that_is_no_executable_crashes(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, b'\x7fELF' + bytes(3000))
        identity = link.wait(is_state('failed'), 'used-up starts')
        self.assertEqual(identity['cause'], 'crash')

    def test_wrong_version_is_told(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('wrong-version', '1.0.0'))
        self.assertNotEqual(link.wait(is_program('healthy'), 'the program')['version'], '1.0.0')

    def test_sick_program_is_told(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('sick-5s', '1.0.0'))
        link.wait(is_program('healthy'), 'a healthy program')
        link.wait(is_program('sick'), 'a sick program')

    def test_program_that_crashes_after_confirm_uses_up_its_starts(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('crash-after-confirm', '1.0.0'))
        link.wait(is_program('healthy'), 'a healthy program')
        link.confirm(PUSH)
        self.assertEqual(link.wait(is_state('failed'), 'used-up starts')['cause'], 'crash')

    def test_program_is_sick_after_confirm(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('sick-after-confirm', '1.0.0'))
        link.wait(is_program('healthy'), 'a healthy program')
        link.confirm(PUSH)
        self.assertEqual(link.wait(is_program('sick'), 'a sick program')['state'], 'confirmed')


class FlashRead(SimTest):
    """The independent reader of the flash file agrees with what the device says."""

    def read(self, sim, *options, expected_status=0):
        result = subprocess.run([os.path.join(LIBRARY, 'flash-read.py'), sim.flash, *options], stdout=subprocess.PIPE)
        self.assertEqual(result.returncode, expected_status)
        return json.loads(result.stdout)

    def agrees(self, sim, identity):
        answer = self.read(sim)
        record = answer['record']
        self.assertEqual([record[key] for key in ('state', 'push_id', 'version', 'model', 'sha256', 'length', 'boots')],
                         [identity[key] for key in ('state', 'push_id', 'version', 'model', 'sha256', 'image_length',
                                                    'boots')])
        return answer

    def test_no_record_is_read_as_none(self):
        sim = self.sim()
        sim.start()
        self.assertIsNone(self.read(sim)['record'])

    def test_record_is_read_in_each_state_of_a_good_update(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        image = sim.make('healthy', '1.0.0')
        link.identify()
        link.begin(PUSH, rklink.make_header(image, 'sim', '1.0.0'))
        self.assertFalse(self.read(sim)['program_is_intact'])
        self.assertEqual(self.read(sim)['record']['state'], 'pushing')
        link.push(image, PUSH, '1.0.0')
        self.assertTrue(self.agrees(sim, link.identify())['program_is_intact'])
        link.start(PUSH)
        self.agrees(sim, link.wait(is_program('healthy'), 'a healthy program'))
        link.confirm(PUSH)
        self.agrees(sim, link.identify())

    def test_record_is_read_when_starts_are_used_up(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('crash', '1.0.0'))
        self.agrees(sim, link.wait(is_state('failed'), 'used-up starts'))

    def test_image_is_compared(self):
        sim = self.sim()
        path = os.path.join(sim.folder, 'image')
        image = sim.make('healthy', '1.0.0', '--pad=20001')
        with open(path, 'wb') as file:
            file.write(image)
        sim.start(f'--load={path}')
        self.assertTrue(self.read(sim, '--image', path, '--blank')['holds_image'])
        sim.control('corrupt 20480')
        self.read(sim, '--image', path)
        self.read(sim, '--image', path, '--blank', expected_status=1)
        sim.control('corrupt 20002')
        self.read(sim, '--image', path, expected_status=1)

    def test_damaged_record_is_told(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        link.push(sim.make('healthy', '1.0.0'), PUSH, '1.0.0')
        for page in range(2):
            sim.control(f'corrupt {rksim.PROGRAM_SPACE + page * rksim.UNIT + 40}')
        self.assertEqual(self.read(sim)['record'], {'state': 'damaged'})


class Faults(SimTest):
    def resumed(self, sim, image):
        """Cuts the power in the middle of a push; the next one goes on with what is there."""
        link = self.link(sim, answer_seconds=0.4)
        units = -(-len(image) // rksim.UNIT)
        sim.control('cut-after 15')
        with self.assertRaises(rklink.LinkError):
            link.push(image, PUSH, '1.0.0')
        sim.wait_status(lambda status: status['resets']['power'] == 2, 'the power cut')
        identity = link.identify()
        self.assertEqual((identity['state'], identity['push_id']), ('pushing', PUSH))
        sent = link.push(image, PUSH, '1.0.0')
        self.assertTrue(0 < sent < units, sent)
        self.flash_holds(sim, image)

    def test_push_goes_on_after_a_power_cut(self):
        sim = self.sim()
        sim.start()
        self.resumed(sim, sim.make('healthy', '1.0.0'))

    def test_push_goes_on_after_a_power_cut_with_real_flash_times(self):
        sim = self.sim(times=True)
        sim.start()
        self.resumed(sim, sim.make('healthy', '1.0.0'))

    def test_killed_in_an_erase_the_unit_is_written_again(self):
        sim = self.sim('--erase-ms=200', times=True)
        sim.start()
        link = self.link(sim, answer_seconds=0.4)
        image = sim.make('healthy', '1.0.0')
        with self.assertRaises(StopIteration):
            link.push(image, PUSH, '1.0.0', progress=stop_after(4 * rksim.UNIT))
        sim.stop(signal.SIGKILL)
        sim.options.append('--erase-ms=1')
        sim.start()
        link = self.link(sim)
        link.push(image, PUSH, '1.0.0')
        self.flash_holds(sim, image)

    def test_damaged_program_is_not_started(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        push_and_start(link, sim.make('healthy', '1.0.0'))
        link.wait(is_program('healthy'), 'a healthy program')
        link.confirm(PUSH)
        sim.control('corrupt 2000')
        sim.control('reset')
        self.assertEqual(link.wait(is_state('damaged'), 'the damage')['cause'], 'pin')
        self.assertEqual(sim.status()['starts'], 1)

    def test_wiped_program_is_not_started(self):
        sim = self.sim()
        sim.start()
        link = self.link(sim)
        link.push(sim.make('healthy', '1.0.0'), PUSH, '1.0.0')
        sim.control('wipe-program')
        sim.control('power-cut')
        link.wait(is_state('damaged'), 'the damage')

    def test_noise_can_be_switched_on_and_off(self):
        sim = self.sim()
        sim.start()
        sim.control('noise 2 0')
        link = self.link(sim, answer_seconds=0.2)
        with self.assertRaises(rklink.LinkError):
            link.ask(rklink.NOP, tries=2)
        sim.control('noise 0 0')
        link.identify()

    def test_bus_device_hears_only_its_address(self):
        sim = self.sim('--half-duplex', '--address=9')
        sim.start()
        link = self.link(sim, half_duplex=True, address=8, answer_seconds=0.2)
        with self.assertRaises(rklink.LinkError):
            link.ask(rklink.NOP, tries=2)
        link.address = 9
        self.assertEqual(link.identify()['state'], 'empty')


def stop_after(n_bytes):
    def progress(received):
        if received >= n_bytes:
            raise StopIteration
    return progress


class Signatures(SimTest):
    def keys(self, sim, *algorithm):
        private, public = (os.path.join(sim.folder, name) for name in ('private.pem', 'public.pem'))
        rksim.run('openssl', 'genpkey', '-algorithm', *algorithm, '-out', private)
        rksim.run('openssl', 'pkey', '-in', private, '-pubout', '-out', public)
        return private, public

    def sign_ed25519(self, sim, private, data):
        paths = [os.path.join(sim.folder, name) for name in ('data', 'signature')]
        with open(paths[0], 'wb') as file:
            file.write(data)
        rksim.run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', private, '-in', paths[0], '-out', paths[1])
        with open(paths[1], 'rb') as file:
            return file.read()

    def sign_p256(self, sim, private, data):
        paths = [os.path.join(sim.folder, name) for name in ('data', 'signature')]
        with open(paths[0], 'wb') as file:
            file.write(data)
        rksim.run('openssl', 'dgst', '-sha256', '-sign', private, '-out', paths[1], paths[0])
        with open(paths[1], 'rb') as file:
            der = file.read()
        n = der[3]
        numbers = der[4:4 + n], der[6 + n:]
        return b''.join(int.from_bytes(number, 'big').to_bytes(32, 'big') for number in numbers)

    def judged(self, algorithm, number, sign):
        sim = self.sim()
        private, public = self.keys(sim, *algorithm)
        sim.start(f'--device-key={public}')
        link = self.link(sim)
        self.assertIn('signed', link.identify()['capabilities'])
        image = sim.make('healthy', '1.0.0')
        header = rklink.make_header(image, 'sim', '1.0.0', algorithm=number)
        signature = sign(sim, private, header)
        for bad in (dict(), dict(header=header), dict(header=header, signature=bytes(64)),
                    dict(header=header, signature=signature[:-1] + bytes([signature[-1] ^ 1]))):
            with self.assertRaises(rklink.Refused) as refused:
                link.push(image, PUSH, '1.0.0', **bad)
            self.assertIn(refused.exception.result, ('bad-signature', 'bad-header'))
        self.assertEqual(sim.status()['erases'], 0)
        push_and_start(link, image, header=header, signature=signature)
        link.wait(is_program('healthy'), 'a healthy program')
        link.enter()
        link.wait(is_state('trial'), 'the bootloader')
        lengths = struct.unpack_from('<HH', link.release())
        self.assertEqual(link.release()[4:], header + signature)
        self.assertEqual(lengths, (len(header), 64))

    def test_ed25519_release_is_judged(self):
        self.judged(['ED25519'], 1, self.sign_ed25519)

    def test_p256_release_is_judged(self):
        self.judged(['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'], 2, self.sign_p256)


if __name__ == '__main__':
    PROGRAMS = sys.argv.pop(1)
    unittest.main(verbosity=2)
