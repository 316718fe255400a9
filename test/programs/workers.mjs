/** Says what a worker thread has of what was preloaded, from inside. */
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker } from 'node:worker_threads';
import { trace } from '@opentelemetry/api';
import { truth } from './lib.mjs';

truth({
  isMainThread,
  provider: trace.getTracerProvider().getDelegate().constructor.name,
  execArgv: process.execArgv,
  isParsePatched: JSON.parse.toString() !== 'function parse() { [native code] }',
});
if (isMainThread) new Worker(fileURLToPath(import.meta.url));
