/** PostgreSQL without a server: PGlite behind its socket server, which pg takes for the real thing. */
import { PGlite } from '@electric-sql/pglite';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';
import { attach } from './child.mjs';
import { settings } from './settings.mjs';

attach(async () => {
  const db = await PGlite.create();
  await db.exec(`
    create table orders (
      id integer primary key,
      customer text not null,
      total_cents integer not null,
      kafka_partition integer not null,
      kafka_offset integer not null
    );
    insert into orders
      select id, 'customer ' || id, 500 + (id * 7919) % 20000, id % ${settings.workers}, id
      from generate_series(1, ${settings.orders}) as id;
  `);
  const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0, maxConnections: 64 });
  await server.start();
  return { port: Number(server.getServerConn().split(':').at(-1)) };
});
