import type { Table } from './table.ts';

export interface BenchOptions {
  /** A smoke run: that it works, not what it finds. */
  readonly quick: boolean;
  /** The Node.js to measure on. */
  readonly node: string;
  /** Progress, for whoever waits. */
  readonly say: (line: string) => void;
}

/** One question about loopblame's cost or its accuracy. */
export type Bench = (options: BenchOptions) => Promise<Table>;
