import type { Span } from '@opentelemetry/api';
import { disguised, replaceMethod, type Undo } from '../../wrap.ts';
import { type Call, defineClient } from '../define.ts';
import { activeSpan, type ClientTools } from '../tools.ts';
import { type DatabaseCall, fileDatabaseName, operationName } from './attributes.ts';
import { Descriptions, LatePatches, patchIterate, SYSTEM, sqliteSpan, UNKNOWN } from './sqlite.ts';

interface Database {
  readonly name: string;
}
interface Statement {
  readonly source: string;
  readonly database: Database;
}
interface DatabaseClass {
  readonly prototype: object;
}

const ofDatabase = ({ prototype }: DatabaseClass): object => prototype;
const namespaces = new Descriptions(({ name }: Database) => fileDatabaseName(name), undefined);
const inDatabase = (database: unknown, operation: string | undefined): DatabaseCall => ({
  operation,
  namespace: namespaces.of(database),
});

const statements = new Descriptions(
  ({ database, source }: Statement) => inDatabase(database, operationName(source)),
  UNKNOWN,
);
const describeStatement = ({ self }: Call): DatabaseCall => statements.of(self);

/** All of SQLite runs on the loop: each call is a wait for the disk, a lock (up to `timeout`), or a computation. */
export const betterSqlite3 = defineClient({
  module: 'better-sqlite3',
  versions: ['>=11 <13'],
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
      calls: ['pragma'],
      phase: 'call',
      span: sqliteSpan(({ self }) => inDatabase(self, 'PRAGMA')),
    },
    {
      of: ofDatabase,
      calls: ['serialize'],
      phase: 'call',
      span: sqliteSpan((call) => inDatabase(call.self, call.method)),
    },
    { of: ofDatabase, calls: ['loadExtension', 'close'], phase: 'call' },
    { patch: patchStatements },
    { patch: patchTransactions },
    { patch: patchBackups },
  ],
});

/** The native addon shows its classes only by their instances; all databases share them. */
function patchStatements(Database: DatabaseClass, tools: ClientTools): (Undo | undefined)[] {
  const span = sqliteSpan(describeStatement);
  // `pragma` is a statement that it prepares and runs itself.
  const { name: pragma } = tools.section('pragma', 'call');
  const isNotPragma = (): boolean => tools.sections?.innermost?.name !== pragma;
  const late = new LatePatches();
  const undo = replaceMethod(Database.prototype, 'prepare', (prepare) => {
    const prepareAndPatch = disguised(prepare, (self, args) => {
      const statement = Reflect.apply(prepare, self, args);
      late.patchClassOf(statement, (statements) => [
        ...tools.patchCalls(statements, ['run', 'get', 'all'], { phase: 'call', span, when: isNotPragma }),
        ...patchIterate(tools, statements, span),
      ]);
      return statement;
    });
    return tools.wrapCall(prepareAndPatch, 'prepare', { phase: 'call' });
  });
  return [undo, late.undo];
}

/** `transaction(fn)` gives a function with variants of itself as properties, and each of those has them all. */
function patchTransactions(Database: DatabaseClass, tools: ClientTools): (Undo | undefined)[] {
  function wrapped(transaction: Function & { readonly database: Database }): Function {
    const span = sqliteSpan(() => inDatabase(transaction.database, 'TRANSACTION'));
    const properties = Object.getOwnPropertyDescriptors(transaction);
    const variants = Object.values(properties).flatMap(({ value }) => (typeof value === 'function' ? [value] : []));
    const wrappers = new Map<unknown, Function>();
    for (const variant of new Set<Function>([transaction, ...variants])) {
      wrappers.set(variant, tools.wrapCall(withoutProperties(variant), 'transaction', { phase: 'call', span }));
    }
    for (const wrapper of wrappers.values()) {
      for (const key of Reflect.ownKeys(properties).filter((own) => !Object.hasOwn(wrapper, own))) {
        const { value, ...traits } = Object.getOwnPropertyDescriptor(transaction, key)!;
        Object.defineProperty(wrapper, key, { ...traits, value: wrappers.get(value) ?? value });
      }
    }
    return wrappers.get(transaction) ?? transaction;
  }
  const undo = replaceMethod(Database.prototype, 'transaction', (transaction) =>
    disguised(transaction, (self, args) => {
      const made = Reflect.apply(transaction, self, args);
      return tools.sections ? wrapped(made) : made;
    }),
  );
  return [undo];
}

/** The function with its name, length and prototype alone: its other properties can't be redefined on a copy. */
function withoutProperties(original: Function): Function {
  const bare = function (this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(original, this, args);
  };
  bare.prototype = original.prototype;
  for (const key of ['name', 'length']) {
    Object.defineProperty(bare, key, Object.getOwnPropertyDescriptor(original, key)!);
  }
  return bare;
}

interface NativeDatabase {
  backup(database: Database): object;
}
interface Backup {
  readonly owner: Span | undefined;
  readonly span: Span | undefined;
  error?: unknown;
}

/**
 * `backup()` copies some pages in each turn of the loop until it is done: `transfer` of a native object, which is closed
 * at the end, failed or not. The promise is left alone: to look at it would be to handle its rejection.
 */
function patchBackups(Database: DatabaseClass, tools: ClientTools): (Undo | undefined)[] {
  const rule = sqliteSpan(({ self }) => inDatabase(self, 'backup'));
  const section = tools.section('backup', 'call');
  const backups = new WeakMap<object, Backup>();
  const late = new LatePatches();

  const patchBackup = (classOfBackups: object): (Undo | undefined)[] => [
    replaceMethod(classOfBackups, 'transfer', (transfer) =>
      disguised(transfer, (self, args, wrapper) => {
        const { sections } = tools;
        const backup = backups.get(self as object);
        if (!sections || !backup) return Reflect.apply(transfer, self, args);
        try {
          return sections.run(section, backup.owner, transfer, self, args, wrapper);
        } catch (error) {
          backup.error = error ?? 'thrown';
          throw error;
        }
      }),
    ),
    replaceMethod(classOfBackups, 'close', (close) =>
      disguised(close, (self, args) => {
        const backup = backups.get(self as object);
        backups.delete(self as object);
        if (backup?.span) tools.endSpan(backup.span, backup.error, rule);
        return Reflect.apply(close, self, args);
      }),
    ),
  ];
  const patchNative = (databases: object): (Undo | undefined)[] => [
    replaceMethod(databases, 'backup', (begin) =>
      disguised(begin, (self, args) => {
        const backup: object = Reflect.apply(begin, self, args);
        late.patchClassOf(backup, patchBackup);
        const span = tools.startSpan(rule, { method: 'backup', self: args[0], args: [] });
        backups.set(backup, { owner: span ?? activeSpan(), span });
        return backup;
      }),
    ),
  ];

  const undo = replaceMethod(Database.prototype, 'backup', (backup) =>
    disguised(backup, (self, args) => {
      const native = nativeOf(self);
      if (native) late.patchClassOf(native, patchNative);
      return Reflect.apply(backup, self, args);
    }),
  );
  return [undo, late.undo];
}

/** The addon's own object behind a database, under a symbol that nobody exports. */
function nativeOf(database: unknown): NativeDatabase | undefined {
  if (typeof database !== 'object' || database === null) return undefined;
  for (const symbol of Object.getOwnPropertySymbols(database)) {
    const native = Reflect.get(database, symbol) as Partial<NativeDatabase> | undefined;
    if (typeof native?.backup === 'function') return native as NativeDatabase;
  }
  return undefined;
}
