import { rmSync } from 'node:fs';
import { Child, out } from './children.mjs';
import { load } from './load.mjs';
import { replay } from './replay.mjs';
import { routes as allRoutes, settings } from './settings.mjs';

/** The blocking run's traces, for `npx loopblame forecast`. */
export const tracesFile = `${out}blocking.jsonl`;

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
  rmSync(tracesFile, { force: true });
  for (const mode of modes) {
    say(`${mode}: starting ${settings.workers} workers`);
    const service = new Child(`service-${mode}`, 'service/primary.mjs', {
      MODE: mode,
      KAFKA_BROKERS: address,
      DATABASE_PORT: String(databasePort),
      RUN: `${process.pid}-${mode}`,
      // so that the spans that are counted are the service's own
      LOOPBLAME_STALLS: 'event',
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
    // First: the blocking run had no more behind it either
    const replays = mode === 'fixed' ? await replayAll(measured.blocking ?? [], { say, service, port }) : [];
    for (const [i, { route }] of routes.entries()) {
      say(`${mode}: ${settings.connections} connections ask for ${route}, for ${settings.seconds} s`);
      await service.ask('begin');
      await collector.ask('take');
      await collector.ask('keep', { wanted: mode === 'blocking' });
      const seen = await load({ port, route, seconds: settings.seconds });
      say(`${mode}: waiting until ${route} has answered everyone and told its spans`);
      const workers = await service.ask('settle');
      if (mode === 'blocking') await collector.ask('write', { path: tracesFile, endMs: seen.endMs });
      measured[mode].push({ route, ...seen, workers, spans: await collector.ask('take'), replay: replays[i] });
    }
    await service.end();
  }
  await Promise.all([broker, database, collector].map((child) => child.end()));
  return measured;
}

/** Asks for each route as often as it was asked for in those runs. */
async function replayAll(runs, { say, service, port }) {
  const replays = [];
  for (const { route, requestsPerSecond: perSecond } of runs) {
    say(`fixed: ${route} is asked for as often as before, for ${settings.replaySeconds} s`);
    await service.ask('begin');
    const seen = await replay({ port, route, perSecond, seconds: settings.replaySeconds });
    const workers = await service.ask('settle');
    const failed = workers.reduce((sum, worker) => sum + worker.failedWrites, seen.failedRequests);
    replays.push({ ...seen, perSecond, failed, answeredMs: workers.flatMap((worker) => worker.answeredMs) });
  }
  return replays;
}
