#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The device library on an emulated Cortex-M0, over its serial line, as an independent second implementation of the link
sees it. Usage: test-microbit.py FOLDER PROFILE [TEST...], FOLDER being that of the bootloaders and programs."""

import contextlib
import os
import random
import shutil
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'lib'))

import qemu    # noqa: E402
import rklink  # noqa: E402

PROGRAMS, PROFILE = '', ''
PUSH = 0x1122334455667788
PAD = 20000  # bytes of data in an image: so much that a push can be caught in the middle


def is_program(health):
    return lambda identity: identity['who'] == 'program' and identity['health'] == health


def is_state(state):
    return lambda identity: identity['who'] == 'bootloader' and identity['state'] == state


class Enough(Exception):
    """The push has come as far as the test wanted."""


class MicrobitTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='rkmb-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.device = qemu.Microbit(self.folder, os.path.join(PROGRAMS, f'microbit-{PROFILE}.elf'))
        self.device.start()
        self.addCleanup(self.device.stop)
        self.link = None
        self.connect()

    def connect(self):
        if self.link:
            self.link.close()
        self.link = rklink.Link(self.device.socket, address=self.device.address, half_duplex=self.device.address != 0)
        self.addCleanup(self.link.close)

    def restart(self, address=0, number=0):
        self.device.cut_power()
        self.device.address, self.device.number = address, number
        self.device.start()
        self.connect()

    def flash_by_other_means(self, image):
        self.device.cut_power()
        with open(self.device.flash, 'r+b') as file:
            file.write(image)
        self.device.start()
        self.connect()

    def image(self, behaviour='healthy', version='1.0.0', pad=0):
        return qemu.make_image(os.path.join(PROGRAMS, f'microbit-{behaviour}.bin'), version, pad)

    def push(self, image, version='1.0.0', push_id=PUSH, **kwargs):
        return self.link.push(image, push_id, version, model='microbit', **kwargs)

    def push_half(self, image):
        """Stops a push in the middle of its stream."""
        def progress(received):
            if received > len(image) // 2:
                raise Enough

        with self.assertRaises(Enough):
            self.push(image, progress=progress)

    def fail_trial(self, behaviour, cause, trial):
        self.push(self.image(behaviour), trial=trial)
        self.link.start(PUSH)
        identity = self.link.wait(is_state('failed'), f'{behaviour} failed')
        self.assertEqual(identity['cause'], cause)
        self.assertEqual(identity['attempts_left'], 0)
        self.assertEqual(identity['boots'], 3)

    def flash_is(self, image):
        path = os.path.join(self.folder, 'wanted')
        with open(path, 'wb') as file:
            file.write(image)
        self.assertTrue(self.device.holds(path))


class Good(MicrobitTest):
    def test_blank_device_tells_what_it_is(self):
        identity = self.link.identify()
        self.assertEqual((identity['who'], identity['state'], identity['model']), ('bootloader', 'empty', 'microbit'))
        self.assertEqual((identity['program_base'], identity['program_space'], identity['unit_size']), (0x8000, 0x37800, 1024))
        self.assertIn('flash-blocks-cpu', identity['capabilities'])

    def test_program_is_pushed_started_and_confirmed(self):
        image = self.image()
        self.push(image)
        self.assertEqual(self.link.identify()['state'], 'verified')
        self.link.start(PUSH)
        identity = self.link.wait(is_program('healthy'), 'the program')
        self.assertEqual((identity['version'], identity['state'], identity['boots']), ('1.0.0', 'trial', 1))
        self.link.confirm(PUSH)
        self.assertEqual(self.link.identify()['state'], 'confirmed')
        self.flash_is(image)

    def test_confirmed_program_starts_by_itself(self):
        self.push(self.image())
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.link.confirm(PUSH)
        for again in (self.device.reset, self.restart):
            again()
            identity = self.link.wait(is_program('healthy'), 'the program after a reset')
            self.assertEqual(identity['state'], 'confirmed')

    def test_program_leaves_for_the_bootloader_and_another_is_pushed(self):
        self.push(self.image())
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.link.confirm(PUSH)
        self.link.enter()
        identity = self.link.wait(is_state('confirmed'), 'the bootloader')
        self.assertEqual(identity['cause'], 'software')
        self.assertGreater(self.push(self.image(version='1.1.0', pad=3000), '1.1.0', PUSH + 1), 0)
        self.link.start(PUSH + 1)
        self.assertEqual(self.link.wait(is_program('healthy'), '1.1.0')['version'], '1.1.0')

    def test_program_that_was_flashed_by_other_means_is_known_by_its_descriptor(self):
        image = self.image(version='0.9.0')
        self.flash_by_other_means(image)
        identity = self.link.wait(is_program('healthy'), 'the program')
        self.assertEqual((identity['state'], identity['version'], identity['source']), ('unmanaged', '0.9.0', 'descriptor'))
        self.link.enter()
        identity = self.link.wait(is_state('unmanaged'), 'the bootloader')
        known = ('0.9.0', len(image), 'descriptor') if PROFILE == 'full' else ('', 0, 'none')
        self.assertEqual((identity['version'], identity['image_length'], identity['source']), known)

    def test_longest_image_fills_the_program_space(self):
        program = len(self.image())
        image = self.image(pad=0x37800 - program)
        self.assertEqual(self.push(image), 0x37800 // 1024)
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.flash_is(image)


class Factory(MicrobitTest):
    def test_number_of_the_factory_page_is_the_serial(self):
        self.restart(number=0x0123456789abcdef)
        self.assertEqual(self.link.identify()['serial'], '0123456789abcdef')

    def test_address_of_the_factory_page_is_kept_by_bootloader_and_program(self):
        self.restart(address=7)
        self.assertNotIn('full-duplex', self.link.identify()['capabilities'])
        self.push(self.image())
        self.link.start(PUSH)
        self.assertEqual(self.link.wait(is_program('healthy'), 'the program')['state'], 'trial')
        self.link.address, self.link.answer_seconds = 8, 0.1
        with self.assertRaises(rklink.LinkError):
            self.link.identify()

    def test_key_means_nothing_to_a_bootloader_that_demands_no_signature(self):
        self.device.key = bytes(range(1, 33))
        self.restart()
        self.assertNotIn('signed', self.link.identify()['capabilities'])
        self.push(self.image())
        self.link.start(PUSH)
        self.assertNotIn('signed', self.link.wait(is_program('healthy'), 'the program')['capabilities'])


class Bad(MicrobitTest):
    def test_crash_uses_up_its_starts(self):
        self.fail_trial('crash', 'crash', 10)

    def test_hang_is_reset_by_the_watchdog(self):
        self.fail_trial('hang', 'watchdog', 10)

    def test_silent_program_is_reset_when_its_trial_is_over(self):
        self.fail_trial('silent', 'trial', 1)

    def test_failed_program_is_replaced(self):
        self.fail_trial('crash', 'crash', 10)
        good = self.image()
        self.push(good, push_id=PUSH + 1)
        self.link.start(PUSH + 1)
        self.link.wait(is_program('healthy'), 'the good program')
        self.flash_is(good)

    def test_image_without_vectors_is_never_started(self):
        with self.assertRaises(rklink.Refused) as refused:
            self.push(b'\x55' * 4096)
        self.assertEqual(refused.exception.result, 'bad-digest')
        with self.assertRaises(rklink.Refused) as refused:
            self.link.start(PUSH)
        self.assertEqual(refused.exception.result, 'not-runnable')


class Hostile(MicrobitTest):
    """Whatever comes, the device listens, starts nothing but what is verified, and leaves its bootloader alone."""

    BURSTS = 150
    SPACE = 0x37800

    def setUp(self):
        super().setUp()
        self.dice = random.Random(PROFILE)
        self.bootloader = self.device.bootloader_bytes()

    def noise(self, most):
        return self.dice.randbytes(self.dice.randrange(most))

    def number(self):
        return self.dice.choice((0, 1, 1023, 1024, self.SPACE - 1, self.SPACE, self.SPACE + 2048, 0x7fffffff, 0xffffffff,
                                 self.dice.getrandbits(32)))

    def bad_frame(self):
        """Noise; a frame with anything in it; or one that is cut off or damaged."""
        payload = self.dice.choice((self.noise(300), struct.pack('<II', self.number(), self.number()),
                                    struct.pack('<I', self.number()) + self.noise(64), b''))
        kind, address, flags = (self.dice.choice((usual, self.dice.randrange(256)))
                                for usual in (self.dice.randrange(1, 13), 0, rklink.POLL))
        frame = rklink.frame_encode(address, kind, self.dice.randrange(256), flags, payload)
        at = self.dice.randrange(len(frame))
        return self.dice.choice((frame, frame, self.noise(400), self.noise(1200) + b'\0', frame[:at],
                                 frame[:at] + bytes([frame[at] ^ 1 << self.dice.randrange(8)]) + frame[at + 1:]))

    def send(self, frames):
        for frame in frames:
            self.link.write(frame)
            while self.link.receive(time.monotonic()):
                pass
        self.link.write(b'\0')
        self.assertEqual(self.device.bootloader_bytes(), self.bootloader)

    def refuses(self, command):
        with self.assertRaises(rklink.Refused):
            command(PUSH)

    def frames_of_a_push(self, image):
        """As a gateway sends them, but for the waiting."""
        header = rklink.make_header(image, 'microbit', '6.6.6')
        area = struct.pack('<BBHQQHH', 1, 0, 5, PUSH, PUSH, len(header), 0) + header
        stream, _ = self.link.make_stream(image, 1024, [0] * (len(image) // 1024 + 1))
        requests = [(rklink.BEGIN, struct.pack('<HH', len(area), at) + area[at:at + 56]) for at in range(0, len(area), 56)]
        requests += [(rklink.STREAM, struct.pack('<BBIH', 0, 0, len(stream), 9))]
        requests += [(rklink.DATA, struct.pack('<I', at) + stream[at:at + 60]) for at in range(0, len(stream), 60)]
        requests += [(kind, struct.pack('<Q', PUSH)) for kind in (rklink.END, rklink.START, rklink.CONFIRM)]
        return [rklink.frame_encode(0, kind, i % 256, 2, payload) for i, (kind, payload) in enumerate(requests)]

    def test_confirmed_program_outlives_bad_frames(self):
        image = self.image()
        self.push(image)
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.link.confirm(PUSH)
        for where in ('the program', 'the bootloader'):
            self.send(self.bad_frame() for _ in range(self.BURSTS))
            self.assertEqual(self.link.wait(lambda identity: True, where)['state'], 'confirmed')
            self.flash_is(image)
            self.link.enter()
            self.link.wait(is_state('confirmed'), 'the bootloader')
        self.device.reset()
        self.link.wait(is_program('healthy'), 'the program after a reset')

    def test_open_push_outlives_bad_frames_and_streams(self):
        image = self.image(pad=3000)
        self.link.begin(PUSH, rklink.make_header(image, 'microbit', '1.0.0'))
        runs = [struct.pack('<II', self.number(), self.number()) + self.noise(3000) for _ in range(8)]
        within = struct.pack('<II', 1, 2) + self.dice.randbytes(2048)
        for stream in (*runs, within + self.dice.randbytes(8), within + bytes(12), self.dice.randbytes(400)):
            for codec in (0, 1):
                with contextlib.suppress(rklink.Refused):  # a device that buffers says so only at the end
                    self.link.send_stream(stream, seconds=60, codec=codec)
                self.refuses(self.link.end)
                self.refuses(self.link.start)
            self.send(self.bad_frame() for _ in range(self.BURSTS // 8))
        frames = self.frames_of_a_push(image)
        for _ in range(3):
            self.dice.shuffle(frames)
            self.send(frames)
            identity = self.link.identify()
            self.assertEqual((identity['who'], identity['state'], identity['push_id']), ('bootloader', 'pushing', PUSH))
        self.push(image)
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.flash_is(image)
        self.assertEqual(self.device.bootloader_bytes(), self.bootloader)


class Signed(MicrobitTest):
    """PROFILE is a bootloader that demands the signature of the key in its factory page."""

    def setUp(self):
        super().setUp()
        self.private, self.public = (os.path.join(self.folder, name) for name in ('private.pem', 'public.pem'))
        self.make_key(self.private)
        qemu.run('openssl', 'pkey', '-in', self.private, '-pubout', '-out', self.public)
        self.device.key = qemu.read_key(self.public)

    @staticmethod
    def make_key(path):
        qemu.run('openssl', 'genpkey', '-algorithm', 'ed25519', '-out', path)

    def sign(self, data, private=None):
        paths = [os.path.join(self.folder, name) for name in ('data', 'signature')]
        with open(paths[0], 'wb') as file:
            file.write(data)
        qemu.run('openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', private or self.private, '-in', paths[0], '-out', paths[1])
        with open(paths[1], 'rb') as file:
            return file.read()

    def refuse(self, image, **kwargs):
        with self.assertRaises(rklink.Refused) as refused:
            self.push(image, '1.1.0', PUSH + 1, **kwargs)
        self.assertEqual(refused.exception.result, 'bad-signature')

    def test_only_what_the_key_has_signed_is_installed(self):
        self.restart()
        self.assertIn('signed', self.link.identify()['capabilities'])
        image = self.image()
        header = rklink.make_header(image, 'microbit', '1.0.0', algorithm=1)
        self.push(image, header=header, signature=self.sign(header))
        self.link.start(PUSH)
        identity = self.link.wait(is_program('healthy'), 'the program')
        self.assertIn('signed', identity['capabilities'])
        self.link.confirm(PUSH)
        self.link.enter()
        self.link.wait(is_state('confirmed'), 'the bootloader')

        other = self.image(version='1.1.0')
        header = rklink.make_header(other, 'microbit', '1.1.0', algorithm=1)
        signature = self.sign(header)
        self.make_key(os.path.join(self.folder, 'other.pem'))
        self.refuse(other)
        self.refuse(other, header=header, signature=self.sign(header, os.path.join(self.folder, 'other.pem')))
        self.refuse(other, header=header, signature=signature[:-1] + bytes([signature[-1] ^ 1]))
        self.flash_is(image)
        self.assertEqual(self.link.identify()['state'], 'confirmed')
        self.device.reset()
        self.assertEqual(self.link.wait(is_program('healthy'), 'the old program')['version'], '1.0.0')

    def test_without_a_key_nothing_is_installed(self):
        self.device.key = b''
        self.restart()
        image = self.image()
        header = rklink.make_header(image, 'microbit', '1.1.0', algorithm=1)
        self.refuse(image, header=header, signature=self.sign(header))
        self.refuse(image, header=header, signature=bytes(64))
        self.refuse(image, header=header, signature=bytes([1]) + bytes(63))
        self.flash_by_other_means(image)
        self.assertIn('signed', self.link.wait(is_program('healthy'), 'the program')['capabilities'])


class Cuts(MicrobitTest):
    def go_on(self, image):
        identity = self.link.wait(is_state('pushing'), 'the open push')
        self.assertEqual(identity['push_id'], PUSH)
        units = -(-len(image) // 1024)
        sent = self.push(image)
        self.assertTrue(0 < sent < units, f'{sent} of {units} units were sent again')
        self.link.start(PUSH)
        self.link.wait(is_program('healthy'), 'the program')
        self.flash_is(image)

    def test_reset_in_mid_push_is_resumed(self):
        image = self.image(pad=PAD)
        self.push_half(image)
        self.device.reset()
        self.go_on(image)

    def test_power_cut_in_mid_push_is_resumed(self):
        image = self.image(pad=PAD)
        self.push_half(image)
        self.device.cut_power()
        self.device.start()
        self.connect()
        self.go_on(image)

    def test_power_cut_in_trial_uses_up_one_start(self):
        self.push(self.image('silent'), trial=60)
        self.link.start(PUSH)
        self.link.wait(is_program('starting'), 'the program')
        self.device.cut_power()
        self.device.start()
        self.connect()
        identity = self.link.wait(is_program('starting'), 'the program again')
        self.assertEqual((identity['boots'], identity['attempts_left']), (2, 1))


if __name__ == '__main__':
    PROGRAMS, PROFILE = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main(verbosity=2)
