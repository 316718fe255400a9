/** Two worker processes, each with its own server and request. */
const cluster = require('node:cluster');
const { serve } = require('./serve.cjs');

cluster.on('exit', (_worker, code, signal) => console.log(`TRUTH ${JSON.stringify({ code, signal })}`));
if (cluster.isPrimary) for (let i = 0; i < 2; i++) cluster.fork();
else serve(require('node:http'), () => cluster.worker.disconnect());
