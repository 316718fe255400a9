import Table from 'cli-table3';
import color from 'picocolors';
import { mainCulprits } from './findings.mjs';
import * as format from './format.mjs';

/** What a mode's numbers look like, one a row. */
const rows = [
  ['requests/s', (row) => format.perSecond(row.requestsPerSecond)],
  ['p50', (row) => format.milliseconds(row.p50Ms)],
  ['p99', (row) => format.milliseconds(row.p99Ms)],
  ['served at a time', (row) => format.count(row.servedAtATime)],
  ['CPU a worker', (row) => format.percent(row.cpuPercent)],
  ['told they stood at the door', (row) => `${format.count(row.atTheDoor)} of ${format.count(row.requests)}`],
  ['spans, of them blocking', (row) => `${format.count(row.spans)}, ${format.count(row.blockedSpans)}`],
];

// cli-table3 colours its lines without asking whether anybody can see colours.
const plain = { style: { head: [], border: color.isColorSupported ? ['gray'] : [] } };

/** The tables that the demo ends with: blocking against fixed, who is to blame, and what a fix would buy. */
export function terminal({ modes, culprits, forecasts }) {
  return [
    comparison(modes),
    ...failures(modes).map(color.red),
    color.gray(
      'Served at a time: requests whose write was on its way to Kafka and back at one moment, all workers together.',
    ),
    '',
    color.bold('Who held the loop in the blocking run, as loopblame tells it in the traces, by harm'),
    blame(mainCulprits(culprits, 'blocking')),
    ...remainder(modes, culprits).map(color.gray),
    '',
    color.bold(
      'What a fix would buy at the same arrival rate: foretold by those traces, then measured in the fixed run',
    ),
    fixes(forecasts),
    ...forecasts.map(ceiling).map(color.gray),
  ].join('\n');
}

/** So that no number is taken for what it is not. */
function failures(modes) {
  return Object.entries(modes)
    .flatMap(([mode, rows]) => rows.map((row) => ({ mode, ...row })))
    .filter(({ failed }) => failed > 0)
    .map(({ mode, route, failed }) => `${format.count(failed)} requests or writes failed: ${route}, ${mode}.`);
}

function remainder(modes, culprits) {
  const main = mainCulprits(culprits, 'blocking');
  const lines = [];
  const others = culprits.filter((culprit) => culprit.mode === 'blocking').length - main.length;
  if (others > 0) lines.push(`And ${others} more that cost the others next to nothing: out/result.json has them.`);
  const [spans, blocked] = ['spans', 'blockedSpans'].map((key) => modes.fixed.reduce((sum, row) => sum + row[key], 0));
  const places = new Set(main.map(place));
  const again = culprits.filter((culprit) => culprit.mode === 'fixed' && places.has(place(culprit)));
  lines.push(
    `In the fixed run ${blocked === 0 ? 'none' : format.count(blocked)} of ${format.count(spans)} spans held the loop${
      blocked === 0 ? '' : `, ${again.length === 0 ? 'none' : again.length} of them at these places`
    }.`,
  );
  return lines;
}

function comparison({ blocking, fixed }) {
  const table = new Table({
    ...plain,
    head: ['', ...blocking.map(({ route }) => ({ content: color.bold(route), colSpan: 2, hAlign: 'center' }))],
    colAligns: ['left', ...blocking.flatMap(() => ['right', 'right'])],
    style: { ...plain.style, compact: true },
  });
  table.push(['', ...blocking.flatMap(() => [color.red('blocking'), color.green('fixed')])]);
  for (const [label, show] of rows) {
    table.push([label, ...blocking.flatMap((row, route) => [color.red(show(row)), color.green(show(fixed[route]))])]);
  }
  return table.toString();
}

function blame(culprits) {
  if (culprits.length === 0) return 'Nobody: no span is marked.';
  const table = new Table({
    ...plain,
    head: ['where', 'call, span, cause', 'times', 'worst', 'others who\nstood still'].map(color.bold),
    colAligns: ['left', 'left', 'right', 'right', 'right'],
  });
  for (const culprit of culprits) {
    table.push([
      `${color.bold(culprit.function ?? 'unknown')}\n${place(culprit)}`,
      `${culprit.section ?? color.gray('no client call')}\n${color.gray(culprit.span)}\n${culprit.cause}`,
      format.count(culprit.count),
      format.milliseconds(culprit.worstMs),
      `${format.count(culprit.othersMedian)} each time\n${color.gray(`${format.seconds(culprit.harmSeconds)} in all`)}`,
    ]);
  }
  return table.toString();
}

function fixes(forecasts) {
  const table = new Table({
    ...plain,
    head: ['', ...forecasts.map(({ route }) => ({ content: color.bold(route), colSpan: 2, hAlign: 'center' }))],
    colAligns: ['left', ...forecasts.flatMap(() => ['right', 'right'])],
    style: { ...plain.style, compact: true },
  });
  table.push(['', ...forecasts.flatMap(() => ['p50', 'p99'])]);
  const row = (label, of) => table.push([label, ...forecasts.flatMap(of)]);
  const exactly = ({ p50Ms, p99Ms }) => [
    format.milliseconds(p50Ms),
    p99Ms === undefined ? '–' : format.milliseconds(p99Ms),
  ];
  row(color.red('as it is'), ({ asItIs }) => exactly(asItIs).map(color.red));
  for (const [kind, label] of [
    ['awaited', 'awaited'],
    ['notWaiting', 'not waiting'],
  ]) {
    row(`${label}: forecast`, (told) => [format.foretold(told[kind].p50Ms), format.atLeast(told[kind].p99Ms)]);
    row(color.green('  measured'), ({ measured }) => exactly(measured[kind]).map(color.green));
    row('  off by', ({ off }) => [off[kind].p50Ms, off[kind].p99Ms].map(format.difference));
  }
  return table.toString();
}

/** What no load can get past. */
function ceiling({ route, culprit, ceilingPerSecond, nowPerSecond }) {
  return `As long as ${culprit.function} holds the loop, a worker cannot pass ${format.perSecond(ceilingPerSecond)} requests/s of ${route} (now ${format.perSecond(nowPerSecond)}).`;
}

function place({ file, line }) {
  return file === null ? '' : `${file}:${line}`;
}
