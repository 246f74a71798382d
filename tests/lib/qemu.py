# SPDX-License-Identifier: LGPL-2.1-or-later
"""The micro:bit port of the device library in QEMU: a real Cortex-M0 bootloader behind a UNIX socket.

QEMU keeps no flash of its own, so this does: the flash is a file (program area and record pages, as flash-read.py reads
them) that is put into the machine through its debugger before it runs, and taken out again before it is killed. The bootloader
comes from the ELF file, at every reset anew. RAM survives reset(), as it does on the chip, and is lost with cut_power().
"""

import hashlib
import json
import os
import socket
import struct
import subprocess

from flash import FlashFile
from process import Failure, Program, wait_for

FACTORY_PAGE = 0x7c00
PROGRAM_BASE = 0x8000
FLASH_END = 0x40000
DESCRIPTOR = b'RKDESC\xb7\x01'
GDB_PIECE = 1024


class _Lines:
    """A socket of QEMU's, read to a limit in time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.read = self.socket.makefile('rb').read1
        self.inbox = b''

    def until(self, mark):
        while mark not in self.inbox:
            data = self.read(65536)
            if not data:
                raise Failure('QEMU has closed its socket')
            self.inbox += data
        line, self.inbox = self.inbox.split(mark, 1)
        return line

    def close(self):
        self.socket.close()


class Debugger(_Lines):
    """As much of GDB's remote protocol as writing memory takes."""

    def ask(self, text):
        self.socket.sendall(b'$%s#%02x' % (text, sum(text) % 256))
        self.until(b'$')
        answer = self.until(b'#')
        self.socket.sendall(b'+')
        return answer

    def write(self, address, data):
        for at in range(0, len(data), GDB_PIECE):
            piece = data[at:at + GDB_PIECE]
            answer = self.ask(b'M%x,%x:%s' % (address + at, len(piece), piece.hex().encode()))
            if answer != b'OK':
                raise Failure(f'QEMU does not write {address + at:#x}: {answer}')


class Monitor(_Lines):
    """QMP."""

    def __init__(self, path):
        super().__init__(path)
        self.until(b'\n')
        self('qmp_capabilities')

    def __call__(self, command, **arguments):
        self.socket.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode() + b'\n')
        while True:
            answer = json.loads(self.until(b'\n'))
            if 'error' in answer:
                raise Failure(f'QEMU: {command}: {answer["error"]}')
            if 'return' in answer:
                return answer['return']


class Microbit(FlashFile):
    """One device. spawn(name, command): starts a process (a world's, or process.Program). address: on a bus; number: instead of
    the chip's, of which QEMU has one for all; key: whose signatures a bootloader that demands them takes. These go into the
    factory page."""

    def __init__(self, folder, bootloader, spawn=None, address=0, number=0, key=b''):
        self.folder = folder
        self.bootloader = bootloader
        self.address, self.number, self.key = address, number, key
        self.spawn = spawn or (lambda name, command: Program(name, command, os.path.join(folder, 'qemu.log')))
        self.flash = os.path.join(folder, 'flash')
        self.socket = self.line = os.path.join(folder, 'line')
        self.qemu = self.monitor = None

    @property
    def port_path(self):
        """For Path= of a port."""
        return 'unix:' + self.socket

    def start(self):
        """Switches the power on; a new device is blank."""
        if not os.path.exists(self.flash):
            self.store(b'\xff' * (FLASH_END - PROGRAM_BASE))
        paths = {name: os.path.join(self.folder, name) for name in ('line', 'monitor', 'debugger')}
        command = ['qemu-system-arm', '-M', 'microbit', '-display', 'none', '-nodefaults', '-monitor', 'none', '-S',
                   '-kernel', self.bootloader]
        for name, path in paths.items():
            if os.path.lexists(path):
                os.unlink(path)
            command += ['-chardev', f'socket,id={name},path={path},server=on,wait=off']
        command += ['-serial', 'chardev:line', '-mon', 'chardev=monitor,mode=control', '-gdb', 'chardev:debugger']
        self.qemu = self.spawn('qemu', command)
        wait_for('QEMU', lambda: all(os.path.exists(path) for path in paths.values()), alive=[self.qemu])
        self.monitor = Monitor(paths['monitor'])
        debugger = Debugger(paths['debugger'])
        with open(self.flash, 'rb') as file:
            debugger.write(PROGRAM_BASE, file.read())
        debugger.write(FACTORY_PAGE, struct.pack('<IQ', self.address, self.number) + self.key)
        debugger.close()
        self.monitor('cont')

    def store(self, data):
        with open(self.flash, 'wb') as file:
            file.write(data)

    def save(self):
        """Takes the flash out of the machine as it is at this moment."""
        self.monitor('memsave', val=PROGRAM_BASE, size=FLASH_END - PROGRAM_BASE, filename=self.flash)

    def bootloader_bytes(self):
        """The flash below the programs: the bootloader and its factory page."""
        path = os.path.join(self.folder, 'bootloader')
        self.monitor('memsave', val=0, size=PROGRAM_BASE, filename=path)
        with open(path, 'rb') as file:
            return file.read()

    def reset(self):
        """The reset pin: at once, in the middle of whatever it does, RAM stays."""
        self.monitor('system_reset')

    def cut_power(self):
        """At once, between two instructions; start() brings the power back."""
        self.monitor('stop')
        self.save()
        self.monitor.close()
        self.qemu.kill()
        self.qemu = None

    def stop(self):
        if self.qemu:
            self.cut_power()

    def read_flash(self, *arguments, **options):
        if self.qemu:
            self.save()
        return super().read_flash(*arguments, **options)


def add_microbit(world, name='boiler', bus=None, address=0, *, profile='full', key=None, **keys):
    """A micro:bit among the devices of a story's world (world.py), with a line of its own or on a bus (hub.py). profile: of
    its bootloader; key: the PEM file of the publisher's, for the profile that demands its signature."""
    folder = os.path.join(os.environ['REKINDLE_BUILD'], 'src', 'device', 'port', 'microbit')
    device = Microbit(world.folder(f'device-{name}'), os.path.join(folder, f'microbit-{profile}.elf'),
                      lambda what, command: world.spawn(f'{what}-{name}', command), address, number=len(world.devices) + 1,
                      key=read_key(key) if key else b'')
    device.name, device.model, device.section, device.bus = name, 'microbit', True, None
    if bus:
        return bus.take(device, address, keys.get('device_keys', ''))
    world.devices[name] = device
    world.port_keys[name] = keys.get('port_keys', '')
    world.device_keys[name] = keys.get('device_keys', '')
    device.start()
    return device


def read_key(path):
    """The 32 bytes of an Ed25519 key, from the PEM file with the public one: the end of what openssl makes of it."""
    return run('openssl', 'pkey', '-pubin', '-in', path, '-outform', 'DER')[-32:]


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def publish(world, version, behaviour='healthy', *options, pad=0, noise=None, gap=0, turned=0, trial=5):
    """Publishes an example program for the micro:bit as this version; the path of the image."""
    program = os.path.join(os.environ['REKINDLE_BUILD'], 'src', 'device', 'port', 'microbit', f'microbit-{behaviour}.bin')
    path = os.path.join(world.folder('images'), f'microbit-{version}-{behaviour}.bin')
    with open(path, 'wb') as file:
        file.write(make_image(program, version, pad, noise, gap, turned))
    world.publisher.add(version, path, *options, model='microbit', trial=trial)
    world.publisher.publish()
    return path


def make_image(program, version, pad=0, noise=None, gap=0, turned=0):
    """An example program that says this version of itself; pad: bytes of noise behind it, the same for the same name
    of it; gap: bytes between the two; turned: bytes of the noise that come last."""
    with open(program, 'rb') as file:
        image = bytearray(file.read())
    at = image.index(DESCRIPTOR)  # the library that is in the program holds the magic, too, to search for it
    while image[at + 80:at + 82] != b'?\0':
        at = image.index(DESCRIPTOR, at + 1)
    length, = struct.unpack_from('<I', image, at + 8)
    if length != len(image):
        raise Failure(f'{program}: the linker counted {length} bytes, the file has {len(image)}')
    behind = hashlib.shake_128((noise or version).encode()).digest(pad)
    image += bytes(gap) + behind[turned:] + behind[:turned]
    struct.pack_into('<I', image, at + 8, len(image))
    struct.pack_into('64s', image, at + 80, version.encode())
    return bytes(image)
