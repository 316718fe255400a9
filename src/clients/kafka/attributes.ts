import type { Attributes } from '@opentelemetry/api';

/** Messaging attributes of OpenTelemetry's semantic conventions. Never a message's body, key or header values. */
const SYSTEM = 'messaging.system';
const OPERATION_NAME = 'messaging.operation.name';
const OPERATION_TYPE = 'messaging.operation.type';
const DESTINATION = 'messaging.destination.name';
const PARTITION = 'messaging.destination.partition.id';
const OFFSET = 'messaging.kafka.offset';
const MESSAGE_COUNT = 'messaging.batch.message_count';
const CLIENT_ID = 'messaging.client.id';
const GROUP = 'messaging.consumer.group.name';

/** What a client does, as the conventions sort it. Its spans' names begin with the key. */
const OPERATION_TYPES = { send: 'send', commit: 'settle', process: 'process' } as const;

export type Operation = keyof typeof OPERATION_TYPES;

/** A message, or a place in a topic: as much of it as the client gave. */
export interface TopicPlace {
  readonly topic?: unknown;
  readonly partition?: unknown;
  readonly offset?: unknown;
}

/** librdkafka's own names of a client's settings. */
export type KafkaSettings = Readonly<Record<string, unknown>> | undefined;

/** `send orders`; the operation alone where there is no topic, or more than one. */
export function spanName(operation: Operation, place: TopicPlace | undefined): string {
  return typeof place?.topic === 'string' ? `${operation} ${place.topic}` : operation;
}

/** Partition and offset, where they are known: librdkafka's negative ones stand for "any" and "none". */
export function placeAttributes(place: TopicPlace | undefined): Attributes {
  const attributes: Attributes = {};
  if (typeof place?.partition === 'number' && place.partition >= 0) attributes[PARTITION] = String(place.partition);
  if (typeof place?.offset === 'number' && place.offset >= 0) attributes[OFFSET] = place.offset;
  return attributes;
}

export function messagingAttributes(
  operation: Operation,
  place: TopicPlace | undefined,
  settings: KafkaSettings,
  messageCount?: number,
): Attributes {
  const attributes: Attributes = {
    [SYSTEM]: 'kafka',
    [OPERATION_NAME]: operation,
    [OPERATION_TYPE]: OPERATION_TYPES[operation],
    ...placeAttributes(place),
  };
  if (typeof place?.topic === 'string') attributes[DESTINATION] = place.topic;
  if (messageCount !== undefined) attributes[MESSAGE_COUNT] = messageCount;
  const clientId = settings?.['client.id'];
  if (typeof clientId === 'string') attributes[CLIENT_ID] = clientId;
  const group = settings?.['group.id'];
  if (typeof group === 'string' && operation !== 'send') attributes[GROUP] = group;
  return attributes;
}

/** What several messages have in common; of one, all of it. */
export function commonPlace(places: readonly TopicPlace[]): TopicPlace {
  const [first, ...rest] = places;
  if (!first || rest.length === 0) return first ?? {};
  const topic = rest.every((place) => place.topic === first.topic) ? first.topic : undefined;
  const isOnePartition = topic !== undefined && rest.every((place) => place.partition === first.partition);
  return { topic, ...(isOnePartition && { partition: first.partition }) };
}
