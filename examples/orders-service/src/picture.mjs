/** `npm run picture FILE`: one trace of a real run, drawn as one SVG file. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { renderToStaticMarkup } from 'preact-render-to-string';
import { home } from './children.mjs';
import { html, TracePicture } from './report/pictures.mjs';
import { traceScene } from './report/scenes.mjs';
import { pictureStyle, theme } from './report/theme.mjs';
import { run } from './run.mjs';
import { routes } from './settings.mjs';
import { stage } from './stage.mjs';
import { Unable } from './unable.mjs';

await stage(async (say) => {
  const [file] = process.argv.slice(2);
  if (!file) throw new Unable('Say where the picture should go: npm run picture trace.svg');
  const { blocking } = await run(say, { modes: ['blocking'], routes: routes.slice(0, 1) });
  const scene = traceScene(blocking[0], home);
  if (!scene) throw new Unable('No request of this run was marked as blocking, so there is nothing to draw.');
  const path = resolve(process.env.INIT_CWD ?? '.', file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    renderToStaticMarkup(html`
      <${TracePicture} scene=${scene}>
        <style dangerouslySetInnerHTML=${{ __html: `${theme}${pictureStyle}` }} />
        <rect class="paper" width="100%" height="100%" rx="8" />
      <//>
    `),
  );
  return path;
});
