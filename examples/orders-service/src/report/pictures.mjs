/** The pictures, as components that render to SVG. Preact escapes whatever text they are given. */
import { scaleLinear } from 'd3-scale';
import htm from 'htm';
import { h } from 'preact';
import * as format from './format.mjs';

export const html = htm.bind(h);

const WIDTH = 940;
const LABELS = 236;
const ROW = 26;
const VICTIM = 15;
const AXIS = 30;

/** One trace as a waterfall, the stretch that held the loop in red, and below it who stood still meanwhile. */
export function TracePicture({ scene, children }) {
  const { view, stretch, place, rows, victims, moreVictims } = scene;
  const x = scaleLinear()
    .domain([view.startMs, view.endMs])
    .rangeRound([LABELS, WIDTH - 16]);
  const band = clip(stretch, view);
  const note = 58;
  const victimsTop = AXIS + rows.length * ROW + note + 22;
  const bottom = victimsTop + victims.length * VICTIM + (moreVictims > 0 ? 20 : 4);
  const middle = (x(band.startMs) + x(band.endMs)) / 2;
  const noteTop = AXIS + rows.length * ROW;

  return html`
    <svg class="picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 12}" role="img"
      aria-label="Trace of ${scene.route}: ${place.function ?? 'unknown code'} held the event loop for ${format.milliseconds(stretch.endMs - stretch.startMs)}">
      ${children}
      <${Hatch} />
      <${Axis} x=${x} view=${view} zeroMs=${rows[0].span.startMs} bottom=${bottom} />
      <rect class="held-soft" x=${x(band.startMs)} y=${AXIS} width=${x(band.endMs) - x(band.startMs)} height=${bottom - AXIS} />
      ${rows.map(
        ({ span, depth, isCulprit }, i) => html`
          <g transform="translate(0 ${AXIS + i * ROW})">
            <title>${span.name}: ${format.milliseconds(span.endMs - span.startMs)}</title>
            <text class=${isCulprit ? 'held-text' : undefined} x=${12 + depth * 14} y="17">${shorten(span.name, 30 - depth * 2)}</text>
            <${Bar} class=${i === 0 ? 'open' : 'work'} x=${x} span=${clip(span, view)} y="5" height="16" />
            ${isCulprit && html`<${Bar} class="held" x=${x} span=${band} y="5" height="16" />`}
            <text class="small muted" ...${besides(x, clip(span, view))} y="17">${isCulprit || i === 0 ? '' : format.milliseconds(span.endMs - span.startMs)}</text>
          </g>
        `,
      )}
      <${Note} x=${middle} y=${noteTop} place=${place} stretch=${stretch} />
      <text class="strong" x="12" y=${victimsTop - 8}>Requests that stood still</text>
      <line class="rule" x1="12" x2=${WIDTH - 16} y1=${victimsTop - 26} y2=${victimsTop - 26} />
      ${victims.map(
        (victim, i) => html`
          <g transform="translate(0 ${victimsTop + i * VICTIM})">
            <title>${victim.name}: ${format.milliseconds(victim.endMs - victim.startMs)} in all</title>
            <text class="small muted" x="26" y="10">${nameOf(victim)}</text>
            <${Bar} class="open" x=${x} span=${clip(victim, view)} y="2" height="9" />
            <${Bar} class="still" x=${x} span=${clip(stretch, clip(victim, view))} y="2" height="9" />
          </g>
        `,
      )}
      ${
        moreVictims > 0 &&
        html`<text class="small muted" x="26" y=${bottom - 6}>and ${moreVictims} more request${moreVictims > 1 ? 's' : ''}</text>`
      }
    </svg>
  `;
}

/** What loopblame wrote on the span, under the stretch. */
function Note({ x, y, place, stretch }) {
  const lines = [
    {
      class: 'held-text',
      text: `held the loop for ${format.milliseconds(stretch.endMs - stretch.startMs)}, ${place.cause}`,
    },
    {
      class: 'code',
      text: `${place.function ?? 'unknown'}${place.file === null ? '' : `  ${place.file}:${place.line}`}`,
    },
    { class: 'code muted', text: place.section ?? '' },
  ];
  const middle = Math.min(Math.max(x, LABELS + 150), WIDTH - 166);
  return html`
    <g text-anchor="middle">
      ${lines.map(({ text, ...look }, i) => html`<text ...${look} x=${middle} y=${y + 16 + i * 17}>${text}</text>`)}
    </g>
  `;
}

/** One worker's connections, side by side: who was served, who waited. */
export function WorkerPicture({ scene, look }) {
  const { view, connections } = scene;
  const x = scaleLinear([view.startMs, view.endMs], [24, WIDTH - 32]);
  const row = 9;
  const bottom = AXIS + connections.length * row;
  const requests = connections.flatMap((list, i) => list.map((request) => ({ ...request, y: AXIS + i * row })));
  const path = (spans) => spans.map(({ y, ...span }) => bar(x, clip(span, view), y + 1, row - 3)).join('');

  return html`
    <svg class="picture" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 6}" role="img"
      aria-label="${format.count(scene.answered)} requests answered on ${connections.length} connections">
      <${Axis} x=${x} view=${view} zeroMs=${view.startMs} bottom=${bottom} />
      <path class=${look} d=${path(requests)} />
      <path class="held" d=${path(requests.flatMap(({ stretches, y }) => stretches.map((stretch) => ({ ...stretch, y }))).filter((stretch) => overlaps(stretch, view)))} />
    </svg>
  `;
}

function Axis({ x, view, zeroMs, bottom }) {
  const ticks = scaleLinear()
    .domain([view.startMs - zeroMs, view.endMs - zeroMs])
    .rangeRound(x.range());
  return html`
    <g>
      ${ticks.ticks(7).map(
        (tick) => html`
          <line class="rule" x1=${ticks(tick)} x2=${ticks(tick)} y1=${AXIS - 4} y2=${bottom} />
          <text class="small muted" text-anchor="middle" x=${ticks(tick)} y=${AXIS - 11}>${format.milliseconds(tick)}</text>
        `,
      )}
    </g>
  `;
}

function Hatch() {
  return html`
    <defs>
      <pattern id="still" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
        <rect class="open" width="5" height="5" />
        <line class="still-line" x1="0" x2="0" y1="0" y2="5" />
      </pattern>
    </defs>
  `;
}

function Bar({ x, span, ...rest }) {
  return html`<rect ...${rest} x=${x(span.startMs)} width=${Math.max(1.5, x(span.endMs) - x(span.startMs))} rx="2" />`;
}

/** A bar as part of a path: a thousand requests are one element. */
function bar(x, { startMs, endMs }, y, height) {
  const left = x(startMs);
  const width = Math.max(1, x(endMs) - left - 0.5);
  return `M${left.toFixed(1)} ${y}h${width.toFixed(1)}v${height}h${(-width).toFixed(1)}z`;
}

/** Where the label of a bar goes: after it, or before it where there is no room. */
function besides(x, span) {
  const after = x(span.endMs) + 6;
  return after > WIDTH - 70 ? { x: x(span.startMs) - 6, 'text-anchor': 'end' } : { x: after };
}

function clip(span, view) {
  return { startMs: Math.max(span.startMs, view.startMs), endMs: Math.min(span.endMs, view.endMs) };
}

function overlaps(a, b) {
  return a.startMs < b.endMs && a.endMs > b.startMs;
}

function nameOf({ attributes }) {
  return `${attributes['http.request.method']} ${attributes['url.path']}`;
}

function shorten(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
