import type { Server } from 'node:net';
import { DoorInt, type DoorMemory, IPV6_LISTENER, MAX_LISTENERS } from './layout.ts';

/** The ports that this process listens on, as the thread reads them. */
export class Listeners {
  readonly #memory: Pick<DoorMemory, 'int' | 'listeners'>;
  readonly #ports = new Map<Server, { port: number; isDealt: boolean; onClose: () => void }>();

  constructor(memory: Pick<DoorMemory, 'int' | 'listeners'>) {
    this.#memory = memory;
  }

  /** A server that listens, or may. Sockets in the file system are not in the kernel's tables. */
  add(server: Server): void {
    if (this.#ports.has(server)) return;
    const address = server.address();
    if (!address || typeof address === 'string') return;
    const onClose = (): void => this.#onClose(server);
    const port = address.port + (address.family === 'IPv6' ? IPV6_LISTENER : 0);
    this.#ports.set(server, { port, isDealt: isDealt(server), onClose });
    // its connections may live on until then
    server.once('close', onClose);
    this.#publish();
  }

  clear(): void {
    for (const [server, { onClose }] of this.#ports) server.off('close', onClose);
    this.#ports.clear();
    this.#publish();
  }

  #onClose(server: Server): void {
    if (this.#ports.delete(server)) this.#publish();
  }

  #publish(): void {
    const { int, listeners } = this.#memory;
    const known = [...this.#ports.values()];
    const ports = [...new Set(known.map(({ port }) => port))].slice(0, MAX_LISTENERS);
    listeners.set(ports);
    int[DoorInt.DEALT] = known.some((server) => server.isDealt) ? 1 : 0;
    Atomics.store(int, DoorInt.LISTENERS, ports.length);
  }
}

/** In a worker of a cluster with round robin, what a server listens on is no handle of the kernel's. */
function isDealt(server: Server): boolean {
  const { _handle: handle } = server as { _handle?: object | null };
  return handle !== undefined && handle !== null && !('fd' in handle);
}

/** The ports that `Listeners` has written, in the family's table. Thread. */
export function portsOf({ int, listeners }: Pick<DoorMemory, 'int' | 'listeners'>, family: 4 | 6): Set<number> {
  const ports = new Set<number>();
  for (const listener of listeners.subarray(0, Atomics.load(int, DoorInt.LISTENERS))) {
    if (listener >= IPV6_LISTENER === (family === 6)) ports.add(listener % IPV6_LISTENER);
  }
  return ports;
}
