// A page of prose with figures in it: whatever stands between `<!-- figures:NAME -->` and `<!--
// /figures:NAME -->` is written anew, with the plots and tables of the workload NAME; the rest, and
// what was not measured, is left as it is.

import { basename } from 'node:path';
import type { Table } from '../lab/table.ts';
import type { FigureFile } from './figures.ts';
import type { Plot } from './plots.ts';

export interface Block {
  readonly name: string;
  readonly source: FigureFile | null;
  readonly plots: readonly Plot[];
  readonly tables: readonly Table[];
}

/**
 * `directory` is the folder of the plots, seen from the page. Throws when the page has no place for
 * a block.
 */
export function fillPage(page: string, directory: string, blocks: readonly Block[]): string {
  return blocks.reduce((text, block) => {
    const [open, close] = [`<!-- figures:${block.name} -->`, `<!-- /figures:${block.name} -->`];
    const from = text.indexOf(open);
    const to = text.indexOf(close);
    if (from === -1 || to < from) {
      throw new Error(`the page has no place for "${block.name}": it wants the lines ${open} and ${close}`);
    }
    return `${text.slice(0, from + open.length)}\n\n${renderBlock(block, directory)}\n\n${text.slice(to)}`;
  }, page);
}

function renderBlock({ source, plots, tables }: Block, directory: string): string {
  const images = plots.map((plot) => `![${plot.title}](${basename(directory)}/${plot.file})`);
  const circumstances = source === null ? [] : [`*${describeSource(source)}*`];
  return [...circumstances, ...images, ...tables.map(renderMarkdown)].join('\n\n');
}

function describeSource({ machine, settings }: FigureFile): string {
  const { cores, processor, memoryGib, loadBefore, node, postgres } = machine;
  const run = `${settings.rounds} round${settings.rounds === 1 ? '' : 's'}, windows of ${settings.seconds} s`;
  const warning = settings.quick ? ' A smoke run: these figures are noise.' : '';
  return (
    `${cores} cores (${processor}), ${memoryGib} GiB, load before ${loadBefore.toFixed(1)}; Node ${node}, ` +
    `PostgreSQL ${postgres}, fsync ${machine.settings.fsync ?? '?'}; ${run}.${warning}`
  );
}

/** First column to the left, the others to the right. */
function renderMarkdown(table: Table): string {
  const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = table.columns.map((_, index) => (index === 0 ? '---' : '---:'));
  const notes = (table.notes ?? []).join(' ');
  return [
    `**${table.title}**`,
    '',
    row(table.columns),
    row(rule),
    ...table.rows.map(row),
    ...(notes === '' ? [] : ['', notes]),
  ].join('\n');
}
