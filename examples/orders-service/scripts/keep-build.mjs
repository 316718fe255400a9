/**
 * After an install: node-rdkafka's package.json says version "v3.6.1", which npm takes for another version than 3.6.1, so
 * that each `npm install` would replace and compile it once more. Minutes, for a letter.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../node_modules/node-rdkafka/package.json', import.meta.url);
try {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/("version": *")v/, '$1'));
} catch (error) {
  // where it did not compile, npm has taken it away again
  if (error.code !== 'ENOENT') throw error;
}
