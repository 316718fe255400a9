export { DEFAULTS, type EventLoopInstrumentationConfig } from './config.ts';
export { EventLoopInstrumentation } from './instrumentation.ts';
