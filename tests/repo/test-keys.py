#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where private keys lie: encrypted files, tokens (SoftHSM), folders apart; and the keys that sign for devices."""

import base64
import glob
import json
import os
import re
import subprocess

from publisher import BUILD, expect, tell

MODULE = '/usr/lib/softhsm/libsofthsm2.so'
PASSPHRASE = 'correct horse'


def run(desk, *command, **env):
    done = subprocess.run(command, cwd=desk.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**desk.env, **env}, check=False, stdin=subprocess.DEVNULL)
    expect(done.returncode == 0, f'{command}: {done.stdout}')
    return done.stdout


def openssl_key(desk, name, *options):
    run(desk, 'openssl', 'genpkey', *options, '-out', name)


def encrypted_keys_open_with_a_file_or_the_variable(desk):
    desk.write('passphrase', PASSPHRASE.encode() + b'\nnot this line\n')
    desk.write('wrong', b'something else\n')
    desk.repo('init', 'boilers', '--encrypt', '--passphrase-file', 'passphrase')
    for key in glob.glob(desk.path('boilers/keys/*.pem')):
        expect(b'BEGIN ENCRYPTED PRIVATE KEY' in desk.read(key), f'{key} is not encrypted')
    run(desk, 'openssl', 'pkey', '-in', 'boilers/keys/root.pem', '-passin', f'pass:{PASSPHRASE}', '-noout')
    desk.add('1.0.0')
    desk.publish(code=1, says='there is no terminal to ask; give --passphrase-file or set REKINDLE_PASSPHRASE')
    desk.publish('--passphrase-file', 'wrong', code=1, says='does not open with the passphrase that was given')
    expect(not desk.has('boilers/public/metadata/timestamp.json'), 'something was published')
    desk.publish('--passphrase-file', 'wrong', '--passphrase-file', 'passphrase', says='timestamp 1')
    desk.now = '2030-01-20T00:00:00Z'
    desk.repo('refresh', 'boilers', says='timestamp 2', REKINDLE_PASSPHRASE=PASSPHRASE)
    desk.repo('key', 'rotate', 'boilers', 'snapshot', '--encrypt', REKINDLE_PASSPHRASE=PASSPHRASE)
    desk.publish(says='root 2\nsnapshot 3\ntimestamp 3\n', REKINDLE_PASSPHRASE=PASSPHRASE)


def passphrase_is_typed_on_the_terminal(desk):
    seen = desk.on_terminal('init', 'boilers', '--encrypt', typed=[PASSPHRASE, PASSPHRASE])
    expect(seen.count('New passphrase of keys/') == 2 and PASSPHRASE not in seen, seen)
    desk.add('1.0.0')
    seen = desk.on_terminal('publish', 'boilers', typed=[PASSPHRASE])
    expect('timestamp 1' in seen and seen.count('Passphrase of') == 1, seen)
    desk.on_terminal('key', 'rotate', 'boilers', 'timestamp', '--encrypt', typed=[PASSPHRASE, 'another one'], code=1)
    seen = desk.on_terminal('key', 'rotate', 'boilers', 'timestamp', '--encrypt', typed=['short'], code=1)
    expect('it has to be typed twice, 8 to 255 characters' in seen, seen)
    desk.add('1.1.0')
    desk.on_terminal('publish', 'boilers', typed=['wrong', 'wrong again'], code=1)


def short_passphrase_is_refused(desk):
    desk.write('short', b'1234567\n')
    desk.write('empty', b'\n')
    desk.repo('init', 'a', '--encrypt', '--passphrase-file', 'short', code=1, says='at least 8 characters')
    desk.repo('init', 'b', '--encrypt', '--passphrase-file', 'empty', code=1, says='its first line has to be a passphrase')
    desk.repo('init', 'c', '--encrypt', '--passphrase-file', 'none', code=1, says='none: No such file')


def token(desk):
    """A SoftHSM token with a P-256 and an RSA key; returns the URIs, without PIN."""
    os.mkdir(desk.path('tokens'))
    desk.write('softhsm2.conf', f'directories.tokendir = {desk.path("tokens")}\n'.encode())
    desk.env['SOFTHSM2_CONF'] = desk.path('softhsm2.conf')
    desk.env['PKCS11_MODULE_PATH'] = MODULE
    run(desk, 'softhsm2-util', '--init-token', '--free', '--label', 'desk', '--pin', '12345678', '--so-pin', '87654321')
    openssl_key(desk, 'p256.pem', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256')
    openssl_key(desk, 'rsa.pem', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048')
    for name, number in (('p256', 'a1'), ('rsa', 'a2')):
        run(desk, 'softhsm2-util', '--import', f'{name}.pem', '--token', 'desk', '--label', name, '--id', number, '--pin', '12345678')
        os.unlink(desk.path(f'{name}.pem'))
    desk.write('pin', b'12345678\n')
    return 'pkcs11:token=desk;object=p256;type=private', 'pkcs11:token=desk;object=rsa;type=private'


def keys_in_a_token_sign(desk):
    p256, rsa = token(desk)
    desk.repo('init', 'boilers')
    desk.write('first-root.json', desk.read('boilers/root.json'))
    desk.repo('key', 'rotate', 'boilers', 'timestamp', p256, '--passphrase-file', 'pin')
    desk.repo('key', 'rotate', 'boilers', 'targets', rsa, '--passphrase-file', 'pin')
    desk.add('1.0.0')
    desk.publish('--passphrase-file', 'pin', says='root 2\ntargets 1\nsnapshot 1\ntimestamp 1\n')
    expect(desk.verify('boilers', '--root', 'first-root.json') == {'boiler/1.0.0': 'targets'}, 'a gateway refuses')
    keys = desk.json('boilers/root.json')['signed']['keys'].values()
    expect(sorted(key['scheme'] for key in keys) == ['ecdsa-sha2-nistp256', 'ed25519', 'ed25519', 'rsassa-pss-sha256'], keys)
    desk.now = '2030-01-20T00:00:00Z'
    desk.repo('refresh', 'boilers', says='timestamp 2', REKINDLE_PASSPHRASE='12345678')
    desk.verify('boilers', '--root', 'first-root.json')


def key_files_that_are_there_are_taken(desk):
    p256, _ = token(desk)
    os.makedirs(desk.path('boilers/keys'), mode=0o700)
    desk.write('boilers/keys/root.pem', p256.encode() + b'\n')
    desk.repo('init', 'boilers', '--passphrase-file', 'pin')
    expect(desk.read('boilers/keys/root.pem') == p256.encode() + b'\n', 'the key file was replaced')
    schemes = sorted(key['scheme'] for key in desk.json('boilers/root.json')['signed']['keys'].values())
    expect(schemes == ['ecdsa-sha2-nistp256', 'ed25519', 'ed25519', 'ed25519'], schemes)


def wrong_pin_and_unknown_key_are_told(desk):
    p256, _ = token(desk)
    desk.write('bad', b'99999999\n')
    desk.repo('init', 'boilers')
    desk.repo('key', 'add', 'boilers', 'root', p256, '--passphrase-file', 'bad', code=1, says='the token refuses the PIN (PIN incorrect)')
    desk.repo('key', 'add', 'boilers', 'root', p256.replace('p256', 'none'), '--passphrase-file', 'pin', code=1, says='PKCS11_MODULE_PATH')
    desk.repo('key', 'add', 'boilers', 'root', p256 + '?pin-value=1234%35678', says='is staged')
    desk.repo('key', 'add', 'boilers', 'snapshot', p256 + '?pin-value=1%zz', code=1, says='pin-value is too long or no text of a URI')
    expect(not desk.has('boilers/stage/index.json'), 'something else was staged')


def spied_token(desk):
    """A token whose logins are counted: the URIs, and a function that tells those since it was asked last."""
    uris = token(desk)
    desk.env['PKCS11_MODULE_PATH'] = os.path.join(BUILD, 'tests', 'lib', 'token-spy.so')
    desk.env['TOKEN_SPY_LOG'] = desk.path('logins')

    def logins():
        lines = desk.read('logins').decode().splitlines() if desk.has('logins') else []
        desk.write('logins', b'')
        return lines

    return *uris, logins


def wrong_pin_is_tried_once(desk):
    """Tokens lock themselves: each run tries a PIN once, whatever it has to sign and however many keys there are."""
    p256, rsa, logins = spied_token(desk)
    desk.repo('init', 'boilers')
    for name in ('bad', 'both'):
        desk.write(name, b'99999999\n')
    for role, uri in (('targets', rsa), ('snapshot', p256), ('timestamp', p256)):
        desk.repo('key', 'rotate', 'boilers', role, uri, '--passphrase-file', 'pin')
    desk.add('1.0.0')
    logins()

    def refused(*verb):
        desk.repo(*verb, '--passphrase-file', 'bad', '--passphrase-file', 'both', code=1,
                  says='the token refuses the PIN (PIN incorrect); it is not tried again')
        expect(logins() == ['login 0xa0'], f'{verb}: more than one login')

    keys = [word for uri in (p256, rsa) for word in ('--key', uri)]
    refused('publish', 'boilers')
    refused('publish', 'boilers', *keys)
    refused('root', 'sign', 'boilers', *keys)
    desk.publish('--passphrase-file', 'pin')


def refresh_leaves_a_refused_pin_alone(desk):
    """A timer runs it each hour: the PIN that the token refused is tried again when its source changed, or by a person."""
    p256, _, logins = spied_token(desk)
    desk.repo('init', 'boilers')
    desk.repo('key', 'rotate', 'boilers', 'timestamp', p256, '--passphrase-file', 'pin')
    desk.publish('--passphrase-file', 'pin')
    notes = 'boilers/refused-pins.json'
    expect(not desk.has(notes), 'a PIN that was taken is noted')

    def refreshed(source, tried, **env):
        logins()
        said = desk.repo('refresh', 'boilers', *source, code=1, says='refuses the PIN' if tried else 'refused the PIN', **env)
        expect(logins() == ['login 0xa0'] * tried, f'{source}: tried {logins()} instead of {tried} times\n{said}')
        expect('99999999' not in said + desk.read(notes).decode(), 'the PIN is told')

    desk.now = '2030-01-20T00:00:00Z'
    file = ('--passphrase-file', 'source')
    desk.write('source', b'99999999\n')
    refreshed(file, 1)
    refreshed(file, 0)
    refreshed(file, 0)
    refreshed((), 1, REKINDLE_PASSPHRASE='99999999')
    refreshed((), 0, REKINDLE_PASSPHRASE='99999999')
    refreshed(file, 0)
    desk.write('source', b'999999990\n')
    refreshed(file, 1)
    desk.publish(*file, code=1, says='the token refuses the PIN')  # a person
    refreshed(file, 0)
    desk.write('source', b'12345678\n')
    desk.repo('refresh', 'boilers', *file, says='timestamp 2')
    expect(not desk.has(notes), 'what is settled is still noted')


def refresh_sees_where_a_uri_has_its_pin(desk):
    p256, _, logins = spied_token(desk)
    desk.repo('init', 'boilers')
    desk.repo('key', 'rotate', 'boilers', 'timestamp', p256, '--passphrase-file', 'pin')
    desk.publish('--passphrase-file', 'pin')
    desk.now = '2030-01-20T00:00:00Z'
    key = next(f for f in desk.files('boilers/keys') if re.fullmatch(r'timestamp-[0-9a-f]{8}\.pem', f))
    desk.write('source', b'99999999\n')
    for attribute in ('pin-value=99999999', f'pin-source=file:{desk.path("source")}'):
        desk.write(f'boilers/keys/{key}', f'{p256}?{attribute}\n'.encode())
        logins()
        for says in ('refuses the PIN', 'refused the PIN'):
            said = desk.repo('refresh', 'boilers', code=1, says=says)
            expect('99999999' not in said + desk.read('boilers/refused-pins.json').decode(), 'the PIN is told')
        expect(logins() == ['login 0xa0'], f'{attribute}: more than one login')
    desk.write('source', b'12345678')
    desk.repo('refresh', 'boilers', says='timestamp 2')


def pin_notes_that_are_odd_are_told(desk):
    p256, _, logins = spied_token(desk)
    desk.repo('init', 'boilers')
    desk.repo('key', 'rotate', 'boilers', 'timestamp', p256, '--passphrase-file', 'pin')
    desk.publish('--passphrase-file', 'pin')
    desk.now = '2030-01-20T00:00:00Z'
    logins()
    for bad in (b'', b'{', b'[]', b'{"format": 2, "refused": []}', b'{"format": 1, "refused": {}}'):
        desk.write('boilers/refused-pins.json', bad)
        desk.repo('refresh', 'boilers', '--passphrase-file', 'pin', code=1, says='refused-pins.json: ')
    expect(logins() == [], 'a PIN was tried')
    desk.write('boilers/refused-pins.json', b'{"format": 1, "refused": [7, {}, {"token": 1, "source": []}]}')
    desk.repo('refresh', 'boilers', '--passphrase-file', 'pin', says='timestamp 2')


def device_key_signs_from_a_token(desk):
    p256, rsa = token(desk)
    desk.repo('init', 'boilers')
    desk.repo('device-key', 'boilers', 'line1', p256, '--passphrase-file', 'pin')
    desk.repo('device-key', 'boilers', 'line2', rsa, '--passphrase-file', 'pin', code=1, says='devices check Ed25519 and P-256 only')
    desk.add('1.0.0', 'one.bin', '--device-key', 'line1', '--passphrase-file', 'pin')
    desk.publish()
    expect('signed for devices' in desk.repo('show', 'boilers'), 'not signed for devices')
    check_device_signature(desk, '1.0.0', 'boilers/keys/device-line1.pub.pem', p256=True)


def check_device_signature(desk, version, public, p256=False):
    releases = json.loads(desk.repo('show', 'boilers', '--json'))['releases']
    release = next(r for r in releases if r['version'] == version)
    desk.write('header', base64.b64decode(release['device-header']))
    signature = base64.b64decode(release['device-signature'])
    if p256:
        numbers = [int.from_bytes(part, 'big') for part in (signature[:32], signature[32:])]
        ints = b''.join(b'\x02' + bytes([len(b)]) + b for b in (n.to_bytes(n.bit_length() // 8 + 1, 'big') for n in numbers))
        signature = b'\x30' + bytes([len(ints)]) + ints
    desk.write('signature', signature)
    if p256:
        run(desk, 'openssl', 'dgst', '-sha256', '-verify', public, '-signature', 'signature', 'header')
    else:
        run(desk, 'openssl', 'pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', public, '-in', 'header', '-sigfile', 'signature')


def device_key_is_rotated(desk):
    desk.repo('init', 'boilers')
    desk.repo('device-key', 'boilers', 'line1')
    old = desk.read('boilers/keys/device-line1.pub.pem')
    desk.add('1.0.0', 'one.bin', '--device-key', 'line1')
    desk.repo('key', 'rotate', 'boilers', 'device-line1', '--type', 'p256')
    desk.add('1.1.0', 'two.bin', '--device-key', 'line1')
    kept = next(f for f in desk.files('boilers/keys') if re.fullmatch(r'device-line1-[0-9a-f]{8}\.pem', f))
    desk.add('1.2.0', 'three.bin', '--device-key', f'boilers/keys/{kept}')
    check_device_signature(desk, '1.0.0', f'boilers/keys/{kept[:-4]}.pub.pem')
    check_device_signature(desk, '1.1.0', 'boilers/keys/device-line1.pub.pem', p256=True)
    check_device_signature(desk, '1.2.0', f'boilers/keys/{kept[:-4]}.pub.pem')
    expect(desk.read(f'boilers/keys/{kept[:-4]}.pub.pem') == old, 'the old public key changed')
    listed = desk.repo('key', 'list', 'boilers')
    expect('p256     device-line1\n' in listed and f'ed25519  {kept[:-4]}' in listed, listed)
    desk.repo('key', 'rotate', 'boilers', 'device-none', code=1, says='"key list" shows the device keys')


def cut_rotation_of_a_device_key_is_ended(desk):
    desk.repo('init', 'boilers')
    desk.repo('device-key', 'boilers', 'line1')
    old = desk.read('boilers/keys/device-line1.pub.pem')
    desk.repo('key', 'rotate', 'boilers', 'device-line1')
    desk.write('boilers/keys/device-line1.pub.pem', old)  # as if cut between the two files
    private = desk.read('boilers/keys/device-line1.pem')
    desk.repo('key', 'rotate', 'boilers', 'device-line1')
    expect(desk.read('boilers/keys/device-line1.pem') == private, 'rotated twice')
    public = run(desk, 'openssl', 'pkey', '-in', 'boilers/keys/device-line1.pem', '-pubout')
    expect(desk.read('boilers/keys/device-line1.pub.pem').decode() == public, 'the public half is not the one of the private')


def encrypted_device_key_signs(desk):
    desk.repo('init', 'boilers')
    desk.repo('device-key', 'boilers', 'line1', '--encrypt', REKINDLE_PASSPHRASE=PASSPHRASE)
    desk.add('1.0.0', 'one.bin', '--device-key', 'line1', code=1, says='no terminal to ask')
    desk.add('1.0.0', 'one.bin', '--device-key', 'line1', REKINDLE_PASSPHRASE=PASSPHRASE)
    check_device_signature(desk, '1.0.0', 'boilers/keys/device-line1.pub.pem')
    desk.add('1.1.0', 'two.bin', '--device-key', 'line9', code=1, says='neither a file nor a device key of the repository')


def p256_files_sign_metadata(desk):
    desk.repo('init', 'boilers', '--type', 'p256')
    desk.add('1.0.0')
    desk.publish()
    expect(desk.verify() == {'boiler/1.0.0': 'targets'}, 'a gateway refuses')


def other_kinds_of_keys_are_refused(desk):
    desk.repo('init', 'boilers')
    for name, options in (('p384', ('-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384')),
                          ('rsa1024', ('-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:1024')), ('x25519', ('-algorithm', 'X25519'))):
        openssl_key(desk, name, *options)
        desk.repo('key', 'add', 'boilers', 'root', name, code=1, says='neither an Ed25519 nor a P-256 key, nor RSA of 2048')
    desk.write('encrypted', b'-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n'
               b'AAAAAAAAAAAAAAAAAAAAAA==\n-----END PUBLIC KEY-----\n')
    said = desk.repo('key', 'add', 'boilers', 'root', 'encrypted', code=1, says='encrypted: ')
    expect('Enter' not in said, 'OpenSSL asks for the passphrase of a public key')
    desk.repo('key', 'new', 'x.pem', '--type', 'rsa', code=2, says='it has to be ed25519 or p256')
    desk.repo('key', 'new', 'y.pem')
    desk.repo('key', 'new', 'y.pem', code=1, says='is there already and is not replaced')


def folder_of_keys_may_have_any_name(desk):
    desk.repo('init', 'boilers')
    desk.repo('key', 'new', 'targets.pem')
    os.rename(desk.path('boilers/keys'), desk.path('keys'))
    os.mkdir(desk.path('boilers/keys'))
    os.rename(desk.path('targets.pem'), desk.path('boilers/keys/targets.pem'))  # another key under the name
    desk.add('1.0.0')
    desk.publish('--keys', 'keys', says='targets 1')


def offline_keys_lie_apart_from_the_start(desk):
    desk.repo('init', 'boilers', '--offline', 'stick')
    expect(desk.files('stick') == ['root.pem', 'targets.pem'], desk.files('stick'))
    expect(desk.files('boilers/keys') == ['snapshot.pem', 'timestamp.pem'], desk.files('boilers/keys'))
    expect(os.stat(desk.path('stick')).st_mode & 0o777 == 0o700, 'others can look into the folder')
    desk.add('1.0.0')
    desk.publish('--keys', 'stick', says='targets 1')
    desk.repo('init', 'pumps', '--offline', 'other', '--encrypt', REKINDLE_PASSPHRASE=PASSPHRASE)
    expect(b'ENCRYPTED' in desk.read('other/root.pem') and b'ENCRYPTED' not in desk.read('pumps/keys/timestamp.pem'),
           'a timer could not sign, or everybody could')


tell(encrypted_keys_open_with_a_file_or_the_variable, passphrase_is_typed_on_the_terminal, short_passphrase_is_refused,
     keys_in_a_token_sign, key_files_that_are_there_are_taken, wrong_pin_and_unknown_key_are_told, wrong_pin_is_tried_once,
     refresh_leaves_a_refused_pin_alone, refresh_sees_where_a_uri_has_its_pin, pin_notes_that_are_odd_are_told, device_key_signs_from_a_token, device_key_is_rotated,
     cut_rotation_of_a_device_key_is_ended, encrypted_device_key_signs, p256_files_sign_metadata,
     other_kinds_of_keys_are_refused, folder_of_keys_may_have_any_name, offline_keys_lie_apart_from_the_start)
