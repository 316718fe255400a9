import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, join } from 'node:path';
import { Unable } from './unable.mjs';

const require = createRequire(import.meta.url);

/** node-rdkafka, or one sentence that says why it cannot be had here and what to do. */
export function loadNativeClient() {
  try {
    return require('node-rdkafka');
  } catch (error) {
    throw new Unable(explain(error));
  }
}

/**
 * node-rdkafka is an optional dependency: where it fails to compile, npm leaves it out and says nothing, so that the
 * reason has to be found here.
 */
function explain(error) {
  const missing = ['make', 'python3', 'c++'].filter((tool) => !onPath(tool));
  if (/NODE_MODULE_VERSION/.test(error.message)) {
    return `The Kafka client node-rdkafka was compiled for another version of Node.js than this one (${process.version}): run "npm rebuild node-rdkafka", then the demo again.`;
  }
  if (missing.length > 0) {
    const tools = new Intl.ListFormat('en').format(missing.map((tool) => (tool === 'c++' ? 'a C++ compiler' : tool)));
    return `The Kafka client node-rdkafka has to be compiled and this machine lacks ${tools}: install ${missing.length > 1 ? 'them' : 'it'} (${installer(process.platform)}), then run "${retry()}" and the demo again.`;
  }
  return `The Kafka client node-rdkafka is not compiled here: run "${retry()}" to compile it and to see what goes wrong, then the demo again.`;
}

function retry() {
  const installed = existsSync(new URL('../node_modules/node-rdkafka/package.json', import.meta.url));
  return installed ? 'npm rebuild --foreground-scripts node-rdkafka' : 'npm install --foreground-scripts';
}

function installer(platform) {
  if (platform === 'darwin') return 'xcode-select --install';
  if (platform === 'win32') return 'Visual Studio Build Tools with the C++ workload';
  return 'on Debian and Ubuntu: apt-get install build-essential python3';
}

function onPath(tool) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
