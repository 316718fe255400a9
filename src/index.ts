export { allowBlocking } from './allow-blocking.ts';
export { DEFAULTS, type EventLoopInstrumentationConfig } from './config.ts';
export { EventLoopInstrumentation } from './instrumentation.ts';
