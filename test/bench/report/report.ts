// `--plots`: reads files of figures, draws the plots into a folder, and writes tables and plots
// into the page of that name.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Collection, type Figures, readFigures } from './figures.ts';
import { type Block, fillPage } from './page.ts';
import { type Plot, plotters } from './plots.ts';
import { targetTable } from './targets.ts';

/**
 * Writes `<directory>/*.svg` and rewrites the blocks of `<directory>.md`; returns what it wrote.
 */
export async function writeReport(directory: string, figureFiles: readonly string[]): Promise<string[]> {
  const collection = await readFigures(figureFiles);
  const blocks: Block[] = [
    { name: 'targets', source: null, plots: [], tables: [targetTable(collection.figures)] },
    ...Object.keys(plotters).flatMap((name) => blockOf(name as keyof Figures, collection)),
  ];
  const folder = directory.replace(/\/+$/, '');
  const page = `${folder}.md`;
  const filled = fillPage(await readFile(page, 'utf8'), folder, blocks);
  await mkdir(folder, { recursive: true });
  const plots = blocks.flatMap((block) => block.plots);
  await Promise.all(plots.map((plot) => writeFile(join(folder, plot.file), plot.svg)));
  await writeFile(page, filled);
  return [page, ...plots.map((plot) => join(folder, plot.file))];
}

/** None when the workload was not measured. */
function blockOf<Name extends keyof Figures>(name: Name, { figures, tables, sources }: Collection): Block[] {
  const data = figures[name];
  if (data === undefined) {
    return [];
  }
  const plot: (data: Figures[Name]) => Plot[] = plotters[name];
  return [{ name, source: sources[name] ?? null, plots: plot(data), tables: tables[name] ?? [] }];
}
