/** How often loopblame is right: blocks whose culprit, function, cause and length the program itself knows. */
import { fileURLToPath } from 'node:url';
import { quantile } from 'simple-statistics';
import type { Span } from '../test/support/otlp.ts';
import { runProgram } from '../test/support/program.ts';
import { startReceiver } from '../test/support/receiver.ts';
import type { Bench } from './support/bench.ts';

/** What the program tells of one trial. */
interface Trial {
  readonly kind: string;
  readonly spanId: string;
  readonly ms: number;
  readonly fn: string;
  readonly cause: string;
  readonly innocent: readonly string[];
}

const isBlocked = (span: Span | undefined): boolean => span?.attributes['event_loop.blocked'] === true;

export const accuracy: Bench = async ({ quick, node, say }) => {
  const trials = quick ? 2 : 40;
  const receiver = await startReceiver();
  say('accuracy: blocks of each kind by turns');
  const { code, stderr, truth } = await runProgram('accuracy.mjs', {
    node,
    receiver,
    folder: fileURLToPath(new URL('programs', import.meta.url)),
    args: [`${trials}`],
    // so many blocks a second cost more than the default budget, and samples would thin out to none
    env: { LOOPBLAME_OVERHEAD_BUDGET: '1' },
    timeoutMs: 300_000,
  });
  await receiver.close();
  if (code !== 0) throw new Error(stderr);
  const spans = new Map(receiver.spans.map((span) => [span.spanId, span]));
  const kinds = new Set((truth as Trial[]).map(({ kind }) => kind));
  return {
    title: 'bench/accuracy.ts: who held the loop, by spans that were exported, against what the program knows',
    conditions: [
      `${trials} blocks of each kind, of 60 ms and more`,
      'overheadBudget 1',
      'three innocents queued behind each',
    ],
    columns: ['blocks of', 'culprit', 'nobody', 'innocents', 'function', 'cause', 'length off by'],
    rows: [...kinds].map((kind) => [
      kind,
      ...scores(
        (truth as Trial[]).filter((trial) => trial.kind === kind),
        spans,
      ),
    ]),
    notes: [
      'culprit: its span is marked; nobody: no span is; innocents: spans marked that did nothing.',
      'function, cause, length: of the culprits that are marked; length: the median.',
      'Half of the culprits end inside the stall: their marks are what is known by then.',
    ],
  };
};

function scores(trials: readonly Trial[], spans: ReadonlyMap<string, Span>): string[] {
  const innocents = trials.flatMap(({ innocent }) => innocent).filter((id) => isBlocked(spans.get(id)));
  const right = trials.filter(({ spanId }) => isBlocked(spans.get(spanId)));
  const nobody = trials.filter(({ spanId, innocent }) => ![spanId, ...innocent].some((id) => isBlocked(spans.get(id))));
  const of = (name: string, trial: Trial): unknown => spans.get(trial.spanId)!.attributes[name];
  const functions = right.filter((trial) => of('code.function.name', trial) === trial.fn);
  const causes = right.filter((trial) => of('event_loop.blocked.cause', trial) === trial.cause);
  const errors = right.map((trial) =>
    Math.abs((Number(of('event_loop.blocked.duration', trial)) * 1e3) / trial.ms - 1),
  );
  const part = (some: readonly unknown[], all: readonly unknown[]): string => `${some.length} of ${all.length}`;
  return [
    part(right, trials),
    part(nobody, trials),
    `${innocents.length}`,
    part(functions, right),
    part(causes, right),
    errors.length > 0 ? `${(100 * quantile(errors, 0.5)).toFixed(1)} %` : '',
  ];
}
