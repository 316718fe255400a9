import assert from 'node:assert/strict';
import { it } from 'node:test';
import pg from 'pg';
import { needs } from '../../support/needs.ts';
import { startPostgres } from '../../support/postgres.ts';

it('startPostgres gives a server that answers, and ends it', { skip: needs.postgres() }, async () => {
  const postgres = await startPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('select 40 + $1::int as answer', [2]);
    assert.deepEqual(rows, [{ answer: 42 }]);
  } finally {
    await client.end();
    postgres.close();
  }
  if (process.env['TEST_POSTGRES_URL']) return;
  await assert.rejects(new pg.Client({ connectionString: postgres.url }).connect(), /ECONNREFUSED/);
});
