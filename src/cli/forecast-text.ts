import { relative } from 'node:path';
import type { CulpritForecast, Forecast, RouteForecast } from '../forecast/forecast.ts';
import type { Latency } from '../forecast/quantiles.ts';
import type { Culprit } from '../forecast/requests.ts';
import { columns } from './columns.ts';

/** Of the whole: culprits that cost less, or routes that a culprit costs less, are not what one should read. */
const WORTH_TELLING = 0.02;
/** With fewer of the requests there, their forecasts stand on those that happened to be kept. */
const WELL_SEEN = 0.9;

/** A forecast as people read it. Files are shown relative to `folder`, where they lie in it. */
export function forecastText(found: Forecast, { top, folder }: { top: number; folder: string }): string {
  const most = found.culprits[0]?.savedSeconds ?? 0;
  const shown = found.culprits.filter(({ savedSeconds }) => savedSeconds > most * WORTH_TELLING).slice(0, top);
  const hidden = found.culprits.length - shown.length;
  return [
    ...shown.map((culprit, i) => paragraph(i + 1, culprit, folder)),
    ...(hidden > 0 ? [`And ${number(hidden)} more, whose fix would buy less.\n`] : []),
    'At the rate at which requests come now. Awaited: the call takes as long, and the loop goes on meanwhile. Not waiting:',
    'nobody waits for it. At least, since what may queue elsewhere then (a pool, a broker) shows in no trace of today.',
    ...caveats(found),
    '',
  ].join('\n');
}

function paragraph(
  rank: number,
  { culprit, holds, holdMs, savedSeconds, routes }: CulpritForecast,
  folder: string,
): string {
  const told = routes.filter((route) => route.savedSeconds >= savedSeconds * WORTH_TELLING);
  return [
    `${rank}. ${nameOf(culprit, folder)}`,
    `   held the loop ${number(holds)} times, for ${ms(holdMs)} (median); without it ${number(savedSeconds)} request-seconds less`,
    '',
    ...columns([
      ['route', 'requests', 'now p50', 'p99', 'awaited p50', 'p99 at least', 'not waiting p50', 'p99 at least'],
      ...told.map(row),
    ]).map((line) => `   ${line}`),
    ...told.flatMap(ceiling),
    '',
  ].join('\n');
}

function row({ route, requests, asItIs, awaited, notWaiting }: RouteForecast): string[] {
  if (!asItIs) return [route, number(requests), 'too few'];
  return [route, number(requests), ...[asItIs, awaited, notWaiting].flatMap(pair)];
}

function pair(latency: Latency | undefined): string[] {
  return [latency ? ms(latency.p50Ms) : '', latency?.p99Ms === undefined ? '-' : ms(latency.p99Ms)];
}

function ceiling({ route, ceilingPerSecond, nowPerSecond }: RouteForecast): string[] {
  if (ceilingPerSecond === undefined) return [];
  return [
    `   ${route} cannot pass ${number(ceilingPerSecond)} requests/s a process as long as it holds the loop (now ${number(nowPerSecond)})`,
  ];
}

function caveats({ culprits, requests, seenRatio }: Forecast): string[] {
  const lines: string[] = [];
  if (culprits.every(({ routes }) => routes.every(({ atTheDoor }) => atTheDoor === 0))) {
    lines.push(
      'No request says how long it had stood unread before its span: the true latencies are longer than these.',
    );
  }
  if (seenRatio !== undefined && seenRatio < WELL_SEEN) {
    const part = Math.round(seenRatio * 100);
    lines.push(
      `It rests on ${number(requests)} requests, about ${part} % of those that had to wait: the others are not in these traces.`,
    );
  }
  return lines;
}

function nameOf({ function: name, file, line, section, span }: Culprit, folder: string): string {
  const place = file === undefined ? undefined : `${shorter(file, folder)}${line === undefined ? '' : `:${line}`}`;
  return [name ?? (place ? undefined : `unknown code in ${span}`), place, section].filter(Boolean).join('  ');
}

function shorter(file: string, folder: string): string {
  const path = relative(folder, file);
  return path === '' || path.startsWith('..') ? file : path;
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

const number = (value: number): string => (value < 100 ? tenths : whole).format(value);
/** Less is what the loop itself does for a request. */
const ms = (value: number): string => (value < 1 ? '<1 ms' : `${(value < 10 ? tenths : whole).format(value)} ms`);
