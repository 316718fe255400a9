import { closeSync, openSync, readSync } from 'node:fs';
import { mayReadTables } from '../permission.ts';
import { CLOSE_WAIT, ESTABLISHED } from './rows.ts';

/** Kept from before they are patched: our own calls are no sections of the application's. */
const fs = { closeSync, openSync, readSync };

/** A table of more than some 6,000 sockets is not read: it would hold the loop for longer than the answer is worth. */
const MAX_TABLE_BYTES = 1024 * 1024;

/**
 * Whether answers stand unread in the kernel, by the server's port. Right after a stall timers run before the sockets are
 * read, so a client's deadline that fires then finds its answer there, if one has come.
 *
 * It is asked for only when a client's call runs into its deadline in a stall, and the kernel's tables (some ms) are read
 * once a turn at the most.
 */
export class UnreadAnswers {
  readonly #folder: string;
  readonly #mayRead = mayReadTables();
  #turn = -1;
  #byPort: Map<number, boolean> | undefined;

  /** @param folder where the kernel's tables are */
  constructor(folder = '/proc/self/net') {
    this.#folder = folder;
  }

  /**
   * Whether any connection to that port has bytes that nobody has read; `undefined` where there is no such connection, or
   * the kernel does not tell. It tells of all processes of this network, so `true` may be another one's.
   */
  from(port: number, turn: number): boolean | undefined {
    if (!this.#mayRead) return undefined;
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.#byPort = this.#read();
    }
    return this.#byPort?.get(port);
  }

  #read(): Map<number, boolean> | undefined {
    const byPort = new Map<number, boolean>();
    for (const table of ['tcp', 'tcp6']) {
      const text = readTable(`${this.#folder}/${table}`);
      if (text === undefined) return undefined;
      for (const row of text.split('\n')) {
        //   sl  local_address rem_address   st tx_queue:rx_queue …
        const [, , peer, state, queues] = row.trim().split(/\s+/, 5);
        if (!peer || !state || !queues) continue;
        const code = Number.parseInt(state, 16);
        if (code !== ESTABLISHED && code !== CLOSE_WAIT) continue;
        const port = Number.parseInt(peer.slice(peer.indexOf(':') + 1), 16);
        const isUnread = Number.parseInt(queues.slice(queues.indexOf(':') + 1), 16) > 0;
        byPort.set(port, isUnread || byPort.get(port) === true);
      }
    }
    return byPort;
  }
}

/** The kernel gives a page at a time. `undefined` where there is no such table, or it is too long. */
function readTable(path: string): string | undefined {
  let fd: number;
  try {
    fd = fs.openSync(path, 'r');
  } catch {
    // Not Linux, hidden, or a kernel without IPv6: what is not known is not told.
    return path.endsWith('6') ? '' : undefined;
  }
  try {
    const pieces: string[] = [];
    const buffer = Buffer.alloc(64 * 1024);
    for (let length = 0; ; ) {
      const read = fs.readSync(fd, buffer, 0, buffer.length, null);
      if (read === 0) return pieces.join('');
      pieces.push(buffer.toString('latin1', 0, read));
      length += read;
      if (length > MAX_TABLE_BYTES) return undefined;
    }
  } catch {
    return undefined;
  } finally {
    fs.closeSync(fd);
  }
}
