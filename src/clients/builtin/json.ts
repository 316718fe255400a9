import { activeSpan } from '../../spans/active.ts';
import { disguise, replaceMethod } from '../../wrap.ts';
import { defineClient } from '../define.ts';

/** Below this a text is parsed in well under a millisecond. */
const LONG_TEXT = 64 * 1024;

/** `JSON.parse` of long texts. Short ones are parsed by the million: they pay for one comparison. */
export const json = defineClient({
  module: 'JSON',
  versions: [],
  system: 'nodejs',
  prefix: 'JSON.',
  builtin: () => JSON,
  patches: [
    {
      patch(target: JSON, tools) {
        const section = tools.section('parse', 'call');
        const undo = replaceMethod(target, 'parse', (original) => {
          const plain = original as typeof JSON.parse;
          // A method, since JSON.parse is no constructor; it looks at neither `this` nor a third argument.
          const { parse } = {
            // biome-ignore lint/suspicious/noExplicitAny: as JSON.parse
            parse(text: any, reviver?: any): unknown {
              if (!isLong(text)) return plain(text, reviver);
              const { sections } = tools;
              return sections
                ? sections.run(section, activeSpan(), plain, JSON, [text, reviver], parse)
                : plain(text, reviver);
            },
          };
          return disguise(parse, original);
        });
        return [undo];
      },
    },
  ],
});

/** A text in a buffer is one too. Of anything else nothing is asked: a getter would run twice. */
function isLong(text: unknown): boolean {
  if (typeof text === 'string') return text.length > LONG_TEXT;
  return ArrayBuffer.isView(text) && text.byteLength > LONG_TEXT;
}
