import { Agent, request as send } from 'node:http';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { anOrder } from './settings.mjs';

/**
 * Asks for a route at a given rate whatever comes of it, at random times, as many users who know nothing of each other do.
 * (A load generator with a number of connections asks the faster, the faster it is answered.)
 * @returns what the clients saw
 */
export async function replay({ port, route, perSecond, seconds }) {
  const agent = new Agent({ keepAlive: true });
  const latency = createHistogram();
  const answers = [];
  let failedRequests = 0;
  let at = performance.now();
  const end = at + seconds * 1000;
  for (;;) {
    at += (-Math.log(1 - Math.random()) / perSecond) * 1000;
    if (at > end) break;
    await setTimeout(at - performance.now());
    const sent = performance.now();
    answers.push(
      ask(port, agent, anOrder(route)).then(
        () => latency.record(Math.max(1, Math.round((performance.now() - sent) * 1000))),
        () => failedRequests++,
      ),
    );
  }
  await Promise.all(answers);
  agent.destroy();
  return {
    requests: answers.length,
    p50Ms: latency.percentile(50) / 1000,
    p99Ms: latency.percentile(99) / 1000,
    failedRequests,
  };
}

function ask(port, agent, { body, ...options }) {
  return new Promise((resolve, reject) => {
    send({ host: '127.0.0.1', port, agent, ...options }, (response) => {
      response.resume();
      response.on('end', () => (response.statusCode === 200 ? resolve() : reject(new Error(response.statusMessage))));
      response.on('error', reject);
    })
      .on('error', reject)
      .end(body);
  });
}
