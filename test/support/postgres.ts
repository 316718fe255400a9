import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

export interface Postgres {
  /** A connection string for pg. */
  url: string;
  close(): void;
}

/** For node:test's `skip` option: false, or why there is no PostgreSQL. */
export function postgresIsMissing(): false | string {
  if (process.env['TEST_POSTGRES_URL'] || (serverPrograms() && unprivileged())) return false;
  return 'PostgreSQL is not installed (initdb and pg_ctl), and TEST_POSTGRES_URL names no server';
}

/** The server that TEST_POSTGRES_URL names, or a throwaway one of the machine's own programs, on a free port. */
export async function startPostgres(): Promise<Postgres> {
  const given = process.env['TEST_POSTGRES_URL'];
  if (given) return { url: given, close: () => {} };
  const programs = serverPrograms();
  const asUser = unprivileged();
  if (!programs || !asUser) throw new Error(String(postgresIsMissing()));

  const folder = mkdtempSync(join(tmpdir(), 'loopblame-postgres-'));
  chmodSync(folder, 0o777);
  const run = (program: string, ...args: string[]) => {
    const [command, ...rest] = [...asUser, join(programs, program), ...args];
    // the server inherits what is open: with pipes this call would end only when the server does
    execFileSync(command!, rest, { cwd: folder, stdio: 'ignore' });
  };
  const port = await freePort();
  const settings = [
    `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`,
    '-c fsync=off -c synchronous_commit=off -c full_page_writes=off',
  ].join(' ');
  const data = join(folder, 'data');
  const stop = () => {
    if (!existsSync(folder)) return;
    if (existsSync(join(data, 'postmaster.pid'))) run('pg_ctl', '-D', data, '-m', 'immediate', '-w', 'stop');
    rmSync(folder, { recursive: true, force: true });
  };
  // a test file that fails half-way must not leave a server behind
  process.on('exit', stop);
  run('initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-N', '--no-instructions');
  run('pg_ctl', '-D', data, '-o', settings, '-l', join(folder, 'log'), '-w', 'start');
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    close() {
      process.off('exit', stop);
      stop();
    },
  };
}

/** The folder of initdb and pg_ctl: Debian keeps each version's outside PATH. */
function serverPrograms(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ];
  return folders.find((folder) => ['initdb', 'pg_ctl'].every((program) => existsSync(join(folder, program))));
}

/** What to put before a command: PostgreSQL refuses to run as root. Undefined where root has no other user to be. */
function unprivileged(): string[] | undefined {
  if (userInfo().uid !== 0) return [];
  const works = spawnSync('runuser', ['-u', 'postgres', '--', 'true']).status === 0;
  return works ? ['runuser', '-u', 'postgres', '--'] : undefined;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
