import { trace } from '@opentelemetry/api';
import fastify from 'fastify';

/** The service: reads the order, then tells Kafka. */
export function createApp({ orders, writes, meter }) {
  const app = fastify();

  app.addHook('onRequest', async (request) => {
    const span = trace.getActiveSpan();
    span?.updateName(`${request.method} ${request.routeOptions.url}`);
    span?.setAttribute('http.route', request.routeOptions.url);
  });
  /** The warehouse has packed the order: its message is dealt with. */
  app.post(
    '/orders/:id/ack',
    meter.request(async (request) => {
      const order = await orders.read(Number(request.params.id));
      writes.acknowledge(order);
      return { id: order.id, acknowledged: true };
    }),
  );

  /** The customer has pressed the button: the rest of the company hears of it. */
  app.post(
    '/orders',
    meter.request(async (request) => {
      const order = await orders.read(Number(request.body.id));
      writes.place(order);
      return { id: order.id, placed: true };
    }),
  );

  return app;
}
