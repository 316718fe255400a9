import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressWords, connectionKey } from '../../../src/door/keys.ts';
import { counterOf, type Family, type RowHandler, readRows } from '../../../src/door/rows.ts';

// Recorded: two listeners of ours (18080, 18081), a third one's, connections in both directions, one unaccepted (inode 0),
// one that the peer has half closed, one that waits to be forgotten.
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 0100007F:46A0 00000000:0000 0A 00000000:00000007 00:00000000 00000000     0        0 672003 1 0000000078915bc0 100 0 0 10 0                    
   1: 00000000:46A1 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 721022 1 00000000a3cbaf8f 100 0 0 10 0                    
   2: 00000000:07E8 00000000:0000 0A 00000000:00000063 00:00000000 00000000     0        0 1074 1 00000000e815a318 100 0 0 10 0                      
   3: 0100007F:46A0 0100007F:CDFA 01 00000000:0000004D 00:00000000 00000000  1000        0 720327 1 00000000ec8b7495 20 0 0 10 -1                    
   4: 0100007F:CDFA 0100007F:46A0 01 00000000:00000000 00:00000000 00000000  1000        0 720328 1 00000000ec8b7496 20 0 0 10 -1                    
   5: 0100007F:46A1 0200000A:CDFB 01 00000000:000000FF 00:00000000 00000000     0        0 0 1 00000000ec8b7497 20 0 0 10 -1                         
   6: 0100007F:46A0 0100007F:CDFC 01 00000000:00000000 00:00000000 00000000     0        0 720330 1 00000000ec8b7498 20 0 0 10 -1                    
   7: 0100007F:46A0 0100007F:CDFD 08 00000000:00000010 00:00000000 00000000     0        0 720331 1 00000000ec8b7499 20 0 0 10 -1                    
12345: 0100007F:46A0 0100007F:CDFE 06 00000000:00000000 03:00001770 00000000     0        0 0 3 00000000ec8b7400                                      
12346: 0100007F:46A0 0100007F:CDFF 01 00000000:00000001 00:00000000 00000000 4294967294        0 720332 1 00000000ec8b7499 20 0 0 10 -1                
`;

const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:46A0 00000000000000000000000000000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 720318 1 00000000b47f8089 100 0 0 10 0
   1: 00000000000000000000000001000000:46A0 00000000000000000000000001000000:E960 01 00000000:00000020 00:00000000 00000000     0        0 720328 1 00000000bfc2f8b6 20 0 0 10 -1
   2: 0000000000000000FFFF00000100007F:46A0 0000000000000000FFFF00000100007F:CDFA 01 00000000:00000021 00:00000000 00000000     0        0 0 1 00000000ec8b7495 20 0 0 10 -1
   3: B80D01200000000000000000EFCDAB89:46A0 B80D0120341200000000000067452301:E961 01 00000000:00000022 00:00000000 00000000     0        0 720329 1 00000000ec8b7495 20 0 0 10 -1
`;

interface Seen {
  queues: number[];
  unread: { key: number; bytes: number; isAccepted: boolean }[];
  length: number;
  isPastListeners: boolean;
}

function read(text: string, family: Family, ports = [18080, 18081]): Seen {
  const queues: number[] = [];
  const unread: Seen['unread'] = [];
  const handler: RowHandler = {
    isOurs: (port) => ports.includes(port),
    listener: (acceptQueue) => queues.push(acceptQueue),
    unread: (key, bytes, isAccepted) => unread.push({ key, bytes, isAccepted }),
  };
  const bytes = Buffer.from(`${text}left from an earlier piece\n`);
  return { queues, unread, ...readRows(bytes, Buffer.byteLength(text), family, handler) };
}

const key = (address: string, peerPort: number, ownPort = 18080): number =>
  connectionKey(addressWords(address)!, peerPort, ownPort);

describe("rows of the kernel's tables", () => {
  test('connections with unread bytes on our ports, by peer and port', () => {
    assert.deepEqual(read(TCP, 4).unread, [
      { key: key('127.0.0.1', 0xcdfa), bytes: 0x4d, isAccepted: true },
      { key: key('10.0.0.2', 0xcdfb, 18081), bytes: 0xff, isAccepted: false },
      { key: key('127.0.0.1', 0xcdfd), bytes: 0x10, isAccepted: true },
      { key: key('127.0.0.1', 0xcdff), bytes: 1, isAccepted: true },
    ]);
  });

  test('accept queues of our listeners', () => {
    assert.deepEqual(read(TCP, 4).queues, [7, 2]);
    assert.deepEqual(read(TCP, 4, [18081]).queues, [2]);
  });

  test('of IPv6, and of IPv4 that came to a listener of both', () => {
    const { queues, unread } = read(TCP6, 6);
    assert.deepEqual(queues, [3]);
    assert.deepEqual(unread, [
      { key: key('::1', 0xe960), bytes: 0x20, isAccepted: true },
      { key: key('127.0.0.1', 0xcdfa), bytes: 0x21, isAccepted: false },
      { key: key('2001:db8:0:1234::123:4567', 0xe961), bytes: 0x22, isAccepted: true },
    ]);
    assert.equal(unread[1]!.key, key('::ffff:127.0.0.1', 0xcdfa), 'as Node writes it');
  });

  test('a piece that ends within a row is read up to there', () => {
    for (const cut of [1, 40, 149, 150]) {
      const [first, rest] = [TCP.slice(0, -cut), TCP.slice(-cut)];
      const { length, unread } = read(first, 4);
      assert.equal(length, first.lastIndexOf('\n') + 1);
      const again = read(first.slice(length) + rest, 4);
      assert.deepEqual([...unread, ...again.unread], read(TCP, 4).unread);
    }
    assert.equal(read('', 4).length, 0);
  });

  test('listeners come first: whether they are over', () => {
    const rows = TCP.split('\n');
    assert.equal(read(`${rows.slice(0, 4).join('\n')}\n`, 4).isPastListeners, false);
    assert.equal(read(`${rows.slice(0, 5).join('\n')}\n`, 4).isPastListeners, true);
  });

  test('a text of another kind has no rows', () => {
    const { queues, unread } = read('cpu  1 2 3\n\n:\n::::\n0: 1:2 3:4 0A 5:6\n', 4);
    assert.deepEqual([queues, unread], [[], []]);
  });
});

describe('a counter', () => {
  const names = 'TcpExt: SyncookiesSent EmbryonicRsts ListenOverflows ListenDrops\n';
  const overflows = (text: string): number | undefined => counterOf(text, 'TcpExt', 'ListenOverflows');

  test('by its table and its name', () => {
    const text = `MPTcpExt: ListenOverflows\nMPTcpExt: 6\nTcp: InSegs ListenOverflows\nTcp: 7 8\n${names}TcpExt: 0 5 21 22\nIpExt: InNoRoutes\nIpExt: 9\n`;
    assert.equal(overflows(text), 21);
    assert.equal(counterOf(text, 'Tcp', 'InSegs'), 7);
  });

  test('is unknown where it is not there', () => {
    assert.equal(overflows(''), undefined);
    assert.equal(overflows('TcpExt: ListenDrops\nTcpExt: 5\n'), undefined);
    assert.equal(overflows(names), undefined);
  });
});
