/** The report as one HTML file: no script, nothing loaded from elsewhere, every piece of data escaped by Preact. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { renderToStaticMarkup } from 'preact-render-to-string';
import { mainCulprits } from './findings.mjs';
import * as format from './format.mjs';
import { html, TracePicture, WorkerPicture } from './pictures.mjs';
import { traceScene, workerScene } from './scenes.mjs';
import { pictureStyle, theme } from './theme.mjs';

const STRIP_MS = 3000;
const CONTEXT_LINES = 3;

const measures = [
  { label: 'Requests a second', of: (row) => row.requestsPerSecond, show: format.perSecond },
  { label: 'Served at a time', of: (row) => row.servedAtATime, show: format.count },
  { label: 'Half of them answered within', of: (row) => row.p50Ms, show: format.milliseconds },
  { label: '99 of 100 answered within', of: (row) => row.p99Ms, show: format.milliseconds },
  { label: 'CPU a worker', of: (row) => row.cpuPercent, show: format.percent },
];

/**
 * @param {ReturnType<import('./findings.mjs').findings>} found
 * @param {Record<string, object[]>} modes what run() returned
 */
export function page(found, modes, { settings, home }) {
  const body = renderToStaticMarkup(html`<${Page} found=${found} modes=${modes} settings=${settings} home=${home} />`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>loopblame: who held the loop of orders-service</title>
<style>${theme}${pictureStyle}${pageStyle}</style>
</head>
<body>${body}</body>
</html>
`;
}

function Page({ found, modes, settings, home }) {
  const { blocking, fixed } = found.modes;
  const guilty = mainCulprits(found.culprits, 'blocking');
  return html`
    <main>
      <h1>${settings.workers} workers, ${format.count(blocking[0].servedAtATime)} requests at a time, ${format.percent(blocking[0].cpuPercent)} CPU</h1>
      <p class="lead">
        ${settings.connections} clients kept an orders service busy, once with two calls that wait for Kafka
        (<span class="held-text">blocking</span>) and once without waiting (<span class="good-text">fixed</span>).
        Everything on this page was measured in that run.
      </p>

      <section>
        <h2>Who held the loop</h2>
        <p>From the marks that loopblame left on the spans of the blocking run, the dearest first.</p>
        ${guilty.map((culprit) => html`<${Culprit} culprit=${culprit} home=${home} />`)}
      </section>

      <section>
        <h2>What that did</h2>
        <div class="columns">
          ${blocking.map((row, i) => html`<${Comparison} blocking=${row} fixed=${fixed[i]} />`)}
        </div>
        <p class="aside">
          Served at a time: requests whose write was on its way to Kafka and back at one moment, all workers together.
        </p>
      </section>

      <section>
        <h2>What a fix would buy</h2>
        <p>
          Foretold from the traces of the blocking run: each request as it was, without the stretches in which others held
          the loop. Then measured: the fixed run was asked as often as the blocking one had been.
        </p>
        <div class="columns">
          ${found.forecasts.map((told) => html`<${Fix} told=${told} />`)}
        </div>
        <p class="aside">
          Awaited: until Kafka has answered, with the loop free meanwhile. Not waiting: the route answers at once. The tails
          are told as “at least”: what queues elsewhere then, no trace of a blocked worker can show.
        </p>
      </section>

      <section>
        <h2>One trace of each route</h2>
        <p>
          Blue: what the request did besides. Red: the stretch in which it held the loop. Hatched: other requests of the
          process, which have nothing to do with it and could not go on.
        </p>
        ${modes.blocking.map((run) => html`<${Trace} run=${run} home=${home} />`)}
      </section>

      <section>
        <h2>One worker, ${format.seconds(STRIP_MS / 1000)}</h2>
        <p>
          Each line is a connection, each bar a request. Red: the request holds the loop, one at a time. Grey: the
          request waits. Blank, in the blocking run: the client has sent its request, and the worker has not even read it.
        </p>
        ${modes.blocking.map((run, i) => html`<${Worker} blocking=${run} fixed=${modes.fixed[i]} />`)}
      </section>
    </main>
  `;
}

function Culprit({ culprit, home }) {
  return html`
    <article class="culprit">
      <header>
        <code class="held-text">${culprit.function ?? 'unknown'}</code>
        <code class="muted">${culprit.file === null ? '' : `${culprit.file}:${culprit.line}`}</code>
      </header>
      <dl>
        <div><dt>call</dt><dd><code>${culprit.section ?? 'none known'}</code></dd></div>
        <div><dt>cause</dt><dd><code>${culprit.cause}</code></dd></div>
        <div><dt>span</dt><dd>${culprit.span}</dd></div>
        <div><dt>held the loop</dt><dd>${format.count(culprit.count)} times, at worst ${format.milliseconds(culprit.worstMs)}</dd></div>
        <div><dt>others stood still</dt><dd>${format.count(culprit.othersMedian)} each time (up to ${format.count(culprit.othersMost)}), ${format.seconds(culprit.harmSeconds)} in all</dd></div>
      </dl>
      <${Source} file=${culprit.file} line=${culprit.line} home=${home} />
    </article>
  `;
}

/** The lines around the finding, as they stand in the file. */
function Source({ file, line, home }) {
  if (file === null) return null;
  const lines = readFileSync(resolve(home, file), 'utf8').split('\n');
  const first = Math.max(1, line - CONTEXT_LINES);
  const excerpt = lines.slice(first - 1, line + CONTEXT_LINES);
  return html`
    <pre>${excerpt.map((text, i) => html`<span class=${first + i === line ? 'hit' : ''}><i>${first + i}</i>${text}${'\n'}</span>`)}</pre>
  `;
}

function Comparison({ blocking, fixed }) {
  return html`
    <div>
      <h3>${blocking.route}</h3>
      ${measures.map(({ label, of, show }) => {
        const most = Math.max(of(blocking), of(fixed));
        return html`
          <div class="measure">
            <div class="label">${label}</div>
            ${[
              ['blocking', blocking],
              ['fixed', fixed],
            ].map(
              ([mode, row]) => html`
                <div class="bar">
                  <div class=${mode} style=${{ width: `${(of(row) / most) * 72}%` }}></div>
                  <span>${show(of(row))}</span>
                </div>
              `,
            )}
          </div>
        `;
      })}
    </div>
  `;
}

function Fix({ told }) {
  const p99 = (value) => (value === undefined ? '–' : format.milliseconds(value));
  return html`
    <div>
      <h3>${told.route}, ${format.perSecond(told.measured.perSecond)} requests a second</h3>
      <table>
        <thead>
          <tr><th></th><th></th><th>p50</th><th>p99</th></tr>
        </thead>
        <tbody>
          <tr class="held-text">
            <th>as it is</th><td>by its traces</td><td>${format.milliseconds(told.asItIs.p50Ms)}</td><td>${p99(told.asItIs.p99Ms)}</td>
          </tr>
          ${[
            ['awaited', 'awaited'],
            ['notWaiting', 'not waiting'],
          ].map(
            ([kind, label]) => html`
              <tr class="first">
                <th>${label}</th><td>forecast</td><td>${format.foretold(told[kind].p50Ms)}</td><td>${format.atLeast(told[kind].p99Ms)}</td>
              </tr>
              <tr class="good-text">
                <th></th><td>measured</td><td>${format.milliseconds(told.measured[kind].p50Ms)}</td><td>${format.milliseconds(told.measured[kind].p99Ms)}</td>
              </tr>
              <tr class="muted">
                <th></th><td>off by</td><td>${format.difference(told.off[kind].p50Ms)}</td><td>${format.difference(told.off[kind].p99Ms)}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
      <p class="aside">
        As long as <code>${told.culprit.function}</code> holds the loop, a worker cannot pass
        ${' '}${format.perSecond(told.ceilingPerSecond)} requests a second (now ${format.perSecond(told.nowPerSecond)}).
      </p>
    </div>
  `;
}

function Trace({ run, home }) {
  const scene = traceScene(run, home);
  if (!scene) return null;
  return html`
    <figure>
      <figcaption>${run.route}</figcaption>
      <${TracePicture} scene=${scene} />
    </figure>
  `;
}

function Worker({ blocking, fixed }) {
  return [
    ['blocking', workerScene(blocking, STRIP_MS), 'waiting'],
    ['fixed', workerScene(fixed, STRIP_MS), 'good'],
  ].map(
    ([mode, scene, look]) => html`
      <figure>
        <figcaption>
          ${scene.route}, ${mode}: ${format.count(scene.answered)} requests answered on ${scene.connections.length} connections
        </figcaption>
        <${WorkerPicture} scene=${scene} look=${look} />
      </figure>
    `,
  );
}

const pageStyle = `
  body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, -apple-system, 'Segoe UI', sans-serif; }
  main { max-width: 980px; margin: 0 auto; padding: 40px 20px 80px; }
  h1 { font-size: 30px; line-height: 1.2; margin: 0 0 12px; }
  h2 { font-size: 21px; margin: 48px 0 6px; }
  h3 { font-size: 15px; margin: 0 0 10px; }
  p { margin: 0 0 14px; max-width: 72ch; }
  .lead { font-size: 18px; }
  .aside, .muted { color: var(--muted); }
  .aside { font-size: 14px; }
  code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.9em; }
  .held-text { color: var(--held); font-weight: 600; }
  .good-text { color: var(--good); font-weight: 600; }
  .culprit { border: 1px solid var(--rule); border-left: 4px solid var(--held); border-radius: 6px; padding: 14px 18px; margin: 14px 0; }
  .culprit header { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; font-size: 18px; }
  .culprit header .muted { font-size: 15px; }
  dl { display: flex; flex-wrap: wrap; gap: 6px 28px; margin: 8px 0 0; font-size: 14px; }
  dt { color: var(--muted); font-size: 12px; }
  dd { margin: 0; }
  pre { background: var(--panel); border-radius: 6px; padding: 10px 0; margin: 12px 0 0; overflow-x: auto; line-height: 1.45; }
  pre span { display: block; padding: 0 14px; width: max-content; min-width: 100%; box-sizing: border-box; }
  pre i { display: inline-block; width: 2.6em; color: var(--muted); font-style: normal; user-select: none; }
  pre .hit { background: var(--held-soft); box-shadow: inset 3px 0 var(--held); }
  .columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 32px; margin-top: 14px; }
  table { border-collapse: collapse; width: 100%; margin-bottom: 10px; font-size: 14px; font-variant-numeric: tabular-nums; }
  table th { font-weight: 600; text-align: left; white-space: nowrap; }
  table th, table td { padding: 2px 0 2px 12px; }
  table th:first-child { padding-left: 0; }
  table th:nth-child(n + 3), table td:nth-child(n + 3) { text-align: right; }
  table .first > * { border-top: 1px solid var(--rule); }
  .measure { margin-bottom: 12px; }
  .measure .label { font-size: 13px; color: var(--muted); }
  .bar { display: flex; align-items: center; gap: 8px; height: 18px; font-size: 13px; font-variant-numeric: tabular-nums; }
  .bar div { height: 12px; min-width: 2px; border-radius: 2px; }
  .bar .blocking { background: var(--held); }
  .bar .fixed { background: var(--good); }
  figure { margin: 18px 0; overflow-x: auto; }
  figure svg { display: block; width: 100%; min-width: 720px; }
  figcaption { font-size: 14px; font-weight: 600; margin-bottom: 4px; }
  .picture .waiting { fill: var(--open); }
`;
