import Table from 'cli-table3';
import color from 'picocolors';
import * as format from './format.mjs';

/** The culprits that the table has room for: the dearest. */
const SHOWN = 5;

/** What a mode's numbers look like, one a row. */
const rows = [
  ['requests/s', (row) => format.perSecond(row.requestsPerSecond)],
  ['p50', (row) => format.milliseconds(row.p50Ms)],
  ['p99', (row) => format.milliseconds(row.p99Ms)],
  ['served at a time', (row) => format.count(row.servedAtATime)],
  ['CPU a worker', (row) => format.percent(row.cpuPercent)],
  ['spans, of them blocking', (row) => `${format.count(row.spans)}, ${format.count(row.blockedSpans)}`],
];

// cli-table3 colours its lines without asking whether anybody can see colours.
const plain = { style: { head: [], border: color.isColorSupported ? ['gray'] : [] } };

/** The two tables that the demo ends with: blocking against fixed, and who is to blame. */
export function terminal({ modes, culprits }) {
  return [
    comparison(modes),
    color.gray(
      'Served at a time: requests whose write was on its way to Kafka and back at one moment, all workers together.',
    ),
    '',
    color.bold('Who held the loop in the blocking run, as loopblame tells it in the traces'),
    blame(culprits.filter((culprit) => culprit.mode === 'blocking')),
    remainder(modes.fixed, culprits),
  ].join('\n');
}

/** A machine with other things to do blocks a loop now and then for reasons that are in no code: rare, and not the story. */
function remainder(fixed, culprits) {
  const blocked = fixed.reduce((total, row) => total + row.blockedSpans, 0);
  const spans = fixed.reduce((total, row) => total + row.spans, 0);
  const places = new Set(culprits.filter((culprit) => culprit.mode === 'blocking').map(place));
  const again = culprits.filter((culprit) => culprit.mode === 'fixed' && places.has(place(culprit)));
  return color.gray(
    `In the fixed run ${blocked === 0 ? 'none' : format.count(blocked)} of ${format.count(spans)} spans held the loop${
      blocked === 0 ? '' : `, ${again.length === 0 ? 'none' : again.length} of them at these places`
    }.`,
  );
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
  const shown = culprits.slice(0, SHOWN);
  const table = new Table({
    ...plain,
    head: ['where', 'call, span, cause', 'times', 'worst', 'others who\nstood still'].map(color.bold),
    colAligns: ['left', 'left', 'right', 'right', 'right'],
  });
  for (const culprit of shown) {
    table.push([
      `${color.bold(culprit.function ?? 'unknown')}\n${place(culprit)}`,
      `${culprit.section ?? color.gray('no client call')}\n${color.gray(culprit.span)}\n${culprit.cause}`,
      format.count(culprit.count),
      format.milliseconds(culprit.worstMs),
      `${format.count(culprit.othersMedian)} each time\n${color.gray(`${format.seconds(culprit.othersLostSeconds)} in all`)}`,
    ]);
  }
  const rest = culprits.length - shown.length;
  return rest > 0 ? `${table}\n${color.gray(`and ${rest} more that cost the others less`)}` : table.toString();
}

function place({ file, line }) {
  return file === null ? '' : `${file}:${line}`;
}
