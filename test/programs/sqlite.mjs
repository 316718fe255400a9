/** One long query of SQLite in a span, by the client that is named: `node sqlite.mjs node:sqlite`. */
import { inSpan, sleep, timed, truth } from './lib.mjs';

const QUERY = 'WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000000) SELECT sum(n) FROM c';

const [, , name] = process.argv;
const module = await import(name);
const Database = module.DatabaseSync ?? module.default;
const database = new Database(':memory:');
await sleep(200);
let ms;
const spanId = await inSpan('request', () => {
  const statement = database.prepare(QUERY);
  ms = timed(() => statement.get());
});
truth({ ms, spanId });
