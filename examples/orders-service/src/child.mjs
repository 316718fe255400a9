/** The side of a child process: says when it is ready, what went wrong, and never outlives its parent. */
import { Unable } from './unable.mjs';

/**
 * @param {() => Promise<object>} start what to do; its result goes to the parent
 * @param {Record<string, (message: object) => unknown>} answers replies to the parent's questions, by name
 */
export function attach(start, answers = {}) {
  process.on('disconnect', () => process.exit());
  // Ctrl-C reaches every process of the terminal's group: who ends when is the parent's decision.
  process.on('SIGINT', () => {});
  process.on('message', async ({ question, id, ...message }) => {
    if (!(question in answers)) return;
    try {
      process.send({ id, answer: await answers[question](message) });
    } catch (error) {
      process.send({ failed: sentence(error) });
    }
  });
  start().then(
    (ready) => process.send({ ready }),
    (error) => process.send({ failed: sentence(error) }, () => process.exit(1)),
  );
}

function sentence(error) {
  if (error instanceof Unable) return { sentence: error.message };
  return { stack: error.stack ?? String(error) };
}
