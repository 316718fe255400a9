import { VERSION } from '../version.ts';
import { forecastCommand } from './forecast-command.ts';
import { ExitCode, type Streams } from './streams.ts';

const USAGE = `Usage: loopblame forecast [--json] [--top N] FILE...

Says what a fix of the code that holds the event loop would buy, from exported traces.

  FILE       OTLP/JSON, one export a line, as the OpenTelemetry Collector's file exporter writes it; - is stdin
  --top N    at most so many culprits, those first whose fix would buy most (default 5)
  --json     the same as data, in milliseconds and with all culprits
  --help, --version

It ends with 0 if there is a forecast, with 1 if the traces give none, and with 2 if they cannot be read.
`;

/** Runs a command line, and returns what to exit with. */
export async function main(args: readonly string[], streams: Streams): Promise<number> {
  const [command, ...rest] = args;
  if (command === '--version') {
    streams.out.write(`${VERSION}\n`);
    return ExitCode.FOUND;
  }
  if (command === undefined || command === '--help' || rest.includes('--help')) {
    (command === undefined ? streams.err : streams.out).write(USAGE);
    return command === undefined ? ExitCode.TROUBLE : ExitCode.FOUND;
  }
  if (command === 'forecast') return forecastCommand(rest, streams);
  streams.err.write(`loopblame: ${command} is no command; see loopblame --help\n`);
  return ExitCode.TROUBLE;
}
