// Whether Node has loaded a module of its own that this program has no use for.
import { truth } from './lib.mjs';

truth({ loaded: process.moduleLoadList.includes(process.argv[2]) });
