import { builtins } from './builtin/node.ts';
import type { ClientDefinition } from './define.ts';
import { kafkajs } from './kafka/kafkajs.ts';
import { nodeRdkafka } from './kafka/node-rdkafka.ts';

/** Every client that loopblame knows. A new one is one file beside these and one line here. */
export const clients: readonly ClientDefinition[] = [...builtins, kafkajs, nodeRdkafka];
