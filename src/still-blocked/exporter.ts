import { readFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import type { ExportTarget } from './settings.ts';

/** A receiver that does not answer must not be given more and more to do. */
const MAX_PENDING = 8;

/** Loaded when there is something to say: no healthy process needs them. */
export type LoadHttp = (module: 'node:http' | 'node:https') => typeof import('node:https');

/**
 * Posts OTLP/JSON from the thread. Nothing is tried again: the next report says more. One connection a request, so that
 * none stays open.
 */
export class Exporter {
  readonly #load: LoadHttp;
  readonly #onFailure: (error: Error, url: string) => void;
  #pending = 0;
  #lost = 0;

  constructor(load: LoadHttp, onFailure: (error: Error, url: string) => void) {
    this.#load = load;
    this.#onFailure = onFailure;
  }

  /** Requests on their way: the thread's event loop must turn for them. */
  get pending(): number {
    return this.#pending;
  }

  /** Requests that did not arrive, as far as is known. */
  get lost(): number {
    return this.#lost;
  }

  send(target: ExportTarget, content: object): void {
    if (this.#pending >= MAX_PENDING) {
      this.#lost++;
      return;
    }
    this.#pending++;
    let isOver = false;
    const end = (error?: Error): void => {
      if (isOver) return;
      isOver = true;
      this.#pending--;
      if (!error) return;
      this.#lost++;
      this.#onFailure(error, target.url);
    };
    try {
      post(this.#load, target, JSON.stringify(content), end);
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

function post(load: LoadHttp, target: ExportTarget, body: string, end: (error?: Error) => void): void {
  const { request } = load(target.url.startsWith('https:') ? 'node:https' : 'node:http');
  const options: RequestOptions = {
    method: 'POST',
    agent: false,
    headers: {
      ...target.headers,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'user-agent': 'loopblame',
    },
    ...(target.caFile && { ca: readFileSync(target.caFile) }),
    ...(target.certFile && { cert: readFileSync(target.certFile) }),
    ...(target.keyFile && { key: readFileSync(target.keyFile) }),
  };
  const outgoing = request(target.url, options, (response) => {
    const { statusCode = 0 } = response;
    response.resume();
    response.once('close', () => {
      clearTimeout(timer);
      end(statusCode >= 200 && statusCode < 300 ? undefined : new Error(`status ${statusCode}`));
    });
  });
  const timer = setTimeout(() => outgoing.destroy(new Error('timeout')), target.timeoutMs);
  outgoing.once('error', (error) => {
    clearTimeout(timer);
    end(error);
  });
  outgoing.end(body);
}
