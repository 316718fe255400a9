import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { forecast } from '../forecast/forecast.ts';
import { readTraces } from '../forecast/otlp.ts';
import { MIN_REQUESTS } from '../forecast/quantiles.ts';
import type { TracedSpan } from '../forecast/spans.ts';
import { forecastText } from './forecast-text.ts';
import { ExitCode, type Streams } from './streams.ts';

const DEFAULT_TOP = 5;

/** `loopblame forecast`: what a fix would buy, from files of traces. */
export async function forecastCommand(args: string[], { out, err, stdin }: Streams): Promise<number> {
  const fail = (sentence: string, code: number): number => {
    err.write(`loopblame: ${sentence}\n`);
    return code;
  };
  let options: ReturnType<typeof parse>;
  try {
    options = parse(args);
  } catch (error) {
    return fail(`${(error as Error).message.split('\n')[0]}; see loopblame --help`, ExitCode.TROUBLE);
  }
  const { files, top, json } = options;
  const spans: TracedSpan[] = [];
  for (const file of files) {
    try {
      const input = file === '-' ? stdin : await opened(file);
      const traces = await readTraces(createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }));
      for (const span of traces.spans) spans.push(span);
      if (traces.badLines > 0) fail(`${file}: passed over ${count(traces.badLines, 'line')} of no OTLP/JSON`, 0);
    } catch (error) {
      return fail(`${file} cannot be read: ${(error as Error).message}`, ExitCode.TROUBLE);
    }
  }
  if (spans.length === 0) {
    return fail('no spans there: is it what the file exporter wrote, of traces, as JSON?', ExitCode.NOTHING);
  }
  const found = forecast(spans);
  if (json) out.write(`${JSON.stringify(found, null, 2)}\n`);
  if (found.culprits.length === 0) {
    return fail(`none of ${count(spans.length, 'span')} held the loop: there is nothing to fix`, ExitCode.NOTHING);
  }
  const routes = found.culprits.flatMap((culprit) => culprit.routes);
  if (!routes.some(({ asItIs }) => asItIs)) {
    const most = Math.max(0, ...routes.map((route) => route.requests));
    return fail(
      `a forecast rests on ${MIN_REQUESTS} requests to a route at least, and of those that had to wait there are ${most}`,
      ExitCode.NOTHING,
    );
  }
  if (!json) out.write(forecastText(found, { top, folder: process.cwd() }));
  return ExitCode.FOUND;
}

/** @throws {Error} with a sentence for the user */
function parse(args: string[]): { files: string[]; top: number; json: boolean } {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: { json: { type: 'boolean', default: false }, top: { type: 'string', default: String(DEFAULT_TOP) } },
  });
  if (positionals.length === 0) throw new Error('forecast wants a file of traces');
  if (!/^[1-9]\d{0,5}$/.test(values.top)) throw new Error(`--top wants a whole number from 1 on, not ${values.top}`);
  return { files: positionals, top: Number(values.top), json: values.json };
}

/** A file that cannot be opened says so here: readline would wait for it in vain. */
function opened(file: string): Promise<NodeJS.ReadableStream> {
  return new Promise((resolve, reject) => {
    const stream = createReadStream(file);
    stream.once('error', reject);
    stream.once('open', () => resolve(stream));
  });
}

function count(number: number, thing: string): string {
  return `${number.toLocaleString('en')} ${thing}${number === 1 ? '' : 's'}`;
}
