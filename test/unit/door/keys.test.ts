import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { addressWords, connectionKey, NO_KEY } from '../../../src/door/keys.ts';

/** As the kernel prints an address: each 32-bit word of it with the last byte first. */
function kernelWords(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}

/** As a URL has it, with its longest run of zeros left out: `[2001:db8::1]`. */
const shortened = (address: string): string => new URL(`http://[${address}]`).hostname.slice(1, -1);

describe('an address in words', () => {
  test('IPv4', () => {
    assert.deepEqual(addressWords('127.0.0.1'), [0x0100007f]);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (bytes) => {
        assert.deepEqual(addressWords(bytes.join('.')), kernelWords(bytes));
      }),
    );
  });

  test('IPv6, with and without its zeros', () => {
    assert.deepEqual(addressWords('::'), [0, 0, 0, 0]);
    assert.deepEqual(addressWords('::1'), [0, 0, 0, 0x01000000]);
    assert.deepEqual(addressWords('fe80::1%eth0'), addressWords('fe80:0:0:0:0:0:0:1'));
    assert.deepEqual(addressWords('fe80::%eth0'), addressWords('fe80:0:0:0:0:0:0:0'));
    const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(
        fc
          .uint8Array({ minLength: 16, maxLength: 16 })
          .chain((bytes) =>
            fc.array(byte, { minLength: 16, maxLength: 16 }).map((zeros) => bytes.map((b, i) => (zeros[i] ? b : 0))),
          ),
        (bytes) => {
          const groups = Array.from({ length: 8 }, (_, i) => (bytes[i * 2]! * 256 + bytes[i * 2 + 1]!).toString(16));
          const full = groups.join(':');
          assert.ok(isIPv6(full));
          assert.deepEqual(addressWords(full), kernelWords(bytes));
          assert.deepEqual(addressWords(shortened(full)), kernelWords(bytes), shortened(full));
        },
      ),
    );
  });

  test('IPv4 within IPv6', () => {
    assert.deepEqual(addressWords('::ffff:127.0.0.1'), [0, 0, 0xffff0000, 0x0100007f]);
    assert.deepEqual(addressWords('::ffff:7f00:1'), [0, 0, 0xffff0000, 0x0100007f]);
  });

  test('what is no address has none', () => {
    for (const text of [
      '',
      'localhost',
      '1.2.3',
      '1.2.3.4.5',
      '1.2.3.256',
      '1:2',
      '1:2:3:4:5:6:7:8:9',
      '::g',
      '1::2.3',
      '1::2:3:4:5:6:7:8:9',
    ]) {
      assert.equal(addressWords(text), undefined, text);
    }
  });
});

describe('a key', () => {
  const words = addressWords('10.0.0.1')!;

  test('is the same for a mapped address and the plain one', () => {
    assert.equal(connectionKey(addressWords('::ffff:10.0.0.1')!, 40_000, 80), connectionKey(words, 40_000, 80));
    assert.notEqual(connectionKey(addressWords('::10.0.0.1')!, 40_000, 80), connectionKey(words, 40_000, 80));
  });

  test('tells connections apart by peer, its port and ours', () => {
    const keys = new Set<number>();
    let count = 0;
    for (let address = 0; address < 16; address++) {
      for (let peer = 0; peer < 64; peer++) {
        for (const own of [80, 443]) {
          keys.add(connectionKey([words[0]! + address], 40_000 + peer, own));
          count++;
        }
      }
    }
    assert.equal(keys.size, count);
    assert.ok(!keys.has(NO_KEY));
  });

  test('spreads over the slots of a table', () => {
    // one client's ports, one after the other, as a kernel may give them out
    const slots = new Set<number>();
    for (let port = 0; port < 1024; port++) slots.add(connectionKey(words, 32_768 + 2 * port, 80) & 0x3fff);
    assert.ok(slots.size > 950, `${slots.size} of 1024`);
  });
});
