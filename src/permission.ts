/** Node's permission model, which @types/node 20 knows only partly. */
interface Permission {
  has(scope: string, reference?: string): boolean;
}

/** The network is restricted from this version on; older ones don't know the scope and answer that it is not granted. */
const NET_SINCE = 25;

/**
 * Whether the permission model, where it is on, grants this to the application. To be asked on the loop: a thread that is
 * started with flags of its own is not held to it, but has to keep to it all the same.
 */
export function isGranted(scope: 'fs.read' | 'fs.write' | 'inspector' | 'net', reference?: string): boolean {
  const { permission } = process as { permission?: Permission };
  if (!permission || (scope === 'net' && Number.parseInt(process.versions.node, 10) < NET_SINCE)) return true;
  return permission.has(scope, reference);
}

/** Whether the kernel's tables of TCP sockets may be read. */
export const mayReadTables = (): boolean =>
  ['tcp', 'tcp6'].every((table) => isGranted('fs.read', `/proc/self/net/${table}`));
