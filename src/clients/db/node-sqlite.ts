import { createStamps } from '../../stamps.ts';
import { disguised, replaceMethod, type Undo } from '../../wrap.ts';
import { type Call, defineClient } from '../define.ts';
import type { ClientTools } from '../tools.ts';
import { type DatabaseCall, fileDatabaseName, operationName } from './attributes.ts';
import { Descriptions, LatePatches, patchIterate, SYSTEM, sqliteSpan, UNKNOWN } from './sqlite.ts';

interface DatabaseSync {
  /** Since Node 22.16. */
  location?(): string | null;
}
interface StatementSync {
  readonly sourceSQL: string;
}
interface Class {
  readonly prototype: object;
}
interface Sqlite {
  readonly DatabaseSync: Class;
  readonly StatementSync: Class;
  readonly Session?: Class;
}

const ofDatabase = ({ DatabaseSync }: Sqlite): object => DatabaseSync.prototype;
const ofStatement = ({ StatementSync }: Sqlite): object => StatementSync.prototype;

const namespaces = new Descriptions((database: DatabaseSync) => {
  const location = database.location?.();
  return location === null ? ':memory:' : fileDatabaseName(location);
}, undefined);
const inDatabase = (database: unknown, operation: string | undefined): DatabaseCall => ({
  operation,
  namespace: namespaces.of(database),
});

/** Which database a statement (or a store of them) belongs to, it does not say itself. */
const databaseOf = createStamps<DatabaseSync>();
const statements = new Descriptions(
  (statement: StatementSync) => inDatabase(databaseOf.get(statement), operationName(statement.sourceSQL)),
  UNKNOWN,
);
const describeStatement = ({ self }: Call): DatabaseCall => statements.of(self);

/**
 * SQLite in Node itself: everything is on the loop but `backup()`. Patched when the application loads it, for before
 * Node 26 loading it prints a warning.
 */
export const nodeSqlite = defineClient({
  module: 'node:sqlite',
  versions: ['*'],
  system: SYSTEM,
  patches: [
    {
      of: ofDatabase,
      calls: ['exec'],
      phase: 'call',
      span: sqliteSpan(({ self, args }) => inDatabase(self, operationName(args[0]))),
    },
    {
      of: ofDatabase,
      calls: ['applyChangeset', 'serialize', 'deserialize'],
      phase: 'call',
      span: sqliteSpan(({ self, method }) => inDatabase(self, method)),
    },
    { of: ofDatabase, calls: ['open', 'close', 'loadExtension'], phase: 'call' },
    { of: ({ Session }: Sqlite) => Session?.prototype, calls: ['changeset', 'patchset'], phase: 'call' },
    { of: ofStatement, calls: ['run', 'get', 'all'], phase: 'call', span: sqliteSpan(describeStatement) },
    { patch: (sqlite: Sqlite, tools) => patchIterate(tools, ofStatement(sqlite), sqliteSpan(describeStatement)) },
    { patch: patchPrepare },
    { patch: patchTagStores },
  ],
});

function patchPrepare(sqlite: Sqlite, tools: ClientTools): (Undo | undefined)[] {
  const undo = replaceMethod(ofDatabase(sqlite), 'prepare', (prepare) => {
    const prepareAndNote = disguised(prepare, (self, args) => {
      const statement = Reflect.apply(prepare, self, args);
      databaseOf.set(statement, self as DatabaseSync);
      return statement;
    });
    return tools.wrapCall(prepareAndNote, 'prepare', { phase: 'call' });
  });
  return [undo];
}

/** Statements as template literals (Node 24.9 and later), run without StatementSync's methods. */
function patchTagStores(sqlite: Sqlite, tools: ClientTools): (Undo | undefined)[] {
  const late = new LatePatches();
  const span = sqliteSpan(({ self, args }) => inDatabase(databaseOf.get(self), operationName(args[0]?.[0])));
  const undo = replaceMethod(ofDatabase(sqlite), 'createTagStore', (create) =>
    disguised(create, (self, args) => {
      const store = Reflect.apply(create, self, args);
      databaseOf.set(store, self as DatabaseSync);
      late.patchClassOf(store, (stores) => [
        ...tools.patchCalls(stores, ['run', 'get', 'all'], { phase: 'call', span }),
        ...patchIterate(tools, stores, span),
      ]);
      return store;
    }),
  );
  return [undo, late.undo];
}
