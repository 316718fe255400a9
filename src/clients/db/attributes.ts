import { basename } from 'node:path';
import type { Attributes } from '@opentelemetry/api';

/** What a span tells of a database call: what was done, and to which database. Never a statement's text or a value. */
export interface DatabaseCall {
  /** `SELECT`, or the call's own name where it is no statement. */
  readonly operation: string | undefined;
  readonly namespace: string | undefined;
}

/** The words that begin a statement. Any other first word is a mistake, and may be data: it is not told. */
const KEYWORDS: ReadonlySet<string> = new Set(
  'ALTER ANALYZE ATTACH BEGIN COMMIT CREATE DELETE DETACH DROP END EXPLAIN INSERT PRAGMA REINDEX RELEASE REPLACE ROLLBACK SAVEPOINT SELECT UPDATE VACUUM VALUES WITH'.split(
    ' ',
  ),
);

/** What may stand before the first word: space, comments, and the semicolons of empty statements. */
const BEFORE_FIRST_WORD = /^(?:[\s;(]|--[^\n]*(?:\n|$)|\/\*.*?\*\/)*/s;
/** So much of a statement is looked at: a text of megabytes must not cost a pass over it. */
const LOOKED_AT = 1024;

/** A statement's (of several, the first one's) keyword. */
export function operationName(sql: unknown): string | undefined {
  if (typeof sql !== 'string') return undefined;
  const head = sql.slice(0, LOOKED_AT);
  const start = BEFORE_FIRST_WORD.exec(head)?.[0].length ?? 0;
  const word = /^[a-z]+/i.exec(head.slice(start))?.[0].toUpperCase();
  return word && KEYWORDS.has(word) ? word : undefined;
}

/** A database file by its name alone: folders name users, and a URI's query may hold a key. */
export function fileDatabaseName(location: unknown): string | undefined {
  if (typeof location !== 'string') return undefined;
  const path = location.startsWith('file:') ? location.slice('file:'.length).replace(/[?#].*$/s, '') : location;
  return basename(path.trim()) || undefined;
}

export function databaseAttributes(system: string, { operation, namespace }: DatabaseCall): Attributes {
  return {
    'db.system.name': system,
    ...(operation !== undefined && { 'db.operation.name': operation }),
    ...(namespace !== undefined && { 'db.namespace': namespace }),
  };
}

/** As the conventions have it: the operation and what it was done to, or what is known of that. */
export function databaseSpanName(system: string, { operation, namespace }: DatabaseCall): string {
  return [operation, namespace].filter((part) => part !== undefined).join(' ') || system;
}
