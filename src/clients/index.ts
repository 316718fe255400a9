import { builtins } from './builtin/node.ts';
import { betterSqlite3 } from './db/better-sqlite3.ts';
import { nodeSqlite } from './db/node-sqlite.ts';
import { pg } from './db/pg.ts';
import type { ClientDefinition } from './define.ts';
import { kafkajs } from './kafka/kafkajs.ts';
import { nodeRdkafka } from './kafka/node-rdkafka.ts';

/** Every client that loopblame knows. A new one is one file beside these and one line here. */
export const clients: readonly ClientDefinition[] = [...builtins, betterSqlite3, kafkajs, nodeRdkafka, nodeSqlite, pg];
