// Plain text tables for a terminal, and how figures are written in them.

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What a reader must know to read it rightly. */
  readonly notes?: readonly string[];
}

const NOTHING = '–';
const thousands = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** First column to the left, the others to the right. */
export function renderTable(table: Table): string {
  const lines = [table.columns, ...table.rows];
  const widths = table.columns.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? '')].length)));
  const rendered = lines.map((line) =>
    widths
      .map((width, column) => {
        const text = line[column] ?? '';
        const padding = ' '.repeat(width - [...text].length);
        return column === 0 ? text + padding : padding + text;
      })
      .join('  ')
      .trimEnd(),
  );
  const rule = '-'.repeat(widths.reduce((sum, width) => sum + width + 2, -2));
  const [head = '', ...body] = rendered;
  return [table.title, '', head, rule, ...body, ...(table.notes ?? []).map((note) => `  ${note}`), ''].join('\n');
}

export function formatCount(value: number | null): string {
  return value === null ? NOTHING : thousands.format(value);
}

export function formatMs(value: number | null): string {
  return value === null ? NOTHING : value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

/** Seconds of processor time; where they cannot be read, n/a. */
export function formatCpu(value: number | null): string {
  return value === null ? 'n/a' : value.toFixed(2);
}

/** How many times the second the first is. */
export function formatRatio(value: number | null, of: number | null): string {
  return value === null || of === null || of === 0 ? NOTHING : `${(value / of).toFixed(2)} x`;
}

export function formatPercent(value: number | null, of: number | null): string {
  return value === null || of === null || of === 0 ? NOTHING : `${((100 * value) / of).toFixed(0)} %`;
}
