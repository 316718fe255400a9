/** One worker of the service: its database, its Kafka clients, its routes. */
import { trace } from '@opentelemetry/api';
import { attach } from '../child.mjs';
import { routes, settings } from '../settings.mjs';
import { createApp } from './app.mjs';
import { createMeter } from './meter.mjs';
import { openOrders } from './orders.mjs';

const { MODE, PORT, DATABASE_PORT } = process.env;
const meter = createMeter();

attach(
  async () => {
    const orders = openOrders(Number(DATABASE_PORT));
    const { openWrites } =
      MODE === 'blocking' ? await import('./writes-blocking.mjs') : await import('./writes-fixed.mjs');
    const writes = await openWrites(meter);
    await rehearse(orders);
    const app = createApp({ orders, writes, meter });
    await app.listen({ host: '127.0.0.1', port: Number(PORT || 0) });
    return { port: app.server.address().port };
  },
  {
    /** What came before, warming up among it, is exported by then, and not part of what is measured. */
    async begin() {
      await flush();
      return meter.begin();
    },
    /** Waits until every request is answered and every span of theirs is exported, and says how the loop fared. */
    async settle() {
      const measured = await meter.settle();
      await flush();
      return measured;
    },
  },
);

/** A service that has been up for a while is warm. All but Kafka and the socket is gone through, as often as that takes. */
async function rehearse(orders) {
  const nothing = () => {};
  const app = createApp({ orders, writes: { acknowledge: nothing, place: nothing }, meter });
  for (let i = 0; i < settings.rehearsals; i++) {
    for (const { request } of routes) {
      const { path, body, ...rest } = request(1 + (i % settings.orders));
      await app.inject({ ...rest, url: path, body });
    }
  }
  await app.close();
}

function flush() {
  return trace.getTracerProvider().getDelegate().forceFlush();
}
