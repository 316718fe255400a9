/** The parent's side of the child processes: starts them, asks them, and leaves none behind. */
import { fork } from 'node:child_process';
import { createWriteStream, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Unable } from './unable.mjs';

export const home = fileURLToPath(new URL('..', import.meta.url));
export const out = fileURLToPath(new URL('../out/', import.meta.url));

/** Every process that has to be gone when this one goes, the workers of a service among them. */
const alive = new Map();

const trouble = deferred();
trouble.promise.catch(() => {});

/** Rejects as soon as any child fails, whoever is waiting for what at that moment. */
export const childFailure = trouble.promise;

export class Child {
  #process;
  #name;
  #asked = 0;
  #questions = new Map();
  #ready = deferred();
  #isEnding = false;
  #gone = deferred();

  /**
   * @param {string} name what to call it when it fails; its output goes to out/<name>.log
   * @param {string} file relative to src/
   * @param {Record<string, string>} env added to the environment
   */
  constructor(name, file, env = {}) {
    this.#name = name;
    mkdirSync(out, { recursive: true });
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), {
      cwd: home,
      env: { ...withoutTelemetry(process.env), ...env },
      execArgv: [],
      // structured clones are far cheaper than JSON for the tens of thousands of spans that the collector hands over
      serialization: 'advanced',
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const log = createWriteStream(`${out}${name}.log`);
    this.#process.stdout.pipe(log, { end: false });
    this.#process.stderr.pipe(log, { end: false });
    this.#process.on('message', (message) => this.#hear(message));
    this.#process.once('exit', (code, signal) => {
      alive.delete(this.#process.pid);
      const how = signal ? `by ${signal}` : `with exit code ${code}`;
      if (!this.#isEnding) {
        trouble.reject(new Unable(`The demo's ${name} ended unexpectedly ${how}: out/${name}.log may say why.`));
      }
      this.#gone.resolve();
    });
    alive.set(this.#process.pid, this);
  }

  /** Resolves with what the child says of itself when it is ready. */
  ready() {
    return this.#ready.promise;
  }

  /** Asks by name; resolves with the answer. */
  ask(question, message = {}) {
    const id = ++this.#asked;
    const answer = deferred();
    this.#questions.set(id, answer);
    this.#process.send({ question, id, ...message });
    return answer.promise;
  }

  async end() {
    this.#isEnding = true;
    for (const [pid, owner] of alive) if (owner === this) kill(pid);
    await this.#gone.promise;
  }

  #hear(message) {
    if (message.ready) this.#ready.resolve(message.ready);
    if (message.failed) trouble.reject(this.#failure(message.failed));
    for (const pid of message.started ?? []) alive.set(pid, this);
    this.#questions.get(message.id)?.resolve(message.answer);
    this.#questions.delete(message.id);
  }

  #failure({ sentence, stack }) {
    return sentence ? new Unable(sentence) : new Error(`The demo's ${this.#name} failed: ${stack}`);
  }
}

/** Where the user's own telemetry goes, and how much of it, is set up for the user's own programs. */
function withoutTelemetry(env) {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('OTEL_')));
}

function deferred() {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
}

/**
 * SIGKILL, since a worker whose loop is blocked answers nothing gentler for seconds. What was to be kept has been
 * exported by then.
 */
export function endAll() {
  for (const pid of alive.keys()) kill(pid);
  alive.clear();
}

function kill(pid) {
  alive.delete(pid);
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // already gone
  }
}
