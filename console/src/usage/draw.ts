// Bars that stand on each other, drawn by uPlot. Loaded only with a page that has a chart.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export type Drawn = {
  /** When each bar begins, in seconds since 1970, and when the last one ends. */
  times: readonly number[];
  end: number;
  /** From the lowest to the highest: the heights, and what they are filled with. */
  stacks: readonly { values: readonly number[]; fill: string }[];
  /** Whether times are said in UTC, as days are counted. */
  utc: boolean;
  ink: { text: string; line: string };
};

const HEIGHT = 220;
const AXIS = "12px system-ui, sans-serif";
const count = new Intl.NumberFormat("en", { notation: "compact" });

/** A chart that is in the page until it is destroyed. */
export class Chart {
  readonly #plot: uPlot;
  #drawn: Drawn;

  constructor(at: HTMLElement, drawn: Drawn, point: (bar: number | undefined) => void) {
    this.#drawn = drawn;
    const grid = { stroke: drawn.ink.line, width: 1 };
    const axis: uPlot.Axis = { stroke: drawn.ink.text, font: AXIS, ticks: { show: false } };
    this.#plot = new uPlot(
      {
        width: at.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        ...(drawn.utc ? { tzDate: (at: number) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC") } : {}),
        cursor: { y: false, points: { show: false }, drag: { setScale: false } },
        scales: {
          x: { range: () => [this.#drawn.times[0] ?? 0, this.#drawn.end] },
          y: { range: (_plot, _least, most) => [0, Math.max(most, 4)] },
        },
        axes: [
          { ...axis, grid: { show: false }, space: 64, values: (_plot, all, _axis, _space, step) => all.map((at) => said(at, step, drawn.utc)) },
          { ...axis, grid, size: 52, space: 44, incrs: INCREMENTS, values: (_plot, all) => all.map((it) => count.format(it)) },
        ],
        series: [{}, ...reversed(drawn.stacks).map(({ fill }) => bars(fill))],
        hooks: { setCursor: [(plot) => point(plot.cursor.left !== undefined && plot.cursor.left >= 0 ? under(plot) : undefined)] },
      },
      heights(drawn),
      at,
    );
  }

  /** Draws other heights, of the same stacks. */
  update(drawn: Pick<Drawn, "times" | "end"> & { stacks: readonly { values: readonly number[] }[] }): void {
    const stacks = this.#drawn.stacks.map(({ fill }, number) => ({ fill, values: drawn.stacks[number]?.values ?? [] }));
    this.#drawn = { ...this.#drawn, times: drawn.times, end: drawn.end, stacks };
    this.#plot.setData(heights(this.#drawn));
  }

  resize(width: number): void {
    this.#plot.setSize({ width, height: HEIGHT });
  }

  destroy(): void {
    this.#plot.destroy();
  }
}

/** A time at the axis, as exactly as its neighbours are apart. */
function said(atS: number, stepS: number, utc: boolean): string {
  const at = new Date(atS * 1000);
  const zone = utc ? { timeZone: "UTC" } : {};
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0 && stepS >= 3600;
  if (utc || stepS >= 86_400 || isMidnight) return at.toLocaleDateString("en", { day: "numeric", month: "short", ...zone });
  const seconds = stepS < 60 ? ({ second: "2-digit" } as const) : {};
  return at.toLocaleTimeString("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...seconds });
}

/** Whole numbers only: nobody sends half a request. */
const INCREMENTS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((it) => it * 10 ** power)).flat();

function reversed<T>(list: readonly T[]): T[] {
  return [...list].reverse();
}

function bars(fill: string): uPlot.Series {
  const paths = uPlot.paths.bars?.({ size: [0.86, 48], align: 1 });
  return { fill, width: 0, points: { show: false }, ...(paths ? { paths } : {}) };
}

/** The highest first: those that stand below are drawn over it. */
function heights({ times, stacks }: Drawn): uPlot.AlignedData {
  let below: number[] = times.map(() => 0);
  const tops = stacks.map(({ values }) => (below = below.map((it, at) => it + (values[at] ?? 0))));
  return [[...times], ...reversed(tops)];
}

/** The bar at the cursor: the last one that has begun there. */
function under(plot: uPlot): number | undefined {
  const at = plot.posToVal(plot.cursor.left ?? 0, "x");
  const times = plot.data[0];
  let bar = times.length - 1;
  while (bar > 0 && (times[bar] ?? 0) > at) bar -= 1;
  return bar;
}
