import { Child } from './children.mjs';
import { load } from './load.mjs';
import { routes as allRoutes, settings } from './settings.mjs';

/**
 * Runs the whole story: broker, database and collector once, then the service in either mode under load.
 * @param {(step: string) => void} say told about each step as it begins
 * @param {{ modes?: string[], routes?: { route: string }[] }} [parts] of the story, where not all of it is wanted
 * @returns everything that was measured and every span that arrived, by mode and route
 */
export async function run(say, { modes = ['blocking', 'fixed'], routes = allRoutes } = {}) {
  say('Starting a Kafka broker, a PostgreSQL and an OpenTelemetry receiver');
  const broker = new Child('broker', 'broker.mjs');
  const database = new Child('database', 'database.mjs');
  const collector = new Child('collector', 'collector.mjs');
  const [{ address }, { port: databasePort }, { url }] = await Promise.all(
    [broker, database, collector].map((child) => child.ready()),
  );

  const measured = {};
  for (const mode of modes) {
    say(`${mode}: starting ${settings.workers} workers`);
    const service = new Child(`service-${mode}`, 'service/primary.mjs', {
      MODE: mode,
      KAFKA_BROKERS: address,
      DATABASE_PORT: String(databasePort),
      RUN: `${process.pid}-${mode}`,
      OTEL_SERVICE_NAME: 'orders-service',
      OTEL_NODE_RESOURCE_DETECTORS: 'env,process',
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'none',
      OTEL_LOGS_EXPORTER: 'none',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_EXPORTER_OTLP_ENDPOINT: url,
      OTEL_BSP_SCHEDULE_DELAY: '500',
      // At a few thousand requests a second the default queue of 2,048 spans overflows between two exports.
      OTEL_BSP_MAX_QUEUE_SIZE: '65536',
    });
    const { port } = await service.ready();
    measured[mode] = [];
    for (const { route } of routes) {
      say(`${mode}: ${settings.connections} connections ask for ${route}, for ${settings.seconds} s`);
      await service.ask('begin');
      await collector.ask('take');
      const seen = await load({ port, route, seconds: settings.seconds });
      say(`${mode}: waiting until ${route} has answered everyone and told its spans`);
      const workers = await service.ask('settle');
      measured[mode].push({ route, ...seen, workers, spans: await collector.ask('take') });
    }
    await service.end();
  }
  await Promise.all([broker, database, collector].map((child) => child.end()));
  return measured;
}
