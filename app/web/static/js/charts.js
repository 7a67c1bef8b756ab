// Pictures drawn with uPlot, in the colours of the style sheet, as wide as their place.
/* global uPlot */

import { formatNumber } from "./dom.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const axisFont = () => `12px ${getComputedStyle(document.body).fontFamily}`;

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];
const isPowerOfTen = (value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9;

function axes(logarithmic = false) {
  const common = { stroke: colour("muted"), font: axisFont(), ticks: { show: false } };
  return [
    { ...common, grid: { show: false }, size: 30, space: 70, incrs: WHOLE },
    {
      ...common,
      grid: {
        stroke: colour("line"),
        width: 1,
        ...(logarithmic && { filter: (_, ticks) => ticks.map((tick) => (isPowerOfTen(tick) ? tick : null)) }),
      },
      size: 52,
      values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : formatNumber(tick))),
    },
  ];
}

/** Draws with `make(width)` now, and again when the place's width or the colour scheme changes. */
function keepDrawn(place, make) {
  let plot = null;
  const draw = () => {
    const width = Math.floor(place.clientWidth);
    if (width <= 0) return;
    plot?.destroy();
    plot = make(width);
  };
  let lastWidth = 0;
  new ResizeObserver(() => {
    if (place.clientWidth === lastWidth) return;
    lastWidth = place.clientWidth;
    draw();
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return { redraw: draw, current: () => plot };
}

/** A dashed line at the level of chance, with its label above or below it. */
function chanceLine(chance) {
  return (plot) => {
    const { ctx, bbox } = plot;
    const y = plot.valToPos(chance, "y", true);
    const ratio = devicePixelRatio;
    const text = `chance ${formatNumber(chance)}`;
    const below = y + 18 * ratio < bbox.top + bbox.height;
    ctx.save();
    ctx.strokeStyle = colour("muted");
    ctx.setLineDash([5 * ratio, 4 * ratio]);
    ctx.lineWidth = 1.5 * ratio;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.font = `${12 * ratio}px ${getComputedStyle(document.body).fontFamily}`;
    ctx.textAlign = "right";
    ctx.textBaseline = below ? "top" : "bottom";
    ctx.lineWidth = 4 * ratio;
    ctx.strokeStyle = colour("surface");
    const at = [bbox.left + bbox.width, y + (below ? 5 : -5) * ratio];
    ctx.strokeText(text, ...at);
    ctx.fillStyle = colour("muted");
    ctx.fillText(text, ...at);
    ctx.restore();
  };
}

function lossRange(data) {
  const values = data.curves.flatMap((curve) => curve.loss).filter((value) => value !== null).concat(data.chance);
  const high = Math.max(...values);
  const low = Math.min(...values);
  return data.logarithmic ? [low * 0.8, high * 1.25] : [Math.min(0, low), high * 1.06];
}

/**
 * The loss of the model as it is and of the fixed one in one picture.
 * @param {HTMLElement} place
 * @param {{chance: number, logarithmic: boolean, curves: {label: string, role: string, main: boolean, loss: (number|null)[]}[]}} data
 * @param {(text: string) => void} readout told what the pointer is at
 */
export function drawLoss(place, data, readout) {
  const curves = [...data.curves].sort((one, other) => Number(one.main) - Number(other.main));
  const steps = Math.max(...curves.map((curve) => curve.loss.length));
  const xs = Array.from({ length: steps }, (_, step) => step + 1);
  const pad = (loss) => [...loss, ...Array(steps - loss.length).fill(null)];
  const names = { original: "as it is", fixed: "fixed" };
  const tell = (plot) => {
    const step = plot.cursor.idx;
    if (step === null || step === undefined) return readout("");
    const told = data.curves.filter((curve) => curve.main);
    return readout(`Step ${step + 1}: ${told.map((curve) => `${names[curve.role]} ${formatNumber(curve.loss[step])}`).join(", ")}`);
  };
  place.replaceChildren();
  keepDrawn(
    place,
    (width) =>
      new uPlot(
        {
          width,
          height: 300,
          padding: [8, 16, 0, 0],
          legend: { show: false },
          cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
          scales: { x: { time: false, range: [1, Math.max(2, steps)] }, y: { distr: data.logarithmic ? 3 : 1, range: lossRange(data) } },
          axes: axes(data.logarithmic),
          series: [
            {},
            ...curves.map((curve) => ({
              label: curve.label,
              stroke: colour(curve.role) + (curve.main ? "" : "66"),
              width: curve.main ? 2.5 : 1.25,
              points: { show: curve.loss.length === 1 },
            })),
          ],
          hooks: { draw: [chanceLine(data.chance)], setCursor: [tell] },
        },
        [xs, ...curves.map((curve) => pad(curve.loss))],
        place,
      ),
  ).redraw();
}

/** The loss of the steps heard of so far; `push` adds one. */
export function liveLoss(place) {
  const xs = [];
  const ys = [];
  const drawing = keepDrawn(
    place,
    (width) =>
      new uPlot(
        {
          width,
          height: 140,
          padding: [8, 16, 0, 0],
          legend: { show: false },
          cursor: { show: false },
          scales: { x: { time: false }, y: { range: (_, low, high) => [Math.min(0, low), high * 1.08 || 1] } },
          axes: axes(),
          series: [{}, { stroke: colour("accent"), width: 2, points: { show: false } }],
        },
        [xs, ys],
        place,
      ),
  );
  return (step, loss) => {
    if (xs.length && step <= xs[xs.length - 1]) return;
    xs.push(step);
    ys.push(loss);
    if (drawing.current()) drawing.current().setData([xs, ys]);
    else drawing.redraw();
  };
}
