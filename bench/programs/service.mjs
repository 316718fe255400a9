// A traced service: each request reads one row (`node service.mjs with|without POSTGRES_URL`), or none without a server.
import { answer, args, cpuMs, require, startSdk } from './lib.mjs';

startSdk();
const { createServer } = require('node:http');
const { Pool } = require('pg');

const [url] = args;
const pool = url && new Pool({ connectionString: url, max: 10 });

const server = createServer(async (_request, response) => {
  const rows = pool
    ? (await pool.query('SELECT oid, typname, typlen FROM pg_type WHERE oid = $1', [23])).rows
    : await Promise.resolve([{ oid: 23, typname: 'int4', typlen: 4 }]);
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(rows));
});
server.listen(0, '127.0.0.1', () => process.send({ ready: { port: server.address().port } }));
answer({ cpuMs });
