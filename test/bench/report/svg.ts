// Plots as SVG, without a library: lines over a linear or logarithmic axis, and grouped bars. Each
// is a file of its own with a white ground, so that it reads the same on a dark page, and with a
// title for those who do not see it.

import { formatTick, linearScale, logScale, type Scale } from './scale.ts';

export interface Series {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface LinePlot {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly xAxis: 'linear' | 'log';
  readonly yAxis: 'linear' | 'log';
  readonly series: readonly Series[];
}

export interface BarGroup {
  readonly name: string;
  readonly bars: readonly { readonly series: string; readonly value: number }[];
}

export interface BarPlot {
  readonly title: string;
  readonly yTitle: string;
  readonly groups: readonly BarGroup[];
  /** Each group has an axis of its own: for groups that are an order of magnitude apart. */
  readonly ownAxes?: boolean;
}

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const WIDTH = 760;
const HEIGHT = 400;
const MARGIN = { left: 66, right: 20, top: 40, bottom: 46 };
const LEGEND_ROW = 18;
const LEGEND_CHARACTER = 7.4;
const GRID = '#e2e5ea';
const TEXT = '#30363d';
/**
 * Okabe and Ito's, distinct for those who see colours differently; the first is for what the plot
 * is about.
 */
const COLOURS = [
  '#0072b2',
  '#d55e00',
  '#009e73',
  '#cc79a7',
  '#e69f00',
  '#56b4e9',
  '#555555',
  '#8a6d00',
  '#7b3fa0',
  '#a05a2c',
];

export function drawLines(plot: LinePlot): string {
  const names = plot.series.map((series) => series.name);
  const legend = layOutLegend(names);
  const frame = frameBelow(legend.height);
  const xs = plot.series.flatMap((series) => series.points.map(([x]) => x));
  const ys = plot.series.flatMap((series) => series.points.map(([, y]) => y));
  const x = plot.xAxis === 'log' ? logScale(xs) : linearScale(Math.max(...xs));
  const y = plot.yAxis === 'log' ? logScale(ys) : linearScale(Math.max(...ys));
  const lines = plot.series.map((series, index) => {
    const places = series.points.map(([px, py]) => `${at(frame, 'x', x.place(px))},${at(frame, 'y', y.place(py))}`);
    const dots = places.map((place) => {
      const [cx, cy] = place.split(',');
      return `<circle cx="${cx}" cy="${cy}" r="${places.length > 40 ? 0 : 3}" fill="${colourOf(index)}"/>`;
    });
    return `<polyline points="${places.join(' ')}" fill="none" stroke="${colourOf(index)}" stroke-width="2"/>${dots.join('')}`;
  });
  return wrap(plot.title, [
    ...legend.elements,
    ...yAxis(frame, y, plot.yTitle),
    ...xTicks(frame, x),
    label(frame.left + frame.width / 2, HEIGHT - 8, plot.xTitle, 'middle'),
    ...lines,
  ]);
}

export function drawBars(plot: BarPlot): string {
  const names = [...new Set(plot.groups.flatMap((group) => group.bars.map((bar) => bar.series)))];
  const legend = layOutLegend(names);
  const frame = frameBelow(legend.height);
  const common = linearScale(Math.max(...plot.groups.flatMap((group) => group.bars.map((bar) => bar.value))));
  const width = frame.width / plot.groups.length;
  const groups = plot.groups.flatMap((group, index) => {
    const scale = plot.ownAxes === true ? linearScale(Math.max(...group.bars.map((bar) => bar.value))) : common;
    const own = { ...frame, left: frame.left + index * width, width };
    return [...drawGroup(own, group, scale, names), label(own.left + width / 2, HEIGHT - 26, group.name, 'middle')];
  });
  const axis =
    plot.ownAxes === true
      ? [turned(`${plot.yTitle} (a scale for each group)`.trim(), frame)]
      : yAxis(frame, common, plot.yTitle);
  return wrap(plot.title, [...legend.elements, ...axis, baseline(frame), ...groups]);
}

function drawGroup(frame: Frame, group: BarGroup, scale: Scale, names: readonly string[]): string[] {
  const gap = frame.width * 0.12;
  const width = (frame.width - gap) / Math.max(1, group.bars.length);
  return group.bars.flatMap(({ series, value }, index) => {
    const left = frame.left + gap / 2 + index * width;
    const top = at(frame, 'y', scale.place(value));
    const height = frame.top + frame.height - top;
    const bar = `<rect x="${round(left)}" y="${top}" width="${round(width * 0.86)}" height="${round(height)}" fill="${colourOf(names.indexOf(series))}"/>`;
    return [bar, label(left + width * 0.43, top - 4, formatTick(value), 'middle', width > 30 ? 10 : 8)];
  });
}

function layOutLegend(names: readonly string[]): { elements: string[]; height: number } {
  let left = MARGIN.left;
  let top = MARGIN.top;
  const elements = names.flatMap((name, index) => {
    const width = 30 + name.length * LEGEND_CHARACTER;
    if (left + width > WIDTH - MARGIN.right && left > MARGIN.left) {
      left = MARGIN.left;
      top += LEGEND_ROW;
    }
    const mark = `<rect x="${round(left)}" y="${top - 9}" width="11" height="11" fill="${colourOf(index)}"/>`;
    const text = label(left + 16, top, name, 'start');
    left += width;
    return [mark, text];
  });
  return { elements, height: top - MARGIN.top + LEGEND_ROW };
}

function frameBelow(legendHeight: number): Frame {
  const top = MARGIN.top + legendHeight;
  return { left: MARGIN.left, top, width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.bottom - top };
}

function yAxis(frame: Frame, scale: Scale, title: string): string[] {
  const ticks = scale.ticks.flatMap((tick) => {
    const y = at(frame, 'y', scale.place(tick));
    const line = `<line x1="${frame.left}" y1="${y}" x2="${frame.left + frame.width}" y2="${y}" stroke="${GRID}"/>`;
    return [line, label(frame.left - 6, y + 4, formatTick(tick), 'end')];
  });
  return [...ticks, turned(title, frame)];
}

function xTicks(frame: Frame, scale: Scale): string[] {
  const bottom = frame.top + frame.height;
  const ticks = scale.ticks.flatMap((tick) => {
    const x = at(frame, 'x', scale.place(tick));
    const line = `<line x1="${x}" y1="${frame.top}" x2="${x}" y2="${bottom}" stroke="${GRID}"/>`;
    return [line, label(x, bottom + 16, formatTick(tick), 'middle')];
  });
  return [...ticks, baseline(frame)];
}

function baseline(frame: Frame): string {
  const bottom = frame.top + frame.height;
  return `<line x1="${frame.left}" y1="${bottom}" x2="${frame.left + frame.width}" y2="${bottom}" stroke="${TEXT}"/>`;
}

function turned(title: string, frame: Frame): string {
  const y = round(frame.top + frame.height / 2);
  return `<text transform="translate(16 ${y}) rotate(-90)" text-anchor="middle" font-size="12" fill="${TEXT}">${escapeText(title)}</text>`;
}

function label(x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end', size = 12): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}" fill="${TEXT}">${escapeText(text)}</text>`;
}

function at(frame: Frame, axis: 'x' | 'y', place: number): number {
  return axis === 'x' ? round(frame.left + place * frame.width) : round(frame.top + (1 - place) * frame.height);
}

function wrap(title: string, elements: readonly string[]): string {
  const head = `<text x="${WIDTH / 2}" y="18" text-anchor="middle" font-size="14" font-weight="bold" fill="${TEXT}">${escapeText(title)}</text>`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" font-family="Helvetica, Arial, sans-serif">`,
    `<title>${escapeText(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#ffffff"/>`,
    head,
    ...elements,
    '</svg>',
    '',
  ].join('\n');
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] ?? TEXT;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
