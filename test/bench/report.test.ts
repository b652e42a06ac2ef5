// What the report makes of figures: places on axes, plots, and pages of which only the marked parts
// are written anew.

import { describe, expect, it } from 'vitest';
import { type Block, fillPage } from './report/page.ts';
import { formatTick, linearScale, logScale } from './report/scale.ts';
import { drawBars, drawLines } from './report/svg.ts';

describe('scales', () => {
  it('ends a linear axis at a round number that is not below the largest value', () => {
    const scale = linearScale(3870);
    expect(scale.ticks).toEqual([0, 1000, 2000, 3000, 4000]);
    expect(scale.place(2000)).toBe(0.5);
  });

  it('puts powers of ten on a logarithmic axis, and nought at its beginning', () => {
    expect(logScale([10, 1000]).ticks).toEqual([10, 100, 1000]);
    expect(logScale([10, 1000]).place(100)).toBeCloseTo(0.5);
    const scale = logScale([0, 10, 1000]);
    expect(scale.ticks).toEqual([0, 10, 100, 1000]);
    expect(scale.place(0)).toBe(0);
    expect(scale.place(10)).toBeCloseTo(1 / 3);
  });

  it('has an axis even where there is nothing to draw', () => {
    expect(linearScale(0).ticks.length).toBeGreaterThan(1);
    expect(logScale([0]).ticks.length).toBeGreaterThan(1);
  });

  it('shortens ticks', () => {
    expect([0, 0.25, 1500, 20_000_000].map(formatTick)).toEqual(['0', '0.25', '1.5k', '20M']);
  });
});

describe('plots', () => {
  it('draw each series, and escape what is text', () => {
    const svg = drawLines({
      title: 'a < b & c',
      xTitle: 'x',
      yTitle: 'y',
      xAxis: 'log',
      yAxis: 'linear',
      series: [
        {
          name: 'one',
          points: [
            [1, 2],
            [10, 4],
          ],
        },
        {
          name: 'two',
          points: [
            [1, 1],
            [10, 1],
          ],
        },
      ],
    });
    expect(svg).toContain('<title>a &lt; b &amp; c</title>');
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).not.toContain('NaN');
  });

  it('draw a bar for each value, higher for more', () => {
    const svg = drawBars({
      title: 't',
      yTitle: 'y',
      groups: [
        {
          name: 'g',
          bars: [
            { series: 'a', value: 1 },
            { series: 'b', value: 2 },
          ],
        },
      ],
    });
    const heights = [...svg.matchAll(/height="([\d.]+)" fill="#(?:0072b2|d55e00)"/g)].map((match) => Number(match[1]));
    expect(heights.slice(-1)[0]).toBeGreaterThan(heights.slice(-2)[0] ?? 0);
    expect(svg).not.toContain('NaN');
  });
});

describe('fillPage', () => {
  const page =
    'before\n<!-- figures:a -->\nold\n<!-- /figures:a -->\nbetween\n<!-- figures:b -->\nkept\n<!-- /figures:b -->\n';
  const block: Block = {
    name: 'a',
    source: null,
    plots: [{ file: 'a.svg', title: 'A', svg: '' }],
    tables: [{ title: 'T', columns: ['x', 'y'], rows: [['1', '2 | 3']] }],
  };

  it('writes a marked part anew and leaves the rest', () => {
    const filled = fillPage(page, 'docs/performance', [block]);
    expect(filled).toContain('![A](performance/a.svg)');
    expect(filled).toContain('| 1 | 2 \\| 3 |');
    expect(filled).not.toContain('old');
    expect(filled).toContain('kept');
    expect(filled.startsWith('before\n')).toBe(true);
  });

  it('gives the same page when it is filled twice', () => {
    const once = fillPage(page, 'docs/performance', [block]);
    expect(fillPage(once, 'docs/performance', [block])).toBe(once);
  });

  it('refuses a page that has no place for what was measured', () => {
    expect(() => fillPage('nothing here', 'docs/performance', [block])).toThrow('figures:a');
  });
});
