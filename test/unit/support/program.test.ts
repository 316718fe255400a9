import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { nodes } from '../../support/nodes.ts';
import { runProgram, startProgram } from '../../support/program.ts';

const talks = { folder: fileURLToPath(new URL('fixtures', import.meta.url)), register: 'none' } as const;

describe('runProgram', () => {
  it("gives the program's truth, output and exit code", async () => {
    const result = await runProgram('talks.mjs', { ...talks, args: ['one', '--fail'] });
    assert.equal(result.code, 3);
    assert.equal(result.signal, null);
    assert.equal(result.stderr, 'to stderr\n');
    assert.deepEqual(result.truth[0].args, ['one', '--fail']);
    assert.deepEqual(result.truth[1], { last: true });
    assert.deepEqual(result.truth[0].execArgv, []);
  });

  it("strips the user's environment, and sends to the receiver", async () => {
    process.env['OTEL_SDK_DISABLED'] = 'true';
    process.env['NODE_OPTIONS'] = '--no-warnings';
    try {
      const { truth } = await runProgram('talks.mjs', {
        ...talks,
        receiver: { url: 'http://127.0.0.1:1' },
        env: { GIVEN: 'yes', LOOPBLAME_GIVEN: 'too' },
      });
      const { env } = truth[0];
      assert.equal(env.GIVEN, 'yes');
      assert.equal(env.LOOPBLAME_GIVEN, 'too');
      assert.equal(env.OTEL_EXPORTER_OTLP_ENDPOINT, 'http://127.0.0.1:1');
      assert.equal(env.OTEL_EXPORTER_OTLP_PROTOCOL, 'http/json');
      assert.equal(env.OTEL_SDK_DISABLED, undefined);
      assert.equal(env.NODE_OPTIONS, undefined);
      assert.equal(env.NODE_TEST_CONTEXT, undefined);
    } finally {
      delete process.env['OTEL_SDK_DISABLED'];
      delete process.env['NODE_OPTIONS'];
    }
  });

  it('preloads the built package as it is asked to', async () => {
    // not to be started for this: without a receiver it would try to send what is left at the end
    const off = { ...talks, env: { OTEL_SDK_DISABLED: 'true' } };
    const imported = await runProgram('talks.mjs', { ...off, register: 'import' });
    assert.match(imported.truth[0].execArgv.join(' '), /^--import file:.*\/dist\/register\.js$/);
    const required = await runProgram('talks.mjs', { ...off, register: 'require' });
    assert.match(required.truth[0].execArgv.join(' '), /^--require .*\/dist\/register\.cjs$/);
  });

  for (const node of nodes) {
    it(`runs on ${node.name}`, { skip: node.skip }, async () => {
      const { truth } = await runProgram('talks.mjs', { ...talks, node: node.execPath });
      assert.equal(`Node ${truth[0].version.split('.')[0]}`, node.name);
    });
  }

  it('kills after the first output', async () => {
    const { signal, truth } = await runProgram('talks.mjs', { ...talks, args: ['--stay'], killAfterMs: 1 });
    assert.equal(signal, 'SIGTERM');
    assert.equal(truth.length, 1);
  });

  it('fails where a program does not end', async () => {
    const options = { ...talks, args: ['--stay'], timeoutMs: 300 };
    await assert.rejects(runProgram('talks.mjs', options), /talks\.mjs still ran after 300 ms/);
  });

  it('fails where the binary cannot be started', async () => {
    await assert.rejects(runProgram('talks.mjs', { ...talks, node: '/no/such/node' }), /ENOENT/);
  });
});

describe('startProgram', () => {
  it('waits for output, and kills', async () => {
    const program = startProgram('talks.mjs', { ...talks, args: ['--stay'] });
    const [, version] = await program.waitForOutput(/"version":"([\d.]+)"/);
    assert.equal(version, process.versions.node);
    program.kill('SIGKILL');
    assert.equal((await program.done).signal, 'SIGKILL');
  });

  it('says what a program printed that ended without the awaited output', async () => {
    const program = startProgram('talks.mjs', talks);
    await assert.rejects(program.waitForOutput(/never/), /ended without printing \/never\/\n.*to stderr/s);
  });
});
