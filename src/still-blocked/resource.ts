import { hostname } from 'node:os';
import type { Attributes } from './otlp.ts';
import { pairs } from './settings.ts';

/** What an SDK's resource looks like, in both lines. */
interface SdkResource {
  readonly attributes: Attributes;
  readonly asyncAttributesPending?: boolean;
  waitForAsyncAttributes?(): Promise<void>;
}

/** The resource of this process as the SDK would have it: until the SDK's own is known, and where there is no SDK. */
export function ownResource(env: Readonly<Record<string, string | undefined>>): Attributes {
  return {
    'service.name': `unknown_service:${process.argv0}`,
    ...pairs(env['OTEL_RESOURCE_ATTRIBUTES']),
    ...(env['OTEL_SERVICE_NAME'] && { 'service.name': env['OTEL_SERVICE_NAME'] }),
    'process.pid': process.pid,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
    'host.name': hostname(),
  };
}

/**
 * Finds the SDK's resource on the first span that is recorded, where both lines of the SDK have it in public.
 * @returns whether it was found; `use` is called when it is complete
 */
export function findResource(span: object, use: (resource: Attributes) => void): boolean {
  const { resource } = span as { resource?: SdkResource };
  if (typeof resource !== 'object' || resource === null) return false;
  const give = (): void => use(plain(resource.attributes));
  if (resource.asyncAttributesPending && resource.waitForAsyncAttributes) {
    void resource.waitForAsyncAttributes().then(give, () => {});
  } else give();
  return true;
}

/** Only what can be sent to the thread, and as OTLP has it. */
function plain(attributes: Attributes): Attributes {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      key,
      Array.isArray(value) ? value.map(String) : typeof value === 'object' ? String(value) : value,
    ]),
  );
}
