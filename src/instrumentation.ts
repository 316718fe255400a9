import { type MeterProvider, type TracerProvider, trace } from '@opentelemetry/api';
import { InstrumentationBase, type InstrumentationNodeModuleDefinition } from '@opentelemetry/instrumentation';
import { type ActiveInstance, activeInstance, setActiveInstance } from './active.ts';
import { clients } from './clients/index.ts';
import { Patcher } from './clients/patcher.ts';
import { type EventLoopInstrumentationConfig, type ResolvedConfig, resolveConfig } from './config.ts';
import { logInfo, warnOnce } from './log.ts';
import { LoopMonitor } from './monitor.ts';
import type { SectionRecorder } from './sections/recorder.ts';
import { VERSION } from './version.ts';
import { beforeSelfKill } from './watchdog/self-kill.ts';
import type { Undo } from './wrap.ts';

/**
 * Finds the spans that block the event loop, and says for how long, where in the code and why.
 *
 * Give it to the `instrumentations` of your NodeSDK; nothing else is needed: it marks spans of whatever instrumentation,
 * as attributes and events on the spans themselves, and emits `event_loop.*` metrics. It watches the loop of the thread that it
 * is made in: a worker thread with an SDK of its own gets one of its own, and they share the watching thread.
 *
 * @throws {TypeError} on options that are not accepted, before anything is patched: all errors in one message.
 * @since 0.1.0
 */
export class EventLoopInstrumentation
  extends InstrumentationBase<EventLoopInstrumentationConfig>
  implements ActiveInstance
{
  // The base class calls init() and enable() before this class's fields would be set: they are declared alone.
  declare private _options: ResolvedConfig | undefined;
  declare private _patcher: Patcher | undefined;
  declare private _monitor: LoopMonitor | undefined;
  declare private _undoSelfKill: Undo | undefined;

  constructor(config: EventLoopInstrumentationConfig = {}) {
    const options = resolveConfig(config);
    super('loopblame', VERSION, { ...config, ...options });
  }

  protected override init(): InstrumentationNodeModuleDefinition[] {
    this._options = resolveConfig(this.getConfig());
    this._patcher = new Patcher(clients, {
      recorder: () => this._monitor?.sections,
      clientSpans: this._options.clientSpans,
      tracer: () => this.tracer,
    });
    return this._patcher.moduleDefinitions();
  }

  /** @internal */
  get sections(): SectionRecorder | undefined {
    return this._monitor?.sections;
  }

  override enable(): void {
    if (this._monitor) return;
    const active = activeInstance();
    if (active && active !== this) {
      warnOnce('twice', 'another EventLoopInstrumentation already watches this process: this one stays off');
      return;
    }
    setActiveInstance(this);
    this._monitor = new LoopMonitor(this._options ?? resolveConfig(this.getConfig()), () => this.tracer);
    super.enable();
    this._patcher?.patchBuiltins();
    this._monitor.useTracerProvider(trace.getTracerProvider());
    this._monitor.useMeter(this.meter);
    this._monitor.start();
    this._undoSelfKill = beforeSelfKill(
      () => this.disable(),
      () => this.enable(),
    );
    logInfo(`watching the event loop: spans that hold it over ${this._options?.blockedThresholdMs} ms are marked`);
  }

  override disable(): void {
    const monitor = this._monitor;
    if (!monitor) return;
    this._undoSelfKill?.();
    this._patcher?.unpatchBuiltins();
    super.disable();
    monitor.stop();
    this._monitor = undefined;
    setActiveInstance(undefined);
  }

  override setTracerProvider(provider: TracerProvider): void {
    super.setTracerProvider(provider);
    this._monitor?.useTracerProvider(provider);
  }

  override setMeterProvider(provider: MeterProvider): void {
    super.setMeterProvider(provider);
    this._monitor?.useMeter(this.meter);
  }

  /** Writes what is known of stalls whose evidence is still coming in. Before an SDK is shut down; never throws. */
  settle(): void {
    this._monitor?.settleNow();
  }
}
