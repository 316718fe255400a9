import { connectionKey } from './keys.ts';

/**
 * Reads the kernel's tables of TCP sockets, `/proc/self/net/tcp` and `tcp6`, as bytes: they have a row for each socket of
 * the network namespace, most of them not ours, and each microsecond counts that many times.
 *
 *     sl  local_address rem_address   st tx_queue rx_queue …
 *      0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 …
 *
 * An address has 8 digits, in `tcp6` 32. `rx_queue` of a listener is how many connections nobody has accepted, of a
 * connection how many bytes nobody has read.
 */

export type Family = 4 | 6;

export interface RowHandler {
  /** Whether there is a listener of ours at the port, in the family that is read. */
  isOurs(port: number): boolean;
  listener(acceptQueue: number): void;
  /** A connection with unread bytes. `isAccepted`: by whatever process. */
  unread(key: number, bytes: number, isAccepted: boolean): void;
}

const NEWLINE = 0x0a;
const COLON = 0x3a;
const SPACE = 0x20;
const ZERO = 0x30;

export const ESTABLISHED = 0x01;
/** The peer has said that it sends no more; what it has sent may be unread. */
export const CLOSE_WAIT = 0x08;
const LISTEN = 0x0a;

/** What was read of a piece of a table. */
export interface PieceRead {
  /** Bytes of the rows that are complete. */
  readonly length: number;
  /** Whether a row was seen that is no listener's: listeners come first. */
  readonly isPastListeners: boolean;
}

/** Tells `handler` of each complete row that is ours. */
export function readRows(bytes: Uint8Array, length: number, family: Family, handler: RowHandler): PieceRead {
  const digits = family === 6 ? 32 : 8;
  let isPastListeners = false;
  let start = 0;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0 || end >= length) return { length: start, isPastListeners };
    // the number before it grows with the table
    const local = bytes.indexOf(COLON, start) + 2;
    const peer = local + digits + 6;
    const state = local + 2 * digits + 12;
    const isRow = state < end && bytes[local + digits] === COLON && bytes[peer + digits] === COLON;
    start = end + 1;
    // the headings
    if (!isRow) continue;
    const code = hex(bytes, state, 2);
    if (code === LISTEN) {
      if (handler.isOurs(hex(bytes, local + digits + 1, 4))) handler.listener(hex(bytes, state + 12, 8));
      continue;
    }
    isPastListeners = true;
    if (code !== ESTABLISHED && code !== CLOSE_WAIT) continue;
    const port = hex(bytes, local + digits + 1, 4);
    if (!handler.isOurs(port)) continue;
    const unread = hex(bytes, state + 12, 8);
    if (unread > 0) handler.unread(keyOf(bytes, peer, digits, port), unread, isAccepted(bytes, state + 20));
  }
}

/** From behind `rx_queue`: timer, retransmissions, uid, timeout, and the inode that only an accepted connection has. */
function isAccepted(bytes: Uint8Array, from: number): boolean {
  let at = from;
  for (let field = 0; field < 4; field++) {
    while (bytes[at] === SPACE) at++;
    while (at < bytes.length && bytes[at] !== SPACE) at++;
  }
  while (bytes[at] === SPACE) at++;
  return bytes[at] !== ZERO || bytes[at + 1] !== SPACE;
}

function keyOf(bytes: Uint8Array, peer: number, digits: number, ownPort: number): number {
  const words: number[] = [];
  for (let at = peer; at < peer + digits; at += 8) words.push(hex(bytes, at, 8));
  return connectionKey(words, hex(bytes, peer + digits + 1, 4), ownPort);
}

/** A number of so many hexadecimal digits. */
function hex(bytes: Uint8Array, at: number, digits: number): number {
  let value = 0;
  for (let i = at; i < at + digits; i++) {
    const byte = bytes[i]!;
    // "A" is 0x41, "0" is 0x30
    value = value * 16 + (byte & 0x0f) + (byte >> 6) * 9;
  }
  return value;
}

/** A counter of `/proc/self/net/netstat` or `snmp`, whose tables have two lines each; `undefined` where it is not there. */
export function counterOf(text: string, table: string, name: string): number | undefined {
  const [names, values] = text.split('\n').filter((line) => line.startsWith(`${table}: `));
  const index = names?.split(' ').indexOf(name) ?? -1;
  const value = Number(values?.split(' ')[index]);
  return index > 0 && Number.isFinite(value) ? value : undefined;
}
