/** The same by named imports, which only a loader hook can patch. */
import { createServer, get } from 'node:http';
import { serve } from './serve.cjs';

serve({ createServer, get });
