import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findingsOf } from '../support/findings.ts';
import { nodes } from '../support/nodes.ts';

for (const { name, execPath, skip } of nodes) {
  test(`a sample leaves what it interrupts as it is, on ${name}`, { skip }, async () => {
    const { truth, spans } = await findingsOf('reentry.mjs', { node: execPath });
    assert.ok(
      spans.some((span) => span.attributes['event_loop.blocked']),
      'there were samples',
    );
    for (const { kind, count, wrong } of truth) assert.equal(wrong, 0, `${kind}: ${wrong} of ${count}`);
  });
}
