// The files of figures that `--json` writes, and that plots and pages are made of.

import { readFile, writeFile } from 'node:fs/promises';
import type { Machine } from '../lab/machine.ts';
import type { Table } from '../lab/table.ts';
import type { BacklogData } from '../workloads/backlog.ts';
import type { FanOutData } from '../workloads/fan-out.ts';
import type { GrowthData } from '../workloads/growth.ts';
import type { SnapshotData } from '../workloads/held-snapshot.ts';
import type { LifecycleData } from '../workloads/lifecycle.ts';
import type { NoisyData } from '../workloads/noisy.ts';
import type { ParkedData } from '../workloads/parked.ts';
import type { ReturningData } from '../workloads/returning.ts';
import type { ShapesData } from '../workloads/shape-variants.ts';
import type { SoakData } from '../workloads/soak.ts';
import type { TwoInstancesData } from '../workloads/two-instances.ts';
import type { WakeupData } from '../workloads/wakeup.ts';

/** By workload, what it measured. */
export interface Figures {
  readonly lifecycle: LifecycleData;
  readonly shapes: ShapesData;
  readonly 'fan-out': FanOutData;
  readonly 'held-snapshot': SnapshotData;
  readonly wakeup: WakeupData;
  readonly parked: ParkedData;
  readonly backlog: BacklogData;
  readonly returning: ReturningData;
  readonly 'noisy-neighbour': NoisyData;
  readonly 'two-instances': TwoInstancesData;
  readonly growth: GrowthData;
  readonly soak: SoakData;
}

export interface FigureFile {
  readonly machine: Machine;
  readonly settings: { readonly quick: boolean; readonly seconds: number; readonly rounds: number };
  readonly systems: readonly string[];
  readonly figures: Partial<Figures>;
  /** By workload, as they were printed. */
  readonly tables: Readonly<Record<string, readonly Table[]>>;
  readonly failures: readonly string[];
}

/** All workloads of several files; where two hold the same one, the later file's counts. */
export interface Collection {
  readonly figures: Partial<Figures>;
  readonly tables: Readonly<Record<string, readonly Table[]>>;
  /** By workload, the file that it came from. */
  readonly sources: Readonly<Record<string, FigureFile>>;
}

export async function writeFigures(file: string, figures: object): Promise<void> {
  await writeFile(file, `${JSON.stringify(figures, null, 2)}\n`);
}

/** Throws when one of them is not whole: what failed does not count. */
export async function readFigures(files: readonly string[]): Promise<Collection> {
  const read = await Promise.all(files.map(readOne));
  return {
    figures: Object.assign({}, ...read.map((file) => file.figures)),
    tables: Object.assign({}, ...read.map((file) => file.tables)),
    sources: Object.assign({}, ...read.map((file) => mapAll(Object.keys(file.figures), file))),
  };
}

async function readOne(file: string): Promise<FigureFile> {
  const figures = JSON.parse(await readFile(file, 'utf8')) as FigureFile;
  if (figures.tables === undefined || figures.figures === undefined) {
    throw new Error(`${file} holds no figures of this bench`);
  }
  if (figures.failures.length > 0) {
    throw new Error(`${file} is of a run that does not count: ${figures.failures.join('; ')}`);
  }
  return figures;
}

function mapAll<Value>(keys: readonly string[], value: Value): Record<string, Value> {
  return Object.fromEntries(keys.map((key) => [key, value]));
}
