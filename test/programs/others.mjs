/** Uses a module that others patch, and one that HTTP instrumentation does. */
import { createServer, get } from 'node:http';
import { hashSync } from 'bcryptjs';
import { truth } from './lib.mjs';
import { serve } from './serve.cjs';

truth({ hash: hashSync('secret', 4) });
serve({ createServer, get });
