import type { EventEmitter } from 'node:events';
import type { Span } from '@opentelemetry/api';
import { createStamps } from '../../stamps.ts';
import { disguised, replaceMethod, type Undo } from '../../wrap.ts';
import { type Call, defineClient } from '../define.ts';
import { activeSpan, type ClientTools } from '../tools.ts';

/** It opens a span in `Client.query`, but does not make it the active one. */
const OFFICIAL = '@opentelemetry/instrumentation-pg';

/** The parts of pg that are read here. */
interface Client {
  readonly connection: Connection;
  readonly _queryQueue?: object[];
  readonly _activeQuery?: object | null;
  // before 8.17; since then getters of these names, which print a warning
  readonly queryQueue: object[];
  readonly activeQuery: object | null;
}
type Connection = object;
interface Pool {
  readonly _pendingQueue?: object[];
}
interface Class {
  readonly prototype: object;
}
interface Pg {
  readonly Client: Class;
  readonly Connection: Class;
  readonly Query: Class;
  readonly Pool: Class;
}

/** Whose time a query is. */
interface Owners {
  /** The query's own span where there is one, else the caller's. */
  readonly query: Span | undefined;
  /** The span that was active when the query was made: the query's own ends before its callback is called. */
  readonly caller: Span | undefined;
}

/**
 * Nothing here blocks outright. Rows are parsed as the socket hands over chunks: each is short, but many come in one turn
 * of the loop. All of it runs in the context of whoever opened the connection, so whose a query is is kept beside it.
 */
export const pg = defineClient({
  module: 'pg',
  versions: ['>=8.3 <9'],
  system: 'postgresql',
  patches: [{ patch: patchPg }],
});

function patchPg(pg: Pg, tools: ClientTools): (Undo | undefined)[] {
  // NODE_PG_FORCE_NATIVE puts pg-native in this place, which has no connection of its own.
  if (!Object.hasOwn(pg.Client.prototype, '_attachListeners')) return [];
  const queries = new QueryOwners(tools);
  const note = ({ self }: Call): void => queries.note(self);
  const ownerOf =
    (whose: keyof Owners) =>
    ({ self }: Call): Span | undefined =>
      queries.of(self)?.[whose];
  const callback = { phase: 'callback', owner: ownerOf('caller') } as const;
  return [
    // Called by `Client.query` with the new query at the queue's end: inside of every wrapper of `query`.
    replaceMethod(pg.Client.prototype, '_pulseQueryQueue', (pulse) =>
      disguised(pulse, (self, args) => {
        tools.ask(note, { method: 'query', self, args });
        return Reflect.apply(pulse, self, args);
      }),
    ),
    ...tools.patchCalls(pg.Query.prototype, ['submit'], { phase: 'encode', owner: ownerOf('query') }),
    ...['handleReadyForQuery', 'handleError'].map((method) =>
      replaceMethod(pg.Query.prototype, method, (handle) => tools.wrapCall(handle, 'callback', callback)),
    ),
    patchParsing(pg.Connection.prototype, tools, queries),
    ...patchPool(Object.getPrototypeOf(pg.Pool.prototype), queries),
  ];
}

/** Somebody who waits for a client of a pool. */
interface Waited {
  readonly caller: Span | undefined;
}

class QueryOwners {
  readonly #tools: ClientTools;
  readonly #owners = createStamps<Owners>();
  readonly #clients = new WeakMap<Connection, Client>();
  /** Set while a pool hands out a client to somebody who had to wait for it. */
  #waited: Waited | undefined;

  constructor(tools: ClientTools) {
    this.#tools = tools;
  }

  of(query: object | null | undefined): Owners | undefined {
    return query ? this.#owners.get(query) : undefined;
  }

  /** The client of a connection, once it has made a query. */
  clientOf(connection: Connection): Client | undefined {
    return this.#clients.get(connection);
  }

  /** Whose the query is that a client's answers belong to now. */
  active(client: Client): Owners | undefined {
    return this.of('_activeQuery' in client ? client._activeQuery : client.activeQuery);
  }

  /** Keeps whose the newest query of a client's queue is, unless it has been there before. */
  note(client: Client | undefined): void {
    const { sections } = this.#tools;
    if (!sections || !client) return;
    const query = (client._queryQueue ?? client.queryQueue).at(-1);
    if (!query || this.#owners.get(query)) return;
    const caller = this.#waited ? this.#waited.caller : activeSpan();
    this.#owners.set(query, { query: sections.spans.startedJustNow(OFFICIAL) ?? caller, caller });
    if (!this.#clients.has(client.connection)) this.#clients.set(client.connection, client);
  }

  /** Whose the queries are that are made in a pool's hand-over; `undefined`: the active span's. Returns what was before. */
  setWaited(waited: Waited | undefined): Waited | undefined {
    const before = this.#waited;
    this.#waited = waited;
    return before;
  }
}

/** The listener that parses what the socket gives, message handlers and all, is made anew for a TLS socket. */
function patchParsing(connections: object, tools: ClientTools, queries: QueryOwners): Undo | undefined {
  const section = tools.section('parse', 'decode');
  const timed = (listener: Function, connection: Connection): Function => {
    let client: Client | undefined;
    return disguised(listener, (self, args, wrapper) => {
      const { sections } = tools;
      if (!sections) return Reflect.apply(listener, self, args);
      client ??= queries.clientOf(connection);
      return sections.run(section, client && queries.active(client)?.query, listener, self, args, wrapper);
    });
  };
  return replaceMethod(connections, 'attachListeners', (attach) =>
    disguised(attach, (self, args) => {
      const stream = args[0] as Partial<EventEmitter> | undefined;
      const already = new Set(stream?.rawListeners?.('data'));
      const result = Reflect.apply(attach, self, args);
      for (const listener of stream?.rawListeners?.('data') ?? []) {
        if (already.has(listener)) continue;
        stream?.off?.('data', listener as () => void);
        stream?.on?.('data', timed(listener, self as Connection) as () => void);
      }
      return result;
    }),
  );
}

/**
 * Where all clients are busy, `pool.query` waits for one, and then runs in the context of whoever gave it back: the query
 * would be taken for theirs.
 */
function patchPool(pools: object, queries: QueryOwners): (Undo | undefined)[] {
  const waiting = createStamps<Waited>();
  return [
    replaceMethod(pools, 'query', (query) =>
      disguised(query, (self, args) => {
        const queue = (self as Pool | undefined)?._pendingQueue;
        const length = queue?.length ?? 0;
        const result = Reflect.apply(query, self, args);
        if (queue && queue.length > length) waiting.set(queue[queue.length - 1]!, { caller: activeSpan() });
        return result;
      }),
    ),
    replaceMethod(pools, '_acquireClient', (acquire) =>
      disguised(acquire, (self, args) => {
        const waited = waiting.get(args[1]);
        if (!waited) return Reflect.apply(acquire, self, args);
        const before = queries.setWaited(waited);
        try {
          return Reflect.apply(acquire, self, args);
        } finally {
          queries.setWaited(before);
        }
      }),
    ),
  ];
}
