import pg from 'pg';
import { settings } from '../settings.mjs';

/** The orders table, through a small pool of connections. */
export function openOrders(port) {
  const pool = new pg.Pool({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', max: settings.poolSize });
  return {
    async read(id) {
      const client = await pool.connect();
      const { rows } = await client.query('select * from orders where id = $1', [id]).finally(() => client.release());
      if (rows.length === 0) throw Object.assign(new Error(`There is no order ${id}.`), { statusCode: 404 });
      return rows[0];
    },
  };
}
