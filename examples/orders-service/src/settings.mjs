/** What the demo does, in numbers. Everything it *reports* is measured. */
export const settings = {
  /** Processes that serve requests, and so the most that a service which never yields can serve at a time. */
  workers: 4,
  /** Connections the load generator keeps busy: each sends its next request as soon as it has an answer. */
  connections: 100,
  /** How long the broker takes to answer anything at all. */
  roundTripMs: 200,
  /** Rows in the orders table. */
  orders: 1000,
  /** Database connections a worker holds. */
  poolSize: 4,
  /** Requests that a worker deals with before its first, so that its code is compiled by then. */
  rehearsals: 200,
  /** How long each route is under load: the slowest requests of a blocked worker wait for more than five seconds. */
  seconds: 8,
  /** How long each route's arrival rate of the blocking run is replayed against the fixed one. */
  replaySeconds: 6,
};

/** The two routes of the service: what the load generator asks for, and how it is told apart in the traces. */
export const routes = [
  { route: 'POST /orders/:id/ack', request: (id) => ({ method: 'POST', path: `/orders/${id}/ack` }) },
  {
    route: 'POST /orders',
    request: (id) => ({
      method: 'POST',
      path: '/orders',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
    }),
  },
];

/** The request for any order. */
export function anOrder(route) {
  return routes.find((known) => known.route === route).request(1 + Math.floor(Math.random() * settings.orders));
}

/** Kafka topics: the service announces placed orders on one, and acknowledges what it read from the other. */
export const topics = { placed: 'orders.placed', paid: 'orders.paid' };
