import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Span, type SpanStatus, SpanStatusCode } from '@opentelemetry/api';
import type { Call } from '../../../src/clients/define.ts';
import { commonPlace, messagingAttributes, placeAttributes, spanName } from '../../../src/clients/kafka/attributes.ts';
import { Deliveries } from '../../../src/clients/kafka/deliveries.ts';

describe('attributes of Kafka clients', () => {
  it('name the topic that all messages have in common', () => {
    const orders = { topic: 'orders', partition: 1, offset: 4 };
    assert.deepEqual(commonPlace([orders]), orders);
    assert.deepEqual(commonPlace([orders, { ...orders, offset: 5 }]), { topic: 'orders', partition: 1 });
    assert.deepEqual(commonPlace([orders, { ...orders, partition: 2 }]), { topic: 'orders' });
    assert.equal(commonPlace([orders, { ...orders, topic: 'other' }]).topic, undefined);
    assert.deepEqual(commonPlace([]), {});
    assert.equal(spanName('send', orders), 'send orders');
    assert.equal(spanName('commit', {}), 'commit');
    assert.equal(spanName('commit', undefined), 'commit');
  });

  it('leave out what librdkafka has negative numbers for, and what is no number', () => {
    assert.deepEqual(placeAttributes({ partition: 0, offset: 0 }), {
      'messaging.destination.partition.id': '0',
      'messaging.kafka.offset': 0,
    });
    assert.deepEqual(placeAttributes({ partition: -1, offset: -1001 }), {});
    assert.deepEqual(placeAttributes({ partition: null, offset: 'stored' }), {});
  });

  it('have the group of consumers alone', () => {
    const settings = { 'client.id': 'me', 'group.id': 'us', 'sasl.password': 'secret' };
    assert.deepEqual(messagingAttributes('send', { topic: 'orders' }, settings), {
      'messaging.system': 'kafka',
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.destination.name': 'orders',
      'messaging.client.id': 'me',
    });
    const consumed = messagingAttributes('process', { topic: 'orders' }, settings, 3);
    assert.equal(consumed['messaging.consumer.group.name'], 'us');
    assert.equal(consumed['messaging.batch.message_count'], 3);
    assert.doesNotMatch(JSON.stringify(consumed), /secret/);
  });
});

describe('deliveries', () => {
  function fakeSpan() {
    const span = {
      ended: 0,
      attributes: {} as Record<string, unknown>,
      status: undefined as SpanStatus | undefined,
      setAttribute: (key: string, value: unknown) => Object.assign(span.attributes, { [key]: value }),
      setAttributes: (more: object) => Object.assign(span.attributes, more),
      setStatus: (status: SpanStatus) => Object.assign(span, { status }),
      end: () => void span.ended++,
    };
    return span;
  }
  const asSpan = (span: ReturnType<typeof fakeSpan>) => span as unknown as Span;
  const reporting = () => ({ _cb_configs: { event: { delivery_cb: () => {} } } });
  const produced = (self: object, opaque: unknown): Call => ({
    method: 'produce',
    self,
    args: ['orders', 0, null, null, null, opaque],
  });
  const reported = (self: object, opaque: unknown, error: unknown = null): Call => ({
    method: 'delivery-report',
    self,
    args: [error, { opaque, partition: 2, offset: 9 }],
  });

  it('end the span of the message with its report, and tell whether it failed', () => {
    const deliveries = new Deliveries();
    const producer = reporting();
    for (const opaque of [{}, 'text', 0, Symbol('s')]) {
      const span = fakeSpan();
      assert.equal(deliveries.keep(produced(producer, opaque), asSpan(span), true), true);
      assert.equal(span.ended, 0);
      assert.equal(deliveries.ownerOf(reported(producer, opaque)), span);
      assert.equal(deliveries.ownerOf(reported(reporting(), opaque)), undefined, 'of another producer');
      deliveries.delivered(reported(producer, opaque));
      assert.equal(span.ended, 1);
      assert.equal(span.attributes['messaging.kafka.offset'], 9);
      assert.equal(span.status, undefined);
      deliveries.delivered(reported(producer, opaque));
      assert.equal(span.ended, 1);
    }
    const failed = fakeSpan();
    deliveries.keep(produced(producer, 'f'), asSpan(failed), true);
    deliveries.delivered(reported(producer, 'f', Object.assign(new Error('timed out'), { code: -192 })));
    assert.equal(failed.attributes['error.type'], '-192');
    assert.deepEqual(failed.status, { code: SpanStatusCode.ERROR, message: 'timed out' });
    assert.equal(failed.ended, 1);
  });

  it('never end a span of the application', () => {
    const deliveries = new Deliveries();
    const producer = reporting();
    const span = fakeSpan();
    assert.equal(deliveries.keep(produced(producer, 'a'), asSpan(span), false), false);
    assert.equal(deliveries.ownerOf(reported(producer, 'a')), span);
    deliveries.delivered(reported(producer, 'a'));
    deliveries.keep(produced(producer, 'b'), asSpan(span), false);
    deliveries.endAll(producer);
    assert.equal(span.ended, 0);
    assert.equal(deliveries.ownerOf(reported(producer, 'b')), undefined);
  });

  it('keep nothing where no report will come, or none can be told from another', () => {
    const deliveries = new Deliveries();
    const span = fakeSpan();
    assert.equal(deliveries.keep(produced({ _cb_configs: { event: {} } }, 'a'), asSpan(span), true), false);
    for (const opaque of [undefined, null]) {
      assert.equal(deliveries.keep(produced(reporting(), opaque), asSpan(span), true), false);
    }
    const producer = reporting();
    const [first, second, third] = [fakeSpan(), fakeSpan(), fakeSpan()];
    assert.equal(deliveries.keep(produced(producer, 'same'), asSpan(first), true), true);
    assert.equal(deliveries.keep(produced(producer, 'same'), asSpan(second), true), false);
    assert.equal(first.ended, 1, 'nobody knows any more which report is its own');
    assert.equal(deliveries.ownerOf(reported(producer, 'same')), undefined);
    deliveries.delivered(reported(producer, 'same'));
    deliveries.delivered(reported(producer, 'same'));
    assert.equal(first.ended, 1);
    assert.equal(deliveries.keep(produced(producer, 'same'), asSpan(third), true), true, 'both are delivered');
  });

  it('end what was never reported with its producer', () => {
    const deliveries = new Deliveries();
    const producer = reporting();
    const spans = [fakeSpan(), fakeSpan()];
    for (const [i, span] of spans.entries()) deliveries.keep(produced(producer, i), asSpan(span), true);
    deliveries.endAll(producer);
    assert.deepEqual(
      spans.map((span) => span.ended),
      [1, 1],
    );
  });

  it('are bounded', () => {
    const deliveries = new Deliveries();
    const producer = reporting();
    const span = asSpan(fakeSpan());
    for (let i = 0; i < 10_000; i++) assert.equal(deliveries.keep(produced(producer, i), span, true), true);
    assert.equal(deliveries.keep(produced(producer, 10_000), span, true), false);
    deliveries.delivered(reported(producer, 7));
    assert.equal(deliveries.keep(produced(producer, 10_000), span, true), true);
  });
});
